/*
 * skep bench: what sandboxes cost here, measured whole.
 *
 * Every figure covers creation to complete removal, stocks refilled included:
 * the wall clock and the machine's CPU run from the first request to the
 * moment when nothing of any sandbox is left.  A sample is what a user would
 * wait for: lifecycle and churn, from the request to its removal; fanout, from
 * the request to the end of the first command; exec, one command; hold, from
 * the request to a ready sandbox.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/complaint.h"
#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/cli.h"
#include "engine/cmd/bench_private.h"

#define NUMBER_MAX 1000000
#define JOBS_MAX 4096
#define STAGGER_MS 2

static const struct plan plans[] = {
    {"fanout", SHAPE_STAY, 100, 100, 1, 1, NULL},
    {"lifecycle", SHAPE_LIFE, 1000, 2, 1, 0, NULL},
    {"exec", SHAPE_EXEC, 2000, 1, 1, 1, "making and removing the sandboxes"},
    {"hold", SHAPE_STAY, 512, 64, 0, 1, NULL},
    {"churn", SHAPE_LIFE, NUMBER_MAX, 4, 1, 0, NULL},
};

/* ----------------------------------------------------------------- the host */

/* Busy time of all processors in ms; daemons and kernel workers count too. */
static uint64_t
machine_cpu_ms(void)
{
	unsigned long long user = 0, nice = 0, system = 0, irq = 0, soft = 0;
	FILE *f = fopen("/proc/stat", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice,
		&system, &irq, &soft) != 5)
		user = nice = system = irq = soft = 0;
	fclose(f);
	return (user + nice + system + irq + soft) * 1000 /
	       (unsigned long long)sysconf(_SC_CLK_TCK);
}

/* One number of a "Name:  N kB" file, in bytes; -1. */
static int64_t
kilobytes_of(const char *path, const char *name)
{
	char line[128];
	long long value = -1;
	FILE *f = fopen(path, "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoll(line + strlen(name), NULL, 10) * 1024;
	}
	if (f != NULL)
		fclose(f);
	return value;
}

int64_t
bench_rss(void)
{
	return kilobytes_of("/proc/self/status", "VmRSS:");
}

static int64_t
memory_available(void)
{
	return kilobytes_of("/proc/meminfo", "MemAvailable:");
}

/* ------------------------------------------------------------------- lives */

static void start_next(struct job *job);
static void start_command(struct job *job);

static void
finish_if_done(struct bench *b)
{
	if (b->over && b->started == b->ended && b->going == 0)
		loop_break(b->loop);
}

static void
take_sample(struct job *job)
{
	struct bench *b = job->b;

	if (b->samples < b->number)
		b->sample[b->samples++] = os->now_us() - job->started_us;
}

static void
failed(struct bench *b, const struct error *error)
{
	if (b->failed++ == 0)
		b->error = *error;
}

static void
removed(void *owner)
{
	struct job *job = owner;
	struct bench *b = job->b;

	b->going--;
	if (b->plan->shape == SHAPE_LIFE) {
		if (!b->plan->from_creation && !job->bad)
			take_sample(job);
		b->ended++;
		start_next(job);
	}
	finish_if_done(b);
}

static void
remove_sandbox(struct job *job)
{
	struct sandbox *sb = job->sb;

	job->sb = NULL;
	job->b->going++;
	sandbox_destroy_then(sb, removed, job);
}

/* SHAPE_STAY: all are there; hold them, then let them go. */
static void
remove_all(struct bench *b)
{
	b->removing = 1;
	for (unsigned i = 0; i < b->jobs_n; i++) {
		if (b->job[i].sb != NULL)
			remove_sandbox(&b->job[i]);
	}
	finish_if_done(b);
}

static void
hold_all(struct bench *b)
{
	b->over = 1;
	b->rss = bench_rss();
	if (b->up > 0)
		b->memory_each =
		    (b->memory_each - memory_available()) / (int64_t)b->up;
	if (strcmp(b->plan->name, "hold") == 0 && b->signal == 0)
		loop_timer_start(&b->timer, b->seconds_ms);
	else
		remove_all(b);
}

/* One that stays has come as far as it goes. */
static void
arrived(struct job *job)
{
	struct bench *b = job->b;

	b->ended++;
	if (b->ended == b->number || (b->over && b->ended == b->started))
		hold_all(b);
	else if (b->started < b->number && !b->over)
		start_next(&b->job[b->started]);
}

static void
command_done(struct exec *x, const struct exec_report *r, void *owner)
{
	struct job *job = owner;
	struct bench *b = job->b;
	struct error e;

	if (r->verdict != VERDICT_EXIT || r->exit != 0) {
		error_set(&e, ERROR_IO, 0, "the command ended with %s, %d",
		    verdict_name(r->verdict),
		    r->verdict == VERDICT_SIGNAL ? r->signal : r->exit);
		failed(b, &e);
		job->bad = 1;
	} else if (b->plan->from_creation)
		take_sample(job);
	exec_free(x);
	switch (b->plan->shape) {
	case SHAPE_LIFE:
		remove_sandbox(job);
		break;
	case SHAPE_STAY:
		arrived(job);
		break;
	case SHAPE_EXEC:
		b->ended++;
		start_command(job);
		finish_if_done(b);
		break;
	}
}

