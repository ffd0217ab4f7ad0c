#ifndef SKEP_TOOLS_LAYOUT_H
#define SKEP_TOOLS_LAYOUT_H

/*
 * The layout of a workspace as text for the model: a drawing of the tree with
 * a comment for every entry.  Pure: whoever walks the tree adds its entries.
 *
 *	/workspace
 *	|-- README.md    # /workspace/README.md -- read me
 *	`-- src/         # /workspace/src
 *	    `-- a.c      # /workspace/src/a.c
 *
 * (with the box-drawing characters and the dash of Unicode).  Comments stand
 * in one column, two spaces behind the widest name; widths and lengths are in
 * characters, not bytes.
 *
 * Theory of operation
 *
 * Only the first LAYOUT_CHARS characters are shown, but their column depends
 * on every line, and the notice says how much is missing.  So the first lines
 * are kept and of all the others only what they add up to: memory is bounded
 * by what is shown, whatever is in the tree.
 *
 * Names may hold anything but '/' and NUL; what is no UTF-8 or a control
 * character is shown as U+FFFD, so that no name can begin a line of its own.
 */

#include <stddef.h>

#include "engine/base/span.h"

struct arena;
struct text;

#define LAYOUT_DEPTH 3
#define LAYOUT_CHARS 5000

struct layout_line;

struct layout {
	struct arena *arena; /* keeps; lines live there */
	struct layout_line *first, *last;
	/* The newest line of each depth, if kept: it may get a sibling. */
	struct layout_line *open[LAYOUT_DEPTH];
	size_t lines;    /* all of them */
	size_t shortest; /* characters of the lines kept, at the least */
	size_t width;    /* of the widest name with what stands before it */
	size_t comments; /* characters of all comments */
};

void layout_init(struct layout *l, struct arena *arena);

/*
 * The next entry: a folder before what is in it, names of a folder in byte
 * order.  path is relative, of at most LAYOUT_DEPTH names; description may be
 * empty.  Borrows both.
 */
void layout_add(
    struct layout *l, struct span path, int is_folder, struct span description);

/* Append the drawing, without a final newline. */
void layout_write(const struct layout *l, struct text *out);

#endif
