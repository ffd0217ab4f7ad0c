#ifndef SKEP_CONFIG_COMPLAINT_H
#define SKEP_CONFIG_COMPLAINT_H

/*
 * What is wrong with a configuration file: every fault that was found, with
 * its place, in the order of the file.  Reading goes on after a fault where
 * that makes sense, so that one look at the list is enough to mend the file.
 */

#include "engine/base/error.h"

struct arena;
struct text;

#define COMPLAINTS_KEPT 100 /* more are only counted */

struct complaint {
	struct complaint *next;
	const char *file;
	unsigned line, column; /* from 1; 0: the file as a whole */
	enum error_code code;  /* SYNTAX, NO_INPUT, ... */
	const char *text;      /* what is wrong; what to do */
};

struct complaints {
	struct arena *arena; /* keeps; the texts live there */
	struct complaint *first, *last;
	unsigned n;
};

void complaints_init(struct complaints *c, struct arena *arena);

/* Add one at file:line:column (file is kept); returns -1. */
int complain(struct complaints *c, enum error_code code, const char *file,
    unsigned line, unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Append "FILE:LINE:COLUMN: text" without a newline. */
void complaint_print(const struct complaint *c, struct text *out);

/*
 * The first complaint as an error, code CONFIG unless the file itself was
 * missing (NO_INPUT), with "(and N more)" behind it; returns -1.  CHECKs that
 * there is one.
 */
int complaints_error(const struct complaints *c, struct error *e);

#endif
