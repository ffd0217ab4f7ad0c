#include "engine/solo.h"

#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/events_out.h"
#include "engine/role.h"
#include "engine/sched.h"

#define SHOWN_MAX (1 * MIB)

static struct solo *
solo_of(const struct errand *er)
{
	return er->owner;
}

/* --- events --- */

static void
put(struct solo *s)
{
	outlet_put(&s->outlet, NULL);
}

static struct text *
line(struct solo *s)
{
	return outlet_text(&s->outlet);
}

/* --- for people: standard error, and a terminal's standard output --- */

static void
show(int fd, const struct text *t)
{
	struct span rest = text_span(t);

	while (rest.n > 0) {
		ssize_t n = os->write(fd, rest.p, rest.n);

		if (n <= 0)
			return;
		rest = span_slice(rest, (size_t)n, rest.n);
	}
}

static int
is_shown(const struct solo *s)
{
	return s->err.is_tty && !s->settings.quiet && !s->settings.json;
}

/* "mark what", cut to the terminal's width. */
static void
show_line(struct solo *s, const char *mark, struct span what)
{
	struct text t;

	text_init(&t, SHOWN_MAX);
	if (s->has_text)
		text_add_char(&t, '\n');
	s->has_text = 0;
	text_add_str(&t, s->err.has_colour ? "\033[2m" : "");
	text_add_str(&t, mark);
	terminal_fit(what, s->err.columns - 4, &t);
	text_add_str(&t, s->err.has_colour ? "\033[0m\n" : "\n");
	show(STDERR_FILENO, &t);
	text_release(&t);
}

static void
show_call(struct solo *s, const struct turn_call *call)
{
	struct text t;

	text_init(&t, SHOWN_MAX);
	text_add(&t, call->item.name.n > 0 ? call->item.name : call->item.type);
	text_add_char(&t, ' ');
	item_add_payload(&call->item, &t);
	show_line(s, "> ", text_span(&t));
	text_release(&t);
}

static void
show_output(struct solo *s, const struct turn_call *call)
{
	struct item answer;
	struct error ignored;
	struct text t;

	if (item_parse(
		&answer, call->answer, &call->errand->scratch, &ignored) == -1)
		return;
	text_init(&t, SHOWN_MAX);
	item_add_payload(&answer, &t);
	show_line(s, "< ", text_span(&t));
	text_release(&t);
}

/* --- what happens --- */

static void
started(struct errand *er)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_run_started(er, line(s));
		put(s);
	}
}

static void
turn_started(struct errand *er)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_turn_started(er, line(s));
		put(s);
	}
}

static void
text_came(struct errand *er, struct span text)
{
	struct solo *s = solo_of(er);
	struct text t;

	if (s->settings.json) {
		event_text_delta(er, text, line(s));
		put(s);
	} else if (s->out.is_tty) {
		text_init(&t, SHOWN_MAX);
		terminal_neutral(text, TERMINAL_LINES, &t);
		show(STDOUT_FILENO, &t);
		text_release(&t);
		s->has_text = 1;
	}
}

static void
restarted(struct errand *er)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_text_restarted(er, line(s));
		put(s);
	} else if (s->has_text) {
		show_line(s, "", span_of("(the answer was cut; once more)"));
	}
}

static void
tool_called(struct errand *er, const struct turn_call *call)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_tool_called(er, call, line(s));
		put(s);
	} else if (is_shown(s)) {
		show_call(s, call);
	}
}

static void
tool_output(struct errand *er, const struct turn_call *call)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_tool_output(er, call, line(s));
		put(s);
	} else if (is_shown(s)) {
		show_output(s, call);
	}
}

static void
turn_finished(struct errand *er)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_turn_finished(er, line(s));
		put(s);
	}
}

/* "billing finished" and the like. */
static void
show_agent(struct solo *s, const struct errand *child, const char *what)
{
	struct text t;

	text_init(&t, SHOWN_MAX);
	text_printf(&t, "%s %s", child->role->agent->name, what);
	show_line(s, "@ ", text_span(&t));
	text_release(&t);
}

static void
role_changed(struct errand *er)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_agent_updated(er, line(s));
		put(s);
	} else if (is_shown(s)) {
		show_agent(s, er, "takes over");
	}
}

