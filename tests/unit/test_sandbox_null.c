#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "engine/base/pool.h"
#include "sandbox/keep.h"
#include "tests/unit/sandbox_test.h"

static struct sandbox_test t;

static const struct null_command commands[] = {
    {.pattern = "true"},
    {.pattern = "echo *", .out = "hello\n", .err = "warned\n", .exit = 3},
    {.pattern = "slow", .after_ms = 30, .out = "late\n"},
    {.pattern = "sleep for-ever", .for_ever = 1},
    {.pattern = "stubborn", .for_ever = 1, .ignores_term = 1},
    {.pattern = "hung", .for_ever = 1, .ignores_term = 1, .ignores_kill = 1},
    {.pattern = "locked", .exec_errno = EACCES},
    {.pattern = "crash", .signal = SIGSEGV},
    {.pattern = "hungry", .signal = SIGKILL, .limits = 1u << VERDICT_OOM},
    {.pattern = "full", .exit = 1, .limits = 1u << VERDICT_DISK},
    {.pattern = "cat", .echo = 1},
};
static const struct null_script script = {
    .commands = commands, .commands_n = sizeof commands / sizeof commands[0]};

static int
fresh(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	st_open(&t);
	st_null(&t, &script);
	return 0;
}

static int
done(void **state)
{
	(void)state;
	st_close(&t);
	assert_int_equal(pool_in_use(), 0);
	return 0;
}

