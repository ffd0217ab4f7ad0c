#ifndef SKEP_ENGINE_BATCH_H
#define SKEP_ENGINE_BATCH_H

/*
 * A batch: tasks in, runs, result lines out.
 *
 * Theory of operation
 *
 * Each line of the task file becomes a delivery: the promise of one result
 * line.  A delivery is RUNNING while its run works, READY when the result is
 * in the store, WRITING while the outlet has it, and gone when the store
 * knows that it is out.  Results are read back from the store when there is
 * room to write them, so a reader that does not read costs no memory; when
 * too many deliveries are open, no more tasks are read.
 *
 * A run is found again by (agent digest, custom_id, digest of the task line),
 * so the same batch on the same state directory does only what is missing.
 * Whether a result is out already is read from the output when that is a
 * regular file, and from the store's mark when it is not.
 */

#include <stdint.h>

#include "engine/base/list.h"
#include "engine/base/slab.h"
#include "engine/engine.h"
#include "engine/outlet.h"
#include "engine/result_file.h"
#include "engine/seen.h"
#include "engine/task_source.h"

struct batch_settings {
	const char *tasks;  /* path or "-"; kept */
	const char *output; /* path, or NULL and "-": standard output; kept */
	const char *folder; /* where sources of a task's manifest lie; kept */
	int ordered;
	/* A sentence for the user; kept.  May be NULL. */
	void (*note)(void *owner, const char *text);
	void *owner;
};

/* What a batch has come to; for progress, account and exit status. */
struct batch_counts {
	uint64_t tasks;       /* read so far */
	uint64_t skipped;     /* whose result was there already */
	uint64_t skipped_bad; /* of these, those that had not finished */
	uint64_t finished, failed, cancelled; /* in this batch */
	uint64_t found;     /* of these, those that had ended before */
	uint64_t delivered; /* lines written */
	uint64_t running;   /* those that wait for a slot included */
	struct spending spent;
};

struct batch {
	struct engine engine;
	struct batch_settings settings;
	struct task_source source;
	struct result_file file;
	struct outlet outlet;
	struct seen ids;
	struct slab deliveries;
	struct list in_order; /* --ordered: all, in the order of the tasks */
	struct list ready;    /* otherwise: those with a result */
	struct list to_mark;  /* out, and the store is to be told */
	struct batch_counts counts;
	unsigned writing; /* deliveries in the outlet */
	int at_end;       /* every task was read */
	int is_draining, is_drained;
	const char *folder;
};

/*
 * Check the tasks, open the output, the state and everything else, in this
 * order.  -1 and *e; then batch_close() all the same.
 */
int batch_open(struct batch *b, const struct batch_settings *settings,
    const struct engine_settings *engine, struct error *e);

/* Until all is done or somebody stops it; -1 and *e when it had to stop. */
int batch_run(struct batch *b, struct error *e);
void batch_close(struct batch *b);

/* Every task was read, and its result is out. */
int batch_is_complete(const struct batch *b);

/* Not yet read from a file whose length is known; 0 otherwise. */
uint64_t batch_left(const struct batch *b);

#endif
