#include "sandbox/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/fault.h"

#define MAP_MAX 96

/* "INSIDE OUTSIDE COUNT\n"; its length. */
static size_t
map_line(
    char out[MAP_MAX / 2], unsigned inside, unsigned outside, unsigned count)
{
	const unsigned value[3] = {inside, outside, count};
	size_t n = 0;

	for (int i = 0; i < 3; i++) {
		char digit[12];
		unsigned v = value[i];
		int k = 0;

		do
			digit[k++] = (char)('0' + v % 10);
		while ((v /= 10) != 0);
		while (k > 0)
			out[n++] = digit[--k];
		out[n++] = i < 2 ? ' ' : '\n';
	}
	return n;
}

static int
write_file(int dir, const char *name, const char *s, size_t n, struct fault *f)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return fault_at(f, "open", name);
	if (write(fd, s, n) != (ssize_t)n) {
		fault_at(f, "write", name);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* Write both maps of the process whose proc directory is dir. */
static int
write_maps(
    int dir, const unsigned uid[2], const unsigned gid[2], struct fault *f)
{
	char line[MAP_MAX];
	size_t n;

	if (write_file(dir, "setgroups", "deny", 4, f) == -1)
		return -1;
	n = map_line(line, uid[0], uid[1], 1);
	if (write_file(dir, "uid_map", line, n, f) == -1)
		return -1;
	n = map_line(line, gid[0], gid[1], 1);
	return write_file(dir, "gid_map", line, n, f);
}

int
userns_outer_map(uid_t uid, gid_t gid, struct fault *f)
{
	int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC), rc;

	if (self == -1)
		return fault_at(f, "open /proc/self", NULL);
	rc = write_maps(self, (const unsigned[]){uid, uid},
	    (const unsigned[]){gid, gid}, f);
	close(self);
	return rc;
}

int
userns_outer(struct fault *f)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
		return fault_at(f, "unshare a user namespace", NULL);
	return userns_outer_map(uid, gid, f);
}

/* Become the host's ids for good. */
static int
become(const struct userns_ids *ids, struct fault *f)
{
	if (ids->host_uid == 0 || ids->host_gid == 0)
		return fault_set(f, 0, "host uid 0 is never mapped", NULL);
	if (ids->outer) /* they are ours already, and all we have */
		return 0;
	if (syscall(SYS_setgroups, 0, NULL) == -1)
		return fault_at(f, "setgroups", NULL);
	if (syscall(SYS_setresgid, ids->host_gid, ids->host_gid,
		ids->host_gid) == -1)
		return fault_at(f, "setresgid", NULL);
	if (syscall(SYS_setresuid, ids->host_uid, ids->host_uid,
		ids->host_uid) == -1)
		return fault_at(f, "setresuid", NULL);
	return 0;
}

/*
 * The life of the process that carries a map: show itself to the parent, which
 * shares its descriptors, and wait until the parent has what it wants.
 */
