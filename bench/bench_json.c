/*
 * bench_json [ROUNDS [MEGABYTES]]
 *
 * What reading a model's answer costs, from the bytes of the socket to items:
 * beside jsmn alone, which only finds tokens, and Python's json, on the same
 * JSON.  Everything takes turns in each round, so that a busy machine slows
 * all of them; rates are in MB/s of JSON, and what is printed is the least,
 * the median and the most of all rounds.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"
#include "net/provider.h"
#include "net/sse.h"

#define ROUNDS_MAX 100
#define PIECE 16384 /* what one read of a socket gives: a TLS record */

/* A stream of events, and the JSON texts in it. */
struct input {
	const char *name;
	const struct provider_ops *ops; /* NULL: one document */
	struct text stream;
	struct span *json;
	size_t n, json_bytes;
};

static void
die(const char *what)
{
	fprintf(stderr, "bench_json: %s\n", what);
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

static const char *const words[] = {"the ", "sandbox", " is ", "ready", ", ",
    "so ", "\\\"run\\\" ", "it", ".\\n", "\xc3\xa9t\xc3\xa9 "};
#define WORDS (sizeof(words) / sizeof(*words))

static void
responses_deltas(struct text *t, size_t bytes)
{
	for (int i = 0; t->n < bytes; i++)
		text_printf(t,
		    "event: response.output_text.delta\n"
		    "data: {\"type\":\"response.output_text.delta\","
		    "\"sequence_number\":%d,\"item_id\":"
		    "\"msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d3795b\","
		    "\"output_index\":0,\"content_index\":0,\"delta\":\"%s\","
		    "\"logprobs\":[],\"obfuscation\":\"aF3kQ9\"}\n\n",
		    i, words[(size_t)i % WORDS]);
	text_add_str(t,
	    "event: response.completed\n"
	    "data: {\"type\":\"response.completed\",\"response\":{\"id\":"
	    "\"resp_1\",\"status\":\"completed\",\"output\":[],\"usage\":"
	    "{\"input_tokens\":1,\"output_tokens\":2}}}\n\n");
}

static void
chat_deltas(struct text *t, size_t bytes)
{
	for (int i = 0; t->n < bytes; i++)
		text_printf(t,
		    "data: {\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\","
		    "\"object\":\"chat.completion.chunk\",\"created\":"
		    "1741569952,\"model\":\"gpt-5.6\",\"system_fingerprint\":"
		    "null,\"choices\":[{\"index\":0,\"delta\":{\"content\":"
		    "\"%s\"},\"logprobs\":null,\"finish_reason\":null}],"
		    "\"usage\":null}\n\n",
		    words[(size_t)i % WORDS]);
	text_add_str(t, "data: {\"choices\":[{\"index\":0,\"delta\":{},"
			"\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
}

static void
messages_deltas(struct text *t, size_t bytes)
{
	text_add_str(t,
	    "event: content_block_start\ndata: {\"type\":"
	    "\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
	    "\"text\",\"text\":\"\"}}\n\n");
	for (int i = 0; t->n < bytes; i++)
		text_printf(t,
		    "event: content_block_delta\n"
		    "data: {\"type\":\"content_block_delta\",\"index\":0,"
		    "\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}}\n\n",
		    words[(size_t)i % WORDS]);
	text_add_str(
	    t, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

/* One plain answer: many items of some kilobytes. */
static void
document(struct text *t, size_t bytes)
{
	struct json_writer w;

	json_write_init(&w, t);
	json_write_object(&w);
	json_put_str(&w, "id", "resp_1");
	json_put_str(&w, "status", "completed");
	json_put_array(&w, "output");
	for (int i = 0; t->n < bytes && i < 1000; i++) {
		json_write_object(&w);
		json_put_str(&w, "type", "message");
		json_put_str(&w, "role", "assistant");
		json_put_array(&w, "content");
		for (int part = 0; part < 20; part++) {
			json_write_object(&w);
			json_put_str(&w, "type", "output_text");
			json_put_int(&w, "index", part);
			json_write_key(&w, "text");
			json_write_string_begin(&w);
			for (size_t k = 0; k < bytes / 200000; k++)
				json_write_string_add_escaped(
				    &w, span_of(words[k % WORDS]));
			json_write_string_end(&w);
			json_write_end(&w);
		}
		json_write_end(&w);
		json_write_end(&w);
	}
	json_write_end(&w);
	json_write_end(&w);
}

static void
find_json(struct input *in)
{
	struct sse s;
	struct sse_event ev;
	struct error e;
	struct span rest = text_span(&in->stream);

	in->json = calloc(in->stream.n / 20 + 1, sizeof(*in->json));
	if (in->json == NULL)
		die("no memory");
	if (in->ops == NULL) {
		in->json[in->n++] = rest;
		in->json_bytes = rest.n;
		return;
	}
	sse_init(&s, LIMIT_SSE_LINE, LIMIT_SSE_EVENT);
	while (sse_next(&s, &rest, &ev, &e) == SSE_EVENT) {
		if (ev.data.p[0] != '{')
			continue;
		in->json[in->n++] = ev.data; /* not copied by the parser */
		in->json_bytes += ev.data.n;
	}
	sse_release(&s);
}

/* --- contestants: each returns seconds for the whole input --- */

static double
run_jsmn(const struct input *in)
{
	size_t tokens_max = (size_t)4 << 20;
	static jsmntok_t *tokens;
	jsmn_parser p;
	double from;

	if (tokens == NULL)
		tokens = calloc(tokens_max, sizeof(*tokens));
	if (tokens == NULL)
		die("no memory");
	from = now_seconds();
	for (size_t i = 0; i < in->n; i++) {
		jsmn_init(&p);
		if (jsmn_parse(&p, in->json[i].p, in->json[i].n, tokens,
			(unsigned)tokens_max) < 1)
			die("jsmn refused");
	}
	return now_seconds() - from;
}

static double
run_guard(const struct input *in)
{
	struct json_guard g;
	struct error e;
	double from = now_seconds();

	for (size_t i = 0; i < in->n; i++) {
		json_guard_init(&g, in->json[i].n, 0);
		if (json_guard_feed(&g, in->json[i], &e) == -1 ||
		    json_guard_end(&g, &e) == -1)
			die(e.text);
	}
	return now_seconds() - from;
}

static double
run_parse(const struct input *in)
{
	static struct json_doc d;
	struct error e;
	double from = now_seconds();

	for (size_t i = 0; i < in->n; i++)
		if (json_parse(&d, in->json[i], 0, &e) == -1)
			die(e.text);
	return now_seconds() - from;
}

static size_t told;

static void
tell(void *owner, struct span s)
{
	(void)owner;
	told += s.n;
}

static double
run_reply(const struct input *in)
{
	static const struct reply_watch watch = {.text = tell};
	struct span stream = text_span(&in->stream), piece;
	struct model_reply r;
	struct sse s;
	struct sse_event ev;
	struct error e;
	double from = now_seconds();

	reply_init(&r, in->ops, &watch);
	sse_init(&s, LIMIT_SSE_LINE, LIMIT_SSE_EVENT);
	for (size_t at = 0; at < stream.n; at += PIECE) {
		piece = span_slice(stream, at, at + PIECE);
		while (sse_next(&s, &piece, &ev, &e) == SSE_EVENT)
			if (reply_event(&r, &ev) == -1)
				die(r.error.text);
	}
	if (reply_finish(&r) == -1)
		die(r.error.text);
	reply_release(&r);
	sse_release(&s);
	return now_seconds() - from;
}

static double
run_whole(const struct input *in)
{
	struct model_reply r;
	double from = now_seconds();

	reply_init(&r, &provider_responses, NULL);
	if (reply_whole(&r, in->json[0]) == -1)
		die(r.error.text);
	reply_release(&r);
	return now_seconds() - from;
}

static double
run_items(const struct input *in)
{
	return in->ops != NULL ? run_reply(in) : run_whole(in);
}

/* Python reads the bytes, measures itself without its start, and prints. */
static double
python(const char *script, const struct input *in, int stream)
{
	char path[] = "/tmp/bench_json.XXXXXX", command[1024];
	int fd = mkstemp(path);
	FILE *f = fd == -1 ? NULL : fdopen(fd, "wb");
	double seconds = 0;

	if (f == NULL)
		die("no temporary file");
	if (stream)
		fwrite(in->stream.p, 1, in->stream.n, f);
	for (size_t i = 0; i < in->n && !stream; i++) {
		fwrite(in->json[i].p, 1, in->json[i].n, f);
		fputc('\0', f);
	}
	fclose(f);
	snprintf(command, sizeof(command), "/usr/bin/python3 -I -c \"%s\" %s",
	    script, path);
	f = popen(command, "r");
	if (f == NULL || fscanf(f, "%lf", &seconds) != 1)
		seconds = 0;
	if (f != NULL)
		pclose(f);
	remove(path);
	return seconds;
}

/* json.loads of every text. */
static double
run_python(const struct input *in)
{
	return python("import json,sys,time\n"
		      "t=open(sys.argv[1],'rb').read().split(b'\\0')[:-1]\n"
		      "a=time.perf_counter()\n"
		      "for x in t: json.loads(x)\n"
		      "print(time.perf_counter()-a)\n",
	    in, 0);
}

/* The least that a client does: lines, json.loads, joining the pieces. */
static double
run_python_items(const struct input *in)
{
	return python("import json,sys,time\n"
		      "t=open(sys.argv[1],'rb').read()\n"
		      "a=time.perf_counter()\n"
		      "p=[]\n"
		      "for l in t.split(b'\\n'):\n"
		      "  if l.startswith(b'data: {') or l[:1]==b'{':\n"
		      "    d=json.loads(l[6:] if l[:1]==b'd' else l)\n"
		      "    p.append(d.get('delta') or d.get('choices'))\n"
		      "print(time.perf_counter()-a)\n",
	    in, 1);
}

/* --- rounds --- */

static const struct contestant {
	const char *name;
	double (*run)(const struct input *in);
} contestants[] = {
    {"jsmn alone", run_jsmn},
    {"Python json", run_python},
    {"Python to items", run_python_items},
    {"skep guard", run_guard},
    {"skep guard + tokens", run_parse},
    {"skep to items", run_items},
};
#define CONTESTANTS (sizeof(contestants) / sizeof(*contestants))

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_row(const char *name, double *v, int n, const char *unit)
{
	qsort(v, (size_t)n, sizeof(*v), by_size);
	printf("  %-32s %9.2f %9.2f %9.2f %s\n", name, v[0], v[n / 2], v[n - 1],
	    unit);
}

static void
measure(const struct input *in, int rounds)
{
	static double seconds[CONTESTANTS][ROUNDS_MAX], row[ROUNDS_MAX];
	char name[64];

	for (int r = -1; r < rounds; r++) /* the first one warms up */
		for (size_t c = 0; c < CONTESTANTS; c++)
			seconds[c][r < 0 ? 0 : r] = contestants[c].run(in);
	printf("%s: %zu texts, %.1f MB of JSON\n", in->name, in->n,
	    (double)in->json_bytes / 1e6);
	for (size_t c = 0; c < CONTESTANTS; c++) {
		for (int r = 0; r < rounds; r++)
			row[r] = (double)in->json_bytes / 1e6 / seconds[c][r];
		print_row(contestants[c].name, row, rounds, "MB/s");
	}
	for (size_t c = 0; c < 3; c++) {
		for (int r = 0; r < rounds; r++)
			row[r] = seconds[c][r] / seconds[CONTESTANTS - 1][r];
		snprintf(
		    name, sizeof(name), "to items / %s", contestants[c].name);
		print_row(name, row, rounds, "times as fast");
	}
}

static void
bench(const char *name, const struct provider_ops *ops,
    void (*fill)(struct text *t, size_t bytes), size_t bytes, int rounds)
{
	struct input in = {.name = name, .ops = ops};

	text_init(&in.stream, 100 << 20);
	fill(&in.stream, bytes);
	if (text_overflowed(&in.stream))
		die("no memory");
	find_json(&in);
	measure(&in, rounds);
	free(in.json);
	text_release(&in.stream);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7;
	size_t bytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : 8) * 1000000;

	if (rounds < 1 || rounds > ROUNDS_MAX || bytes == 0)
		die("usage: bench_json [ROUNDS [MEGABYTES]]");
	printf("%-34s %9s %9s %9s\n", "", "least", "median", "most");
	bench("responses, small deltas", &provider_responses, responses_deltas,
	    bytes, rounds);
	bench("responses, twice as much", &provider_responses, responses_deltas,
	    2 * bytes, rounds);
	bench("chat, small deltas", &provider_chat, chat_deltas, bytes, rounds);
	bench("messages, small deltas", &provider_messages, messages_deltas,
	    bytes, rounds);
	bench("one plain answer", NULL, document, 4000000, rounds);
	return 0;
}
