#ifndef SKEP_ENGINE_PROGRESS_H
#define SKEP_ENGINE_PROGRESS_H

/*
 * How far a batch has come, on standard error: one live block on a terminal,
 * a line every ten seconds elsewhere, nothing with -q; and at the end one
 * line of account.
 */

#include "engine/base/loop.h"
#include "engine/terminal.h"

struct batch;

struct progress {
	const struct batch *batch;
	struct terminal terminal;
	struct loop_timer timer;
	uint64_t began_ms;
	unsigned lines; /* of the block that is on the screen now */
	int is_quiet;
};

/* Keeps batch, which is open. */
void progress_start(
    struct progress *p, const struct batch *batch, int is_quiet);

/* A sentence for the user, with the block out of its way.  p may be unset. */
void progress_note(struct progress *p, const char *text);

/* Take the block away and stop. */
void progress_stop(struct progress *p);

/* The line of account; after progress_stop(). */
void progress_account(const struct progress *p);

#endif
