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
