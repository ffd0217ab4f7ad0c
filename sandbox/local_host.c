#include "sandbox/local_private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "sandbox/layers.h"
#include "sandbox/standins.h"
#include "sandbox/warm.h"
#include "sandbox/zygote.h"

/*
 * Theory of operation
 *
 * A host is made in an order that lets the zygote build its tree while the
 * engine finds out about control groups and makes what else is needed; only
 * then is its answer waited for.  Everything a profile asks for is decided
 * here, once: what cannot be had refuses the host.
 */

#define PREPARE_MS 20000
#define FREE_MS 5000
#define KILLED_MS 1000

static const struct backend_ops local_ops;

unsigned
local_limits_met(struct sandbox *sb)
{
	struct local *l = local_of(sb);
	struct cgroup_events now = {0};
	unsigned met = 0;

	if (l->cgroup.name[0] == '\0')
		return 0;
	cgroup_events(&l->host->cgroups, &l->cgroup, &now);
	if (now.oom_kills > l->seen.oom_kills)
		met |= 1u << VERDICT_OOM;
	if (now.pids_denied > l->seen.pids_denied)
		met |= 1u << VERDICT_PIDS;
	l->seen = now;
	return met;
}

static void
local_facts(const struct sandbox *sb, struct sandbox_facts *out)
{
	const struct local *l = container_of(sb, struct local, base);

	*out = (struct sandbox_facts){
	    .profile = l->profile->profile->name,
	    .digest = l->profile->digest,
	    .rootfs = l->profile->rootfs,
	    .network =
		l->profile->box.network == NETNS_LOOPBACK ? "loopback" : "none",
	    .cgroup = cgroup_kind_name(l->host->cgroups.kind),
	    .workspace =
		l->base.layering == MOUNTS_ON_LAYER ? "layered" : "plain",
	    .no_layers = l->base.host->layers != NULL
			     ? layers_trouble(l->base.host->layers)
			     : "not asked for",
	    .seccomp = l->profile->box.seccomp,
	    .landlock = l->profile->box.landlock_abi,
	    .user_namespace = 1,
	};
}

static void
free_host(struct local_host *h)
{
	if (!h->zygote->single)
		loop_io_want(&h->zygote_io, LOOP_NOTHING);
	loop_timer_stop(&h->bury_timer);
	local_stock_stop(h);
	cgroup_host_close(&h->cgroups, 1000);
	map_release(&h->by_id);
	sandbox_host_release(&h->base);
	pool_give(h->profile);
	pool_give(h);
}

/*
 * Wait until the zygote is dead, and listen: it tells every death, and would
 * stand still when nobody took its words.
 */
static void
await_death(struct zygote *z, uint64_t until_us)
{
	struct pollfd p[2] = {{.fd = z->pidfd, .events = POLLIN},
	    {.fd = z->fd, .events = POLLIN}};
	struct zygote_answer a;
	int fd[WIRE_FDS_MAX];
	unsigned nfd;

	while (p[0].revents == 0 && os->now_us() < until_us) {
		poll(p, 2, 100);
		if (p[1].revents == 0)
			continue;
		if (wire_receive(z->fd, &a, sizeof a, fd, &nfd) <= 0)
			p[1].fd = -1;
		while (nfd > 0)
			os->close(fd[--nfd]);
	}
}

/* A zygote that was killed could not tidy the caller's folder up. */
static void
sweep_workspace(const struct local_host *h)
{
	struct standins s;

	if (h->workspace == NULL)
		return;
	memset(&s, 0, sizeof s);
	for (unsigned i = 0; i < h->profiles_n; i++)
		standins_sweep(&s, &h->profile[i].box, h->workspace);
}

/*
 * Every sandbox was told to end.  The end of our socket makes the zygote kill
 * what is left, reap it and leave, so its death is the death of all.
 */
