#include "net/json_guard.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

#include "engine/base/error.h"

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

static const char literals[3][6] = {"true", "false", "null"};

/* The bytes being fed; p ends at the fault when there is one. */
struct feed {
	struct json_guard *g;
	const uint8_t *p, *end;
	struct json_peek *peek; /* or NULL */
};

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

static int
fault(struct feed *f, const char *what)
{
	f->g->fault = what;
	f->g->state = BROKEN;
	return -1;
}

static inline int
is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline int
is_in_object(const struct json_guard *g)
{
	unsigned level = g->depth - 1;

	return (g->is_object[level / 64] >> level % 64) & 1;
}

static void
value_ended(struct json_guard *g)
{
	g->state = g->depth > 0 ? AT_COMMA : AT_END;
}

/* --- strings --- */

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/*
 * Marks the bytes of x that end a run of plain characters.  The lowest mark
 * is exact; those above it may be false.
 */
static inline uint64_t
stops(uint64_t x)
{
	uint64_t quote = x ^ ONES * '"', backslash = x ^ ONES * '\\';

	return (((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash) |
		   ((x - ONES * 0x20) & ~x) | x) &
	       HIGHS;
}

static inline const uint8_t *
skip_plain(const uint8_t *p, const uint8_t *end)
{
	uint64_t x, stop;

	while (end - p >= 8) {
		memcpy(&x, p, 8);
		stop = stops(le64toh(x));
		if (stop != 0)
			return p + __builtin_ctzll(stop) / 8;
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* A lead byte: how many bytes follow it, and the range of the first. */
static int
begin_character(struct json_guard *g, uint8_t c)
{
	if (c < 0xc2 || c > 0xf4)
		return -1;
	g->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	g->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	g->sub = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	return 0;
}

static int
feed_character(struct feed *f)
{
	struct json_guard *g = f->g;

	for (; f->p < f->end && g->sub > 0; f->p++, g->sub--) {
		if (*f->p < g->low || *f->p > g->high)
			return fault(f, "bytes that are not UTF-8");
		g->low = 0x80;
		g->high = 0xbf;
	}
	g->state = g->sub > 0 ? IN_CHARACTER : IN_STRING;
	return 0;
}

/* What follows an escaped high surrogate is not its other half. */
static int
half_pair(struct feed *f)
{
	f->g->after_high = 0;
	if (f->g->flags & JSON_UNICODE)
		return fault(f, "an escape of half a surrogate pair");
	return 0;
}

static int
feed_hex(struct feed *f)
{
	struct json_guard *g = f->g;
	int is_low;

	for (; f->p < f->end && g->sub > 0; f->p++, g->sub--) {
		uint8_t c = *f->p, letter = c | 0x20;

		if (c >= '0' && c <= '9')
			c -= '0';
		else if (letter >= 'a' && letter <= 'f')
			c = letter - 'a' + 10;
		else
			return fault(f, "\\u without four hex digits");
		g->unit = (uint16_t)(g->unit << 4 | c);
	}
	if (g->sub > 0)
		return 0;
	g->state = IN_STRING;
	is_low = (g->unit & 0xfc00) == 0xdc00;
	if (is_low != g->after_high && half_pair(f) == -1)
		return -1;
	g->after_high = (g->unit & 0xfc00) == 0xd800;
	return 0;
}

static inline int
is_escape(uint8_t c)
{
	return c == 'n' || c == '"' || c == '\\' || c == '/' || c == 'b' ||
	       c == 'f' || c == 'r' || c == 't';
}

static int
feed_escape(struct feed *f)
{
	struct json_guard *g = f->g;
	uint8_t c = *f->p;

	if (c != 'u' && g->after_high && half_pair(f) == -1)
		return -1;
	if (c == 'u') {
		g->state = IN_HEX;
		g->sub = 4;
		g->unit = 0;
	} else if (is_escape(c)) {
		g->state = IN_STRING;
	} else {
		return fault(f, "an unknown escape");
	}
	f->p++;
	return 0;
}

/* A byte that is no plain character: the end, an escape, a long character. */
static int
feed_special(struct feed *f)
{
	struct json_guard *g = f->g;
	uint8_t c = *f->p;

	if (c == '\\') {
		g->state = IN_ESCAPE;
		g->key_escapes |= g->is_key;
		f->p++;
		return f->p < f->end ? feed_escape(f) : 0;
	}
	if (g->after_high && half_pair(f) == -1)
		return -1;
	if (c == '"') {
		f->p++;
		if (g->is_key)
			g->state = AT_COLON;
		else
			value_ended(g);
		return 0;
	}
	if (c < 0x20)
		return fault(f, "a control character in a string");
	if (begin_character(g, c) == -1)
		return fault(f, "bytes that are not UTF-8");
	f->p++;
	return feed_character(f);
}

static int
feed_string(struct feed *f)
{
	const uint8_t *from;

	while (f->p < f->end && f->g->state == IN_STRING) {
		from = f->p;
		f->p = skip_plain(f->p, f->end);
		if (f->p > from && f->g->after_high && half_pair(f) == -1) {
			f->p = from; /* the fault is where the run began */
			return -1;
		}
		if (f->p < f->end && feed_special(f) == -1)
			return -1;
	}
	return 0;
}

/* --- numbers and literals --- */

static int
number_is_whole(unsigned part)
{
	return part == NUMBER_ZERO || part == NUMBER_INTEGER ||
	       part == NUMBER_FRACTION || part == NUMBER_EXPONENT;
}

/* The part that c continues a number with, or -1. */
static int
number_next(unsigned part, uint8_t c)
{
	int digit = c >= '0' && c <= '9';

	switch ((enum number)part) {
	case NUMBER_MINUS:
		return c == '0' ? NUMBER_ZERO : digit ? NUMBER_INTEGER : -1;
	case NUMBER_INTEGER:
		if (digit)
			return NUMBER_INTEGER;
		/* fall through */
	case NUMBER_ZERO:
		if (c == '.')
			return NUMBER_POINT;
		return (c | 0x20) == 'e' ? NUMBER_E : -1;
	case NUMBER_POINT:
		return digit ? NUMBER_FRACTION : -1;
	case NUMBER_FRACTION:
		if (digit)
			return NUMBER_FRACTION;
		return (c | 0x20) == 'e' ? NUMBER_E : -1;
	case NUMBER_E:
		if (c == '+' || c == '-')
			return NUMBER_SIGN;
		/* fall through */
	case NUMBER_SIGN:
	case NUMBER_EXPONENT:
		return digit ? NUMBER_EXPONENT : -1;
	}
	return -1;
}

static int
feed_number(struct feed *f)
{
	struct json_guard *g = f->g;
	int next;

	for (; f->p < f->end; f->p++) {
		next = number_next(g->sub, *f->p);
		if (next == -1) {
			if (!number_is_whole(g->sub))
				return fault(f, "an unfinished number");
			value_ended(g);
			return 0;
		}
		g->sub = (uint8_t)next;
	}
	return 0;
}

static int
feed_literal(struct feed *f)
{
	struct json_guard *g = f->g;
	const char *word = literals[g->low];

	for (; f->p < f->end && word[g->sub] != '\0'; f->p++, g->sub++)
		if (*f->p != (uint8_t)word[g->sub])
			return fault(f, "an unknown word");
	if (word[g->sub] == '\0')
		value_ended(g);
	return 0;
}

/* --- what is seen in passing --- */

static inline int
is_seen(const struct feed *f)
{
	return f->peek != NULL && f->g->depth == 1 && f->peek->is_whole;
}

static void
see_key(struct feed *f)
{
	struct json_peek *k = f->peek;

	if (k->members == JSON_PEEK_MAX)
		k->is_whole = 0;
	else
		k->member[k->members].key.p = (const char *)f->p + 1;
}

/* At the colon behind a key: the key's end is before it. */
static void
see_colon(struct feed *f)
{
	struct span *key = &f->peek->member[f->peek->members].key;
	const char *end = (const char *)f->p;

	while (end[-1] != '"')
		end--;
	key->n = (size_t)(end - 1 - key->p);
}

static void
see_value(struct feed *f)
{
	f->peek->member[f->peek->members].value.p = (const char *)f->p;
}

/* At the comma or brace behind a value. */
static void
see_end(struct feed *f)
{
	struct span *value = &f->peek->member[f->peek->members++].value;
	const char *end = (const char *)f->p;

	while (is_space((uint8_t)end[-1]))
		end--;
	value->n = (size_t)(end - value->p);
}

/* --- structure --- */

static int
open_level(struct feed *f, int object)
{
	struct json_guard *g = f->g;
	uint64_t bit;

	if (g->depth == LIMIT_JSON_DEPTH)
		return fault(f, "too many levels of nesting");
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
	value_ended(f->g);
	f->p++;
	return 0;
}

/* A string from its quote: at once if it is plain and whole. */
static inline int
begin_string(struct feed *f, int is_key)
{
	const uint8_t *p = skip_plain(f->p + 1, f->end);

	if (p < f->end && *p == '"') {
		f->p = p + 1;
		if (is_key)
			f->g->state = AT_COLON;
		else
			value_ended(f->g);
		return 0;
	}
	f->g->state = IN_STRING;
	f->g->is_key = (uint8_t)is_key;
	f->p = p;
	return p < f->end ? feed_string(f) : 0;
}

static int
begin_literal(struct feed *f, uint8_t which)
{
	size_t n = which == 1 ? 5 : 4;

	if ((size_t)(f->end - f->p) > n &&
	    memcmp(f->p, literals[which], n) == 0) {
		f->p += n;
		value_ended(f->g);
		return 0;
	}
	f->g->state = IN_LITERAL;
	f->g->low = which;
	f->g->sub = 0;
	return feed_literal(f);
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
		value_ended(f->g);
		return 0;
	}
	f->g->state = IN_NUMBER;
	f->g->sub = (uint8_t)part;
	return feed_number(f);
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
			return fault(f, "a byte order mark");
		return fault(f, "expected a value");
	}
}

static inline int
begin_value(struct feed *f)
{
	uint8_t c = *f->p;

	if (f->g->tokens++ == f->g->tokens_max)
		return fault(f, "too many values");
	if (is_seen(f))
		see_value(f);
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
		return fault(f, "expected a key in double quotes");
	if (f->g->tokens++ == f->g->tokens_max)
		return fault(f, "too many values");
	if (is_seen(f))
		see_key(f);
	return begin_string(f, 1);
}

static inline int
after_value(struct feed *f)
{
	int object = is_in_object(f->g);

	if (is_seen(f) && (*f->p == ',' || *f->p == '}'))
		see_end(f);
	if (*f->p == ',') {
		f->g->state = object ? AT_KEY : AT_VALUE;
		f->p++;
		return 0;
	}
	if (*f->p == (object ? '}' : ']'))
		return close_level(f);
	return fault(f, object ? "expected ',' or '}'" : "expected ',' or ']'");
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
			return fault(f, "expected ':'");
		if (is_seen(f))
			see_colon(f);
		f->g->state = AT_VALUE;
		f->p++;
		return 0;
	case AT_COMMA:
		return after_value(f);
	case AT_END:
		return fault(f, "more behind the end of the document");
	default:
		return -1;
	}
}

