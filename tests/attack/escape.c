/*
 * One way out at a time:
 *
 *	escape NAME [ARGUMENT]	exit 0: it worked; 1: it did not, and why
 *	escape			the names
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKED(condition) ((condition) ? 0 : -1)

/* ------------------------------------------- namespaces and the mount tree */

static int
unshare_user(const char *arg)
{
	(void)arg;
	return unshare(CLONE_NEWUSER);
}

static int
unshare_mount(const char *arg)
{
	(void)arg;
	return unshare(CLONE_NEWNS);
}

static int
unshare_net(const char *arg)
{
	(void)arg;
	return unshare(CLONE_NEWNET);
}

static int
clone_into(uint64_t flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0L);

	if (pid == 0)
		_exit(0);
	if (pid == -1)
		return -1;
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

static int
clone_user(const char *arg)
{
	(void)arg;
	return clone_into(CLONE_NEWUSER);
}

static int
clone3_user(const char *arg)
{
	uint64_t args[11] = {[0] = CLONE_NEWUSER, [4] = SIGCHLD};
	long pid = syscall(435, args, sizeof args);

	(void)arg;
	if (pid == 0)
		_exit(0);
	if (pid == -1)
		return -1;
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

/* arg: a namespace's file */
static int
join(const char *arg)
{
	int fd = open(arg, O_RDONLY);

	return fd == -1 ? -1 : setns(fd, 0);
}

static int
mount_tmpfs(const char *arg)
{
	return mount("tmpfs", arg, "tmpfs", 0, NULL);
}

static int
mount_proc(const char *arg)
{
	return mount("proc", arg, "proc", 0, NULL);
}

static int
mount_cgroup(const char *arg)
{
	return mount("cgroup", arg, "cgroup", 0, "memory") == 0 ||
		       mount("cgroup2", arg, "cgroup2", 0, NULL) == 0
		   ? 0
		   : -1;
}

static int
remount_writable(const char *arg)
{
	return mount(NULL, arg, NULL, MS_REMOUNT | MS_BIND, NULL);
}

static int
unmount(const char *arg)
{
	return umount2(arg, MNT_DETACH);
}

static int
clone_tree(const char *arg)
{
	return WORKED(syscall(SYS_open_tree, AT_FDCWD, arg, 1) != -1);
}

static int
new_file_system(const char *arg)
{
	return WORKED(syscall(SYS_fsopen, arg, 0) != -1);
}

static int
change_root(const char *arg)
{
	return chroot(arg);
}

static int
handle(const char *arg)
{
	struct {
		struct file_handle h;
		char bytes[128];
	} h = {.h.handle_bytes = sizeof h.bytes};
	int at, mount_id;

	at = open(arg, O_RDONLY);
	if (at == -1 ||
	    name_to_handle_at(AT_FDCWD, arg, &h.h, &mount_id, 0) == -1)
		return -1;
	return WORKED(open_by_handle_at(at, &h.h, O_RDONLY) != -1);
}

/* ---------------------------------------------------------- other processes */

static pid_t
target(const char *arg)
{
	return arg == NULL ? getppid() : (pid_t)atoi(arg);
}

static int
attach(const char *arg)
{
	return WORKED(ptrace(PTRACE_SEIZE, target(arg), NULL, NULL) != -1);
}

static int
read_memory(const char *arg)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};

	/* EFAULT is an address that is not there: reading was allowed. */
	return process_vm_readv(target(arg), &here, 1, &there, 1, 0) != -1 ||
		       errno == EFAULT
		   ? 0
		   : -1;
}

static int
steal_descriptor(const char *arg)
{
	int fd = (int)syscall(SYS_pidfd_open, target(arg), 0);

	return fd == -1 ? -1 : WORKED(syscall(SYS_pidfd_getfd, fd, 0, 0) != -1);
}

