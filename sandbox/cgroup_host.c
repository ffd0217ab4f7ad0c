/*
 * Finding the control groups of this host, and a directory in them.
 *
 * Where they are mounted is taken from convention (/sys/fs/cgroup), which
 * every init system follows.  Which of our groups are alive is told by a lock:
 * an engine holds flock() on its directories for as long as it lives, whatever
 * pid namespace it runs in.
 */

#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "sandbox/cgroup_private.h"

#define ROOT "/sys/fs/cgroup"
#define MAGIC_V1 0x27e0eb
#define MAGIC_V2 0x63677270
#define PREFIX "skep-"
#define DEAD_WAIT_MS 50
#define MAKE_TRIES 100

static const char *const controllers[] = {"memory", "pids", "cpu"};

static void
pause_ms(int ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};

	nanosleep(&t, NULL);
}

static int
is_kind(const char *path, long magic)
{
	struct statfs s;

	return statfs(path, &s) == 0 && s.f_type == magic;
}

/*
 * Our group in the hierarchy of this controller ("" for version 2), from
 * /proc/self/cgroup's "ID:controllers:/path" lines; "/" when not found.
 */
static void
own_path(const char *text, const char *controller, char *out, size_t size)
{
	const size_t n = strlen(controller);

	snprintf(out, size, "/");
	for (const char *line = text; *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		const char *at = strchr(line, ':');
		const char *path = at == NULL ? NULL : strchr(at + 1, ':');

		if (path == NULL || path > end)
			return;
		for (const char *c = at + 1; c <= path; c++) {
			const char *stop = c;

			while (stop < path && *stop != ',')
				stop++;
			if ((size_t)(stop - c) == n &&
			    memcmp(c, controller, n) == 0) {
				snprintf(out, size, "%.*s",
				    (int)(end - path - 1), path + 1);
				return;
			}
			c = stop;
		}
		line = *end == '\0' ? end : end + 1;
	}
}

/* mount + path, or mount alone when that is all a container shows. */
static int
open_group(const char *mount, const char *path)
{
	char full[LIMIT_PATH];
	int fd;

	snprintf(full, sizeof full, "%s%s", mount, path);
	fd = os->open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd == -1 && errno == ENOENT)
		fd = os->open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return fd;
}

/* Kill what a dead engine left in one of its groups (it should be nothing). */
static void
kill_left(int group)
{
	char text[4096];

	if (cgroup_write(group, "cgroup.kill", "1") == 0 ||
	    cgroup_read(group, "cgroup.procs", text, sizeof text) == -1)
		return;
	for (char *p = text; *p != '\0';) {
		char *end;
		long pid = strtol(p, &end, 10);

		if (end == p)
			return;
		if (pid > 1)
			kill((pid_t)pid, SIGKILL);
		p = *end == '\n' ? end + 1 : end;
	}
}

/* Remove the groups in base, and then base itself; 1 when something stays. */
static int
remove_base(int parent, const char *name, int kill_first)
{
	DIR *dir;
	struct dirent *d;
	int fd;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0; /* empty, as most are */
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return 0;
	}
	if (kill_first)
		kill_left(fd);
	while ((d = readdir(dir)) != NULL) {
		int group;

		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		if (unlinkat(fd, d->d_name, AT_REMOVEDIR) == 0 || !kill_first)
			continue;
		group = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY);
		if (group != -1) {
			kill_left(group);
			close(group);
		}
	}
	closedir(dir);
	return unlinkat(parent, name, AT_REMOVEDIR) == -1 && errno == EBUSY;
}

/*
 * Does the process that the name speaks of live?  An engine that has made its
 * directory and not locked it yet does; in another pid namespace the number
 * may mean somebody else, and then the lock decides alone.
 */
static int
is_alive(const char *name)
{
	long pid = strtol(name + sizeof PREFIX - 1, NULL, 10);

	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* Remove the directories of engines that no longer live. */
static void
sweep(int parent)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL) {
		int base;

		if (strncmp(d->d_name, PREFIX, sizeof PREFIX - 1) != 0 ||
		    is_alive(d->d_name))
			continue;
		base = openat(
		    parent, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (base == -1)
			continue;
		if (flock(base, LOCK_EX | LOCK_NB) == 0)
			for (int i = 0; i < DEAD_WAIT_MS; i++) {
				if (!remove_base(parent, d->d_name, 1))
					break;
				pause_ms(1);
			}
		close(base);
	}
	closedir(dir);
}

