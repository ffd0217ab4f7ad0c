#include <string.h>

#include "engine/base/check.h"
#include "tools/builtin.h"
#include "tools/call.h"
#include "tools/output.h"
#include "tools/process.h"

/*
 * The older native shell: one program, its arguments, its variables; the
 * answer is one text.  Where an API knows only functions it is one.
 *
 * The model may choose variables but not the user, which is the operator's to
 * say; and a command whose variables it chose is given no secret, since what
 * runs is then not what its line says.
 */

#define ARGS_MAX 256
#define VARIABLES_MAX 64

extern const char tools_local_shell_txt[], tools_local_shell_json[];

struct local_shell {
	struct tool_call *call;
	const char *argv[ARGS_MAX + 1];
	const char *cwd;
	uint64_t timeout_ms;
	const char *chosen[VARIABLES_MAX]; /* NAME=VALUE, by the model */
	unsigned chosen_n;

	struct exec *exec;
	struct output output;
	struct exec_report report;
	int ended;
};

static int
complain(struct local_shell *s, const char *what)
{
	text_add_str(&s->call->text, what);
	return -1;
}

/* --- arguments --- */

/* A string without NUL as a C string; NULL: it is none. */
static const char *
string(struct local_shell *s, const struct json_doc *args, int v)
{
	struct span text;

	if (json_type(args, v) != JSON_STRING ||
	    json_string(args, v, &s->call->arena, &text) == -1 ||
	    span_find(text, '\0', 0) < text.n)
		return NULL;
	return arena_strndup(&s->call->arena, text.p, text.n);
}

static int
read_command(struct local_shell *s, const struct json_doc *args)
{
	int list = json_get(args, 0, "command");
	unsigned n = 0;

	if (json_type(args, list) != JSON_ARRAY || json_size(args, list) == 0 ||
	    json_size(args, list) > ARGS_MAX)
		return complain(
		    s, "`command` must be an array of 1 to 256 strings");
	for (int v = json_first(args, list); v != -1;
	     v = json_next(args, list, v)) {
		s->argv[n] = string(s, args, v);
		if (s->argv[n++] == NULL)
			return complain(
			    s, "`command` must hold strings without NUL");
	}
	if (s->argv[0][0] == '\0')
		return complain(s, "`command` names no program");
	return 0;
}

static int
read_variables(struct local_shell *s, const struct json_doc *args)
{
	int env = json_get(args, 0, "env");

	for (int key = json_first(args, env); key != -1;
	     key = json_next(args, env, key)) {
		const char *name = string(s, args, key);
		const char *value = string(s, args, json_value(args, key));

		if (name == NULL || value == NULL || name[0] == '\0' ||
		    strchr(name, '=') != NULL)
			return complain(
			    s, "`env` must hold names and strings without NUL");
		if (s->chosen_n == VARIABLES_MAX)
			return complain(
			    s, "`env` holds more than 64 variables");
		s->chosen[s->chosen_n++] =
		    arena_printf(&s->call->arena, "%s=%s", name, value);
	}
	return 0;
}

static int
read_arguments(struct local_shell *s, const struct json_doc *args)
{
	const char *cwd =
	    string(s, args, json_get(args, 0, "working_directory"));
	int64_t timeout = json_int_or(args, json_get(args, 0, "timeout_ms"), 0);

	if (json_type(args, json_get(args, 0, "user")) == JSON_STRING)
		return complain(
		    s, "`user` is not yours to choose; leave it out");
	s->timeout_ms = timeout > 0 ? (uint64_t)timeout : 0;
	s->cwd = cwd == NULL || cwd[0] == '\0' ? s->call->box->host.cwd
					       : tool_call_path(s->call, cwd);
	if (read_command(s, args) == -1 || read_variables(s, args) == -1)
		return -1;
	return arena_overflowed(&s->call->arena)
		   ? complain(s, "the arguments are too long")
		   : 0;
}

/* --- the end --- */

static void
tell(struct local_shell *s)
{
	struct text *t = &s->call->text;
	uint64_t tokens;

	if (output_tell(&s->output, OUTPUT_TOKENS, 1, t, &tokens)) {
		text_add_str(t, "\n[cut; full output: ");
		output_tell_file(&s->output, t);
		text_add_str(t, "]\n");
	}
	if (t->n > 0 && t->p[t->n - 1] != '\n')
		text_add_char(t, '\n');
	report_tell_notes(&s->report, t);
	if (s->report.verdict == VERDICT_TIMEOUT)
		text_add_str(t, "status: timeout");
	else if (s->report.signal != 0 || s->report.exit != 0)
		text_printf(t, "exit code: %d",
		    s->report.signal != 0 ? -s->report.signal : s->report.exit);
	else if (t->n == 0)
		text_add_str(t, "(no output)");
}

