#ifndef SKEP_NET_JSON_SHAPE_H
#define SKEP_NET_JSON_SHAPE_H

/*
 * The shape of a JSON document: its bytes with its leaves (strings, numbers
 * and literals that are no keys) cut out.
 *
 * Theory of operation
 *
 * A stream sends thousands of small documents that differ in two or three
 * leaves.  Once one of them has been read in full, the next is compared with
 * it byte by byte, many at a time.  Where they part inside a leaf, that leaf
 * alone is read anew, under the guard's own grammar, and comparing goes on
 * behind it.  Where they part anywhere else the document has another shape,
 * and must be read in full.
 *
 * Why that is safe: the guard is a state machine that does not look at what
 * it has passed.  Behind a whole leaf it is in the same state, whichever leaf
 * it was; on the same bytes it takes the same steps.  So what fits the shape
 * of a well-formed document is well-formed, has the same keys, depth and
 * count of values, and leaf i of the one is leaf i of the other.
 *
 * Only small documents have shapes that pay: the two ceilings below.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"
#include "engine/base/text.h"

struct json_doc;

#define JSON_SHAPE_BYTES 1024
#define JSON_SHAPE_LEAVES 32

/* An offset in text and the one behind the last byte, quotes included. */
struct json_leaf {
	uint16_t from, to;
};

struct json_shape {
	struct text text; /* one document of this shape */
	unsigned leaves;  /* 0: nothing fits */
	struct json_leaf leaf[JSON_SHAPE_LEAVES];
};

/* A shape that nothing fits; allocates nothing. */
void json_shape_init(struct json_shape *s);
void json_shape_release(struct json_shape *s);

/* Nothing fits any more. */
void json_shape_forget(struct json_shape *s);

/*
 * Take the shape of d, which was parsed without flags.  A document over the
 * ceilings, or without leaves, has none: then nothing fits.
 */
void json_shape_learn(struct json_shape *s, const struct json_doc *d);

/* The number of the leaf that is value v of the document learnt; else -1. */
int json_shape_leaf(
    const struct json_shape *s, const struct json_doc *d, int v);

/* What was found where a document fits. */
struct json_fit {
	uint32_t changed; /* bit i: leaf i is not the one learnt */
	struct span leaf; /* the leaf asked for, as it stands, in the text */
};

/* True, with *fit, if text has this shape; leaf is below s->leaves. */
int json_shape_fits(const struct json_shape *s, struct span text, unsigned leaf,
    struct json_fit *fit);

#endif
