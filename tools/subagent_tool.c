#include "tools/subagent_tool.h"

#include <string.h>

#include "engine/base/error.h"
#include "tools/builtin.h"
#include "tools/output.h"
#include "tools/registry.h"
#include "tools/truncate.h"

#define DESCRIPTION_MAX (64 * KIB)

extern const char tools_transfer_txt[], tools_agent_txt[];

/* --- making --- */

/* text with {name} and {description} replaced. */
static void
fill(struct text *out, const char *text, const struct subagent_offer *offer)
{
	static const char name[] = "{name}", description[] = "{description}";

	while (*text != '\0') {
		if (strncmp(text, name, sizeof name - 1) == 0) {
			text_add_str(out, offer->title);
			text += sizeof name - 1;
		} else if (strncmp(text, description, sizeof description - 1) ==
			   0) {
			text_add_str(out, offer->description == NULL
					      ? ""
					      : offer->description);
			text += sizeof description - 1;
		} else {
			text_add_char(out, *text++);
		}
	}
}

/* What was written, in arena and NUL-terminated; gives text's memory back. */
static const char *
keep(struct arena *arena, struct text *text)
{
	struct span s = span_trim(text_span(text));
	const char *kept =
	    text_overflowed(text) ? NULL : arena_strndup(arena, s.p, s.n);

	text_release(text);
	return kept;
}

static int
add(struct toolset *set, struct arena *arena, const struct tool *kind,
    const char *prefix, const char *text, const struct subagent_offer *offer,
    struct error *e)
{
	struct subagent_tool *t = arena_alloc(arena, sizeof *t);
	struct text described;

	if (t == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for tools");
	t->tool = *kind;
	t->name = offer->name;
	t->tool.name = arena_printf(arena, "%s%s", prefix, offer->name);
	t->tool.needs_sandbox = offer->needs_sandbox;
	if (offer->schema != NULL)
		t->tool.schema = offer->schema;
	text_init(&described, DESCRIPTION_MAX);
	fill(&described, text, offer);
	t->tool.description = keep(arena, &described);
	if (t->tool.name == NULL || t->tool.description == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for tools");
	return toolset_add_tool(set, &t->tool, e);
}

int
toolset_add_transfer(struct toolset *set, struct arena *arena,
    const struct subagent_offer *offer, struct error *e)
{
	return add(set, arena, &tool_transfer, "transfer_to_",
	    offer->text != NULL ? offer->text : tools_transfer_txt, offer, e);
}

int
toolset_add_agent(struct toolset *set, struct arena *arena,
    const struct subagent_offer *offer, struct error *e)
{
	return add(set, arena, &tool_agent, "",
	    offer->description != NULL ? offer->description : tools_agent_txt,
	    offer, e);
}

int
toolset_offer_agents(struct toolset *set, struct arena *arena,
    const struct subagent_offer *offers, unsigned n, int needs_sandbox,
    struct error *e)
{
	struct tool *own = arena_alloc(arena, sizeof *own);
	struct text text;

	if (own == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for tools");
	*own = tool_spawn_agent;
	own->needs_sandbox = needs_sandbox;
	text_init(&text, DESCRIPTION_MAX);
	text_add_str(&text, tool_spawn_agent.description);
	for (unsigned i = 0; i < n; i++) {
		text_add_str(&text, i == 0 ? "\nThe agents:\n" : "\n");
		text_printf(&text, "- %s", offers[i].name);
		if (offers[i].description != NULL)
			text_printf(&text, ": %s", offers[i].description);
	}
	own->description = keep(arena, &text);
	if (own->description == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for tools");
	toolset_replace(set, &tool_spawn_agent, own);
	return 0;
}

/* --- at work --- */

const char *
subagent_tool_name(const struct tool_call *call)
{
	return container_of(call->tool, const struct subagent_tool, tool)->name;
}

const struct tool_agents *
subagent_ports(struct tool_call *call)
{
	if (call->box->host.agents == NULL)
		text_add_str(&call->text, "no other agents can be reached");
	return call->box->host.agents;
}

struct span
subagent_argument(
    struct tool_call *call, const struct json_doc *args, const char *name)
{
	struct span s;

	if (json_string(args, json_get(args, 0, name), &call->arena, &s) == -1)
		return (struct span){NULL, 0};
	return s;
}

struct subagent *
subagent_find(struct tool_call *call, struct span id)
{
	const struct tool_host *host = &call->box->host;
	struct subagent *s;

	for (unsigned i = 0; (s = host->agents->at(host->owner, i)) != NULL;
	     i++)
		if (span_is(id, s->id))
			return s;
	text_printf(&call->text,
	    "you have started no agent with the id \"%.*s\"; list_agents "
	    "tells those that you have",
	    (int)(id.n < 64 ? id.n : 64), id.p);
	return NULL;
}

const char *
subagent_status_name(enum subagent_status status)
{
	static const char *const names[] = {
	    [SUBAGENT_RUNNING] = "running",
	    [SUBAGENT_FINISHED] = "finished",
	    [SUBAGENT_FAILED] = "failed",
	    [SUBAGENT_CANCELLED] = "cancelled",
	};

	return names[status];
}

void
subagent_add_output(const struct subagent *s, struct text *out)
{
	struct truncate_source source = {
	    .text = s->output,
	    .lines = truncate_lines(s->output),
	};
	uint64_t tokens;

	truncate_add(out, &source, OUTPUT_TOKENS, &tokens);
}

void
subagent_put(struct json_writer *w, const struct subagent *s, int with_output)
{
	struct text output;

	json_put_str(w, "agent_id", s->id);
	json_put_str(w, "agent", s->agent);
	json_put_str(w, "status", subagent_status_name(s->status));
	if (!with_output || s->status == SUBAGENT_RUNNING)
		return;
	if (s->status != SUBAGENT_FINISHED) {
		json_put_span(w, "error", s->trouble);
		return;
	}
	text_init(&output, LIMIT_OUTPUT_KEPT);
	subagent_add_output(s, &output);
	json_put_span(w, "output", text_span(&output));
	text_release(&output);
}

void
toolbox_subagent_ended(struct toolbox *box)
{
	struct list_node *n, *next;

	for (n = list_first(&box->calls); n != NULL; n = next) {
		struct tool_call *call =
		    container_of(n, struct tool_call, link);

		next = list_next(&box->calls, n);
		if (call->state != NULL && call->tool->heard != NULL)
			call->tool->heard(call);
	}
}
