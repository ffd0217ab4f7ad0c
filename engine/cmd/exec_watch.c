/*
 * The disk limit of a --workspace folder.
 *
 * It is the caller's own folder on the caller's file system, which has no
 * quota for it, so its use is counted before the command starts and again and
 * again while it runs; what was there before is not charged.  A count that
 * takes long is made less often, but what the file system has in use costs
 * nothing to ask: when that grows by a good part of what is left, a count is
 * due at once, so that a fast writer does not come far.
 *
 * A file that was deleted while it is open is met in no folder.  When the file
 * system has lost more than the folder shows, and now and then anyway, what
 * the sandbox's processes hold open is added.
 *
 * A command can hide what it writes from us, in folders too deep or that it
 * has made unreadable, now or before.  Such folders are nothing bad, so they
 * end the command only when the file system as a whole has lost more than the
 * limit since the start: then what is missing is taken to be in them.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/cli.h"
#include "engine/cmd/exec_private.h"

#define GLANCE_MS 5 /* between two questions to the file system */
#define TICK_MS 50
#define OPEN_EVERY 16       /* counts */
#define DEPTH_MAX 128       /* a descriptor each */
#define ENTRIES_MAX 2000000 /* a count ends here: it is over any limit */

static int
open_below(int dir, const char *name)
{
	return openat(
	    dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Add what is below the folder dir (taken), following no link. */
static void
count_below(int dir, unsigned depth, struct exec_count *c)
{
	DIR *d = fdopendir(dir);
	struct dirent *entry;
	struct stat st;

	if (d == NULL) {
		close(dir);
		return;
	}
	while ((entry = readdir(d)) != NULL && c->inodes < ENTRIES_MAX) {
		const char *name = entry->d_name;
		int below;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		c->inodes++;
		c->bytes += (uint64_t)st.st_blocks * 512;
		if (!S_ISDIR(st.st_mode))
			continue;
		below = depth == DEPTH_MAX ? -1 : open_below(dir, name);
		if (below != -1)
			count_below(below, depth + 1, c);
		else if (depth == DEPTH_MAX || st.st_uid == geteuid())
			c->hidden++;
	}
	closedir(d);
}

static struct exec_count
count_all(int dir)
{
	struct exec_count c = {0};
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs fs;

	if (again != -1)
		count_below(again, 0, &c);
	else
		c.hidden++;
	if (fstatvfs(dir, &fs) == 0) {
		c.fs_bytes = (fs.f_blocks - fs.f_bfree) * fs.f_frsize;
		c.fs_inodes = fs.f_files - fs.f_ffree;
	}
	return c;
}

static int
is_over(uint64_t now, uint64_t before, uint64_t max)
{
	return max > 0 && now > before && now - before > max;
}

static int
any_is_over(const struct exec_watch *w, const struct exec_count *now)
{
	const struct exec_count *then = &w->before;

	if (is_over(now->bytes, then->bytes, w->bytes_max) ||
	    is_over(now->inodes, then->inodes, w->inodes_max))
		return 1;
	return now->hidden > 0 &&
	       (is_over(now->fs_bytes, then->fs_bytes, w->bytes_max) ||
		   is_over(now->fs_inodes, then->fs_inodes, w->inodes_max));
}

/* Is there more to count than the folder shows? */
static void
add_open(struct exec_watch *w, struct exec_count *now)
{
	uint64_t fs = now->fs_bytes > w->before.fs_bytes
			  ? now->fs_bytes - w->before.fs_bytes
			  : 0;
	uint64_t shown =
	    now->bytes > w->before.bytes ? now->bytes - w->before.bytes : 0;

	if (w->bytes_max == 0 ||
	    ((fs < shown || fs - shown <= w->bytes_max / 2) &&
		w->counts % OPEN_EVERY != 0))
		return;
	now->bytes += exec_watch_open(w->run->cli->zygote.pid, w->dev);
}

static void
count(struct exec_watch *w)
{
	uint64_t from = os->now_us(), took;
	struct exec_count now = count_all(w->dir);

	w->counts++;
	add_open(w, &now);
	took = os->now_us() - from;
	w->growth =
	    now.bytes > w->before.bytes ? now.bytes - w->before.bytes : 0;
	w->counted_fs = now.fs_bytes;
	w->next_us = from + took + TICK_MS * 1000 + 4 * took;
	if (any_is_over(w, &now)) {
		w->tripped = 1;
		if (w->run->x != NULL)
			exec_signal(w->run->x, SIGKILL);
	}
}

/* Could the folder have come near its limit since it was counted? */
static int
is_due(const struct exec_watch *w)
{
	uint64_t left = w->bytes_max > w->growth ? w->bytes_max - w->growth : 0;
	struct statvfs fs;
	uint64_t used;

	if (os->now_us() >= w->next_us)
		return 1;
	if (w->bytes_max == 0 || fstatvfs(w->dir, &fs) == -1)
		return 0;
	used = (fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	return used > w->counted_fs && used - w->counted_fs > left / 2;
}

static void
look(struct loop_timer *t)
{
	struct exec_watch *w = container_of(t, struct exec_watch, timer);

	if (is_due(w))
		count(w);
	loop_timer_start(t, GLANCE_MS);
}

int
exec_watch_start(struct exec_run *r, struct error *e)
{
	const struct profile_limits *l = &r->order->profile.limits;
	struct exec_watch *w = &r->watch;
	struct stat st;

	if (r->order->workspace == NULL ||
	    (l->disk_bytes == 0 && l->disk_inodes == 0))
		return 0;
	w->run = r;
	w->bytes_max = l->disk_bytes;
	w->inodes_max = l->disk_inodes;
	w->dir = os->open(
	    r->order->workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (w->dir == -1)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
		    "watch %s", r->order->workspace);
	if (fstat(w->dir, &st) == 0)
		w->dev = st.st_dev;
	w->before = count_all(w->dir);
	w->counted_fs = w->before.fs_bytes;
	w->next_us = os->now_us() + TICK_MS * 1000;
	loop_timer_init(&w->timer, r->loop, look);
	loop_timer_start(&w->timer, GLANCE_MS);
	return 0;
}

void
exec_watch_stop(struct exec_run *r)
{
	if (r->watch.dir == -1)
		return;
	loop_timer_stop(&r->watch.timer);
	close(r->watch.dir);
	r->watch.dir = -1;
}
