#include <string.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "tools/mcp_private.h"
#include "tools/truncate.h"

#define IMAGES_MAX (16 * MIB)

/* --- answering --- */

static void
release(struct mcp_call *c)
{
	mcp_forget(c->request);
	c->request = NULL;
	if (c->spills)
		output_release(&c->output);
	c->spills = 0;
	text_release(&c->all);
	text_release(&c->images);
}

void
mcp_call_stop(struct tool_call *call)
{
	release(call->state);
}

/* One item with a text and what else there is to be seen. */
static void
answer(struct mcp_call *c)
{
	struct tool_call *call = c->call;
	struct json_writer w;

	if (c->images.n == 0 || text_overflowed(&c->images)) {
		release(c);
		tool_call_answer_text(call);
		return;
	}
	json_write_init(&w, &call->answer);
	json_write_object(&w);
	json_put_str(&w, "type", item_type(item_answer_kind(call->kind)));
	json_put_span(&w, "call_id", call->call_id);
	json_put_array(&w, "output");
	json_write_object(&w);
	json_put_str(&w, "type", "input_text");
	json_put_span(&w, "text", text_span(&call->text));
	json_write_end(&w);
	json_write_raw(&w, text_span(&c->images));
	json_write_end(&w);
	json_write_end(&w);
	release(c);
	tool_call_answer_item(call);
}

void
mcp_call_fail(struct mcp_call *c, const struct error *e)
{
	struct tool_call *call = c->call;

	call->failed = 1;
	text_clear(&call->text);
	text_printf(&call->text, "The tool server %s failed: %s",
	    c->server->spec->name, e->text);
	release(c);
	tool_call_answer_text(call);
}

/* Nobody could read a file: there is no workspace. */
static void
tell_cut(struct mcp_call *c)
{
	struct span all = text_span(&c->all);
	struct truncate_source source = {
	    .text = all, .lines = truncate_lines(all)};
	uint64_t tokens;

	if (truncate_add(&c->call->text, &source, OUTPUT_TOKENS, &tokens))
		text_add_str(&c->call->text,
		    "\n[cut; the rest was not kept, ask for less]");
	answer(c);
}

static void
tell_spilled(struct mcp_call *c)
{
	struct text *t = &c->call->text;
	uint64_t tokens;

	if (output_tell(&c->output, OUTPUT_TOKENS, 1, t, &tokens)) {
		text_add_str(t, "\n[cut; full result: ");
		output_tell_file(&c->output, t);
		text_add_str(t, "]");
	}
	answer(c);
}

static void
feed(struct mcp_call *c)
{
	struct span rest = span_slice(text_span(&c->all), c->taken, c->all.n);

	c->taken += output_add(&c->output, rest);
	if (c->taken == c->all.n && output_settle(&c->output, OUTPUT_TOKENS, 1))
		tell_spilled(c);
}

static void
room(struct output *o)
{
	struct mcp_call *c = o->owner;

	if (c->taken < c->all.n)
		feed(c);
}

static void
settled(struct output *o)
{
	tell_spilled(o->owner);
}

void
mcp_call_tell(struct mcp_call *c)
{
	struct sandbox *sb = tool_call_sandbox(c->call);

	text_clear(&c->call->text);
	if (text_overflowed(&c->all)) {
		struct error e;

		error_set(&e, ERROR_TOO_BIG, 0, "its result is too long");
		mcp_call_fail(c, &e);
		return;
	}
	if (sb == NULL) {
		tell_cut(c);
		return;
	}
	output_init(&c->output, sb, "", room, settled, c);
	c->spills = 1;
	feed(c);
}

/* --- asking --- */

struct mcp_call *
mcp_call_new(struct tool_call *call, struct mcp_server *s)
{
	struct mcp_call *c = arena_alloc(&call->arena, sizeof *c);

	if (c == NULL) {
		text_add_str(&call->text, "no memory for the call");
		return NULL;
	}
	c->call = call;
	c->server = s;
	text_init(&c->all, MCP_MESSAGE_MAX);
	text_init(&c->images, IMAGES_MAX);
	return c;
}

/* A trace of its own for every run, a span for every call. */
static void
write_parent(const struct tool_call *call, char out[56])
{
	const char *run = call->box->host.run;
	unsigned char span[8];
	char hex[HASH_HEX + 1], span_hex[2 * sizeof span + 1];
	struct digest trace;

	out[0] = '\0';
	if (run == NULL || os->random(span, sizeof span) == -1)
		return;
	span[0] |= 1; /* all zeros means none */
	hash_of(span_of(run), &trace);
	hex_encode(trace.byte, sizeof trace.byte, hex);
	hex_encode(span, sizeof span, span_hex);
	memcpy(out, "00-", 3);
	memcpy(out + 3, hex, 32);
	out[35] = '-';
	memcpy(out + 36, span_hex, 16);
	memcpy(out + 52, "-01", 4);
}

int
mcp_call_ask(
    struct mcp_call *c, const struct mcp_question *question, mcp_done_fn *done)
{
	struct mcp_question q = *question;
	struct mcp_link *l;
	struct error e;
	char parent[56];

	write_parent(c->call, parent);
	q.parent = parent;
	q.timeout_ms = (uint32_t)(c->server->spec->call_seconds * 1000);
	l = link_get(c->server, &c->call->box->links, &e);
	if (l != NULL)
		c->request = mcp_ask(l, &q, done, c, &e);
	if (c->request == NULL) {
		text_printf(&c->call->text, "the tool server %s failed: %s",
		    c->server->spec->name, e.text);
		return -1;
	}
	c->call->state = c;
	return 0;
}

static void
done(struct mcp_request *q, const struct mcp_answer *a, void *owner)
{
	struct mcp_call *c = owner;

	CHECK(c->request == q);
	c->request = NULL;
	if (a->error != NULL) {
		mcp_call_fail(c, a->error);
		return;
	}
	mcp_result_add(c, a->doc, a->result);
	mcp_call_tell(c);
}

int
mcp_call_start(struct tool_call *call, const struct json_doc *args)
{
	const struct mcp_tool *t =
	    container_of(call->tool, struct mcp_tool, tool);
	struct mcp_call *c = mcp_call_new(call, t->server);
	struct mcp_member member[2] = {
	    {"name", {NULL, 0}}, {"arguments", json_raw(args, 0)}};
	struct mcp_question q = {.method = "tools/call",
	    .member = member,
	    .members = 2,
	    .name = t->name};
	struct json_writer w;
	struct text name, fields;
	int rc;

	if (c == NULL)
		return -1;
	if (json_type(args, 0) != JSON_OBJECT) {
		text_add_str(&call->text, "the arguments must be an object");
		return -1;
	}
	text_init(&name, LIMIT_URL);
	text_init(&fields, LIMIT_HTTP_HEAD);
	json_write_init(&w, &name);
	json_write_span(&w, t->name);
	mcp_params_write(t, args, &fields);
	member[0].json = text_span(&name);
	q.fields = text_span(&fields);
	rc = mcp_call_ask(c, &q, done);
	text_release(&name);
	text_release(&fields);
	return rc;
}
