#ifndef SKEP_ENGINE_RESULT_H
#define SKEP_ENGINE_RESULT_H

/*
 * A result line: what is left of a run when it has ended.  One JSON object,
 * the same from `skep batch`, in the last event of `skep run --json` and in
 * the store:
 *
 *	{"custom_id","run_id","status","response":{"output_text","model"?}|null,
 *	 "error":{"code","message","line"?}|null,
 *	 "usage":{...},"timing":{...},"outputs":[{"path","bytes","sha256"}],
 *	 "changes":[{"path","change","bytes","sha256"}]|null,
 *	 "changes_omitted"?,"evidence":{...}}
 *
 * "changes" is null when there was no sandbox, the run did not get that far,
 * or the agent does not want to know; "change" is added, modified, deleted or
 * hidden (a folder that could not be looked into).
 *
 * Pure: everything is given.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/span.h"
#include "engine/budget.h"
#include "engine/run.h"

struct json_writer;
struct list;
struct sandbox_facts;
struct text;

/* Unix milliseconds, 0: never; and how long was spent on what. */
struct result_timing {
	int64_t queued_ms, started_ms, finished_ms;
	uint64_t wall_ms;    /* from started to finished */
	uint64_t model_ms;   /* with a model call in flight */
	uint64_t waited_ms;  /* for places: not counted by budget.wall */
	uint64_t sandbox_ms; /* building sandboxes */
	uint64_t tools_ms;   /* with a tool call running */
};

struct result {
	struct span custom_id; /* p == NULL: null */
	const char *run_id;
	enum run_state status; /* an end */
	struct span output_text;
	const struct error *error; /* NULL: none */
	uint64_t line;             /* of the task; told with a bad_task */
	struct spending usage;
	struct result_timing timing;
	const struct list *outputs; /* struct output_file; NULL: none */
	const struct list *changes; /* struct changed_file; NULL: not known */
	uint64_t changes_omitted;   /* beyond those listed */
	/* evidence */
	const char *agent, *agent_digest, *task_digest;
	const char *handed_to; /* who has it now; NULL: agent */
	const char *profile, *profile_digest;
	const struct sandbox_facts *sandbox;  /* NULL: there was none */
	const struct sandbox_commit *commits; /* what it was fetched from */
	unsigned commits_n;
	struct span model;      /* which one answered */
	struct span request_id; /* of its last answer */
	uint64_t attempts;      /* how often the run began */
};

/* Append the line, without a newline. */
void result_write(const struct result *r, struct text *out);

/* The value of "at" and the like: 2026-03-01T12:00:00.123Z. */
#define RESULT_TIME_BYTES 32
void result_time(int64_t unix_ms, char out[RESULT_TIME_BYTES]);

/* The members of "usage", into an open object. */
void result_put_usage(struct json_writer *w, const struct spending *s);

#endif
