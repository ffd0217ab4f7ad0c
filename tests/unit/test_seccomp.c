/* What the filter answers, by running its program as the kernel would. */

#include "sandbox/seccomp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "engine/base/error.h"
#include "sandbox/fault.h"
#include "tests/unit/seccomp_generic.h"

#if defined(__x86_64__)
#	define HERE AUDIT_ARCH_X86_64
#	define ELSEWHERE AUDIT_ARCH_I386
#else
#	define HERE AUDIT_ARCH_AARCH64
#	define ELSEWHERE AUDIT_ARCH_ARM
#endif

#define SAYS(os_errno) (SECCOMP_RET_ERRNO | (os_errno))

static struct seccomp_program program; /* the whole filter, or its half */
static struct seccomp_program outer;   /* the other half, or n == 0 */

/* A machine for the few instructions that the compiler emits. */
static uint32_t
run(const struct seccomp_program *p, const struct seccomp_data *d)
{
	uint32_t a = 0, word;

	for (uint32_t pc = 0; pc < p->n; pc++) {
		const struct sock_filter *i = &p->insn[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof *d);
			memcpy(&word, (const char *)d + i->k, sizeof word);
			a = word;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += (a & i->k) != 0 ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %u", i->code);
		}
	}
	fail_msg("ran off the end");
	return 0;
}

/* Of several filters the strictest answer holds; of equals, the last one's. */
static uint32_t
answer(const struct seccomp_data *d)
{
	uint32_t last = run(&program, d), first;

	if (outer.n == 0)
		return last;
	first = run(&outer, d);
	return (first & SECCOMP_RET_ACTION_FULL) <
		       (last & SECCOMP_RET_ACTION_FULL)
		   ? first
		   : last;
}

static uint32_t
ask(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct seccomp_data d = {
	    .nr = (int)nr, .arch = HERE, .args = {a0, a1, a2, a3}};

	return answer(&d);
}

static int
compile(void **state)
{
	struct error e;

	(void)state;
	outer.n = 0;
	return seccomp_compile(&program, NULL, 0, &e);
}

static int
compile_halves(void **state)
{
	struct error e;

	(void)state;
	seccomp_compile_outer(&outer);
	return seccomp_compile_inner(&program, NULL, 0, &e);
}

static void
the_program_answers_as_the_table_for_every_number(void **state)
{
	static const struct {
		int nr;
		int asks; /* its arguments matter */
	} listed[] = {
#define SYSCALL(name) {SYS_##name, 0},
#define SYSCALL_MODE(name, i) {SYS_##name, 1},
#define SYSCALL_RULE(name, R) {SYS_##name, 1},
#if defined(__x86_64__)
#	define SYSCALL_OLD(name) {SYS_##name, 0},
#	define SYSCALL_MODE_OLD(name, i) {SYS_##name, 1},
#else
#	define SYSCALL_OLD(name)
#	define SYSCALL_MODE_OLD(name, i)
#endif
#include "sandbox/syscalls.def"
	};

	(void)state;
	for (int nr = -1; nr < 1024; nr++) {
		uint32_t want = SAYS(ENOSYS), got = ask(nr, 0, 0, 0, 0);
		int asks = 0;

		for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++)
			if (listed[i].nr == nr) {
				want = SECCOMP_RET_ALLOW;
				asks = listed[i].asks;
			}
		if (!asks && got != want)
			fail_msg("number %d: %#x", nr, got);
	}
}

