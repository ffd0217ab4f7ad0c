#include "sandbox/local_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/os.h"
#include "sandbox/maker.h"
#include "sandbox/zygote.h"

/*
 * Theory of operation
 *
 * What is dear to make and safe to use twice is kept in stock: network
 * namespaces and stages, made and looked over by the maker (maker.h), and
 * control groups.  A sandbox takes what is there and does without the stock
 * when it is empty: pid 1 then makes its own namespaces, and the group is made
 * on the spot.
 *
 * New ones are asked for when a shelf is less than half full, a few at a time;
 * the other half is room for those that come back, which are cheaper.  While
 * many sandboxes are being made at once nothing is asked for: it would come
 * too late for them and only be in their way.
 *
 * The maker answers in order, so what is under way is a queue.  A stage that
 * comes back is given away to it, for whoever closes the last descriptor of a
 * stage takes it down: files that a sandbox left are freed and the kernel's
 * RCU is waited for, which must not be the loop's to do.
 */

#define ASKED_AT_ONCE 4 /* of one kind */
#define MAKING_MANY 8   /* sandboxes at once */

static void
close_fd(int *fd)
{
	if (*fd != -1)
		os->close(*fd);
	*fd = -1;
}

/* ------------------------------------------------------------------ stages */

static int
is_stage(const struct local_stage *g)
{
	return g->fd[STAGE_MOUNTS] != -1;
}

static void
drop_stage(struct local_stock *s, struct local_stage *g)
{
	if (is_stage(g))
		s->numbers[g->number / 64] &= ~(1ULL << g->number % 64);
	for (int i = 0; i < STAGE_FDS; i++)
		close_fd(&g->fd[i]);
}

/* A number that no stage has, or -1. */
static int
take_number(struct local_stock *s)
{
	for (unsigned i = 0; i < STAGES_MAX / 64; i++) {
		int bit =
		    ~s->numbers[i] == 0 ? -1 : __builtin_ctzll(~s->numbers[i]);

		if (bit == -1)
			continue;
		s->numbers[i] |= 1ULL << bit;
		return (int)(i * 64) + bit;
	}
	return -1;
}

static void
give_number(struct local_stock *s, unsigned number)
{
	s->numbers[number / 64] &= ~(1ULL << number % 64);
}

static void
shelve_stage(
    struct local_stock *s, struct local_profile *p, struct local_stage *g)
{
	if (p->stages_n < s->stages_max)
		p->stage[p->stages_n++] = *g;
	else
		drop_stage(s, g);
}

static void
shelve_netns(struct local_stock *s, enum netns_kind kind, int fd)
{
	if (s->netns_n[kind] < s->netns_max)
		s->netns[kind][s->netns_n[kind]++] = fd;
	else
		close_fd(&fd);
}

/* --------------------------------------------------------------- the maker */

/* It will not be answered. */
static void
forget(struct local_stock *s, struct stock_asked *q)
{
	if (q->is_stage)
		give_number(s, q->number);
	close_fd(&q->netns);
}

static void
give_up_maker(struct local_stock *s)
{
	if (s->maker == -1)
		return;
	loop_io_want(&s->maker_io, LOOP_NOTHING);
	close_fd(&s->maker);
	while (s->asked_n > 0) {
		forget(s, &s->asked[s->asked_first]);
		s->asked_first = (s->asked_first + 1) % STOCK_ASKED_MAX;
		s->asked_n--;
	}
}

/*
 * Ask for q, which holds all that is asked about but for the stage.  Takes
 * both; -1 when it could not be asked, and then they are gone.
 */
static int
ask_maker(struct local_host *h, struct stock_asked *q, struct maker_request *r,
    struct local_stage *g)
{
	struct local_stock *s = &h->stock;
	int fd[1 + STAGE_FDS], rc = -1;
	unsigned nfd = 0;