/* Steps between tokens, until the bytes end inside one or at a fault. */
static int
feed_tokens(struct feed *f)
{
	while (f->p < f->end && f->g->state <= AT_END) {
		if (is_space(*f->p))
			f->p++;
		else if (feed_structure(f) == -1)
			return -1;
	}
	return 0;
}

static int
feed_step(struct feed *f)
{
	switch ((enum state)f->g->state) {
	case IN_STRING:
		return feed_string(f);
	case IN_ESCAPE:
		return feed_escape(f);
	case IN_HEX:
		return feed_hex(f);
	case IN_CHARACTER:
		return feed_character(f);
	case IN_NUMBER:
		return feed_number(f);
	case IN_LITERAL:
		return feed_literal(f);
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

static int
feed(struct json_guard *g, struct span s, struct json_peek *peek,
    struct error *e)
{
	struct feed f = {.g = g, .p = (const uint8_t *)s.p, .peek = peek};
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
		broken = feed_step(&f);
	g->bytes += (size_t)(f.p - (const uint8_t *)s.p);
	return broken ? explain(&f, e) : 0;
}

int
json_guard_feed(struct json_guard *g, struct span s, struct error *e)
{
	return feed(g, s, NULL, e);
}

int
json_peek(
    struct json_peek *k, struct span text, unsigned flags, struct error *e)
{
	struct json_guard g;
	int r;

	json_guard_init(&g, INT_MAX, flags);
	k->text = text;
	k->members = 0;
	k->flags = flags;
	/* Members are looked for if it begins like an object. */
	k->is_whole = text.n > 0 && text.p[0] == '{';
	r = feed(&g, text, k, e);
	if (r == 0)
		r = json_guard_end(&g, e);
	k->fault = g.bytes;
	k->tokens = g.tokens;
	k->plain_keys = !g.key_escapes;
	if (r == -1 || g.key_escapes)
		k->is_whole = 0;
	return r;
}

struct span
json_peek_get(const struct json_peek *k, const char *key)
{
	size_t n = strlen(key);

	for (unsigned i = k->members; k->is_whole && i-- > 0;)
		if (k->member[i].key.n == n &&
		    memcmp(k->member[i].key.p, key, n) == 0)
			return k->member[i].value;
	return (struct span){NULL, 0};
}

int
json_guard_end(struct json_guard *g, struct error *e)
{
	if (g->state == BROKEN)
		return error_set(e, ERROR_SYNTAX, 0, "%s", g->fault);
	if (g->state == IN_NUMBER && g->depth == 0 && number_is_whole(g->sub))
		g->state = AT_END;
	if (g->state == AT_END)
		return 0;
	g->fault = g->tokens == 0 ? "empty: expected a value"
				  : "the document ends too early";
	g->state = BROKEN;
	return error_set(e, ERROR_SYNTAX, 0, "%s", g->fault);
}
