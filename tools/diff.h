#ifndef SKEP_TOOLS_DIFF_H
#define SKEP_TOOLS_DIFF_H

/*
 * The V4A diff language: what changes inside one file.  Pure.
 *
 * Theory of operation
 *
 * A diff for a new file is lines that each start with '+'.  A diff for an
 * existing one is a list of hunks: "@@" headers, of which those with text are
 * anchors that move a cursor down the file, then lines of context (' '),
 * deletion ('-') and insertion ('+').  Context and deleted lines together are
 * the block that is looked for from the cursor on: exactly, then without
 * trailing white space, then without any white space at the ends.  Context
 * keeps the file's own text.  "*** End of File" ties a hunk to the end.
 *
 * A file is compared with CRLF folded to LF and is written with CRLF when it
 * had any; a missing final newline stays missing.  Diff lines are split at
 * LF only, so that no other character inside a line can break it.
 *
 * Errors are SYNTAX; their text is what a model is told, and models have
 * learned these texts: they are part of the format.
 */

#include "engine/base/span.h"

struct error;
struct text;

#define DIFF_ANCHORS_MAX 64 /* stacked headers of one hunk */

/* Lines compared in one diff_update(), give or take one hunk's search. */
#define DIFF_WORK_MAX 10000000

/* Append the file that a diff for a new file describes; -1 and *e. */
int diff_create(struct span diff, struct text *out, struct error *e);

/* Append file with diff applied; -1 and *e, *out is then junk. */
int diff_update(
    struct span file, struct span diff, struct text *out, struct error *e);

#endif
