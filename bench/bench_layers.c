/*
 * bench_layers [-f FILES] [-b BYTES] [-r ROUNDS] [-j LIVE]
 *
 * From asking for a sandbox with a big manifest to its being ready, with a
 * plain workspace and with a layered one, in interleaved rounds; and what the
 * first one pays that has the layer built.  Sources are in the page cache.
 * As root and as an ordinary user alike.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/manifest.h"
#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "sandbox/sandbox.h"
#include "sandbox/zygote.h"

#define ROUNDS_MAX 1000
#define LIVE_MAX 256
#define IN_A_FOLDER 100

enum way { PLAIN, LAYERED, WAYS };

static struct {
	int files, bytes, rounds, live;
	struct loop *loop;
	struct sandbox_host *host;
	const struct profile *profile;
	struct manifest manifest;
	struct manifest_entry entry;
	char folder[64];
	int waiting;
	uint64_t sample[WAYS][ROUNDS_MAX];
	struct sandbox *crowd[LIVE_MAX];
} b = {.files = 2000, .bytes = 2048, .rounds = 20, .live = 16};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "bench_layers: %s: %s\n", what, why);
	exit(1);
}

static void
make_sources(void)
{
	char path[128], *text = calloc(1, (size_t)b.bytes + 1);
	int fd;

	memcpy(b.folder, "/tmp/bench-layers-XXXXXX", 25);
	if (text == NULL || mkdtemp(b.folder) == NULL)
		die("make a folder", strerror(errno));
	memset(text, 'x', (size_t)b.bytes);
	for (int i = 0; i < b.files; i++) {
		snprintf(path, sizeof path, "%s/in", b.folder);
		(void)mkdir(path, 0755);
		snprintf(
		    path, sizeof path, "%s/in/d%d", b.folder, i / IN_A_FOLDER);
		(void)mkdir(path, 0755);
		snprintf(path, sizeof path, "%s/in/d%d/f%d", b.folder,
		    i / IN_A_FOLDER, i);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd == -1 || write(fd, text, (size_t)b.bytes) != b.bytes)
			die(path, strerror(errno));
		close(fd);
	}
	free(text);
	snprintf(path, sizeof path, "%s/layers", b.folder);
	if (mkdir(path, 0700) == -1)
		die(path, strerror(errno));
	b.entry = (struct manifest_entry){.type = ENTRY_LOCAL_DIR,
	    .path = "in",
	    .src = "in",
	    .folder = b.folder,
	    .mode = 0755};
	b.manifest = (struct manifest){.file = "bench",
	    .root = MANIFEST_ROOT,
	    .entries = &b.entry,
	    .entries_n = 1};
}

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	if (error != NULL)
		die("sandbox", error->text);
	b.waiting--;
	loop_break(b.loop);
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
	b.waiting--;
	loop_break(b.loop);
}

static void
settle(void)
{
	while (b.waiting > 0)
		loop_run(b.loop);
}

static struct sandbox *
start(enum way way)
{
	static const struct sandbox_ops ops = {
	    .created = created, .lost = lost};
	struct sandbox_spec spec = {.profile = b.profile,
	    .manifest = &b.manifest,
	    .layered = way == LAYERED,
	    .remembers = 1,
	    .label = "bench"};
	struct error e;
	struct sandbox *sb = sandbox_create(b.host, &spec, &ops, NULL, &e);

	if (sb == NULL)
		die("sandbox", e.text);
	b.waiting++;
	return sb;
}

static void
end(struct sandbox *sb)
{
	b.waiting++;
	sandbox_destroy_then(sb, gone, NULL);
	settle();
}

static uint64_t
one(enum way way)
{
	uint64_t from = os->now_us(), took;
	struct sandbox *sb = start(way);
	struct sandbox_facts facts;

	settle();
	took = os->now_us() - from;
	sandbox_facts(sb, &facts);
	if (strcmp(facts.workspace, way == LAYERED ? "layered" : "plain") != 0)
		die("the workspace is", facts.workspace);
	end(sb);
	return took;
}

/* As many at once, from the first asked for to the last ready. */
static uint64_t
crowd(enum way way)
{
	uint64_t from = os->now_us(), took;

	for (int i = 0; i < b.live; i++)
		b.crowd[i] = start(way);
	settle();
	took = os->now_us() - from;
	for (int i = 0; i < b.live; i++)
		end(b.crowd[i]);
	return took;
}

static int
compare(const void *p, const void *q)
{
	const uint64_t *a = p, *c = q;

	return (*a > *c) - (*a < *c);
}

static void
say(const char *what, uint64_t *sample)
{
	qsort(sample, (size_t)b.rounds, sizeof *sample, compare);
	printf("  %-22s min %8.2f  median %8.2f  max %8.2f ms\n", what,
	    (double)sample[0] / 1e3, (double)sample[b.rounds / 2] / 1e3,
	    (double)sample[b.rounds - 1] / 1e3);
}

static void
measure(void)
{
	uint64_t first = one(LAYERED), all[WAYS];

	for (int i = 0; i < b.rounds; i++)
		for (int way = 0; way < WAYS; way++)
			b.sample[way][i] = one((enum way)way);
	for (int way = 0; way < WAYS; way++)
		all[way] = crowd((enum way)way);
	printf("%d files of %d bytes, %d rounds\n", b.files, b.bytes, b.rounds);
	say("plain", b.sample[PLAIN]);
	say("layered", b.sample[LAYERED]);
	printf("  %-22s %.2f ms\n", "layered, the first", (double)first / 1e3);
	printf("  %-22s %.1f times\n", "plain to layered",
	    (double)b.sample[PLAIN][b.rounds / 2] /
		(double)b.sample[LAYERED][b.rounds / 2]);
	printf("  %d at once: plain %.1f ms, layered %.1f ms\n", b.live,
	    (double)all[PLAIN] / 1e3, (double)all[LAYERED] / 1e3);
}

static void
choose(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "f:b:r:j:")) != -1) {
		int n = optarg != NULL ? atoi(optarg) : 0;

		if (opt == 'f')
			b.files = n;
		else if (opt == 'b')
			b.bytes = n;
		else if (opt == 'r')
			b.rounds = n;
		else if (opt == 'j')
			b.live = n;
		else
			exit(64);
	}
	if (b.files < 1 || b.bytes < 0 || b.rounds < 1 ||
	    b.rounds > ROUNDS_MAX || b.live < 1 || b.live > LIVE_MAX)
		die("options", "out of range");
}

int
main(int argc, char **argv)
{
	static struct zygote zygote;
	struct sandbox_host_settings settings = {.profiles = &b.profile,
	    .profiles_n = 1,
	    .netns_ready = 16,
	    .cgroups_ready = 16};
	char layers[80], command[128];
	struct error e;

	choose(argc, argv);
	if (zygote_start(&zygote, &e) == -1 ||
	    pool_start((size_t)8 << 30, &e) == -1 ||
	    (b.loop = loop_new(&e)) == NULL)
		die("start", e.text);
	make_sources();
	snprintf(layers, sizeof layers, "%s/layers", b.folder);
	settings.layers = layers;
	settings.sandboxes_max = (unsigned)b.live + 2;
	b.profile = profile_builtin("draft");
	b.host = sandbox_host_new(b.loop, &zygote, &settings, &e);
	if (b.host == NULL)
		die("host", e.text);
	measure();
	sandbox_host_free(b.host);
	loop_free(b.loop);
	zygote_stop(&zygote);
	snprintf(command, sizeof command, "rm -rf %s", b.folder);
	return system(command) != 0;
}
