#include "sandbox/member.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"

enum standing { STANDS_FOLDER = 1, STANDS_IMPLIED = 2, STANDS_FILE = 3 };

struct members_slot {
	uint64_t a, b; /* b's two lowest bits: enum standing; 0: free */
};

/* Folders that members only imply have slots, too. */
#define SLOTS_PER_MEMBER 4

size_t
members_bytes(const struct members_limits *limits)
{
	size_t slots = 1024;

	while (slots < limits->members * SLOTS_PER_MEMBER)
		slots *= 2;
	return slots * sizeof(struct members_slot);
}

void
members_init(struct members *s, const struct members_limits *limits,
    const char *below, const char *const *protect, unsigned protect_n,
    void *memory)
{
	memset(s, 0, offsetof(struct members, reason));
	s->limits = *limits;
	s->below = below;
	s->protect = protect;
	s->protect_n = protect_n;
	s->slot = memory;
	s->slots = members_bytes(limits) / sizeof(struct members_slot);
	s->reason[0] = '\0';
}

static int refuse(struct members *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
refuse(struct members *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->reason, sizeof s->reason, fmt, ap);
	va_end(ap);
	return -1;
}

/* --- paths --- */

/* NULL, or why a name cannot be a path below the root. */
static const char *
fault_of_name(const char *name)
{
	struct span rest = span_of(name);

	if (name[0] == '/')
		return "absolute path";
	if (isalpha((unsigned char)name[0]) && name[1] == ':')
		return "windows drive path";
	if (strchr(name, '\\') != NULL)
		return "windows path separator";
	while (rest.p != NULL)
		if (span_is(span_cut(&rest, '/'), ".."))
			return "parent traversal";
	return NULL;
}

void
member_path(const struct member *m, char *path)
{
	struct span rest = {m->name, m->name_n};
	size_t n = 0;

	CHECK(fault_of_name(m->name) == NULL);
	while (rest.p != NULL) {
		struct span part = span_cut(&rest, '/');

		if (part.n == 0 || span_is(part, "."))
			continue;
		if (n > 0)
			path[n++] = '/';
		memcpy(path + n, part.p, part.n);
		n += part.n;
	}
	if (n == 0)
		path[n++] = '.';
	path[n] = '\0';
}

/* --- what stands where --- */

static struct members_slot
hash_of(const char *path, size_t n)
{
	uint64_t a = UINT64_C(0xcbf29ce484222325);
	uint64_t b = UINT64_C(0x9ae16a3b2f90404f);

	for (size_t i = 0; i < n; i++) {
		a = (a ^ (unsigned char)path[i]) * UINT64_C(0x100000001b3);
		b = (b + (unsigned char)path[i]) * UINT64_C(0x9e3779b97f4a7c15);
		b ^= b >> 29;
	}
	return (struct members_slot){a, b & ~UINT64_C(3)};
}

/* The slot of a path, or the free one where it would be. */
static struct members_slot *
find(struct members *s, const char *path, size_t n)
{
	struct members_slot wanted = hash_of(path, n);
	size_t at = (size_t)(wanted.a ^ wanted.a >> 32) & (s->slots - 1);

	while ((s->slot[at].b & 3) != 0 &&
	       (s->slot[at].a != wanted.a ||
		   (s->slot[at].b & ~UINT64_C(3)) != wanted.b))
		at = (at + 1) & (s->slots - 1);
	if ((s->slot[at].b & 3) == 0)
		s->slot[at] = wanted;
	return &s->slot[at];
}

static enum standing
standing_of(const struct members_slot *slot)
{
	return (enum standing)(slot->b & 3);
}

static int
stand(struct members *s, struct members_slot *slot, enum standing as)
{
	if (standing_of(slot) == 0 && ++s->used > s->slots / 4 * 3)
		return refuse(s, "archive member count exceeds limit");
	slot->b = (slot->b & ~UINT64_C(3)) | as;
	return 0;
}

/* The folders above a path: they are, or become, folders. */
static int
imply_folders(struct members *s, const char *path)
{
	for (const char *p = strchr(path, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		struct members_slot *slot = find(s, path, (size_t)(p - path));

		if (standing_of(slot) == STANDS_FILE)
			return refuse(s,
			    "archive path descends through non-directory: %s",
			    path);
		if (standing_of(slot) == 0 &&
		    stand(s, slot, STANDS_IMPLIED) == -1)
			return -1;
	}
	return 0;
}

static int
take_place(struct members *s, const char *path, enum standing as)
{
	struct members_slot *slot = find(s, path, strlen(path));

	if (standing_of(slot) == STANDS_IMPLIED && as == STANDS_FILE)
		return refuse(
		    s, "archive path descends through non-directory: %s", path);
	if (standing_of(slot) != 0 && standing_of(slot) != STANDS_IMPLIED)
		return refuse(s, "duplicate archive path: %s", path);
	return stand(s, slot, as);
}

/* --- protected paths --- */

/* Is one of two paths at or below the other? */
static int
overlap(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	if (n > m)
		return overlap(b, a);
	return memcmp(a, b, n) == 0 && (b[n] == '\0' || b[n] == '/');
}

/* A folder above a protected path is harmless; anything else is not. */
static int
check_protected(struct members *s, const char *path, enum member_kind kind)
{
	char full[2 * MEMBER_PATH_MAX];
	size_t n;

	if (strcmp(s->below, ".") == 0)
		snprintf(full, sizeof full, "%s", path);
	else
		snprintf(full, sizeof full, "%s/%s", s->below, path);
	n = strlen(full);
	for (unsigned i = 0; i < s->protect_n; i++) {
		const char *p = s->protect[i];

		if (!overlap(full, p) ||
		    (kind == MEMBER_FOLDER && strlen(p) > n))
			continue;
		return refuse(
		    s, "archive member overlaps protected path: %s", path);
	}
	return 0;
}

/* --- one member --- */

static int
check_kind(struct members *s, const struct member *m, const char *path)
{
	switch (m->kind) {
	case MEMBER_FILE:
		if (strcmp(path, ".") != 0)
			return 0;
		break;
	case MEMBER_FOLDER:
		return 0;
	case MEMBER_SYMLINK:
		if (strcmp(path, ".") == 0)
			return refuse(s, "archive root symlink");
		return refuse(s, "symlink member not allowed: %s", path);
	case MEMBER_HARDLINK:
		return refuse(s, "hardlink member not allowed");
	case MEMBER_OTHER:
		break;
	}
	return refuse(s, "unsupported member type");
}

int
members_add(struct members *s, const struct member *m, char *path)
{
	const char *fault = fault_of_name(m->name);
	uint64_t size = m->kind == MEMBER_FILE ? m->size : 0;

	if (fault != NULL)
		return refuse(s, "%s", fault);
	member_path(m, path);
	if (check_kind(s, m, path) == -1)
		return -1;
	if (++s->n > s->limits.members)
		return refuse(s, "archive member count exceeds limit");
	if (size > s->limits.bytes - s->bytes)
		return refuse(s, "archive extracted size exceeds limit");
	s->bytes += size;
	if (strcmp(path, ".") == 0)
		return 0;
	if (check_protected(s, path, m->kind) == -1 ||
	    imply_folders(s, path) == -1)
		return -1;
	return take_place(
	    s, path, m->kind == MEMBER_FILE ? STANDS_FILE : STANDS_FOLDER);
}
