/*
 * skep bench json: streamed answers of a model, from the bytes of a socket to
 * items.  An answer is some hundred kilobytes of small deltas, as a long text
 * comes; it is read in pieces as large as a TLS record.
 */

#include <string.h>
#include <time.h>

#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/cmd/bench_private.h"
#include "net/json_write.h"
#include "net/provider.h"
#include "net/sse.h"

#define NUMBER_MAX 100000
#define ANSWER_BYTES_MAX ((size_t)1 << 20)
#define DELTAS 1000 /* of one answer */
#define PIECE 16384

static const char *const words[] = {"The ", "record", " holds ", "three ",
    "encounters", ",\n", "each \"dated\"", " and ", "signed", ". "};
#define WORDS (sizeof words / sizeof *words)

/* --- the answer --- */

static void
begin_event(struct text *t, struct json_writer *w, const char *type)
{
	text_add_str(t, "event: ");
	text_add_str(t, type);
	text_add_str(t, "\ndata: ");
	json_write_init(w, t);
	json_write_object(w);
	json_put_str(w, "type", type);
}

static void
end_event(struct text *t, struct json_writer *w)
{
	json_write_end(w);
	text_add_str(t, "\n\n");
}

static void
write_delta(struct text *t, int i)
{
	struct json_writer w;

	begin_event(t, &w, "response.output_text.delta");
	json_put_int(&w, "sequence_number", i);
	json_put_str(&w, "item_id", "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6");
	json_put_int(&w, "output_index", 0);
	json_put_int(&w, "content_index", 0);
	json_put_str(&w, "delta", words[(size_t)i % WORDS]);
	json_put_array(&w, "logprobs");
	json_write_end(&w);
	json_put_str(&w, "obfuscation", "aF3kQ9");
	end_event(t, &w);
}

static void
write_item(struct text *t, int deltas)
{
	struct json_writer w;

	begin_event(t, &w, "response.output_item.done");
	json_put_object(&w, "item");
	json_put_str(&w, "type", "message");
	json_put_str(&w, "role", "assistant");
	json_put_array(&w, "content");
	json_write_object(&w);
	json_put_str(&w, "type", "output_text");
	json_write_key(&w, "text");
	json_write_string_begin(&w);
	for (int i = 0; i < deltas; i++)
		json_write_string_add(&w, span_of(words[(size_t)i % WORDS]));
	json_write_string_end(&w);
	json_write_end(&w);
	json_write_end(&w);
	json_write_end(&w);
	end_event(t, &w);
}

void
bench_write_answer(struct text *t, int deltas)
{
	struct json_writer w;

	for (int i = 0; i < deltas; i++)
		write_delta(t, i);
	write_item(t, deltas);
	begin_event(t, &w, "response.completed");
	json_put_object(&w, "response");
	json_put_str(&w, "id", "resp_67ccd2bed1ec8190b14f964abc054267");
	json_put_str(&w, "status", "completed");
	json_put_object(&w, "usage");
	json_put_int(&w, "input_tokens", 1000);
	json_put_int(&w, "output_tokens", deltas);
	json_write_end(&w);
	json_write_end(&w);
	end_event(t, &w);
}

/* --- reading it --- */

static void
told(void *owner, struct span text)
{
	*(size_t *)owner += text.n;
}

static int
read_answer(struct span answer, struct error *e)
{
	size_t bytes = 0;
	struct reply_watch watch = {.text = told, .owner = &bytes};
	struct model_reply r;
	struct sse sse;
	struct sse_event ev;
	struct span piece;
	enum sse_result more = SSE_MORE;
	int verdict = 0;

	reply_init(&r, &provider_responses, &watch);
	sse_init(&sse, LIMIT_SSE_LINE, LIMIT_SSE_EVENT);
	for (size_t at = 0; at < answer.n && more == SSE_MORE; at += PIECE) {
		piece = span_slice(answer, at, at + PIECE);
		while ((more = sse_next(&sse, &piece, &ev, e)) == SSE_EVENT &&
		       verdict == 0)
			verdict = reply_event(&r, &ev);
	}
	if (verdict == 0)
		verdict = reply_finish(&r);
	if (verdict == -1)
		*e = r.error;
	if (verdict == 0 && (r.items != 1 || bytes == 0))
		verdict = error_set(e, ERROR_INTERNAL, 0, "an item is missing");
	reply_release(&r);
	sse_release(&sse);
	return more == SSE_BAD ? -1 : verdict;
}

uint64_t
bench_own_cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
measure(struct bench *b, struct span answer)
{
	uint64_t from;
	struct error e;

	b->cpu_ms = bench_own_cpu_ms();
	b->wall_us = os->now_us();
	for (; b->started < b->number; b->started++) {
		from = os->now_us();
		if (read_answer(answer, &e) == 0) {
			b->sample[b->samples++] = os->now_us() - from;
			b->bytes += answer.n;
		} else if (b->failed++ == 0) {
			b->error = e;
		}
	}
	b->wall_us = os->now_us() - b->wall_us;
	b->cpu_ms = bench_own_cpu_ms() - b->cpu_ms;
	b->rss = bench_rss();
}

int
bench_json(struct cli *cli)
{
	static const struct plan plan = {.name = "json"};
	struct bench b = {.cli = cli, .plan = &plan, .jobs = 1};
	struct text answer;
	struct error e;
	int status;

	b.number = (unsigned)cli_count(cli, "number", 1000);
	if (b.number == 0 || b.number > NUMBER_MAX)
		return cli_usage(cli, "-n is out of range");
	text_init(&answer, ANSWER_BYTES_MAX);
	bench_write_answer(&answer, DELTAS);
	b.sample = pool_take(b.number * sizeof b.sample[0], NULL);
	if (b.sample == NULL || text_overflowed(&answer)) {
		error_set(&e, ERROR_FULL, 0, "no memory for a benchmark");
		status = cli_fail(cli, &e);
	} else {
		measure(&b, text_span(&answer));
		status = bench_report(&b);
	}
	pool_give(b.sample);
	text_release(&answer);
	return status;
}
