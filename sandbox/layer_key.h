#ifndef SKEP_SANDBOX_LAYER_KEY_H
#define SKEP_SANDBOX_LAYER_KEY_H

/*
 * What a manifest makes, as a digest: its entries, and of every file and
 * folder of the host that they copy its path, size, mode, inode and the times
 * of its last change.  A file that is replaced or written to has others; what
 * cannot be looked at gives no key, and then the filling says what is wrong.
 *
 * Sources are looked at, not read, a share a turn of the loop.
 */

#include "engine/base/hash.h"

struct error;
struct layer_key;
struct loop;
struct manifest;

/* digest == NULL: this manifest cannot have a layer. */
typedef void layer_key_done_fn(const struct digest *digest, void *owner);

/* Keeps m until done; ends when done returns. */
struct layer_key *layer_key_start(struct loop *loop, const struct manifest *m,
    layer_key_done_fn *done, void *owner, struct error *e);
void layer_key_cancel(struct layer_key *k); /* NULL is fine */

#endif