	r->verb = (uint8_t)q->verb;
	r->kind = (uint8_t)q->kind;
	r->profile = (uint32_t)(q->profile - h->profile);
	r->number = q->number;
	if (q->netns != -1) {
		fd[nfd++] = q->netns;
		r->parts |= MAKER_NETNS;
	}
	if (g != NULL && is_stage(g)) {
		for (int i = 0; i < STAGE_FDS && g->fd[i] != -1; i++)
			fd[nfd++] = g->fd[i];
		r->parts |= MAKER_STAGE;
	}
	if (s->maker != -1 && s->asked_n < STOCK_ASKED_MAX &&
	    wire_send(s->maker, r, sizeof *r, NULL, 0, fd, nfd) == 0) {
		s->asked[(s->asked_first + s->asked_n++) % STOCK_ASKED_MAX] =
		    *q;
		rc = 0;
	} else
		forget(s, q);
	for (int i = 0; g != NULL && i < STAGE_FDS; i++)
		close_fd(&g->fd[i]);
	return rc;
}

static int
ask_for_netns(struct local_host *h, enum netns_kind kind)
{
	struct maker_request r = {0};
	struct stock_asked q = {.verb = MAKE_NETNS,
	    .kind = kind,
	    .profile = h->profile,
	    .netns = -1};

	if (ask_maker(h, &q, &r, NULL) == -1)
		return 0;
	h->stock.coming[kind]++;
	return 1;
}

static int
ask_for_stage(struct local_host *h, struct local_profile *p)
{
	const int number = take_number(&h->stock);
	struct maker_request r = {0};
	struct stock_asked q = {
	    .verb = MAKE_STAGE, .profile = p, .netns = -1, .is_stage = 1};

	if (number == -1)
		return 0;
	q.number = (unsigned)number;
	r.ids = local_ids(h, p, UIDS_OF_SLOTS + q.number);
	if (ask_maker(h, &q, &r, NULL) == -1)
		return 0;
	p->stages_coming++;
	return 1;
}

static int
is_short(unsigned there, unsigned coming, unsigned most)
{
	return 2 * (there + coming) < most && coming < ASKED_AT_ONCE;
}

void
local_stock_refill(struct local_host *h)
{
	struct local_stock *s = &h->stock;

	if (s->maker == -1 || h->making >= MAKING_MANY)
		return;
	for (int kind = 0; kind < NETNS_KINDS; kind++)
		while (
		    s->wanted[kind] &&
		    is_short(s->netns_n[kind], s->coming[kind], s->netns_max) &&
		    ask_for_netns(h, (enum netns_kind)kind))
			;
	for (unsigned i = 0; i < h->profiles_n; i++) {
		struct local_profile *p = &h->profile[i];

		while (p->stages_wanted &&
		       is_short(p->stages_n, p->stages_coming, s->stages_max) &&
		       ask_for_stage(h, p))
			;
	}
}

static void
came_netns(struct local_stock *s, struct stock_asked *q, int os_errno, int *fd)
{
	s->coming[q->kind]--;
	/* It will not get better by asking at once. */
	if (os_errno != 0)
		s->wanted[q->kind] = 0;
	else if (*fd != -1) {
		shelve_netns(s, q->kind, *fd);
		*fd = -1;
	}
}

/* A stage, if the descriptors are one: new, or as good as new. */
static int
take_in(struct local_stock *s, struct stock_asked *q, int *fd, unsigned nfd)
{
	struct local_stage g = {{-1, -1, -1, -1}, q->number};

	if (nfd < STAGE_OURS || nfd > STAGE_FDS)
		return -1;
	for (unsigned i = 0; i < nfd; i++) {
		g.fd[i] = fd[i];
		fd[i] = -1;
	}
	shelve_stage(s, q->profile, &g);
	return 0;
}

static void
came_stage(struct local_stock *s, struct stock_asked *q, int os_errno, int *fd,
    unsigned nfd)
{
	q->profile->stages_coming--;
	if (os_errno == 0 && take_in(s, q, fd, nfd) == 0)
		return;
	q->profile->stages_wanted = 0;
	give_number(s, q->number);
}

