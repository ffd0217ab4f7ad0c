#include "engine/cmd/bench_private.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "net/json_write.h"

#define REPORT_BYTES (64 * 1024)

static int
compare(const void *p, const void *q)
{
	const uint64_t *x = p, *y = q;

	return *x < *y ? -1 : *x > *y;
}

static double
sample_ms(const struct bench *b, unsigned percent)
{
	unsigned i = (unsigned)((uint64_t)b->samples * percent / 100);

	if (b->samples == 0)
		return 0;
	return (double)b->sample[i < b->samples ? i : b->samples - 1] / 1e3;
}

static void
put_host(struct json_writer *w)
{
	struct utsname u;

	uname(&u);
	json_put_object(w, "host");
	json_put_str(w, "kernel", u.release);
	json_put_str(w, "machine", u.machine);
	json_put_int(w, "processors", sysconf(_SC_NPROCESSORS_ONLN));
	json_put_bool(w, "root", geteuid() == 0);
	json_write_end(w);
}

static void
put_profile(const struct bench *b, struct json_writer *w)
{
	json_put_object(w, "profile");
	json_put_str(w, "name", b->profile->name);
	json_put_str(w, "digest", b->facts.digest);
	json_put_str(w, "rootfs", b->facts.rootfs);
	json_put_str(w, "network", b->facts.network);
	json_put_str(w, "cgroup", b->facts.cgroup);
	json_put_bool(w, "seccomp", b->facts.seccomp);
	json_write_end(w);
}

static void
put_report(const struct bench *b, struct text *out)
{
	unsigned ok = b->samples;
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	json_put_str(&w, "name", b->plan->name);
	json_put_uint(&w, "n", b->started);
	json_put_uint(&w, "concurrency", b->jobs);
	json_put_uint(&w, "ok", ok);
	json_put_uint(&w, "failed", b->failed);
	json_put_fixed(&w, "wall_seconds", (double)b->wall_us / 1e6, 6);
	json_put_fixed(
	    &w, "rate_per_s", ok * 1e6 / (double)(b->wall_us + 1), 1);
	json_put_fixed(&w, "p50_ms", sample_ms(b, 50), 3);
	json_put_fixed(&w, "p95_ms", sample_ms(b, 95), 3);
	json_put_fixed(&w, "p99_ms", sample_ms(b, 99), 3);
	json_put_fixed(&w, "max_ms", sample_ms(b, 100), 3);
	if (ok > 0)
		json_put_fixed(&w, "cpu_ms_each", (double)b->cpu_ms / ok, 3);
	if (b->plan->shape == SHAPE_STAY)
		json_put_int(&w, "memory_bytes_each", b->memory_each);
	json_put_int(&w, "engine_rss_bytes", b->rss);
	if (b->plan->excludes != NULL) {
		json_put_array(&w, "excludes");
		json_write_str(&w, b->plan->excludes);
		json_write_end(&w);
	}
	if (b->bytes > 0)
		json_put_fixed(&w, "bytes_per_s",
		    (double)b->bytes * 1e6 / (double)(b->wall_us + 1), 0);
	if (b->connections > 0) {
		json_put_uint(&w, "connections", b->connections);
		json_put_uint(&w, "handshakes", b->handshakes);
	}
	put_host(&w);
	if (b->profile != NULL)
		put_profile(b, &w);
	json_write_end(&w);
	text_add_char(out, '\n');
}

static void
say_report(const struct bench *b, struct text *out)
{
	double wall = (double)(b->wall_us + 1) / 1e6;

	text_printf(out,
	    "%s: %u ok, %u failed, %u at a time, %.2f s, %.0f per second\n",
	    b->plan->name, b->samples, b->failed, b->jobs, wall,
	    b->samples / wall);
	text_printf(out,
	    "ms: p50 %.3f, p95 %.3f, p99 %.3f, max %.3f; CPU of the machine "
	    "%.3f each\n",
	    sample_ms(b, 50), sample_ms(b, 95), sample_ms(b, 99),
	    sample_ms(b, 100),
	    b->samples > 0 ? (double)b->cpu_ms / b->samples : 0);
	if (b->plan->shape == SHAPE_STAY)
		text_printf(out, "memory: %lld KiB each",
		    (long long)b->memory_each / 1024);
	text_printf(out, "%sengine %lld KiB\n",
	    b->plan->shape == SHAPE_STAY ? ", " : "memory: ",
	    (long long)b->rss / 1024);
	if (b->bytes > 0)
		text_printf(out, "%.1f MB, %.0f MB per second\n",
		    (double)b->bytes / 1e6, (double)b->bytes / 1e6 / wall);
	if (b->connections > 0)
		text_printf(out, "%u connections, %u full handshakes\n",
		    b->connections, b->handshakes);
	if (b->profile != NULL)
		text_printf(out, "profile %s, cgroup %s, seccomp %s\n",
		    b->profile->name, b->facts.cgroup,
		    b->facts.seccomp ? "on" : "off");
}

int
bench_report(struct bench *b)
{
	struct text out;
	struct error e;
	int status = b->failed > 0 || b->samples == 0 ? 1 : 0;

	if (b->signal != 0)
		return 128 + b->signal;
	if (b->failed > 0)
		cli_note(b->cli, "%s: %u failed, the first: %s", b->plan->name,
		    b->failed, b->error.text);
	qsort(b->sample, b->samples, sizeof b->sample[0], compare);
	text_init(&out, REPORT_BYTES);
	if (b->cli->json)
		put_report(b, &out);
	else
		say_report(b, &out);
	if (cli_write(text_span(&out), &e) == -1)
		status = cli_fail(b->cli, &e);
	text_release(&out);
	return status;
}
