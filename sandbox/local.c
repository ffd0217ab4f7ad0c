#include "sandbox/local_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/os.h"
#include "sandbox/zygote.h"

/*
 * Theory of operation
 *
 * The engine's side of sandboxes on this machine.  A request goes to the
 * zygote with what the new pid 1 needs; the zygote answers CREATED with its
 * pidfd, pid 1 itself says READY on its own socket, and when the zygote has
 * reaped it, it says GONE.  Only then are the group removed and the sandbox
 * forgotten, so that nothing of it is left when its owner is told.
 *
 * Ending one: its socket is closed, which a healthy pid 1 takes as the end,
 * and it is killed by its pidfd, which no other can withstand.  The pid
 * namespace dies with it.
 *
 * A dead zygote is the end of the host: every sandbox dies with it (it is
 * their parent-death signal), is killed by its pidfd again to be sure, and
 * counts as reaped.
 */

#define MAKING_MS 20000 /* a sandbox not built by then is given up */

/* Further users and groups: of each sandbox, in each engine's 65536. */
#define MORE_IDS 32
#define MORE_SANDBOXES (65536 / MORE_IDS)

static void
close_fd(int *fd)
{
	if (*fd != -1)
		os->close(*fd);
	*fd = -1;
}

static void
kill_init(struct local *l)
{
	if (l->pidfd != -1)
		syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0);
	if (l->cgroup.name[0] != '\0')
		cgroup_kill(&l->host->cgroups, &l->cgroup);
}

/* ----------------------------------------------------------------- removal */

static void
removal(struct loop_deferred *d)
{
	struct local *l = container_of(d, struct local, removal);

	CHECK(l->phase == LOCAL_BURIED);
	sandbox_removed(&l->base);
}

static void
finish_removal(struct local *l)
{
	if (l->phase == LOCAL_BURIED && l->base.state == SANDBOX_ENDING)
		loop_defer(&l->removal);
}

/* Remove what the kernel lets go of; 1 when nothing is left. */
int
local_bury(struct local *l)
{
	if (l->phase == LOCAL_DEAD &&
	    local_stock_return_cgroup(l->host, l->profile, &l->cgroup)) {
		l->phase = LOCAL_BURIED;
		finish_removal(l);
	}
	return l->phase == LOCAL_BURIED;
}

void
local_bury_expired(struct loop_timer *t)
{
	struct local_host *h = container_of(t, struct local_host, bury_timer);
	int again = 0;

	for (struct list_node *n = list_first(&h->base.sandboxes); n != NULL;
	     n = list_next(&h->base.sandboxes, n)) {
		struct local *l =
		    local_of(container_of(n, struct sandbox, link));

		if (l->phase == LOCAL_DEAD)
			again |= !local_bury(l);
	}
	if (again)
		loop_timer_start(t, LOCAL_BURY_MS);
}

/* Pid 1 was reaped, or never was. */
void
local_died(struct local *l)
{
	if (l->phase >= LOCAL_DEAD)
		return;
	l->phase = LOCAL_DEAD;
	if (l->host->zygote->single)
		loop_io_want(&l->corpse, LOOP_NOTHING);
	map_remove(&l->host->by_id, l->base.id);
	close_fd(&l->pidfd);
	local_stock_return(l->host, l);
	if (!local_bury(l) && !loop_timer_is_active(&l->host->bury_timer))
		loop_timer_start(&l->host->bury_timer, LOCAL_BURY_MS);
}

void
local_made(struct local *l)
{
	if (!l->is_making)
		return;
	l->is_making = 0;
	loop_timer_stop(&l->making);
	l->host->making--;
	local_stock_refill(l->host);
}

void
local_broke(struct local *l, const char *step, const struct error *e)
{
	local_made(l);
	local_hang_up(l);
	kill_init(l);
	sandbox_broke(&l->base, step, e);
}

void
local_kill(struct sandbox *sb)
{
	struct local *l = local_of(sb);
	struct error e;

	error_set(&e, ERROR_SANDBOX_LOST, 0,
	    "the sandbox did not obey and was killed");
	local_broke(l, "", &e);
}

