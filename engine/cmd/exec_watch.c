/*
 * The disk limit of a --workspace folder.
 *
 * It is the caller's own folder on the caller's file system, which has no
 * quota for it, so its use is counted before the command starts and again and
 * again while it runs; what was there before is not charged.  A count that
 * takes long is made less often.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/cmd/exec_private.h"

#define TICK_MS 50
#define DEPTH_MAX 64
#define ENTRIES_MAX 2000000 /* a count ends here: it is over any limit */

struct count {
	uint64_t bytes, inodes;
};

/* Add what is below the folder dir (taken), following no link. */
static void
count_below(int dir, unsigned depth, struct count *c)
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
		if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
			continue;
		below = openat(
		    dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below != -1)
			count_below(below, depth + 1, c);
	}
	closedir(d);
}

static struct count
count_all(int dir)
{
	struct count c = {0};
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (again != -1)
		count_below(again, 0, &c);
	return c;
}

static int
is_over(uint64_t now, uint64_t before, uint64_t max)
{
	return max > 0 && now > before && now - before > max;
}

static void
look(struct loop_timer *t)
{
	struct exec_watch *w = container_of(t, struct exec_watch, timer);
	uint64_t from = os->now_us(), took;
	struct count now = count_all(w->dir);

	took = (os->now_us() - from) / 1000;
	if (is_over(now.bytes, w->bytes_before, w->bytes_max) ||
	    is_over(now.inodes, w->inodes_before, w->inodes_max)) {
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
	struct count before;

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
	before = count_all(w->dir);
	w->bytes_before = before.bytes;
	w->inodes_before = before.inodes;
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