static int
read_some(const char *path)
{
	char bytes[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd == -1 ? -1 : read(fd, bytes, sizeof bytes);

	if (n == 0)
		errno = ENODATA;
	return WORKED(n > 0);
}

static int
write_open(const char *path)
{
	return WORKED(open(path, O_WRONLY) != -1);
}

static int
list_open(const char *path)
{
	return WORKED(open(path, O_RDONLY | O_DIRECTORY) != -1);
}

static int
stop_init(const char *arg)
{
	(void)arg;
	return kill(1, SIGSTOP) == 0 ? -1
				     : -1; /* what counts is the call's end */
}

static int
limit_init(const char *arg)
{
	uint64_t none[2] = {0, 0};

	return (int)syscall(
	    SYS_prlimit64, target(arg), 7 /* NOFILE */, none, NULL);
}

/* Make it wait for everybody else; arg: HOW,PID or HOW,UID. */
static int
slow_down(const char *arg)
{
	struct sched_param none = {0};
	unsigned long one_cpu = 1;
	unsigned attr[14] = {sizeof attr, SCHED_IDLE};
	int how = 0, who = 0;

	if (sscanf(arg, "%d,%d", &how, &who) != 2)
		return -1;
	switch (how) {
	case 0:
		return setpriority(PRIO_PROCESS, (id_t)who, 19);
	case 1:
		return setpriority(PRIO_USER, (id_t)who, 19);
	case 2:
		return sched_setscheduler(who, SCHED_IDLE, &none);
	case 3:
		return (int)syscall(SYS_sched_setattr, who, attr, 0);
	case 4:
		return (int)syscall(
		    SYS_sched_setaffinity, who, sizeof one_cpu, &one_cpu);
	case 5: /* of a process: idle */
		return (int)syscall(SYS_ioprio_set, 1, who, 3 << 13);
	case 6: /* of a user */
		return (int)syscall(SYS_ioprio_set, 3, who, 3 << 13);
	case 7:
		return sched_setparam(who, &none);
	default:
		return -1;
	}
}

/* ------------------------------------------------------ devices and files */

static int
make_device(const char *arg)
{
	unlink(arg);
	return mknod(arg, S_IFCHR | 0666, makedev(1, 3)) == -1
		   ? -1
		   : WORKED(open(arg, O_RDWR) != -1);
}

static int
hard_link(const char *arg)
{
	unlink("linked");
	return linkat(AT_FDCWD, arg, AT_FDCWD, "linked", 0);
}

/*
 * Change a program through a shared map, which leaves its mode alone where
 * write(2) would take S_ISUID, S_ISGID and capabilities away.
 */
static int
rewrite(const char *arg)
{
	int fd = open(arg, O_RDWR);
	char *p =
	    fd == -1 ? MAP_FAILED
		     : mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	*p = 'R';
	return msync(p, 1, MS_SYNC);
}

/* The same for one that is put in its place under its name. */
static int
replace(const char *arg)
{
	struct stat st;

	close(open("replacement", O_CREAT | O_WRONLY, 0755));
	return rename("replacement", arg) == -1 || stat(arg, &st) == -1
		   ? -1
		   : WORKED((st.st_mode & (S_ISUID | S_ISGID)) != 0);
}

static int
quota(const char *arg)
{
	char block[512];

	/* Q_GETFMT of user quotas; any answer but "no such call" is a reach. */
	return syscall(SYS_quotactl, 0x80000400, arg, 0, block) != -1 ||
		       (errno != ENOSYS && errno != EPERM)
		   ? 0
		   : -1;
}

/* -------------------------------------------------------------- terminals */

static int
type_for_others(const char *arg)
{
	char c = 'x';

	(void)arg;
	return ioctl(0, TIOCSTI, &c);
}

static int
type_high_bits(const char *arg)
{
	char c = 'x';

	(void)arg;
	return (int)syscall(SYS_ioctl, 0, (1UL << 32) | TIOCSTI, &c);
}

static int
paste(const char *arg)
{
	char c = 3;

	(void)arg;
	/* Outside a console the kernel's own answer is ENOTTY. */
	return ioctl(0, TIOCLINUX, &c) == 0 || errno == ENOTTY ||
		       errno == EINVAL
		   ? 0
		   : -1;
}

static int
line_discipline(const char *arg)
{
	int n = 0; /* N_TTY, which every terminal can have */

	(void)arg;
	return ioctl(0, TIOCSETD, &n);
}

/* ----------------------------------------------------------------- sockets */

static int
socket_of(const char *arg)
{
	int family = 0, kind = 0, protocol = 0;

	if (sscanf(arg, "%d,%d,%d", &family, &kind, &protocol) != 3)
		return -1;
	return WORKED(socket(family, kind, protocol) != -1);
}

static int
abstract(const char *arg)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(arg);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(a.sun_path + 1, arg, n);
	return s == -1
		   ? -1
		   : connect(s, (void *)&a,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     1 + n));
}

static int
tcp(const char *arg)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(arg)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return s == -1 ? -1 : connect(s, (void *)&a, sizeof a);
}

static int
shared_memory(const char *arg)
{
	return WORKED(shmget(atoi(arg), 0, 0) != -1);
}

/* --------------------------------------------------------------- privilege */

static int
become_root(const char *arg)
{
	(void)arg;
	return setuid(0);
}

static int
regain(const char *arg)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	(void)arg;
	memset(sets, 0xff, sizeof sets);
	if (syscall(SYS_capset, &head, sets) == 0)
		return 0;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0);
}

static int
set_time(const char *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now);
}

static int
no_randomness(const char *arg)
{
	(void)arg;
	return WORKED(syscall(SYS_personality, 0x0040000) != -1);
}

static const struct {
	const char *name;
	int (*attack)(const char *arg);
} attacks[] = {
#define A(name)             \
	{                   \
#		name, name \
	}
    A(unshare_user),
    A(unshare_mount),
    A(unshare_net),
    A(clone_user),
    A(clone3_user),
    A(join),
    A(mount_tmpfs),
    A(mount_proc),
    A(mount_cgroup),
    A(remount_writable),
    A(unmount),
    A(clone_tree),
    A(new_file_system),
    A(change_root),
    A(handle),
    A(attach),
    A(read_memory),
    A(steal_descriptor),
    A(read_some),
    A(write_open),
    A(list_open),
    A(stop_init),
    A(limit_init),
    A(slow_down),
    A(make_device),
    A(hard_link),
    A(rewrite),
    A(replace),
    A(quota),
    A(type_for_others),
    A(type_high_bits),
    A(paste),
    A(line_discipline),
    A(socket_of),
    A(abstract),
    A(tcp),
    A(shared_memory),
    A(become_root),
    A(regain),
    A(set_time),
    A(no_randomness),
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
			puts("worked");
			return 0;
		}
		printf("failed: %s\n", strerror(errno));
		return 1;
	}
	return argc < 2 ? 0 : 2;
}
