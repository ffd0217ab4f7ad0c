#ifndef SKEP_TOOLS_PATCH_H
#define SKEP_TOOLS_PATCH_H

/*
 * A patch: a sequence of operations on files, as a model writes it.  Pure.
 *
 * Two forms are read: the envelope ("*** Begin Patch" ... "*** End Patch")
 * and JSON ({"operations": [...]}, {"operation": {...}}, one operation, or an
 * array of them).  All of it is checked before anything is returned; what the
 * diffs do is diff.h's.
 */

#include "engine/base/span.h"

struct arena;
struct error;

#define PATCH_OPS_MAX 1024

enum patch_kind { PATCH_CREATE, PATCH_UPDATE, PATCH_DELETE };

struct patch_op {
	enum patch_kind kind;
	struct span path; /* trimmed, '\' turned into '/' */
	struct span to;   /* new name of an update; empty: none */
	struct span diff;
};

struct patch {
	struct patch_op *op;
	unsigned ops;
};

/*
 * Read input, which the patch borrows; operations and unescaped text are in
 * arena a.  -1 and *e: SYNTAX, whose text is for the model; TOO_BIG; FULL.
 */
int patch_parse(
    struct patch *p, struct span input, struct arena *a, struct error *e);

#endif
