#ifndef SKEP_NET_JSON_WRITE_H
#define SKEP_NET_JSON_WRITE_H

/*
 * A JSON writer appends to a text, places commas, and knows what is open.
 * Strings may hold anything: what must be escaped is, and bytes that are not
 * UTF-8 become U+FFFD.  Misuse (a value without a key, an end too many) is
 * our own fault and CHECKed.  A full text is sticky: write the whole thing,
 * then ask json_write_done().
 *
 * json_write_*() writes a value; json_put_*() a member: key and value.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/limits.h"
#include "engine/base/span.h"

struct text;

struct json_writer {
	struct text *out;
	unsigned depth;
	unsigned indent;     /* spaces a level; 0: all on one line */
	uint8_t wants_value; /* a key was written */
	uint8_t has_member;  /* of the innermost open container */
	uint8_t in_string;
	uint64_t is_object[LIMIT_JSON_DEPTH / 64];
	uint64_t had_member[LIMIT_JSON_DEPTH / 64];
};

/* Append to out, which w keeps. */
void json_write_init(struct json_writer *w, struct text *out);

/* The same for people: indent spaces a level, "key": value. */
void json_write_init_pretty(
    struct json_writer *w, struct text *out, unsigned indent);

/* 0 when everything opened is closed and the text did not overflow. */
int json_write_done(const struct json_writer *w);

void json_write_object(struct json_writer *w);
void json_write_array(struct json_writer *w);
void json_write_end(struct json_writer *w); /* of the innermost one */
void json_write_key(struct json_writer *w, const char *key);
void json_write_key_span(struct json_writer *w, struct span key);

void json_write_str(struct json_writer *w, const char *s); /* NULL: null */
void json_write_span(struct json_writer *w, struct span s);
void json_write_int(struct json_writer *w, int64_t v);
void json_write_uint(struct json_writer *w, uint64_t v);
/* Shortest form that reads back the same; CHECKs that v is finite. */
void json_write_real(struct json_writer *w, double v);
/* With exactly this many decimals, for seconds and money. */
void json_write_fixed(struct json_writer *w, double v, int decimals);
void json_write_bool(struct json_writer *w, int v);
void json_write_null(struct json_writer *w);
/* Bytes that are already one valid JSON value. */
void json_write_raw(struct json_writer *w, struct span json);

/* A string in pieces: each must hold whole characters. */
void json_write_string_begin(struct json_writer *w);
void json_write_string_add(struct json_writer *w, struct span s);
/* The inside of a JSON string, already escaped. */
void json_write_string_add_escaped(struct json_writer *w, struct span s);
void json_write_string_end(struct json_writer *w);

void json_put_object(struct json_writer *w, const char *key);
void json_put_array(struct json_writer *w, const char *key);
void json_put_str(struct json_writer *w, const char *key, const char *s);
void json_put_span(struct json_writer *w, const char *key, struct span s);
void json_put_int(struct json_writer *w, const char *key, int64_t v);
void json_put_uint(struct json_writer *w, const char *key, uint64_t v);
void json_put_real(struct json_writer *w, const char *key, double v);
void json_put_fixed(
    struct json_writer *w, const char *key, double v, int decimals);
void json_put_bool(struct json_writer *w, const char *key, int v);
void json_put_null(struct json_writer *w, const char *key);
void json_put_raw(struct json_writer *w, const char *key, struct span json);

/* Append s to t as the inside of a JSON string. */
void json_escape(struct span s, struct text *t);

#endif