static void
another_architecture_has_no_calls_at_all(void **state)
{
	static const uint32_t others[] = {0, 1, AUDIT_ARCH_I386, AUDIT_ARCH_ARM,
	    AUDIT_ARCH_ARMEB, AUDIT_ARCH_AARCH64, AUDIT_ARCH_RISCV32,
	    AUDIT_ARCH_RISCV64, AUDIT_ARCH_PPC, AUDIT_ARCH_PPC64,
	    AUDIT_ARCH_PPC64LE, AUDIT_ARCH_S390, AUDIT_ARCH_S390X,
	    AUDIT_ARCH_MIPS, AUDIT_ARCH_MIPSEL, AUDIT_ARCH_MIPS64,
	    AUDIT_ARCH_MIPS64N32, AUDIT_ARCH_MIPSEL64, AUDIT_ARCH_MIPSEL64N32,
	    AUDIT_ARCH_SPARC, AUDIT_ARCH_SPARC64, AUDIT_ARCH_PARISC,
	    AUDIT_ARCH_PARISC64, AUDIT_ARCH_ALPHA, AUDIT_ARCH_IA64,
	    AUDIT_ARCH_M68K, AUDIT_ARCH_SH, AUDIT_ARCH_XTENSA,
	    AUDIT_ARCH_LOONGARCH64, AUDIT_ARCH_X86_64, HERE ^ 0x40000000,
	    HERE ^ 0x80000000, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct seccomp_data d = {.arch = others[i]};

		if (others[i] == HERE)
			continue;
		for (int nr = -1; nr < 2048; nr++) {
			d.nr = nr;
			assert_int_equal(answer(&d), SAYS(ENOSYS));
		}
	}
}

/* x32's are at bit 30; the kernel takes the number for a signed one. */
static void
numbers_out_of_the_table_are_no_calls(void **state)
{
	static const uint32_t bits[] = {
	    0x40000000, 0x80000000, 0xc0000000, 0x01000000, 0x00010000, 0x800};

	(void)state;
	for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
		for (uint32_t nr = 0; nr < 1024; nr++)
			assert_int_equal(
			    ask((long)(int)(nr | bits[i]), 0, 0, 0, 0),
			    SAYS(ENOSYS));
}

/* The same rules by the numbers of the other table. */
static void
the_other_machine_has_the_same_walls(void **state)
{
	static const char *const barred[] = {"unshare", "setns", "mount",
	    "umount2", "pivot_root", "chroot", "clone3", "ptrace",
	    "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp",
	    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
	    "io_uring_enter", "io_uring_register", "add_key", "request_key",
	    "keyctl", "init_module", "finit_module", "delete_module",
	    "kexec_load", "kexec_file_load", "quotactl", "quotactl_fd", "acct",
	    "swapon", "swapoff", "reboot", "settimeofday", "clock_settime",
	    "adjtimex", "clock_adjtime", "open_by_handle_at", "fanotify_init",
	    "fanotify_mark", "openat2", "open_tree", "move_mount", "fsopen",
	    "fsconfig", "fsmount", "fspick", "mount_setattr", "sethostname",
	    "setdomainname", "syslog", "vhangup", "seccomp", "lookup_dcookie",
	    "name_to_handle_at", "process_madvise", "process_mrelease",
	    "memfd_secret", "landlock_restrict_self", "nfsservctl", "mbind",
	    "set_mempolicy", "migrate_pages", "move_pages", "vmsplice",
	    "mincore", "remap_file_pages"};
	struct seccomp_data d = {.arch = generic_arch};
	struct error e;

	(void)state;
	assert_int_equal(generic_compile(&program, NULL, 0, &e), 0);
	for (size_t i = 0; i < sizeof barred / sizeof barred[0]; i++) {
		d.nr = generic_number(barred[i]);
		assert_true(d.nr >= 0);
		assert_int_equal(answer(&d), SAYS(ENOSYS));
	}
	for (d.nr = -1; d.nr < 2048; d.nr++) {
		int how = generic_is_listed(d.nr);

		if (how < 2)
			assert_int_equal(
			    answer(&d), how ? SECCOMP_RET_ALLOW : SAYS(ENOSYS));
	}
	d.nr = generic_number("clone");
	d.args[0] = CLONE_NEWUSER | 17;
	assert_int_equal(answer(&d), SAYS(EPERM));
	d.nr = generic_number("fchmod");
	d.args[1] = 04755;
	assert_int_equal(answer(&d), SAYS(EPERM));
	d.nr = generic_number("socket");
	d.args[0] = AF_NETLINK;
	assert_int_equal(answer(&d), SAYS(EAFNOSUPPORT));
	d.nr = generic_number("ioctl");
	d.args[1] = TIOCSTI;
	assert_int_equal(answer(&d), SAYS(EPERM));
	d.arch = HERE == generic_arch ? ELSEWHERE : HERE;
	assert_int_equal(answer(&d), SAYS(ENOSYS));
}

