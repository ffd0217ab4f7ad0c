/*
 * Drives the run state machine with a scripted world: every port remembers
 * that it was called, and the test posts what the world would have answered.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/run.h"
#include "engine/sched.h"

static struct {
	struct loop *loop;
	struct sched *sched;
	struct loop_turn counter;
	int turns_to_go;
	char log[2048];   /* "queued>model " for every state recorded */
	size_t committed; /* how much of it is durable */
	size_t buffered;  /* where this transaction began */
	enum sched_store begins, commits; /* what the store answers */
	int failed, drained;
	unsigned plain_records; /* records without a change of state */

	char acts[256]; /* one letter for every port called */
	size_t committed_at_last_act;
	int model_refuses;
	int turns_left;
} world;

static void
feed(void *owner)
{
	(void)owner;
}

static int
is_dirty(void *owner)
{
	(void)owner;
	return 0;
}

static enum sched_store
begin(void *owner)
{
	(void)owner;
	world.buffered = strlen(world.log);
	return world.begins;
}

static enum sched_store
commit(void *owner)
{
	(void)owner;
	if (world.commits == SCHED_STORE_READY)
		world.committed = strlen(world.log);
	return world.commits;
}

static void
failed(void *owner)
{
	(void)owner;
	world.failed++;
}

static void
drained(void *owner)
{
	(void)owner;
	world.drained++;
}

static const struct sched_ports sched_ports = {
    .feed = feed,
    .is_dirty = is_dirty,
    .begin = begin,
    .record = feed,
    .commit = commit,
    .failed = failed,
    .drained = drained,
};

static int
afford(const struct run *run, struct error *e)
{
	(void)run;
	if (world.turns_left-- > 0)
		return 0;
	return error_set(e, ERROR_BUDGET_TURNS, 0, "no turns left");
}

static void
record(struct run *run, enum run_state from, enum run_state to)
{
	size_t n = strlen(world.log);

	(void)run;
	if (from == to) {
		world.plain_records++;
		return;
	}
	snprintf(world.log + n, sizeof world.log - n, "%s>%s ",
	    run_state_name(from), run_state_name(to));
}

static void
note(char letter)
{
	size_t n = strlen(world.acts);

	world.acts[n] = letter;
	world.acts[n + 1] = '\0';
	world.committed_at_last_act = world.committed;
}

static int
call_model(struct run *run, struct error *e)
{
	(void)run;
	note('M');
	if (world.model_refuses)
		return error_set(
		    e, ERROR_MODEL_UNREACHABLE, 0, "model endpoint");
	return 0;
}

static int
compact(struct run *run, struct error *e)
{
	(void)run, (void)e;
	note('C');
	return 0;
}

static int
build_sandbox(struct run *run, struct error *e)
{
	(void)run, (void)e;
	note('S');
	return 0;
}

static int
call_tools(struct run *run, struct error *e)
{
	(void)run, (void)e;
	note('T');
	return 0;
}

static int
collect_outputs(struct run *run, struct error *e)
{
	(void)run, (void)e;
	note('O');
	return 0;
}

static void
ended(struct run *run)
{
	(void)run;
	note('E');
}

static void
go_on(struct run *run)
{
	if (run_state(run) == RUN_TOOLS)
		note('G');
}

static const struct run_ports ports = {
    .afford = afford,
    .record = record,
    .call_model = call_model,
    .compact = compact,
    .build_sandbox = build_sandbox,
    .call_tools = call_tools,
    .collect_outputs = collect_outputs,
    .go_on = go_on,
    .ended = ended,
};

/* Let the loop turn until whatever was posted has had its effect. */
static void
count_turn(struct loop_turn *t)
{
	loop_turn_again(t, 1);
	if (world.turns_to_go-- == 0)
		loop_break(world.loop);
}

static void
settle(void)
{
	world.turns_to_go = 6;
	loop_turn_start(&world.counter, world.loop, count_turn);
	loop_run(world.loop);
	loop_turn_stop(&world.counter);
}