/* Is what dir/name means the open directory fd? */
static int
is_still(int dir, const char *name, int fd)
{
	struct stat there, here;

	return fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &here) == 0 && there.st_ino == here.st_ino;
}

/*
 * Make and lock our directory in parent: its descriptor, or -1 and errno.
 * Somebody who sweeps may take it for a dead engine's before it is locked:
 * then once more.
 */
static int
make_base(int parent, const char *name)
{
	for (int i = 0; i < MAKE_TRIES; i++) {
		int base;

		if (mkdirat(parent, name, 0755) == -1 && errno != EEXIST)
			return -1;
		base = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (base == -1 && errno != ENOENT)
			return -1;
		if (base == -1)
			continue;
		if (flock(base, LOCK_EX | LOCK_NB) == 0 &&
		    is_still(parent, name, base))
			return base;
		close(base);
		pause_ms(1);
	}
	errno = EBUSY;
	return -1;
}

static int
take_base(struct cgroup_host *h, int c, int parent)
{
	sweep(parent);
	h->base[c] = make_base(parent, h->name);
	if (h->base[c] == -1)
		return -1;
	h->parent[c] = parent;
	h->has |= 1u << c;
	return 0;
}

static void
drop_bases(struct cgroup_host *h)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (h->base[c] != -1)
			remove_base(h->parent[c], h->name, 0);
		if (h->base[c] != -1)
			close(h->base[c]);
		if (h->parent[c] != -1)
			close(h->parent[c]);
		h->base[c] = h->parent[c] = -1;
	}
	h->has = 0;
}

static void
open_v1(struct cgroup_host *h, const char *own)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		char mount[64], path[LIMIT_PATH];
		int parent;

		snprintf(mount, sizeof mount, ROOT "/%s", controllers[c]);
		own_path(own, controllers[c], path, sizeof path);
		parent =
		    is_kind(mount, MAGIC_V1) ? open_group(mount, path) : -1;
		if (parent != -1 && take_base(h, c, parent) == 0)
			continue;
		snprintf(h->why, sizeof h->why,
		    "version 1 controller \"%s\": %s", controllers[c],
		    parent == -1 ? "not mounted at " ROOT : strerror(errno));
		if (parent != -1)
			close(parent);
		if (c == CGROUP_CPU)
			break; /* limits of cpu time are refused then */
		drop_bases(h);
		return;
	}
	h->kind = CGROUP_V1;
}

static int
has_word(const char *text, const char *word)
{
	const size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		if ((p == text || p[-1] == ' ') &&
		    (p[n] == ' ' || p[n] == '\n' || p[n] == '\0'))
			return 1;
	return 0;
}

/*
 * The controllers that children of dir can have, switched on if need be.  All
 * or none: with pids or cpu alone a group that has processes would become a
 * threaded one, whose children can have no processes.
 */
static unsigned
switch_on(int dir)
{
	char text[256];
	unsigned has = 0;

	if (cgroup_write(dir, "cgroup.subtree_control", "+memory +pids") == 0)
		(void)cgroup_write(dir, "cgroup.subtree_control", "+cpu");
	if (cgroup_read(dir, "cgroup.subtree_control", text, sizeof text) == -1)
		return 0;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (has_word(text, controllers[c]))
			has |= 1u << c;
	return has;
}

#define NEEDED (1u << CGROUP_MEMORY | 1u << CGROUP_PIDS)

/* Try dir (taken) as the parent of ours; 1 when it can be. */
static int
try_v2(struct cgroup_host *h, int dir)
{
	if (dir == -1)
		return 0;
	if ((switch_on(dir) & NEEDED) != NEEDED || take_base(h, 0, dir) == -1) {
		close(dir);
		return 0;
	}
	/* A group with processes must not hand controllers down. */
	h->has = h->single ? switch_on(dir) : switch_on(h->base[0]);
	if ((h->has & NEEDED) == NEEDED)
		return 1;
	drop_bases(h);
	return 0;
}

/* Is the process ourselves or a child of ours, as the zygote is? */
static int
is_family(long pid)
{
	char name[32], stat[512], *p;
	int dir;

	if (pid == getpid())
		return 1;
	snprintf(name, sizeof name, "/proc/%ld", pid);
	dir = os->open(name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir == -1)
		return 0;
	p = cgroup_read(dir, "stat", stat, sizeof stat) == -1
		? NULL
		: strrchr(stat, ')');
	os->close(dir);
	/* ") S PPID" */
	return p != NULL && strtol(p + 3, NULL, 10) == getpid();
}

