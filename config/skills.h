#ifndef SKEP_CONFIG_SKILLS_H
#define SKEP_CONFIG_SKILLS_H

/*
 * The skills of an agent: "skills": {"path", and one of "literal", "from",
 * "lazy_from"}.
 *
 *	literal    skills that stand here, each with name, description, content
 *		   and the files of scripts, references and assets
 *	from	   an entry as of a manifest (a folder of any type), put at path;
 *		   which skills it holds is found out in the sandbox
 *	lazy_from  a folder of the host, known by its index; load_skill copies
 *		   one skill into the workspace when the model asks for it
 *
 * Literal skills and `from` become entries of the agent's manifest, so they
 * are laid into each workspace like all else.  What they say is text for the
 * model: a skill brings no right that the agent does not have, and its
 * scripts run nowhere but in the sandbox.
 */

#include "config/skill.h"
#include "engine/base/span.h"

struct agent;
struct manifest;
struct table;
struct table_reader;

#define SKILLS_PATH ".agents"

enum skills_source { SKILLS_NONE, SKILLS_LITERAL, SKILLS_FROM, SKILLS_LAZY };

struct skills {
	enum skills_source source;
	const char *path; /* below the root, normalised */
	struct span literal, from,
	    lazy_from; /* JSON, as written; one of them */

	/* LITERAL, LAZY: the index, sorted. */
	const struct skill *skill;
	unsigned n;
	/* LITERAL, FROM: entries for the workspace.  LAZY: one entry, the
	   folder of them all, of which load_skill takes a part. */
	const struct manifest *manifest;
};

extern const struct table skills_table;

/*
 * Once the agent is read: make of its skills what they mean and add their
 * entries to its manifest; v is the agent.  -1 when it complained.
 */
int skills_settle(struct table_reader *r, int v, struct agent *a);

#endif
