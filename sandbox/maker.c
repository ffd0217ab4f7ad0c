#include "sandbox/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/wire.h"

/* What the maker holds all its life. */
struct bench {
	const struct maker_plan *plan;
	int self;   /* our directory in the zygote's proc */
	int mounts; /* the zygote's mount namespace */
};

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
		a->os_errno = f.os_errno != 0 ? f.os_errno : EINVAL;
		return 0;
	}
	return fd[STAGE_OURS] == -1 ? STAGE_FDS - 1 : STAGE_FDS;
}

static void
check(const struct bench *b, const struct maker_request *r,
    struct maker_answer *a, const int *fd, unsigned nfd)
{
	const struct box *box = b->plan->box(r->profile);

	const unsigned want =
	    ((r->parts & MAKER_NETNS) != 0 ? 1u : 0) +
	    ((r->parts & MAKER_STAGE) != 0 ? STAGE_FDS - 1u : 0);

	if (nfd == 0 || nfd != want) {
		a->os_errno = EINVAL;
		return;
	}
	if ((r->parts & MAKER_NETNS) != 0 && r->kind < NETNS_KINDS &&
	    netns_is_clean(b->self, *fd++, (enum netns_kind)r->kind))
		a->clean |= MAKER_NETNS;
	if ((r->parts & MAKER_STAGE) != 0 && box != NULL &&
	    stage_is_clean(box, r->number, fd))
		a->clean |= MAKER_STAGE;
}

/* How many descriptors go back in fd. */
static unsigned
serve(const struct bench *b, const struct maker_request *r,
    struct maker_answer *a, int fd[WIRE_FDS_MAX], unsigned nfd)
{
	if (r->verb == MAKER_CHECK) {
		check(b, r, a, fd, nfd);
		return 0;
	}
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
