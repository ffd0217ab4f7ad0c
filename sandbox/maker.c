#include "sandbox/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/wire.h"

/* What the maker holds all its life. */
struct bench {
	const struct maker_plan *plan;
	int self;   /* our directory in the zygote's proc */
	int mounts; /* the zygote's mount namespace */
	int ipc;    /* an IPC namespace without anything in it */
};

/* Out of a stage, which would live as long as we are in it. */
static void
leave_stage(const struct bench *b)
{
	if (setns(b->mounts, CLONE_NEWNS) == -1 ||
	    setns(b->ipc, CLONE_NEWIPC) == -1)
		_exit(1);
}

static unsigned
make_netns(const struct bench *b, const struct maker_request *r,
    struct maker_answer *a, int fd[WIRE_FDS_MAX])
{
	errno = EINVAL;
	fd[0] = r->kind < NETNS_KINDS
		    ? netns_make(b->self, (enum netns_kind)r->kind)
		    : -1;
	a->os_errno = fd[0] == -1 ? errno : 0;
	return fd[0] == -1 ? 0 : 1;
}

static unsigned
make_stage(const struct bench *b, const struct maker_request *r,
    struct maker_answer *a, int fd[WIRE_FDS_MAX])
{
	struct stage_plan plan = {.mounts = b->plan->mounts,
	    .box = b->plan->box(r->profile),
	    .ids = &r->ids};
	struct fault f = {.os_errno = EINVAL};

	/* Stages are copies of what the zygote is in, not of each other. */
	if (plan.box == NULL || setns(b->mounts, CLONE_NEWNS) == -1 ||
	    stage_make(&plan, r->number, b->self, fd, &f) == -1) {
		leave_stage(b);
		a->os_errno = f.os_errno != 0 ? f.os_errno : EINVAL;
		return 0;
	}
	return fd[STAGE_OURS] == -1 ? STAGE_FDS - 1 : STAGE_FDS;
}

/* How many descriptors of a clean stage go back; they are in fd then. */
static unsigned
check_stage(const struct bench *b, const struct maker_request *r,
    struct maker_answer *a, int *fd, unsigned nfd)
{
	const struct box *box = b->plan->box(r->profile);

	if (box != NULL && (r->parts & MAKER_DISCARD) == 0 &&
	    stage_is_clean(box, r->number, fd)) {
		a->clean |= MAKER_STAGE;
		return nfd;
	}
	leave_stage(b);
	return 0;
}

/* What goes back is at the beginning of fd. */
static unsigned
check(const struct bench *b, const struct maker_request *r,
    struct maker_answer *a, int *fd, unsigned nfd)
{
	const unsigned has_netns = (r->parts & MAKER_NETNS) != 0 ? 1 : 0;
	const unsigned rest = nfd - has_netns;
	unsigned go = 0;

	if (nfd < has_netns || nfd == 0 ||
	    ((r->parts & MAKER_STAGE) != 0
		    ? rest != STAGE_FDS && rest != STAGE_FDS - 1
		    : rest != 0)) {
		a->os_errno = EINVAL;
		return 0;
	}
	if (has_netns && r->kind < NETNS_KINDS &&
	    netns_is_clean(b->self, fd[0], (enum netns_kind)r->kind))
		a->clean |= MAKER_NETNS;
	if ((r->parts & MAKER_STAGE) != 0)
		go = check_stage(b, r, a, fd + has_netns, rest);
	if (go > 0 && has_netns) {
		/* Last, as it does not go back. */
		const int netns = fd[0];

		memmove(fd, fd + 1, go * sizeof *fd);
		fd[go] = netns;
	}
	return go;
}

/* How many descriptors go back in fd. */
static unsigned
serve(const struct bench *b, const struct maker_request *r,
    struct maker_answer *a, int fd[WIRE_FDS_MAX], unsigned nfd)
{
	if (r->verb == MAKER_CHECK)
		return check(b, r, a, fd, nfd);
	if (r->verb == MAKE_NETNS && nfd == 0)
		return make_netns(b, r, a, fd);
	if (r->verb == MAKE_STAGE && nfd == 0)
		return make_stage(b, r, a, fd);
	a->os_errno = EINVAL;
	return 0;
}

_Noreturn void
maker_main(const struct maker_plan *plan)
{
	struct bench b = {.plan = plan};
	struct maker_request r;
	int fd[WIRE_FDS_MAX];
	unsigned nfd;

	b.self = openat(
	    plan->mounts->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	b.mounts = openat(b.self, "ns/mnt", O_RDONLY | O_CLOEXEC);
	/* Not the zygote's: without root we could not go back to that. */
	b.ipc = unshare(CLONE_NEWIPC) == -1
		    ? -1
		    : openat(b.self, "ns/ipc", O_RDONLY | O_CLOEXEC);
	while (wire_receive(plan->sock, &r, sizeof r, fd, &nfd) == sizeof r) {
		struct maker_answer a = {.verb = r.verb};
		unsigned go = serve(&b, &r, &a, fd, nfd);

		if (wire_send(plan->sock, &a, sizeof a, NULL, 0, fd, go) == -1)
			break;
		for (unsigned i = 0; i < go || i < nfd; i++)
			close(fd[i]);
	}
	_exit(0);
}
