/* The AGENTS.md files of a workspace. */

#include <string.h>

#include "config/agent.h"
#include "engine/base/limits.h"
#include "engine/prompt.h"
#include "engine/survey_private.h"
#include "net/utf8.h"
#include "sandbox/reading.h"

/*
 * Theory of operation
 *
 * One file for each folder on the way from the root to where the run works,
 * read in that order, each no further than RULES_MAX.  Together they may have
 * RULES_MAX bytes; since the nearest one counts most, it is served first and
 * the farthest is cut first.  A file that is missing, no regular file, no
 * text, or reached by a link that leads out of the workspace, is passed over.
 */

#define NAME "AGENTS.md"
#define RULES_MAX (32 * KIB)
#define FOLDERS_MAX 32 /* looked into, from the root on */

#define OPEN "<agents_md path=\"/workspace/"
#define CLOSE "</agents_md"

extern const char tools_prompt_agents_md_txt[];

struct rules {
	unsigned n, at; /* folders on the way; the one being read */
	struct {
		const char *path;
		struct span text;
		uint64_t size;
	} file[FOLDERS_MAX];
};

/* --- what to read --- */

static int
find_folders(struct survey *s, struct rules *r)
{
	struct span rest = span_of(s->order.cwd);
	size_t n = 0;

	r->file[r->n++].path = NAME;
	while (rest.n > n && r->n < FOLDERS_MAX) {
		n = span_find(rest, '/', n + 1);
		r->file[r->n++].path =
		    arena_printf(&s->arena, "%.*s/" NAME, (int)n, rest.p);
	}
	return arena_overflowed(&s->arena) ? -1 : 0;
}

/* --- what to show --- */

/* A name could hold a quote, or a line. */
static void
put_path(struct text *out, const char *path)
{
	for (struct span s = span_of(path); s.n > 0;) {
		size_t n;
		uint32_t c = utf8_at(s, 0, &n);

		utf8_add(out, c < 0x20 || c == '"' || c == '>' ? '_' : c);
		s = span_slice(s, n, s.n);
	}
}

static void
put_file(struct text *out, const char *path, struct span text, uint64_t size)
{
	if (out->n > 0)
		text_add_str(out, "\n\n");
	text_add_str(out, OPEN);
	put_path(out, path);
	text_add_str(out, "\">\n");
	prompt_put_data(out, span_trim(text), CLOSE);
	if (size > text.n)
		text_printf(out, "\n[cut: %zu of %llu bytes are shown]", text.n,
		    (unsigned long long)size);
	text_add_str(out, "\n" CLOSE ">");
}

static void
show(struct survey *s, struct rules *r)
{
	size_t left = RULES_MAX;
	struct error e;
	struct text t;
	int kept;

	for (unsigned i = r->n; i-- > 0;) {
		struct span *text = &r->file[i].text;

		text->n = utf8_floor(*text, left);
		left -= text->n;
	}
	text_init(&t, 4 * RULES_MAX + FOLDERS_MAX * 2 * LIMIT_PATH);
	for (unsigned i = 0; i < r->n; i++)
		if (r->file[i].text.n > 0)
			put_file(&t, r->file[i].path, r->file[i].text,
			    r->file[i].size);
	kept = survey_keep(s, text_span(&t), &s->found->rules);
	text_release(&t);
	e = s->error;
	survey_step_done(s, kept == -1 ? &e : NULL);
}

/* --- reading --- */

static int read_on(struct survey *s, struct error *e);

/* Text: UTF-8 (a character cut at the end is fine) without a NUL. */
static int
is_text(struct span s)
{
	s.n -= utf8_tail(s);
	return utf8_check(s) == s.n && span_find(s, '\0', 0) == s.n;
}

static void
came(const struct error *error, struct span bytes, uint64_t size, void *owner)
{
	struct survey *s = owner;
	struct rules *r = s->state;
	struct error e;

	s->reading = NULL;
	if (error != NULL && error->code == ERROR_SANDBOX_LOST) {
		survey_step_done(s, error);
		return;
	}
	if (error == NULL && span_trim(bytes).n > 0 && is_text(bytes)) {
		r->file[r->at].text = arena_span(&s->arena, bytes);
		r->file[r->at].size = size;
		if (r->file[r->at].text.p == NULL)
			r->file[r->at].text.n = 0;
	}
	if (++r->at == r->n)
		show(s, r);
	else if (read_on(s, &e) == -1)
		survey_step_done(s, &e);
}

static int
read_on(struct survey *s, struct error *e)
{
	const struct rules *r = s->state;

	s->reading = reading_start(
	    s->order.sandbox, r->file[r->at].path, RULES_MAX, 0, came, s, e);
	return s->reading == NULL ? -1 : 0;
}

enum survey_answer
survey_rules(struct survey *s)
{
	struct rules *r;

	if (!s->order.agent->agents_md)
		return SURVEY_NOTHING;
	s->state = r = arena_alloc(&s->arena, sizeof *r);
	if (r == NULL || find_folders(s, r) == -1) {
		error_set(&s->error, ERROR_FULL, 0, "no memory for " NAME);
		return SURVEY_FAILED;
	}
	return read_on(s, &s->error) == -1 ? SURVEY_FAILED : SURVEY_STARTED;
}

void
prompt_put_rules(const struct prompt_facts *f, struct text *out)
{
	if (f->found == NULL || f->found->rules.n == 0)
		return;
	prompt_put_text(out, tools_prompt_agents_md_txt);
	text_add_str(out, "\n\n");
	text_add(out, f->found->rules);
}
