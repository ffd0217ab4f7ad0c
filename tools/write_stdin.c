/*
 * write_stdin: more of a command that still runs, and what to type into it.
 */

#include <inttypes.h>

#include "tools/builtin.h"
#include "tools/call.h"
#include "tools/poll.h"
#include "tools/process.h"

#define YIELD_MS 250
#define YIELD_EMPTY_MS 5000

#define NO_STDIN                                                      \
	"stdin is not available for this process. Start the command " \
	"with `tty=true` in `exec_command` before using `write_stdin`."

extern const char tools_write_stdin_txt[], tools_write_stdin_json[];

static int
refuse(struct tool_call *call, const char *text)
{
	call->state = NULL;
	poll_refuse(call, text);
	return 0;
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	struct poll *poll = arena_alloc(&call->arena, sizeof *poll);
	struct process *process;
	struct span chars = {NULL, 0};
	int64_t session = json_int_or(args, json_get(args, 0, "session_id"), 0);

	(void)json_string(
	    args, json_get(args, 0, "chars"), &call->arena, &chars);
	if (arena_overflowed(&call->arena))
		return refuse(call, "write_stdin failed: too much at once");
	process = process_find(call->box, session);
	if (process == NULL)
		return refuse(call,
		    arena_printf(&call->arena,
			"write_stdin failed: PTY session not found: %" PRId64,
			session));
	if (process->waiter != NULL)
		return refuse(call,
		    "write_stdin failed: another call waits for this session");
	if (chars.n > 0 && !process->tty)
		return refuse(call, NO_STDIN);
	if (chars.n > 0 && !process->ended &&
	    process_type(process, chars) == -1)
		return refuse(call,
		    "write_stdin failed: the process reads no more input");
	call->state = poll;
	poll_start(poll, call, process,
	    poll_yield_ms(args, YIELD_MS,
		chars.n > 0 ? POLL_YIELD_MIN_MS : YIELD_EMPTY_MS),
	    args);
	return 0;
}

static void
stop(struct tool_call *call)
{
	if (call->state != NULL)
		poll_stop(call->state);
}

const struct tool tool_write_stdin = {
    .name = "write_stdin",
    .native = TOOL_FUNCTION,
    .description = tools_write_stdin_txt,
    .schema = tools_write_stdin_json,
    .needs_sandbox = 0,
    .start = start,
    .stop = stop,
};
