#include "sandbox/standins.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "sandbox/fault.h"
#include "sandbox/mounts.h"
#include "sandbox/mounts_private.h"
#include "sandbox/wire.h"

#define TRIES 100 /* a millisecond each: somebody else is removing it */
#define POINTS_MAX (2 * MOUNTS_PROTECTED_MAX + MOUNTS_TREES_MAX)

/* A mount point that the workspace must have. */
struct point {
	const char *path; /* relative, no ".." */
	int is_file;
};

/* How what is missing is made; NULL: it is not. */
struct owner {
	uid_t uid;
	gid_t gid;
};

/* Protected and writable paths, and binds that lie below /workspace. */
static unsigned
points(const struct box *b, const struct mounts_tree *trees,
    struct point p[POINTS_MAX])
{
	static const char prefix[] = "/workspace/";
	unsigned n = 0;

	for (unsigned i = 0; i < b->protect_n; i++)
		p[n++].path = b->text + b->protect[i];
	for (unsigned i = 0; i < b->writable_n; i++)
		p[n++].path = b->text + b->writable[i];
	for (unsigned i = 0; i < n; i++)
		p[i].is_file = 0;
	for (unsigned i = 0; i < b->attach_n; i++) {
		const char *dst = b->text + b->attach_dst[i];

		if (strncmp(dst, prefix, sizeof prefix - 1) != 0 ||
		    strstr(dst, "..") != NULL)
			continue;
		p[n].path = dst + sizeof prefix - 1;
		p[n++].is_file = trees != NULL && trees[b->attach[i]].is_file;
	}
	return n;
}

static void
pause_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	nanosleep(&moment, NULL);
}

/* Is what dir/name means what st describes? */
static int
is_still(int dir, const char *name, const struct stat *st)
{
	struct stat now;

	return fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

static int
is_marked(const struct stat *st)
{
	return (st->st_mode & S_ISVTX) != 0 &&
	       (S_ISDIR(st->st_mode) ||
		   (S_ISREG(st->st_mode) && st->st_size == 0));
}

/* Add dir/name, open as fd (taken); what is held twice is held once. */
static int
add(struct standins *s, int dir, const char *name, int fd,
    const struct stat *st, int ours)
{
	struct standin *m = &s->held[s->n];

	for (unsigned i = 0; i < s->n; i++)
		if (s->held[i].dev == st->st_dev &&
		    s->held[i].ino == st->st_ino) {
			close(fd);
			return 0;
		}
	*m = (struct standin){.fd = fd,
	    .ours = ours,
	    .is_file = !S_ISDIR(st->st_mode),
	    .dev = st->st_dev,
	    .ino = st->st_ino};
	m->dir = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->dir == -1 ||
	    mounts_join(m->name, sizeof m->name, name, "") == -1) {
		close(fd);
		if (m->dir != -1)
			close(m->dir);
		return -1;
	}
	s->n++;
	return 0;
}

/* Lock fd, which dir/name was, and add it; 1: it is not that any more. */
static int
lock(struct standins *s, int dir, const char *name, int fd, int made,
    int last_try)
{
	struct stat st;

	/* Without locks nobody removes anything: see standins_remove(). */
	if ((flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK &&
		!last_try) ||
	    fstat(fd, &st) == -1 || !is_still(dir, name, &st)) {
		close(fd);
		return 1;
	}
	return add(s, dir, name, fd, &st, made || is_marked(&st));
}

/* Hold dir/name, made if it is missing; 0, or -1 and errno. */
static int
hold(struct standins *s, int dir, const char *name, int is_file,
    const struct owner *o)
{
	int made = 0;

	if (s->n == STANDINS_MAX) {
		errno = ENOSPC;
		return -1;
	}
	for (int i = 1; i <= TRIES; i++) {
		int fd = openat(dir, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		int rc;

		if (fd == -1 && errno == ENOENT && o != NULL) {
			if (mounts_make(dir, name, is_file, S_ISVTX, o->uid,
				o->gid) == 0)
				made = 1;
			else if (errno != EEXIST)
				return -1;
			continue;
		}
		/* Not ours to read, so not ours to remove. */
		if (fd == -1)
			return errno == EACCES ? 0 : -1;
		rc = lock(s, dir, name, fd, made, i == TRIES);
		if (rc != 1)
			return rc;
		pause_a_moment();
	}
	errno = EBUSY;
	return -1;
}

/* Every name of the path, one below the other. */
static int
hold_point(struct standins *s, int root, const struct point *p,
    const struct owner *o, struct fault *f)
{
	char prefix[LIMIT_PATH];
	int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	char *name = prefix, *end;
	int saved;

	if (mounts_join(prefix, sizeof prefix, p->path, "") == -1) {
		close(dir);
		return fault_at(f, "stand-in", p->path);
	}
	do {
		end = strchrnul(name, '/');
		saved = *end == '\0' && p->is_file;
		if (*end == '/')
			*end++ = '\0';
		next = -1;
		if (dir != -1 && hold(s, dir, name, saved, o) == 0)
			next = mounts_beneath(dir, name, 0);
		saved = errno;
		if (dir != -1)
			close(dir);
		errno = saved;
		dir = next;
		name = end;
	} while (dir != -1 && *name != '\0');
	if (dir == -1) {
		/* A file in the place of a folder is what is protected. */
		return saved == ENOTDIR || o == NULL
			   ? 0
			   : fault_set(f, saved, "stand-in", p->path);
	}
	close(dir);
	return 0;
}

int
standins_make(struct standins *s, const struct box *b,
    const struct mounts_tree *trees, struct fault *f)
{
	struct point p[POINTS_MAX];
	struct owner o;
	struct stat st;
	unsigned n;

	if (b->workspace < 0 || s->n > 0)
		return 0;
	if (fstat(trees[b->workspace].fd, &st) == -1)
		return fault_at(f, "look at", trees[b->workspace].path);
	o = (struct owner){st.st_uid, st.st_gid};
	n = points(b, trees, p);
	for (unsigned i = 0; i < n; i++)
		if (hold_point(s, trees[b->workspace].fd, &p[i], &o, f) == -1)
			return -1;
	return 0;
}

void
standins_remove(struct standins *s)
{
	struct stat st;

	/* The last one is the deepest. */
	while (s->n > 0) {
		struct standin *m = &s->held[--s->n];

		st = (struct stat){.st_dev = m->dev, .st_ino = m->ino};
		if (m->ours && flock(m->fd, LOCK_EX | LOCK_NB) == 0 &&
		    is_still(m->dir, m->name, &st) && fstat(m->fd, &st) == 0 &&
		    (!m->is_file || st.st_size == 0))
			(void)unlinkat(
			    m->dir, m->name, m->is_file ? 0 : AT_REMOVEDIR);
		close(m->fd);
		close(m->dir);
	}
}

void
standins_sweep(struct standins *s, const struct box *b, const char *workspace)
{
	int root = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct point p[POINTS_MAX];
	struct fault f;
	unsigned n;

	if (root == -1)
		return;
	n = points(b, NULL, p);
	for (unsigned i = 0; i < n; i++)
		(void)hold_point(s, root, &p[i], NULL, &f);
	standins_remove(s);
	close(root);
}
