#include "sandbox/sandbox.h"

#include <string.h>

#include "config/manifest.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "sandbox/backend.h"
#include "sandbox/baseline.h"
#include "sandbox/layers.h"
#include "sandbox/remember.h"
#include "sandbox/warm.h"
#include "sandbox/workspace.h"

/*
 * Theory of operation
 *
 * A sandbox's state is what its owner may do with it.  MAKING until the
 * backend says it stands, FILLING while the manifest goes in, then READY.
 * Whatever breaks it makes it LOST: commands, verbs and owner are told, in
 * this order, and it waits to be given up.  ENDING ones have no owner any
 * more; the backend removes them and then they are freed.
 */

int
sandbox_host_init(struct sandbox_host *host, struct loop *loop,
    const struct backend_ops *backend,
    const struct sandbox_host_settings *settings, struct error *e)
{
	unsigned sandboxes = settings->sandboxes_max;
	unsigned commands = settings->commands_max;

	if (sandboxes == 0)
		sandboxes = 64;
	if (commands == 0)
		commands = 4 * sandboxes;
	host->magic = SANDBOX_HOST_MAGIC;
	host->backend = backend;
	host->loop = loop;
	list_init(&host->sandboxes);
	host->sandboxes_max = sandboxes;
	if (settings->layers != NULL)
		sandboxes += SANDBOXES_FILLING;
	sandboxes += warm_places(settings);
	host->received = pool_take(SCRATCH_BYTES, NULL);
	host->building = pool_take(SCRATCH_BYTES, NULL);
	host->streamed = pool_take(SCRATCH_BYTES, NULL);
	if (host->received == NULL || host->building == NULL ||
	    host->streamed == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for sandboxes");
		sandbox_host_release(host);
		return -1;
	}
	if (slab_init(&host->sandbox_slab, "sandboxes", backend->sandbox_bytes,
		sandboxes, e) == -1 ||
	    slab_init(&host->exec_slab, "commands", sizeof(struct exec),
		commands, e) == -1 ||
	    slab_init(&host->file_slab, "file verbs", sizeof(struct file_op),
		sandboxes * SANDBOX_OPS_MAX, e) == -1) {
		sandbox_host_release(host);
		return -1;
	}
	return 0;
}

void
sandbox_host_release(struct sandbox_host *host)
{
	CHECK_OBJ(host, SANDBOX_HOST_MAGIC);
	CHECK(host->sandboxes.length == 0);
	layers_free(host->layers);
	host->layers = NULL;
	warm_free(host->warm);
	host->warm = NULL;
	pool_give(host->received);
	pool_give(host->building);
	pool_give(host->streamed);
	slab_release(&host->sandbox_slab);
	slab_release(&host->exec_slab);
	slab_release(&host->file_slab);
	host->magic = 0;
}

void
sandbox_host_free(struct sandbox_host *host)
{
	if (host == NULL)
		return;
	CHECK_OBJ(host, SANDBOX_HOST_MAGIC);
	layers_stop(host->layers);
	warm_stop(host->warm);
	for (struct list_node *n = list_first(&host->sandboxes), *next;
	     n != NULL; n = next) {
		struct sandbox *sb = container_of(n, struct sandbox, link);

		next = list_next(&host->sandboxes, n);
		if (sb->state == SANDBOX_ENDING)
			sb->gone = NULL;
		else
			sandbox_destroy(sb);
		if (!sb->is_begun) {
			loop_undefer(&sb->removal);
			sandbox_removed(sb);
		}
	}
	host->backend->host_free(host);
}

unsigned
sandbox_host_live(const struct sandbox_host *host)
{
	CHECK_OBJ(host, SANDBOX_HOST_MAGIC);
	return host->sandboxes.length - warm_count(host->warm);
}

/* One that its backend never knew. */
static void
removal(struct loop_deferred *d)
{
	sandbox_removed(container_of(d, struct sandbox, removal));
}

static int
has_content(const struct sandbox_spec *spec)
{
	return spec->manifest != NULL && spec->manifest->entries_n > 0;
}

/* A warm one becomes somebody's: as if it had been made this moment. */
static void
hand_over(struct loop_deferred *d)
{
	sandbox_made(container_of(d, struct sandbox, handing));
}

