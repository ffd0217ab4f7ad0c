#include "engine/base/slab.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/poison.h"

#define SLOT_ALIGN ((size_t)16)

/* Under AddressSanitizer a red zone lies between two slots. */
static size_t
slot_bytes(const struct slab *s)
{
	return s->object_bytes + (poison_works() ? SLOT_ALIGN : 0);
}

static size_t
slab_bytes(const struct slab *s)
{
	return slot_bytes(s) * s->slots;
}

int
slab_init(struct slab *s, const char *name, size_t object_bytes, unsigned slots,
    struct error *e)
{
	void *p;

	CHECK(object_bytes > 0);
	CHECK(slots > 0);
	*s = (struct slab){.name = name, .slots = slots};
	s->object_bytes = (object_bytes + SLOT_ALIGN - 1) & ~(SLOT_ALIGN - 1);
	if (slot_bytes(s) > SIZE_MAX / slots)
		return error_set(
		    e, ERROR_FULL, 0, "%u slots for %s", slots, name);
	p = mmap(NULL, slab_bytes(s), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return error_set(
		    e, ERROR_FULL, errno, "%u slots for %s", slots, name);
	(void)madvise(p, slab_bytes(s), MADV_NOHUGEPAGE);
	s->memory = p;
	poison(s->memory, slab_bytes(s));
	return 0;
}

void
slab_release(struct slab *s)
{
	if (s->memory == NULL)
		return;
	unpoison(s->memory, slab_bytes(s));
	munmap(s->memory, slab_bytes(s));
	*s = (struct slab){.name = s->name};
}

void *
slab_take(struct slab *s)
{
	char *slot;

	if (s->unused != NULL) {
		slot = s->unused;
		unpoison(slot, s->object_bytes);
		memcpy(&s->unused, slot, sizeof s->unused);
		memset(slot, 0, s->object_bytes);
	} else if (s->carved < s->slots) {
		slot = s->memory + s->carved++ * slot_bytes(s);
		unpoison(slot, s->object_bytes);
	} else
		return NULL;
	if (++s->used > s->used_peak)
		s->used_peak = s->used;
	return slot;
}

void
slab_give(struct slab *s, void *slot)
{
	char *p = slot;

	if (p == NULL)
		return;
	CHECK(s->used > 0);
	CHECK(p >= s->memory);
	CHECK(p < s->memory + s->carved * slot_bytes(s));
	CHECK((size_t)(p - s->memory) % slot_bytes(s) == 0);
	memcpy(slot, &s->unused, sizeof s->unused);
	poison(slot, s->object_bytes);
	s->unused = slot;
	s->used--;
}
