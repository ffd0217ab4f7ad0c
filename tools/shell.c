#include <inttypes.h>

#include "engine/base/check.h"
#include "net/utf8.h"
#include "tools/builtin.h"
#include "tools/call.h"
#include "tools/output.h"
#include "tools/process.h"

/*
 * The native shell: several commands in one call, one after the other, each
 * with its own deadline; the answer has one element for each.  Where an API
 * knows only functions it is one, and its answer is the same in plain text.
 */

#define COMMANDS_MAX 64
#define TOKENS_LEAST 256 /* shown of each stream, however much came before */

extern const char tools_shell_txt[], tools_shell_json[];

struct shell {
	struct tool_call *call;
	const char *command[COMMANDS_MAX];
	unsigned n, at;
	uint64_t timeout_ms;
	int has_length; /* the model said how long the answer may be */
	int64_t length, length_left;
	uint64_t tokens_left;

	struct exec *exec;
	struct output stream[2];
	struct exec_report report;
	int ended;

	int is_native;
	struct json_writer w; /* into call->answer */
};

static void run_next(struct shell *s);

/* --- one command's result --- */

/* The first length_left characters of t, which it is cut to. */
static void
cut_to_length(struct shell *s, struct text *t)
{
	size_t at = 0, n;

	while (at < t->n && s->length_left > 0) {
		(void)utf8_at(text_span(t), at, &n);
		at += n;
		s->length_left--;
	}
	if (t->n > 0)
		t->p[t->n = at] = '\0';
}

/* What the model is shown of a stream. */
static void
tell_stream(struct shell *s, struct output *o, struct text *out)
{
	uint64_t tokens, shown = s->tokens_left;

	if (s->has_length) {
		(void)output_tell(o, OUTPUT_TOKENS_MAX, 1, out, &tokens);
		cut_to_length(s, out);
		return;
	}
	if (shown < TOKENS_LEAST)
		shown = TOKENS_LEAST;
	if (output_tell(o, shown, 1, out, &tokens)) {
		text_add_str(out, "\n[cut; full output: ");
		output_tell_file(o, out);
		text_add_str(out, "]\n");
	}
	tokens = out->n / 4;
	s->tokens_left -= tokens < s->tokens_left ? tokens : s->tokens_left;
}

static int
exit_code(const struct exec_report *r)
{
	return r->signal != 0 ? -r->signal : r->exit;
}

static void
record_native(struct shell *s, struct span out, struct span err)
{
	json_write_object(&s->w);
	json_put_span(&s->w, "stdout", out);
	json_put_span(&s->w, "stderr", err);
	json_put_object(&s->w, "outcome");
	if (s->report.verdict == VERDICT_TIMEOUT)
		json_put_str(&s->w, "type", "timeout");
	else {
		json_put_str(&s->w, "type", "exit");
		json_put_int(&s->w, "exit_code", exit_code(&s->report));
	}
	json_write_end(&s->w);
	json_write_end(&s->w);
}

static struct span
without_newlines(struct span s)
{
	while (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	return s;
}

static void
record_plain(struct shell *s, struct span out, struct span err)
{
	struct text *t = &s->call->text;

	out = without_newlines(out);
	err = without_newlines(err);
	text_printf(t, "%s$ %s", s->at > 0 ? "\n\n" : "", s->command[s->at]);
	if (out.n > 0) {
		text_add_char(t, '\n');
		text_add(t, out);
	}
	if (err.n > 0) {
		text_add_str(t, out.n > 0 ? "\n\nstderr:\n" : "\nstderr:\n");
		text_add(t, err);
	}
	if (s->report.verdict == VERDICT_TIMEOUT)
		text_add_str(t, "\nstatus: timeout");
	else if (exit_code(&s->report) != 0)
		text_printf(t, "\nexit code: %d", exit_code(&s->report));
}

static void
record(struct shell *s)
{
	struct text out, err;

	text_init(&out, 4 * LIMIT_OUTPUT_KEPT);
	text_init(&err, 4 * LIMIT_OUTPUT_KEPT);
	tell_stream(s, &s->stream[0], &out);
	tell_stream(s, &s->stream[1], &err);
	report_tell_notes(&s->report, &err);
	if (s->is_native)
		record_native(s, text_span(&out), text_span(&err));
	else
		record_plain(s, text_span(&out), text_span(&err));
	text_release(&out);
	text_release(&err);
}

static void
release_command(struct shell *s)
{
	exec_free(s->exec);
	s->exec = NULL;
	output_release(&s->stream[0]);
	output_release(&s->stream[1]);
}

/* It ended: when its output is on disk as far as it must be, go on. */
static void
settle(struct shell *s)
{
	uint64_t tokens = s->tokens_left;
	int whole;

	if (s->has_length)
		tokens = OUTPUT_TOKENS_MAX;
	if (tokens < TOKENS_LEAST)
		tokens = TOKENS_LEAST;
	whole = output_settle(&s->stream[0], tokens, 1);
	whole &= output_settle(&s->stream[1], tokens, 1);
	if (!whole)
		return;
	record(s);
	release_command(s);
	s->at++;
	run_next(s);
}

/* --- callbacks --- */

static size_t
output(struct exec *x, int stream, struct span bytes, void *owner)
{
	struct shell *s = owner;

	(void)x;
	return output_add(&s->stream[stream - 1], bytes);
}

static void
done(struct exec *x, const struct exec_report *report, void *owner)
{
	struct shell *s = owner;

	(void)x;
	s->ended = 1;
	s->report = *report;
	settle(s);
}

static void
room(struct output *o)
{
	struct shell *s = o->owner;

	exec_resume(s->exec, o == &s->stream[0] ? 1 : 2);
}

static void
settled(struct output *o)
{
	struct shell *s = o->owner;

	if (s->ended)
		settle(s);
}

static const struct exec_ops ops = {.output = output, .done = done};

/* --- the call --- */

static void
finish(struct shell *s)
{
	if (!s->is_native) {
		tool_call_answer_text(s->call);
		return;
	}
	json_write_end(&s->w);
	json_put_str(&s->w, "status", "completed");
	json_write_end(&s->w);
	CHECK(json_write_done(&s->w) == 0 || text_overflowed(&s->call->answer));
	tool_call_answer_item(s->call);
}

static int
run(struct shell *s, struct error *e)
{
	const char *argv[] = {"sh", "-c", s->command[s->at], NULL};
	struct exec_spec spec = {.argv = argv,
	    .cwd = s->call->box->host.cwd,
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE},
	    .timeout_ms = s->timeout_ms};
	struct sandbox *sb = tool_call_sandbox(s->call);

	if (sb == NULL)
		return error_set(
		    e, ERROR_SANDBOX_LOST, 0, "there is no sandbox");
	s->ended = 0;
	output_init(&s->stream[0], sb, ".stdout", room, settled, s);
	output_init(&s->stream[1], sb, ".stderr", room, settled, s);
	toolbox_environment(s->call->box, s->command[s->at], &spec);
	s->exec = exec_start(sb, &spec, &ops, s, e);
	return s->exec == NULL ? -1 : 0;
}