static void
start_command(struct job *job)
{
	static const struct exec_ops ops = {.done = command_done};
	struct bench *b = job->b;
	struct exec_spec spec = {
	    .argv = b->command, .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	struct error e;

	if (b->plan->shape == SHAPE_EXEC) {
		if (b->started == b->number)
			b->over = 1;
		if (b->over)
			return;
		b->started++;
		job->started_us = os->now_us();
	}
	if (exec_start(job->sb, &spec, &ops, job, &e) != NULL)
		return;
	failed(b, &e);
	b->over = 1;
	b->ended++;
}

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	struct job *job = owner;
	struct bench *b = job->b;

	if (error != NULL) {
		failed(b, error);
		job->bad = 1;
		if (b->plan->shape == SHAPE_STAY)
			arrived(job);
		else
			remove_sandbox(job);
		return;
	}
	if (b->up++ == 0)
		sandbox_facts(sb, &b->facts);
	if (b->plan->shape == SHAPE_EXEC) {
		if (b->up == b->jobs_n)
			loop_break(b->loop);
	} else if (b->plan->runs_command)
		start_command(job);
	else {
		take_sample(job);
		arrived(job);
	}
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	struct job *job = owner;

	(void)sb;
	failed(job->b, error);
	remove_sandbox(job);
}

static int
create(struct job *job)
{
	static const struct sandbox_ops ops = {
	    .created = created, .lost = lost};
	struct bench *b = job->b;
	struct sandbox_spec spec = {.profile = b->profile, .label = "bench"};
	struct error e;

	job->bad = 0;
	job->started_us = os->now_us();
	job->sb = sandbox_create(b->host, &spec, &ops, job, &e);
	if (job->sb != NULL)
		return 0;
	failed(b, &e);
	return -1;
}

static void
start_next(struct job *job)
{
	struct bench *b = job->b;

	if (b->started == b->number)
		b->over = 1;
	if (b->over)
		return;
	b->started++;
	if (create(job) == -1) {
		b->ended++;
		b->over = 1;
	}
}

static void
stagger(struct loop_timer *t)
{
	struct bench *b = container_of(t, struct bench, stagger);

	if (b->over || b->started == b->number)
		return;
	start_next(&b->job[b->started]);
	loop_timer_start(t, STAGGER_MS);
}

/* ------------------------------------------------------------------ the run */

static void
time_is_up(struct loop_timer *t)
{
	struct bench *b = container_of(t, struct bench, timer);

	b->over = 1;
	if (b->plan->shape == SHAPE_STAY && !b->removing)
		remove_all(b);
	finish_if_done(b);
}

static void
interrupted(struct bench *b, int signo)
{
	b->signal = signo;
	b->over = 1;
	loop_break(b->loop);
}

static void
came_int(struct loop_signal *s, int signo)
{
	interrupted(container_of(s, struct bench, on_int), signo);
}

static void
came_term(struct loop_signal *s, int signo)
{
	interrupted(container_of(s, struct bench, on_term), signo);
}

/* SHAPE_EXEC: the sandboxes that stay are no part of the measurement. */
static int
stand(struct bench *b)
{
	for (unsigned i = 0; i < b->jobs_n; i++) {
		if (create(&b->job[i]) == -1)
			return -1;
	}
	loop_run(b->loop);
	return b->failed == 0 && b->signal == 0 ? 0 : -1;
}

static void
start_all(struct bench *b)
{
	unsigned first = b->plan->shape == SHAPE_STAY ? b->jobs : b->jobs_n;

	if (strcmp(b->mode, "staggered") == 0) {
		stagger(&b->stagger);
		return;
	}
	for (unsigned i = 0; i < first && !b->over; i++) {
		if (b->plan->shape == SHAPE_EXEC)
			start_command(&b->job[i]);
		else
			start_next(&b->job[i]);
	}
}

static void
measure(struct bench *b)
{
	if (b->plan->shape == SHAPE_EXEC && stand(b) == -1)
		return;
	if (b->plan->shape != SHAPE_STAY && b->seconds_ms > 0)
		loop_timer_start(&b->timer, b->seconds_ms);
	b->memory_each = memory_available();
	b->cpu_ms = machine_cpu_ms();
	b->wall_us = os->now_us();
	start_all(b);
	if (b->started > b->ended || b->going > 0)
		loop_run(b->loop);
	b->wall_us = os->now_us() - b->wall_us;
	b->cpu_ms = machine_cpu_ms() - b->cpu_ms;
	if (b->plan->shape != SHAPE_STAY)
		b->rss = bench_rss();
}

/* --------------------------------------------------------------------- start */

