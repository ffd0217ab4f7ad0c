#include "engine/batch.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/text.h"
#include "engine/role.h"
#include "engine/sched.h"

/* Task lines looked at in one turn of the loop. */
#define LINES_PER_TURN 64

/* Deliveries open at once, beyond the runs themselves. */
#define WINDOW 4096
#define WINDOW_ORDERED 65536

enum delivery_state {
	DELIVERY_RUNNING,
	DELIVERY_READY,
	DELIVERY_WRITING,
	DELIVERY_OUT,
};

struct delivery {
	struct batch *batch;
	int64_t number; /* of the run */
	enum delivery_state state;
	struct list_node in_order;
	struct list_node in_list; /* ready or to_mark */
};

/* --- results out --- */

/* The next one that may be written, taken off its list; NULL: none. */
static struct delivery *
next_ready(struct batch *b)
{
	struct list_node *n;
	struct delivery *d;

	if (!b->settings.ordered) {
		n = list_first(&b->ready);
		if (n == NULL)
			return NULL;
		list_remove(&b->ready, n);
		return container_of(n, struct delivery, in_list);
	}
	n = list_first(&b->in_order);
	d = n == NULL ? NULL : container_of(n, struct delivery, in_order);
	if (d == NULL || d->state != DELIVERY_READY)
		return NULL;
	list_remove(&b->in_order, n);
	return d;
}

static void
write_results(struct batch *b)
{
	struct delivery *d;
	struct error e;

	while (outlet_has_room(&b->outlet) && (d = next_ready(b)) != NULL) {
		int got = store_result(b->engine.supplies.store, d->number,
		    outlet_text(&b->outlet), &e);

		if (got == -1) {
			engine_fail(&b->engine, &e);
			return;
		}
		CHECK(got == 1);
		d->state = DELIVERY_WRITING;
		b->writing++;
		outlet_put(&b->outlet, d);
	}
}

static void
is_out(void *owner, void *tag)
{
	struct batch *b = owner;
	struct delivery *d = tag;

	d->state = DELIVERY_OUT;
	b->writing--;
	b->counts.delivered++;
	list_append(&b->to_mark, &d->in_list);
	write_results(b);
	sched_wake(b->engine.supplies.sched);
}

static void
cannot_write(void *owner, const struct error *e)
{
	struct batch *b = owner;

	engine_fail(&b->engine, e);
}

static const struct outlet_ops outlet_ops = {
    .written = is_out,
    .failed = cannot_write,
};

static void
make_ready(struct delivery *d)
{
	struct batch *b = d->batch;

	d->state = DELIVERY_READY;
	if (!b->settings.ordered)
		list_append(&b->ready, &d->in_list);
	write_results(b);
}

static int
is_dirty(void *owner)
{
	struct batch *b = owner;

	return b->to_mark.length > 0;
}

static void
record(void *owner)
{
	struct batch *b = owner;

	while (b->to_mark.length > 0) {
		struct delivery *d = container_of(
		    list_first(&b->to_mark), struct delivery, in_list);

		store_run_written(b->engine.supplies.store, d->number);
		list_remove(&b->to_mark, &d->in_list);
		slab_give(&b->deliveries, d);
	}
	sched_wake(b->engine.supplies.sched); /* is it the last one? */
}

/* --- runs --- */

static void
add_spending(struct spending *sum, const struct spending *s)
{
	sum->turns += s->turns;
	sum->model_calls += s->model_calls;
	sum->tool_calls += s->tool_calls;
	sum->input_tokens += s->input_tokens;
	sum->cached_tokens += s->cached_tokens;
	sum->output_tokens += s->output_tokens;
	sum->reasoning_tokens += s->reasoning_tokens;
	sum->usd += s->usd;
}

static void
count_end(struct batch *b, enum run_state state)
{
	if (state == RUN_FINISHED)
		b->counts.finished++;
	else if (state == RUN_FAILED)
		b->counts.failed++;
	else
		b->counts.cancelled++;
}

static void
run_ended(struct errand *er)
{
	struct delivery *d = er->owner;
	struct batch *b = d->batch;

	b->counts.running--;
	count_end(b, er->result.status);
	add_spending(&b->counts.spent, &er->spent);
	make_ready(d);
}