static void
set_up(unsigned runs, unsigned active, unsigned models, unsigned sandboxes)
{
	struct sched_limits limits = {
	    .runs_max = runs,
	    .children_max = 4,
	    .active_max = active,
	    .decide_max = 8,
	    .models_max = models,
	    .sandboxes_max = sandboxes,
	    .commands_max = 1,
	};
	struct error e;

	memset(&world, 0, sizeof world);
	world.turns_left = 100;
	world.loop = loop_new(&e);
	assert_non_null(world.loop);
	world.sched = sched_new(world.loop, &sched_ports, &limits, NULL, &e);
	assert_non_null(world.sched);
}

static int
tear_down(void **state)
{
	(void)state;
	sched_free(world.sched);
	loop_free(world.loop);
	return 0;
}

static struct run *
admit(void)
{
	struct run *run = sched_admit(world.sched, &ports, NULL);

	assert_non_null(run);
	return run;
}

static void
post(struct run *run, enum run_event ev)
{
	run_post(run, ev);
	settle();
}

static void
a_whole_run(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	run_set_has_outputs(run, 1);
	settle();
	assert_int_equal(run_state(run), RUN_MODEL);
	run_set_needs_sandbox(run, 1);
	post(run, RUN_EV_CALLS);
	post(run, RUN_EV_READY);
	post(run, RUN_EV_RESULTS);
	post(run, RUN_EV_CALLS);
	post(run, RUN_EV_RESULTS);
	post(run, RUN_EV_STOP);
	post(run, RUN_EV_COLLECTED);
	assert_string_equal(world.acts, "MSTMTMOE");
	assert_string_equal(world.log,
	    "queued>model model>sandbox sandbox>tools tools>model model>tools "
	    "tools>model model>outputs outputs>finished ");
}

static void
no_sandbox_without_need(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	settle();
	run_set_needs_sandbox(run, 0);
	post(run, RUN_EV_CALLS); /* of tools that do not exist, say */
	post(run, RUN_EV_RESULTS);
	post(run, RUN_EV_STOP);
	assert_string_equal(world.acts, "MTME");
}

static void
declared_outputs_need_a_sandbox(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	run_set_has_outputs(run, 1);
	settle();
	post(run, RUN_EV_STOP);
	post(run, RUN_EV_READY);
	post(run, RUN_EV_COLLECTED);
	assert_string_equal(world.acts, "MSOE");
	assert_int_equal(run_state(run), RUN_FINISHED);
}

static void
a_sandbox_may_come_before_the_first_turn(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	run_set_sandbox_first(run, 1);
	settle();
	assert_int_equal(run_state(run), RUN_SANDBOX);
	post(run, RUN_EV_READY);
	run_set_needs_sandbox(run, 1);
	post(run, RUN_EV_CALLS);
	post(run, RUN_EV_RESULTS);
	post(run, RUN_EV_STOP);
	assert_string_equal(world.acts, "SMTME");
	assert_string_equal(world.log,
	    "queued>sandbox sandbox>model model>tools tools>model "
	    "model>finished ");
}

static void
a_spent_budget_builds_no_sandbox(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	world.turns_left = 0;
	run = admit();
	run_set_sandbox_first(run, 1);
	settle();
	assert_string_equal(world.acts, "E");
}

static void
nothing_acts_before_it_is_durable(void **state)
{
	(void)state;
	set_up(1, 1, 1, 1);
	world.begins = SCHED_STORE_LATER;
	admit();
	settle();
	assert_string_equal(world.acts, "");
	assert_string_equal(world.log, "");
	world.begins = SCHED_STORE_READY;
	while (world.acts[0] == '\0')
		settle();
	assert_string_equal(world.acts, "M");
	assert_int_equal(world.committed_at_last_act, strlen(world.log));
}

static void
a_failed_store_stops_everything(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	settle();
	world.commits = SCHED_STORE_FAILED;
	post(run, RUN_EV_CALLS);
	post(run, RUN_EV_RESULTS);
	assert_int_equal(world.failed, 1);
	assert_string_equal(world.acts, "M");
}

