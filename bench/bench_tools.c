/*
 * bench_tools [ROUNDS]
 *
 * The tools' own work on bytes, each in turn in every round: applying a patch
 * and reading one, cutting long output, drawing a file system, hashing.  MB/s
 * of what goes in, the least, the median and the most of all rounds; and of
 * the patches, how many times as fast as GNU patch does the same to the same
 * file, its start included, when it is installed.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "tools/diff.h"
#include "tools/layout.h"
#include "tools/patch.h"
#include "tools/truncate.h"

#define ROUNDS_MAX 100
#define LINES 100000
#define EVERY 1000 /* a hunk every so many lines */
#define OUTPUT_TOKENS 10000

static struct text file, v4a, unified, envelope, out;
static double diff_seconds[ROUNDS_MAX], patch_seconds[ROUNDS_MAX];

static void
die(const char *what)
{
	fprintf(stderr, "bench_tools: %s\n", what);
	exit(1);
}

static double
now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- inputs --- */

static void
add_line(struct text *t, const char *before, int i, const char *after)
{
	text_printf(t, "%sline %d of the file, with some words in it%s\n",
	    before, i, after);
}

static void
make_inputs(void)
{
	text_init(&file, 64 * MIB);
	text_init(&v4a, 64 * MIB);
	text_init(&unified, 64 * MIB);
	text_init(&envelope, 64 * MIB);
	text_init(&out, 256 * MIB);
	for (int i = 1; i <= LINES; i++)
		add_line(&file, "", i, "");
	text_add_str(&unified, "--- a\n+++ b\n");
	for (int i = EVERY; i < LINES; i += EVERY) {
		text_add_str(&v4a, "@@\n");
		text_printf(&unified, "@@ -%d,3 +%d,3 @@\n", i - 1, i - 1);
		for (int side = 0; side < 2; side++) {
			struct text *t = side == 0 ? &v4a : &unified;

			add_line(t, " ", i - 1, "");
			add_line(t, "-", i, "");
			add_line(t, "+", i, ", changed");
			add_line(t, " ", i + 1, "");
		}
	}
	text_add_str(&envelope, "*** Begin Patch\n");
	for (int i = 0; i < 100; i++) {
		text_printf(&envelope, "*** Add File: src/file-%d.c\n", i);
		for (int k = 0; k < 200; k++)
			add_line(&envelope, "+", k, "");
	}
	text_add_str(&envelope, "*** End Patch\n");
	if (text_overflowed(&file) || text_overflowed(&envelope))
		die("no memory");
}

/* --- contestants: each returns how many bytes went in --- */

static size_t
run_diff(void)
{
	struct error e;

	if (diff_update(text_span(&file), text_span(&v4a), &out, &e) == -1)
		die(e.text);
	return file.n + v4a.n;
}

static size_t
run_parse(void)
{
	struct arena arena;
	struct patch patch;
	struct error e;

	arena_init(&arena, 64 * MIB);
	if (patch_parse(&patch, text_span(&envelope), &arena, &e) == -1)
		die(e.text);
	arena_release(&arena);
	return envelope.n;
}

static size_t
run_truncate(void)
{
	struct truncate_source source = {.text = text_span(&file)};
	uint64_t tokens;

	source.lines = truncate_lines(source.text);
	if (truncate_add(&out, &source, OUTPUT_TOKENS, &tokens) != 1)
		die("nothing was cut");
	return file.n;
}

static size_t
run_hash(void)
{
	struct digest digest;

	hash_of(text_span(&file), &digest);
	return file.n;
}

static size_t
run_layout(void)
{
	struct layout layout;
	struct arena arena;
	size_t bytes = 0;
	char path[64];

	arena_init(&arena, 64 * MIB);
	layout_init(&layout, &arena);
	for (int i = 0; i < 20000; i++) {
		int n = snprintf(path, sizeof path, "src/part-%d/file-%d.c",
		    i / 100, i % 100);

		layout_add(&layout, (struct span){path, (size_t)n}, 0,
		    (struct span){NULL, 0});
		bytes += (size_t)n;
	}
	layout_write(&layout, &out);
	arena_release(&arena);
	return bytes;
}

/* --- GNU patch --- */

static void
write_file(const char *folder, const char *name, const struct text *t)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	if (f == NULL || fwrite(t->p, 1, t->n, f) != t->n || fclose(f) != 0)
		die("cannot write a temporary file");
}

/* Seconds that patch(1) takes, or 0 when it is not there. */
static double
run_gnu_patch(void)
{
	char folder[] = "/tmp/bench_tools.XXXXXX", command[256];
	double from, took;

	if (access("/usr/bin/patch", X_OK) == -1)
		return 0;
	if (mkdtemp(folder) == NULL)
		die("no temporary folder");
	write_file(folder, "file", &file);
	write_file(folder, "diff", &unified);
	snprintf(command, sizeof command, "cd %s && exec patch -s file diff",
	    folder);
	from = now_seconds();
	if (system(command) != 0)
		die("patch failed");
	took = now_seconds() - from;
	snprintf(command, sizeof command, "exec rm -r %s", folder);
	if (system(command) != 0)
		die("rm failed");
	return took;
}

/* --- rounds --- */

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_row(const char *name, double *v, int n, const char *unit)
{
	qsort(v, (size_t)n, sizeof *v, by_size);
	printf("%-28s %9.2f %9.2f %9.2f %s\n", name, v[0], v[n / 2], v[n - 1],
	    unit);
}

static const struct {
	const char *name;
	size_t (*run)(void);
} contestants[] = {
    {"apply_patch, one file", run_diff},
    {"apply_patch, reading", run_parse},
    {"truncation", run_truncate},
    {"file system, 20,000 paths", run_layout},
    {"SHA-256", run_hash},
};
#define CONTESTANTS (sizeof(contestants) / sizeof(*contestants))

static double rates[CONTESTANTS][ROUNDS_MAX];

static void
one_round(int r)
{
	for (size_t c = 0; c < CONTESTANTS; c++) {
		double from = now_seconds(), took;
		size_t bytes;

		text_clear(&out);
		bytes = contestants[c].run();
		took = now_seconds() - from;
		rates[c][r] = (double)bytes / 1e6 / took;
		if (c == 0)
			diff_seconds[r] = took;
	}
	patch_seconds[r] = run_gnu_patch();
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7;
	struct error e;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		die("usage: bench_tools [ROUNDS]");
	if (pool_start((size_t)1 << 30, &e) == -1)
		die(e.text);
	make_inputs();
	for (int r = -1; r < rounds; r++) /* the first one warms up */
		one_round(r < 0 ? 0 : r);
	printf("%-28s %9s %9s %9s\n", "", "least", "median", "most");
	for (size_t c = 0; c < CONTESTANTS; c++)
		print_row(contestants[c].name, rates[c], rounds, "MB/s");
	for (int r = 0; r < rounds; r++)
		patch_seconds[r] /= diff_seconds[r];
	if (patch_seconds[0] > 0)
		print_row("apply_patch / GNU patch", patch_seconds, rounds,
		    "times as fast");
	return 0;
}