static struct delivery *
new_delivery(struct batch *b, int64_t number)
{
	struct delivery *d = slab_take(&b->deliveries);

	CHECK(d != NULL); /* feed() looked */
	d->batch = b;
	d->number = number;
	d->state = DELIVERY_RUNNING;
	if (b->settings.ordered)
		list_append(&b->in_order, &d->in_order);
	return d;
}

/* Its result is in the store: is it out as well? */
static void
settle_found(struct batch *b, const struct store_found *found)
{
	int is_there = b->file.is_regular
			   ? seen_has(&b->file.run_ids, span_of(found->id))
			   : found->is_written;

	if (is_there) {
		b->counts.skipped++;
		b->counts.skipped_bad += found->state != RUN_FINISHED;
		return;
	}
	count_end(b, found->state);
	b->counts.found++;
	make_ready(new_delivery(b, found->number));
}

static void
say_changed(
    struct batch *b, const struct errand *er, const struct store_found *found)
{
	char text[320];
	struct span id = er->task.custom_id;

	if (b->settings.note == NULL)
		return;
	snprintf(text, sizeof text,
	    "%s:%llu: the task \"%.*s\" has changed since run %s; it runs "
	    "anew",
	    b->source.name, (unsigned long long)er->task.line,
	    (int)(id.n < 80 ? id.n : 80), id.p, found->id);
	b->settings.note(b->settings.owner, text);
}

static void
admit(struct batch *b, struct errand *er, const struct store_found *found,
    const struct error *bad)
{
	struct delivery *d = new_delivery(b, 0);

	er->owner = d;
	b->counts.running++;
	errand_admit(er, found, bad);
	d->number = er->number;
}

/* A task was read, or cannot be: what is to be done for it? */
static void
take_task(struct batch *b, struct errand *er, const struct error *bad)
{
	struct supplies *s = &b->engine.supplies;
	struct span id = er->task.custom_id;
	struct store_found found;
	struct error e;
	int got;

	if (id.n == 0)
		id.p = NULL;
	got = store_find(s->store, &s->role[0].digest, id, &er->task.digest,
	    er->task.line, &found, &e);
	if (got == -1) {
		errand_drop(er);
		engine_fail(&b->engine, &e);
	} else if (got == 0) {
		admit(b, er, NULL, bad);
	} else if (found.task_differs) {
		say_changed(b, er, &found);
		admit(b, er, NULL, bad);
	} else if (run_state_is_end(found.state)) {
		errand_drop(er);
		settle_found(b, &found);
	} else {
		admit(b, er, &found, bad);
	}
}

/* A second line with the same custom_id cannot have that name. */
static int
refuse_second(struct batch *b, struct errand *er, struct error *e)
{
	struct span id = er->task.custom_id;

	if (id.n == 0 || seen_add(&b->ids, id) != 0)
		return 0;
	er->task.custom_id = (struct span){NULL, 0};
	return error_set(e, ERROR_BAD_TASK, 0,
	    "custom_id \"%.*s\" was used by a line before this one",
	    (int)(id.n < 80 ? id.n : 80), id.p);
}

static void
take_line(struct batch *b, enum task_source_next kind, struct span line)
{
	struct errand *er = errand_new(&b->engine.supplies, NULL);
	uint64_t number = b->source.reader.number;
	struct error e, *bad = NULL;

	CHECK(er != NULL); /* feed() looked */
	b->counts.tasks++;
	if (kind == TASK_SOURCE_LONG) {
		er->task.line = number;
		error_set(&e, ERROR_BAD_TASK, 0,
		    "the line is longer than %zu bytes", LIMIT_TASK_LINE);
		bad = &e;
	} else if (errand_read_task(er, line, number, b->folder, &e) == -1 ||
		   refuse_second(b, er, &e) == -1) {
		bad = &e;
	}
	if (bad != NULL)
		error_wrap(
		    bad, "%s:%llu", b->source.name, (unsigned long long)number);
	take_task(b, er, bad);
}

static int
has_room(const struct batch *b)
{
	return b->deliveries.used < b->deliveries.slots &&
	       sched_room(b->engine.supplies.sched) > 0 &&
	       b->engine.supplies.errands.used <
		   b->engine.supplies.errands.slots;
}