static struct exec_spec
command(const char **argv)
{
	return (struct exec_spec){
	    .argv = argv, .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
}

static void
run(struct sandbox *sb, const char *word, uint64_t timeout_ms)
{
	const char *argv[] = {word, NULL, NULL};
	struct exec_spec spec = command(argv);

	if (strncmp(word, "sleep", 5) == 0) {
		argv[0] = "sleep";
		argv[1] = "for-ever";
	}
	spec.timeout_ms = timeout_ms;
	spec.grace_ms = 20;
	st_exec(&t, sb, &spec);
}

static void
a_command_reports_status_and_both_streams(void **state)
{
	const char *argv[] = {"echo", "x", NULL};
	struct exec_spec spec = command(argv);
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_exec(&t, sb, &spec);
	assert_int_equal(t.report.verdict, VERDICT_EXIT);
	assert_int_equal(t.report.exit, 3);
	assert_string_equal(t.out.p, "hello\n");
	assert_string_equal(t.err.p, "warned\n");
	assert_int_equal(t.report.bytes[0], 6);
	st_destroy(&t, sb);
}

static void
verdicts_follow_what_happened(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	run(sb, "nosuch", 0);
	assert_int_equal(t.report.exit, 127);
	run(sb, "locked", 0);
	assert_int_equal(t.report.exit, 126);
	run(sb, "crash", 0);
	assert_int_equal(t.report.verdict, VERDICT_SIGNAL);
	assert_int_equal(t.report.signal, SIGSEGV);
	run(sb, "hungry", 0);
	assert_int_equal(t.report.verdict, VERDICT_OOM);
	run(sb, "full", 0);
	assert_int_equal(t.report.verdict, VERDICT_DISK);
	assert_int_equal(t.report.exit, 1);
	st_destroy(&t, sb);
}

static void
a_deadline_ends_polite_and_stubborn_commands(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	run(sb, "sleep", 20);
	assert_int_equal(t.report.verdict, VERDICT_TIMEOUT);
	assert_int_equal(t.report.signal, SIGTERM);
	run(sb, "stubborn", 20);
	assert_int_equal(t.report.verdict, VERDICT_TIMEOUT);
	assert_int_equal(t.report.signal, SIGKILL);
	assert_false(t.lost);
	st_destroy(&t, sb);
}

static void
a_command_that_withstands_kill_costs_the_sandbox(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	run(sb, "hung", 20);
	assert_int_equal(t.report.verdict, VERDICT_TIMEOUT);
	st_until(&t, &t.lost);
	st_destroy(&t, sb);
}

static void
a_lost_sandbox_tells_its_commands_first(void **state)
{
	const char *argv[] = {"sleep", "for-ever", NULL};
	struct exec_spec spec = command(argv);
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	assert_non_null(exec_start(sb, &spec, &st_exec_ops, &t, &t.error));
	null_break(sb);
	st_until(&t, &t.ended);
	assert_int_equal(t.report.verdict, VERDICT_LOST);
	st_until(&t, &t.lost);
	assert_null(exec_start(sb, &spec, &st_exec_ops, &t, &t.error));
	assert_int_equal(t.error.code, ERROR_SANDBOX_LOST);
	st_destroy(&t, sb);
}

static void
stdin_is_streamed_and_closed(void **state)
{
	const char *argv[] = {"cat", NULL};
	struct exec_spec spec = command(argv);
	struct sandbox *sb = st_create(&t, NULL);
	struct exec *x;

	(void)state;
	spec.stdio[0] = EXEC_PIPE;
	t.ended = 0;
	x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
	assert_int_equal(exec_write(x, span_of("one ")), 4);
	st_for_ms(&t, 5);
	assert_int_equal(exec_write(x, span_of("two")), 3);
	exec_close_stdin(x);
	assert_int_equal(exec_write(x, span_of("late")), -1);
	st_until(&t, &t.ended);
	assert_string_equal(t.out.p, "one two");
	st_destroy(&t, sb);
}

static void
freed_commands_and_sandboxes_never_call_back(void **state)
{
	const char *argv[] = {"slow", NULL};
	struct exec_spec spec = command(argv);
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	exec_free(exec_start(sb, &spec, &st_exec_ops, &t, &t.error));
	exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
	sandbox_stat(sb, "x", 0, st_landed, &t, &t.file_error);
	sandbox_destroy(sb);
	t.ended = t.landed = 0;
	st_for_ms(&t, 60);
	assert_false(t.ended);
	assert_false(t.landed);
	assert_int_equal(sandbox_host_live(t.host), 0);
}

static size_t
destroy_at_first_word(struct exec *x, int stream, struct span s, void *owner)
{
	(void)x;
	(void)stream;
	sandbox_destroy(*(struct sandbox **)owner);
	*(struct sandbox **)owner = NULL;
	return s.n;
}

static void
never_done(struct exec *x, const struct exec_report *report, void *owner)
{
	(void)x;
	(void)report;
	(void)owner;
	fail();
}

static void
output_may_end_the_sandbox_that_it_comes_from(void **state)
{
	static const struct exec_ops ops = {
	    .output = destroy_at_first_word, .done = never_done};
	const char *argv[] = {"echo", "x", NULL};
	struct exec_spec spec = command(argv);
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	assert_non_null(exec_start(sb, &spec, &ops, &sb, &t.error));
	st_for_ms(&t, 60);
	assert_null(sb);
	assert_int_equal(sandbox_host_live(t.host), 0);
}

static void
output_beyond_its_ceiling_ends_the_command(void **state)
{
	const char *argv[] = {"echo", "x", NULL};
	struct exec_spec spec = command(argv);
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	spec.output_max = 4;
	st_exec(&t, sb, &spec);
	assert_int_equal(t.report.verdict, VERDICT_OUTPUT);
	assert_string_equal(t.out.p, "hell");
	assert_true(t.report.truncated);
	assert_true(t.report.bytes[0] >= 6);
	st_destroy(&t, sb);
}

/* An owner that takes two bytes at a time, when asked again. */
static struct {
	char got[64];
	size_t n;
	int ended;
} sipped;

static size_t
sip(struct exec *x, int stream, struct span s, void *owner)
{
	size_t n = s.n < 2 ? s.n : 2;

	(void)x;
	(void)owner;
	if (stream != 1)
		return s.n;
	memcpy(sipped.got + sipped.n, s.p, n);
	sipped.n += n;
	return n;
}

static void
sip_ended(struct exec *x, const struct exec_report *r, void *owner)
{
	(void)x;
	(void)owner;
	assert_int_equal(r->exit, 3);
	sipped.ended = 1;
	loop_break(t.loop);
}

static void
an_owner_that_takes_little_loses_nothing(void **state)
{
	static const struct exec_ops ops = {.output = sip, .done = sip_ended};
	const char *argv[] = {"echo", "x", NULL};
	struct exec_spec spec = command(argv);
	struct sandbox *sb = st_create(&t, NULL);
	struct exec *x;

	(void)state;
	memset(&sipped, 0, sizeof sipped);
	x = exec_start(sb, &spec, &ops, &t, &t.error);
	st_for_ms(&t, 10);
	assert_false(sipped.ended);
	for (int i = 0; i < 3 && !sipped.ended; i++)
		exec_resume(x, 1);
	assert_true(sipped.ended);
	assert_int_equal(sipped.n, 6);
	assert_memory_equal(sipped.got, "hello\n", 6);
	exec_free(x);
	st_destroy(&t, sb);
}

static void
files_are_put_read_listed_and_removed(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);
	struct file_entry entry;
	struct span rest;

	(void)state;
	assert_int_equal(st_put(&t, sb, "a/b.txt", "content"), 0);
	assert_int_equal(st_get(&t, sb, "/workspace/a/b.txt"), 0);
	assert_string_equal(t.bytes.p, "content");
	assert_true(t.file.at_end);
	st_file(&t, sandbox_list(sb, "a", 0, 0, st_landed, &t, &t.file_error));
	rest = text_span(&t.bytes);
	assert_int_equal(file_entry_next(&rest, &entry), 1);
	assert_true(span_is(entry.name, "b.txt"));
	assert_int_equal(entry.stat.size, 7);
	assert_int_equal(file_entry_next(&rest, &entry), 0);
	st_file(&t, sandbox_rename(sb, "a/b.txt", "a/c.txt", st_landed, &t,
			&t.file_error));
	assert_null(t.file.error);
	assert_int_equal(st_get(&t, sb, "a/b.txt"), -1);
	assert_int_equal(t.file_error.code, ERROR_NOT_FOUND);
	st_file(&t, sandbox_remove(
			sb, "a", FILE_RECURSIVE, st_landed, &t, &t.file_error));
	assert_null(t.file.error);
	assert_int_equal(st_get(&t, sb, "a/c.txt"), -1);
	st_destroy(&t, sb);
}

