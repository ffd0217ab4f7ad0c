#include "sandbox/remember.h"

#include "engine/base/check.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "sandbox/backend.h"
#include "sandbox/baseline.h"
#include "sandbox/tree.h"

#define REMEMBER_MAGIC 0x5a4d8033

struct remember {
	unsigned magic;
	struct baseline *baseline;
	struct tree *tree;
	int is_layer; /* others will come on top of it */
	struct loop_timer settling;
	remember_done_fn *done;
	void *owner;
};

static void
end(struct remember *r)
{
	tree_cancel(r->tree);
	loop_timer_stop(&r->settling);
	r->magic = 0;
	pool_give(r);
}

static void
finish(struct remember *r, const struct error *error)
{
	remember_done_fn *done = r->done;
	void *owner = r->owner;

	end(r);
	done(error, owner);
}

static void
settle(struct loop_timer *timer)
{
	struct remember *r = container_of(timer, struct remember, settling);

	CHECK_OBJ(r, REMEMBER_MAGIC);
	if (r->is_layer ? baseline_is_past(r->baseline)
			: baseline_is_settled(r->baseline))
		finish(r, NULL);
	else
		loop_timer_start(timer, 1);
}

static enum tree_way
visited(struct tree *t, const struct tree_entry *entry, void *owner)
{
	struct remember *r = owner;

	(void)t;
	if (entry->stat.kind == FILE_REGULAR)
		baseline_add(r->baseline, entry->path, entry->stat.changed_ns,
		    entry->stat.size);
	else
		baseline_add_other(r->baseline, entry->stat.changed_ns);
	return TREE_ON;
}

/* What the manifest itself shut stays out of it, and is hidden later. */
static void
shut(struct tree *t, const char *path, void *owner)
{
	(void)t;
	(void)path;
	(void)owner;
}

static void
walked(const struct error *error, void *owner)
{
	struct remember *r = owner;
	struct error e;

	CHECK_OBJ(r, REMEMBER_MAGIC);
	r->tree = NULL; /* it ends by itself */
	if (error == NULL && baseline_seal(r->baseline, &e) == -1)
		error = &e;
	if (error != NULL)
		finish(r, error);
	else
		settle(&r->settling);
}

struct remember *
remember_start(struct loop *loop, struct sandbox *sb, struct baseline *b,
    remember_done_fn *done, void *owner, struct error *e)
{
	static const struct tree_ops ops = {
	    .entry = visited, .shut = shut, .done = walked};
	struct remember *r = pool_take(sizeof *r, NULL);

	if (r == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to look at a workspace");
		return NULL;
	}
	*r = (struct remember){.magic = REMEMBER_MAGIC,
	    .baseline = b,
	    .is_layer = sb->layering == MOUNTS_FILL_LAYER,
	    .done = done,
	    .owner = owner};
	loop_timer_init(&r->settling, loop, settle);
	r->tree = tree_start(loop, sb, ".", &ops, r, e);
	if (r->tree == NULL) {
		end(r);
		return NULL;
	}
	return r;
}

void
remember_cancel(struct remember *r)
{
	if (r == NULL)
		return;
	CHECK_OBJ(r, REMEMBER_MAGIC);
	end(r);
}