void
local_destroy(struct sandbox *sb)
{
	struct local *l = local_of(sb);

	local_made(l);
	loop_undefer(&l->refusal);
	local_hang_up(l);
	kill_init(l);
	if (l->phase == LOCAL_UNSENT) {
		list_remove(&l->host->unsent, &l->unsent);
		close_fd(&l->child_sock);
		local_died(l);
	}
	finish_removal(l);
}

/* ------------------------------------------------------- the zygote's words */

static void
came_created(struct local *l, const struct zygote_answer *a, int *fd)
{
	struct fault f = a->fault;
	struct error e;

	if (f.step[0] != '\0') {
		f.step[sizeof f.step - 1] = '\0';
		fault_to_error(&f, &e);
		local_died(l);
		local_broke(l, f.step, &e);
		return;
	}
	l->phase = LOCAL_BORN;
	l->pidfd = *fd;
	*fd = -1;
	if (l->pidfd == -1) {
		/* Without it we could not be sure to kill it. */
		error_set(&e, ERROR_SANDBOX_UNAVAILABLE, EMFILE,
		    "sandbox: receive its pidfd");
		local_broke(l, "request", &e);
		return;
	}
	if (l->base.state >= SANDBOX_LOST)
		kill_init(l);
	else if (l->in_doubt)
		local_lost(l, "the sandbox has ended");
}

static void
came_gone(struct local *l)
{
	struct error e;

	if (l->base.state < SANDBOX_LOST) {
		error_set(&e,
		    l->base.state == SANDBOX_MAKING ? ERROR_SANDBOX_UNAVAILABLE
						    : ERROR_SANDBOX_LOST,
		    0, "the sandbox has ended");
		/* Its last words are read first. */
		if (l->sock != -1)
			l->io.ready(&l->io, LOOP_READ);
		if (l->base.state < SANDBOX_LOST)
			local_broke(l, "ready", &e);
	}
	local_died(l);
}

static struct local *
by_id(struct local_host *h, uint32_t id)
{
	return map_get(&h->by_id, id);
}

static void
zygote_died(struct local_host *h)
{
	struct error e;

	if (h->zygote_gone)
		return;
	h->zygote_gone = 1;
	loop_io_want(&h->zygote_io, LOOP_NOTHING);
	for (struct list_node *n = list_first(&h->base.sandboxes); n != NULL;
	     n = list_next(&h->base.sandboxes, n)) {
		struct local *l =
		    local_of(container_of(n, struct sandbox, link));

		if (!l->base.is_begun)
			continue; /* it waits for a layer, and will hear */
		error_set(&e, ERROR_SANDBOX_LOST, 0,
		    "the process that sandboxes are forked from has died");
		if (l->base.state < SANDBOX_LOST)
			local_broke(l, "zygote", &e);
		if (l->phase == LOCAL_UNSENT) {
			list_remove(&h->unsent, &l->unsent);
			close_fd(&l->child_sock);
		}
		local_died(l);
	}
}

/* Read one message of the zygote; 0 when there is none. */
static int
hear_zygote(struct local_host *h)
{
	struct zygote_answer a;
	struct local *l;
	int fd[WIRE_FDS_MAX];
	unsigned nfd;
	ssize_t n = wire_receive(h->zygote->fd, &a, sizeof a, fd, &nfd);

	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n != sizeof a) {
		zygote_died(h);
		return 0;
	}
	l = by_id(h, a.head.id);
	if (nfd == 0)
		fd[0] = -1;
	if (l != NULL && a.head.verb == ZYGOTE_CREATED)
		came_created(l, &a, &fd[0]);
	if (l != NULL && a.head.verb == ZYGOTE_GONE)
		came_gone(l);
	if (fd[0] != -1)
		os->close(fd[0]);
	return 1;
}

static void send_requests(struct local_host *h);

void
local_zygote_ready(struct loop_io *io, int want)
{
	struct local_host *h = container_of(io, struct local_host, zygote_io);

	if ((want & LOOP_READ) != 0) {
		for (int i = 0; i < 256 && !h->zygote_gone; i++) {
			if (!hear_zygote(h))
				break;
		}
	}
	if (h->unsent.length > 0 && !h->zygote_gone)
		send_requests(h);
}

/* ---------------------------------------------------------------- creation */

static void
corpse_ready(struct loop_io *io, int want)
{
	struct local *l = container_of(io, struct local, corpse);

	(void)want;
	came_gone(l);
}