/* A command that cannot even be started has a result, too. */
static void
run_next(struct shell *s)
{
	struct error e;

	for (; s->at < s->n; s->at++) {
		if (run(s, &e) == 0)
			return;
		s->report =
		    (struct exec_report){.verdict = VERDICT_LOST, .exit = 126};
		if (s->is_native)
			record_native(
			    s, (struct span){NULL, 0}, span_of(e.text));
		else
			record_plain(
			    s, (struct span){NULL, 0}, span_of(e.text));
	}
	finish(s);
}

/* The first of up to three spellings that is there, as others take them. */
static int
member(const struct json_doc *args, const char *a, const char *b, const char *c)
{
	int v = json_get(args, 0, a);

	if (v == -1)
		v = json_get(args, 0, b);
	if (v == -1 && c != NULL)
		v = json_get(args, 0, c);
	return v;
}

static int
read_commands(struct shell *s, const struct json_doc *args)
{
	int list = json_get(args, 0, "commands");
	struct span command;

	if (json_type(args, list) != JSON_ARRAY || json_size(args, list) == 0 ||
	    json_size(args, list) > COMMANDS_MAX) {
		text_printf(&s->call->text,
		    "`commands` must be an array of 1 to %d strings",
		    COMMANDS_MAX);
		return -1;
	}
	for (int c = json_first(args, list); c != -1;
	     c = json_next(args, list, c)) {
		if (json_string(args, c, &s->call->arena, &command) == -1 ||
		    span_find(command, '\0', 0) < command.n ||
		    (s->command[s->n++] = arena_strndup(
			 &s->call->arena, command.p, command.n)) == NULL) {
			text_printf(&s->call->text,
			    "`commands[%u]` must be a string without NUL, of "
			    "bearable length",
			    s->n);
			return -1;
		}
	}
	return 0;
}

static void
begin_answer(struct shell *s)
{
	s->is_native = s->call->kind == ITEM_SHELL_CALL;
	if (!s->is_native)
		return;
	json_write_init(&s->w, &s->call->answer);
	json_write_object(&s->w);
	json_put_str(&s->w, "type", item_type(ITEM_SHELL_CALL_OUTPUT));
	json_put_span(&s->w, "call_id", s->call->call_id);
	if (s->has_length)
		json_put_int(&s->w, "max_output_length", s->length);
	json_put_array(&s->w, "output");
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	struct shell *s = arena_alloc(&call->arena, sizeof *s);
	int length = member(args, "max_output_length", "maxOutputLength", NULL);
	int64_t timeout;
	struct error e;

	if (s == NULL) {
		text_add_str(&call->text, "the arguments are too long");
		return -1;
	}
	s->call = call;
	s->tokens_left = OUTPUT_TOKENS;
	timeout = json_int_or(
	    args, member(args, "timeout_ms", "timeoutMs", "timeout"), 0);
	s->timeout_ms = timeout > 0 ? (uint64_t)timeout : 0;
	s->has_length =
	    json_int(args, length, INT64_MIN, INT64_MAX, &s->length) == 0;
	s->length_left = s->length;
	if (read_commands(s, args) == -1)
		return -1;
	if (run(s, &e) == -1) {
		text_add_str(&call->text, e.text);
		return -1;
	}
	begin_answer(s);
	call->state = s;
	return 0;
}

static void
stop(struct tool_call *call)
{
	release_command(call->state);
}

const struct tool tool_shell = {
    .name = "shell",
    .native = TOOL_SHELL,
    .native_item = ITEM_SHELL_CALL,
    .description = tools_shell_txt,
    .schema = tools_shell_json,
    .needs_sandbox = 1,
    .start = start,
    .stop = stop,
};
