#include "engine/transcript.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"

#define SIZE_FIRST 16
#define KEEP_MAX (2 * LIMIT_TRANSCRIPT)

void
transcript_init(struct transcript *t, struct arena *keep)
{
	*t = (struct transcript){.keep = keep};
	arena_init(&t->own[0], KEEP_MAX);
	arena_init(&t->own[1], KEEP_MAX);
}

void
transcript_release(struct transcript *t)
{
	pool_give(t->json);
	pool_give(t->entry);
	arena_release(&t->own[0]);
	arena_release(&t->own[1]);
	transcript_init(t, t->keep);
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

/* --- compaction --- */

/* Copy the survivors of a replacement to arena to; -1: no memory. */
static int
copy_items(const struct transcript *t, size_t from, size_t to,
    struct arena *into, struct span *copy)
{
	for (size_t i = 0; i < t->n; i++) {
		if (i >= from && i < to)
			continue;
		copy[i] = arena_span(into, t->json[i]);
		if (copy[i].p == NULL)
			return -1;
	}
	return 0;
}

/* Close the gap [from, to) but for room items, which the caller fills. */
static void
close_gap(struct transcript *t, const struct span *copy, size_t from, size_t to,
    size_t room)
{
	size_t n = from;

	for (size_t i = 0; i < from; i++)
		t->json[i] = copy[i];
	n += room;
	for (size_t i = to; i < t->n; i++, n++) {
		t->json[n] = copy[i];
		t->entry[n] = t->entry[i];
	}
	t->n = t->recorded = n;
}

/* What is kept now lies in fresh; give the other one back. */
static void
move_to(struct transcript *t, struct arena *fresh)
{
	t->bytes = 0;
	for (size_t i = 0; i < t->n; i++)
		t->bytes += t->json[i].n;
	if (t->keep == &t->own[0] || t->keep == &t->own[1])
		arena_release(t->keep);
	t->keep = fresh;
}

int
transcript_replace(struct transcript *t, size_t from, size_t to,
    struct span item, struct span note, uint32_t turn, int64_t at_ms)
{
	struct arena *fresh = t->keep == &t->own[0] ? &t->own[1] : &t->own[0];
	size_t room = item.n > 0;
	struct span *copy, put, kept;

	CHECK(from < to && to <= t->n && t->recorded == t->n);
	CHECK(t->note.n == 0);
	copy = pool_take(t->n * sizeof *copy, NULL);
	put = arena_span(fresh, item);
	kept = arena_span(fresh, note);
	if (copy == NULL || put.p == NULL || kept.p == NULL ||
	    copy_items(t, from, to, fresh, copy) == -1) {
		pool_give(copy);
		arena_release(fresh);
		return -1;
	}
	close_gap(t, copy, from, to, room);
	pool_give(copy);
	if (room > 0) {
		t->json[from] = put;
		t->entry[from] = (struct transcript_entry){turn, at_ms};
	}
	t->note = kept;
	t->note_entry = (struct transcript_entry){turn, at_ms};
	move_to(t, fresh);
	return 0;
}

int
transcript_rewrite(struct transcript *t, const struct span *items, size_t n)
{
	struct arena *fresh = t->keep == &t->own[0] ? &t->own[1] : &t->own[0];
	struct span *copy = pool_take((n + 1) * sizeof *copy, NULL);
	size_t i = 0;

	CHECK(n <= t->n && t->recorded == t->n && t->note.n == 0);
	for (; copy != NULL && i < n; i++) {
		copy[i] = arena_span(fresh, items[i]);
		if (copy[i].p == NULL)
			break;
	}
	if (copy == NULL || i < n) {
		pool_give(copy);
		arena_release(fresh);
		return -1;
	}
	for (i = 0; i < n; i++)
		t->json[i] = copy[i];
	pool_give(copy);
	t->n = t->recorded = n;
	move_to(t, fresh);
	return 0;
}

int
transcript_forget(struct transcript *t)
{
	struct span none = {"", 0};
	size_t n = t->forgotten;

	t->forgotten = 0;
	if (n == 0)
		return 0;
	if (transcript_replace(t, 0, n, none, none, 0, 0) == -1)
		return -1;
	t->is_begun_by_server = 1;
	return 0;
}