/* Move us and our children from one group to another; 0 if all went. */
static int
move_family(int from, int to)
{
	char text[4096];

	if (cgroup_read(from, "cgroup.procs", text, sizeof text) == -1)
		return -1;
	for (char *p = text; *p != '\0';) {
		char *end;
		long pid = strtol(p, &end, 10);

		if (end == p)
			return -1;
		if (!is_family(pid) || cgroup_write_number(to, "cgroup.procs",
					   (uint64_t)pid) == -1)
			return -1;
		p = *end == '\n' ? end + 1 : end;
	}
	return 0;
}

/* Step back up: what we switched on is switched off, the leaf removed. */
static void
leave_leaf(struct cgroup_host *h)
{
	int leaf;

	if (h->leaf_dir == -1)
		return;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		char word[16];

		snprintf(word, sizeof word, "-%s", controllers[c]);
		(void)cgroup_write(h->leaf_dir, "cgroup.subtree_control", word);
	}
	leaf = openat(h->leaf_dir, h->leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (leaf != -1) {
		(void)move_family(leaf, h->leaf_dir);
		close(leaf);
	}
	unlinkat(h->leaf_dir, h->leaf, AT_REMOVEDIR);
	close(h->leaf_dir);
	h->leaf_dir = -1;
}

/*
 * A group with processes of its own cannot have children with controllers.
 * In a delegated group where we are alone, step down into a leaf.
 */
static int
try_leaf(struct cgroup_host *h, const char *path)
{
	int leaf, moved;

	h->leaf_dir = open_group(ROOT, path);
	if (h->leaf_dir == -1)
		return 0;
	snprintf(h->leaf, sizeof h->leaf, "engine-%d", (int)getpid());
	if (mkdirat(h->leaf_dir, h->leaf, 0755) == -1) {
		close(h->leaf_dir);
		h->leaf_dir = -1;
		return 0;
	}
	leaf = openat(h->leaf_dir, h->leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	moved = leaf != -1 && move_family(h->leaf_dir, leaf) == 0;
	if (leaf != -1)
		close(leaf);
	if (moved && try_v2(h, openat(h->leaf_dir, ".", O_RDONLY | O_CLOEXEC)))
		return 1;
	leave_leaf(h);
	return 0;
}

static void
open_v2(struct cgroup_host *h, const char *own)
{
	char path[LIMIT_PATH], *slash;

	own_path(own, "", path, sizeof path);
	h->kind = CGROUP_V2;
	if (try_v2(h, open_group(ROOT, path)) || try_leaf(h, path))
		return;
	slash = strrchr(path, '/');
	if (slash != NULL && slash != path) {
		*slash = '\0';
		if (try_v2(h, open_group(ROOT, path)))
			return;
	}
	if (geteuid() == 0 && try_v2(h, open_group(ROOT, "/")))
		return;
	h->kind = CGROUP_NONE;
	snprintf(h->why, sizeof h->why,
	    "version 2: no group here is delegated to us with memory and pids "
	    "(start it with: systemd-run --user --scope -p Delegate=yes ...)");
}

int
cgroup_host_open(struct cgroup_host *h, int single, struct error *e)
{
	char own[4096];
	int self;

	memset(h, 0, sizeof *h);
	h->single = single;
	h->leaf_dir = -1;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		h->base[c] = h->parent[c] = -1;
	snprintf(h->name, sizeof h->name, PREFIX "%d-%" PRIx64, (int)getpid(),
	    os->now_us());
	self = os->open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (self == -1)
		return error_set(e, ERROR_SYSTEM, errno, "open /proc/self");
	if (cgroup_read(self, "cgroup", own, sizeof own) == -1)
		own[0] = '\0';
	os->close(self);
	if (is_kind(ROOT, MAGIC_V2))
		open_v2(h, own);
	else if (is_kind(ROOT "/memory", MAGIC_V1))
		open_v1(h, own);
	else
		snprintf(h->why, sizeof h->why,
		    "no control groups are mounted at " ROOT);
	return 0;
}

void
cgroup_host_close(struct cgroup_host *h, int wait_ms)
{
	if (h->name[0] == '\0')
		return; /* it was never opened */
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (h->base[c] == -1)
			continue;
		while (remove_base(h->parent[c], h->name, 0) && wait_ms-- > 0)
			pause_ms(1);
		close(h->base[c]);
		h->base[c] = -1;
	}
	drop_bases(h);
	leave_leaf(h);
	h->kind = CGROUP_NONE;
}