static void
local_host_free(struct sandbox_host *host)
{
	struct local_host *h = local_host_of(host);
	uint64_t until = os->now_us() + (uint64_t)FREE_MS * 1000;
	struct list_node *n;

	local_stock_stop(h); /* the zygote waits for the maker as well */
	loop_io_want(&h->zygote_io, LOOP_NOTHING);
	shutdown(h->zygote->fd, SHUT_WR);
	await_death(h->zygote, until);
	/* Somebody has stopped it: then what it holds must be let go of. */
	syscall(SYS_pidfd_send_signal, h->zygote->pidfd, SIGKILL, NULL, 0);
	await_death(h->zygote, until + KILLED_MS * 1000);
	h->zygote_gone = 1;
	while ((n = list_first(&h->base.sandboxes)) != NULL) {
		struct local *l =
		    local_of(container_of(n, struct sandbox, link));

		local_died(l);
		while (!local_bury(l) && os->now_us() < until)
			poll(NULL, 0, 1);
		loop_undefer(&l->removal);
		loop_undefer(&l->refusal);
		sandbox_removed(&l->base);
	}
	sweep_workspace(h);
	free_host(h);
}

/* Ask for the zygote's tree; it is built while we do other things. */
static int
prepare_zygote(
    struct local_host *h, const struct local_trees *t, struct error *e)
{
	struct zygote_prepare m = {
	    .head = {.bytes = sizeof m, .verb = ZYGOTE_PREPARE},
	    .privileged = (uint32_t)h->features.root,
	    .trees_n = t->n,
	    .read_only = t->read_only};
	char *text = h->base.building;

	for (unsigned i = 0; i < t->n; i++) {
		size_t n = strlen(t->path[i]) + 1;

		if (m.text_bytes + n > SCRATCH_BYTES / 2)
			return error_set(e, ERROR_CONFIG, 0,
			    "the paths of binds are too long");
		memcpy(text + m.text_bytes, t->path[i], n);
		m.text_bytes += (uint32_t)n;
	}
	if (wire_send(
		h->zygote->fd, &m, sizeof m, text, m.text_bytes, NULL, 0) == -1)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
		    "sandbox: talk to the zygote");
	return 0;
}

static int
await_prepared(struct local_host *h, struct error *e)
{
	struct pollfd p = {.fd = h->zygote->fd, .events = POLLIN};
	struct zygote_answer a;
	unsigned nfd;
	int fd[WIRE_FDS_MAX];

	if (h->zygote->single)
		return 0; /* pid 1 says so when it is ready, or not */
	if (poll(&p, 1, PREPARE_MS) != 1 ||
	    wire_receive(h->zygote->fd, &a, sizeof a, fd, &nfd) != sizeof a)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
		    "sandbox: talk to the zygote");
	if (a.fault.step[0] != '\0')
		return fault_to_error(&a.fault, e);
	return 0;
}

static int
send_profile(struct local_host *h, struct local_profile *p, struct error *e)
{
	struct zygote_profile *m = (void *)h->base.building;
	size_t n = offsetof(struct zygote_profile, program) +
		   seccomp_program_bytes(&p->program);

	_Static_assert(sizeof *m <= SCRATCH_BYTES, "a profile is one message");
	m->head = (struct wire_head){.bytes = sizeof *m,
	    .verb = ZYGOTE_PROFILE,
	    .id = (uint32_t)(p - h->profile)};
	m->box = p->box;
	memcpy(&m->program, &p->program, seccomp_program_bytes(&p->program));
	if (wire_send(h->zygote->fd, m, n, NULL, 0, NULL, 0) == -1 &&
	    !(errno == EPIPE && h->zygote->single))
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
		    "sandbox: talk to the zygote");
	return 0;
}

static int
fill_host(struct local_host *h, const struct sandbox_host_settings *settings,
    struct error *e)
{
	struct local_trees trees = {0};
	size_t bytes = settings->profiles_n * sizeof *h->profile;