static void
came_back(struct local_stock *s, struct stock_asked *q, uint32_t clean, int *fd,
    unsigned nfd)
{
	if (q->netns != -1 && (clean & MAKER_NETNS) != 0)
		shelve_netns(s, q->kind, q->netns);
	else
		close_fd(&q->netns);
	if (!q->is_stage)
		return;
	q->profile->stages_back--;
	if ((clean & MAKER_STAGE) == 0 || take_in(s, q, fd, nfd) == -1)
		give_number(s, q->number);
}

static void
came(struct local_stock *s, const struct maker_answer *a, int *fd, unsigned nfd)
{
	struct stock_asked *q = &s->asked[s->asked_first];

	s->asked_first = (s->asked_first + 1) % STOCK_ASKED_MAX;
	s->asked_n--;
	if (q->verb == MAKE_NETNS)
		came_netns(s, q, nfd == 0 ? EMFILE : a->os_errno, fd);
	else if (q->verb == MAKE_STAGE)
		came_stage(s, q, a->os_errno, fd, nfd);
	else
		came_back(s, q, a->clean, fd, nfd);
	for (unsigned i = 0; i < nfd; i++)
		close_fd(&fd[i]);
}

static void
maker_ready(struct loop_io *io, int want)
{
	struct local_stock *s = container_of(io, struct local_stock, maker_io);
	struct maker_answer a;
	int fd[WIRE_FDS_MAX];
	unsigned nfd;
	ssize_t n;

	(void)want;
	while ((n = wire_receive(s->maker, &a, sizeof a, fd, &nfd)) ==
	       (ssize_t)sizeof a) {
		if (s->asked_n == 0)
			break;
		came(s, &a, fd, nfd);
	}
	if (n == -1 && errno == EAGAIN)
		local_stock_refill(container_of(s, struct local_host, stock));
	else
		give_up_maker(s);
}

/* Start the maker; without it every sandbox makes its own. */
static void
start_maker(struct local_host *h)
{
	struct local_stock *s = &h->stock;
	struct wire_head m = {.bytes = sizeof m, .verb = ZYGOTE_MAKER};
	int pair[2];

	if (os->socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ==
	    -1)
		return;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1 ||
	    wire_send(h->zygote->fd, &m, sizeof m, NULL, 0, &pair[1], 1) ==
		-1) {
		os->close(pair[0]);
		os->close(pair[1]);
		return;
	}
	os->close(pair[1]);
	s->maker = pair[0];
	loop_io_init(&s->maker_io, h->base.loop, s->maker, maker_ready);
	loop_io_want(&s->maker_io, LOOP_READ);
}

/* ----------------------------------------------------- what a sandbox takes */

void
local_stock_take(struct local_host *h, struct local *l)
{
	struct local_stock *s = &h->stock;
	struct local_profile *p = l->profile;
	const enum netns_kind kind = (enum netns_kind)p->box.network;

	l->stage = local_no_stage;
	l->netns = h->given_netns;
	h->given_netns = -1;
	if (l->netns == -1 && s->netns_n[kind] > 0)
		l->netns = s->netns[kind][--s->netns_n[kind]];
	/* A stage is for one user, whom the root's own /etc names. */
	if (p->stages_n > 0 && users_are_plain(&l->base.users) &&
	    l->ids.more == 0 && l->base.layering == MOUNTS_NO_LAYER) {
		l->stage = p->stage[--p->stages_n];
		l->ids = local_ids(h, p, UIDS_OF_SLOTS + l->stage.number);
	}
	local_stock_refill(h);
}

