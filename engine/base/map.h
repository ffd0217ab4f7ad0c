#ifndef SKEP_BASE_MAP_H
#define SKEP_BASE_MAP_H

/*
 * A map from 64-bit keys to pointers with a capacity fixed at start: open
 * addressing, no allocation afterwards.  For text keys use map_hash() and
 * compare in the object (collisions are the caller's to resolve).
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct map {
	struct map_slot *slots;
	size_t capacity, size; /* capacity: a power of two */
	size_t entries_max;
};

struct error;

int map_init(struct map *m, size_t entries_max, struct error *e);
void map_release(struct map *m);

void *map_get(const struct map *m, uint64_t key);

/* -1 when full; replaces the value of an equal key.  value is not NULL. */
int map_put(struct map *m, uint64_t key, void *value);

/* The value removed, or NULL. */
void *map_remove(struct map *m, uint64_t key);

/* Keyed per process against chosen collisions (SipHash-1-3). */
uint64_t map_hash(struct span s);
uint64_t map_hash_keyed(const uint64_t key[2], struct span s);

#endif