static void
read_tasks(struct batch *b)
{
	struct span line;

	for (int i = 0; has_room(b); i++) {
		enum task_source_next kind;

		if (i == LINES_PER_TURN) {
			sched_wake(b->engine.supplies.sched);
			return;
		}
		kind = task_source_next(&b->source, &line);
		switch (kind) {
		case TASK_SOURCE_LINE:
		case TASK_SOURCE_LONG:
			take_line(b, kind, line);
			break;
		case TASK_SOURCE_WAIT:
			return;
		case TASK_SOURCE_END:
			b->at_end = 1;
			return;
		case TASK_SOURCE_ERROR:
			engine_fail(&b->engine, &b->source.error);
			return;
		}
	}
}

/* Everything that can be done is done, written and marked. */
static int
is_done(const struct batch *b)
{
	if (b->writing > 0 || b->to_mark.length > 0)
		return 0;
	if (b->is_drained)
		return b->ready.length == 0;
	return batch_is_complete(b);
}

static void
feed(void *owner)
{
	struct batch *b = owner;

	if (!b->is_draining && !b->at_end)
		read_tasks(b);
	if (is_done(b))
		engine_finish(&b->engine);
}

static void
readable(struct task_source *src)
{
	struct batch *b = container_of(src, struct batch, source);

	sched_wake(b->engine.supplies.sched);
}

static void
draining(void *owner)
{
	struct batch *b = owner;

	b->is_draining = 1;
	if (b->settings.note != NULL)
		b->settings.note(b->settings.owner,
		    "stopping: running steps are finished, nothing new is "
		    "begun; once more to stop at once");
}

static void
drained(void *owner)
{
	struct batch *b = owner;

	b->is_drained = 1;
	sched_wake(b->engine.supplies.sched);
}

static void
learning(void *owner)
{
	struct batch *b = owner;

	if (b->settings.note != NULL)
		b->settings.note(b->settings.owner,
		    "all tasks are done; learning from them (Ctrl-C leaves it "
		    "for the next time)");
}

static const struct engine_source source = {
    .feed = feed,
    .is_dirty = is_dirty,
    .record = record,
    .draining = draining,
    .drained = drained,
    .learning = learning,
    .watch = {.ended = run_ended},
};

/* --- life --- */

int
batch_open(struct batch *b, const struct batch_settings *settings,
    const struct engine_settings *engine, struct error *e)
{
	unsigned window = settings->ordered ? WINDOW_ORDERED : WINDOW;

	memset(b, 0, sizeof *b);
	engine_init(&b->engine);
	b->settings = *settings;
	b->file.fd = -1;
	list_init(&b->in_order);
	list_init(&b->ready);
	list_init(&b->to_mark);
	seen_init(&b->ids);
	if (task_source_open(&b->source, settings->tasks, e) == -1 ||
	    task_source_check(&b->source, e) == -1)
		return -1;
	if (b->source.is_regular && b->source.tasks == 0)
		return error_set(e, ERROR_SYNTAX, 0, "there is no task in %s",
		    b->source.name);
	if (result_file_open(&b->file, settings->output, e) == -1 ||
	    engine_open(&b->engine, engine, &source, b, e) == -1 ||
	    slab_init(&b->deliveries, "deliveries", sizeof(struct delivery),
		b->engine.supplies.errands.slots + window, e) == -1)
		return -1;
	b->folder = settings->folder;
	outlet_init(&b->outlet, b->engine.loop, b->file.fd, b->file.name,
	    &outlet_ops, b);
	task_source_start(&b->source, b->engine.loop, readable);
	return 0;
}

int
batch_run(struct batch *b, struct error *e)
{
	engine_run(&b->engine);
	if (b->engine.error.code != ERROR_NONE) {
		*e = b->engine.error;
		return -1;
	}
	if (b->at_end && b->counts.tasks == 0)
		return error_set(e, ERROR_SYNTAX, 0, "there is no task in %s",
		    b->source.name);
	return 0;
}

void
batch_close(struct batch *b)
{
	if (b->outlet.ops != NULL)
		outlet_release(&b->outlet);
	task_source_close(&b->source);
	engine_close(&b->engine);
	slab_release(&b->deliveries);
	seen_release(&b->ids);
	result_file_close(&b->file);
}

int
batch_is_complete(const struct batch *b)
{
	return b->at_end && b->deliveries.used == 0;
}

uint64_t
batch_left(const struct batch *b)
{
	return b->source.tasks > b->counts.tasks
		   ? b->source.tasks - b->counts.tasks
		   : 0;
}
