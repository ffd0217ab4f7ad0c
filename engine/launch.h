#ifndef SKEP_ENGINE_LAUNCH_H
#define SKEP_ENGINE_LAUNCH_H

/*
 * What `run` and `batch` have in common before an engine is opened: the
 * agent with what the command line puts over it, the settings, the state
 * directory.  Nothing is started before all of it is known to be right.
 */

#include "config/settings.h"
#include "engine/engine.h"

struct cli;

struct launch {
	struct settings settings;
	struct engine_settings engine;
};

/*
 * Load the agent named by the first operand.  0, or an exit status after
 * saying what is wrong: 78 for a bad agent, profile, manifest or setting, 66
 * for a missing one, 64.
 */
int launch_prepare(struct launch *l, struct cli *cli);

/* Say what went wrong with a memory: it fails no run, but is no secret. */
void launch_tell_memory(struct cli *cli, const struct engine *en);

/*
 * Say why nothing could be started, and give the exit status: as for *e, but
 * what would fail a run fails all of them here: 69 when there can be no
 * sandbox, 78 when the agent's certificates are no good.
 */
int launch_refused(struct cli *cli, const struct error *e);

#endif
