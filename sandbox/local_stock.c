#include "sandbox/local_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "sandbox/zygote.h"

/*
 * Theory of operation
 *
 * What is dear to make and safe to use twice is kept in stock: network
 * namespaces, made and looked over by the maker (netns.h), and control groups.
 * A sandbox takes what is there and does without the stock when it is empty:
 * pid 1 then makes its own namespace, and the group is made on the spot.
 *
 * New namespaces are asked for when the shelf is less than half full; the
 * other half is room for those that come back, which are cheaper.
 *
 * The maker answers in order, so what is under way is a queue.
 */

static void
close_fd(int *fd)
{
	if (*fd != -1)
		os->close(*fd);
	*fd = -1;
}

/* -------------------------------------------------------------- namespaces */

static void
give_up_maker(struct local_stock *s)
{
	if (s->maker == -1)
		return;
	loop_io_want(&s->maker_io, LOOP_NOTHING);
	close_fd(&s->maker);
	while (s->asked_n > 0) {
		close_fd(&s->asked[s->asked_first].fd);
		s->asked_first = (s->asked_first + 1) % STOCK_ASKED_MAX;
		s->asked_n--;
	}
}

/* Takes fd: the namespace to look over, or -1 to make one. */
static void
ask_maker(
    struct local_stock *s, enum netns_verb verb, enum netns_kind kind, int fd)
{
	struct netns_request r = {.verb = (uint8_t)verb, .kind = (uint8_t)kind};
	struct stock_asked *slot;

	if (s->maker == -1 || s->asked_n == STOCK_ASKED_MAX ||
	    wire_send(s->maker, &r, sizeof r, NULL, 0, &fd, fd == -1 ? 0 : 1) ==
		-1) {
		close_fd(&fd);
		return;
	}
	slot = &s->asked[(s->asked_first + s->asked_n++) % STOCK_ASKED_MAX];
	*slot = (struct stock_asked){.kind = kind, .fd = fd};
	s->coming[kind]++;
}

static void
refill(struct local_stock *s)
{
	for (int kind = 0; kind < NETNS_KINDS; kind++) {
		while (
		    s->wanted[kind] && s->maker != -1 &&
		    2 * (s->netns_n[kind] + s->coming[kind]) < s->netns_max &&
		    s->asked_n < STOCK_ASKED_MAX)
			ask_maker(s, NETNS_MAKE, (enum netns_kind)kind, -1);
	}
}

static void
put_on_shelf(struct local_stock *s, enum netns_kind kind, int fd)
{
	if (s->netns_n[kind] < s->netns_max)
		s->netns[kind][s->netns_n[kind]++] = fd;
	else
		close_fd(&fd);
}

static void
came(struct local_stock *s, const struct netns_answer *a, int fd)
{
	struct stock_asked *q = &s->asked[s->asked_first];
	int old = q->fd;

	s->asked_first = (s->asked_first + 1) % STOCK_ASKED_MAX;
	s->asked_n--;
	s->coming[q->kind]--;
	if (a->verb == NETNS_MAKE && a->os_errno != 0) {
		/* It will not get better by asking at once. */
		s->wanted[q->kind] = 0;
	} else if (a->verb == NETNS_MAKE && fd != -1)
		put_on_shelf(s, q->kind, fd);
	else if (a->verb == NETNS_CHECK && a->clean)
		put_on_shelf(s, q->kind, old);
	else
		close_fd(&old);
}

static void
maker_ready(struct loop_io *io, int want)
{
	struct local_stock *s = container_of(io, struct local_stock, maker_io);
	struct netns_answer a;
	int fd[WIRE_FDS_MAX];
	unsigned nfd;
	ssize_t n;

	(void)want;
	while ((n = wire_receive(s->maker, &a, sizeof a, fd, &nfd)) ==
	       (ssize_t)sizeof a) {
		if (s->asked_n == 0)
			break;
		came(s, &a, nfd > 0 ? fd[0] : -1);
	}
	if (n == -1 && errno == EAGAIN)
		refill(s);
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

int
local_stock_netns(struct local_host *h, enum netns_kind kind)
{
	struct local_stock *s = &h->stock;
	int fd = h->given_netns;

	h->given_netns = -1;
	if (fd != -1)
		return fd;
	if (s->netns_n[kind] > 0)
		fd = s->netns[kind][--s->netns_n[kind]];
	refill(s);
	return fd;
}

int
local_stock_make_netns(enum netns_kind kind)
{
	struct fault f;

	if (netns_enter(-1, kind, &f) == -1)
		return -1;
	return os->open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
}

void
local_stock_return_netns(struct local_host *h, enum netns_kind kind, int fd)
{
	struct local_stock *s = &h->stock;

	if (fd == -1)
		return;
	if (s->netns_n[kind] < s->netns_max)
		ask_maker(s, NETNS_CHECK, kind, fd);
	else
		close_fd(&fd);
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
	if (p->groups_n < h->stock.groups_max && cgroup_reuse(&h->cgroups, g)) {
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
	for (unsigned i = 0; i < h->profiles_n; i++)
		s->wanted[h->profile[i].box.network] = 1;
	if (s->netns_max > 0)
		start_maker(h);
	refill(s);
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

		while (p->groups_n > 0)
			cgroup_remove(&h->cgroups, &p->group[--p->groups_n]);
	}
}
