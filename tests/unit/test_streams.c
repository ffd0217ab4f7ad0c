#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/pool.h"
#include "net/provider.h"
#include "net/sse.h"
#include "tests/unit/guarded.h"

/*
 * Streams of the three APIs, written after their documentation, replayed
 * whole, byte by byte, and cut in two at every byte.  Beside each X.sse lies
 * X.want, what must come of it.
 */

#define STREAMS "tests/streams"

static struct guarded guarded;
static struct text told, thought;

static void
on_text(void *owner, struct span s)
{
	(void)owner;
	text_add(&told, s);
}

static void
on_reasoning(void *owner, struct span s)
{
	(void)owner;
	text_add(&thought, s);
}

static const struct reply_watch watch = {on_text, on_reasoning, NULL};

static void
describe(const struct model_reply *r, int verdict, struct text *out)
{
	static const char *const ends[] = {
	    "open", "done", "incomplete", "failed"};
	const struct usage *u = &r->usage;

	text_printf(out, "%s %d", ends[r->end], verdict);
	if (verdict == -1)
		text_printf(out, " %s%s: %s", error_name(r->error.code),
		    r->is_final ? " (final)" : "", r->error.text);
	text_printf(out, "\nid=%.*s model=%.*s", (int)r->id.n,
	    r->id.n > 0 ? r->id.p : "", (int)r->model.n,
	    r->model.n > 0 ? r->model.p : "");
	text_printf(out,
	    "\nusage known=%d in=%d cached=%d written=%d out=%d reasoning=%d\n",
	    u->known, (int)u->input_tokens, (int)u->cached_tokens,
	    (int)u->cache_write_tokens, (int)u->output_tokens,
	    (int)u->reasoning_tokens);
	text_add_str(out, "text=");
	text_add(out, text_span(&told));
	text_add_str(out, "\nreasoning=");
	text_add(out, text_span(&thought));
	text_add_str(out, "\n");
	for (unsigned i = 0; i < r->items && verdict == 0; i++) {
		text_add(out, reply_item(r, i));
		text_add_char(out, '\n');
	}
}

/* Feed the pieces before and behind each multiple of step from cut on. */
static void
replay(const struct provider_ops *ops, struct span stream, size_t cut,
    size_t step, struct text *out)
{
	struct model_reply r;
	struct sse sse;
	struct sse_event ev;
	struct error e;
	struct span in;
	int verdict = 0;
	size_t n;

	text_clear(out);
	text_clear(&told);
	text_clear(&thought);
	reply_init(&r, ops, &watch);
	sse_init(&sse, LIMIT_SSE_LINE, LIMIT_SSE_EVENT);
	for (size_t at = 0; at < stream.n && verdict == 0; at += n) {
		n = at == 0 && cut > 0 ? cut : step;
		in = guarded_copy(&guarded, span_slice(stream, at, at + n));
		while (
		    verdict == 0 && sse_next(&sse, &in, &ev, &e) == SSE_EVENT)
			verdict = reply_event(&r, &ev);
	}
	if (verdict == 0)
		verdict = reply_finish(&r);
	describe(&r, verdict, out);
	reply_release(&r);
	sse_release(&sse);
}

static void
check_stream(const struct provider_ops *ops, const char *path)
{
	char name[512], *stream, *want;
	size_t n, want_n;
	struct span s;
	struct text out;

	stream = guarded_file(path, &n);
	s = (struct span){stream, n};
	text_init(&out, 1 << 20);
	replay(ops, s, 0, n, &out);
	snprintf(name, sizeof(name), "%.*s.want", (int)strlen(path) - 4, path);
	want = guarded_file(name, &want_n);
	if (!span_eq(text_span(&out), (struct span){want, want_n}))
		fail_msg("%s:\n%s", path, out.p);
	replay(ops, s, 0, 1, &out);
	assert_true(span_eq(text_span(&out), (struct span){want, want_n}));
	for (size_t cut = 1; cut < n; cut++) {
		replay(ops, s, cut, n, &out);
		if (!span_eq(text_span(&out), (struct span){want, want_n}))
			fail_msg("%s, cut at %zu:\n%s", path, cut, out.p);
	}
	text_release(&out);
	free(stream);
	free(want);
}

static void
check_all(const struct provider_ops *ops)
{
	char path[512], folder[64];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), STREAMS "/%s", ops->name);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot == NULL || strcmp(dot, ".sse") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		check_stream(ops, path);
		n++;
	}
	closedir(dir);
	assert_true(n > 0);
}

static void
streams_of_the_responses_api_replay(void **state)
{
	(void)state;
	check_all(&provider_responses);
}

static void
streams_of_chat_completions_replay(void **state)
{
	(void)state;
	check_all(&provider_chat);
}

static void
streams_of_the_messages_api_replay(void **state)
{
	(void)state;
	check_all(&provider_messages);
}

static int
setup(void **state)
{
	(void)state;
	guarded_init(&guarded, 1 << 20);
	text_init(&told, 1 << 20);
	text_init(&thought, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	guarded_release(&guarded);
	text_release(&told);
	text_release(&thought);
	return pool_in_use() == 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(streams_of_the_responses_api_replay),
	    cmocka_unit_test(streams_of_chat_completions_replay),
	    cmocka_unit_test(streams_of_the_messages_api_replay),
	};

	/* With a provider and a file: print what comes of it. */
	if (argc == 3) {
		size_t n;
		char *p = guarded_file(argv[2], &n);
		struct text out;

		setup(NULL);
		text_init(&out, 1 << 20);
		replay(provider_find(span_of(argv[1])), (struct span){p, n}, 0,
		    n, &out);
		fwrite(out.p, 1, out.n, stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
