#include "engine/transcript.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"

#define SIZE_FIRST 16

void
transcript_init(struct transcript *t, struct arena *keep)
{
	*t = (struct transcript){.keep = keep};
}

void
transcript_release(struct transcript *t)
{
	pool_give(t->json);
	pool_give(t->entry);
	*t = (struct transcript){.keep = t->keep};
}

/* A larger block with the old one's content; NULL when there is none. */
static void *
grown(void *old, size_t used, size_t wanted, size_t *got)
{
	void *block = pool_take(wanted, got);

	if (block == NULL)
		return NULL;
	if (used > 0)
		memcpy(block, old, used);
	pool_give(old);
	return block;
}

static int
grow(struct transcript *t)
{
	size_t wanted = t->size == 0 ? SIZE_FIRST : t->size * 2;
	size_t got_json, got_entry;
	void *json, *entry;

	json = grown(t->json, t->n * sizeof *t->json, wanted * sizeof *t->json,
	    &got_json);
	if (json == NULL)
		return -1;
	t->json = json;
	entry = grown(t->entry, t->n * sizeof *t->entry,
	    wanted * sizeof *t->entry, &got_entry);
	if (entry == NULL)
		return -1;
	t->entry = entry;
	t->size = wanted;
	return 0;
}

int
transcript_add(
    struct transcript *t, struct span json, uint32_t turn, int64_t at_ms)
{
	struct span copy;

	CHECK(json.n > 0);
	if (t->n == t->size && grow(t) == -1)
		return -1;
	if (json.n > LIMIT_TRANSCRIPT - t->bytes)
		return -1;
	copy = arena_span(t->keep, json);
	if (copy.p == NULL)
		return -1;
	t->json[t->n] = copy;
	t->entry[t->n] = (struct transcript_entry){turn, at_ms};
	t->n++;
	t->bytes += json.n;
	return 0;
}
