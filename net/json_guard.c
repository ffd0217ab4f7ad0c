#include "net/json_guard.h"

#include <limits.h>
#include <string.h>

#include "engine/base/error.h"
#include "net/json_guard_private.h"

void
json_guard_init(struct json_guard *g, size_t bytes_max, unsigned flags)
{
	*g = (struct json_guard){
	    .bytes_max = bytes_max,
	    .tokens_max = LIMIT_JSON_TOKENS,
	    .flags = flags,
	    .state = AT_VALUE,
	};
}

/* --- structure --- */

static int
open_level(struct feed *f, int object)
{
	struct json_guard *g = f->g;
	uint64_t bit;

	if (g->depth == LIMIT_JSON_DEPTH)
		return guard_fault(f, "too many levels of nesting");
	bit = UINT64_C(1) << g->depth % 64;
	if (object)
		g->is_object[g->depth / 64] |= bit;
	else
		g->is_object[g->depth / 64] &= ~bit;
	g->depth++;
	g->state = object ? AT_KEY_OR_END : AT_VALUE_OR_END;
	f->p++;
	return 0;
}

static int
close_level(struct feed *f)
{
	f->g->depth--;
	guard_value_ended(f->g);
	f->p++;
	return 0;
}

/* A string from its quote: at once if it is plain and whole. */
static inline int
begin_string(struct feed *f, int is_key)
{
	const uint8_t *p = guard_skip_plain(f->p + 1, f->end);

	if (p < f->end && *p == '"') {
		f->p = p + 1;
		if (is_key)
			f->g->state = AT_COLON;
		else
			guard_value_ended(f->g);
		return 0;
	}
	f->g->state = IN_STRING;
	f->g->is_key = (uint8_t)is_key;
	f->p = p;
	return p < f->end ? guard_string(f) : 0;
}

static int
begin_literal(struct feed *f, uint8_t which)
{
	size_t n = which == 1 ? 5 : 4;

	if ((size_t)(f->end - f->p) > n &&
	    memcmp(f->p, guard_literals[which], n) == 0) {
		f->p += n;
		guard_value_ended(f->g);
		return 0;
	}
	f->g->state = IN_LITERAL;
	f->g->low = which;
	f->g->sub = 0;
	return guard_literal(f);
}

/* A number from its first byte: at once if it is a whole one of digits. */
static inline int
begin_number(struct feed *f, enum number part)
{
	const uint8_t *p = f->p + 1;

	if (part == NUMBER_INTEGER)
		while (p < f->end && *p >= '0' && *p <= '9')
			p++;
	f->p = p;
	if (p < f->end && (*p == ',' || *p == '}') && part != NUMBER_MINUS) {
		guard_value_ended(f->g);
		return 0;
	}
	f->g->state = IN_NUMBER;
	f->g->sub = (uint8_t)part;
	return guard_number(f);
}

static int
begin_other(struct feed *f)
{
	switch (*f->p) {
	case 't':
		return begin_literal(f, 0);
	case 'f':
		return begin_literal(f, 1);
	case 'n':
		return begin_literal(f, 2);
	case '-':
		return begin_number(f, NUMBER_MINUS);
	case '0':
		return begin_number(f, NUMBER_ZERO);
	default:
		if (*f->p == 0xef && f->g->tokens == 1)
			return guard_fault(f, "a byte order mark");
		return guard_fault(f, "expected a value");
	}
}

static inline int
begin_value(struct feed *f)
{
	uint8_t c = *f->p;

	if (f->g->tokens++ == f->g->tokens_max)
		return guard_fault(f, "too many values");
	if (c == '"')
		return begin_string(f, 0);
	if (c == '{' || c == '[')
		return open_level(f, c == '{');
	if (c >= '1' && c <= '9')
		return begin_number(f, NUMBER_INTEGER);
	return begin_other(f);
}

static inline int
begin_key(struct feed *f)
{
	if (*f->p != '"')
		return guard_fault(f, "expected a key in double quotes");
	if (f->g->tokens++ == f->g->tokens_max)
		return guard_fault(f, "too many values");
	return begin_string(f, 1);
}

