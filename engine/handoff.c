#include "engine/handoff.h"

#include <string.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "net/json.h"
#include "net/json_write.h"

extern const char tools_handoff_history_txt[];

/* --- the request --- */

/* NULL when to can go on in what is there; else what is in the way. */
static const char *
obstacle(const struct errand *er, const struct agent *to, struct error *e)
{
	if (run_has_sandbox(er->run) && to->manifest != NULL &&
	    to->manifest != er->first->agent->manifest)
		return "it needs a workspace of its own, and one is there";
	if (!to->sandbox.has_profile || to->sandbox.profile == er->profile)
		return NULL;
	if (profile_check_narrower(to->sandbox.profile, er->profile, e) == -1)
		return e->text;
	if (run_has_sandbox(er->run) &&
	    profile_check_narrower(er->profile, to->sandbox.profile, e) == -1)
		return "it needs another sandbox than the one that is up";
	return NULL;
}

static const struct agent_handoff *
find(const struct errand *er, const char *name)
{
	const struct agent *a = er->role->agent;

	for (unsigned i = 0; i < a->handoffs_n; i++)
		if (strcmp(a->handoffs[i].name, name) == 0)
			return &a->handoffs[i];
	return NULL;
}

void
handoff_ask(void *owner, const char *name, struct text *answer)
{
	struct errand *er = owner;
	const struct agent_handoff *h = find(er, name);
	const char *why;
	struct error e;

	CHECK(h != NULL); /* the tool was made from it */
	if (er->handoff != NULL) {
		text_add_str(
		    answer, "Multiple handoffs detected, ignoring this one.");
		return;
	}
	why = obstacle(er, h->to->agent, &e);
	if (why != NULL) {
		text_printf(
		    answer, "%s cannot take over: %s", h->to->agent->name, why);
		return;
	}
	er->handoff = h;
	text_add_str(answer, "{\"assistant\": \"");
	json_escape(span_of(h->to->agent->name), answer);
	text_add_str(answer, "\"}");
}

/* --- what the next agent is shown --- */

static int
is_about_tools(const struct item *item)
{
	return item->kind != ITEM_MESSAGE && item->kind != ITEM_COMPACTION;
}

static int
is_hidden(struct errand *er, struct span json)
{
	int tools = er->handed->filter == HANDOFF_REMOVE_ALL_TOOLS;
	struct item item;
	struct error ignored;

	if (item_parse(&item, json, &er->scratch, &ignored) == -1)
		return 0;
	return (tools && is_about_tools(&item)) ||
	       (er->hides_reasoning && item.kind == ITEM_REASONING);
}

static int
same_model(const struct agent_model *a, const struct agent_model *b)
{
	return a->api == b->api && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->base_url, b->base_url) == 0;
}

/* "role: text" for a message of one line, the item as it is otherwise. */
static void
add_line(struct text *out, struct span json)
{
	struct json_doc d;
	struct error ignored;
	struct span role, text;
	int content;

	json_doc_init(&d);
	if (json_parse(&d, json, 0, &ignored) == -1) {
		text_add(out, json);
		return;
	}
	role = json_inner(&d, json_get(&d, 0, "role"));
	content = json_get(&d, 0, "content");
	if (json_type(&d, content) == JSON_ARRAY && json_size(&d, content) == 1)
		content = json_get(&d, json_first(&d, content), "text");
	text = json_inner(&d, content);
	if (json_type(&d, content) != JSON_STRING || role.n == 0 ||
	    span_find(text, '\\', 0) < text.n) {
		text_add(out, json);
	} else {
		text_add(out, role);
		text_add_str(out, ": ");
		text_add(out, text);
	}
	json_doc_release(&d);
}

#define BEGINNING "\n<CONVERSATION HISTORY>\n"
#define END "</CONVERSATION HISTORY>"

/* What a message of ours told, without our words; or n == 0. */
static struct span
told_before(struct span json, struct text *said)
{
	struct span intro = span_trim(span_of(tools_handoff_history_txt));
	struct span none = {NULL, 0}, rest;
	struct arena arena;
	struct item item;
	struct error ignored;

	arena_init(&arena, LIMIT_TRANSCRIPT);
	if (item_parse(&item, json, &arena, &ignored) == 0 &&
	    item.kind == ITEM_MESSAGE)
		item_add_text(&item, said);
	arena_release(&arena);
	rest = text_span(said);
	if (!span_has_prefix(rest, intro))
		return none;
	rest = span_slice(rest, intro.n, rest.n);
	if (!span_has_prefix(rest, span_of(BEGINNING)) ||
	    rest.n < sizeof BEGINNING + sizeof END)
		return none;
	return span_slice(
	    rest, sizeof BEGINNING - 1, rest.n - (sizeof END - 1));
}

