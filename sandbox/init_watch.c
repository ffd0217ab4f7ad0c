#include "sandbox/init_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Theory of operation
 *
 * The kernel refuses a write to a full tmpfs, and without control groups a
 * fork beyond RLIMIT_NPROC, and counts neither refusal.  So whether a limit is
 * met is looked at when a command ends, before what it left is killed, and
 * from time to time while commands run: often while the use changes, ever
 * more seldom while it does not.  What was full for a shorter time than that
 * and is empty when the command ends goes unnoticed.
 */

#define OFTEN_MS 4
#define FIRST_MS 16
#define SELDOM_MS 1024

/* How much is used of all that is limited, and whether of one all is. */
struct use {
	uint64_t sum;
	int is_full;
};

static void
add_use(struct use *u, uint64_t used, uint64_t all)
{
	if (all == 0)
		return;
	u->sum += used;
	u->is_full |= used >= all;
}

static struct use
disk_use(void)
{
	static const char *const limited[] = {
	    INIT_PATH_WORKSPACE, "/tmp", "/dev/shm"};
	struct use u = {0};
	struct statfs s;

	for (unsigned i = 0; i < sizeof limited / sizeof limited[0]; i++) {
		if (statfs(limited[i], &s) == -1 ||
		    (s.f_type != TMPFS_MAGIC &&
			s.f_type != OVERLAYFS_SUPER_MAGIC))
			continue;
		add_use(&u, s.f_blocks - s.f_bavail, s.f_blocks);
		add_use(&u, s.f_files - s.f_ffree, s.f_files);
	}
	return u;
}

/* Tasks of one process: /proc/PID/task has a link for each, and two. */
static uint64_t
tasks_of(int proc, const char *pid)
{
	char path[32];
	struct stat st;
	size_t n = strlen(pid);

	if (n + sizeof "/task" > sizeof path)
		return 0;
	memcpy(path, pid, n);
	memcpy(path + n, "/task", sizeof "/task");
	return fstatat(proc, path, &st, 0) == 0 && st.st_nlink > 2
		   ? st.st_nlink - 2
		   : 0;
}

/* All tasks there are, this one included: they are all ours. */
static uint64_t
count_tasks(struct init *in)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t tasks = 0;
	long got;

	if (proc == -1)
		return 0;
	while ((got = syscall(SYS_getdents64, proc, in->entries,
		    sizeof in->entries)) > 0) {
		for (long at = 0; at < got;) {
			const struct dirent64 *d =
			    (const void *)(in->entries + at);

			at += d->d_reclen;
			if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
				tasks += tasks_of(proc, d->d_name);
		}
	}
	close(proc);
	return tasks;
}

static struct use
task_use(struct init *in, unsigned gone)
{
	struct use u = {0};

	if (in->box->rlimits.processes > 0)
		add_use(&u, count_tasks(in) + gone, in->box->rlimits.processes);
	return u;
}

/* EXITED_...: what is met now; whoever runs has met it. */
unsigned
init_look(struct init *in, unsigned gone)
{
	struct use disk = disk_use(), tasks = task_use(in, gone);
	unsigned met = (disk.is_full ? EXITED_DISK_FULL : 0) |
		       (tasks.is_full ? EXITED_PIDS_FULL : 0);

	if (disk.sum + tasks.sum != in->last_use)
		in->look_ms = OFTEN_MS;
	else if (in->look_ms < SELDOM_MS)
		in->look_ms *= 2;
	in->last_use = disk.sum + tasks.sum;
	for (unsigned i = 0; i < LIMIT_COMMANDS_PER_SANDBOX && met != 0; i++)
		in->command[i].met |= met;
	return met;
}

int
init_next_look_ms(const struct init *in)
{
	return in->commands_n == 0 ? -1 : in->look_ms;
}

void
init_look_soon(struct init *in)
{
	if (in->commands_n == 0 || in->look_ms > FIRST_MS)
		in->look_ms = FIRST_MS;
}
