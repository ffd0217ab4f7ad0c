#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "engine/base/secret.h"
#include "sandbox/caps.h"
#include "sandbox/init_private.h"
#include "sandbox/landlock.h"
#include "sandbox/mounts.h"
#include "sandbox/netns.h"
#include "sandbox/rlimits.h"
#include "sandbox/seccomp.h"
#include "sandbox/stage.h"
#include "sandbox/userns.h"
#include "sandbox/wire.h"

/*
 * Theory of operation
 *
 * build() gives up one thing after the other and in an order that matters:
 * groups and namespaces first, while we are still privileged; then the file
 * system; then the user, and only as the last namespace the user's, so that
 * whoever is root inside owns none of the others; then capabilities and
 * system calls.  Every step fails with its name.
 *
 * serve() then sleeps in ppoll(), the only place where SIGCHLD is not
 * blocked, as the zygote does.
 */

static struct init self;

static volatile sig_atomic_t child_died;

static void
note_child(int signo)
{
	(void)signo;
	child_died = 1;
}

void
init_send(const void *head, size_t head_n, const void *tail, size_t n,
    const int *fd, unsigned nfd)
{
	if (wire_send(INIT_SOCK, head, head_n, tail, n, fd, nfd) == -1)
		_exit(1);
}

static int
enter_groups(const struct init_plan *plan, struct fault *f)
{
	if (plan->create->cgroups_n == 0)
		return 0;
	if (plan->cgroups_n > 0 &&
	    cgroup_attach_self(plan->cgroup, plan->cgroups_n, f) == -1)
		return -1;
	if (unshare(CLONE_NEWCGROUP) == -1)
		return fault_at(f, "unshare the cgroup namespace", NULL);
	return 0;
}

static int
enter_mounts(const struct init_plan *plan, int *ours, struct fault *f)
{
	const struct box *b = plan->box;
	const char *texts = (const char *)(plan->create + 1);
	const char *hostname = b->text + b->hostname;
	const struct mounts_text passwd = {plan->create->passwd_bytes, texts};
	const struct mounts_text group = {
	    plan->create->group_bytes, texts + plan->create->passwd_bytes};
	const struct stage_plan stage = {.mounts = plan->mounts,
	    .box = b,
	    .ids = &plan->create->ids,
	    .passwd = &passwd,
	    .group = &group,
	    .layering = (enum mounts_layer)plan->create->layering,
	    .layer = plan->create->layer};

	*ours = plan->ours;
	if ((plan->stage != NULL ? stage_enter(plan->stage, f)
				 : stage_build(&stage, ours, f)) == -1 ||
	    mounts_proc(plan->mounts, f) == -1)
		return -1;
	if (sethostname(hostname, strlen(hostname)) == -1)
		return fault_at(f, "set the host name", NULL);
	return 0;
}

/*
 * Our descriptors at their places and nothing else: the standard ones and
 * INIT_NULL are the sandbox's own null device.  proc_self, above them, stays
 * open for one more step.
 */
