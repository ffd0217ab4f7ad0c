#include "sandbox/seccomp.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/ioprio.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "sandbox/fault.h"

#if defined(__x86_64__)
#	define AUDIT_ARCH_HERE AUDIT_ARCH_X86_64
#	define SYSCALL_OLD(name) SYSCALL(name)
#	define SYSCALL_MODE_OLD(name, i) SYSCALL_MODE(name, i)
#elif defined(__aarch64__)
#	define AUDIT_ARCH_HERE AUDIT_ARCH_AARCH64
#	define SYSCALL_OLD(name)
#	define SYSCALL_MODE_OLD(name, i)
#else
#	error "no system call numbers for this machine"
#endif

#define ANSWER(os_errno) (SECCOMP_RET_ERRNO | (os_errno))
#define ARG(i) (offsetof(struct seccomp_data, args) + 8 * (i))
#define SYSCALLS_MAX 512

/* How a call is decided.  MODE_0 + i looks at argument i. */
enum rule {
	DENY,
	ALLOW,
	MODE_0,
	MODE_1,
	MODE_2,
	MODE_3,
	CLONE,
	IOCTL,
	IOPRIO,
	PERSONALITY,
	PRCTL,
	PRCTL_OUTER,
	PRIORITY,
	PRLIMIT,
	SCHED,
	SOCKET,
	RULES
};

static const struct {
	int nr;
	enum rule rule;
} listed[] = {
#define SYSCALL(name) {__NR_##name, ALLOW},
#define SYSCALL_MODE(name, i) {__NR_##name, MODE_##i},
#define SYSCALL_RULE(name, RULE) {__NR_##name, RULE},
#include "sandbox/syscalls.def"
};
#define LISTED (sizeof listed / sizeof listed[0])

/*
 * What building a sandbox takes beyond that, up to the inner filter: for the
 * outer one these are allowed.
 */
static const int building[] = {__NR_capset, __NR_chroot, __NR_clone,
    __NR_clone3, __NR_fsconfig, __NR_fsmount, __NR_fsopen,
    __NR_landlock_create_ruleset, __NR_landlock_restrict_self, __NR_mount,
    __NR_mount_setattr, __NR_move_mount, __NR_open_tree, __NR_openat2,
    __NR_seccomp, __NR_sethostname, __NR_setns, __NR_umount2, __NR_unshare};

#define CLONE_NEW_ANY                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Typing for others, and line disciplines: whole drivers behind one call. */
static const uint32_t ioctls_denied[] = {
    TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS};

static const uint32_t prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG,
    PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS,
    PR_SET_KEEPCAPS, PR_GET_TIMING, PR_GET_SECCOMP, PR_CAPBSET_READ,
    PR_CAPBSET_DROP, PR_GET_TSC, PR_GET_SECUREBITS, PR_SET_TIMERSLACK,
    PR_GET_TIMERSLACK, PR_MCE_KILL_GET, PR_SET_CHILD_SUBREAPER,
    PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS,
    PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_CAP_AMBIENT, PR_SVE_SET_VL,
    PR_SVE_GET_VL, PR_GET_SPECULATION_CTRL, PR_SET_SPECULATION_CTRL,
    PR_PAC_RESET_KEYS, PR_SET_VMA};

static const uint32_t personalities[] = {0, 0xffffffff};
static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6};
static const uint32_t kinds[] = {SOCK_STREAM, SOCK_DGRAM};
/* The defaults, TCP, UDP; others load kernel modules (SCTP, DCCP, MPTCP). */
static const uint32_t protocols[] = {0, 1, 6, 17};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* A run of consecutive numbers that are decided alike. */
struct range {
	uint32_t from; /* up to the next one's from */
	enum rule rule;
};

/* What is being compiled. */
struct compiler {
	struct seccomp_program *p;
	int full;
	struct {
		unsigned at; /* a jump to this rule's block */
		enum rule rule;
	} jump[SYSCALLS_MAX];
	unsigned jumps;
	struct {
		unsigned at; /* a comparison that ends in an answer */
		int if_true;
		enum rule rule; /* DENY or ALLOW */
	} end[SYSCALLS_MAX];
	unsigned ends;
};