static int
give_warm(struct sandbox *sb, const struct sandbox_spec *spec,
    const struct sandbox_ops *ops, void *owner, struct error *e)
{
	sb->manifest = spec->manifest;
	sb->remotes = spec->remotes;
	sb->ops = ops;
	sb->owner = owner;
	memset(sb->label, 0, sizeof sb->label);
	if (spec->label != NULL)
		strncpy(sb->label, spec->label, sizeof sb->label - 1);
	if (spec->remembers && has_content(spec) &&
	    (sb->before = baseline_new(e)) == NULL) {
		sandbox_destroy(sb);
		return -1;
	}
	sb->state = SANDBOX_MAKING;
	loop_defer(&sb->handing);
	return 0;
}

static struct sandbox *
new_sandbox(struct sandbox_host *host, const struct sandbox_spec *spec,
    const struct sandbox_ops *ops, void *owner, struct error *e)
{
	struct sandbox *sb = slab_take(&host->sandbox_slab);

	if (sb == NULL) {
		error_set(e, ERROR_FULL, 0, "as many sandboxes as may live");
		return NULL;
	}
	sb->magic = SANDBOX_MAGIC;
	sb->state = SANDBOX_MAKING;
	sb->host = host;
	sb->id = ++host->next_id;
	sb->profile = spec->profile;
	sb->manifest = spec->manifest;
	sb->remotes = spec->remotes;
	sb->ops = ops;
	sb->owner = owner;
	list_init(&sb->execs);
	list_init(&sb->files);
	loop_deferred_init(&sb->removal, host->loop, removal);
	loop_deferred_init(&sb->handing, host->loop, hand_over);
	list_append(&host->sandboxes, &sb->link);
	if (spec->label != NULL)
		strncpy(sb->label, spec->label, sizeof sb->label - 1);
	if (users_init(&sb->users, sb->profile, sb->manifest, spec->run_as,
		!host->backend->has_users(host), e) == 0 &&
	    (!spec->remembers || !has_content(spec) ||
		(sb->before = baseline_new(e)) != NULL))
		return sb;
	sandbox_removed(sb);
	return NULL;
}

/* Let its backend make it; -1 and *e. */
static int
begin(struct sandbox *sb, struct error *e)
{
	sb->is_begun = 1;
	if (sb->host->backend->create(sb, e) == 0)
		return 0;
	sb->is_begun = 0;
	return -1;
}

static void
layer_came(struct layer *layer, const struct error *error, void *owner)
{
	struct sandbox *sb = owner;
	struct error e;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	sb->wanting = NULL;
	sb->layer = layer;
	if (layer != NULL) {
		sb->layering = MOUNTS_ON_LAYER;
		strncpy(sb->layer_name, layer_name(layer),
		    sizeof sb->layer_name - 1);
	}
	if (error != NULL)
		sandbox_broke(sb, "fill the workspace", error);
	else if (begin(sb, &e) == -1)
		sandbox_broke(sb, "request", &e);
}

struct sandbox *
sandbox_create(struct sandbox_host *host, const struct sandbox_spec *spec,
    const struct sandbox_ops *ops, void *owner, struct error *e)
{
	struct sandbox *sb;
	int status = 0, is_plain;

	CHECK_OBJ(host, SANDBOX_HOST_MAGIC);
	if (sandbox_host_live(host) - host->filling >= host->sandboxes_max) {
		error_set(e, ERROR_FULL, 0, "as many sandboxes as may live");
		return NULL;
	}
	is_plain = !spec->layered || host->layers == NULL ||
		   !has_content(spec) ||
		   layers_trouble(host->layers)[0] != '\0';
	sb = is_plain ? warm_take(host->warm, spec) : NULL;
	if (sb != NULL)
		return give_warm(sb, spec, ops, owner, e) == 0 ? sb : NULL;
	sb = new_sandbox(host, spec, ops, owner, e);
	if (sb == NULL)
		return NULL;
	if (is_plain)
		status = begin(sb, e);
	else {
		sb->wanting = layers_want(
		    host->layers, sb->profile, sb->manifest, layer_came, sb, e);
		status = sb->wanting == NULL ? -1 : 0;
	}
	if (status == 0)
		return sb;
	sandbox_removed(sb);
	return NULL;
}

