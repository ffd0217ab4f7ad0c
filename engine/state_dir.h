#ifndef SKEP_ENGINE_STATE_DIR_H
#define SKEP_ENGINE_STATE_DIR_H

/*
 * The state directory: --state, else $XDG_STATE_HOME/skep, else
 * ~/.local/state/skep.  It holds
 *
 *	skep.db		the store
 *	lock		held by the engine that owns the directory; names its pid
 *	control		the owner's socket; see control.h
 *	runs/ID/outputs	what runs left
 *	layers		what manifests made, for layered workspaces
 *
 * One engine owns a directory at a time; readers need no lock.  The lock is
 * the kernel's, so it ends with its owner however that ends.
 */

#include "engine/base/limits.h"

struct error;

struct state_dir {
	char path[LIMIT_PATH];
	int fd;      /* of the folder; -1: not open */
	int lock_fd; /* -1: not locked */
};

/* Which directory it is: wanted (may be NULL) or the default.  -1 and *e. */
int state_dir_choose(struct state_dir *d, const char *wanted, struct error *e);

/*
 * Make it when missing, and own it.  -1 and *e: CANNOT_CREATE (read-only),
 * LOCKED (with the owner's pid), IO (full).
 */
int state_dir_own(struct state_dir *d, struct error *e);

/* For readers.  -1 and *e: NOT_FOUND, NO_INPUT. */
int state_dir_open(struct state_dir *d, struct error *e);

/* Is there a live owner?  Its pid, or 0. */
int state_dir_owner(const struct state_dir *d);

/* PATH/name into out of LIMIT_PATH bytes.  -1 and *e when too long. */
int state_dir_file(
    const struct state_dir *d, const char *name, char *out, struct error *e);

void state_dir_close(struct state_dir *d);

/*
 * The folder for layers, made when missing: its path in out of LIMIT_PATH
 * bytes.  -1 and *e: CANNOT_CREATE.
 */
int state_dir_layers(const struct state_dir *d, char *out, struct error *e);

#endif