static unsigned
emit(struct compiler *c, uint16_t code, uint32_t k, unsigned jt, unsigned jf)
{
	struct seccomp_program *p = c->p;

	if (p->n == SECCOMP_INSNS_MAX || jt > 255 || jf > 255) {
		c->full = 1;
		return 0;
	}
	p->insn[p->n] = (struct sock_filter){
	    .code = code, .jt = (uint8_t)jt, .jf = (uint8_t)jf, .k = k};
	return p->n++;
}

static void
load(struct compiler *c, size_t offset)
{
	emit(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
answer(struct compiler *c, uint32_t value)
{
	emit(c, BPF_RET | BPF_K, value, 0, 0);
}

/* The leaf of a range: an answer, or a jump that is filled in later. */
static void
leaf(struct compiler *c, enum rule rule)
{
	if (rule == DENY)
		answer(c, ANSWER(ENOSYS));
	else if (rule == ALLOW)
		answer(c, SECCOMP_RET_ALLOW);
	else {
		c->jump[c->jumps].rule = rule;
		c->jump[c->jumps++].at = emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
	}
}

static void tree(struct compiler *c, const struct range *r, unsigned n);

/* One side of the comparison at: its own tree, or one of two answers. */
static void
side(struct compiler *c, unsigned at, int if_true, const struct range *r,
    unsigned n)
{
	if (n == 1 && (r->rule == DENY || r->rule == ALLOW)) {
		c->end[c->ends].at = at;
		c->end[c->ends].if_true = if_true;
		c->end[c->ends++].rule = r->rule;
		return;
	}
	if (c->p->n - at - 1 > 255)
		c->full = 1;
	else if (if_true)
		c->p->insn[at].jt = (uint8_t)(c->p->n - at - 1);
	tree(c, r, n);
}

/* Halve the ranges until one is left. */
static void
tree(struct compiler *c, const struct range *r, unsigned n)
{
	unsigned half = n / 2, at;

	if (n == 1) {
		leaf(c, r[0].rule);
		return;
	}
	at = emit(c, BPF_JMP | BPF_JGE | BPF_K, r[half].from, 0, 0);
	side(c, at, 0, r, half);
	side(c, at, 1, r + half, n - half);
}

/* The two answers, and the comparisons that end in them. */
static void
ends(struct compiler *c)
{
	const unsigned deny = c->p->n, allow = deny + 1;

	answer(c, ANSWER(ENOSYS));
	answer(c, SECCOMP_RET_ALLOW);
	for (unsigned i = 0; i < c->ends && !c->full; i++) {
		const unsigned at = c->end[i].at;
		const unsigned far =
		    (c->end[i].rule == DENY ? deny : allow) - at - 1;

		if (far > 255)
			c->full = 1;
		else if (c->end[i].if_true)
			c->p->insn[at].jt = (uint8_t)far;
		else
			c->p->insn[at].jf = (uint8_t)far;
	}
}

/* The accumulator is one of the values, or the answer is given. */
static void
one_of(struct compiler *c, const uint32_t *value, size_t n, int os_errno)
{
	for (size_t i = 0; i < n; i++)
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, value[i], (unsigned)(n - i),
		    0);
	answer(c, ANSWER((uint32_t)os_errno));
}

static void
mode_rule(struct compiler *c, unsigned arg)
{
	load(c, ARG(arg));
	emit(c, BPF_JMP | BPF_JSET | BPF_K, S_ISUID | S_ISGID, 0, 1);
	answer(c, ANSWER(EPERM));
	answer(c, SECCOMP_RET_ALLOW);
}

static void
clone_rule(struct compiler *c)
{
	/* The low byte is the signal here, so NEWTIME does not exist. */
	load(c, ARG(0));
	emit(c, BPF_JMP | BPF_JSET | BPF_K, CLONE_NEW_ANY, 0, 1);
	answer(c, ANSWER(EPERM));
	answer(c, SECCOMP_RET_ALLOW);
}

/*
 * Only the low half of an argument is looked at where the kernel itself takes
 * an int: comparing all 64 bits would let 1 << 32 | TIOCSTI through.
 */
static void
ioctl_rule(struct compiler *c)
{
	load(c, ARG(1));
	for (size_t i = 0; i < COUNT(ioctls_denied); i++)
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, ioctls_denied[i],
		    (unsigned)(COUNT(ioctls_denied) - i), 0);
	answer(c, SECCOMP_RET_ALLOW);
	answer(c, ANSWER(EPERM));
}

