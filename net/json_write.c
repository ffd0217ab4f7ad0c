#include "net/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/text.h"
#include "net/utf8.h"

void
json_write_init(struct json_writer *w, struct text *out)
{
	*w = (struct json_writer){.out = out};
}

void
json_write_init_pretty(struct json_writer *w, struct text *out, unsigned indent)
{
	*w = (struct json_writer){.out = out, .indent = indent};
}

int
json_write_done(const struct json_writer *w)
{
	if (w->depth > 0 || w->wants_value || w->in_string)
		return -1;
	return text_overflowed(w->out) ? -1 : 0;
}

/* --- structure --- */

static int
is_in_object(const struct json_writer *w)
{
	unsigned level = w->depth - 1;

	return w->depth > 0 && (w->is_object[level / 64] >> level % 64 & 1);
}

static void
new_line(struct json_writer *w)
{
	if (w->indent == 0)
		return;
	text_add_char(w->out, '\n');
	for (unsigned i = 0; i < w->depth * w->indent; i++)
		text_add_char(w->out, ' ');
}

/* What goes before a value or key: a comma, a line. */
static void
separate(struct json_writer *w)
{
	if (w->has_member)
		text_add_char(w->out, ',');
	if (w->depth > 0)
		new_line(w);
	w->has_member = 1;
}

static void
before_value(struct json_writer *w)
{
	CHECK(!w->in_string);
	if (w->wants_value) {
		w->wants_value = 0;
		return;
	}
	CHECK(!is_in_object(w));
	if (w->depth > 0)
		separate(w);
}

static void
set_bit(uint64_t *bits, unsigned at, int value)
{
	uint64_t bit = UINT64_C(1) << at % 64;

	bits[at / 64] = value ? bits[at / 64] | bit : bits[at / 64] & ~bit;
}

static void
begin(struct json_writer *w, int object)
{
	CHECK(w->depth < LIMIT_JSON_DEPTH);
	before_value(w);
	text_add_char(w->out, object ? '{' : '[');
	set_bit(w->is_object, w->depth, object);
	set_bit(w->had_member, w->depth, w->has_member);
	w->has_member = 0;
	w->depth++;
}

void
json_write_object(struct json_writer *w)
{
	begin(w, 1);
}

void
json_write_array(struct json_writer *w)
{
	begin(w, 0);
}

void
json_write_end(struct json_writer *w)
{
	int object = is_in_object(w);

	CHECK(w->depth > 0);
	CHECK(!w->wants_value);
	CHECK(!w->in_string);
	w->depth--;
	if (w->has_member)
		new_line(w);
	text_add_char(w->out, object ? '}' : ']');
	w->has_member = w->had_member[w->depth / 64] >> w->depth % 64 & 1;
}

void
json_write_key_span(struct json_writer *w, struct span key)
{
	CHECK(is_in_object(w));
	CHECK(!w->wants_value);
	separate(w);
	text_add_char(w->out, '"');
	json_escape(key, w->out);
	text_add_str(w->out, w->indent > 0 ? "\": " : "\":");
	w->wants_value = 1;
}

void
json_write_key(struct json_writer *w, const char *key)
{
	json_write_key_span(w, span_of(key));
}

/* --- strings --- */

static void
escape_byte(unsigned char c, struct text *t)
{
	static const char letters[] = "btn-fr"; /* 8, 9, 10, -, 12, 13 */
	static const char hex[] = "0123456789abcdef";
	char out[7] = "\\u0000";

	if (c == '"' || c == '\\')
		text_add(t, (struct span){(char[]){'\\', (char)c}, 2});
	else if (c >= 8 && c <= 13 && c != 11)
		text_add(t, (struct span){(char[]){'\\', letters[c - 8]}, 2});
	else {
		out[4] = hex[c >> 4];
		out[5] = hex[c & 15];
		text_add(t, (struct span){out, 6});
	}
}

/* How many bytes at the front of s can stand in a string as they are. */
static size_t
plain(struct span s)
{
	size_t i = 0, n;

	while (i < s.n) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x80) {
			if (utf8_at(s, i, &n) == UTF8_BAD)
				return i;
			i += n;
		} else if (c < 0x20 || c == '"' || c == '\\') {
			return i;
		} else {
			i++;
		}
	}
	return i;
}

void
json_escape(struct span s, struct text *t)
{
	size_t n;

	while (s.n > 0) {
		n = plain(s);
		text_add(t, (struct span){s.p, n});
		s = (struct span){s.p + n, s.n - n};
		if (s.n == 0)
			break;
		n = 1;
		if ((unsigned char)*s.p < 0x80) {
			escape_byte((unsigned char)*s.p, t);
		} else {
			utf8_at(s, 0, &n);
			text_add_str(t, UTF8_REPLACEMENT);
		}
		s = (struct span){s.p + n, s.n - n};
	}
}

void
json_write_span(struct json_writer *w, struct span s)
{
	json_write_string_begin(w);
	json_write_string_add(w, s);
	json_write_string_end(w);
}

void
json_write_str(struct json_writer *w, const char *s)
{
	if (s == NULL)
		json_write_null(w);
	else
		json_write_span(w, span_of(s));
}

void
json_write_string_begin(struct json_writer *w)
{
	before_value(w);
	text_add_char(w->out, '"');
	w->in_string = 1;
}

void
json_write_string_add(struct json_writer *w, struct span s)
{
	CHECK(w->in_string);
	json_escape(s, w->out);
}

void
json_write_string_add_escaped(struct json_writer *w, struct span s)
{
	CHECK(w->in_string);
	text_add(w->out, s);
}

void
json_write_string_end(struct json_writer *w)
{
	CHECK(w->in_string);
	text_add_char(w->out, '"');
	w->in_string = 0;
}

/* --- other values --- */

void
json_write_raw(struct json_writer *w, struct span json)
{
	before_value(w);
	text_add(w->out, json);
}

void
json_write_int(struct json_writer *w, int64_t v)
{
	before_value(w);
	text_printf(w->out, "%" PRId64, v);
}

void
json_write_uint(struct json_writer *w, uint64_t v)
{
	before_value(w);
	text_printf(w->out, "%" PRIu64, v);
}

void
json_write_real(struct json_writer *w, double v)
{
	char digits[32];

	CHECK(isfinite(v));
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, v);
		if (strtod(digits, NULL) == v)
			break;
	}
	json_write_raw(w, span_of(digits));
}

void
json_write_fixed(struct json_writer *w, double v, int decimals)
{
	CHECK(isfinite(v));
	before_value(w);
	text_printf(w->out, "%.*f", decimals, v);
}

void
json_write_bool(struct json_writer *w, int v)
{
	json_write_raw(w, span_of(v ? "true" : "false"));
}

void
json_write_null(struct json_writer *w)
{
	json_write_raw(w, span_of("null"));
}
