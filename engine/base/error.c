#include "engine/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"

struct kind {
	const char *name, *meaning;
	int retryable, exit_status;
};

static const struct kind kinds[] = {
#define ERROR(CODE, name, retry, exit_status, doc) \
	[ERROR_##CODE] = {#name, doc, retry, exit_status},
#include "engine/base/errors.def"
};

static const struct kind *
kind_of(enum error_code code)
{
	CHECK((size_t)code < sizeof kinds / sizeof kinds[0]);
	return &kinds[code];
}

/* Bytes of the character at p, of n >= 1 bytes; 0 when it is not UTF-8. */
static size_t
character_bytes(const unsigned char *p, size_t n)
{
	size_t length;
	unsigned least, c;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		length = 2, least = 0x80, c = p[0] & 0x1f;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		length = 3, least = 0x800, c = p[0] & 0x0f;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		length = 4, least = 0x10000, c = p[0] & 0x07;
	else
		return 0;
	if (length > n)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return length;
}

/*
 * Make the n bytes at text, which may have been cut inside a character, one
 * line of UTF-8: what peers and files put into it must not move a cursor.
 */
static size_t
scrub(char *text, size_t n, int was_cut)
{
	size_t i = 0, length;

	while (i < n) {
		unsigned char *p = (unsigned char *)text + i;

		length = character_bytes(p, n - i);
		if (length == 0 && was_cut && n - i < 4 && *p >= 0xc0) {
			n = i; /* the half of a character that the cut left */
			break;
		}
		if (length == 0 || (length == 2 && p[0] == 0xc2 && p[1] < 0xa0))
			*p = '?', length = 1;
		else if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
		i += length;
	}
	text[n] = '\0';
	return n;
}

/*
 * Format into text[size], which an argument may point into; how many bytes it
 * became.
 */
static size_t
format_line(char *text, size_t size, const char *fmt, va_list ap)
{
	char line[sizeof((struct error *)0)->text];
	int n = vsnprintf(line, size, fmt, ap);
	size_t kept;

	if (n < 0)
		n = 0, line[0] = '\0';
	if ((size_t)n < size)
		kept = scrub(line, (size_t)n, 0);
	else
		kept = scrub(line, size - 1, 1);
	memcpy(text, line, kept + 1);
	return kept;
}

int
error_set(
    struct error *e, enum error_code code, int os_errno, const char *fmt, ...)
{
	char reason[96] = "";
	size_t n, reason_n = 0;
	va_list ap;

	if (os_errno != 0) {
		char spare[64];

		snprintf(reason, sizeof reason, ": %s",
		    strerror_r(os_errno, spare, sizeof spare));
		reason_n = strlen(reason);
	}
	e->code = code;
	e->os_errno = os_errno;
	va_start(ap, fmt);
	n = format_line(e->text, sizeof e->text - reason_n, fmt, ap);
	va_end(ap);
	memcpy(e->text + n, reason, reason_n + 1);
	return -1;
}

int
error_wrap(struct error *e, const char *fmt, ...)
{
	char old[sizeof e->text];
	size_t n, old_n = strlen(e->text);
	va_list ap;

	memcpy(old, e->text, old_n + 1);
	va_start(ap, fmt);
	n = format_line(e->text, sizeof e->text - 2, fmt, ap);
	va_end(ap);
	memcpy(e->text + n, ": ", 2);
	n += 2;
	if (old_n < sizeof e->text - n)
		memcpy(e->text + n, old, old_n + 1);
	else {
		memcpy(e->text + n, old, sizeof e->text - n - 1);
		scrub(e->text, sizeof e->text - 1, 1);
	}
	return -1;
}

const char *
error_name(enum error_code code)
{
	return kind_of(code)->name;
}

const char *
error_meaning(enum error_code code)
{
	return kind_of(code)->meaning;
}

int
error_is_retryable(enum error_code code)
{
	return kind_of(code)->retryable;
}

int
error_exit_status(enum error_code code)
{
	return kind_of(code)->exit_status;
}
