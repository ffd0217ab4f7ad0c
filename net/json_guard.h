#ifndef SKEP_NET_JSON_GUARD_H
#define SKEP_NET_JSON_GUARD_H

/*
 * The JSON guard decides, in one linear pass, whether bytes are one document
 * of RFC 8259: grammar, UTF-8, numbers, literals, escapes; and whether it
 * stays within depth, size and token count.  It is incremental: a document
 * may be fed in pieces cut anywhere, and a fault is found at its first byte.
 *
 * Nothing is kept and nothing is allocated.  Everything behind the guard
 * (the tokenizer first) may rely on well-formed input.
 *
 * A \u escape of half a surrogate pair is grammatical, so it passes and is
 * read as U+FFFD; with JSON_UNICODE it is refused.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/limits.h"
#include "engine/base/span.h"

struct error;

enum json_flags {
	JSON_UNIQUE = 1,  /* refuse duplicate keys (documents only) */
	JSON_UNICODE = 2, /* refuse escapes of lone surrogates */
};

struct json_guard {
	size_t bytes; /* accepted so far; after a fault, its offset */
	size_t bytes_max, tokens_max;
	size_t tokens; /* values and keys begun */
	unsigned flags;
	unsigned depth;
	uint8_t state;
	uint8_t sub;         /* progress within state */
	uint8_t low, high;   /* what the next byte of a character may be */
	uint16_t unit;       /* the \u escape being read */
	uint8_t is_key;      /* the string being read is a key */
	uint8_t after_high;  /* an escape of a high surrogate came last */
	uint8_t key_escapes; /* some key has an escape */
	const char *fault;   /* what is wrong, once something is */
	uint64_t is_object[LIMIT_JSON_DEPTH / 64]; /* one bit per open level */
};

/* Accept a document of at most bytes_max bytes. */
void json_guard_init(struct json_guard *g, size_t bytes_max, unsigned flags);

/*
 * Check the next bytes.  0: no fault so far.  -1 and *e (SYNTAX or TOO_BIG):
 * g->bytes is the offset of the fault, and every later call fails too.
 */
int json_guard_feed(struct json_guard *g, struct span s, struct error *e);

/* 0 when what was fed is one whole document. */
int json_guard_end(struct json_guard *g, struct error *e);

#endif
