#ifndef SKEP_NET_JSON_H
#define SKEP_NET_JSON_H

/*
 * JSON documents, read.
 *
 * Theory of operation
 *
 * json_parse() passes the text through the guard (json_guard.h), which
 * settles every question of grammar in linear time, then lets jsmn cut it
 * into tokens.  A value is named by the index of its token, an int: 0 is the
 * root, -1 is "not there".  Every function here takes -1 and answers "not
 * there", so look-ups chain without tests.  Spans point into the text, which
 * the document borrows: it must stay in place as long as the document is
 * used.  Nothing is copied until a string with escapes is asked for.
 *
 * Two families of getters: json_get() and its like are for the network, where
 * what is missing or of another type is ignored; json_want_*() are for
 * configuration, where it is an error that names the path.  After any failure
 * doc->fault says where it lies; the error's text does not repeat it.
 *
 * In objects the last of several equal keys wins, unless JSON_UNIQUE.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"
#include "net/json_guard.h"

struct arena;
struct error;
struct text;

enum json_type {
	JSON_NONE, /* there is no such value */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* As jsmn leaves it: see json.c, the only file that knows jsmn. */
enum json_kind { JSON_KIND_OBJECT = 1, JSON_KIND_ARRAY, JSON_KIND_STRING };

struct json_token {
	int kind;       /* enum json_kind, or a number or literal */
	int start, end; /* in the text; of strings, without the quotes */
	int size;       /* elements or members; of a key, 1 */
	int parent;     /* -1: none */
};

struct json_place {
	size_t offset;
	unsigned line, column; /* from 1; columns count characters */
};

struct json_doc {
	struct span text;
	struct json_token *token; /* one pool block, reused */
	size_t token_bytes;
	int plain_keys; /* no key has an escape */
	int tokens;
	struct json_place fault;
};

/* An empty document; allocates nothing. */
void json_doc_init(struct json_doc *d);

/* Give the tokens back; the document is as after json_doc_init(). */
void json_doc_release(struct json_doc *d);

/*
 * Read text, which d borrows until it is released or parses again.  0, or -1
 * and *e: SYNTAX, TOO_BIG (a ceiling), FULL (no memory).
 */
int json_parse(
    struct json_doc *d, struct span text, unsigned flags, struct error *e);

/*
 * No object of d has two equal keys: 0; else -1 with *e and the fault at the
 * second.  json_parse() with JSON_UNIQUE asks this.
 */
int json_unique(struct json_doc *d, struct error *e);

/*
 * Make relaxed JSON strict, in place: comments and trailing commas (and a
 * byte order mark) become spaces, so that every position stays.  -1 and *e
 * when a comment is not closed; *at is then its offset.
 */
int json_relax(char *p, size_t n, size_t *at, struct error *e);

/* --- finding values --- */

enum json_type json_type(const struct json_doc *d, int v);

/* "a string", "an object", ...: for messages. */
const char *json_type_name(enum json_type type);

/* A member's value, or -1. */
int json_get(const struct json_doc *d, int object, const char *key);
int json_get_span(const struct json_doc *d, int object, struct span key);

/* Element i, or -1; walks, so use json_first() and json_next() for all. */
int json_at(const struct json_doc *d, int array, int i);

/*
 * The first element of an array or key of an object, and the one after at;
 * -1 at the end.  The value of a key is json_value(d, key).
 */
int json_first(const struct json_doc *d, int container);
int json_next(const struct json_doc *d, int container, int at);
int json_value(const struct json_doc *d, int key);

/* How many elements or members; 0 for anything else. */
int json_size(const struct json_doc *d, int v);

/* --- reading values --- */

/* The value's bytes as they stand, quotes and brackets included. */
struct span json_raw(const struct json_doc *d, int v);

/* Of a string, what stands between the quotes, still escaped; else as raw. */
struct span json_inner(const struct json_doc *d, int v);

/* True for a string equal to s. */
int json_is(const struct json_doc *d, int v, const char *s);
int json_is_span(const struct json_doc *d, int v, struct span s);

/*
 * A string's text: a span into the document when it has no escapes, else a
 * copy in arena a.  -1 when v is no string, or a is full (it says so itself).
 */
int json_string(
    const struct json_doc *d, int v, struct arena *a, struct span *out);

/* Append a string's text; anything else appends nothing. */
void json_string_add(const struct json_doc *d, int v, struct text *t);

/* A whole number without fraction or exponent in min..max; else -1. */
int json_int(
    const struct json_doc *d, int v, int64_t min, int64_t max, int64_t *out);

/* The same, or instead when it is not there or not such a number. */
int64_t json_int_or(const struct json_doc *d, int v, int64_t instead);

/* A finite number; else -1. */
int json_real(const struct json_doc *d, int v, double *out);

/* 1 for true, 0 for false, else instead. */
int json_bool_or(const struct json_doc *d, int v, int instead);

/* Unescape the inside of a JSON string; the guard must have passed it. */
void json_unescape(struct span inner, struct text *t);

/* --- reporting --- */

void json_place(const struct json_doc *d, int v, struct json_place *at);

/* Line and column of an offset in text. */
void json_place_of(struct span text, size_t offset, struct json_place *at);

/* "model.headers[2].name" into out, cut at size; "" for the root. */
void json_path(const struct json_doc *d, int v, char *out, size_t size);

/*
 * Put the fault at v, and the path and the formatted text in *e (SYNTAX);
 * return -1.  v may be a key.
 */
int json_fail(struct json_doc *d, int v, struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "FILE:LINE:COLUMN: " of the fault before *e's text; return -1. */
int json_fail_in(const struct json_doc *d, const char *file, struct error *e);

/* --- values that must be there: 0, or -1 with fault and *e --- */

int json_want(struct json_doc *d, int object, const char *key,
    enum json_type type, int *out, struct error *e);
int json_want_string(struct json_doc *d, int object, const char *key,
    struct arena *a, struct span *out, struct error *e);
int json_want_int(struct json_doc *d, int object, const char *key, int64_t min,
    int64_t max, int64_t *out, struct error *e);
int json_want_real(struct json_doc *d, int object, const char *key, double min,
    double max, double *out, struct error *e);
int json_want_bool(
    struct json_doc *d, int object, const char *key, int *out, struct error *e);

#endif
