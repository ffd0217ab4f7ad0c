#include "net/json_schema.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "net/json_schema_private.h"

#define GOALS_MAX 16384
#define CHOICES_MAX 256
/* anyOf within anyOf could take for ever: what a document may cost. */
#define STEPS_MAX(values) (10000 + 64L * (values))
#define HOPS_MAX 64 /* from $ref to $ref at one value */

/* Value v, and with in != -1 all elements of in behind it, must fit s. */
struct goal {
	int s, v, in, hops;
};

/* An anyOf: goals above base are those of the alternative being tried. */
struct choice {
	int base, list, at, v, hops;
};

struct search {
	const struct json_doc *schema;
	int root;
	struct json_doc *doc;
	struct goal *goal; /* pool block */
	int goals;
	struct choice choice[CHOICES_MAX];
	int choices;
	struct error *e;
};

/* --- references --- */

int
schema_target(const struct json_doc *schema, int root, int v)
{
	struct span path = json_inner(schema, v), name;
	struct text step;
	int at = root;

	if (json_type(schema, v) != JSON_STRING ||
	    !span_is(span_cut(&path, '/'), "#"))
		return -1;
	while (path.p != NULL && at != -1) {
		name = span_cut(&path, '/');
		text_init(&step, name.n);
		for (size_t i = 0; i < name.n; i++) { /* RFC 6901 */
			int tilde = name.p[i] == '~' && i + 1 < name.n;

			text_add_char(&step, !tilde               ? name.p[i]
					     : name.p[++i] == '1' ? '/'
								  : '~');
		}
		at = json_get_span(schema, at, text_span(&step));
		text_release(&step);
	}
	return at;
}

/* --- goals --- */

static int
push(struct search *x, int s, int v, int in, int hops)
{
	if (x->goals == GOALS_MAX)
		return error_set(x->e, ERROR_TOO_BIG, 0,
		    "the schema makes too many demands at once");
	x->goal[x->goals++] = (struct goal){s, v, in, hops};
	return 0;
}

/* The schema of a member: named, or that of additional ones; -1: any. */
static int
push_member(struct search *x, int s, int key)
{
	const struct json_doc *schema = x->schema;
	int named = json_get(schema, s, "properties"), sub;
	int others = json_get(schema, s, "additionalProperties");
	struct text name;

	text_init(&name, json_inner(x->doc, key).n);
	json_string_add(x->doc, key, &name);
	sub = json_get_span(schema, named, text_span(&name));
	text_release(&name);
	if (sub != -1)
		return push(x, sub, json_value(x->doc, key), -1, 0);
	if (others == -1)
		return 0;
	if (json_type(schema, others) == JSON_FALSE)
		return json_fail(
		    x->doc, key, x->e, "the schema allows no such member");
	return push(x, others, json_value(x->doc, key), -1, 0);
}

static int
push_children(struct search *x, int s, int v)
{
	struct json_doc *doc = x->doc;
	int items = json_get(x->schema, s, "items"), first;

	if (json_type(doc, v) == JSON_ARRAY && items != -1) {
		first = json_first(doc, v);
		return first == -1 ? 0 : push(x, items, first, v, 0);
	}
	if (json_type(doc, v) != JSON_OBJECT)
		return 0;
	for (int k = json_first(doc, v); k != -1; k = json_next(doc, v, k))
		if (push_member(x, s, k) == -1)
			return -1;
	return 0;
}

/* The next alternative of the newest choice; -1 when it has none. */
static int
try_next(struct search *x)
{
	struct choice *c = &x->choice[x->choices - 1];

	c->at = c->at == -1 ? json_first(x->schema, c->list)
			    : json_next(x->schema, c->list, c->at);
	if (c->at == -1) {
		x->choices--;
		return -1;
	}
	x->goals = c->base;
	return push(x, c->at, c->v, -1, c->hops);
}

/* Same value, other schemas: $ref, allOf, anyOf (last: it is tried first). */
static int
push_same(struct search *x, int s, int v, int hops)
{
	const struct json_doc *schema = x->schema;
	int ref = json_get(schema, s, "$ref");
	int all = json_get(schema, s, "allOf");
	int any = json_get(schema, s, "anyOf");

	if (hops > HOPS_MAX)
		return error_set(x->e, ERROR_TOO_BIG, 0,
		    "the schema's $ref leads back to itself");
	if (ref != -1 &&
	    push(x, schema_target(schema, x->root, ref), v, -1, hops + 1) == -1)
		return -1;
	for (int i = json_first(schema, all); i != -1;
	     i = json_next(schema, all, i))
		if (push(x, i, v, -1, hops + 1) == -1)
			return -1;
	if (any == -1)
		return 0;
	if (x->choices == CHOICES_MAX)
		return error_set(x->e, ERROR_TOO_BIG, 0,
		    "the schema's anyOf are nested too deeply");
	x->choice[x->choices++] =
	    (struct choice){x->goals, any, -1, v, hops + 1};
	if (try_next(x) == 0)
		return 0;
	return json_fail(x->doc, v, x->e, "the schema allows nothing here");
}

static int
step(struct search *x)
{
	struct goal g = x->goal[--x->goals];
	int next;

	if (g.in != -1) {
		next = json_next(x->doc, g.in, g.v);
		if (next != -1 && push(x, g.s, next, g.in, 0) == -1)
			return -1;
	}
	if (json_type(x->schema, g.s) == JSON_FALSE)
		return json_fail(
		    x->doc, g.v, x->e, "the schema allows nothing here");
	if (json_type(x->schema, g.s) != JSON_OBJECT)
		return 0;
	if (schema_scalars(x->schema, g.s, x->doc, g.v, x->e) == -1 ||
	    push_children(x, g.s, g.v) == -1)
		return -1;
	return push_same(x, g.s, g.v, g.hops);
}

/* A goal has failed: back to the newest anyOf that has another way. */
static int
go_back(struct search *x)
{
	if (x->e->code == ERROR_TOO_BIG)
		return -1;
	while (x->choices > 0)
		if (try_next(x) == 0)
			return 0;
	return -1;
}

static int
search(struct search *x)
{
	for (long steps = 0; x->goals > 0; steps++) {
		while (x->choices > 0 &&
		       x->goals == x->choice[x->choices - 1].base)
			x->choices--; /* this anyOf is satisfied */
		if (steps == STEPS_MAX(x->doc->tokens))
			return error_set(x->e, ERROR_TOO_BIG, 0,
			    "the schema takes too long to check");
		if (x->goals > 0 && step(x) == -1 && go_back(x) == -1)
			return -1;
	}
	return 0;
}

int
json_schema_fits(const struct json_doc *schema, int root, struct json_doc *doc,
    int v, struct error *e)
{
	struct search x = {.schema = schema, .root = root, .doc = doc, .e = e};
	int r;

	x.goal = pool_take(GOALS_MAX * sizeof(*x.goal), NULL);
	if (x.goal == NULL)
		return error_set(
		    e, ERROR_FULL, 0, "no memory to check a schema");
	r = push(&x, root, v, -1, 0);
	if (r == 0)
		r = search(&x);
	pool_give(x.goal);
	return r;
}
