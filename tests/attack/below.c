/*
 * Reach what lies below the root: the tree that a sandbox's root was moved
 * over, which is not detached but only covered.
 *
 *	below NAME MARK		one way; exit 0: MARK was found, 1: it was not
 *	below stage USERNS PROGRAM NAME MARK
 *				the control: make such a tree with MARK in it,
 *				cover it as a sandbox does, then run the attack
 *				with all capabilities in the user namespace that
 *				owns the mounts (USERNS 0) or in one below (1)
 *	below			the names
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *mark;

static int
found_in(int dir)
{
	return faccessat(dir, mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
found(const char *path)
{
	char full[4096];

	snprintf(full, sizeof full, "%s/%s", path, mark);
	return access(full, F_OK) == 0;
}

/* Up and up from here. */
static int
climb(void)
{
	for (int i = 0; i < 64; i++) {
		if (found_in(AT_FDCWD))
			return 1;
		if (chdir("..") == -1)
			return 0;
	}
	return 0;
}

static int
dotdot(void)
{
	return found("/..") || found("/proc/self/root/..") ||
	       found("/proc/1/root") || found("/proc/1/cwd/..") || climb();
}

/* A folder held open, a root further down, and up from the folder. */
static int
chroot_below(void)
{
	int here = open("/", O_RDONLY | O_DIRECTORY);

	(void)!mkdir("/tmp/jail", 0755);
	if (chroot("/tmp/jail") == -1 || fchdir(here) == -1)
		return 0;
	return climb() || found("/");
}

/* The same with a folder that comes through a socket. */
static int
passed_folder(void)
{
	char room[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v,
	    .msg_iovlen = 1,
	    .msg_control = room,
	    .msg_controllen = sizeof room};
	int pair[2], here = open("/", O_PATH | O_DIRECTORY);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof here),
	    .cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &here, sizeof here);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == -1 ||
	    sendmsg(pair[0], &m, 0) == -1 || recvmsg(pair[1], &m, 0) == -1)
		return 0;
	memcpy(&here, CMSG_DATA(c), sizeof here);
	(void)!mkdir("/tmp/jail", 0755);
	(void)!chroot("/tmp/jail");
	return fchdir(here) == 0 && climb();
}

/* Take the root off. */
static int
unmount_root(void)
{
	int here = open("/", O_PATH | O_DIRECTORY);

	(void)umount2("/", MNT_DETACH);
	(void)!chdir("/");
	return dotdot() || (fchdir(here) == 0 && climb()) || found("/");
}

/* Swap roots and see what was under the old one. */
static int
pivot(void)
{
	if (mount("/tmp", "/tmp", NULL, MS_BIND, NULL) == -1 ||
	    chdir("/tmp") == -1 || syscall(SYS_pivot_root, ".", ".") == -1)
		return 0;
	if (umount2(".", MNT_DETACH) == -1)
		return 0;
	return climb() || found("/") || unmount_root();
}

/* Enter our own mount namespace anew: at its real root. */
static int
enter_again(void)
{
	int ns = open("/proc/self/ns/mnt", O_RDONLY);

	if (ns == -1 || setns(ns, CLONE_NEWNS) == -1)
		return 0;
	return found("/") || climb() || unmount_root();
}

static int
enter_pid_1(void)
{
	int ns = open("/proc/1/ns/mnt", O_RDONLY);
	int fd = (int)syscall(SYS_pidfd_open, 1, 0);

	if ((ns == -1 || setns(ns, CLONE_NEWNS) == -1) &&
	    (fd == -1 || setns(fd, CLONE_NEWNS) == -1))
		return 0;
	return found("/") || climb();
}

/* Take the root off and have the kernel look for our root once more. */
static int
uncover(void)
{
	int ns = open("/proc/self/ns/mnt", O_RDONLY);

	return umount2("/", MNT_DETACH) == 0 && setns(ns, CLONE_NEWNS) == 0 &&
	       (found("/") || climb());
}

/* Move the root away from where it is. */
static int
move_root(void)
{
	(void)!mkdir("/tmp/at", 0755);
	return mount("/", "/tmp/at", NULL, MS_MOVE, NULL) == 0 &&
	       (found("/") || climb());
}

/* A user namespace has every capability over what it makes. */
static int
nested(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
		return 0;
	return dotdot() || uncover() || enter_again() || move_root() ||
	       pivot() || unmount_root() || chroot_below();
}

