#include "config/vars.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

static const struct span opening = {"${", 2};
static const struct span variables = {"variables.", 10};

#define SHOWN_MAX 64 /* of a name, in messages */

/* What stands at an index of a text. */
enum piece {
	PIECE_TEXT,    /* up to the next ${ or $${, or all */
	PIECE_LITERAL, /* $${ */
	PIECE_NAME,    /* ${name} */
	PIECE_OPEN,    /* ${ without its } */
};

/* The piece at *at, which moves behind it; a text or name in *out. */
static enum piece
next_piece(struct span s, size_t *at, struct span *out)
{
	size_t from = *at, dollar = span_search(s, opening, from), end;

	if (dollar > from && s.p[dollar - 1] == '$' && dollar < s.n) {
		/* $${: first what stands before it, then itself. */
		if (dollar - 1 == from) {
			*at = dollar + 2;
			return PIECE_LITERAL;
		}
		dollar--;
	}
	if (dollar > from || dollar == s.n) {
		*out = span_slice(s, from, dollar);
		*at = dollar;
		return PIECE_TEXT;
	}
	end = span_find(s, '}', dollar);
	*out = span_slice(s, dollar + 2, end);
	*at = end < s.n ? end + 1 : s.n;
	return end < s.n ? PIECE_NAME : PIECE_OPEN;
}

int
vars_occur(struct span s)
{
	return span_search(s, opening, 0) < s.n;
}

static int
is_known_kind(struct span name)
{
	return span_is(name, "input") || span_is(name, "custom_id") ||
	       (span_has_prefix(name, variables) && name.n > variables.n);
}

static int
shown(struct span name)
{
	return name.n < SHOWN_MAX ? (int)name.n : SHOWN_MAX;
}

static int
unclosed(struct error *e)
{
	return error_set(e, ERROR_SYNTAX, 0,
	    "a ${ is not closed; write $${ for a literal one");
}

static int
unknown_kind(struct span name, struct error *e)
{
	return error_set(e, ERROR_SYNTAX, 0,
	    "${%.*s} is unknown; there are ${input}, ${custom_id} and "
	    "${variables.NAME}, and $${ for a literal ${",
	    shown(name), name.p);
}

int
vars_check(struct span s, size_t *at, struct error *e)
{
	size_t i = 0;
	struct span out = {NULL, 0};

	while (i < s.n) {
		*at = i;
		switch (next_piece(s, &i, &out)) {
		case PIECE_TEXT:
		case PIECE_LITERAL:
			break;
		case PIECE_OPEN:
			return unclosed(e);
		case PIECE_NAME:
			if (!is_known_kind(out))
				return unknown_kind(out, e);
		}
	}
	return 0;
}

static int
add_value(struct span name, const struct vars *vars, struct text *out,
    struct error *e)
{
	const struct named_text *named;
	struct span value = {NULL, 0};

	if (!is_known_kind(name))
		return unknown_kind(name, e);
	if (span_is(name, "input")) {
		value = vars->input;
	} else if (span_is(name, "custom_id")) {
		value = vars->custom_id;
	} else {
		name = span_slice(name, variables.n, name.n);
		named = named_list_get(&vars->task, name);
		if (named == NULL)
			named = named_list_get(&vars->agent, name);
		if (named == NULL)
			return error_set(e, ERROR_SYNTAX, 0,
			    "${variables.%.*s} has no value; give it in "
			    "\"variables\" of the task or the agent",
			    shown(name), name.p);
		value = named->value;
	}
	if (value.p == NULL)
		return error_set(e, ERROR_SYNTAX, 0,
		    "${%.*s} has no value here", shown(name), name.p);
	text_add(out, value);
	return 0;
}

int
vars_expand(
    struct span s, const struct vars *vars, struct text *out, struct error *e)
{
	size_t i = 0;
	struct span piece = {NULL, 0};

	while (i < s.n) {
		switch (next_piece(s, &i, &piece)) {
		case PIECE_TEXT:
			text_add(out, piece);
			break;
		case PIECE_LITERAL:
			text_add(out, opening);
			break;
		case PIECE_OPEN:
			return unclosed(e);
		case PIECE_NAME:
			if (add_value(piece, vars, out, e) == -1)
				return -1;
		}
	}
	if (text_overflowed(out))
		return error_set(e, ERROR_TOO_BIG, 0,
		    "the text is too large with its variables in it");
	return 0;
}
