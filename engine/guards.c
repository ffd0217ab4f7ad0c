#include "engine/guards.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/environment.h"
#include "net/item.h"
#include "net/json.h"
#include "net/model_call.h"
#include "sandbox/sandbox.h"

#define GUARDS_MAGIC 0x47554152u
#define KEPT (8 * 1024)
#define REASON_MAX 200
#define VERDICT_TOKENS 2000

static const char form[] =
    "{\"type\":\"object\",\"properties\":{\"tripwire\":{\"type\":\"boolean\"},"
    "\"reason\":{\"type\":\"string\"}},\"required\":[\"tripwire\",\"reason\"],"
    "\"additionalProperties\":false}";

extern const char tools_guardrail_txt[];

struct guards {
	unsigned magic;
	struct guards_order order;
	const struct guards_ops *ops;
	void *owner;
	struct loop_deferred next;
	unsigned at;
	int failed;
	struct error error;
	struct exec *exec;
	size_t written; /* of the text, to the command */
	struct model_call *call;
};

static void
end(struct guards *g)
{
	loop_undefer(&g->next);
	exec_free(g->exec);
	if (g->call != NULL)
		model_call_cancel(g->call);
	g->magic = 0;
	pool_give(g);
}

static const struct guardrail *
current(const struct guards *g)
{
	return &g->order.list->at[g->at];
}

/* The one at hand says no. */
static void
say_no(struct guards *g, struct span reason)
{
	size_t line = span_find(reason, '\n', 0);

	reason = span_trim(span_slice(reason, 0, line));
	if (reason.n > REASON_MAX)
		reason.n = REASON_MAX;
	g->failed = 1;
	error_set(&g->error, ERROR_DENIED, 0, "%s guardrail %s: %.*s",
	    g->order.what, current(g)->name,
	    reason.n > 0 ? (int)reason.n : (int)strlen("it says no"),
	    reason.n > 0 ? reason.p : "it says no");
	loop_defer(&g->next);
}

static void
say_yes(struct guards *g)
{
	g->at++;
	loop_defer(&g->next);
}

/* --- commands --- */

static void
write_on(struct guards *g)
{
	struct span rest =
	    span_slice(g->order.text, g->written, g->order.text.n);
	ptrdiff_t n = rest.n > 0 ? exec_write(g->exec, rest) : 0;

	if (n == -1)
		return; /* it does not want to read all of it */
	g->written += (size_t)n;
	if (g->written == g->order.text.n)
		exec_close_stdin(g->exec);
}

static void
writable(struct exec *x, void *owner)
{
	struct guards *g = owner;

	(void)x;
	CHECK_OBJ(g, GUARDS_MAGIC);
	if (g->written < g->order.text.n)
		write_on(g);
}

static void
ended(struct exec *x, const struct exec_report *r, void *owner)
{
	struct guards *g = owner;
	struct exec_kept kept;
	char why[120];

	CHECK_OBJ(g, GUARDS_MAGIC);
	exec_kept(x, 1, &kept);
	if (r->verdict == VERDICT_EXIT && r->exec_errno == 0 && r->exit == 0)
		say_yes(g);
	else if (r->verdict == VERDICT_EXIT && r->exec_errno == 0 &&
		 span_trim(kept.head).n > 0)
		say_no(g, span_trim(kept.head));
	else {
		if (r->verdict == VERDICT_EXIT)
			snprintf(why, sizeof why, "status %d", r->exit);
		else
			snprintf(why, sizeof why, "it ended with %s",
			    verdict_name(r->verdict));
		say_no(g, span_of(why));
	}
	g->exec = NULL;
	exec_free(x);
}

static const struct exec_ops exec_ops = {.writable = writable, .done = ended};

static int
ask_command(struct guards *g, struct error *e)
{
	const struct guardrail *rail = current(g);
	const char *argv[] = {"sh", "-c", rail->command, NULL};
	struct exec_spec spec = {.argv = argv,
	    .stdio = {EXEC_PIPE, EXEC_PIPE, EXEC_PIPE},
	    .stderr_to_stdout = 1,
	    .timeout_ms = rail->timeout_ms,
	    .kept_max = KEPT};

	if (g->order.sandbox == NULL)
		return error_set(
		    e, ERROR_SANDBOX_LOST, 0, "there is no sandbox");
	environment_fill(g->order.environment, NULL, &spec);
	g->written = 0;
	g->exec = exec_start(g->order.sandbox, &spec, &exec_ops, g, e);
	if (g->exec == NULL)
		return -1;
	write_on(g);
	return 0;
}

/* --- models --- */

