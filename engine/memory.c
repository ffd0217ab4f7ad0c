#include "engine/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/manifest.h"
#include "config/memory.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "net/utf8.h"

#define NEW ".new" /* beside its place until it is whole */
#define DEPTH_MAX 16
#define PATH_BELOW_MAX 512

/*
 * The folder of a memory is its owner's alone; what is in it keeps its mode in
 * workspaces, where a user of the sandbox's must be able to read it.
 */
#define MODE_FOLDER 0755
#define MODE_FILE 0644
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY)

int
memory_locate(
    struct memory *m, const char *state, const char *name, struct error *e)
{
	char here[LIMIT_PATH];
	int n;

	m->path[0] = '\0';
	if (memory_name_check(name) == -1)
		return error_set(e, ERROR_CONFIG, 0,
		    "\"%.80s\" cannot be the name of a memory", name);
	if (state[0] != '/' && getcwd(here, sizeof here) == NULL)
		return error_set(e, ERROR_SYSTEM, errno, "getcwd");
	n = snprintf(m->path, sizeof m->path, "%s%s%s/memory/%s",
	    state[0] == '/' ? "" : here, state[0] == '/' ? "" : "/", state,
	    name);
	if (n < 0 || (size_t)n >= sizeof m->path - 512) {
		m->path[0] = '\0';
		return error_set(
		    e, ERROR_CONFIG, 0, "the path of the memory is too long");
	}
	return 0;
}

static int
make_folder(const struct memory *m, const char *below, struct error *e)
{
	char path[LIMIT_PATH];

	snprintf(path, sizeof path, "%s%s", m->path, below);
	if (mkdir(path, below[0] == '\0' ? 0700 : MODE_FOLDER) == 0 ||
	    errno == EEXIST)
		return 0;
	return error_set(e,
	    errno == ENOSPC || errno == EDQUOT ? ERROR_IO : ERROR_CANNOT_CREATE,
	    errno, "cannot make %s", path);
}

int
memory_make(const struct memory *m, struct error *e)
{
	static const char *const folders[] = {"", "/" MEMORY_SESSIONS,
	    "/" MEMORY_FILES, "/" MEMORY_RAW, "/" MEMORY_SUMMARIES};
	char above[LIMIT_PATH];
	char *slash;

	snprintf(above, sizeof above, "%s", m->path);
	slash = strrchr(above, '/');
	*slash = '\0';
	if (mkdir(above, 0700) == -1 && errno != EEXIST)
		return error_set(
		    e, ERROR_CANNOT_CREATE, errno, "cannot make %s", above);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		if (make_folder(m, folders[i], e) == -1)
			return -1;
	return 0;
}