static int
choose(struct bench *b)
{
	static const char *const fallback[] = {"/usr/bin/true", NULL};
	struct cli *cli = b->cli;
	const char *name = cli->operand[0];
	struct complaints c;

	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		if (strcmp(plans[i].name, name) == 0)
			b->plan = &plans[i];
	}
	if (b->plan == NULL)
		return cli_usage(cli,
		    "there is no benchmark '%s' (fanout, lifecycle, exec, "
		    "hold, churn, net, json)",
		    name);
	b->number = (unsigned)cli_count(cli, "number", b->plan->number);
	b->jobs = (unsigned)cli_count(cli, "jobs", b->plan->jobs);
	b->mode = cli_text(cli, "mode", "burst");
	b->command = fallback;
	if (cli->operands > 1)
		b->command = (const char *const *)cli->operand + 1;
	b->seconds_ms = cli_count(cli, "seconds",
	    strcmp(name, "hold") == 0                               ? 5000
	    : strcmp(name, "churn") == 0 && !cli_has(cli, "number") ? 60000
								    : 0);
	if (strcmp(b->mode, "sequential") == 0)
		b->jobs = 1;
	if (b->jobs > b->number)
		b->jobs = b->number;
	if (b->number == 0 || b->number > NUMBER_MAX || b->jobs == 0 ||
	    b->jobs > JOBS_MAX ||
	    (b->plan->shape == SHAPE_STAY && b->number > JOBS_MAX))
		return cli_usage(cli, "-n or -j is out of range");
	complaints_init(&c, &cli->arena);
	b->profile = profile_load(
	    &cli->arena, NULL, cli_text(cli, "profile", "draft"), &c);
	if (b->profile == NULL)
		return cli_complain(cli, &c, EX_CONFIG);
	return 0;
}

static int
prepare(struct bench *b, struct error *e)
{
	struct sandbox_host_settings settings = {
	    .profiles = &b->profile, .profiles_n = 1};

	b->jobs_n = b->plan->shape == SHAPE_STAY ? b->number : b->jobs;
	settings.sandboxes_max = 2 * b->jobs_n;
	settings.commands_max = b->jobs_n + 1;
	settings.netns_ready = settings.cgroups_ready =
	    b->jobs_n < 128 ? b->jobs_n + 8 : 128;
	b->sample = pool_take(b->number * sizeof b->sample[0], NULL);
	b->job = pool_take(b->jobs_n * sizeof b->job[0], NULL);
	if (b->sample == NULL || b->job == NULL)
		return error_set(e, ERROR_FULL, 0, "memory for samples");
	memset(b->job, 0, b->jobs_n * sizeof b->job[0]);
	for (unsigned i = 0; i < b->jobs_n; i++)
		b->job[i].b = b;
	if (b->cli->zygote.pid <= 0) {
		*e = b->cli->zygote_error;
		return -1;
	}
	b->loop = loop_new(e);
	if (b->loop == NULL)
		return -1;
	loop_timer_init(&b->timer, b->loop, time_is_up);
	loop_timer_init(&b->stagger, b->loop, stagger);
	b->host = sandbox_host_new(b->loop, &b->cli->zygote, &settings, e);
	return b->host == NULL ? -1 : 0;
}

static int
run(struct cli *cli)
{
	struct bench b = {.cli = cli};
	struct error e;
	int status;

	if (strcmp(cli->operand[0], "json") == 0)
		return bench_json(cli);
	if (strcmp(cli->operand[0], "net") == 0)
		return bench_net(cli);
	status = choose(&b);
	if (b.profile == NULL || status != 0)
		return status;
	if (prepare(&b, &e) == -1)
		status = cli_fail(cli, &e);
	else {
		loop_signal_start(&b.on_int, b.loop, SIGINT, came_int);
		loop_signal_start(&b.on_term, b.loop, SIGTERM, came_term);
		measure(&b);
		status = bench_report(&b);
		loop_signal_stop(&b.on_int);
		loop_signal_stop(&b.on_term);
		loop_timer_stop(&b.timer);
		loop_timer_stop(&b.stagger);
	}
	sandbox_host_free(b.host);
	if (b.loop != NULL)
		loop_free(b.loop);
	pool_give(b.sample);
	pool_give(b.job);
	return status;
}

const struct command cmd_bench = {
    .name = "bench",
    .summary = "what sandboxes cost on this machine",
    .arguments = "fanout|lifecycle|exec|hold|churn|net|json [-- CMD...]",
    .text =
	"fanout: -n sandboxes at once, until each has run its first "
	"command. lifecycle: create, one command, remove, -n times. exec: "
	"-n commands in sandboxes that stay. hold: -n sandboxes for "
	"--seconds, memory of each. churn: lifecycle for --seconds. net: "
	"-n model calls, -j at a time, over TLS to a server in this "
	"process. json: "
	"-n streamed answers of a model, from bytes to items. All sandboxes "
	"but those of exec cover creation to complete removal. CPU is the whole "
	"machine's: measure while nothing else runs.",
    .options = options_bench,
    .operands_min = 1,
    .operands_max = -1,
    .flags = COMMAND_SANDBOXES,
    .run = run,
};
