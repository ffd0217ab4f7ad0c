#include "net/utf8.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/text.h"

/* What a lead byte promises; n == 0: it is none. */
struct lead {
	size_t n;
	unsigned char low, high; /* range of the second byte */
};

static struct lead
lead_of(unsigned char c)
{
	if (c < 0x80)
		return (struct lead){1, 0, 0};
	if (c < 0xc2 || c > 0xf4)
		return (struct lead){0, 0, 0};
	if (c < 0xe0)
		return (struct lead){2, 0x80, 0xbf};
	if (c < 0xf0)
		return (struct lead){
		    3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
	return (struct lead){
	    4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
}

/* Bytes at s.p[at] that fit lead so far; all of them when it equals lead.n. */
static size_t
fitting(struct span s, size_t at, struct lead lead)
{
	size_t n = 1;

	for (; n < lead.n && at + n < s.n; n++) {
		unsigned char c = (unsigned char)s.p[at + n];

		if (n == 1 && (c < lead.low || c > lead.high))
			break;
		if (n > 1 && (c < 0x80 || c > 0xbf))
			break;
	}
	return n;
}

uint32_t
utf8_at(struct span s, size_t at, size_t *n)
{
	static const unsigned char bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned char c;
	struct lead lead;
	uint32_t out;

	CHECK(at < s.n);
	c = (unsigned char)s.p[at];
	lead = lead_of(c);
	*n = fitting(s, at, lead);
	if (*n != lead.n)
		return UTF8_BAD;
	out = c & bits[lead.n];
	for (size_t i = 1; i < lead.n; i++)
		out = out << 6 | ((unsigned char)s.p[at + i] & 0x3f);
	return out;
}

/* The first byte from at that is not ASCII. */
static size_t
skip_ascii(struct span s, size_t at)
{
	uint64_t x;

	for (; s.n - at >= 8; at += 8) {
		memcpy(&x, s.p + at, 8);
		if (x & UINT64_C(0x8080808080808080))
			break;
	}
	while (at < s.n && (unsigned char)s.p[at] < 0x80)
		at++;
	return at;
}

size_t
utf8_check(struct span s)
{
	size_t at = 0, n;

	while ((at = skip_ascii(s, at)) < s.n) {
		if (utf8_at(s, at, &n) == UTF8_BAD)
			return at;
		at += n;
	}
	return at;
}

size_t
utf8_tail(struct span s)
{
	for (size_t back = 1; back <= 3 && back <= s.n; back++) {
		unsigned char c = (unsigned char)s.p[s.n - back];
		struct lead lead = lead_of(c);

		if ((c & 0xc0) == 0x80)
			continue;
		if (lead.n > back && fitting(s, s.n - back, lead) == back)
			return back;
		return 0;
	}
	return 0;
}

size_t
utf8_floor(struct span s, size_t bytes_max)
{
	size_t at = bytes_max;

	if (s.n <= bytes_max)
		return s.n;
	while (at > 0 && bytes_max - at < 3 &&
	       ((unsigned char)s.p[at] & 0xc0) == 0x80)
		at--;
	return at;
}

size_t
utf8_count(struct span s)
{
	size_t count = 0, n;

	for (size_t at = 0; at < s.n; at += n, count++)
		utf8_at(s, at, &n);
	return count;
}

size_t
utf8_encode(uint32_t c, char out[4])
{
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

void
utf8_add(struct text *t, uint32_t c)
{
	char bytes[4];

	text_add(t, (struct span){bytes, utf8_encode(c, bytes)});
}

void
utf8_add_valid(struct text *t, struct span s)
{
	size_t good, n;

	while (s.n > 0) {
		good = utf8_check(s);
		text_add(t, span_slice(s, 0, good));
		s = span_slice(s, good, s.n);
		if (s.n == 0)
			break;
		utf8_at(s, 0, &n);
		text_add_str(t, UTF8_REPLACEMENT);
		s = span_slice(s, n, s.n);
	}
}