static void
no_mode_argument_may_set_uid_or_gid(void **state)
{
	static const struct {
		long nr;
		int arg;
	} calls[] = {
#if defined(__x86_64__)
		{SYS_chmod, 1},
		{SYS_open, 2},
		{SYS_creat, 1},
		{SYS_mkdir, 1},
		{SYS_mknod, 1},
#endif
		{SYS_fchmod, 1},
		{SYS_fchmodat, 2},
		{SYS_openat, 3},
		{SYS_mkdirat, 2},
		{SYS_mknodat, 2},
		{SYS_mq_open, 2}
	};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		for (uint64_t mode = 0; mode < 010000; mode++) {
			uint64_t a[4] = {0};
			uint32_t want = (mode & 06000) != 0 ? SAYS(EPERM)
							    : SECCOMP_RET_ALLOW;

			a[calls[i].arg] = mode;
			assert_int_equal(
			    ask(calls[i].nr, a[0], a[1], a[2], a[3]), want);
			a[calls[i].arg] |= 1ULL << 32;
			assert_int_equal(
			    ask(calls[i].nr, a[0], a[1], a[2], a[3]), want);
		}
	}
}

static void
clone_makes_threads_and_processes_but_no_namespace(void **state)
{
	static const uint64_t namespaces[] = {CLONE_NEWNS, CLONE_NEWCGROUP,
	    CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID,
	    CLONE_NEWNET};

	(void)state;
	assert_int_equal(ask(SYS_clone, 17, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_clone, 0x3d0f00, 0, 0, 0), SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++)
		assert_int_equal(
		    ask(SYS_clone, namespaces[i] | 17, 0, 0, 0), SAYS(EPERM));
	assert_int_equal(ask(SYS_clone3, 0, 0, 0, 0), SAYS(ENOSYS));
}

static void
terminal_tricks_are_refused_also_with_high_bits_set(void **state)
{
	static const uint64_t refused[] = {0x5412, 0x541c, 0x5423, 0x541d};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_int_equal(
		    ask(SYS_ioctl, 0, refused[i], 0, 0), SAYS(EPERM));
		assert_int_equal(
		    ask(SYS_ioctl, 0, refused[i] | 1ULL << 32, 0, 0),
		    SAYS(EPERM));
	}
	assert_int_equal(
	    ask(SYS_ioctl, 0, TIOCGWINSZ, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_ioctl, 0, 0x5401, 0, 0), SECCOMP_RET_ALLOW);
}

static void
only_plain_sockets_can_be_made(void **state)
{
	(void)state;
	for (uint64_t family = 0; family < 64; family++)
		for (uint64_t kind = 0; kind < 16; kind++) {
			int good = (family == AF_UNIX || family == AF_INET ||
				       family == AF_INET6) &&
				   (kind == SOCK_STREAM || kind == SOCK_DGRAM);

			assert_int_equal(ask(SYS_socket, family, kind, 0, 0) ==
					     SECCOMP_RET_ALLOW,
			    good);
		}
	assert_int_equal(
	    ask(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6, 0),
	    SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_socket, AF_INET, SOCK_STREAM, 132, 0),
	    SAYS(EPROTONOSUPPORT));
	assert_int_equal(
	    ask(SYS_socket, AF_NETLINK, 3, 0, 0), SAYS(EAFNOSUPPORT));
}

