#ifndef SKEP_ENGINE_ENGINE_H
#define SKEP_ENGINE_ENGINE_H

/*
 * An engine owns a state directory and lets runs of one agent work: it puts
 * loop, store, network, sandbox host, tools and scheduler together, in the
 * order in which each needs what is before it, and takes them apart in the
 * reverse one.  Where runs come from and where results go is its source's
 * business (struct engine_source): a batch, or the one run of `skep run`.
 */

#include "config/settings.h"
#include "engine/base/error.h"
#include "engine/control.h"
#include "engine/errand.h"
#include "engine/keeper.h"
#include "engine/lag.h"
#include "engine/signals.h"
#include "engine/state_dir.h"

struct agent;
struct zygote;

struct engine_settings {
	const struct agent *agent;       /* kept */
	const struct settings *settings; /* borrowed */
	const char *state;               /* the state directory; kept */
	const char *outputs_dir;         /* kept; NULL: below the state */
	int outputs_dir_is_one;
	struct zygote *zygote;            /* kept */
	const struct error *zygote_error; /* why there is none; kept */
	unsigned jobs;                    /* -j; 0: as the settings say */
	unsigned queued;                  /* admitted beyond the active ones */
	/* A line for the user; may be NULL. */
	void (*note)(void *noter, struct span line);
	void *noter;
};

struct engine_source {
	/* Once a turn of the loop: admit what there is room for. */
	void (*feed)(void *owner);
	int (*is_dirty)(void *owner);
	void (*record)(void *owner); /* inside the turn's transaction */
	/* Somebody asked to stop: no new runs from now on; and later: no run
	   is in the middle of anything.  Then engine_finish(). */
	void (*draining)(void *owner);
	void (*drained)(void *owner);
	/* Its work is done; the engine goes on to learn from it.  Or NULL. */
	void (*learning)(void *owner);
	struct errand_watch watch;
};

struct engine {
	struct loop *loop;
	struct supplies supplies;
	struct state_dir state;
	char layers[LIMIT_PATH]; /* the folder for them, where it is wanted */
	struct signals signals;
	struct control control;
	struct loop_timer drain_timer;
	uint64_t drain_ms;
	struct keeper keeper;
	struct loop_timer linger_timer;
	int is_finishing; /* only the keeper still works */
	int is_draining;
	struct lag lag;
	const struct engine_source *source;
	void *owner;
	struct error error; /* why it stopped, when it had to */
	int was_stopped;    /* before everything was done */
};

/* Nothing open: engine_close() is then fine. */
void engine_init(struct engine *en);

/*
 * Own the state directory and get everything ready.  -1 and *e; then
 * engine_close() all the same.  Keeps source; prepares nothing that the agent
 * does not need.
 */
int engine_open(struct engine *en, const struct engine_settings *settings,
    const struct engine_source *source, void *owner, struct error *e);

/* Run until engine_finish(), a failure, or signals end it. */
void engine_run(struct engine *en);

/*
 * From a callback: everything is done, but for what the keeper of a memory
 * has to do; may be said again and again.
 */
void engine_finish(struct engine *en);

/* From a callback: stop at once, with this error. */
void engine_fail(struct engine *en, const struct error *e);

/* Kill what is left and give everything back. */
void engine_close(struct engine *en);

/*
 * Append what -v tells at the end: turns of the loop and how long they took,
 * memory, what ran at once at most.
 */
void engine_account(const struct engine *en, struct text *out);

/* What went wrong with the memory, whose failure fails no run; or NULL. */
const struct error *engine_memory_trouble(const struct engine *en);

/* 128 + the signal that ended it early; 0 when none did. */
int engine_signal_status(const struct engine *en);

#endif
