#include "sandbox/warm.h"

#include <string.h>

#include "config/manifest.h"
#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "sandbox/backend.h"

#define WARM_MAGIC 0x5a4d8037
#define AFTER_FAILURE_MS 1000
#define PROFILES_MAX 16

struct warm {
	unsigned magic;
	struct sandbox_host *host;
	unsigned wanted; /* of each profile */
	unsigned profiles_n;
	const struct profile *profile[PROFILES_MAX];
	struct list ready;      /* struct sandbox, by warm_link */
	struct sandbox *making; /* or NULL */
	struct loop_timer timer;
};

static unsigned
wanted(const struct sandbox_host_settings *settings)
{
	return settings->warm < WARM_MAX ? settings->warm : WARM_MAX;
}

unsigned
warm_places(const struct sandbox_host_settings *settings)
{
	return wanted(settings) * settings->profiles_n;
}

unsigned
warm_count(const struct warm *w)
{
	return w == NULL ? 0 : w->ready.length + (w->making != NULL);
}

static unsigned
ready_of(const struct warm *w, const struct profile *p)
{
	unsigned n = 0;

	for (struct list_node *i = list_first(&w->ready); i != NULL;
	     i = list_next(&w->ready, i))
		n += container_of(i, struct sandbox, warm_link)->profile == p;
	return n;
}

static const struct profile *
missing(const struct warm *w)
{
	for (unsigned i = 0; i < w->profiles_n; i++) {
		if (ready_of(w, w->profile[i]) < w->wanted)
			return w->profile[i];
	}
	return NULL;
}

void
warm_forget(struct warm *w, struct sandbox *sb)
{
	if (w == NULL)
		return;
	CHECK_OBJ(w, WARM_MAGIC);
	if (w->making == sb)
		w->making = NULL;
	if (list_is_linked(&sb->warm_link))
		list_remove(&w->ready, &sb->warm_link);
}

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	struct warm *w = owner;

	CHECK_OBJ(w, WARM_MAGIC);
	w->making = NULL;
	if (error == NULL) {
		list_append(&w->ready, &sb->warm_link);
		loop_timer_start(&w->timer, 1);
		return;
	}
	sandbox_destroy(sb);
	loop_timer_start(&w->timer, AFTER_FAILURE_MS);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	struct warm *w = owner;

	(void)error;
	sandbox_destroy(sb);
	loop_timer_start(&w->timer, AFTER_FAILURE_MS);
}

/* Is somebody waiting for a sandbox of his own? */
static int
is_busy(const struct warm *w)
{
	const struct list *all = &w->host->sandboxes;

	for (struct list_node *n = list_first(all); n != NULL;
	     n = list_next(all, n)) {
		const struct sandbox *sb =
		    container_of(n, struct sandbox, link);

		if (sb->state < SANDBOX_READY && sb != w->making)
			return 1;
	}
	return 0;
}

static void
fill(struct loop_timer *t)
{
	static const struct sandbox_ops ops = {
	    .created = created, .lost = lost};
	struct warm *w = container_of(t, struct warm, timer);
	struct sandbox_spec spec = {.profile = missing(w), .label = "warm"};
	struct error e;

	CHECK_OBJ(w, WARM_MAGIC);
	if (spec.profile == NULL || w->making != NULL)
		return;
	if (is_busy(w)) {
		loop_timer_start(t, WARM_IDLE_MS);
		return;
	}
	w->making = sandbox_create_warm(w->host, &spec, &ops, w, &e);
	if (w->making == NULL)
		loop_timer_start(t, AFTER_FAILURE_MS);
}

struct warm *
warm_new(
    struct sandbox_host *host, const struct sandbox_host_settings *settings)
{
	struct warm *w;

	if (wanted(settings) == 0 || settings->profiles_n > PROFILES_MAX)
		return NULL;
	w = pool_take(sizeof *w, NULL);
	if (w == NULL)
		return NULL;
	*w = (struct warm){.magic = WARM_MAGIC,
	    .host = host,
	    .wanted = wanted(settings),
	    .profiles_n = settings->profiles_n};
	memcpy(w->profile, settings->profiles,
	    w->profiles_n * sizeof w->profile[0]);
	list_init(&w->ready);
	loop_timer_init(&w->timer, host->loop, fill);
	loop_timer_start(&w->timer, 1);
	return w;
}

void
warm_stop(struct warm *w)
{
	if (w == NULL)
		return;
	CHECK_OBJ(w, WARM_MAGIC);
	w->wanted = 0;
	loop_timer_stop(&w->timer);
}

void
warm_free(struct warm *w)
{
	if (w == NULL)
		return;
	CHECK_OBJ(w, WARM_MAGIC);
	CHECK(w->ready.length == 0 && w->making == NULL);
	loop_timer_stop(&w->timer);
	w->magic = 0;
	pool_give(w);
}

/* Is an empty workspace of the profile's user what this one begins with? */
static int
fits(const struct sandbox_spec *spec)
{
	const struct manifest *m = spec->manifest;

	return spec->run_as == NULL &&
	       (m == NULL || (m->users.n == 0 && m->groups_n == 0));
}

struct sandbox *
warm_take(struct warm *w, const struct sandbox_spec *spec)
{
	if (w == NULL)
		return NULL;
	CHECK_OBJ(w, WARM_MAGIC);
	if (w->wanted > 0 && w->making == NULL)
		loop_timer_start(&w->timer, WARM_IDLE_MS);
	if (!fits(spec))
		return NULL;
	for (struct list_node *n = list_first(&w->ready); n != NULL;
	     n = list_next(&w->ready, n)) {
		struct sandbox *sb = container_of(n, struct sandbox, warm_link);

		if (sb->profile != spec->profile)
			continue;
		list_remove(&w->ready, n);
		return sb;
	}
	return NULL;
}
