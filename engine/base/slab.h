#ifndef SKEP_BASE_SLAB_H
#define SKEP_BASE_SLAB_H

/*
 * A slab is a named set of equal slots, all taken at start.  Long-lived
 * objects (runs, connections, sandboxes, commands) come from slabs sized by
 * the configuration; admission is the only place that can say "full".
 */

#include <stddef.h>

struct slab {
	const char *name;
	size_t object_bytes;
	unsigned slots;
	unsigned used, used_peak;
	unsigned carved; /* slots that were ever taken */
	char *memory;
	void *unused; /* first free slot; slots link through their first word */
};

struct error;

/* slots objects of object_bytes each; memory is touched only when used. */
int slab_init(struct slab *s, const char *name, size_t object_bytes,
    unsigned slots, struct error *e);
void slab_release(struct slab *s);

/* A zeroed slot, or NULL when all are used. */
void *slab_take(struct slab *s);

/* Give a slot back; CHECKs that it is one of s.  slab_give(s, NULL) is fine. */
void slab_give(struct slab *s, void *slot);

#endif