/* The zygote becomes this sandbox's pid 1. */
static void
become_init(struct local *l)
{
	l->phase = LOCAL_BORN;
	loop_io_init(&l->corpse, l->host->base.loop, l->pidfd, corpse_ready);
	loop_io_want(&l->corpse, LOOP_READ);
}

/* What /etc says of users, when that is not what it says anyway. */
static size_t
add_users(const struct local *l, struct zygote_create *m, char *texts)
{
	size_t group, n;

	if (users_are_plain(&l->base.users))
		return 0;
	n = users_write(&l->base.users, texts, &group);
	m->passwd_bytes = (uint32_t)group;
	m->group_bytes = (uint32_t)(n - group);
	return n;
}

static void
add_stage(
    const struct local *l, struct zygote_create *m, int *fd, unsigned *nfd)
{
	_Static_assert(2 + STAGE_FDS - 1 + CGROUP_FDS_MAX <= WIRE_FDS_MAX,
	    "a request's descriptors go in one message");
	if (l->stage.fd[STAGE_MOUNTS] == -1)
		return;
	fd[(*nfd)++] = l->stage.fd[STAGE_MOUNTS];
	fd[(*nfd)++] = l->stage.fd[STAGE_IPC];
	m->head.flags |= CREATE_STAGE;
	if (l->stage.fd[STAGE_OURS] == -1)
		return;
	fd[(*nfd)++] = l->stage.fd[STAGE_OURS];
	m->head.flags |= CREATE_OURS;
}

/* 0: sent.  1: not now.  -1 and *e: never. */
static int
send_request(struct local *l, struct error *e)
{
	struct local_host *h = l->host;
	struct zygote_create m = {.head = {.bytes = sizeof m,
				      .verb = ZYGOTE_CREATE,
				      .id = l->base.id},
	    .profile = (uint32_t)(l->profile - h->profile),
	    .ids = l->ids};
	int fd[WIRE_FDS_MAX], groups = 0, failed;
	char texts[USERS_TEXT_MAX];
	unsigned nfd = 0;

	m.layering = l->base.layering;
	memcpy(m.layer, l->base.layer_name, sizeof m.layer);
	if (!h->zygote->single)
		fd[nfd++] = l->child_sock;
	if (l->netns != -1) {
		fd[nfd++] = l->netns;
		m.head.flags |= CREATE_NETNS;
	}
	add_stage(l, &m, fd, &nfd);
	if (l->cgroup.name[0] != '\0') {
		groups =
		    cgroup_attach_fds(&h->cgroups, &l->cgroup, fd + nfd, e);
		if (groups == -1)
			return -1;
		nfd += (unsigned)groups;
		if (h->cgroups.kind == CGROUP_V2 && !h->cgroups.single)
			m.head.flags |= CREATE_CGROUP_V2;
	}
	m.cgroups_n = (uint32_t)groups;
	failed = wire_send(h->zygote->fd, &m, sizeof m, texts,
		     add_users(l, &m, texts), fd, nfd) == -1
		     ? errno
		     : 0;
	if (failed == EAGAIN || failed == ETOOMANYREFS || failed == ENOBUFS)
		return 1;
	/* When the only one has failed already, its own words say why. */
	if (failed != 0 && !(failed == EPIPE && h->zygote->single))
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, failed,
		    "sandbox: ask the zygote");
	close_fd(&l->child_sock);
	l->phase = LOCAL_ASKED;
	if (h->zygote->single)
		become_init(l);
	return 0;
}

static void
send_requests(struct local_host *h)
{
	/* Of a zygote that becomes pid 1 the sandbox's own socket hears. */
	const int hears = h->zygote->single ? LOOP_NOTHING : LOOP_READ;
	struct list_node *n;
	struct error e;

	while ((n = list_first(&h->unsent)) != NULL) {
		struct local *l = container_of(n, struct local, unsent);
		int sent = send_request(l, &e);

		if (sent == 1) {
			loop_io_want(&h->zygote_io, hears | LOOP_WRITE);
			return;
		}
		list_remove(&h->unsent, n);
		if (sent == -1) {
			close_fd(&l->child_sock);
			local_died(l);
			l->refused = e;
			loop_defer(&l->refusal);
		}
	}
	loop_io_want(&h->zygote_io, hears);
}