void
local_stock_return(struct local_host *h, struct local *l)
{
	struct local_stock *s = &h->stock;
	struct local_profile *p = l->profile;
	struct local_stage stage = l->stage;
	struct maker_request r = {0};
	struct stock_asked q = {.verb = MAKER_CHECK,
	    .kind = (enum netns_kind)p->box.network,
	    .profile = p,
	    .netns = l->netns,
	    .is_stage = is_stage(&stage),
	    .number = stage.number};

	l->netns = -1;
	l->stage = local_no_stage;
	if (s->netns_n[q.kind] == s->netns_max)
		close_fd(&q.netns);
	if (q.netns == -1 && !q.is_stage)
		return;
	if (p->stages_n + p->stages_back >= s->stages_max)
		r.parts |= MAKER_DISCARD;
	if (ask_maker(h, &q, &r, &stage) == 0 && q.is_stage)
		p->stages_back++;
}

int
local_stock_make_netns(enum netns_kind kind)
{
	struct fault f;

	if (netns_enter(-1, kind, &f) == -1)
		return -1;
	return os->open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
}

/* ------------------------------------------------------------------ groups */

int
local_stock_cgroup(struct local_host *h, struct local_profile *p,
    struct cgroup *g, struct error *e)
{
	if (h->cgroups.kind == CGROUP_NONE)
		return 0;
	if (p->groups_n > 0) {
		*g = p->group[--p->groups_n];
		return 0;
	}
	return cgroup_make(&h->cgroups, &p->cgroup, g, e);
}

int
local_stock_return_cgroup(
    struct local_host *h, struct local_profile *p, struct cgroup *g)
{
	if (g->name[0] == '\0')
		return 1;
	if (p->groups_n < h->stock.groups_max &&
	    cgroup_reuse(&h->cgroups, &p->cgroup, g)) {
		p->group[p->groups_n++] = *g;
		g->name[0] = '\0';
		return 1;
	}
	if (cgroup_remove(&h->cgroups, g) != 0)
		return 0;
	g->name[0] = '\0';
	return 1;
}

/* -------------------------------------------------------------------- both */

/* Is a folder of the host writable in it? */
static int
shows_writable(
    const struct local_profile *p, const struct sandbox_host_settings *settings)
{
	for (unsigned i = 0; i < p->profile->mounts_n; i++)
		if (p->profile->mounts[i].writable)
			return 1;
	for (unsigned i = 0; i < settings->binds_n; i++)
		if (!settings->binds[i].read_only)
			return 1;
	return p->box.workspace >= 0;
}

void
local_stock_start(
    struct local_host *h, const struct sandbox_host_settings *settings)
{
	struct local_stock *s = &h->stock;

	s->maker = -1;
	s->netns_max = settings->netns_ready < STOCK_MAX ? settings->netns_ready
							 : STOCK_MAX;
	s->groups_max = settings->cgroups_ready < STOCK_MAX
			    ? settings->cgroups_ready
			    : STOCK_MAX;
	s->stages_max = s->netns_max;
	for (unsigned i = 0; i < h->profiles_n; i++) {
		struct local_profile *p = &h->profile[i];

		s->wanted[p->box.network] = 1;
		/*
		 * In a folder that others have too, a socket can be made, and
		 * an open folder of the stage be sent through it: who holds
		 * that would see the next one's files.
		 */
		p->stages_wanted = !shows_writable(p, settings);
	}
	if (s->netns_max > 0)
		start_maker(h);
	local_stock_refill(h);
}

void
local_stock_stop(struct local_host *h)
{
	close_fd(&h->given_netns);
	struct local_stock *s = &h->stock;

	give_up_maker(s);
	for (int kind = 0; kind < NETNS_KINDS; kind++) {
		while (s->netns_n[kind] > 0)
			close_fd(&s->netns[kind][--s->netns_n[kind]]);
	}
	for (unsigned i = 0; i < h->profiles_n; i++) {
		struct local_profile *p = &h->profile[i];

		while (p->stages_n > 0)
			drop_stage(s, &p->stage[--p->stages_n]);
		while (p->groups_n > 0)
			cgroup_remove(&h->cgroups, &p->group[--p->groups_n]);
	}
}