static void
socket_rule(struct compiler *c)
{
	load(c, ARG(0));
	one_of(c, families, COUNT(families), EAFNOSUPPORT);
	load(c, ARG(1));
	emit(c, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
	one_of(c, kinds, COUNT(kinds), EPERM);
	load(c, ARG(2));
	one_of(c, protocols, COUNT(protocols), EPROTONOSUPPORT);
	answer(c, SECCOMP_RET_ALLOW);
}

/*
 * Pid 1 runs as the commands' user, so the kernel would let them slow it down.
 * It is nobody else's number, and an argument that is it is refused.
 */
static void
not_init(struct compiler *c, unsigned arg)
{
	load(c, ARG(arg));
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1);
	answer(c, ANSWER(EPERM));
}

/* Of a process or a group, but not of all that the user has: pid 1 is there. */
static void
priority_rule(struct compiler *c, uint32_t user)
{
	load(c, ARG(0));
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, user, 0, 1);
	answer(c, ANSWER(EPERM));
	not_init(c, 1);
}

static void
block(struct compiler *c, enum rule rule)
{
	switch (rule) {
	case MODE_0:
	case MODE_1:
	case MODE_2:
	case MODE_3:
		mode_rule(c, rule - MODE_0);
		return;
	case CLONE:
		clone_rule(c);
		return;
	case IOCTL:
		ioctl_rule(c);
		return;
	case SOCKET:
		socket_rule(c);
		return;
	case IOPRIO:
		priority_rule(c, IOPRIO_WHO_USER);
		break;
	case PRIORITY:
		priority_rule(c, PRIO_USER);
		break;
	case SCHED:
		not_init(c, 0);
		break;
	case PERSONALITY:
		load(c, ARG(0));
		one_of(c, personalities, COUNT(personalities), EPERM);
		break;
	case PRCTL_OUTER:
		/* First what an init calls forty times. */
		load(c, ARG(0));
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, PR_CAPBSET_DROP, 1, 0);
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECUREBITS, 0, 1);
		answer(c, SECCOMP_RET_ALLOW);
		one_of(c, prctls, COUNT(prctls), EINVAL);
		break;
	case PRCTL:
		load(c, ARG(0));
		one_of(c, prctls, COUNT(prctls), EINVAL);
		break;
	case PRLIMIT: /* of the caller itself: init has the same uid */
		load(c, ARG(0));
		one_of(c, (const uint32_t[]){0}, 1, EPERM);
		break;
	default:
		UNREACHABLE();
	}
	answer(c, SECCOMP_RET_ALLOW);
}

/* Every rule's block once, and the jumps that go there. */
static void
blocks(struct compiler *c)
{
	for (enum rule rule = ALLOW + 1; rule < RULES; rule++) {
		const unsigned at = c->p->n;
		int used = 0;

		for (unsigned i = 0; i < c->jumps && !c->full; i++) {
			if (c->jump[i].rule != rule)
				continue;
			c->p->insn[c->jump[i].at].k = at - c->jump[i].at - 1;
			used = 1;
		}
		if (used)
			block(c, rule);
	}
}

static int
name_number(struct span name)
{
	char text[64];

	if (name.n == 0 || name.n >= sizeof text)
		return __NR_SCMP_ERROR;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	return seccomp_syscall_resolve_name(text);
}

int
seccomp_name_is_known(struct span name)
{
	return name_number(name) != __NR_SCMP_ERROR;
}

/* The rule of every number, less what the profile denies. */
static int
rules_fill(enum rule of[SYSCALLS_MAX], const struct span *denied,
    size_t ndenied, struct error *e)
{
	for (size_t i = 0; i < SYSCALLS_MAX; i++)
		of[i] = DENY;
	for (size_t i = 0; i < LISTED; i++) {
		CHECK(listed[i].nr < SYSCALLS_MAX);
		of[listed[i].nr] = listed[i].rule;
	}
	for (size_t i = 0; i < ndenied; i++) {
		int nr = name_number(denied[i]);

		if (nr == __NR_SCMP_ERROR)
			return error_set(e, ERROR_CONFIG, 0,
			    "no system call is named \"%.*s\"",
			    (int)denied[i].n, denied[i].p);
		if (nr >= 0 && nr < SYSCALLS_MAX) /* others: not here */
			of[nr] = DENY;
	}
	return 0;
}

