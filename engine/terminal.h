#ifndef SKEP_ENGINE_TERMINAL_H
#define SKEP_ENGINE_TERMINAL_H

/*
 * What may be sent to a terminal.  Text from models, tools and files is
 * neutralised: it cannot move the cursor, set a title, answer a query or
 * reorder what is read.  Files and pipes never see an escape code.
 */

#include "engine/base/span.h"

struct text;

struct terminal {
	int fd;
	int is_tty;
	int can_move; /* the cursor: a live block may be drawn */
	int has_colour;
	unsigned columns;
};

/* What fd is, with TERM, NO_COLOR and COLUMNS considered. */
void terminal_look(struct terminal *t, int fd);

/* The width may have changed. */
void terminal_measure(struct terminal *t);

enum terminal_keep {
	TERMINAL_LINES = 1, /* newlines and tabs stay; otherwise spaces */
};

/*
 * Append s with every control character made visible (U+2400 and so on),
 * what is not UTF-8 and what reorders text replaced by U+FFFD.
 */
void terminal_neutral(struct span s, int keep, struct text *out);

/*
 * JSON may hold what a terminal obeys, other than C0.  How many bytes at the
 * front of s a terminal may see as they are; when that is none, escape is the
 * first character as JSON also writes it, and *n how many bytes it took.
 */
#define TERMINAL_ESCAPE 24
size_t terminal_json(struct span s, char escape[TERMINAL_ESCAPE], size_t *n);

/* How many columns s takes; wide characters count two. */
unsigned terminal_width(struct span s);

/* Append s neutralised, cut to columns with "…". */
void terminal_fit(struct span s, unsigned columns, struct text *out);

#endif