/* A copy of the mount, looked at from above. */
static int
tree_copy(void)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", 1 | 0x8000);

	return fd != -1 && (found_in(fd) || (fchdir(fd) == 0 && climb()));
}

/* By number: the root folder of a file system has a handle that is guessed. */
static int
by_handle(void)
{
	struct {
		struct file_handle h;
		char bytes[128];
	} h = {.h.handle_bytes = sizeof h.bytes};
	int at = open("/", O_RDONLY), id, fd;

	if (name_to_handle_at(at, "", &h.h, &id, AT_EMPTY_PATH) == -1)
		return 0;
	fd = open_by_handle_at(at, &h.h, O_PATH | O_DIRECTORY);
	return fd != -1 && fchdir(fd) == 0 && climb();
}

/* What the mount tables give away about it. */
static int
listed(void)
{
	static const char *const table[] = {"/proc/self/mountinfo",
	    "/proc/1/mountinfo", "/proc/self/mounts", "/proc/1/mountstats"};
	char line[4096];

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		FILE *f = fopen(table[i], "r");

		while (f != NULL && fgets(line, sizeof line, f) != NULL)
			if (strstr(line, "/tree/") != NULL ||
			    strstr(line, "/scratch") != NULL ||
			    strstr(line, mark) != NULL)
				return 1;
		if (f != NULL)
			fclose(f);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*attack)(void);
} attacks[] = {
#define A(name)             \
	{                   \
#		name, name \
	}
    A(dotdot),
    A(chroot_below),
    A(passed_folder),
    A(unmount_root),
    A(pivot),
    A(enter_again),
    A(enter_pid_1),
    A(uncover),
    A(nested),
    A(move_root),
    A(tree_copy),
    A(by_handle),
    A(listed),
#undef A
};

static int
must(int failed, const char *what)
{
	if (failed) {
		perror(what);
		exit(2);
	}
	return 0;
}

/* As sandbox/mounts.c does it, with MARK where the zygote's tree would be. */
static void
stage(const char *program)
{
	char path[4096];

	must(unshare(CLONE_NEWNS | CLONE_NEWPID) == -1, "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1, "/");
	must(mount("tmpfs", "/mnt", "tmpfs", 0, NULL) == -1, "tmpfs");
	must(chdir("/mnt") == -1 || mkdir("new", 0755) == -1 ||
		 mkdir("old", 0755) == -1,
	    "mkdir");
	snprintf(path, sizeof path, "/mnt/%s", mark);
	must(close(open(path, O_CREAT | O_WRONLY, 0644)), "mark");
	must(mount("tmpfs", "new", "tmpfs", 0, NULL) == -1, "new");
	must(mkdir("new/tmp", 01777) == -1 || mkdir("new/proc", 0755) == -1,
	    "mkdir");
	must(close(open("new/below", O_CREAT | O_WRONLY, 0755)), "program");
	must(mount(program, "new/below", NULL, MS_BIND, NULL) == -1, "bind");
	must(mount("/proc", "new/proc", NULL, MS_BIND | MS_REC, NULL) == -1,
	    "proc");
	must(syscall(SYS_pivot_root, ".", "old") == -1 ||
		 umount2("old", MNT_DETACH) == -1 || chdir("/new") == -1,
	    "pivot_root");
	must(mount(".", "/", NULL, MS_MOVE, NULL) == -1, "move");
	must(chroot(".") == -1 || chdir("/") == -1, "chroot");
}

static int
control(char **argv)
{
	int status;
	pid_t pid;

	mark = argv[4];
	stage(argv[2]);
	if (atoi(argv[1]))
		must(unshare(CLONE_NEWUSER) == -1, "unshare");
	pid = fork();
	if (pid == 0) {
		execl("/below", "below", argv[3], mark, NULL);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

int
main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "stage") == 0)
		return control(argv + 1);
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
		if (argc < 3) {
			puts(attacks[i].name);
			continue;
		}
		if (strcmp(argv[1], attacks[i].name) != 0)
			continue;
		mark = argv[2];
		if (attacks[i].attack()) {
			puts("found");
			return 0;
		}
		printf("not found: %s\n", strerror(errno));
		return 1;
	}
	return argc < 3 ? 0 : 2;
}
