#ifndef SKEP_ENGINE_SOLO_H
#define SKEP_ENGINE_SOLO_H

/*
 * One run, shown live: `skep run`.  On standard output the final answer, or
 * with --json an event a line; on a terminal the model's text as it comes and
 * what the tools are asked and answer.
 */

#include "engine/engine.h"
#include "engine/outlet.h"
#include "engine/terminal.h"

struct solo_settings {
	struct span prompt; /* kept */
	int json, quiet;
};

struct solo {
	struct engine engine;
	struct solo_settings settings;
	struct outlet outlet; /* standard output */
	struct terminal out, err;
	int is_admitted, is_over, is_draining;
	int has_text; /* of this turn, on the terminal */
	enum run_state status;
	struct error failure; /* why the run did not finish */
};

/* -1 and *e; then solo_close() all the same. */
int solo_open(struct solo *s, const struct solo_settings *settings,
    const struct engine_settings *engine, struct error *e);
int solo_run(struct solo *s, struct error *e);
void solo_close(struct solo *s);

#endif
