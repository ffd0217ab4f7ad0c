/*
 * The disk limit of a --workspace folder.
 *
 * It is the caller's own folder on the caller's file system, which has no
 * quota for it, so its use is counted before the command starts and again and
 * again while it runs; what was there before is not charged.  A count that
 * takes long is made less often.
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
#include "engine/cmd/exec_private.h"

#define TICK_MS 50
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

static void
look(struct loop_timer *t)
{
	struct exec_watch *w = container_of(t, struct exec_watch, timer);
	uint64_t from = os->now_us(), took;
	struct exec_count now = count_all(w->dir);

	took = (os->now_us() - from) / 1000;
	if (any_is_over(w, &now)) {
		w->tripped = 1;
		if (w->run->x != NULL)
			exec_signal(w->run->x, SIGKILL);
	}
	loop_timer_start(t, TICK_MS + 4 * took);
}

int
exec_watch_start(struct exec_run *r, struct error *e)
{
	const struct profile_limits *l = &r->order->profile.limits;
	struct exec_watch *w = &r->watch;

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
	w->before = count_all(w->dir);
	loop_timer_init(&w->timer, r->loop, look);
	loop_timer_start(&w->timer, TICK_MS);
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
