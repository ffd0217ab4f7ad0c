/*
 * The path rules of manifests.
 */

#include <ctype.h>
#include <string.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"

#define NAME_BYTES_MAX 255 /* of one part, on every file system of Linux */

static int
is_drive(const char *p, size_t n)
{
	return n >= 2 && p[1] == ':' && isalpha((unsigned char)p[0]);
}

static int
refuse(struct error *e, const char *why, struct span path)
{
	return error_set(e, ERROR_MANIFEST, 0, "manifest path must %s: %.*s",
	    why, (int)path.n, path.p);
}

int
manifest_path(
    struct arena *arena, struct span path, const char **out, struct error *e)
{
	struct span rest, part;
	char *p, *normal;
	size_t n = 0;

	if (path.n >= LIMIT_PATH)
		return error_set(e, ERROR_MANIFEST, 0,
		    "manifest path is longer than %d bytes",
		    (int)LIMIT_PATH - 1);
	p = arena_strndup(arena, path.p, path.n);
	normal = arena_alloc(arena, path.n + 2);
	if (p == NULL || normal == NULL)
		return error_set(e, ERROR_FULL, 0, "out of memory");
	if (memchr(p, '\0', path.n) != NULL)
		return refuse(e, "not contain NUL", span_of(p));
	for (size_t i = 0; i < path.n; i++)
		if (p[i] == '\\')
			p[i] = '/';
	if (p[0] == '/' || is_drive(p, path.n))
		return refuse(e, "be relative", path);

	for (rest = (struct span){p, path.n}; rest.p != NULL;) {
		part = span_cut(&rest, '/');
		if (part.n == 0 || span_is(part, "."))
			continue;
		if (span_is(part, ".."))
			return refuse(e, "not escape root", path);
		if (part.n > NAME_BYTES_MAX)
			return refuse(
			    e, "have names of at most 255 bytes", path);
		if (n > 0)
			normal[n++] = '/';
		memcpy(normal + n, part.p, part.n);
		n += part.n;
	}
	if (n == 0)
		normal[n++] = '.';
	normal[n] = '\0';
	*out = normal;
	return 0;
}

/* --- permissions as `ls -l` prints them --- */

/* One letter of three; special is s or t in the place of x. */
static int
letter(char c, char wanted, const char *special, uint32_t bit, uint32_t *mode)
{
	if (c == '-')
		return 0;
	if (c == wanted || (c != '\0' && strchr(special, c) != NULL)) {
		/* S and T are set without x. */
		if (c != 'S' && c != 'T')
			*mode |= bit;
		return 0;
	}
	return -1;
}

int
manifest_mode_from_ls(struct span s, uint32_t *mode)
{
	uint32_t bits = 0;

	/* A mark of access lists or labels may follow. */
	if (s.n > 9 && strchr("+@.", s.p[s.n - 1]) != NULL)
		s.n--;
	if (s.n == 10 && strchr("-dlbcps", s.p[0]) != NULL)
		s = span_slice(s, 1, s.n);
	if (s.n != 9)
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		const char *three = s.p + 3 * i;
		unsigned shift = 6 - 3 * i;

		if (letter(three[0], 'r', "", 4u << shift, &bits) == -1 ||
		    letter(three[1], 'w', "", 2u << shift, &bits) == -1 ||
		    letter(three[2], 'x', i < 2 ? "sS" : "tT", 1u << shift,
			&bits) == -1)
			return -1;
	}
	*mode = bits;
	return 0;
}
