/*
 * Folders of skills on the host: read with bounds, never through a link, and
 * opened so that a FIFO keeps nobody waiting.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/complaint.h"
#include "config/skill.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/text.h"

#define SAFELY (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define DEPTH_MAX 16
#define ENTRIES_MAX 10000

/* --- what is in a folder --- */

typedef int entry_fn(int dir, const char *name, void *owner);

/* Call fn for each entry until it says -1; dir is closed.  -1 with errno. */
static int
each_entry(int dir, entry_fn *fn, void *owner)
{
	_Alignas(struct dirent64) char buffer[4096];
	long got = 0;
	int status = 0;

	while (status == 0 &&
	       (got = syscall(SYS_getdents64, dir, buffer, sizeof buffer)) > 0)
		for (long at = 0; status == 0 && at < got;) {
			const struct dirent64 *d = (const void *)(buffer + at);

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") != 0 &&
			    strcmp(d->d_name, "..") != 0)
				status = fn(dir, d->d_name, owner);
		}
	os->close(dir);
	return got == -1 ? -1 : 0;
}

/* A regular file's text; -1 when it is none, or too long. */
static int
read_regular(int dir, const char *name, struct text *out)
{
	int fd = os->openat(dir, name, O_RDONLY | SAFELY, 0);
	struct stat st;
	ssize_t n = -1;
	size_t room;
	char *p;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		do {
			p = text_room(out, 1, &room);
			n = p == NULL ? -1 : os->read(fd, p, room);
			if (n > 0)
				text_added(out, (size_t)n);
		} while (n > 0 || (n == -1 && p != NULL && errno == EINTR));
	os->close(fd);
	return n == 0 ? 0 : -1;
}

/* --- the index of a folder of skills --- */

struct listing {
	struct arena *arena;
	struct skill *skill;
	unsigned n;
	struct text text;
};

static int
list_one(int dir, const char *name, void *owner)
{
	struct listing *l = owner;
	int fd;

	if (l->n == SKILLS_MAX)
		return -1;
	fd = os->openat(dir, name, O_RDONLY | O_DIRECTORY | SAFELY, 0);
	if (fd == -1)
		return 0;
	text_clear(&l->text);
	if (read_regular(fd, SKILL_FILE, &l->text) == 0 &&
	    skill_read(l->arena, text_span(&l->text), name, &l->skill[l->n]) ==
		0)
		l->n++;
	os->close(fd);
	return 0;
}

int
skill_folder_list(struct arena *arena, const char *dir, const char *below,
    const struct skill **out, unsigned *n, struct error *e)
{
	struct listing l = {.arena = arena};
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int base = os->open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0), fd = -1;

	if (base != -1)
		fd = (int)syscall(SYS_openat2, base, below, &how, sizeof how);
	if (fd == -1)
		error_set(e, ERROR_NO_INPUT, errno, "%s/%s", dir, below);
	if (base != -1)
		os->close(base);
	if (fd == -1)
		return -1;
	l.skill = arena_alloc(arena, SKILLS_MAX * sizeof *l.skill);
	if (l.skill == NULL) {
		os->close(fd);
		return error_set(e, ERROR_FULL, 0, "out of memory");
	}
	text_init(&l.text, SKILL_FILE_MAX);
	if (each_entry(fd, list_one, &l) == -1) {
		text_release(&l.text);
		return error_set(e, ERROR_NO_INPUT, errno, "%s/%s", dir, below);
	}
	text_release(&l.text);
	qsort(l.skill, l.n, sizeof *l.skill, skill_compare);
	*out = l.skill;
	*n = l.n;
	return 0;
}

/* --- one skill, checked --- */

struct folder_check {
	struct arena *arena;
	struct complaints *c;
	const char *path; /* of the folder that is being walked */
	unsigned depth, entries;
};

static int look_below(struct folder_check *k, int dir, const char *name);

static int
look_at(int dir, const char *name, void *owner)
{
	struct folder_check *k = owner;
	const char *outer = k->path;
	const char *path = arena_printf(k->arena, "%s/%s", outer, name);
	struct stat st;
	int status = 0;

	if (path == NULL || ++k->entries > ENTRIES_MAX) {
		complain(k->c, ERROR_TOO_BIG, outer, 0, 0,
		    "too many files for a skill");
		return -1;
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	k->path = path;
	if (S_ISLNK(st.st_mode))
		complain(k->c, ERROR_SYNTAX, path, 0, 0,
		    "a symbolic link is not copied into a workspace; put the "
		    "file here");
	else if (S_ISDIR(st.st_mode))
		status = look_below(k, dir, name);
	else if (!S_ISREG(st.st_mode))
		complain(k->c, ERROR_SYNTAX, path, 0, 0,
		    "neither a file nor a folder; a skill has only those");
	k->path = outer;
	return status;
}

static int
look_below(struct folder_check *k, int dir, const char *name)
{
	int fd;

	if (k->depth == DEPTH_MAX)
		return complain(k->c, ERROR_TOO_BIG, k->path, 0, 0,
		    "more than %d folders deep", DEPTH_MAX);
	fd = os->openat(dir, name, O_RDONLY | O_DIRECTORY | SAFELY, 0);
	if (fd == -1)
		return complain(k->c, ERROR_NO_INPUT, k->path, 0, 0,
		    "cannot be opened: %s", strerror(errno));
	k->depth++;
	if (each_entry(fd, look_at, k) == -1)
		complain(k->c, ERROR_NO_INPUT, k->path, 0, 0,
		    "cannot be read: %s", strerror(errno));
	k->depth--;
	return 0;
}

/* The last name of a path, which may end in '/' or be ".". */
static const char *
last_name(struct arena *arena, const char *path)
{
	char real[PATH_MAX];
	const char *slash =
	    realpath(path, real) == NULL ? NULL : strrchr(real, '/');
	const char *out =
	    slash == NULL ? path
			  : arena_strndup(arena, slash + 1, strlen(slash + 1));

	return out == NULL ? "" : out;
}

void
skill_folder_check(struct arena *arena, const char *path, struct complaints *c)
{
	struct folder_check k = {.arena = arena, .c = c, .path = path};
	const char *file = arena_printf(arena, "%s/" SKILL_FILE, path);
	int fd = os->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct text t;

	if (fd == -1 || file == NULL) {
		complain(c, ERROR_NO_INPUT, path, 0, 0, "%s",
		    fd == -1 ? strerror(errno) : "out of memory");
		if (fd != -1)
			os->close(fd);
		return;
	}
	text_init(&t, SKILL_FILE_MAX);
	if (read_regular(fd, SKILL_FILE, &t) == -1)
		complain(c, ERROR_SYNTAX, file, 0, 0, "%s",
		    skill_folder_is_one(path)
			? "this is no file of at most 1 MiB that can be read"
			: "is not there; every skill has one");
	else
		skill_check(text_span(&t), last_name(arena, path), file, c);
	text_release(&t);
	if (each_entry(fd, look_at, &k) == -1)
		complain(c, ERROR_NO_INPUT, path, 0, 0, "cannot be read: %s",
		    strerror(errno));
}

int
skill_folder_is_one(const char *path)
{
	char file[LIMIT_PATH + sizeof SKILL_FILE + 1];
	struct stat st;
	size_t n = strlen(path);

	if (n > LIMIT_PATH - 1)
		return 0;
	memcpy(file, path, n);
	file[n] = '/';
	memcpy(file + n + 1, SKILL_FILE, sizeof SKILL_FILE);
	return lstat(file, &st) == 0;
}
