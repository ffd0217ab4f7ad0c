/*
 * exec_command: a shell command, waited for until it ends or a time passes.
 */

#include "tools/builtin.h"

#include <string.h>

#include "tools/call.h"
#include "tools/poll.h"
#include "tools/process.h"

#define YIELD_MS 10000

extern const char tools_exec_command_txt[], tools_exec_command_json[];

/* A string argument as a C string in the call's arena; NULL when absent. */
static const char *
argument(struct tool_call *call, const struct json_doc *args, const char *name)
{
	struct span s;

	if (json_string(args, json_get(args, 0, name), &call->arena, &s) == -1)
		return NULL;
	if (span_find(s, '\0', 0) < s.n)
		s.n = 0; /* no argument or path can hold one: see start() */
	return arena_strndup(&call->arena, s.p, s.n);
}

static int
complain(struct tool_call *call, const char *what)
{
	text_add_str(&call->text, what);
	return -1;
}

/*
 * The default shell is plain sh -c: as a login shell it would read profiles
 * of the root file system, which set PATH anew and cost a process each time.
 */
static const char *
dash_c(const struct json_doc *args, const char *shell)
{
	int login = json_bool_or(args, json_get(args, 0, "login"), -1);

	if (login == -1)
		login = shell != NULL;
	return login ? "-lc" : "-c";
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	struct poll *poll = arena_alloc(&call->arena, sizeof *poll);
	const char *shell = argument(call, args, "shell");
	const char *cwd = argument(call, args, "workdir");
	const char *argv[4] = {shell == NULL ? "sh" : shell,
	    dash_c(args, shell), argument(call, args, "cmd"), NULL};
	int tty = json_bool_or(args, json_get(args, 0, "tty"), 0);
	struct process *process;
	struct error e;

	cwd = cwd == NULL || cwd[0] == '\0' ? call->box->host.cwd
					    : tool_call_path(call, cwd);
	if (arena_overflowed(&call->arena))
		return complain(call, "the arguments are too long");
	if (argv[2][0] == '\0')
		return complain(call, "`cmd` must not hold a NUL character");
	/* A shell of the model's choice may be anything. */
	process = process_start(call->box, argv, cwd,
	    shell == NULL && strcmp(argv[1], "-c") == 0 ? argv[2] : NULL, tty,
	    !call->by_program, &e);
	if (process == NULL)
		return complain(call, e.text);
	call->state = poll;
	poll_start(poll, call, process,
	    poll_yield_ms(args, YIELD_MS, POLL_YIELD_MIN_MS), args);
	return 0;
}

static void
stop(struct tool_call *call)
{
	poll_stop(call->state);
}

const struct tool tool_exec_command = {
    .name = "exec_command",
    .native = TOOL_FUNCTION,
    .description = tools_exec_command_txt,
    .schema = tools_exec_command_json,
    .brings = "write_stdin",
    .needs_sandbox = 1,
    .start = start,
    .stop = stop,
};
