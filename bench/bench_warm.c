/*
 * bench_warm [-r ROUNDS] [-p PAUSE_MS]
 *
 * From asking for a sandbox to the end of its first command (`true`), where
 * sandboxes are kept ready and where none is, in interleaved rounds with a
 * pause before each, as between the tool calls of agents: what a warm one
 * saves whoever waits.  What it costs is not here: it is made all the same.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "sandbox/sandbox.h"
#include "sandbox/zygote.h"

#define ROUNDS_MAX 1000
#define KEPT 4

enum way { COLD, WARM, WAYS };

static struct {
	int rounds, pause_ms;
	struct loop *loop;
	struct loop_timer pause;
	struct zygote zygote[WAYS];
	struct sandbox_host *host[WAYS];
	const struct profile *profile;
	int over;
	uint64_t sample[WAYS][ROUNDS_MAX];
} b = {.rounds = 50, .pause_ms = 60};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "bench_warm: %s: %s\n", what, why);
	exit(1);
}

static void
until_over(void)
{
	b.over = 0;
	while (!b.over)
		loop_run(b.loop);
}

static void
is_over(void)
{
	b.over = 1;
	loop_break(b.loop);
}

static void
paused(struct loop_timer *t)
{
	(void)t;
	is_over();
}

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	if (error != NULL)
		die("sandbox", error->text);
	is_over();
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	die("sandbox", error->text);
}

static void
gone(void *owner)
{
	(void)owner;
	is_over();
}

static void
ended(struct exec *x, const struct exec_report *report, void *owner)
{
	(void)owner;
	if (report->exit != 0)
		die("true", "failed");
	exec_free(x);
	is_over();
}

static uint64_t
one(enum way way)
{
	static const struct sandbox_ops ops = {
	    .created = created, .lost = lost};
	static const struct exec_ops exec_ops = {.done = ended};
	static const char *const argv[] = {"true", NULL};
	const struct exec_spec command = {
	    .argv = argv, .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	struct sandbox_spec spec = {.profile = b.profile, .label = "bench"};
	struct sandbox *sb;
	struct error e;
	uint64_t from;

	loop_timer_start(&b.pause, (uint64_t)b.pause_ms);
	until_over();
	from = os->now_us();
	sb = sandbox_create(b.host[way], &spec, &ops, NULL, &e);
	if (sb == NULL)
		die("sandbox", e.text);
	until_over();
	if (exec_start(sb, &command, &exec_ops, NULL, &e) == NULL)
		die("true", e.text);
	until_over();
	from = os->now_us() - from;
	sandbox_destroy_then(sb, gone, NULL);
	until_over();
	return from;
}

static int
compare(const void *p, const void *q)
{
	const uint64_t *a = p, *c = q;

	return (*a > *c) - (*a < *c);
}

static void
measure(void)
{
	static const char *const name[] = {"none ready", "warm"};

	for (int i = 0; i < b.rounds; i++)
		for (int way = 0; way < WAYS; way++)
			b.sample[way][i] = one((enum way)way);
	for (int way = 0; way < WAYS; way++) {
		uint64_t *s = b.sample[way];

		qsort(s, (size_t)b.rounds, sizeof *s, compare);
		printf("  %-12s min %6.3f  median %6.3f  max %6.3f ms\n",
		    name[way], (double)s[0] / 1e3,
		    (double)s[b.rounds / 2] / 1e3,
		    (double)s[b.rounds - 1] / 1e3);
	}
	printf("  %-12s %.2f of it\n", "median, warm",
	    (double)b.sample[WARM][b.rounds / 2] /
		(double)b.sample[COLD][b.rounds / 2]);
}

int
main(int argc, char **argv)
{
	struct sandbox_host_settings settings = {.profiles = &b.profile,
	    .profiles_n = 1,
	    .sandboxes_max = 4,
	    .netns_ready = 8,
	    .cgroups_ready = 8};
	struct error e;
	int opt;

	while ((opt = getopt(argc, argv, "r:p:")) != -1) {
		if (opt == 'r')
			b.rounds = atoi(optarg);
		else if (opt == 'p')
			b.pause_ms = atoi(optarg);
		else
			return 64;
	}
	if (b.rounds < 1 || b.rounds > ROUNDS_MAX || b.pause_ms < 0)
		die("options", "out of range");
	for (int way = 0; way < WAYS; way++)
		if (zygote_start(&b.zygote[way], &e) == -1)
			die("zygote", e.text);
	if (pool_start((size_t)1 << 30, &e) == -1 ||
	    (b.loop = loop_new(&e)) == NULL)
		die("start", e.text);
	loop_timer_init(&b.pause, b.loop, paused);
	b.profile = profile_builtin("draft");
	for (int way = 0; way < WAYS; way++) {
		settings.warm = way == WARM ? KEPT : 0;
		b.host[way] =
		    sandbox_host_new(b.loop, &b.zygote[way], &settings, &e);
		if (b.host[way] == NULL)
			die("host", e.text);
	}
	measure();
	for (int way = 0; way < WAYS; way++) {
		sandbox_host_free(b.host[way]);
		zygote_stop(&b.zygote[way]);
	}
	loop_free(b.loop);
	return 0;
}
