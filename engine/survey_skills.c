/* The skills of a workspace, and what the prompt says of an agent's skills. */

#include <stdlib.h>
#include <string.h>

#include "config/agent.h"
#include "config/manifest.h"
#include "engine/prompt.h"
#include "engine/role.h"
#include "engine/survey_private.h"
#include "sandbox/reading.h"
#include "sandbox/sandbox.h"
#include "sandbox/tree.h"

/*
 * Theory of operation
 *
 * For `from`, which may be a repository: every folder at the path of skills
 * with a readable SKILL.md is one.  The walk first notes the folders, in
 * order; then their SKILL.md are read one after the other.  One that is a
 * link, a FIFO, or longer than it may be shown, costs no more than any other.
 */

extern const char tools_skills_intro_txt[], tools_skills_run_paths_txt[],
    tools_skills_lazy_txt[], tools_skills_how_txt[];

/* As much of a SKILL.md as its front matter may reasonably take. */
#define HEAD_MAX ((size_t)16 << 10)

struct finding {
	const char *folder[SKILLS_MAX];
	unsigned folders, at;
	struct skill skill[SKILLS_MAX];
	unsigned skills;
};

/* --- the index --- */

/* A line each: "- NAME: DESCRIPTION (file: PATH)". */
static void
put_index(const struct skill *skill, unsigned n, const char *path,
    const char *cwd, struct text *out)
{
	for (unsigned i = 0; i < n; i++) {
		text_add_str(out, "\n- ");
		text_add(out, skill[i].name);
		text_add_str(out, ": ");
		for (struct span s = skill[i].description; s.n > 0;
		     s = span_slice(s, 1, s.n))
			text_add_char(
			    out, (unsigned char)s.p[0] < 0x20 ? ' ' : s.p[0]);
		text_printf(out, " (file: %s%s/%s)",
		    cwd != NULL ? MANIFEST_ROOT "/" : "", path,
		    skill[i].folder);
	}
}

void
prompt_put_skills(const struct prompt_facts *f, struct text *out)
{
	const struct skills *s = &f->role->agent->skills;
	size_t before = out->n, empty;

	if (s->source == SKILLS_NONE || !role_is_sandboxed(f->role))
		return;
	text_add_str(out, "## Skills\n");
	prompt_put_text(out, tools_skills_intro_txt);
	text_add_str(out, "\n### Available skills");
	empty = out->n;
	put_index(s->skill, s->n, s->path, f->cwd, out);
	if (s->source == SKILLS_FROM && f->found != NULL)
		text_add(out, f->found->skills);
	if (out->n == empty) {
		text_cut(out, before);
		return;
	}
	if (f->cwd != NULL) {
		text_add_str(out, "\n### Run-scoped skill paths\n");
		prompt_put_text(out, tools_skills_run_paths_txt);
	}
	if (s->source == SKILLS_LAZY) {
		text_add_str(out, "\n### Lazy loading\n");
		prompt_put_text(out, tools_skills_lazy_txt);
	}
	text_add_str(out, "\n### How to use skills\n");
	prompt_put_text(out, tools_skills_how_txt);
}

/* --- finding them --- */

static void
found_all(struct survey *s, struct finding *f)
{
	struct error e;
	struct text t;
	int kept;

	qsort(f->skill, f->skills, sizeof f->skill[0], skill_compare);
	text_init(&t, (size_t)1 << 20);
	put_index(
	    f->skill, f->skills, s->order.agent->skills.path, s->order.cwd, &t);
	kept = survey_keep(s, text_span(&t), &s->found->skills);
	text_release(&t);
	e = s->error;
	survey_step_done(s, kept == -1 ? &e : NULL);
}

static int read_next(struct survey *s, struct error *e);

static void
came(const struct error *error, struct span bytes, uint64_t size, void *owner)
{
	struct survey *s = owner;
	struct finding *f = s->state;
	struct error e;

	(void)size;
	s->reading = NULL;
	if (error != NULL && error->code == ERROR_SANDBOX_LOST) {
		survey_step_done(s, error);
		return;
	}
	if (error == NULL && skill_read(&s->arena, bytes, f->folder[f->at],
				 &f->skill[f->skills]) == 0)
		f->skills++;
	if (++f->at == f->folders)
		found_all(s, f);
	else if (read_next(s, &e) == -1)
		survey_step_done(s, &e);
}

static int
read_next(struct survey *s, struct error *e)
{
	struct finding *f = s->state;
	const char *path = arena_printf(&s->arena, "%s/%s/" SKILL_FILE,
	    s->order.agent->skills.path, f->folder[f->at]);

	if (path == NULL)
		return error_set(e, ERROR_INTERNAL, 0, "no memory for skills");
	s->reading = reading_start(
	    s->order.sandbox, path, HEAD_MAX, FILE_NOFOLLOW, came, s, e);
	return s->reading == NULL ? -1 : 0;
}

static enum tree_way
met(struct tree *t, const struct tree_entry *entry, void *owner)
{
	struct survey *s = owner;
	struct finding *f = s->state;
	const char *name = strrchr(entry->path, '/');

	(void)t;
	if (entry->stat.kind != FILE_DIR || f->folders == SKILLS_MAX)
		return TREE_PAST;
	name = name == NULL ? entry->path : name + 1;
	if (name[0] == '.')
		return TREE_PAST; /* .git and its like */
	f->folder[f->folders] = arena_strndup(&s->arena, name, strlen(name));
	f->folders += f->folder[f->folders] != NULL;
	return TREE_PAST;
}

static void
walked(const struct error *error, void *owner)
{
	struct survey *s = owner;
	struct finding *f = s->state;
	struct error e;

	s->tree = NULL;
	if (error != NULL && error->code == ERROR_SANDBOX_LOST)
		survey_step_done(s, error);
	else if (f->folders == 0)
		survey_step_done(s, NULL);
	else if (read_next(s, &e) == -1)
		survey_step_done(s, &e);
}

static const struct tree_ops ops = {.entry = met, .done = walked};

enum survey_answer
survey_skills(struct survey *s)
{
	const struct skills *skills = &s->order.agent->skills;

	if (skills->source != SKILLS_FROM)
		return SURVEY_NOTHING;
	s->state = arena_alloc(&s->arena, sizeof(struct finding));
	if (s->state == NULL) {
		error_set(&s->error, ERROR_FULL, 0, "no memory for skills");
		return SURVEY_FAILED;
	}
	s->tree = tree_start(
	    s->order.loop, s->order.sandbox, skills->path, &ops, s, &s->error);
	return s->tree == NULL ? SURVEY_FAILED : SURVEY_STARTED;
}
