#include "net/json.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/map.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"

/*
 * Duplicate keys.  They are compared as what they mean, not as written: "a"
 * and "\u0061" are one key.  Small objects are compared pair by pair; larger
 * ones through a table of hashes, so that the cost stays linear.
 */
#define PAIRWISE_MAX 12

struct seen {
	uint64_t hash;
	int key; /* 0: an empty slot; no key has index 0 */
};

/* An unescaped key; in scratch when it has escapes. */
static struct span
key_text(const struct json_doc *d, int key, struct text *scratch)
{
	struct span inner = json_inner(d, key);

	if (inner.n == 0 || memchr(inner.p, '\\', inner.n) == NULL)
		return inner;
	text_clear(scratch);
	json_unescape(inner, scratch);
	return text_span(scratch);
}

static int
duplicate(struct json_doc *d, int key, struct error *e)
{
	struct span inner = json_inner(d, key);

	json_fail(d, key, e, "the key \"%.*s\" stands here twice",
	    inner.n > 64 ? 64 : (int)inner.n, inner.p);
	return -1;
}

static int
pairwise(struct json_doc *d, int object, struct text *scratch, struct error *e)
{
	for (int k = json_first(d, object); k != -1;
	     k = json_next(d, object, k)) {
		struct span name = key_text(d, k, scratch);

		for (int i = json_first(d, object); i != k;
		     i = json_next(d, object, i))
			if (json_is_span(d, i, name))
				return duplicate(d, k, e);
	}
	return 0;
}

/* -1 when an equal key is in the table already. */
static int
remember(const struct json_doc *d, int key, struct seen *table, size_t mask,
    struct text *scratch)
{
	struct span name = key_text(d, key, scratch);
	uint64_t hash = map_hash(name);
	size_t at = hash & mask;

	for (; table[at].key != 0; at = (at + 1) & mask)
		if (table[at].hash == hash &&
		    json_is_span(d, table[at].key, name))
			return -1;
	table[at] = (struct seen){hash, key};
	return 0;
}

static int
by_table(struct json_doc *d, int object, struct text *scratch, struct error *e)
{
	size_t size = 32;
	struct seen *table;
	int k;

	while (size < (size_t)json_size(d, object) * 2)
		size *= 2;
	table = pool_take(size * sizeof(*table), NULL);
	if (table == NULL)
		return error_set(e, ERROR_FULL, 0,
		    "no memory to compare the keys of a large object");
	memset(table, 0, size * sizeof(*table));
	for (k = json_first(d, object); k != -1; k = json_next(d, object, k))
		if (remember(d, k, table, size - 1, scratch) == -1)
			break;
	pool_give(table);
	return k == -1 ? 0 : duplicate(d, k, e);
}

int
json_unique(struct json_doc *d, struct error *e)
{
	struct text scratch;
	int r = 0;

	text_init(&scratch, d->text.n);
	for (int v = 0; v < d->tokens && r == 0; v++) {
		if (d->token[v].kind != JSON_KIND_OBJECT)
			continue;
		if (d->token[v].size <= PAIRWISE_MAX)
			r = pairwise(d, v, &scratch, e);
		else
			r = by_table(d, v, &scratch, e);
	}
	if (r == 0 && text_overflowed(&scratch))
		r = error_set(e, ERROR_FULL, 0, "no memory to compare keys");
	text_release(&scratch);
	return r;
}
