#include "engine/base/map.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/os.h"

struct map_slot {
	uint64_t key;
	void *value; /* NULL: empty */
};

/* The process's key; drawn at the first use. */
static struct {
	uint64_t k[2];
	int drawn;
} seed;

static const uint64_t *
key_of_process(void)
{
	if (!seed.drawn) {
		CHECK(os->random(seed.k, sizeof seed.k) == 0);
		seed.drawn = 1;
	}
	return seed.k;
}

/* Where key would like to be; odd multiplication spreads what ids share. */
static size_t
home(const struct map *m, uint64_t key)
{
	key ^= key_of_process()[0];
	key *= 0x9e3779b97f4a7c15u;
	key ^= key >> 32;
	return (size_t)key & (m->capacity - 1);
}

int
map_init(struct map *m, size_t entries_max, struct error *e)
{
	size_t capacity = 8;

	CHECK(entries_max > 0);
	CHECK(entries_max < SIZE_MAX / 4);
	while (capacity < entries_max * 2)
		capacity *= 2;
	*m = (struct map){.capacity = capacity, .entries_max = entries_max};
	m->slots = calloc(capacity, sizeof *m->slots);
	if (m->slots == NULL)
		return error_set(
		    e, ERROR_FULL, errno, "a map of %zu entries", entries_max);
	return 0;
}

void
map_release(struct map *m)
{
	free(m->slots);
	*m = (struct map){.slots = NULL};
}

/* The slot that holds key, or the empty one where it would go. */
static size_t
find(const struct map *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->slots[i].value != NULL && m->slots[i].key != key)
		i = (i + 1) & (m->capacity - 1);
	return i;
}

void *
map_get(const struct map *m, uint64_t key)
{
	if (m->size == 0)
		return NULL;
	return m->slots[find(m, key)].value;
}

int
map_put(struct map *m, uint64_t key, void *value)
{
	struct map_slot *slot = &m->slots[find(m, key)];

	CHECK(value != NULL);
	if (slot->value == NULL) {
		if (m->size == m->entries_max)
			return -1;
		m->size++;
		slot->key = key;
	}
	slot->value = value;
	return 0;
}

/* What follows moves up, so that no search meets a hole before its end. */
void *
map_remove(struct map *m, uint64_t key)
{
	size_t mask = m->capacity - 1, hole, i;
	void *value;

	if (m->size == 0)
		return NULL;
	hole = find(m, key);
	value = m->slots[hole].value;
	if (value == NULL)
		return NULL;
	for (i = (hole + 1) & mask; m->slots[i].value != NULL;
	     i = (i + 1) & mask) {
		size_t at = home(m, m->slots[i].key);

		/* It may move if its home is not behind the hole. */
		if (((i - at) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole].value = NULL;
	m->size--;
	return value;
}

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
	v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static uint64_t
little_endian(const char *p, size_t n)
{
	uint64_t word = 0;

	while (n-- > 0)
		word = word << 8 | (unsigned char)p[n];
	return word;
}

uint64_t
map_hash_keyed(const uint64_t k[2], struct span s)
{
	uint64_t v[4] = {k[0] ^ 0x736f6d6570736575u, k[1] ^ 0x646f72616e646f6du,
	    k[0] ^ 0x6c7967656e657261u, k[1] ^ 0x7465646279746573u};
	size_t i = 0;
	uint64_t word;

	for (; i + 8 <= s.n; i += 8) {
		word = little_endian(s.p + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = little_endian(s.p + i, s.n - i) | (uint64_t)s.n << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
map_hash(struct span s)
{
	return map_hash_keyed(key_of_process(), s);
}
