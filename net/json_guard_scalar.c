#include "net/json_guard_private.h"

const char guard_literals[3][6] = {"true", "false", "null"};

int
guard_fault(struct feed *f, const char *what)
{
	f->g->fault = what;
	f->g->state = BROKEN;
	return -1;
}

/* --- strings --- */

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

int
guard_character(struct feed *f)
{
	struct json_guard *g = f->g;

	for (; f->p < f->end && g->sub > 0; f->p++, g->sub--) {
		if (*f->p < g->low || *f->p > g->high)
			return guard_fault(f, "bytes that are not UTF-8");
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
		return guard_fault(f, "an escape of half a surrogate pair");
	return 0;
}

int
guard_hex(struct feed *f)
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
			return guard_fault(f, "\\u without four hex digits");
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

int
guard_escape(struct feed *f)
{
	struct json_guard *g = f->g;
	uint8_t c = *f->p;

	if (c != 'u' && g->after_high && half_pair(f) == -1)
		return -1;
	if (c == 'u') {
		g->state = IN_HEX;
		g->sub = 4;
		g->unit = 0;
	} else if (guard_is_escape(c)) {
		g->state = IN_STRING;
	} else {
		return guard_fault(f, "an unknown escape");
	}
	f->p++;
	return 0;
}

/* A byte that is no plain character: the end, an escape, a long character. */
static int
special(struct feed *f)
{
	struct json_guard *g = f->g;
	uint8_t c = *f->p;

	if (c == '\\') {
		g->state = IN_ESCAPE;
		g->key_escapes |= g->is_key;
		f->p++;
		return f->p < f->end ? guard_escape(f) : 0;
	}
	if (g->after_high && half_pair(f) == -1)
		return -1;
	if (c == '"') {
		f->p++;
		if (g->is_key)
			g->state = AT_COLON;
		else
			guard_value_ended(g);
		return 0;
	}
	if (c < 0x20)
		return guard_fault(f, "a control character in a string");
	if (begin_character(g, c) == -1)
		return guard_fault(f, "bytes that are not UTF-8");
	f->p++;
	return guard_character(f);
}

int
guard_string(struct feed *f)
{
	const uint8_t *from;

	while (f->p < f->end && f->g->state == IN_STRING) {
		from = f->p;
		f->p = guard_skip_plain(f->p, f->end);
		if (f->p > from && f->g->after_high && half_pair(f) == -1) {
			f->p = from; /* the fault is where the run began */
			return -1;
		}
		if (f->p < f->end && special(f) == -1)
			return -1;
	}
	return 0;
}

/* --- numbers and guard_literals --- */

int
guard_number_is_whole(unsigned part)
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

int
guard_number(struct feed *f)
{
	struct json_guard *g = f->g;
	int next;

	for (; f->p < f->end; f->p++) {
		next = number_next(g->sub, *f->p);
		if (next == -1) {
			if (!guard_number_is_whole(g->sub))
				return guard_fault(f, "an unfinished number");
			guard_value_ended(g);
			return 0;
		}
		g->sub = (uint8_t)next;
	}
	return 0;
}

int
guard_literal(struct feed *f)
{
	struct json_guard *g = f->g;
	const char *word = guard_literals[g->low];

	for (; f->p < f->end && word[g->sub] != '\0'; f->p++, g->sub++)
		if (*f->p != (uint8_t)word[g->sub])
			return guard_fault(f, "an unknown word");
	if (word[g->sub] == '\0')
		guard_value_ended(g);
	return 0;
}
