/* What a run is shown of its memory. */

#include "config/agent.h"
#include "config/memory.h"
#include "engine/memory.h"
#include "engine/prompt.h"
#include "engine/role.h"
#include "engine/survey_private.h"
#include "net/utf8.h"
#include "sandbox/reading.h"
#include "sandbox/sandbox.h"
#include "tools/truncate.h"

/*
 * Theory of operation
 *
 * The summary is read from the run's own copy, which was laid into its
 * workspace with the rest of the memory.  It is cut to so many tokens, in the
 * middle, and marked as what it is: text that earlier runs left.
 */

#define FILE_PATH MEMORY_FOLDER "/" MEMORY_SUMMARY
#define READ_MAX (4 * (size_t)MEMORY_SUMMARY_TOKENS * TRUNCATE_TOKEN_BYTES)
#define OPEN "<memory_summary>\n"
#define CLOSE "</memory_summary"

extern const char tools_memory_read_txt[];

void
prompt_put_memory(const struct prompt_facts *f, struct text *out)
{
	if (f->found == NULL || f->found->memory.n == 0)
		return;
	prompt_put_text(out, tools_memory_read_txt);
	text_add_str(out, "\n\n" OPEN);
	prompt_put_data(out, f->found->memory, CLOSE);
	text_add_str(out, "\n" CLOSE ">");
}

static void
keep(struct survey *s, struct span bytes)
{
	struct truncate_source source;
	struct text valid, cut;
	struct error e;
	uint64_t tokens;
	int kept;

	text_init(&valid, 4 * READ_MAX);
	text_init(&cut, READ_MAX);
	utf8_add_valid(&valid, span_trim(bytes));
	source = (struct truncate_source){.text = text_span(&valid),
	    .lines = truncate_lines(text_span(&valid))};
	(void)truncate_add(&cut, &source, MEMORY_SUMMARY_TOKENS, &tokens);
	kept = survey_keep(s, text_span(&cut), &s->found->memory);
	text_release(&valid);
	text_release(&cut);
	e = s->error;
	survey_step_done(s, kept == -1 ? &e : NULL);
}

static void
came(const struct error *error, struct span bytes, uint64_t size, void *owner)
{
	struct survey *s = owner;

	(void)size;
	s->reading = NULL;
	if (error != NULL && error->code == ERROR_SANDBOX_LOST)
		survey_step_done(s, error);
	else if (error != NULL || span_trim(bytes).n == 0 ||
		 span_find(bytes, '\0', 0) < bytes.n)
		survey_step_done(s, NULL); /* nothing that could be shown */
	else
		keep(s, bytes);
}

enum survey_answer
survey_memory(struct survey *s)
{
	const struct agent_memory *m = &s->order.agent->memory;

	if (!m->is_on || !m->read)
		return SURVEY_NOTHING;
	s->reading = reading_start(s->order.sandbox, FILE_PATH, READ_MAX,
	    FILE_NOFOLLOW, came, s, &s->error);
	return s->reading == NULL ? SURVEY_FAILED : SURVEY_STARTED;
}
