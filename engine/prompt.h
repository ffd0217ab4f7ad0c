#ifndef SKEP_ENGINE_PROMPT_H
#define SKEP_ENGINE_PROMPT_H

/*
 * The prompt: what the model is told before the conversation begins, sent as
 * instructions (or as the system message) with every request of a run.
 *
 * Theory of operation
 *
 * The prompt is a row of sections in the order of prompt_sections.def: base
 * prompt, agent instructions, what each capability has to say, and the file
 * system.  Each section is a writer that appends text to what is there, or
 * nothing, in which case its heading does not appear either.  A feature that
 * has something to tell adds a row there, its writer in a file of its own, and
 * its words in a data file below tools/.
 *
 * An agent none of whose tools needs a sandbox is told only its own
 * instructions, as they are, and what its capabilities say.
 *
 * Prefixes: servers keep what they computed for the beginning of a request,
 * so the prompt of a run is made once and never changes over its turns, and
 * rows are ordered by how rarely they change: what all runs of an agent share
 * comes first, byte for byte the same; what memory and the workspace say, which
 * may differ from run to run (a manifest of the task, a file that came with
 * it), comes last.  Writers must depend on nothing but the facts: no clock, no
 * order of a hash table, no run id.
 */

#include "engine/base/span.h"

struct error;
struct role;
struct survey_found;
struct text;

#define PROMPT_MAX ((size_t)32 << 20)

/* What writers may look at. */
struct prompt_facts {
	const struct role *role;
	struct span instructions;         /* the agent's, with names replaced */
	const char *cwd;                  /* of the run; NULL: the root */
	const struct survey_found *found; /* NULL: nothing was looked at */
};

/* Append the whole prompt.  -1 and *e (TOO_BIG). */
int prompt_write(
    const struct prompt_facts *f, struct text *out, struct error *e);

/* Append s, trimmed; for writers whose words are a data file. */
void prompt_put_text(struct text *out, const char *s);

/*
 * Append s, which somebody else wrote, between marks: wherever it holds close
 * itself (the beginning of the closing mark), that is broken up.
 */
void prompt_put_data(struct text *out, struct span s, const char *close);

/* Does the agent have the tool of this name? */
int prompt_has_tool(const struct prompt_facts *f, const char *name);

/* The writers. */
#define PROMPT_SECTION(name, heading) \
	void prompt_put_##name(const struct prompt_facts *f, struct text *out);
#define PROMPT_CAPABILITY(name) \
	void prompt_put_##name(const struct prompt_facts *f, struct text *out);
#include "engine/prompt_sections.def"

#endif