static int
settle_descriptors(int sock, int *proc_self, int ours, struct fault *f)
{
	int null, workspace, proc = *proc_self;

	/* Out of the way of the fixed places. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, 16);
	proc = fcntl(proc, F_DUPFD_CLOEXEC, 16);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	null = null == -1 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, 16);
	workspace = open(INIT_PATH_WORKSPACE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (workspace != -1)
		workspace = fcntl(workspace, F_DUPFD_CLOEXEC, 16);
	if (ours != -1)
		ours = fcntl(ours, F_DUPFD_CLOEXEC, 16);
	if (sock == -1 || proc == -1 || null == -1 || workspace == -1)
		return fault_at(f, "descriptors", NULL);
	for (int fd = 0; fd <= 2; fd++) {
		if (dup2(null, fd) == -1)
			return fault_at(f, "descriptors", NULL);
	}
	if (dup3(sock, INIT_SOCK, O_CLOEXEC) == -1 ||
	    dup3(null, INIT_NULL, O_CLOEXEC) == -1 ||
	    dup3(workspace, INIT_WORKSPACE, O_CLOEXEC) == -1 ||
	    dup3(proc, INIT_OURS + 1, O_CLOEXEC) == -1 ||
	    dup3(ours == -1 ? workspace : ours, INIT_OURS, O_CLOEXEC) == -1 ||
	    close_range(INIT_OURS + 2, ~0U, 0) == -1)
		return fault_at(f, "descriptors", NULL);
	*proc_self = INIT_OURS + 1;
	return 0;
}

static int
give_up_privilege(const struct init_plan *plan, int proc_self, struct fault *f)
{
	if (userns_enter(&plan->create->ids, proc_self, f) == -1)
		return -1;
	close(proc_self);
	/* A change of credentials forgets it; an orphan ends by its socket. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if ((plan->create->ids.more > 0 ? caps_drop_but_users(f)
					: caps_drop_all(f)) == -1)
		return -1;
	if (plan->box->landlock_abi > 0 &&
	    landlock_scope(plan->box->landlock_abi, f) == -1)
		return -1;
	if (plan->box->seccomp && seccomp_install(plan->program, f) == -1)
		return -1;
	return 0;
}

/*
 * When the host itself runs out of memory, a sandbox goes before the engine.
 * Raising one's own score needs no privilege, and commands inherit it.
 */
static int
offer_as_victim(int proc_self, struct fault *f)
{
	static const char score[] = "500";
	int fd, rc;

	/* A fork of the zygote is not dumpable, and its files are root's. */
	if (prctl(PR_SET_DUMPABLE, 1) == -1)
		return fault_at(f, "dumpable", NULL);
	fd = openat(proc_self, "oom_score_adj", O_WRONLY | O_CLOEXEC);
	prctl(PR_SET_DUMPABLE, 0);
	if (fd == -1)
		return fault_at(f, "open oom_score_adj", NULL);
	rc = write(fd, score, sizeof score - 1) == -1
		 ? fault_at(f, "write oom_score_adj", NULL)
		 : 0;
	close(fd);
	return rc;
}

static int
build(const struct init_plan *plan, int *sock, struct fault *f)
{
	struct rlimits limits = plan->box->rlimits;
	int proc_self, ours = -1;

	proc_self = openat(
	    plan->mounts->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_self == -1)
		return fault_at(f, "open /proc/self", NULL);
	/* First: whoever enters a namespace may lose its right to do so. */
	if (offer_as_victim(proc_self, f) == -1 ||
	    enter_groups(plan, f) == -1 ||
	    netns_enter(plan->netns, plan->box->network, f) == -1)
		return -1;
	if (enter_mounts(plan, &ours, f) == -1)
		return -1;
	/* For commands only: pid 1 has descriptors and memory of its own. */
	limits.files = limits.address_bytes = 0;
	if (rlimits_apply(&limits, f) == -1)
		return -1;
	if (settle_descriptors(*sock, &proc_self, ours, f) == -1)
		return -1;
	*sock = INIT_SOCK;
	return give_up_privilege(plan, proc_self, f);
}

static void
say_ready(int sock, const struct fault *f)
{
	struct zygote_answer a = {.fault = *f};

	a.head = (struct wire_head){.bytes = sizeof a, .verb = INIT_READY};
	if (wire_send(sock, &a, sizeof a, NULL, 0, NULL, 0) == -1)
		_exit(1);
}

static void
serve_message(struct init *in)
{
	int fd[WIRE_FDS_MAX];
	unsigned nfd;
	ssize_t n = wire_receive(
	    INIT_SOCK, in->message, sizeof in->message - 1, fd, &nfd);
	const struct wire_head *h = (const void *)in->message;

	if (n < (ssize_t)sizeof *h)
		_exit(0); /* the engine closed: so the sandbox ends */
	in->message[n] = '\0';
	switch (h->verb) {
	case INIT_EXEC:
		init_serve_exec(
		    in, (const void *)in->message, (size_t)n, fd, nfd);
		wipe(in->message, (size_t)n); /* secrets, perhaps */
		break;
	case INIT_SIGNAL:
		init_serve_signal(in, (const void *)in->message);
		break;
	default:
		init_serve_file(in, (const void *)in->message, (size_t)n);
		break;
	}
	while (nfd > 0)
		close(fd[--nfd]);
}

static _Noreturn void
serve(struct init *in)
{
	struct pollfd p = {.fd = INIT_SOCK, .events = POLLIN};
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		int ms = init_next_look_ms(in);
		struct timespec next = {
		    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
		int ready = ppoll(&p, 1, ms == -1 ? NULL : &next, &none);

		if (child_died) {
			child_died = 0;
			init_reap(in);
		}
		if (ready > 0)
			serve_message(in);
		if (ready == 0)
			(void)init_look(in, 0);
	}
}

_Noreturn void
init_main(const struct init_plan *plan)
{
	struct sigaction sa = {
	    .sa_handler = note_child, .sa_flags = SA_RESTART};
	struct fault f = {0};
	int sock = plan->sock;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "skep-init");
	sigaction(SIGCHLD, &sa, NULL);
	if (build(plan, &sock, &f) == -1) {
		say_ready(sock, &f);
		_exit(1);
	}
	self.box = plan->box;
	walk_know(plan->box);
	self.ids = plan->create->ids;
	self.files = plan->box->rlimits.files;
	self.address_bytes = plan->box->rlimits.address_bytes;
	say_ready(sock, &f);
	serve(&self);
}