static void
paths_that_leave_the_workspace_are_refused_at_once(void **state)
{
	static const char *const bad[] = {"..", "../x", "a/../../x", "/etc/x",
	    "/workspaces/x", "/workspace/../etc/x", "a/..", NULL};
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	for (const char *const *p = bad; *p != NULL; p++) {
		assert_null(sandbox_get(
		    sb, *p, 0, 10, 0, st_landed, &t, &t.file_error));
		assert_int_equal(t.file_error.code, ERROR_DENIED);
	}
	st_destroy(&t, sb);
}

static void
a_failed_creation_names_its_step(void **state)
{
	static const struct null_script broken = {.create_fails = "mount /tmp"};
	struct sandbox_spec spec = {.profile = &t.profile};
	struct sandbox *sb;

	(void)state;
	sandbox_host_free(t.host);
	st_null(&t, &broken);
	sb = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	assert_false(t.created);
	st_until(&t, &t.created);
	assert_int_equal(t.created, -1);
	assert_string_equal(sandbox_failed_step(sb), "mount /tmp");
	st_destroy(&t, sb);
}

static void
a_host_says_full(void **state)
{
	struct sandbox_spec spec = {.profile = &t.profile};
	int made = 0;

	(void)state;
	while (sandbox_create(t.host, &spec, &st_ops, &t, &t.error) != NULL)
		made++;
	assert_int_equal(made, 64);
	assert_int_equal(t.error.code, ERROR_FULL);
	assert_int_equal(sandbox_host_live(t.host), 64);
}

static void
a_keep_holds_head_and_tail(void **state)
{
	struct keep k;
	struct span head, tail;
	uint64_t omitted;
	char text[26];

	(void)state;
	for (int i = 0; i < 26; i++)
		text[i] = (char)('a' + i);
	for (size_t step = 1; step <= 26; step++) {
		keep_init(&k, 8);
		for (size_t i = 0; i < 26; i += step)
			keep_add(&k,
			    span_slice((struct span){text, 26}, i, i + step));
		keep_get(&k, &head, &tail, &omitted);
		assert_true(span_is(head, "abcd"));
		assert_true(span_is(tail, "wxyz"));
		assert_int_equal(omitted, 18);
		keep_add(&k, span_of("0"));
		keep_get(&k, &head, &tail, &omitted);
		assert_true(span_is(tail, "xyz0"));
		assert_int_equal(omitted, 19);
		keep_release(&k);
	}
	keep_init(&k, 8);
	keep_add(&k, span_of("abcdef"));
	keep_get(&k, &head, &tail, &omitted);
	assert_true(span_is(head, "abcd"));
	assert_true(span_is(tail, "ef"));
	assert_int_equal(omitted, 0);
	keep_clear(&k);
	keep_get(&k, &head, &tail, &omitted);
	assert_int_equal(head.n + tail.n, 0);
	keep_release(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	    T(a_command_reports_status_and_both_streams),
	    T(verdicts_follow_what_happened),
	    T(a_deadline_ends_polite_and_stubborn_commands),
	    T(a_command_that_withstands_kill_costs_the_sandbox),
	    T(a_lost_sandbox_tells_its_commands_first),
	    T(stdin_is_streamed_and_closed),
	    T(freed_commands_and_sandboxes_never_call_back),
	    T(output_may_end_the_sandbox_that_it_comes_from),
	    T(output_beyond_its_ceiling_ends_the_command),
	    T(an_owner_that_takes_little_loses_nothing),
	    T(files_are_put_read_listed_and_removed),
	    T(paths_that_leave_the_workspace_are_refused_at_once),
	    T(a_failed_creation_names_its_step),
	    T(a_host_says_full),
	    T(a_keep_holds_head_and_tail),
	};
	struct error e;

	if (pool_start((size_t)1 << 30, &e) == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
