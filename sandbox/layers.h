#ifndef SKEP_SANDBOX_LAYERS_H
#define SKEP_SANDBOX_LAYERS_H

/*
 * Layers: what manifests make, each once, for all workspaces that begin alike.
 *
 * Theory of operation
 *
 * A layer is a folder named by what is in it: by the digest of the manifest
 * and of every source's size, times and place on the host, so that a source
 * that changed makes another layer (layer_key.h).  The first sandbox that
 * wants a layer which is not there has it built: by a sandbox of its own
 * whose workspace is a fresh folder, filled by the ordinary verbs, with the
 * profile's limits on what it may hold; the folder gets its name when all is
 * in.  So archives and file names that strangers chose are never handled by
 * the engine, and a layer that is there is whole.
 *
 * Layers outlive the engine, but not the machine's boot: nothing is flushed
 * to the disk for them, and the boot is part of the name.  What was not used
 * for LAYERS_DAYS, belongs to another boot, was left half-built, or is too
 * much beside LAYERS_MAX others, is removed in small steps behind the scenes.
 * A layer that a sandbox uses is never removed.
 *
 * Where a layer cannot be had (a kernel without the overlays it takes, a file
 * system without id-mapped mounts, a manifest whose entries belong to groups
 * or come from the network), the workspace is plain, and the sandbox's facts
 * say so.  What is wrong with the manifest itself is an error either way.
 */

#include "engine/base/error.h"

struct baseline;
struct layer;
struct layer_want;
struct layers;
struct manifest;
struct profile;
struct sandbox_host;

#define LAYERS_MAX 64 /* on disk */
#define LAYERS_DAYS 7 /* unused, until it goes */

/* Keeps host and folder.  NULL and *e: CANNOT_CREATE, FULL. */
struct layers *layers_new(
    struct sandbox_host *host, const char *folder, struct error *e);

/* The host is about to end: give up what is being built. */
void layers_stop(struct layers *ls); /* NULL is fine */
void layers_free(struct layers *ls); /* no layer may be held; NULL is fine */

/* Why there are none, or "". */
const char *layers_trouble(const struct layers *ls);

/*
 * Asked and answered: error == NULL and a layer that is held for the caller,
 * or NULL: be plain.  error: MANIFEST and the like.
 */
typedef void layer_want_done_fn(
    struct layer *layer, const struct error *error, void *owner);

/* Keeps manifest and profile until done.  NULL and *e (FULL). */
struct layer_want *layers_want(struct layers *ls, const struct profile *profile,
    const struct manifest *manifest, layer_want_done_fn *done, void *owner,
    struct error *e);
void layer_want_cancel(struct layer_want *w); /* NULL is fine */

/* Its folder below the layers', for mounts. */
const char *layer_name(const struct layer *layer);

/* What files are in it; NULL: nobody has looked yet. */
struct baseline *layer_files(const struct layer *layer);
void layer_set_files(struct layer *layer, struct baseline *files);

void layer_drop(struct layer *layer); /* NULL is fine */

#endif