int
memory_exists(const struct memory *m)
{
	struct stat st;

	return m->path[0] != '\0' && lstat(m->path, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* --- names --- */

static int
is_of(struct span s, const char *first, const char *more, size_t most)
{
	if (s.n == 0 || s.n > most)
		return 0;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' ||
		    (strchr(first, s.p[i]) == NULL &&
			(i == 0 || strchr(more, s.p[i]) == NULL)))
			return 0;
	return 1;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"

int
memory_id_is_fine(struct span id)
{
	return is_of(
	    id, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "._-", MEMORY_ID_MAX);
}

int
memory_slug_is_fine(struct span slug)
{
	return is_of(slug, LOWER, "_-", MEMORY_SLUG_MAX);
}

int
memory_is_text(struct span s)
{
	return utf8_check(s) == s.n && span_find(s, '\0', 0) == s.n;
}

/* --- files --- */

static int
open_folder(const struct memory *m)
{
	return os->open(m->path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

/* Open path below the folder, never by a link and never waiting. */
static int
open_below(const struct memory *m, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
	    .flags = (uint64_t)(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
	    .mode = mode,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int base = open_folder(m), fd, why;

	if (base == -1)
		return -1;
	fd = (int)syscall(SYS_openat2, base, path, &how, sizeof how);
	why = errno;
	os->close(base);
	errno = why;
	return fd;
}

static int
failed(
    const struct memory *m, const char *what, const char *path, struct error *e)
{
	return error_set(e, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, errno,
	    "cannot %s %s/%s", what, m->path, path);
}

int
memory_load(
    const struct memory *m, const char *path, struct text *out, struct error *e)
{
	int fd = open_below(m, path, O_RDONLY, 0);
	struct stat st;
	ssize_t n = -1;
	size_t room;
	char *p;

	if (fd == -1)
		return failed(m, "open", path, e);
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = EINVAL;
	else
		do {
			p = text_room(out, 1, &room);
			errno = p == NULL ? EFBIG : 0;
			n = p == NULL ? -1 : os->read(fd, p, room);
			if (n > 0)
				text_added(out, (size_t)n);
		} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == -1)
		failed(m, "read", path, e);
	if (n == -1 && errno == EFBIG)
		e->code = ERROR_TOO_BIG;
	os->close(fd);
	return n == 0 ? 0 : -1;
}

static int
write_all(int fd, struct span bytes)
{
	while (bytes.n > 0) {
		ssize_t n = os->write(fd, bytes.p, bytes.n);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0)
			bytes = span_slice(bytes, (size_t)n, bytes.n);
	}
	return 0;
}

int
memory_store(const struct memory *m, const char *path, struct span bytes,
    struct error *e)
{
	char beside[PATH_BELOW_MAX];
	int n = snprintf(beside, sizeof beside, "%s" NEW, path);
	int base = open_folder(m), fd = -1, bad = 1;

	errno = ENAMETOOLONG;
	if (base != -1 && n > 0 && (size_t)n < sizeof beside) {
		unlinkat(base, beside, 0);
		fd = open_below(
		    m, beside, O_WRONLY | O_CREAT | O_EXCL, MODE_FILE);
	}
	if (fd != -1) {
		bad = write_all(fd, bytes) == -1;
		bad |= os->close(fd) == -1;
		bad = bad || renameat(base, beside, base, path) == -1;
	}
	if (bad)
		failed(m, "write", path, e);
	if (bad && fd != -1)
		unlinkat(base, beside, 0);
	if (base != -1)
		os->close(base);
	return bad ? -1 : 0;
}

int
memory_append(const struct memory *m, const char *path, struct span bytes,
    struct error *e)
{
	int fd = open_below(m, path, O_WRONLY | O_APPEND | O_CREAT, MODE_FILE),
	    bad;

	if (fd == -1)
		return failed(m, "append to", path, e);
	bad = write_all(fd, bytes) == -1;
	bad |= os->close(fd) == -1;
	return bad ? failed(m, "append to", path, e) : 0;
}

int
memory_has(const struct memory *m, const char *path)
{
	int fd = m->path[0] == '\0' ? -1 : open_below(m, path, O_RDONLY, 0);

	if (fd == -1)
		return 0;
	os->close(fd);
	return 1;
}

/* Everything in the folder open on fd, which is closed. */
static void
empty(int fd, unsigned depth)
{
	_Alignas(struct dirent64) char buffer[4096];
	long got;

	while (depth < DEPTH_MAX &&
	       (got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < got;) {
			const struct dirent64 *d = (const void *)(buffer + at);
			int below;

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") == 0 ||
			    strcmp(d->d_name, "..") == 0)
				continue;
			if (unlinkat(fd, d->d_name, 0) == 0)
				continue;
			below = os->openat(fd, d->d_name,
			    FOLDER_FLAGS | O_NOFOLLOW | O_CLOEXEC, 0);
			if (below != -1)
				empty(below, depth + 1);
			unlinkat(fd, d->d_name, AT_REMOVEDIR);
		}
	os->close(fd);
}

void
memory_remove(const struct memory *m, const char *path)
{
	int base = open_folder(m), fd = open_below(m, path, FOLDER_FLAGS, 0);

	if (fd != -1)
		empty(fd, 0);
	if (base == -1)
		return;
	unlinkat(base, path, fd != -1 ? AT_REMOVEDIR : 0);
	os->close(base);
}

/* --- folders --- */

int
memory_each(const struct memory *m, const char *folder,
    int (*fn)(const struct memory_entry *entry, void *owner), void *owner,
    struct error *e)
{
	_Alignas(struct dirent64) char buffer[4096];
	int fd = open_below(m, folder, FOLDER_FLAGS, 0), more = 1;
	struct stat st;
	long got;

	if (fd == -1)
		return failed(m, "list", folder, e);
	while (more &&
	       (got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; more && at < got;) {
			const struct dirent64 *d = (const void *)(buffer + at);

			at += d->d_reclen;
			if (d->d_name[0] == '.' ||
			    fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
				-1 ||
			    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
				continue;
			more = fn(&(struct memory_entry){.name = d->d_name,
				      .is_folder = S_ISDIR(st.st_mode),
				      .bytes = (uint64_t)st.st_size,
				      .mtime_ms =
					  (int64_t)st.st_mtim.tv_sec * 1000 +
					  st.st_mtim.tv_nsec / 1000000},
				   owner) == 0;
		}
	os->close(fd);
	return 0;
}

/* --- what runs are given --- */

int
memory_can_be_read(const struct memory *m)
{
	return memory_has(m, MEMORY_FILES "/" MEMORY_SUMMARY) ||
	       memory_has(m, MEMORY_FILES "/" MEMORY_HANDBOOK);
}

const struct manifest *
memory_manifest(const struct memory *m, int with_raw, struct arena *arena)
{
	static const struct {
		const char *name;
		enum entry_type type;
	} shown[] = {{MEMORY_SUMMARY, ENTRY_LOCAL_FILE},
	    {MEMORY_HANDBOOK, ENTRY_LOCAL_FILE},
	    {"rollout_summaries", ENTRY_LOCAL_DIR},
	    {MEMORY_SKILLS, ENTRY_LOCAL_DIR},
	    {"raw_memories.md", ENTRY_LOCAL_FILE}};
	unsigned shown_n = with_raw ? 5 : 4;
	struct manifest *out = arena_alloc(arena, sizeof *out);
	struct manifest_entry *entry =
	    arena_alloc(arena, (1 + 5) * sizeof *entry);
	unsigned n = 0;

	if (out == NULL || entry == NULL)
		return NULL;
	entry[n++] = (struct manifest_entry){.type = ENTRY_DIR,
	    .path = MEMORY_FOLDER,
	    .description = "what earlier runs learned",
	    .mode = 0755};
	for (unsigned i = 0; i < shown_n; i++) {
		const char *src =
		    arena_printf(arena, MEMORY_FILES "/%s", shown[i].name);

		if (src == NULL)
			return NULL;
		if (!memory_has(m, src))
			continue;
		entry[n++] = (struct manifest_entry){.type = shown[i].type,
		    .path =
			arena_printf(arena, MEMORY_FOLDER "/%s", shown[i].name),
		    .depth = 1,
		    .mode = shown[i].type == ENTRY_LOCAL_DIR ? 0755 : 0644,
		    .src = src,
		    .folder = m->path};
	}
	*out = (struct manifest){.file = "the memory",
	    .root = MANIFEST_ROOT,
	    .version = 1,
	    .entries = entry,
	    .entries_n = n};
	return arena_overflowed(arena) ? NULL : out;
}