static void
judge(struct guards *g, struct span answer)
{
	struct json_doc d;
	struct span reason = {NULL, 0};
	struct error e;
	int verdict = -1;

	json_doc_init(&d);
	if (json_parse(&d, answer, 0, &e) == 0) {
		verdict = json_bool_or(&d, json_get(&d, 0, "tripwire"), -1);
		if (json_type(&d, json_get(&d, 0, "reason")) == JSON_STRING)
			reason = json_inner(&d, json_get(&d, 0, "reason"));
	}
	if (verdict == 0)
		say_yes(g);
	else
		say_no(g, verdict == 1 ? reason
				       : span_of("its model gives no verdict"));
	json_doc_release(&d);
}

static void
answered(void *owner, const struct model_result *r)
{
	struct guards *g = owner;
	struct text said;
	struct arena a;

	CHECK_OBJ(g, GUARDS_MAGIC);
	g->call = NULL;
	g->ops->used(g->owner, &r->reply->usage);
	text_init(&said, LIMIT_ANSWER);
	arena_init(&a, LIMIT_ANSWER);
	for (unsigned i = 0; i < r->reply->items; i++) {
		struct item item;
		struct error e;

		if (item_parse(&item, reply_item(r->reply, i), &a, &e) == 0 &&
		    item.kind == ITEM_MESSAGE)
			item_add_text(&item, &said);
	}
	judge(g, text_span(&said));
	arena_release(&a);
	text_release(&said);
}

static void
call_failed(void *owner, const struct model_failure *f)
{
	struct guards *g = owner;

	CHECK_OBJ(g, GUARDS_MAGIC);
	g->call = NULL;
	if (f->usage.known)
		g->ops->used(g->owner, &f->usage);
	g->failed = 1;
	g->error = f->error;
	error_wrap(
	    &g->error, "%s guardrail %s", g->order.what, current(g)->name);
	loop_defer(&g->next);
}

static const struct model_call_ops call_ops = {
    .done = answered, .failed = call_failed};

static int
ask_model(struct guards *g, struct error *e)
{
	const struct guardrail *rail = current(g);
	struct text instructions, told, item;
	struct span json;
	struct model_request q = {
	    .model = span_of(
		rail->model != NULL ? rail->model : g->order.model_name),
	    .items = &json,
	    .nitems = 1,
	    .schema = span_of(form),
	    .max_output_tokens = VERDICT_TOKENS,
	    .stream = 1,
	};

	text_init(&instructions, 2 * LIMIT_CONFIG_FILE);
	text_init(&told, LIMIT_TRANSCRIPT);
	text_init(&item, LIMIT_TRANSCRIPT);
	text_add_str(&instructions, tools_guardrail_txt);
	text_add(&instructions, rail->instructions);
	text_add_str(&told, "<text>\n");
	text_add(&told, g->order.text);
	text_add_str(&told, "\n</text>\n");
	item_write_message(&item, "user", text_span(&told));
	q.instructions = text_span(&instructions);
	json = text_span(&item);
	if (text_overflowed(&item) || text_overflowed(&told))
		error_set(e, ERROR_INTERNAL, 0, "the text is too long");
	else
		g->call = model_call_start(g->order.model, &q, &call_ops, g, e);
	text_release(&instructions);
	text_release(&told);
	text_release(&item);
	return g->call != NULL ? 0 : -1;
}

/* --- one after the other --- */

static void
run(struct loop_deferred *d)
{
	struct guards *g = container_of(d, struct guards, next);
	const struct guards_ops *ops = g->ops;
	void *owner = g->owner;
	struct error e;
	int failed;

	CHECK_OBJ(g, GUARDS_MAGIC);
	if (!g->failed && g->at < g->order.list->n) {
		g->failed = (current(g)->command != NULL
				    ? ask_command(g, &g->error)
				    : ask_model(g, &g->error)) == -1;
		if (!g->failed)
			return;
	}
	e = g->error;
	failed = g->failed;
	end(g);
	ops->done(owner, failed ? &e : NULL);
}

struct guards *
guards_start(const struct guards_order *order, const struct guards_ops *ops,
    void *owner, struct error *e)
{
	struct guards *g = pool_take(sizeof *g, NULL);

	if (g == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for guardrails");
		return NULL;
	}
	*g = (struct guards){
	    .magic = GUARDS_MAGIC, .order = *order, .ops = ops, .owner = owner};
	loop_deferred_init(&g->next, order->loop, run);
	loop_defer(&g->next);
	return g;
}

void
guards_cancel(struct guards *g)
{
	if (g == NULL)
		return;
	CHECK_OBJ(g, GUARDS_MAGIC);
	end(g);
}