static void
compile(struct compiler *c, const enum rule of[SYSCALLS_MAX])
{
	struct range range[SYSCALLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < SYSCALLS_MAX; i++)
		if (i == 0 || of[i] != of[i - 1])
			range[n++] = (struct range){i, of[i]};
	if (range[n - 1].rule != DENY)
		range[n++] = (struct range){SYSCALLS_MAX, DENY};
	c->p->n = 0;
	load(c, offsetof(struct seccomp_data, arch));
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_HERE, 1, 0);
	answer(c, ANSWER(ENOSYS));
	load(c, offsetof(struct seccomp_data, nr));
	tree(c, range, n);
	ends(c);
	blocks(c);
	CHECK(!c->full);
}

int
seccomp_compile(struct seccomp_program *p, const struct span *denied,
    size_t ndenied, struct error *e)
{
	enum rule of[SYSCALLS_MAX];
	struct compiler c = {.p = p};

	if (rules_fill(of, denied, ndenied, e) == -1)
		return -1;
	compile(&c, of);
	return 0;
}

void
seccomp_compile_outer(struct seccomp_program *p)
{
	enum rule of[SYSCALLS_MAX];
	struct compiler c = {.p = p};

	(void)rules_fill(of, NULL, 0, NULL); /* fails for names only */
	for (size_t i = 0; i < COUNT(building); i++)
		of[building[i]] = ALLOW;
	of[__NR_prctl] = PRCTL_OUTER;
	compile(&c, of);
}

/*
 * The number in the accumulator is none of these, or the answer is ENOSYS.
 * Installing a filter asks it for every number: most are below all of these.
 */
static void
none_of(struct compiler *c, const int *nr, size_t n)
{
	const size_t most = 128; /* as far as a conditional jump reaches */
	int least = SYSCALLS_MAX;

	for (size_t i = 0; i < n; i++)
		least = nr[i] < least ? nr[i] : least;
	if (n <= most)
		emit(c, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)least, 0,
		    (unsigned)n + 2);
	for (size_t from = 0; from < n; from += most) {
		const size_t m = n - from < most ? n - from : most;

		for (size_t i = 0; i < m; i++)
			emit(c, BPF_JMP | BPF_JEQ | BPF_K,
			    (uint32_t)nr[from + i], (unsigned)(m - i), 0);
		emit(c, BPF_JMP | BPF_JA, 1, 0, 0);
		answer(c, ANSWER(ENOSYS));
	}
}

int
seccomp_compile_inner(struct seccomp_program *p, const struct span *denied,
    size_t ndenied, struct error *e)
{
	enum rule of[SYSCALLS_MAX];
	struct compiler c = {.p = p};
	int refused[SYSCALLS_MAX];
	size_t n = 0;

	if (rules_fill(of, denied, ndenied, e) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(building); i++)
		if (of[building[i]] == DENY)
			refused[n++] = building[i];
	for (size_t i = 0; i < LISTED; i++)
		if (of[listed[i].nr] == DENY)
			refused[n++] = listed[i].nr;
	p->n = 0;
	load(&c, offsetof(struct seccomp_data, nr));
	none_of(&c, refused, n);
	emit(&c, BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4);
	clone_rule(&c);
	emit(&c, BPF_JMP | BPF_JEQ | BPF_K, __NR_prctl, 0, 3);
	load(&c, ARG(0));
	emit(&c, BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECUREBITS, 0, 1);
	answer(&c, ANSWER(EINVAL));
	answer(&c, SECCOMP_RET_ALLOW);
	CHECK(!c.full);
	return 0;
}

int
seccomp_is_available(void)
{
	/* A filter at no address is refused after asking whether there are any.
	 */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 &&
	       errno == EFAULT;
}

int
seccomp_install(const struct seccomp_program *p, struct fault *f)
{
	struct sock_fprog program = {
	    .len = (unsigned short)p->n,
	    .filter = (struct sock_filter *)(uintptr_t)p->insn,
	};

	if (p->n == 0 || p->n > SECCOMP_INSNS_MAX)
		return fault_set(f, EINVAL, "system call filter", NULL);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == -1)
		return fault_at(f, "install the system call filter", NULL);
	return 0;
}

void
seccomp_library_version(char *out, size_t size)
{
	const struct scmp_version *v = seccomp_version();

	snprintf(out, size, "%u.%u.%u", v->major, v->minor, v->micro);
}
