#ifndef SKEP_CONFIG_SKILL_H
#define SKEP_CONFIG_SKILL_H

/*
 * A skill is a folder with a SKILL.md: instructions for a kind of task, with
 * scripts, references and assets beside it.  Its front matter says what it is
 * called and what it is for.
 *
 *	---
 *	name: clinical-dates
 *	description: Read dates as clinics write them.
 *	---
 *
 * Two readers of it: the lenient one makes the index that a model sees, from
 * any folder, and never fails; the strict one says what is wrong with a skill
 * by the rules of agentskills.io.  Pure, but for skill_folder*().
 */

#include <stddef.h>

#include "engine/base/span.h"

struct arena;
struct complaints;
struct error;

#define SKILL_FILE "SKILL.md"
#define SKILL_FILE_MAX ((size_t)1 << 20) /* read of one SKILL.md */
#define SKILL_NAME_MAX 64                /* characters */
#define SKILL_DESCRIPTION_MAX 1024
#define SKILL_COMPATIBILITY_MAX 500
#define SKILLS_MAX 256 /* of one agent; more are not shown */

struct skill {
	struct span name;        /* what the model calls it */
	struct span description; /* one line */
	const char *folder;      /* its name below the folder of skills */
};

/*
 * What the front matter of a SKILL.md says, for the index: one key: value a
 * line, split at the first colon; blank lines, comments, lines without a colon
 * and indented lines are passed over; one pair of quotes goes.  Where it says
 * nothing: the folder's name, "No description provided.".  In the arena, on
 * one line, cut to the lengths above.  -1 when the arena is full.
 */
int skill_read(struct arena *arena, struct span markdown, const char *folder,
    struct skill *out);

/* By name, then by folder; for qsort(). */
int skill_compare(const void *a, const void *b);

/* A name by the rules: NULL, or what is wrong with it. */
const char *skill_name_fault(struct span name);

/* Every fault of a SKILL.md; file is for the complaints. */
void skill_check(struct span markdown, const char *folder, const char *file,
    struct complaints *c);

/*
 * A folder of the host with everything in it: its SKILL.md, and that nothing
 * is there that could not be copied into a workspace.
 */
void skill_folder_check(
    struct arena *arena, const char *path, struct complaints *c);

/* Is path a folder with a SKILL.md in it? */
int skill_folder_is_one(const char *path);

/*
 * The skills of a folder of the host, below dir and not by any link, sorted;
 * folders that are links, or have no regular SKILL.md, are passed over.  The
 * array is in the arena.  -1 and *e when the folder cannot be read.
 */
int skill_folder_list(struct arena *arena, const char *dir, const char *below,
    const struct skill **out, unsigned *n, struct error *e);

#endif