static void
slots_bound_active_runs(void **state)
{
	struct run *run[5];

	(void)state;
	set_up(5, 2, 9, 9);
	for (int i = 0; i < 5; i++)
		run[i] = admit();
	assert_null(sched_admit(world.sched, &ports, NULL));
	settle();
	assert_int_equal(sched_count(world.sched, RUN_MODEL), 2);
	assert_int_equal(sched_count(world.sched, RUN_QUEUED), 3);
	post(run[0], RUN_EV_CANCEL);
	assert_int_equal(sched_count(world.sched, RUN_CANCELLED), 1);
	assert_int_equal(sched_count(world.sched, RUN_MODEL), 2);
	assert_int_equal(sched_count(world.sched, RUN_QUEUED), 2);
}

static void
model_calls_have_a_ceiling_of_their_own(void **state)
{
	struct run *run[3];

	(void)state;
	set_up(3, 3, 1, 9);
	for (int i = 0; i < 3; i++)
		run[i] = admit();
	settle();
	assert_int_equal(sched_count(world.sched, RUN_MODEL), 3);
	assert_string_equal(world.acts, "M");
	assert_true(sched_run_waits(run[1]));
	post(run[0], RUN_EV_CALLS);
	assert_string_equal(world.acts, "MTM"); /* the place went on */
	post(run[2], RUN_EV_CANCEL);            /* left the line */
	post(run[1], RUN_EV_STOP);
	assert_int_equal(sched_models(world.sched)->taken, 0);
	assert_int_equal(sched_models(world.sched)->waiting.length, 0);
}

static void
a_sandbox_place_is_kept_until_burial(void **state)
{
	struct run *run[2];

	(void)state;
	set_up(2, 2, 9, 1);
	for (int i = 0; i < 2; i++) {
		run[i] = admit();
		run_set_needs_sandbox(run[i], 1);
	}
	settle();
	run_post(run[0], RUN_EV_CALLS);
	post(run[1], RUN_EV_CALLS);
	assert_string_equal(world.acts, "MMS");
	post(run[0], RUN_EV_READY);
	post(run[0], RUN_EV_CANCEL);
	assert_string_equal(world.acts, "MMSTE"); /* still being removed */
	run_free(run[0]);
	settle();
	assert_string_equal(world.acts, "MMSTES");
}

static void
an_immediate_failure_is_heard_next_turn(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	world.model_refuses = 1;
	run = admit();
	settle();
	assert_int_equal(run_state(run), RUN_FAILED);
	assert_string_equal(run_error(run)->text, "model endpoint");
	assert_string_equal(world.acts, "ME");
	assert_string_equal(world.log, "queued>model model>failed ");
}

static void
a_spent_budget_ends_the_run(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	world.turns_left = 2;
	run = admit();
	settle();
	for (int i = 0; i < 2; i++) {
		post(run, RUN_EV_CALLS);
		post(run, RUN_EV_RESULTS);
	}
	assert_int_equal(run_state(run), RUN_FAILED);
	assert_int_equal(run_error(run)->code, ERROR_BUDGET_TURNS);
	assert_string_equal(world.acts, "MTMTE");
}

static void
cancel_wins_and_late_mail_is_ignored(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	settle();
	run_post(run, RUN_EV_CALLS);
	post(run, RUN_EV_CANCEL);
	assert_int_equal(run_state(run), RUN_CANCELLED);
	post(run, RUN_EV_CALLS);
	assert_int_equal(run_state(run), RUN_CANCELLED);
	assert_string_equal(world.acts, "ME"); /* no tool ever ran */
}

static void
the_first_reason_stays(void **state)
{
	struct run *run;
	struct error e;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	settle();
	error_set(&e, ERROR_BUDGET_WALL, 0, "time is up");
	run_post_error(run, &e);
	error_set(&e, ERROR_SANDBOX_LOST, 0, "and the sandbox went with it");
	run_post_error(run, &e);
	settle();
	assert_int_equal(run_error(run)->code, ERROR_BUDGET_WALL);
}

static void
a_freed_slot_is_used_again(void **state)
{
	struct run *first, *second;

	(void)state;
	set_up(1, 1, 1, 1);
	first = admit();
	settle();
	post(first, RUN_EV_CANCEL);
	run_post(first, RUN_EV_CALLS); /* late mail, then freed with it */
	run_free(first);
	assert_null(sched_admit(world.sched, &ports, NULL));
	settle();
	second = admit();
	settle();
	assert_int_equal(run_state(second), RUN_MODEL);
	run_free(NULL);
}

