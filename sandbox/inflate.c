#include "sandbox/inflate.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "engine/base/check.h"

_Static_assert(sizeof(z_stream) <= sizeof((struct inflate *)0)->stream,
    "room for zlib's stream");

static voidpf
take(voidpf owner, uInt items, uInt size)
{
	struct inflate *i = owner;
	size_t n = ((size_t)items * size + 15) & ~(size_t)15;
	char *p = i->memory + i->used;

	if (n > sizeof i->memory - i->used)
		return NULL;
	i->used += n;
	return p;
}

/* Everything goes with the struct. */
static void
give(voidpf owner, voidpf p)
{
	(void)owner;
	(void)p;
}

static z_stream *
stream_of(struct inflate *i)
{
	return (z_stream *)(void *)i->stream;
}

int
inflate_begin(struct inflate *i, enum inflate_kind kind)
{
	z_stream *z = stream_of(i);

	i->kind = kind;
	i->used = 0;
	memset(i->stream, 0, sizeof i->stream);
	z->zalloc = take;
	z->zfree = give;
	z->opaque = i;
	return inflateInit2(
		   z, kind == INFLATE_RAW ? -MAX_WBITS : 16 + MAX_WBITS) == Z_OK
		   ? 0
		   : -1;
}

enum inflate_event
inflate_next(
    struct inflate *i, struct span *in, char *out, size_t room, size_t *made)
{
	z_stream *z = stream_of(i);
	uInt given = in->n < 1u << 30 ? (uInt)in->n : 1u << 30;
	int status;

	z->next_in = (z_const Bytef *)(uintptr_t)in->p;
	z->avail_in = given;
	z->next_out = (Bytef *)out;
	z->avail_out = room < 1u << 30 ? (uInt)room : 1u << 30;
	status = inflate(z, Z_NO_FLUSH);
	*made = (size_t)((char *)z->next_out - out);
	*in = span_slice(*in, given - z->avail_in, in->n);
	if (status == Z_STREAM_END) {
		if (i->kind == INFLATE_RAW || in->n == 0 ||
		    (unsigned char)in->p[0] != 0x1f)
			return INFLATE_END;
		return inflateReset(z) == Z_OK ? INFLATE_MORE : INFLATE_BAD;
	}
	/* Z_BUF_ERROR: nothing to do without more bytes or more room. */
	return status == Z_OK || status == Z_BUF_ERROR ? INFLATE_MORE
						       : INFLATE_BAD;
}

uint32_t
inflate_crc(uint32_t crc, struct span s)
{
	while (s.n > 0) {
		uInt n = s.n < 1u << 30 ? (uInt)s.n : 1u << 30;

		crc = (uint32_t)crc32(crc, (const Bytef *)s.p, n);
		s = span_slice(s, n, s.n);
	}
	return crc;
}

void
inflate_library_version(char *out, size_t size)
{
	snprintf(out, size, "%s", zlibVersion());
}