static _Noreturn void
carry(int proc, const int say[2], const int hear[2])
{
	int self = openat(proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char c;

	/* The table is the parent's too: what is closed here is closed there. */
	if (write(say[1], &self, sizeof self) != (ssize_t)sizeof self)
		close(say[1]);
	(void)!read(hear[0], &c, 1);
	_exit(0);
}

/* What a namespace that is only made is to map. */
struct wanted {
	const struct userns_ids *ids;
	uid_t uid; /* of the file system's, for an id map */
	gid_t gid;
	int is_many; /* not an id map: all of ids, and groups can be set */
};

/* Both maps alike, of ids->uid and the further ones. */
static int
write_many(int dir, const struct userns_ids *ids, struct fault *f)
{
	char lines[MAP_MAX];
	size_t n = map_line(lines, ids->uid, ids->host_uid, 1);

	n += map_line(lines + n, ids->uid + 1, ids->more_host, ids->more);
	if (write_file(dir, "uid_map", lines, n, f) == -1)
		return -1;
	n = map_line(lines, ids->gid, ids->host_gid, 1);
	n += map_line(lines + n, ids->gid + 1, ids->more_host, ids->more);
	return write_file(dir, "gid_map", lines, n, f);
}

/* Write the maps of the process behind self, and hold its namespace. */
static int
take(int self, const struct wanted *w, struct fault *f)
{
	const struct userns_ids *ids = w->ids;
	int fd;

	if ((w->is_many
		    ? write_many(self, ids, f)
		    : write_maps(self,
			  (const unsigned[]){w->uid, ids->host_uid},
			  (const unsigned[]){w->gid, ids->host_gid}, f)) == -1)
		return -1;
	fd = openat(self, "ns/user", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		fault_at(f, "open ns/user", NULL);
	return fd;
}

/* A descriptor of a namespace that maps what is wanted; -1. */
static int
make(int proc, const struct wanted *w, struct fault *f)
{
	int say[2], hear[2], self = -1, fd = -1;
	pid_t pid;

	if (pipe2(say, O_CLOEXEC) == -1)
		return fault_at(f, "pipe for the id map", NULL);
	if (pipe2(hear, O_CLOEXEC) == -1) {
		fault_at(f, "pipe for the id map", NULL);
		goto no_hear;
	}
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_FILES | SIGCHLD,
	    NULL, NULL, NULL, 0L);
	if (pid == 0)
		carry(proc, say, hear);
	if (pid == -1) {
		fault_at(f, "clone for the id map", NULL);
		goto no_child;
	}
	if (read(say[0], &self, sizeof self) != (ssize_t)sizeof self ||
	    self == -1)
		fault_set(f, ESRCH, "find the id map's process", NULL);
	else {
		fd = take(self, w, f);
		close(self);
	}
	/* It hears the end of the pipe, whatever became of it. */
	close(hear[1]);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
no_child:
	if (pid == -1)
		close(hear[1]);
	close(hear[0]);
no_hear:
	close(say[0]);
	close(say[1]);
	return fd;
}

int
userns_idmap(int proc, uid_t disk_uid, gid_t disk_gid,
    const struct userns_ids *ids, struct fault *f)
{
	const struct wanted w = {.ids = ids, .uid = disk_uid, .gid = disk_gid};

	return make(proc, &w, f);
}

/*
 * Enter while still root, which has every capability in a child of its own
 * namespace and is nobody there; then become the first user.
 */
static int
enter_many(const struct userns_ids *ids, int proc_self, struct fault *f)
{
	const struct wanted w = {.ids = ids, .is_many = 1};
	int proc, fd, rc;

	if (ids->outer || ids->host_uid == 0 || ids->more_host == 0)
		return fault_set(f, 0, "host uid 0 is never mapped", NULL);
	proc = openat(proc_self, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc == -1)
		return fault_at(f, "open /proc", NULL);
	fd = make(proc, &w, f);
	close(proc);
	if (fd == -1)
		return -1;
	rc = setns(fd, CLONE_NEWUSER) == -1
		 ? fault_at(f, "enter the user namespace", NULL)
		 : 0;
	close(fd);
	if (rc == -1)
		return -1;
	if (syscall(SYS_setgroups, 0, NULL) == -1)
		return fault_at(f, "setgroups", NULL);
	if (syscall(SYS_setresgid, ids->gid, ids->gid, ids->gid) == -1)
		return fault_at(f, "setresgid", NULL);
	if (syscall(SYS_setresuid, ids->uid, ids->uid, ids->uid) == -1)
		return fault_at(f, "setresuid", NULL);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return fault_at(f, "not dumpable", NULL);
	return 0;
}

/*
 * Without root all sandboxes are one user, who has 128 inotify instances and
 * so many watches, the user's own programs included: a part of them for each.
 * Where a container keeps /proc/sys read-only it has to do without.
 */
static int
share_watches(int proc_self, struct fault *f)
{
	static const struct {
		const char *name, *value;
	} part[] = {{"../sys/user/max_inotify_instances", "32"},
	    {"../sys/user/max_inotify_watches", "8192"}};

	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
		int fd = openat(proc_self, part[i].name, O_WRONLY | O_CLOEXEC);

		if (fd == -1 &&
		    (errno == ENOENT || errno == EACCES || errno == EROFS))
			continue;
		if (fd == -1)
			return fault_at(f, "open", part[i].name);
		if (write(fd, part[i].value, strlen(part[i].value)) == -1) {
			fault_at(f, "write", part[i].name);
			close(fd);
			return -1;
		}
		close(fd);
	}
	return 0;
}

int
userns_enter(const struct userns_ids *ids, int proc_self, struct fault *f)
{
	if (ids->more > 0)
		return enter_many(ids, proc_self, f);
	if (become(ids, f) == -1)
		return -1;
	/* A process that changed its uid is root's to proc: see uid_map. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
		return fault_at(f, "dumpable", NULL);
	if (unshare(CLONE_NEWUSER) == -1)
		return fault_at(f, "unshare the user namespace", NULL);
	if (write_maps(proc_self, (const unsigned[]){ids->uid, ids->host_uid},
		(const unsigned[]){ids->gid, ids->host_gid}, f) == -1)
		return -1;
	if (ids->outer && share_watches(proc_self, f) == -1)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return fault_at(f, "not dumpable", NULL);
	return 0;
}