static void
something_to_record_needs_no_change_of_state(void **state)
{
	struct run *run;
	unsigned before;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	settle();
	before = world.plain_records;
	post(run, RUN_EV_RECORD);
	assert_int_equal(world.plain_records, before + 1);
	assert_string_equal(world.acts, "M");
}

static void
draining_finishes_steps_and_starts_none(void **state)
{
	struct run *busy, *queued, *leaving;

	(void)state;
	set_up(3, 2, 9, 9);
	busy = admit();
	leaving = admit();
	queued = admit();
	run_set_has_outputs(leaving, 1);
	settle();
	run_set_needs_sandbox(busy, 1);
	post(busy, RUN_EV_CALLS);
	post(busy, RUN_EV_READY); /* tools are running */
	run_post(leaving, RUN_EV_STOP);
	settle();
	post(leaving, RUN_EV_READY); /* outputs are leaving */
	assert_string_equal(world.acts, "MMSTSO");

	sched_drain(world.sched);
	settle();
	assert_int_equal(world.drained, 0);
	post(leaving, RUN_EV_COLLECTED);
	assert_int_equal(run_state(leaving), RUN_FINISHED);
	assert_int_equal(world.drained, 0);
	post(busy, RUN_EV_RESULTS);
	assert_int_equal(world.drained, 1);
	assert_int_equal(run_state(queued), RUN_QUEUED);
	assert_int_equal(run_state(busy), RUN_MODEL); /* on disk, not begun */
	assert_string_equal(world.acts, "MMSTSOE");
	settle();
	assert_int_equal(world.drained, 1);
}

static void
draining_parks_those_in_line(void **state)
{
	struct run *first, *second;

	(void)state;
	set_up(2, 2, 1, 9);
	first = admit();
	second = admit();
	settle();
	assert_true(sched_run_waits(second));
	sched_drain(world.sched);
	post(first, RUN_EV_STOP);
	assert_int_equal(world.drained, 1);
	assert_string_equal(world.acts, "ME");
}

static void
the_table_is_closed(void **state)
{
	(void)state;
	for (unsigned from = 0; from < RUN_NSTATES; from++) {
		unsigned ways = 0;

		for (unsigned to = 0; to < RUN_NSTATES; to++)
			ways += (unsigned)run_state_leads_to(from, to);
		assert_int_equal(ways == 0, run_state_is_end(from));
		assert_int_equal(
		    run_state_from_name(run_state_name(from)), from);
		assert_true(run_state_meaning(from)[0] != '\0');
		if (!run_state_is_end(from))
			assert_true(run_state_leads_to(from, RUN_CANCELLED));
	}
	assert_int_equal(run_state_from_name("asleep"), RUN_NSTATES);
}

/* What a program asked for begins only when that is on disk. */
static void
what_is_recorded_goes_on_after_the_commit(void **state)
{
	struct run *run;

	(void)state;
	set_up(1, 1, 1, 1);
	run = admit();
	settle();
	run_set_needs_sandbox(run, 0);
	post(run, RUN_EV_CALLS);
	assert_string_equal(world.acts, "MT");
	world.begins = SCHED_STORE_LATER;
	post(run, RUN_EV_RECORD);
	assert_string_equal(world.acts, "MT");
	world.begins = SCHED_STORE_READY;
	sched_wake(world.sched);
	settle();
	assert_string_equal(world.acts, "MTG");
}

static struct run *
admit_child(unsigned depth)
{
	struct run *run = sched_admit_child(world.sched, &ports, NULL, depth);

	assert_non_null(run);
	return run;
}

