#ifndef SKEP_SANDBOX_LAYER_LITTER_H
#define SKEP_SANDBOX_LAYER_LITTER_H

/*
 * Removing layers that nobody needs, some names a turn of the loop.
 *
 * A folder to be removed is renamed out of the way first, so that it is no
 * layer any more whatever happens; what is left of one when the engine ends
 * is found by the next.  No symbolic link is followed, and nothing is opened
 * but folders.
 */

struct error;
struct layer_litter;
struct loop;

/* Below the folder dir, which is kept.  NULL and *e (FULL). */
struct layer_litter *layer_litter_new(
    struct loop *loop, int dir, struct error *e);
void layer_litter_free(struct layer_litter *t); /* NULL is fine */

/* Remove this one; begins by looking for those renamed earlier. */
void layer_litter_add(struct layer_litter *t, const char *name);

/* Is this a name that a layer to be removed has? */
int layer_litter_is(const char *name);

#endif