static void
child_started(struct errand *er, const struct errand *child)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_agent_started(er, child, line(s));
		put(s);
	} else if (is_shown(s)) {
		show_agent(s, child, "started");
	}
}

static void
child_ended(struct errand *er, const struct errand *child)
{
	struct solo *s = solo_of(er);

	if (s->settings.json) {
		event_agent_finished(er, child, line(s));
		put(s);
	} else if (is_shown(s)) {
		show_agent(s, child, run_state_name(child->result.status));
	}
}

/* The final answer: bytes as they are; to a terminal, if not there already. */
static void
put_answer(struct solo *s, const struct errand *er)
{
	if (!s->out.is_tty)
		text_add(line(s), er->answer);
	else if (!s->has_text)
		terminal_neutral(er->answer, TERMINAL_LINES, line(s));
	put(s);
}

static void
ended(struct errand *er)
{
	struct solo *s = solo_of(er);

	s->is_over = 1;
	s->status = er->result.status;
	if (er->result.error != NULL)
		s->failure = *er->result.error;
	if (s->settings.json) {
		event_run_finished(er, line(s));
		put(s);
	} else if (s->status == RUN_FINISHED) {
		put_answer(s, er);
	}
	sched_wake(s->engine.supplies.sched);
}

/* --- the engine's source --- */

static void
feed(void *owner)
{
	struct solo *s = owner;
	struct errand *er;

	if (s->is_over && outlet_is_empty(&s->outlet))
		engine_finish(&s->engine);
	if (s->is_admitted || s->is_draining)
		return;
	s->is_admitted = 1;
	er = errand_new(&s->engine.supplies, s);
	CHECK(er != NULL);
	er->task.input = s->settings.prompt;
	hash_of(s->settings.prompt, &er->task.digest);
	errand_admit(er, NULL, NULL);
}

static int
is_dirty(void *owner)
{
	(void)owner;
	return 0;
}

static void
record(void *owner)
{
	(void)owner;
}

static void
draining(void *owner)
{
	struct solo *s = owner;

	s->is_draining = 1;
	if (is_shown(s))
		show_line(s, "",
		    span_of("stopping after this step; once more to stop at "
			    "once"));
}

static void
learning(void *owner)
{
	struct solo *s = owner;

	if (is_shown(s))
		show_line(s, "",
		    span_of("learning from this run; Ctrl-C leaves it for the "
			    "next"));
}

static void
drained(void *owner)
{
	struct solo *s = owner;

	if (!s->is_over)
		engine_finish(&s->engine);
}

static const struct engine_source source = {
    .feed = feed,
    .is_dirty = is_dirty,
    .record = record,
    .draining = draining,
    .drained = drained,
    .learning = learning,
    .watch =
	{
	    .started = started,
	    .turn_started = turn_started,
	    .text = text_came,
	    .restarted = restarted,
	    .tool_called = tool_called,
	    .tool_output = tool_output,
	    .turn_finished = turn_finished,
	    .role_changed = role_changed,
	    .child_started = child_started,
	    .child_ended = child_ended,
	    .ended = ended,
	},
};

static void
emptied(void *owner)
{
	struct solo *s = owner;

	sched_wake(s->engine.supplies.sched);
}

static void
cannot_write(void *owner, const struct error *e)
{
	struct solo *s = owner;

	engine_fail(&s->engine, e);
}

static const struct outlet_ops outlet_ops = {
    .emptied = emptied,
    .failed = cannot_write,
};

int
solo_open(struct solo *s, const struct solo_settings *settings,
    const struct engine_settings *engine, struct error *e)
{
	memset(s, 0, sizeof *s);
	engine_init(&s->engine);
	s->settings = *settings;
	terminal_look(&s->out, STDOUT_FILENO);
	terminal_look(&s->err, STDERR_FILENO);
	if (engine_open(&s->engine, engine, &source, s, e) == -1)
		return -1;
	outlet_init(&s->outlet, s->engine.loop, STDOUT_FILENO,
	    "standard output", &outlet_ops, s);
	return 0;
}

int
solo_run(struct solo *s, struct error *e)
{
	engine_run(&s->engine);
	if (s->engine.error.code == ERROR_NONE)
		return 0;
	*e = s->engine.error;
	return -1;
}

void
solo_close(struct solo *s)
{
	if (s->outlet.ops != NULL)
		outlet_release(&s->outlet);
	engine_close(&s->engine);
}
