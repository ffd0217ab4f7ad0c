#include "engine/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/batch.h"
#include "engine/network.h"
#include "engine/sched.h"

#define BLOCK_EVERY_MS 250
#define LINE_EVERY_MS 10000
#define TEXT_MAX 8192

/* Standard error takes it or does not; nothing depends on it. */
static void
show(const struct text *t)
{
	struct span s = text_span(t);

	while (s.n > 0) {
		ssize_t n = os->write(STDERR_FILENO, s.p, s.n);

		if (n <= 0)
			return;
		s = span_slice(s, (size_t)n, s.n);
	}
}

static uint64_t
ended(const struct batch_counts *c)
{
	return c->finished + c->failed + c->cancelled;
}

static double
seconds_since(const struct progress *p)
{
	uint64_t now = os->now_us() / 1000;

	return now > p->began_ms ? (double)(now - p->began_ms) / 1000 : 0.001;
}

/* 1234567 as "1.23M". */
static void
add_amount(struct text *t, uint64_t n)
{
	static const char *const unit[] = {"", "k", "M", "G", "T"};
	double v = (double)n;
	size_t i = 0;

	while (v >= 1000 && i + 1 < sizeof unit / sizeof unit[0]) {
		v /= 1000;
		i++;
	}
	text_printf(t, i == 0 ? "%.0f%s" : "%.4g%s", v, unit[i]);
}

/* Runs a second; one that had only to be written again was no work. */
static double
rate_of(const struct progress *p)
{
	const struct batch_counts *c = &p->batch->counts;

	return (double)(ended(c) - c->found) / seconds_since(p);
}

static void
add_duration(struct text *t, double seconds)
{
	unsigned long s = (unsigned long)(seconds + 0.5);

	if (s >= 3600)
		text_printf(t, "%luh%02lum", s / 3600, s / 60 % 60);
	else if (s >= 60)
		text_printf(t, "%lum%02lus", s / 60, s % 60);
	else
		text_printf(t, "%lus", s);
}

/* "120/200 done, 64 running, 2 failed, 23.4/s, 12s left". */
static void
add_runs(const struct progress *p, struct text *t)
{
	const struct batch_counts *c = &p->batch->counts;
	double rate = rate_of(p);
	uint64_t all = p->batch->source.tasks;
	uint64_t left = c->running + batch_left(p->batch);
	unsigned active = sched_active(p->batch->engine.supplies.sched);

	text_printf(t, "%llu", (unsigned long long)(ended(c) + c->skipped));
	if (all > 0)
		text_printf(t, "/%llu", (unsigned long long)all);
	text_printf(t, " done, %u running, %llu failed", active,
	    (unsigned long long)c->failed);
	if (c->skipped > 0)
		text_printf(
		    t, ", %llu skipped", (unsigned long long)c->skipped);
	text_printf(t, ", %.1f/s", rate);
	if (all > 0 && rate > 0 && left > 0) {
		text_add_str(t, ", ");
		add_duration(t, (double)left / rate);
		text_add_str(t, " left");
	}
}

static void
add_costs(const struct progress *p, struct text *t)
{
	const struct batch *b = p->batch;
	const struct sched *s = b->engine.supplies.sched;

	add_amount(t, spending_tokens(&b->counts.spent));
	text_printf(t, " tokens, $%.4f, %u sandboxes, %u model calls",
	    b->counts.spent.usd, sched_sandboxes(s), sched_models(s)->taken);
	if (sched_models(s)->waiting.length > 0)
		text_printf(
		    t, " (%u waiting)", sched_models(s)->waiting.length);
	network_limits(&b->engine.supplies, t);
}

static void
clear_block(struct progress *p, struct text *t)
{
	for (; p->lines > 0; p->lines--)
		text_add_str(t, "\033[1A\033[2K");
	text_add_char(t, '\r');
}

static void
add_fitted(struct progress *p, struct text *t,
    void (*add)(const struct progress *p, struct text *t))
{
	struct text line;

	text_init(&line, TEXT_MAX);
	add(p, &line);
	terminal_fit(text_span(&line), p->terminal.columns - 1, t);
	text_add_char(t, '\n');
	text_release(&line);
	p->lines++;
}

static void
draw(struct progress *p)
{
	struct text t;

	text_init(&t, TEXT_MAX);
	if (p->terminal.can_move) {
		terminal_measure(&p->terminal);
		clear_block(p, &t);
		add_fitted(p, &t, add_runs);
		add_fitted(p, &t, add_costs);
	} else {
		text_add_str(&t, "skep: ");
		add_runs(p, &t);
		text_add_str(&t, "; ");
		add_costs(p, &t);
		text_add_char(&t, '\n');
	}
	show(&t);
	text_release(&t);
}

static void
tick(struct loop_timer *timer)
{
	struct progress *p = container_of(timer, struct progress, timer);

	draw(p);
	loop_timer_start(
	    timer, p->terminal.can_move ? BLOCK_EVERY_MS : LINE_EVERY_MS);
}

void
progress_start(struct progress *p, const struct batch *batch, int is_quiet)
{
	*p = (struct progress){
	    .batch = batch,
	    .is_quiet = is_quiet,
	    .began_ms = os->now_us() / 1000,
	};
	terminal_look(&p->terminal, STDERR_FILENO);
	loop_timer_init(&p->timer, batch->engine.loop, tick);
	if (!is_quiet)
		loop_timer_start(&p->timer,
		    p->terminal.can_move ? BLOCK_EVERY_MS : LINE_EVERY_MS);
}

void
progress_note(struct progress *p, const char *text)
{
	unsigned lines = p->lines;
	struct text t;

	if (p->is_quiet)
		return;
	text_init(&t, TEXT_MAX);
	if (lines > 0)
		clear_block(p, &t);
	text_add_str(&t, "skep: ");
	terminal_neutral(span_of(text), 0, &t);
	text_add_char(&t, '\n');
	show(&t);
	text_release(&t);
	if (lines > 0)
		draw(p);
}

void
progress_stop(struct progress *p)
{
	struct text t;

	if (p->batch == NULL)
		return;
	loop_timer_stop(&p->timer);
	text_init(&t, TEXT_MAX);
	if (p->lines > 0) {
		clear_block(p, &t);
		show(&t);
	}
	text_release(&t);
}

void
progress_account(const struct progress *p)
{
	const struct batch_counts *c = &p->batch->counts;
	struct text t;

	if (p->is_quiet)
		return;
	text_init(&t, TEXT_MAX);
	text_printf(&t, "skep: %llu done, %llu failed, %llu skipped",
	    (unsigned long long)c->finished,
	    (unsigned long long)(c->failed + c->cancelled),
	    (unsigned long long)c->skipped);
	if (c->running > 0)
		text_printf(
		    &t, ", %llu unfinished", (unsigned long long)c->running);
	text_printf(&t, "; %.1f runs/s, ", rate_of(p));
	add_amount(&t, spending_tokens(&c->spent));
	text_printf(&t, " tokens, $%.4f\n", c->spent.usd);
	show(&t);
	text_release(&t);
}
