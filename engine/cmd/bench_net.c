/*
 * skep bench net: model calls as the engine makes them, over TLS, to a server
 * in this same process that streams an answer to whoever asks.  What it costs
 * is therefore both ends; what a provider would add is time, not CPU.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/cmd/bench_private.h"
#include "net/model_call.h"
#include "net/server.h"
#include "net/tls_cert.h"

#define NUMBER_MAX 1000000
#define JOBS_MAX 4000
#define DELTAS 100 /* of one answer */

struct net_bench {
	struct bench b;
	struct tls *tls;
	struct tls_server *tls_server;
	struct server *server;
	struct http_client *client;
	struct model_endpoint *endpoint;
	struct text answer;
	struct net_job *job;
	char folder[LIMIT_PATH]; /* private, for the authority's certificate */
	char ca_file[LIMIT_PATH + 8];
	struct loop_deferred over;
};

struct net_job {
	struct net_bench *n;
	struct model_call *call;
	uint64_t started_us;
};

/* --- the server --- */

/* How much of the answer went out is kept where the owner's pointer goes. */
static void
send_more(void *owner, struct exchange *x)
{
	struct net_bench *n = owner;
	size_t at = (size_t)(uintptr_t)exchange_user(x);
	struct span rest = span_slice(text_span(&n->answer), at, n->answer.n);
	size_t sent = server_write(x, rest);

	exchange_set_user(x, (void *)(uintptr_t)(at + sent));
	if (sent == rest.n)
		server_end(x);
}

static void
answer_request(void *owner, struct exchange *x)
{
	struct http_field type = {
	    span_of("content-type"), span_of("text/event-stream")};

	exchange_set_user(x, NULL);
	server_head(x, 200, &type, 1, -1);
	send_more(owner, x);
}

static void
gone(void *owner, struct exchange *x)
{
	(void)owner;
	(void)x;
}

static const struct server_ops server_ops = {
    .request = answer_request, .writable = send_more, .gone = gone};

/* --- the calls --- */

static void start_call(struct net_job *job);

static void
call_over(struct net_job *job)
{
	struct net_bench *n = job->n;

	job->call = NULL;
	n->b.ended++;
	if (n->b.ended == n->b.number)
		loop_break(n->b.loop);
	else
		start_call(job);
}

static void
done(void *owner, const struct model_result *r)
{
	struct net_job *job = owner;
	struct bench *b = &job->n->b;

	(void)r;
	b->sample[b->samples++] = os->now_us() - job->started_us;
	b->bytes += job->n->answer.n;
	call_over(job);
}

static void
failed(void *owner, const struct model_failure *f)
{
	struct net_job *job = owner;
	struct bench *b = &job->n->b;

	if (b->failed++ == 0)
		b->error = f->error;
	call_over(job);
}

static const struct model_call_ops call_ops = {.done = done, .failed = failed};

static void
start_call(struct net_job *job)
{
	struct span item = span_of(
	    "{\"type\":\"message\",\"role\":\"user\",\"content\":\"go\"}");
	struct net_bench *n = job->n;
	struct model_request q = {
	    .model = {"bench", 5}, .items = &item, .nitems = 1, .stream = 1};
	struct error e;

	if (n->b.started == n->b.number)
		return;
	n->b.started++;
	job->started_us = os->now_us();
	job->call = model_call_start(n->endpoint, &q, &call_ops, job, &e);
	if (job->call != NULL)
		return;
	if (n->b.failed++ == 0)
		n->b.error = e;
	n->b.ended++;
	if (n->b.ended == n->b.number)
		loop_defer(&n->over);
}

static void
all_over(struct loop_deferred *d)
{
	loop_break(d->loop);
}

/* --- start and end --- */