struct sandbox *
sandbox_create_filling(struct sandbox_host *host,
    const struct sandbox_spec *spec, const char *folder,
    const struct sandbox_ops *ops, void *owner, struct error *e)
{
	struct sandbox *sb = new_sandbox(host, spec, ops, owner, e);

	if (sb == NULL)
		return NULL;
	sb->layering = MOUNTS_FILL_LAYER;
	strncpy(sb->layer_name, folder, sizeof sb->layer_name - 1);
	host->filling++;
	if (begin(sb, e) == 0)
		return sb;
	sandbox_removed(sb);
	return NULL;
}

struct sandbox *
sandbox_create_warm(struct sandbox_host *host, const struct sandbox_spec *spec,
    const struct sandbox_ops *ops, void *owner, struct error *e)
{
	struct sandbox *sb = new_sandbox(host, spec, ops, owner, e);

	if (sb == NULL || begin(sb, e) == 0)
		return sb;
	sandbox_removed(sb);
	return NULL;
}

static void
forget_commands(struct sandbox *sb)
{
	struct list_node *n;

	while ((n = list_first(&sb->execs)) != NULL)
		exec_free(container_of(n, struct exec, link));
}

void
sandbox_destroy_then(struct sandbox *sb, sandbox_gone_fn *gone, void *owner)
{
	CHECK_OBJ(sb, SANDBOX_MAGIC);
	CHECK(sb->state != SANDBOX_ENDING);
	sb->state = SANDBOX_ENDING;
	sb->gone = gone;
	sb->gone_owner = owner;
	warm_forget(sb->host->warm, sb);
	loop_undefer(&sb->handing);
	workspace_cancel(sb->filling);
	sb->filling = NULL;
	remember_cancel(sb->remembering);
	sb->remembering = NULL;
	forget_commands(sb);
	file_ops_abandon(sb, NULL);
	layer_want_cancel(sb->wanting);
	sb->wanting = NULL;
	if (sb->is_begun)
		sb->host->backend->destroy(sb);
	else
		loop_defer(&sb->removal);
}

void
sandbox_destroy(struct sandbox *sb)
{
	if (sb != NULL)
		sandbox_destroy_then(sb, NULL, NULL);
}

const char *
sandbox_failed_step(const struct sandbox *sb)
{
	CHECK_OBJ(sb, SANDBOX_MAGIC);
	return sb->failed_step;
}

int
sandbox_act_as(struct sandbox *sb, const char *user, struct error *e)
{
	CHECK_OBJ(sb, SANDBOX_MAGIC);
	if (user != NULL)
		return users_find(&sb->users, user, &sb->users.acting, e);
	sb->users.acting = 0;
	return 0;
}

void
sandbox_add_commit(struct sandbox *sb, const char *path, struct span commit)
{
	struct sandbox_commit *c = &sb->commit[sb->commits_n];
	size_t n =
	    commit.n < sizeof c->commit ? commit.n : sizeof c->commit - 1;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	CHECK(sb->commits_n < SANDBOX_COMMITS_MAX);
	c->path = path;
	memcpy(c->commit, commit.p, n);
	c->commit[n] = '\0';
	sb->commits_n++;
}

unsigned
sandbox_commits(const struct sandbox *sb, const struct sandbox_commit **out)
{
	CHECK_OBJ(sb, SANDBOX_MAGIC);
	*out = sb->commit;
	return sb->commits_n;
}

void
sandbox_facts(const struct sandbox *sb, struct sandbox_facts *out)
{
	CHECK_OBJ(sb, SANDBOX_MAGIC);
	*out = (struct sandbox_facts){0};
	sb->host->backend->facts(sb, out);
}

/* ------------------------------------------------------------ from backends */

