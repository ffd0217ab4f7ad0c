#include "sandbox/untar.h"

#include <string.h>

#include "engine/base/check.h"

/* Fields of a header: offset and bytes. */
#define NAME 0, 100
#define MODE 100, 8
#define SIZE 124, 12
#define CHECKSUM 148, 8
#define KIND 156
#define MAGIC 257
#define PREFIX 345, 155

enum { AT_HEADER, IN_EXTENSION, IN_CONTENT, IN_PADDING, AT_END };

void
untar_init(struct untar *u)
{
	memset(u, 0, offsetof(struct untar, block));
}

static enum untar_event
bad(struct untar *u, const char *fault)
{
	u->fault = fault;
	return UNTAR_BAD;
}

/* As many bytes as there are up to size into to; 1 when that is full. */
static int
gather(struct untar *u, struct span *in, char *to, size_t size)
{
	size_t n = size - u->have < in->n ? size - u->have : in->n;

	if (n > 0)
		memcpy(to + u->have, in->p, n);
	u->have += n;
	*in = span_slice(*in, n, in->n);
	if (u->have < size)
		return 0;
	u->have = 0;
	return 1;
}

/* --- fields --- */

static struct span
text_field(const char *block, size_t at, size_t size)
{
	const char *end = memchr(block + at, '\0', size);

	return (struct span){
	    block + at, end != NULL ? (size_t)(end - (block + at)) : size};
}

/* Octal, or base 256 behind a set bit; -1: neither, or above INT64_MAX. */
static int
number_field(const char *block, size_t at, size_t size, uint64_t *out)
{
	const unsigned char *p = (const unsigned char *)block + at;
	uint64_t value = 0;
	size_t i = 0;

	if (p[0] == 0x80) {
		for (i = 1; i < size; i++) {
			if (value >> 55 != 0)
				return -1;
			value = value << 8 | p[i];
		}
		*out = value;
		return 0;
	}
	while (i < size && p[i] == ' ')
		i++;
	for (; i < size && p[i] >= '0' && p[i] <= '7'; i++) {
		if (value >> 60 != 0)
			return -1;
		value = value << 3 | (unsigned)(p[i] - '0');
	}
	if (i < size && p[i] != ' ' && p[i] != '\0')
		return -1;
	*out = value;
	return 0;
}

/* Old programs added signed bytes. */
static int
checksum_fits(const char *block)
{
	uint64_t told;
	uint64_t plain = 0;
	int64_t with_sign = 0;

	if (number_field(block, CHECKSUM, &told) == -1)
		return 0;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		char c = i >= 148 && i < 156 ? ' ' : block[i];

		plain += (unsigned char)c;
		with_sign += (signed char)c;
	}
	return told == plain || (int64_t)told == with_sign;
}

static int
is_zero(const char *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i] != 0)
			return 0;
	return 1;
}

/* --- extensions: pax records and GNU's long names --- */

static int
take_name(struct untar *u, struct span name)
{
	while (name.n > 0 && name.p[name.n - 1] == '\0')
		name.n--;
	if (name.n == 0 || name.n >= sizeof u->name ||
	    memchr(name.p, '\0', name.n) != NULL)
		return -1;
	memcpy(u->name, name.p, name.n);
	u->name_n = name.n;
	return 0;
}

static int
take_size(struct untar *u, struct span digits)
{
	uint64_t value = 0;

	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9' ||
		    value > INT64_MAX / 10 - 1)
			return -1;
		value = value * 10 + (unsigned)(digits.p[i] - '0');
	}
	u->size = value;
	u->has_size = 1;
	return digits.n > 0 ? 0 : -1;
}

static int
take_record(struct untar *u, struct span record)
{
	size_t equals = span_find(record, '=', 0);
	struct span key = span_slice(record, 0, equals);
	struct span value = span_slice(record, equals + 1, record.n);

	if (equals == record.n)
		return -1;
	if (span_is(key, "path"))
		return take_name(u, value);
	if (span_is(key, "size"))
		return take_size(u, value);
	if (span_has_prefix(key, span_of("GNU.sparse.")))
		u->is_sparse = 1;
	return 0;
}

/* "LENGTH key=value\n", one after the other. */
static int
take_records(struct untar *u, struct span rest)
{
	while (rest.n > 0) {
		size_t length = 0, i = 0;

		while (
		    i < rest.n && i < 8 && rest.p[i] >= '0' && rest.p[i] <= '9')
			length = length * 10 + (size_t)(rest.p[i++] - '0');
		if (i == 0 || i == rest.n || rest.p[i] != ' ' ||
		    length < i + 2 || length > rest.n ||
		    rest.p[length - 1] != '\n')
			return -1;
		if (take_record(u, span_slice(rest, i + 1, length - 1)) == -1)
			return -1;
		rest = span_slice(rest, length, rest.n);
	}
	return 0;
}

static int
take_extension(struct untar *u)
{
	struct span s = {u->extension, u->extension_n};

	switch (u->kind) {
	case 'x':
		return take_records(u, s);
	case 'L':
		return take_name(u, s);
	default: /* 'g', 'K': nothing that we need */
		return 0;
	}
}

/* --- headers --- */

