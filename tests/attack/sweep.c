/*
 * Every system call there is, with zero arguments, each in a child of its own:
 * prints "NUMBER ERRNO" (0: it succeeded) or "NUMBER sSIGNAL".
 *
 *	sweep native|x32|int80 FROM TO
 *	sweep names		"NAME NUMBER" of those that must not work
 *	sweep allowed		"NAME NUMBER" of those that a sandbox allows
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	int nr;
} barred[] = {
#define N(name)                   \
	{                         \
#		name, SYS_##name \
	}
    N(unshare),
    N(setns),
    N(mount),
    N(umount2),
    N(pivot_root),
    N(chroot),
    N(clone3),
    N(ptrace),
    N(process_vm_readv),
    N(process_vm_writev),
    N(pidfd_getfd),
    N(kcmp),
    N(bpf),
    N(perf_event_open),
    N(userfaultfd),
    N(io_uring_setup),
    N(io_uring_enter),
    N(io_uring_register),
    N(add_key),
    N(request_key),
    N(keyctl),
    N(init_module),
    N(finit_module),
    N(delete_module),
    N(kexec_load),
    N(quotactl),
    N(quotactl_fd),
    N(acct),
    N(swapon),
    N(swapoff),
    N(reboot),
    N(settimeofday),
    N(clock_settime),
    N(adjtimex),
    N(clock_adjtime),
    N(open_by_handle_at),
    N(fanotify_init),
    N(fanotify_mark),
    N(openat2),
    N(open_tree),
    N(move_mount),
    N(fsopen),
    N(fsconfig),
    N(fsmount),
    N(fspick),
    N(mount_setattr),
    N(sethostname),
    N(setdomainname),
    N(syslog),
    N(vhangup),
    N(seccomp),
    N(lookup_dcookie),
    N(name_to_handle_at),
    N(process_madvise),
    N(process_mrelease),
    N(memfd_secret),
    N(landlock_restrict_self),
    N(nfsservctl),
    N(mbind),
    N(set_mempolicy),
    N(migrate_pages),
    N(move_pages),
    N(vmsplice),
    N(mincore),
    N(remap_file_pages),
#if defined(__x86_64__)
    N(modify_ldt),
    N(iopl),
    N(ioperm),
    N(kexec_file_load),
    N(uselib),
    N(create_module),
    N(sysfs),
    N(ustat),
#endif
#undef N
};

static const struct {
	const char *name;
	int nr;
} allowed[] = {
#define SYSCALL(name) {#name, SYS_##name},
#define SYSCALL_MODE(name, i) {#name, SYS_##name},
#define SYSCALL_RULE(name, R) {#name, SYS_##name},
#if defined(__x86_64__)
#	define SYSCALL_OLD(name) {#        name, SYS_##name},
#	define SYSCALL_MODE_OLD(name, i) {#        name, SYS_##name},
#else
#	define SYSCALL_OLD(name)
#	define SYSCALL_MODE_OLD(name, i)
#endif
#include "sandbox/syscalls.def"
};

static long
call(const char *how, int nr)
{
#if defined(__x86_64__)
	if (strcmp(how, "int80") == 0) {
		long rc;

		__asm__ volatile(
		    "int $0x80"
		    : "=a"(rc)
		    : "a"(nr), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
		    : "memory");
		rc = (int)rc;
		if (rc < 0 && rc > -4096) {
			errno = (int)-rc;
			return -1;
		}
		return rc;
	}
	if (strcmp(how, "x32") == 0)
		nr |= 0x40000000;
#endif
	(void)how;
	return syscall(nr, 0, 0, 0, 0, 0, 0);
}

static void
probe(const char *how, int nr)
{
	int tell[2], status, answer = -1;
	pid_t pid;

	fflush(stdout);
	if (pipe(tell) == -1)
		exit(2);
	pid = fork();
	if (pid == 0) {
		const struct itimerval patience = {.it_value = {0, 200000}};
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		setitimer(ITIMER_REAL, &patience, NULL);
		answer = call(how, nr) == -1 ? errno : 0;
		(void)!write(tell[1], &answer, sizeof answer);
		_exit(0);
	}
	close(tell[1]);
	if (read(tell[0], &answer, sizeof answer) != sizeof answer)
		answer = -1;
	close(tell[0]);
	/* A call that blocked was let in; one that ended us too. */
	kill(pid, SIGKILL);
	waitpid(pid, &status, __WALL);
	if (answer >= 0)
		printf("%d %d\n", nr, answer);
	else
		printf(
		    "%d s%d\n", nr, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "names") == 0) {
		for (size_t i = 0; i < sizeof barred / sizeof barred[0]; i++)
			printf("%s %d\n", barred[i].name, barred[i].nr);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "allowed") == 0) {
		for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
			printf("%s %d\n", allowed[i].name, allowed[i].nr);
		return 0;
	}
	if (argc != 4)
		return 2;
	for (int nr = atoi(argv[2]); nr <= atoi(argv[3]); nr++)
		probe(argv[1], nr);
	return 0;
}