	if (settings->profiles_n == 0 ||
	    settings->profiles_n > WIRE_PROFILES_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "between 1 and %d profiles at a time", WIRE_PROFILES_MAX);
	h->profile = pool_take(bytes, NULL);
	if (h->profile == NULL)
		return error_set(e, ERROR_FULL, 0, "memory for profiles");
	for (unsigned i = 0; i < settings->profiles_n; i++)
		memset(
		    &h->profile[i], 0, offsetof(struct local_profile, group));
	for (unsigned i = 0; i < settings->profiles_n; i++) {
		h->profile[i].profile = settings->profiles[i];
		if (local_box_fill(h, &h->profile[i], settings, &trees, e) ==
		    -1)
			return -1;
	}
	h->profiles_n = settings->profiles_n;
	if (prepare_zygote(h, &trees, e) == -1 ||
	    cgroup_host_open(&h->cgroups, settings->sandboxes_max == 1, e) ==
		-1)
		return -1;
	for (unsigned i = 0; i < h->profiles_n; i++) {
		if (local_box_limit(h, &h->profile[i], e) == -1)
			return -1;
	}
	if (settings->gives_network && h->features.root)
		h->given_netns = local_stock_make_netns(
		    (enum netns_kind)h->profile[0].box.network);
	if (await_prepared(h, e) == -1)
		return -1;
	for (unsigned i = 0; i < h->profiles_n; i++) {
		if (send_profile(h, &h->profile[i], e) == -1)
			return -1;
	}
	return 0;
}

/* Pipes, sockets, pidfds and groups take a dozen descriptors a sandbox. */
static void
raise_descriptor_limit(unsigned sandboxes)
{
	struct rlimit r;

	if (sandboxes > 16 && getrlimit(RLIMIT_NOFILE, &r) == 0 &&
	    r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

struct sandbox_host *
sandbox_host_new(struct loop *loop, struct zygote *zygote,
    const struct sandbox_host_settings *settings, struct error *e)
{
	struct local_host *h = pool_take(sizeof *h, NULL);
	unsigned sandboxes =
	    settings->sandboxes_max > 0 ? settings->sandboxes_max : 64;

	if (h == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for sandboxes");
		return NULL;
	}
	memset(h, 0, offsetof(struct local_host, stock.asked));
	if (sandbox_host_init(&h->base, loop, &local_ops, settings, e) == -1) {
		pool_give(h);
		return NULL;
	}
	h->zygote = zygote;
	h->workspace = settings->workspace;
	h->stock.maker = h->given_netns = -1;
	h->uid_base = (uid_t)1 << 30 | (uid_t)(getpid() & 0x7fff) << 15;
	list_init(&h->unsent);
	loop_io_init(&h->zygote_io, loop, zygote->fd, local_zygote_ready);
	loop_timer_init(&h->bury_timer, loop, local_bury_expired);
	raise_descriptor_limit(sandboxes);
	features_probe(&h->features);
	if (map_init(&h->by_id,
		sandboxes + SANDBOXES_FILLING + warm_places(settings),
		e) == -1 ||
	    fill_host(h, settings, e) == -1) {
		free_host(h);
		return NULL;
	}
	if (settings->layers != NULL) {
		h->base.layers = layers_new(&h->base, settings->layers, e);
		if (h->base.layers == NULL) {
			free_host(h);
			return NULL;
		}
	}
	local_stock_start(h, settings);
	h->base.warm = warm_new(&h->base, settings);
	if (!zygote->single)
		loop_io_want(&h->zygote_io, LOOP_READ);
	return &h->base;
}

static int
local_has_users(const struct sandbox_host *host)
{
	const struct local_host *h =
	    container_of(host, struct local_host, base);

	return h->features.root;
}

static const struct backend_ops local_ops = {
    .name = "local",
    .has_users = local_has_users,
    .sandbox_bytes = sizeof(struct local),
    .create = local_create,
    .exec = local_exec,
    .signal = local_signal,
    .file = local_file,
    .kill = local_kill,
    .destroy = local_destroy,
    .limits_met = local_limits_met,
    .facts = local_facts,
    .host_free = local_host_free,
};
