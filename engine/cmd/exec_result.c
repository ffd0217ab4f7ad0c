/* What `skep exec` says at the end, and its exit status. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/cmd/exec_private.h"
#include "engine/terminal.h"
#include "net/json_write.h"

#define STATUS_TIMEOUT 124
#define STATUS_FAILED 125
#define SIGNAL_BASE 128

/* Head and tail of two streams, every byte of them escaped. */
#define RESULT_BYTES (16 * MIB)
#define SAID_BYTES 512 /* of one thing in a line for people */
#define LINE_BYTES (8 * KIB)

/* The sandbox never ran the command. */
static int
failed(const struct exec_run *r)
{
	return r->step[0] != '\0';
}

static enum verdict
verdict(const struct exec_run *r)
{
	if (failed(r))
		return VERDICT_LOST;
	return r->watch.tripped ? VERDICT_DISK : r->report.verdict;
}

static unsigned
limits(const struct exec_run *r)
{
	unsigned met = r->report.limits & ~(1u << VERDICT_LOST);

	if (failed(r))
		return 0;
	return r->watch.tripped ? met | 1u << VERDICT_DISK : met;
}

static int
status(const struct exec_run *r)
{
	const struct exec_report *report = &r->report;

	if (r->interrupted != 0)
		return SIGNAL_BASE + r->interrupted;
	switch (verdict(r)) {
	case VERDICT_TIMEOUT:
		return STATUS_TIMEOUT;
	case VERDICT_OOM:
	case VERDICT_OUTPUT:
	case VERDICT_LOST:
		return STATUS_FAILED;
	default:
		return report->signal != 0 ? SIGNAL_BASE + report->signal
					   : report->exit;
	}
}

/* ----------------------------------------------------------------- people */

/* A line on standard error, whatever -q says, made harmless for a terminal. */
static void
say(const char *what, const char *why)
{
	struct text line;

	text_init(&line, LINE_BYTES);
	text_add_str(&line, "skep: exec: ");
	terminal_neutral(
	    (struct span){what, strnlen(what, SAID_BYTES)}, 0, &line);
	if (why != NULL) {
		text_add_str(&line, ": ");
		terminal_neutral(span_of(why), 0, &line);
	}
	text_add_char(&line, '\n');
	(void)!write(2, text_span(&line).p, text_span(&line).n);
	text_release(&line);
}

static void
say_limits(const struct exec_run *r)
{
	static const char *const said[] = {
	    [VERDICT_TIMEOUT] = "the deadline passed",
	    [VERDICT_OOM] = "the memory limit was met (oom)",
	    [VERDICT_PIDS] = "the process limit was met (pids)",
	    [VERDICT_DISK] = "the disk limit was met (disk)",
	    [VERDICT_OUTPUT] = "the output limit was met (output)",
	};

	for (int v = 0; v < (int)(sizeof said / sizeof said[0]); v++)
		if (said[v] != NULL && (limits(r) & 1u << v) != 0)
			say(said[v], NULL);
	if (verdict(r) == VERDICT_LOST)
		say(failed(r) ? r->failure.text : r->report.error.text, NULL);
	else if (r->report.exec_errno != 0)
		say(r->cli->operand[0], strerror(r->report.exec_errno));
}

/* ---------------------------------------------------------------- machines */

static void
put_stream(struct json_writer *w, const char *key, struct exec *x, int stream)
{
	struct exec_kept kept = {0};
	char gap[80];
	int n;

	if (x != NULL)
		exec_kept(x, stream, &kept);
	json_write_key(w, key);
	json_write_string_begin(w);
	json_write_string_add(w, kept.head);
	if (kept.omitted > 0) {
		n = snprintf(gap, sizeof gap, "\n... %llu bytes omitted ...\n",
		    (unsigned long long)kept.omitted);
		json_write_string_add(w, (struct span){gap, (size_t)n});
	}
	json_write_string_add(w, kept.tail);
	json_write_string_end(w);
}

static void
put_end(struct json_writer *w, const struct exec_run *r)
{
	const struct exec_report *report = &r->report;

	json_put_str(w, "verdict", verdict_name(verdict(r)));
	json_put_array(w, "limits");
	for (int v = 0; v < VERDICTS; v++)
		if ((limits(r) & 1u << v) != 0)
			json_write_str(w, verdict_name((enum verdict)v));
	json_write_end(w);
	if (failed(r) || report->signal != 0)
		json_put_null(w, "exit");
	else
		json_put_int(w, "exit", report->exit);
	if (!failed(r) && report->signal != 0)
		json_put_int(w, "signal", report->signal);
	else
		json_put_null(w, "signal");
}

static void
put_use(struct json_writer *w, const struct exec_report *report)
{
	json_put_uint(w, "stdout_bytes", report->bytes[0]);
	json_put_uint(w, "stderr_bytes", report->bytes[1]);
	json_put_bool(w, "truncated", report->truncated);
	json_put_fixed(w, "wall_seconds", (double)report->wall_us / 1e6, 6);
	json_put_fixed(w, "cpu_seconds",
	    (double)(report->user_us + report->system_us) / 1e6, 6);
	json_put_uint(w, "max_rss_bytes", report->max_rss_bytes);
}

static void
put_sandbox(struct json_writer *w, const struct exec_run *r)
{
	struct sandbox_facts f;
	char digest[HASH_TEXT_MAX];

	json_put_object(w, "sandbox");
	if (r->sb != NULL) {
		sandbox_facts(r->sb, &f);
		json_put_str(w, "profile", f.profile);
		json_put_str(w, "digest", f.digest);
		json_put_str(w, "rootfs", f.rootfs);
		json_put_str(w, "network", f.network);
		json_put_str(w, "cgroup", f.cgroup);
		json_put_bool(w, "seccomp", f.seccomp);
		json_put_int(w, "landlock", f.landlock);
		json_put_bool(w, "user_namespace", f.user_namespace);
	} else {
		profile_digest(&r->order->profile, digest);
		json_put_str(w, "profile", r->order->profile.name);
		json_put_str(w, "digest", digest);
	}
	json_write_end(w);
}

static void
put_error(struct json_writer *w, const struct exec_run *r)
{
	if (verdict(r) != VERDICT_LOST)
		return;
	json_put_object(w, "error");
	json_put_str(w, "step", failed(r) ? r->step : "lost");
	json_put_str(
	    w, "message", failed(r) ? r->failure.text : r->report.error.text);
	json_write_end(w);
}

static int
say_json(struct exec_run *r)
{
	struct json_writer w;
	struct text out;
	struct error e;
	int rc = 0;

	text_init(&out, RESULT_BYTES);
	json_write_init(&w, &out);
	json_write_object(&w);
	put_end(&w, r);
	put_stream(&w, "stdout", r->x, 1);
	put_stream(&w, "stderr", r->x, 2);
	put_use(&w, &r->report);
	put_sandbox(&w, r);
	put_error(&w, r);
	json_write_end(&w);
	text_add_char(&out, '\n');
	if (cli_write(text_span(&out), &e) == -1)
		rc = cli_fail(r->cli, &e);
	text_release(&out);
	return rc;
}

int
exec_result_say(struct exec_run *r)
{
	int written = 0;

	exec_stdio_stop(r);
	if (r->interrupted != 0) {
		snprintf(r->step, sizeof r->step, "signal");
		error_set(&r->failure, ERROR_CANCELLED, 0,
		    "ended by signal %d to skep itself", r->interrupted);
	}
	if (r->order->json)
		written = say_json(r);
	if (r->interrupted == 0)
		say_limits(r);
	return written != 0 ? written : status(r);
}
