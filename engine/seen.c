#include "engine/seen.h"

#include <stdint.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/pool.h"

#define SLOTS_FIRST 1024

static const struct seen_key empty;

void
seen_init(struct seen *s)
{
	*s = (struct seen){NULL, 0, 0};
}

void
seen_release(struct seen *s)
{
	pool_give(s->slot);
	seen_init(s);
}

static struct seen_key
key_of(struct span text)
{
	struct digest d;
	struct seen_key key;

	hash_of(text, &d);
	memcpy(key.byte, d.byte, sizeof key.byte);
	key.byte[0] |= 1; /* never the empty one */
	return key;
}

static int
is_same(const struct seen_key *a, const struct seen_key *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* Where key is, or the empty slot where it would be. */
static size_t
place_of(const struct seen *s, const struct seen_key *key)
{
	uint64_t start;
	size_t at;

	memcpy(&start, key->byte + 8, sizeof start);
	at = (size_t)start & (s->slots - 1);
	while (!is_same(&s->slot[at], &empty) && !is_same(&s->slot[at], key))
		at = (at + 1) & (s->slots - 1);
	return at;
}

/* Twice the slots: at most half of them are ever used. */
static int
grow(struct seen *s)
{
	struct seen old = *s;
	size_t slots = old.slots == 0 ? SLOTS_FIRST : old.slots * 2;
	struct seen_key *slot = pool_take(slots * sizeof *slot, NULL);

	if (slot == NULL)
		return -1;
	memset(slot, 0, slots * sizeof *slot);
	s->slot = slot;
	s->slots = slots;
	for (size_t i = 0; i < old.slots; i++)
		if (!is_same(&old.slot[i], &empty))
			s->slot[place_of(s, &old.slot[i])] = old.slot[i];
	pool_give(old.slot);
	return 0;
}

int
seen_add(struct seen *s, struct span text)
{
	struct seen_key key = key_of(text);
	size_t at;

	if (s->n * 2 >= s->slots && grow(s) == -1)
		return -1;
	at = place_of(s, &key);
	if (is_same(&s->slot[at], &key))
		return 0;
	s->slot[at] = key;
	s->n++;
	return 1;
}

int
seen_has(const struct seen *s, struct span text)
{
	struct seen_key key = key_of(text);

	return s->slots > 0 && is_same(&s->slot[place_of(s, &key)], &key);
}