static void
other_arguments_are_held_to_their_rules(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(SYS_personality, 0xffffffff, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_personality, 0x0040000, 0, 0, 0), SAYS(EPERM));
	assert_int_equal(
	    ask(SYS_prctl, PR_SET_NAME, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prctl, PR_SET_SECCOMP, 2, 0, 0), SAYS(EINVAL));
	assert_int_equal(ask(SYS_prctl, PR_SET_MM, 13, 0, 0), SAYS(EINVAL));
	assert_int_equal(ask(SYS_prlimit64, 0, 7, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prlimit64, 1, 7, 0, 0), SAYS(EPERM));
}

static void
pid_1_keeps_its_time_on_the_processors(void **state)
{
	static const long calls[] = {SYS_sched_setaffinity, SYS_sched_setattr,
	    SYS_sched_setparam, SYS_sched_setscheduler};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		assert_int_equal(ask(calls[i], 0, 0, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(calls[i], 2, 0, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(calls[i], 1, 0, 0, 0), SAYS(EPERM));
		assert_int_equal(
		    ask(calls[i], 1ULL << 32 | 1, 0, 0, 0), SAYS(EPERM));
	}
	/* Of a process, a group, a user: numbered from 0, and from 1. */
	for (uint64_t who = 0; who < 3; who++)
		for (uint64_t which = 0; which < 3; which++) {
			uint32_t want = who != 1 && which != 2
					    ? SECCOMP_RET_ALLOW
					    : SAYS(EPERM);

			assert_int_equal(
			    ask(SYS_setpriority, which, who, 19, 0), want);
			assert_int_equal(
			    ask(SYS_ioprio_set, which + 1, who, 0, 0), want);
		}
}

static void
a_profile_can_only_take_away(void **state)
{
	static const struct span denied[] = {{"execve", 6}, {"mount", 5}};
	static const struct span unknown[] = {{"exceve", 6}};
	struct error e;

	(void)state;
	if (outer.n == 0) {
		assert_int_equal(seccomp_compile(&program, unknown, 1, &e), -1);
		assert_non_null(strstr(e.text, "exceve"));
		assert_int_equal(seccomp_compile(&program, denied, 2, &e), 0);
	} else {
		assert_int_equal(
		    seccomp_compile_inner(&program, unknown, 1, &e), -1);
		assert_non_null(strstr(e.text, "exceve"));
		assert_int_equal(
		    seccomp_compile_inner(&program, denied, 2, &e), 0);
	}
	assert_int_equal(ask(SYS_execve, 0, 0, 0, 0), SAYS(ENOSYS));
	assert_int_equal(ask(SYS_mount, 0, 0, 0, 0), SAYS(ENOSYS));
	assert_int_equal(ask(SYS_read, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_true(seccomp_name_is_known(denied[0]));
	assert_false(seccomp_name_is_known(unknown[0]));
}

/* Every test asks the whole filter, and then the two halves of it. */
#define WHOLE_AND_HALVES(test)                                       \
	cmocka_unit_test_setup(test, compile),                       \
	{                                                            \
#		test " by halves", test, compile_halves, NULL, NULL \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WHOLE_AND_HALVES(the_program_answers_as_the_table_for_every_number),
	    WHOLE_AND_HALVES(another_architecture_has_no_calls_at_all),
	    WHOLE_AND_HALVES(numbers_out_of_the_table_are_no_calls),
	    cmocka_unit_test_setup(
		the_other_machine_has_the_same_walls, compile),
	    WHOLE_AND_HALVES(no_mode_argument_may_set_uid_or_gid),
	    WHOLE_AND_HALVES(
		clone_makes_threads_and_processes_but_no_namespace),
	    WHOLE_AND_HALVES(
		terminal_tricks_are_refused_also_with_high_bits_set),
	    WHOLE_AND_HALVES(only_plain_sockets_can_be_made),
	    WHOLE_AND_HALVES(other_arguments_are_held_to_their_rules),
	    WHOLE_AND_HALVES(pid_1_keeps_its_time_on_the_processors),
	    WHOLE_AND_HALVES(a_profile_can_only_take_away)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
