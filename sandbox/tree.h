#ifndef SKEP_SANDBOX_TREE_H
#define SKEP_SANDBOX_TREE_H

/*
 * A walk over a workspace by the list verb: every entry once, a folder before
 * what is in it, names of a folder in byte order.
 *
 * Nothing that the sandbox says is believed: names must be single components,
 * and depth and number have ceilings, so that a walk ends whatever it meets.
 * The tree may change while it is walked; what is missing by then is left out.
 * What the one who acts cannot list, the profile's user may.
 */

#include <stdint.h>

#include "sandbox/sandbox.h"

struct loop;
struct tree;

#define TREE_DEPTH_MAX 128
#define TREE_ENTRIES_MAX 1000000

struct tree_entry {
	const char *path; /* relative to the workspace; until the next entry */
	struct file_stat stat;
};

enum tree_way {
	TREE_ON,   /* go on */
	TREE_WAIT, /* until tree_next() */
	TREE_PAST  /* go on, but not into this folder */
};

struct tree_ops {
	enum tree_way (*entry)(
	    struct tree *t, const struct tree_entry *entry, void *owner);
	/*
	 * This folder is left out: it cannot be looked into, or lies too deep.
	 * NULL: that ends the walk with an error.
	 */
	void (*shut)(struct tree *t, const char *path, void *owner);
	/* error == NULL: that was all.  The walk ends when this returns. */
	void (*done)(const struct error *error, void *owner);
};

/* Walk what is below path ("." is all of it); keeps sb and ops. */
struct tree *tree_start(struct loop *loop, struct sandbox *sb, const char *path,
    const struct tree_ops *ops, void *owner, struct error *e);

/* Go on after entry() said TREE_WAIT; not from within it. */
void tree_next(struct tree *t);

/* End it without done(), not from within entry(); NULL is fine. */
void tree_cancel(struct tree *t);

#endif