static void
release(struct local_shell *s)
{
	exec_free(s->exec);
	s->exec = NULL;
	output_release(&s->output);
}

static void
settle(struct local_shell *s)
{
	if (!output_settle(&s->output, OUTPUT_TOKENS, 1))
		return;
	tell(s);
	release(s);
	tool_call_answer_text(s->call);
}

/* --- callbacks --- */

static size_t
output(struct exec *x, int stream, struct span bytes, void *owner)
{
	struct local_shell *s = owner;

	(void)x;
	(void)stream;
	return output_add(&s->output, bytes);
}

static void
done(struct exec *x, const struct exec_report *report, void *owner)
{
	struct local_shell *s = owner;

	(void)x;
	s->ended = 1;
	s->report = *report;
	settle(s);
}

static void
room(struct output *o)
{
	struct local_shell *s = o->owner;

	exec_resume(s->exec, 1);
}

static void
settled(struct output *o)
{
	struct local_shell *s = o->owner;

	if (s->ended)
		settle(s);
}

static const struct exec_ops ops = {.output = output, .done = done};

/* --- the call --- */

/* The words with a space between each; NULL when that is not all that runs. */
static const char *
line_of(struct local_shell *s)
{
	const char *line = s->argv[0];

	for (unsigned i = 1; s->argv[i] != NULL; i++) {
		if (s->argv[i][0] == '\0' || strchr(s->argv[i], ' ') != NULL)
			return NULL;
		line = arena_printf(&s->call->arena, "%s %s", line, s->argv[i]);
		if (line == NULL)
			return NULL;
	}
	return s->chosen_n == 0 && strchr(s->argv[0], ' ') == NULL ? line
								   : NULL;
}

static int
is_chosen(const struct local_shell *s, const char *variable)
{
	size_t n = strcspn(variable, "=") + 1;

	for (unsigned i = 0; i < s->chosen_n; i++)
		if (strncmp(s->chosen[i], variable, n) == 0)
			return 1;
	return 0;
}

/* What the manifest gives, and over it what the model chose. */
static int
add_variables(struct local_shell *s, struct exec_spec *spec)
{
	unsigned n = 0, given = 0;
	const char **all;

	toolbox_environment(s->call->box, line_of(s), spec);
	if (s->chosen_n == 0)
		return 0;
	while (spec->env != NULL && spec->env[given] != NULL)
		given++;
	all = arena_alloc(
	    &s->call->arena, (given + s->chosen_n + 1) * sizeof *all);
	if (all == NULL)
		return -1;
	for (unsigned i = 0; i < given; i++)
		if (!is_chosen(s, spec->env[i]))
			all[n++] = spec->env[i];
	for (unsigned i = 0; i < s->chosen_n; i++)
		all[n++] = s->chosen[i];
	all[n] = NULL;
	spec->env = all;
	return 0;
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	struct local_shell *s = arena_alloc(&call->arena, sizeof *s);
	struct sandbox *sb = tool_call_sandbox(call);
	struct exec_spec spec = {
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}, .stderr_to_stdout = 1};
	struct error e;

	if (s == NULL || sb == NULL) {
		text_add_str(&call->text,
		    sb == NULL ? "there is no sandbox" : "out of memory");
		return -1;
	}
	s->call = call;
	if (read_arguments(s, args) == -1)
		return -1;
	spec.argv = s->argv;
	spec.cwd = s->cwd;
	spec.timeout_ms = s->timeout_ms;
	if (add_variables(s, &spec) == -1)
		return complain(s, "the arguments are too long");
	output_init(&s->output, sb, "", room, settled, s);
	s->exec = exec_start(sb, &spec, &ops, s, &e);
	if (s->exec == NULL) {
		output_release(&s->output);
		return complain(s, e.text);
	}
	call->state = s;
	return 0;
}

static void
stop(struct tool_call *call)
{
	release(call->state);
}

const struct tool tool_local_shell = {
    .name = "local_shell",
    .native = TOOL_LOCAL_SHELL,
    .native_item = ITEM_LOCAL_SHELL_CALL,
    .description = tools_local_shell_txt,
    .schema = tools_local_shell_json,
    .needs_sandbox = 1,
    .start = start,
    .stop = stop,
};