static inline int
after_value(struct feed *f)
{
	int object = guard_is_in_object(f->g);

	if (*f->p == ',') {
		f->g->state = object ? AT_KEY : AT_VALUE;
		f->p++;
		return 0;
	}
	if (*f->p == (object ? '}' : ']'))
		return close_level(f);
	return guard_fault(
	    f, object ? "expected ',' or '}'" : "expected ',' or ']'");
}

/* One step from a place between tokens; *f->p is not white space. */
static inline int
feed_structure(struct feed *f)
{
	switch ((enum state)f->g->state) {
	case AT_VALUE_OR_END:
		if (*f->p == ']')
			return close_level(f);
		/* fall through */
	case AT_VALUE:
		return begin_value(f);
	case AT_KEY_OR_END:
		if (*f->p == '}')
			return close_level(f);
		/* fall through */
	case AT_KEY:
		return begin_key(f);
	case AT_COLON:
		if (*f->p != ':')
			return guard_fault(f, "expected ':'");
		f->g->state = AT_VALUE;
		f->p++;
		return 0;
	case AT_COMMA:
		return after_value(f);
	case AT_END:
		return guard_fault(f, "more behind the end of the document");
	default:
		return -1;
	}
}

/* Steps between tokens, until the bytes end inside one or at a fault. */
static int
feed_tokens(struct feed *f)
{
	while (f->p < f->end && f->g->state <= AT_END) {
		if (guard_is_space(*f->p))
			f->p++;
		else if (feed_structure(f) == -1)
			return -1;
	}
	return 0;
}

int
guard_step(struct feed *f)
{
	switch ((enum state)f->g->state) {
	case IN_STRING:
		return guard_string(f);
	case IN_ESCAPE:
		return guard_escape(f);
	case IN_HEX:
		return guard_hex(f);
	case IN_CHARACTER:
		return guard_character(f);
	case IN_NUMBER:
		return guard_number(f);
	case IN_LITERAL:
		return guard_literal(f);
	case BROKEN:
		return -1;
	default:
		return feed_tokens(f);
	}
}

static int
explain(struct feed *f, struct error *e)
{
	const char *what = f->g->fault;

	if (f->p == NULL || f->p == f->end)
		return error_set(e, ERROR_SYNTAX, 0, "%s", what);
	if (strncmp(what, "too many", 8) == 0)
		return error_set(e, ERROR_TOO_BIG, 0, "%s", what);
	if (strncmp(what, "expected", 8) != 0)
		return error_set(e, ERROR_SYNTAX, 0, "%s", what);
	if (*f->p > ' ' && *f->p < 0x7f)
		return error_set(
		    e, ERROR_SYNTAX, 0, "%s, found '%c'", what, *f->p);
	return error_set(
	    e, ERROR_SYNTAX, 0, "%s, found byte 0x%02x", what, *f->p);
}

int
json_guard_feed(struct json_guard *g, struct span s, struct error *e)
{
	struct feed f = {.g = g, .p = (const uint8_t *)s.p};
	int broken = 0;

	if (g->state != BROKEN && s.n > g->bytes_max - g->bytes) {
		g->state = BROKEN;
		g->fault = "too many bytes";
		return error_set(e, ERROR_TOO_BIG, 0,
		    "a document of more than %zu bytes", g->bytes_max);
	}
	if (g->state == BROKEN)
		return error_set(e, ERROR_SYNTAX, 0, "%s", g->fault);
	if (s.n == 0)
		return 0;
	f.end = f.p + s.n;
	while (f.p < f.end && !broken)
		broken = guard_step(&f);
	g->bytes += (size_t)(f.p - (const uint8_t *)s.p);
	return broken ? explain(&f, e) : 0;
}

int
json_guard_end(struct json_guard *g, struct error *e)
{
	if (g->state == BROKEN)
		return error_set(e, ERROR_SYNTAX, 0, "%s", g->fault);
	if (g->state == IN_NUMBER && g->depth == 0 &&
	    guard_number_is_whole(g->sub))
		g->state = AT_END;
	if (g->state == AT_END)
		return 0;
	g->fault = g->tokens == 0 ? "empty: expected a value"
				  : "the document ends too early";
	g->state = BROKEN;
	return error_set(e, ERROR_SYNTAX, 0, "%s", g->fault);
}