/* "7. text" as "3. text" for each line of it. */
static void
add_again(struct text *out, struct span lines, size_t *number)
{
	while (lines.n > 0) {
		struct span line = span_cut(&lines, '\n');
		size_t dot = span_find(line, '.', 0);

		if (dot + 2 > line.n)
			continue;
		text_printf(out, "%zu.", ++*number);
		text_add(out, span_slice(line, dot + 1, line.n));
		text_add_char(out, '\n');
	}
}

void
handoff_nest(
    struct text *out, const char *role, const struct span *items, size_t n)
{
	struct text said, before;
	size_t number = 0;

	text_init(&said, LIMIT_TRANSCRIPT);
	text_init(&before, LIMIT_TRANSCRIPT);
	text_add(&said, span_trim(span_of(tools_handoff_history_txt)));
	text_add_str(&said, BEGINNING);
	if (n == 0)
		text_add_str(&said, "(no previous turns recorded)\n");
	for (size_t i = 0; i < n; i++) {
		struct span lines = told_before(items[i], &before);

		if (lines.n > 0) {
			add_again(&said, lines, &number);
		} else {
			text_printf(&said, "%zu. ", ++number);
			add_line(&said, items[i]);
			text_add_char(&said, '\n');
		}
		text_clear(&before);
	}
	text_add_str(&said, END);
	item_write_message(out, role, text_span(&said));
	if (text_overflowed(&said))
		out->overflowed = 1;
	text_release(&before);
	text_release(&said);
}

static int
no_memory(struct error *e)
{
	return error_set(e, ERROR_INTERNAL, 0,
	    "the run's memory is full: its transcript is too long");
}

/* Messages begins with the user; the others take the anchor's word. */
static const char *
teller(const struct agent_model *m)
{
	return m->api == API_MESSAGES ? "user" : "assistant";
}

static int
show_nested(struct errand *er, const struct span *shown, size_t n)
{
	struct text message;
	struct span one;
	int status;

	text_init(&message, LIMIT_TRANSCRIPT);
	handoff_nest(&message, teller(&er->role->agent->model), shown, n);
	one = text_span(&message);
	status = text_overflowed(&message)
		     ? -1
		     : transcript_rewrite(&er->transcript, &one, 1);
	er->transcript.is_begun_by_server = 0;
	text_release(&message);
	return status;
}

int
handoff_show(struct errand *er, struct error *e)
{
	const struct agent_handoff *h = er->handed;
	struct transcript *tr = &er->transcript;
	struct span *shown;
	size_t n = 0;
	int status;

	if (h == NULL)
		return 0;
	shown = arena_alloc(&er->scratch, (tr->n + 1) * sizeof *shown);
	if (shown == NULL)
		return no_memory(e);
	for (size_t i = 0; i < tr->n; i++)
		if (!is_hidden(er, tr->json[i]))
			shown[n++] = tr->json[i];
	if (h->nest_history)
		status = show_nested(er, shown, n);
	else
		status = n < tr->n ? transcript_rewrite(tr, shown, n) : 0;
	er->handed = NULL;
	er->hides_reasoning = 0;
	return status == -1 ? no_memory(e) : 0;
}

/* --- the change --- */

int
handoff_carry_out(struct errand *er, struct error *e)
{
	const struct agent_handoff *h = er->handoff;
	const struct agent *to;

	if (h == NULL)
		return 0;
	er->handoff = NULL;
	er->handed = h;
	to = h->to->agent;
	er->hides_reasoning = !same_model(&to->model, &er->role->agent->model);
	if (to->sandbox.has_profile && !run_has_sandbox(er->run))
		er->profile = to->sandbox.profile;
	er->role = supplies_role(er->supplies, to);
	er->role_changed = 1;
	if (er->toolbox != NULL) {
		toolbox_set_tools(
		    er->toolbox, &er->role->toolset, errand_programs(er));
		toolbox_set_skills(er->toolbox, &to->skills);
	}
	run_set_has_outputs(er->run, errand_outputs(er)[0] != NULL);
	if (er->watch->role_changed != NULL)
		er->watch->role_changed(er);
	return errand_write_prompt(er, e);
}