/* Told later: sandbox_create() may still be running. */
static void
refusal(struct loop_deferred *d)
{
	struct local *l = container_of(d, struct local, refusal);

	local_broke(l, "request", &l->refused);
}

static void
making_expired(struct loop_timer *t)
{
	struct local *l = container_of(t, struct local, making);
	struct error e;

	error_set(&e, ERROR_SANDBOX_UNAVAILABLE, ETIMEDOUT,
	    "sandbox: pid 1 was not ready after %d s", MAKING_MS / 1000);
	local_broke(l, "ready", &e);
}

static struct local_profile *
find_profile(struct local_host *h, const struct profile *p)
{
	for (unsigned i = 0; i < h->profiles_n; i++) {
		if (h->profile[i].profile == p)
			return &h->profile[i];
	}
	return NULL;
}

struct userns_ids
local_ids(
    const struct local_host *h, const struct local_profile *p, unsigned place)
{
	struct userns_ids ids = {
	    .uid = (uid_t)p->profile->uid, .gid = (gid_t)p->profile->uid};

	if (h->features.root) {
		ids.host_uid = h->uid_base + place;
		ids.host_gid = ids.host_uid;
	} else {
		ids.host_uid = geteuid();
		ids.host_gid = getegid();
		ids.outer = 1;
	}
	return ids;
}

static void
choose_ids(struct local *l)
{
	struct local_host *h = l->host;
	unsigned slot =
	    (unsigned)(((char *)l - h->base.sandbox_slab.memory) /
		       (ptrdiff_t)h->base.sandbox_slab.object_bytes);

	l->ids = local_ids(h, l->profile, slot % UIDS_OF_SLOTS);
	if (!h->features.root)
		return;
	l->ids.more = users_more(&l->base.users);
	l->ids.more_host = (uid_t)1 << 31 | (h->uid_base & 0x3fff8000) << 1 |
			   slot % MORE_SANDBOXES * MORE_IDS;
}

/* Our end and pid 1's, which has its own already when it was the zygote. */
static int
make_sockets(struct local *l, int pair[2], struct error *e)
{
	const struct zygote *z = l->host->zygote;

	if (!z->single) {
		if (os->socketpair(
			AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0)
			return 0;
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
		    "sandbox: make a socket pair");
	}
	pair[1] = -1;
	pair[0] = fcntl(z->fd, F_DUPFD_CLOEXEC, 3);
	l->pidfd = pair[0] == -1 ? -1 : fcntl(z->pidfd, F_DUPFD_CLOEXEC, 3);
	if (l->pidfd != -1)
		return 0;
	error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
	    "sandbox: hold the zygote's descriptors");
	close_fd(&pair[0]);
	return -1;
}

int
local_create(struct sandbox *sb, struct error *e)
{
	struct local *l = local_of(sb);
	struct local_host *h = local_host_of(sb->host);
	int pair[2], size = 1 << 20, failed = 0;

	l->host = h;
	l->sock = l->pidfd = l->child_sock = l->netns = -1;
	l->stage = local_no_stage;
	list_init(&l->outgoing);
	loop_timer_init(&l->making, h->base.loop, making_expired);
	loop_deferred_init(&l->removal, h->base.loop, removal);
	loop_deferred_init(&l->refusal, h->base.loop, refusal);
	l->profile = find_profile(h, sb->profile);
	CHECK(l->profile != NULL);
	choose_ids(l);
	if (h->zygote_gone)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, 0,
		    "sandbox: the zygote has died");
	if (make_sockets(l, pair, e) == -1)
		return -1;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1)
		failed = error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
		    "sandbox: set its socket");
	if (failed || local_stock_cgroup(h, l->profile, &l->cgroup, e) == -1) {
		close_fd(&pair[0]);
		close_fd(&pair[1]);
		close_fd(&l->pidfd);
		return -1;
	}
	CHECK(map_put(&h->by_id, sb->id, l) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	l->sock = pair[0];
	l->child_sock = pair[1];
	local_stock_take(h, l);
	local_listen(l);
	loop_timer_start(&l->making, MAKING_MS);
	l->is_making = 1;
	h->making++;
	list_append(&h->unsent, &l->unsent);
	if (h->unsent.length == 1)
		send_requests(h);
	return 0;
}
