/*
 * skep exec: one command in a fresh sandbox, no model.
 *
 * Nothing is loaded but what a sandbox needs: no store, no TLS, no
 * certificates, no configuration.  Unless something has to be counted or
 * kept, the command gets the caller's own descriptors, so its bytes never pass
 * through here.
 */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/cli.h"
#include "engine/cmd/exec_private.h"

static const int watched[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH};

static void
fail(struct exec_run *r, const char *step, const struct error *e)
{
	r->failure = *e;
	strncpy(r->step, step, sizeof r->step - 1);
	r->ended = 1;
	loop_break(r->loop);
}

static void
done(struct exec *x, const struct exec_report *report, void *owner)
{
	struct exec_run *r = owner;

	(void)x;
	r->report = *report;
	if (report->no_folder) {
		error_set(&r->failure, ERROR_SANDBOX_UNAVAILABLE,
		    report->exec_errno, "chdir %s", r->order->cwd);
		strncpy(r->step, "chdir", sizeof r->step - 1);
	}
	r->ended = 1;
	loop_break(r->loop);
}

static const struct exec_ops kept_ops = {
    .done = done, .writable = exec_stdio_writable};
static const struct exec_ops pumped_ops = {
    .done = done,
    .output = exec_stdio_output,
    .writable = exec_stdio_writable,
};

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	struct exec_run *r = owner;
	const struct exec_order *o = r->order;
	struct exec_spec spec = {
	    .argv = (const char *const *)r->cli->operand,
	    .env = o->env,
	    .cwd = o->cwd,
	    .timeout_ms = o->profile.limits.command_ms,
	    .grace_ms = o->profile.limits.grace_ms,
	    .output_max = o->output_max,
	};
	struct error e;

	if (error != NULL) {
		fail(r, sandbox_failed_step(sb), error);
		return;
	}
	exec_stdio_choose(r, &spec);
	r->x = exec_start(sb, &spec, o->json ? &kept_ops : &pumped_ops, r, &e);
	if (r->x == NULL) {
		fail(r, "command", &e);
		return;
	}
	exec_stdio_start(r);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	struct exec_run *r = owner;

	(void)sb;
	if (!r->ended)
		fail(r, "lost", error);
}

static const struct sandbox_ops sandbox_ops = {
    .created = created, .lost = lost};

static void
came(struct loop_signal *s, int signo)
{
	struct exec_run *r = NULL;

	for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
		if (watched[i] == signo)
			r = container_of(s, struct exec_run, signals[i]);
	if (signo == SIGWINCH) {
		exec_stdio_resized(r);
		return;
	}
	r->interrupted = signo;
	r->ended = 1;
	loop_break(r->loop);
}

static int
start(struct exec_run *r, struct error *e)
{
	const struct exec_order *o = r->order;
	const struct profile *profiles[] = {&o->profile};
	struct sandbox_host_settings settings = {
	    .sandboxes_max = 1,
	    .gives_network = 1,
	    .commands_max = 1,
	    .profiles = profiles,
	    .profiles_n = 1,
	    .workspace = o->workspace,
	    .binds = o->binds,
	    .binds_n = o->binds_n,
	};
	struct sandbox_spec spec = {.profile = &o->profile, .label = "exec"};

	r->loop = loop_new(e);
	if (r->loop == NULL)
		return -1;
	for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
		loop_signal_start(&r->signals[i], r->loop, watched[i], came);
	strncpy(r->step, "prepare", sizeof r->step - 1);
	r->host = sandbox_host_new(r->loop, &r->cli->zygote, &settings, e);
	if (r->host == NULL)
		return -1;
	r->sb = sandbox_create(r->host, &spec, &sandbox_ops, r, e);
	/* While it is being made. */
	if (r->sb == NULL || exec_watch_start(r, e) == -1)
		return -1;
	r->step[0] = '\0';
	return 0;
}

static void
stop(struct exec_run *r)
{
	exec_stdio_stop(r);
	exec_watch_stop(r);
	exec_free(r->x);
	sandbox_destroy(r->sb);
	if (r->host != NULL)
		sandbox_host_free(r->host);
	if (r->loop == NULL)
		return;
	for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
		loop_signal_stop(&r->signals[i]);
	loop_free(r->loop);
}

static int
run(struct cli *cli)
{
	struct exec_order order;
	struct exec_run r = {.cli = cli, .order = &order, .watch.dir = -1};
	int status;

	if (exec_order_read(cli, &order, &status) == -1)
		return status;
	/*
	 * There is no secret in this process and one sandbox to come, so a
	 * zygote of its own is needed only to tidy a folder up after us.
	 */
	strncpy(r.step, "zygote", sizeof r.step - 1);
	if ((order.workspace == NULL
		    ? zygote_start_single(&cli->zygote, &r.failure)
		    : zygote_start(&cli->zygote, &r.failure)) == 0 &&
	    start(&r, &r.failure) == 0)
		loop_run(r.loop);
	status = exec_result_say(&r);
	stop(&r);
	return status;
}

const struct command cmd_exec = {
    .name = "exec",
    .summary = "one command in a fresh sandbox, no model",
    .arguments = "[--] CMD [ARG...]",
    .text =
	"Runs CMD in a sandbox of its own and passes its status through: 124 "
	"when its deadline passed, 125 when the sandbox could not be built, was "
	"lost, or ended the command for memory or output, 126 and 127 when CMD "
	"cannot be executed or found, 128+N when signal N ended it.\n"
	"Nothing of the caller's environment goes in but what --env names, and "
	"nothing of the host is seen but /usr, a minimal /etc, and what "
	"--workspace, --bind and --ro-bind show.\n"
	"Limits can only be stricter than the profile's, unless that is bare: "
	"'skep check --kind profile --effective draft' prints what they are, "
	"'--profile bare' has none.",
    .options = options_exec,
    .operands_min = 1,
    .operands_max = -1,
    .flags = COMMAND_STOPS_EARLY, /* it starts its zygote itself */
    .run = run,
};