/* One place for runs, one for sandboxes: children need no other. */
static void
children_work_in_their_parents_place(void **state)
{
	struct run *parent, *other, *child, *grandchild;

	(void)state;
	set_up(2, 1, 1, 1);
	parent = admit();
	other = admit();
	settle();
	run_set_needs_sandbox(parent, 1);
	post(parent, RUN_EV_CALLS);
	post(parent, RUN_EV_READY);
	child = admit_child(1);
	settle();
	run_set_needs_sandbox(child, 1);
	post(child, RUN_EV_CALLS);
	post(child, RUN_EV_READY);
	grandchild = admit_child(2);
	settle();
	run_set_needs_sandbox(grandchild, 1);
	post(grandchild, RUN_EV_CALLS);
	post(grandchild, RUN_EV_READY);
	assert_string_equal(world.acts, "MSTMSTMST");
	assert_int_equal(sched_active(world.sched), 1);
	assert_int_equal(sched_sandboxes(world.sched), 3);
	assert_int_equal(run_state(other), RUN_QUEUED);
}

static void
children_of_one_depth_share_its_sandboxes(void **state)
{
	struct run *first, *second;

	(void)state;
	set_up(1, 1, 9, 1);
	admit();
	first = admit_child(1);
	second = admit_child(1);
	settle();
	run_set_needs_sandbox(first, 1);
	run_set_needs_sandbox(second, 1);
	post(first, RUN_EV_CALLS);
	post(second, RUN_EV_CALLS);
	assert_string_equal(world.acts, "MMMS");
	assert_true(sched_run_waits(second));
}

static void
a_child_in_its_parents_sandbox_builds_none(void **state)
{
	struct run *child;

	(void)state;
	set_up(1, 1, 9, 1);
	admit();
	child = admit_child(1);
	run_set_has_sandbox(child);
	settle();
	run_set_needs_sandbox(child, 1);
	post(child, RUN_EV_CALLS);
	assert_string_equal(world.acts, "MMT");
}

static void
draining_waits_for_children_as_for_any_step(void **state)
{
	struct run *parent, *child;

	(void)state;
	set_up(1, 1, 1, 1);
	parent = admit();
	settle();
	run_set_needs_sandbox(parent, 0);
	post(parent, RUN_EV_CALLS);
	child = admit_child(1);
	sched_drain(world.sched);
	settle(); /* the child still gets its turn */
	assert_string_equal(world.acts, "MTM");
	assert_int_equal(world.drained, 0);
	post(child, RUN_EV_STOP);
	assert_int_equal(run_state(child), RUN_FINISHED);
	post(parent, RUN_EV_RESULTS);
	assert_int_equal(world.drained, 1);
}

static void
children_take_no_room_from_tasks(void **state)
{
	(void)state;
	set_up(2, 2, 9, 9);
	admit();
	admit_child(1);
	assert_int_equal(sched_room(world.sched), 1);
	admit_child(1);
	admit_child(1);
	admit_child(1);
	assert_null(sched_admit_child(world.sched, &ports, NULL, 1));
	assert_int_equal(sched_room(world.sched), 1);
	admit();
	assert_int_equal(sched_room(world.sched), 0);
}

#define CASE(f) cmocka_unit_test_teardown(f, tear_down)

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    CASE(a_whole_run),
	    CASE(no_sandbox_without_need),
	    CASE(declared_outputs_need_a_sandbox),
	    CASE(a_sandbox_may_come_before_the_first_turn),
	    CASE(a_spent_budget_builds_no_sandbox),
	    CASE(nothing_acts_before_it_is_durable),
	    CASE(a_failed_store_stops_everything),
	    CASE(slots_bound_active_runs),
	    CASE(model_calls_have_a_ceiling_of_their_own),
	    CASE(a_sandbox_place_is_kept_until_burial),
	    CASE(an_immediate_failure_is_heard_next_turn),
	    CASE(a_spent_budget_ends_the_run),
	    CASE(cancel_wins_and_late_mail_is_ignored),
	    CASE(the_first_reason_stays),
	    CASE(a_freed_slot_is_used_again),
	    CASE(something_to_record_needs_no_change_of_state),
	    CASE(draining_finishes_steps_and_starts_none),
	    CASE(draining_parks_those_in_line),
	    CASE(what_is_recorded_goes_on_after_the_commit),
	    CASE(children_work_in_their_parents_place),
	    CASE(children_of_one_depth_share_its_sandboxes),
	    CASE(a_child_in_its_parents_sandbox_builds_none),
	    CASE(draining_waits_for_children_as_for_any_step),
	    CASE(children_take_no_room_from_tasks),
	    cmocka_unit_test(the_table_is_closed),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
