#include "net/base64.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* One group: 1 to 3 bytes to 4 characters. */
static void
encode_group(const unsigned char *p, size_t n, char out[4])
{
	unsigned long bits = (unsigned long)p[0] << 16;

	if (n > 1)
		bits |= (unsigned long)p[1] << 8;
	if (n > 2)
		bits |= p[2];
	out[0] = alphabet[bits >> 18];
	out[1] = alphabet[bits >> 12 & 63];
	out[2] = n > 1 ? alphabet[bits >> 6 & 63] : '=';
	out[3] = n > 2 ? alphabet[bits & 63] : '=';
}

void
base64_encode(struct span s, struct text *t)
{
	size_t room, need = base64_size(s.n);
	char *out;

	if (s.n == 0)
		return;
	out = text_room(t, need, &room);
	if (out == NULL)
		return;
	for (size_t i = 0; i < s.n; i += 3, out += 4)
		encode_group((const unsigned char *)s.p + i,
		    s.n - i < 3 ? s.n - i : 3, out);
	text_added(t, need);
}

static int
digit(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	return at == NULL ? -1 : (int)(at - alphabet);
}

/* Bytes of a group of four characters, or -1; only the last may be padded. */
static int
decode_group(const char *p, int last, char out[3])
{
	int pad = last ? (p[3] == '=') + (p[3] == '=' && p[2] == '=') : 0;
	unsigned long bits = 0;

	for (int i = 0; i < 4; i++) {
		int d = i < 4 - pad ? digit(p[i]) : 0;

		if (d == -1)
			return -1;
		bits = bits << 6 | (unsigned)d;
	}
	if ((pad == 1 && (bits & 0xff) != 0) ||
	    (pad == 2 && (bits & 0xffff) != 0))
		return -1;
	out[0] = (char)(bits >> 16);
	out[1] = (char)(bits >> 8);
	out[2] = (char)bits;
	return 3 - pad;
}

int
base64_decode(struct span s, struct text *t, struct error *e)
{
	size_t room, n = 0;
	char *out, group[3];
	int got;

	if (s.n % 4 != 0)
		return error_set(e, ERROR_SYNTAX, 0,
		    "base64 of %zu characters: not a multiple of four", s.n);
	if (s.n == 0)
		return 0;
	out = text_room(t, s.n / 4 * 3, &room);
	if (out == NULL)
		return error_set(e, ERROR_TOO_BIG, 0,
		    "base64 of %zu characters is too long", s.n);
	for (size_t i = 0; i < s.n; i += 4) {
		got = decode_group(s.p + i, i + 4 == s.n, group);
		if (got == -1)
			return error_set(e, ERROR_SYNTAX, 0,
			    "not base64 at character %zu", i + 1);
		memcpy(out + n, group, (size_t)got);
		n += (size_t)got;
	}
	text_added(t, n);
	return 0;
}
