#include "tools/poll.h"

#include <inttypes.h>

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/os.h"
#include "tools/call.h"
#include "tools/process.h"

/* A text for the model, between its first two lines and the output. */
static void
tell_head(const struct tool_call *call, const char *chunk, struct text *out)
{
	text_printf(out, "Chunk ID: %s\nWall time: %.4f seconds\n", chunk,
	    (double)tool_call_wall_us(call) / 1e6);
}

/* What the model should know of the table of processes. */
static void
tell_table(struct toolbox *box, struct text *out)
{
	unsigned n = box->processes.length;

	if (box->pruned.n > 0)
		text_printf(out,
		    "Note: to make room, the least recently used sessions "
		    "were ended: %s\n",
		    box->pruned.p);
	text_clear(&box->pruned);
	if (n >= PROCESSES_WARN)
		text_printf(out,
		    "Warning: %u of at most %d sessions are open; beyond, the "
		    "least recently used is ended\n",
		    n, PROCESSES_MAX);
}

static void
answer(struct poll *p)
{
	struct tool_call *call = p->call;
	struct process *process = p->process;
	struct text *out = &call->text, shown;
	uint64_t tokens;
	int cut;

	text_init(&shown, LIMIT_OUTPUT_KEPT);
	cut = output_tell(
	    &process->output, p->tokens_max, p->is_last, &shown, &tokens);
	tell_head(call, process->output.id, out);
	if (p->is_last)
		process_tell_end(process, out);
	else {
		process_name(process);
		text_printf(out, "Process running with session ID %u\n",
		    process->session);
	}
	if (cut)
		text_printf(out, "Original token count: %" PRIu64 "\n", tokens);
	if (cut) {
		text_add_str(out, "Full output: ");
		output_tell_file(&process->output, out);
		text_add_char(out, '\n');
	}
	process->waiter = NULL;
	p->process = NULL;
	if (p->is_last)
		process_free(process);
	tell_table(call->box, out);
	text_add_str(out, "Output:\n");
	text_add(out, text_span(&shown));
	text_release(&shown);
	if (!p->is_last)
		process_go_on(process);
	tool_call_answer_text(call);
}

/* Enough was waited: have the output whole on disk, then answer. */
static void
settle(struct poll *p)
{
	loop_timer_stop(&p->timer);
	if (!p->settling)
		p->is_last = p->process->ended;
	p->settling = 1;
	if (output_settle(&p->process->output, p->tokens_max, p->is_last))
		answer(p);
}

static void
woken(struct tool_call *call)
{
	struct poll *p = call->state;

	CHECK_OBJ(call, TOOL_CALL_MAGIC);
	if (p->settling || p->process->ended)
		settle(p);
}

static void
expired(struct loop_timer *t)
{
	settle(container_of(t, struct poll, timer));
}

uint64_t
poll_yield_ms(const struct json_doc *args, uint64_t otherwise, uint64_t least)
{
	int64_t ms = json_int_or(
	    args, json_get(args, 0, "yield_time_ms"), (int64_t)otherwise);

	if (ms > POLL_YIELD_MAX_MS)
		return POLL_YIELD_MAX_MS;
	return ms < (int64_t)least ? least : (uint64_t)ms;
}

void
poll_start(struct poll *p, struct tool_call *call, struct process *process,
    uint64_t yield_ms, const struct json_doc *args)
{
	int64_t tokens = json_int_or(
	    args, json_get(args, 0, "max_output_tokens"), OUTPUT_TOKENS);

	CHECK(process->waiter == NULL);
	p->call = call;
	p->process = process;
	p->tokens_max = (uint64_t)tokens;
	if (tokens > (int64_t)OUTPUT_TOKENS_MAX)
		p->tokens_max = OUTPUT_TOKENS_MAX;
	process->waiter = call;
	process->woken = woken;
	process_use(process);
	loop_timer_init(&p->timer, call->box->tools->loop, expired);
	/* One that has ended is told from the loop, as any other. */
	loop_timer_start(&p->timer, process->ended ? 0 : yield_ms);
}

void
poll_stop(struct poll *p)
{
	struct process *process = p->process;

	loop_timer_stop(&p->timer);
	if (process == NULL)
		return;
	process->waiter = NULL;
	p->process = NULL;
	if (process->session == 0)
		process_free(process);
	else
		output_thaw(&process->output);
}

void
poll_refuse(struct tool_call *call, const char *text)
{
	unsigned char random[3];
	char chunk[8];

	CHECK(os->random(random, sizeof random) == 0);
	hex_encode(random, sizeof random, chunk);
	tell_head(call, chunk, &call->text);
	text_printf(
	    &call->text, "Process exited with code 1\nOutput:\n%s", text);
	tool_call_answer_text(call);
}