static enum member_kind
kind_of(const struct untar *u, char c)
{
	if (u->is_sparse)
		return MEMBER_OTHER;
	switch (c) {
	case '0':
	case '\0':
	case '7':
		return u->member.name_n > 0 &&
			       u->member.name[u->member.name_n - 1] == '/'
			   ? MEMBER_FOLDER
			   : MEMBER_FILE;
	case '1':
		return MEMBER_HARDLINK;
	case '2':
		return MEMBER_SYMLINK;
	case '5':
		return MEMBER_FOLDER;
	default:
		return MEMBER_OTHER;
	}
}

static void
name_member(struct untar *u)
{
	struct member *m = &u->member;
	struct span prefix = {NULL, 0}, name = text_field(u->block, NAME);

	m->name_n = 0;
	if (u->name_n > 0)
		name = (struct span){u->name, u->name_n};
	else if (memcmp(u->block + MAGIC, "ustar\0", 6) == 0)
		prefix = text_field(u->block, PREFIX);
	if (prefix.n > 0) {
		memcpy(m->name, prefix.p, prefix.n);
		m->name[prefix.n] = '/';
		m->name_n = prefix.n + 1;
	}
	memcpy(m->name + m->name_n, name.p, name.n);
	m->name_n += name.n;
	m->name[m->name_n] = '\0';
}

static enum untar_event
begin_extension(struct untar *u, char kind, uint64_t size)
{
	if (size > sizeof u->extension)
		return bad(u, "an extended header is too long");
	u->kind = kind;
	u->extension_n = (size_t)size;
	u->padding = tar_padding(size);
	u->state = size > 0 ? IN_EXTENSION : AT_HEADER;
	return UNTAR_MORE;
}

static enum untar_event
begin_member(struct untar *u, char kind, uint64_t size)
{
	struct member *m = &u->member;
	uint64_t mode;

	if (number_field(u->block, MODE, &mode) == -1)
		return bad(u, "a header has a bad mode");
	if (u->has_size)
		size = u->size;
	name_member(u);
	m->kind = kind_of(u, kind);
	m->mode = mode & 0777;
	/* Only files, and what we do not know, have content. */
	u->left = m->kind == MEMBER_FILE || m->kind == MEMBER_OTHER ? size : 0;
	if (kind >= '3' && kind <= '6')
		u->left = 0;
	m->size = u->left;
	u->padding = tar_padding(u->left);
	u->state = IN_CONTENT;
	u->name_n = 0;
	u->has_size = u->is_sparse = 0;
	return UNTAR_MEMBER;
}

static enum untar_event
take_header(struct untar *u)
{
	char kind = u->block[KIND];
	uint64_t size;

	if (is_zero(u->block)) {
		u->state = AT_END;
		return UNTAR_END;
	}
	if (!checksum_fits(u->block))
		return bad(u, u->headers == 0 ? "this is no tar archive"
					      : "a header is damaged");
	if (number_field(u->block, SIZE, &size) == -1)
		return bad(u, "a header has a bad size");
	u->headers++;
	if (kind == 'x' || kind == 'g' || kind == 'L' || kind == 'K')
		return begin_extension(u, kind, size);
	return begin_member(u, kind, size);
}

/* --- the stream --- */

static enum untar_event
content(struct untar *u, struct span *in)
{
	size_t n = u->left < in->n ? (size_t)u->left : in->n;

	if (u->left == 0) {
		u->state = IN_PADDING;
		return UNTAR_MORE;
	}
	u->bytes = span_slice(*in, 0, n);
	*in = span_slice(*in, n, in->n);
	u->left -= n;
	return UNTAR_BYTES;
}

static void
skip_padding(struct untar *u, struct span *in)
{
	size_t n = u->padding < in->n ? (size_t)u->padding : in->n;

	*in = span_slice(*in, n, in->n);
	u->padding -= n;
	if (u->padding == 0)
		u->state = AT_HEADER;
}

/* Is there nothing to do without another byte? */
static int
wants_bytes(const struct untar *u)
{
	return !(u->state == IN_CONTENT && u->left == 0) &&
	       !(u->state == IN_PADDING && u->padding == 0);
}

enum untar_event
untar_next(struct untar *u, struct span *in)
{
	enum untar_event event = UNTAR_MORE;

	while (event == UNTAR_MORE) {
		if (u->state == AT_END)
			return UNTAR_END;
		if (in->n == 0 && wants_bytes(u))
			return UNTAR_MORE;
		switch (u->state) {
		case AT_HEADER:
			if (gather(u, in, u->block, TAR_BLOCK))
				event = take_header(u);
			break;
		case IN_EXTENSION:
			if (!gather(u, in, u->extension, u->extension_n))
				break;
			if (take_extension(u) == -1)
				return bad(u, "an extended header is damaged");
			u->state = IN_PADDING;
			break;
		case IN_CONTENT:
			event = content(u, in);
			break;
		default:
			skip_padding(u, in);
		}
	}
	return event;
}

int
untar_may_end(const struct untar *u)
{
	return u->state == AT_END || (u->state == AT_HEADER && u->have == 0 &&
					 u->headers > 0 && u->name_n == 0);
}