static int
write_ca(struct net_bench *n, struct span pem, struct error *e)
{
	const char *parent = getenv("TMPDIR");
	ssize_t wrote;
	int fd;

	if (parent == NULL || parent[0] == '\0')
		parent = "/tmp";
	snprintf(n->folder, sizeof n->folder, "%s/skep-bench-XXXXXX", parent);
	if (mkdtemp(n->folder) == NULL) {
		n->folder[0] = '\0';
		return error_set(e, ERROR_CANNOT_CREATE, errno,
		    "make a folder in %s", parent);
	}
	snprintf(n->ca_file, sizeof n->ca_file, "%s/ca.pem", n->folder);
	fd =
	    os->open(n->ca_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return error_set(
		    e, ERROR_CANNOT_CREATE, errno, "create %s", n->ca_file);
	wrote = os->write(fd, pem.p, pem.n);
	os->close(fd);
	if (wrote != (ssize_t)pem.n)
		return error_set(e, ERROR_IO, errno, "write %s", n->ca_file);
	return 0;
}

static int
make_certificate(struct net_bench *n, struct error *e)
{
	struct tls_cert_settings names = {.names = {"127.0.0.1", NULL}};
	struct tls_server_settings settings = {
	    .alpn = {"h2", "http/1.1", NULL}};
	struct tls_cert cert;
	int rc;

	text_init(&cert.ca, TLS_CERT_PEM_MAX);
	text_init(&cert.cert, TLS_CERT_PEM_MAX);
	text_init(&cert.key, TLS_CERT_PEM_MAX);
	rc = tls_cert_make(&cert, &names, e);
	if (rc == 0) {
		settings.cert_pem = text_span(&cert.cert);
		settings.key_pem = text_span(&cert.key);
		n->tls_server = tls_server_new(n->tls, &settings, e);
		rc = n->tls_server == NULL
			 ? -1
			 : write_ca(n, text_span(&cert.ca), e);
	}
	tls_cert_release(&cert);
	return rc;
}

static int
start_server(struct net_bench *n, struct error *e)
{
	struct server_settings settings = {.connections_max = JOBS_MAX};

	n->tls = tls_new(n->b.loop, e);
	if (n->tls == NULL || make_certificate(n, e) == -1 ||
	    address_parse(&settings.at, span_of("127.0.0.1:0"), e) == -1)
		return -1;
	settings.tls = n->tls_server;
	n->server = server_new(n->b.loop, &settings, &server_ops, n, e);
	return n->server == NULL ? -1 : 0;
}

static int
start_client(struct net_bench *n, struct error *e)
{
	struct http_client_settings many = {.calls_max = JOBS_MAX};
	struct model_endpoint_settings settings = {
	    .provider = &provider_responses, .ca_file = n->ca_file};
	char where[ADDRESS_TEXT_MAX], url[ADDRESS_TEXT_MAX + 16];

	address_text(server_address(n->server), where);
	snprintf(url, sizeof url, "https://%s/v1", where);
	settings.base_url = span_of(url);
	settings.calls_max = n->b.jobs;
	n->client = http_client_new(n->b.loop, &many, e);
	if (n->client == NULL)
		return -1;
	n->endpoint = model_endpoint_new(n->client, &settings, e);
	return n->endpoint == NULL ? -1 : 0;
}

static int
start(struct net_bench *n, struct error *e)
{
	struct bench *b = &n->b;

	b->sample = pool_take(b->number * sizeof b->sample[0], NULL);
	n->job = pool_take(b->jobs * sizeof n->job[0], NULL);
	bench_write_answer(&n->answer, DELTAS);
	if (b->sample == NULL || n->job == NULL || text_overflowed(&n->answer))
		return error_set(e, ERROR_FULL, 0, "no memory for a benchmark");
	b->loop = loop_new(e);
	if (b->loop == NULL)
		return -1;
	loop_deferred_init(&n->over, b->loop, all_over);
	return start_server(n, e) == -1 ? -1 : start_client(n, e);
}

static void
stop(struct net_bench *n)
{
	model_endpoint_free(n->endpoint);
	http_client_free(n->client);
	server_free(n->server);
	tls_server_free(n->tls_server);
	tls_free(n->tls);
	if (n->b.loop != NULL) {
		loop_undefer(&n->over);
		loop_free(n->b.loop);
	}
	pool_give(n->b.sample);
	pool_give(n->job);
	text_release(&n->answer);
	if (n->ca_file[0] != '\0')
		(void)unlink(n->ca_file);
	if (n->folder[0] != '\0')
		(void)rmdir(n->folder);
}

static void
measure(struct net_bench *n)
{
	struct bench *b = &n->b;
	struct http_counts counts;

	b->cpu_ms = bench_own_cpu_ms();
	b->wall_us = os->now_us();
	for (unsigned i = 0; i < b->jobs; i++) {
		n->job[i] = (struct net_job){.n = n};
		start_call(&n->job[i]);
	}
	loop_run(b->loop);
	b->wall_us = os->now_us() - b->wall_us;
	b->cpu_ms = bench_own_cpu_ms() - b->cpu_ms;
	b->rss = bench_rss();
	http_origin_counts(model_endpoint_origin(n->endpoint), &counts);
	b->connections = (unsigned)counts.connects;
	b->handshakes = (unsigned)counts.handshakes_full;
}

int
bench_net(struct cli *cli)
{
	static const struct plan plan = {.name = "net"};
	struct net_bench n = {.b = {.cli = cli, .plan = &plan}};
	struct error e;
	int status;

	n.b.number = (unsigned)cli_count(cli, "number", 5000);
	n.b.jobs = (unsigned)cli_count(cli, "jobs", 500);
	if (n.b.jobs > n.b.number)
		n.b.jobs = n.b.number;
	if (n.b.number == 0 || n.b.number > NUMBER_MAX || n.b.jobs == 0 ||
	    n.b.jobs > JOBS_MAX)
		return cli_usage(cli, "-n or -j is out of range");
	text_init(&n.answer, MIB);
	if (start(&n, &e) == -1) {
		status = cli_fail(cli, &e);
	} else {
		measure(&n);
		status = bench_report(&n.b);
	}
	stop(&n);
	return status;
}