static void
remembered(const struct error *error, void *owner)
{
	struct sandbox *sb = owner;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	sb->remembering = NULL;
	if (error != NULL && (error->code != ERROR_TOO_BIG ||
				 sb->layering == MOUNTS_FILL_LAYER)) {
		sandbox_broke(sb, "look at the workspace", error);
		return;
	}
	if (error != NULL) {
		/* Nothing is wrong with it; what changes will not be known. */
		baseline_drop(sb->before);
		sb->before = NULL;
		sb->is_forgetful = 1;
	}
	if (sb->layer != NULL && sb->before != NULL) {
		layer_set_files(sb->layer, sb->before);
		sb->filled_ns = baseline_last_ns(sb->before);
	}
	sb->state = SANDBOX_READY;
	sb->ops->created(sb, NULL, sb->owner);
}

/* Somebody has looked at what it begins with. */
static int
knows_layer(struct sandbox *sb)
{
	if (sb->layer == NULL || layer_files(sb->layer) == NULL)
		return 0;
	baseline_drop(sb->before);
	sb->before = baseline_hold(layer_files(sb->layer));
	return 1;
}

static void
filled(const struct error *error, int64_t last_change_ns, void *owner)
{
	struct sandbox *sb = owner;
	struct error e;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	sb->filling = NULL;
	sb->filled_ns = last_change_ns;
	if (error != NULL)
		sandbox_broke(sb, "fill the workspace", error);
	else if (sb->before == NULL || knows_layer(sb))
		remembered(NULL, sb);
	else {
		sb->remembering = remember_start(
		    sb->host->loop, sb, sb->before, remembered, sb, &e);
		if (sb->remembering == NULL)
			remembered(&e, sb);
	}
}

void
sandbox_made(struct sandbox *sb)
{
	struct error e;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	if (sb->state != SANDBOX_MAKING)
		return;
	sb->state = SANDBOX_FILLING;
	if (sb->manifest == NULL || sb->manifest->entries_n == 0 ||
	    sb->layering == MOUNTS_ON_LAYER) {
		filled(NULL, 0, sb);
		return;
	}
	sb->filling = workspace_start(
	    sb->host->loop, sb, sb->manifest, sb->remotes, filled, sb, &e);
	if (sb->filling == NULL)
		filled(&e, 0, sb);
}

static void
tell_commands(struct sandbox *sb, const struct error *error)
{
	struct list_node *n;

	while ((n = list_first(&sb->execs)) != NULL)
		exec_lost(container_of(n, struct exec, link), error);
}

void
sandbox_broke(struct sandbox *sb, const char *step, const struct error *error)
{
	int was_made = sb->state == SANDBOX_READY;
	struct error e = *error;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	if (sb->state == SANDBOX_LOST || sb->state == SANDBOX_ENDING)
		return;
	sb->state = SANDBOX_LOST;
	strncpy(sb->failed_step, step, sizeof sb->failed_step - 1);
	loop_undefer(&sb->handing);
	workspace_cancel(sb->filling);
	sb->filling = NULL;
	remember_cancel(sb->remembering);
	sb->remembering = NULL;
	/* Owners may give the sandbox up while they are told. */
	while (sb->state == SANDBOX_LOST && sb->execs.length > 0)
		tell_commands(sb, &e);
	if (sb->state == SANDBOX_LOST)
		file_ops_abandon(sb, &e);
	if (sb->state != SANDBOX_LOST)
		return;
	if (!was_made)
		sb->ops->created(sb, &e, sb->owner);
	else
		sb->ops->lost(sb, &e, sb->owner);
}

void
sandbox_removed(struct sandbox *sb)
{
	sandbox_gone_fn *gone = sb->gone;
	void *owner = sb->gone_owner;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	list_remove(&sb->host->sandboxes, &sb->link);
	if (sb->layering == MOUNTS_FILL_LAYER)
		sb->host->filling--;
	layer_drop(sb->layer);
	baseline_drop(sb->before);
	sb->magic = 0;
	slab_give(&sb->host->sandbox_slab, sb);
	if (gone != NULL)
		gone(owner);
}

struct exec *
sandbox_exec_by_id(struct sandbox *sb, uint32_t id)
{
	for (struct list_node *n = list_first(&sb->execs); n != NULL;
	     n = list_next(&sb->execs, n)) {
		struct exec *x = container_of(n, struct exec, link);

		if (x->id == id)
			return x;
	}
	return NULL;
}
