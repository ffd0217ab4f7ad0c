#ifndef SKEP_NET_JSON_GUARD_PRIVATE_H
#define SKEP_NET_JSON_GUARD_PRIVATE_H

/*
 * The inside of the guard: json_guard.c reads structure, json_guard_scalar.c
 * strings, numbers and literals; json_shape.c has single leaves read.
 */

#include <endian.h>
#include <string.h>

#include "net/json_guard.h"

/*
 * The state says what the next byte may be.  Structure (brackets, commas,
 * white space) is read byte by byte; strings, where nearly all bytes are,
 * eight at a time.
 */
enum state {
	AT_VALUE,
	AT_VALUE_OR_END, /* behind [ */
	AT_KEY,          /* behind a comma in an object */
	AT_KEY_OR_END,   /* behind { */
	AT_COLON,
	AT_COMMA, /* behind a value in an array or object */
	AT_END,   /* behind the root value */
	IN_STRING,
	IN_ESCAPE, /* behind a backslash */
	IN_HEX,
	IN_CHARACTER, /* inside a character of several bytes */
	IN_NUMBER,
	IN_LITERAL,
	BROKEN,
};

enum number {
	NUMBER_MINUS,
	NUMBER_ZERO,
	NUMBER_INTEGER,
	NUMBER_POINT,
	NUMBER_FRACTION,
	NUMBER_E,
	NUMBER_SIGN,
	NUMBER_EXPONENT,
};

/* The bytes being fed; p ends at the fault when there is one. */
struct feed {
	struct json_guard *g;
	const uint8_t *p, *end;
};

extern const char guard_literals[3][6];

/* Record what is wrong at f->p: -1. */
int guard_fault(struct feed *f, const char *what);

/* One step from wherever it is; f->p < f->end.  0, or -1 at a fault. */
int guard_step(struct feed *f);

/* Go on inside a string, number ...; 0 at its end or that of the bytes. */
int guard_string(struct feed *f);
int guard_escape(struct feed *f);
int guard_hex(struct feed *f);
int guard_character(struct feed *f);
int guard_number(struct feed *f);
int guard_literal(struct feed *f);

/* A number may end here. */
int guard_number_is_whole(unsigned part);

static inline int
guard_is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* What may stand behind a backslash, but for u and what follows that. */
static inline int
guard_is_escape(uint8_t c)
{
	return c == 'n' || c == '"' || c == '\\' || c == '/' || c == 'b' ||
	       c == 'f' || c == 'r' || c == 't';
}

static inline int
guard_is_in_object(const struct json_guard *g)
{
	unsigned level = g->depth - 1;

	return (g->is_object[level / 64] >> level % 64) & 1;
}

static inline void
guard_value_ended(struct json_guard *g)
{
	g->state = g->depth > 0 ? AT_COMMA : AT_END;
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/*
 * Marks the bytes of x that end a run of plain characters.  The lowest mark
 * is exact; those above it may be false.
 */
static inline uint64_t
guard_stops(uint64_t x)
{
	uint64_t quote = x ^ ONES * '"', backslash = x ^ ONES * '\\';

	return (((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash) |
		   ((x - ONES * 0x20) & ~x) | x) &
	       HIGHS;
}

static inline const uint8_t *
guard_skip_plain(const uint8_t *p, const uint8_t *end)
{
	uint64_t x, stop;

	while (end - p >= 8) {
		memcpy(&x, p, 8);
		stop = guard_stops(le64toh(x));
		if (stop != 0)
			return p + __builtin_ctzll(stop) / 8;
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

#endif
