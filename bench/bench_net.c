/*
 * bench_net URL CA_FILE N J h1|h2
 *
 * N streamed requests to a model's server, J at once, by skep's HTTP client;
 * one line of JSON.  net.py runs it beside libcurl.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "net/http.h"

static const char body[] =
    "{\"model\":\"scripted\",\"stream\":true,\"input\":\"hello\"}";

static struct {
	struct loop *loop;
	struct http_origin *origin;
	struct span target, body;
	unsigned left, running, ok, failed;
	unsigned long long bytes;
} b;

static void start_one(void);

static void
got_head(void *owner, const struct http_head *head)
{
	(void)owner;
	if (head->status != 200)
		b.failed++;
}

static void
got_body(void *owner, struct span bytes)
{
	(void)owner;
	b.bytes += bytes.n;
}

static void
one_is_over(void)
{
	b.running--;
	if (b.left > 0)
		start_one();
	else if (b.running == 0)
		loop_break(b.loop);
}

static void
got_end(void *owner, const struct http_head *trailers)
{
	(void)owner;
	(void)trailers;
	b.ok++;
	one_is_over();
}

static void
got_failure(void *owner, const struct http_failure *f)
{
	(void)owner;
	if (b.failed++ < 3)
		fprintf(stderr, "%s\n", f->error.text);
	one_is_over();
}

static const struct http_ops ops = {
    .head = got_head,
    .body = got_body,
    .end = got_end,
    .failed = got_failure,
};

static void
start_one(void)
{
	static const struct http_request_field fields[] = {
	    {"Content-Type", {"application/json", 16}, NULL},
	    {"Accept", {"text/event-stream", 17}, NULL},
	    {"Authorization", {"Bearer none", 11}, NULL}};
	struct http_request q = {
	    .method = "POST",
	    .target = b.target,
	    .fields = fields,
	    .nfields = 3,
	    .body = &b.body,
	    .nbody = 1,
	    .first_byte_ms = 60000,
	    .idle_ms = 60000,
	};
	struct error e;

	CHECK(http_start(b.origin, &q, &ops, NULL, &e) != NULL);
	b.left--;
	b.running++;
}

/* The most memory that this program had; ru_maxrss begins with what it was
   forked from. */
static long
peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kib;
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int
main(int argc, char **argv)
{
	struct http_origin_settings s = {.limit_is_fixed = 1};
	struct http_client *client;
	struct http_counts n;
	struct rusage ru;
	uint64_t began;
	double cpu;
	struct error e;
	unsigned total, jobs;

	if (argc != 6) {
		fprintf(stderr, "bench_net URL CA_FILE N J h1|h2\n");
		return 64;
	}
	total = b.left = (unsigned)strtoul(argv[3], NULL, 10);
	jobs = (unsigned)strtoul(argv[4], NULL, 10);
	CHECK(pool_start(GIB, &e) == 0);
	b.loop = loop_new(&e);
	client = http_client_new(b.loop, NULL, &e);
	s.url = span_of(argv[1]);
	s.tls.ca_file = argv[2];
	s.http1_only = argv[5][1] == '1';
	s.connections_max = jobs;
	b.origin = http_origin_new(client, &s, &e);
	CHECK(b.origin != NULL);
	b.target = span_of("/v1/responses");
	b.body = span_of(body);
	began = loop_now_us(b.loop);
	while (b.running < jobs && b.left > 0)
		start_one();
	loop_run(b.loop);
	getrusage(RUSAGE_SELF, &ru);
	cpu = seconds(ru.ru_utime) + seconds(ru.ru_stime);
	http_origin_counts(b.origin, &n);
	printf("{\"client\":\"skep\",\"ok\":%u,\"failed\":%u,\"bytes\":%llu,"
	       "\"wall_s\":%.3f,\"cpu_us_each\":%.1f,\"rss_kib\":%ld,"
	       "\"connections\":%llu,\"full\":%llu,\"resumed\":%llu}\n",
	    b.ok, b.failed, b.bytes,
	    (double)(loop_now_us(b.loop) - began) / 1e6, 1e6 * cpu / total,
	    peak_kib(), n.connects, n.handshakes_full, n.handshakes_resumed);
	http_client_free(client);
	loop_free(b.loop);
	return b.ok == total && b.failed == 0 ? 0 : 1;
}
