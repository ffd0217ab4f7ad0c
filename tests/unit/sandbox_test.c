#include "tests/unit/sandbox_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"

#define TEXT_MAX ((size_t)64 << 20)

static void
out_of_patience(struct loop_timer *t)
{
	(void)t;
	fail_msg("nothing happened for %d ms", ST_PATIENCE_MS);
}

void
st_open(struct sandbox_test *t)
{
	struct error e;

	signal(SIGPIPE, SIG_IGN);
	t->loop = loop_new(&e);
	assert_non_null(t->loop);
	loop_timer_init(&t->patience, t->loop, out_of_patience);
	text_init(&t->out, TEXT_MAX);
	text_init(&t->err, TEXT_MAX);
	text_init(&t->bytes, TEXT_MAX);
	t->profile = *profile_builtin("draft");
}

static void
fill_settings(struct sandbox_test *t,
    const struct sandbox_host_settings *settings,
    const struct profile **profile, struct sandbox_host_settings *out)
{
	if (settings != NULL)
		*out = *settings;
	*profile = &t->profile;
	out->profiles = profile;
	out->profiles_n = 1;
}

void
st_local(struct sandbox_test *t, const struct sandbox_host_settings *settings)
{
	struct sandbox_host_settings s = {0};
	const struct profile *p;

	fill_settings(t, settings, &p, &s);
	t->host = sandbox_host_new(t->loop, &t->zygote, &s, &t->error);
	if (t->host == NULL)
		print_message("no host: %s\n", t->error.text);
}

void
st_null(struct sandbox_test *t, const struct null_script *script)
{
	struct sandbox_host_settings s = {0};
	const struct profile *p;

	fill_settings(t, NULL, &p, &s);
	t->host = null_host_new(t->loop, &s, script, &t->error);
	assert_non_null(t->host);
}

void
st_close(struct sandbox_test *t)
{
	sandbox_host_free(t->host);
	t->host = NULL;
	zygote_stop(&t->zygote);
	loop_timer_stop(&t->patience);
	loop_free(t->loop);
	text_release(&t->out);
	text_release(&t->err);
	text_release(&t->bytes);
}

/* Every callback ends the loop's run; the waiting function looks again. */
static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	struct sandbox_test *t = owner;

	(void)sb;
	t->created = 1;
	if (error != NULL) {
		t->created = -1;
		t->error = *error;
	}
	loop_break(t->loop);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	struct sandbox_test *t = owner;

	(void)sb;
	t->lost = 1;
	t->error = *error;
	loop_break(t->loop);
}

const struct sandbox_ops st_ops = {.created = created, .lost = lost};

static void
gone(void *owner)
{
	struct sandbox_test *t = owner;

	t->gone = 1;
	loop_break(t->loop);
}

void
st_until(struct sandbox_test *t, const int *flag)
{
	loop_timer_start(&t->patience, ST_PATIENCE_MS);
	while (!*flag)
		loop_run(t->loop);
	loop_timer_stop(&t->patience);
}

struct pause {
	struct loop_timer timer;
	struct loop *loop;
	int over;
};

static void
pause_over(struct loop_timer *timer)
{
	struct pause *p = container_of(timer, struct pause, timer);

	p->over = 1;
	loop_break(p->loop);
}

void
st_for_ms(struct sandbox_test *t, uint64_t ms)
{
	struct pause p = {.loop = t->loop};

	loop_timer_init(&p.timer, t->loop, pause_over);
	loop_timer_start(&p.timer, ms);
	st_until(t, &p.over);
}

struct sandbox *
st_create(struct sandbox_test *t, const struct manifest *manifest)
{
	return st_create_spec(t, (struct sandbox_spec){.manifest = manifest});
}

struct sandbox *
st_create_spec(struct sandbox_test *t, struct sandbox_spec spec)
{
	struct sandbox *sb;

	spec.profile = &t->profile;
	spec.label = "test";
	t->created = 0;
	sb = sandbox_create(t->host, &spec, &st_ops, t, &t->error);
	if (sb == NULL)
		return NULL;
	st_until(t, &t->created);
	if (t->created == 1)
		return sb;
	print_message("no sandbox: %s\n", t->error.text);
	st_destroy(t, sb);
	return NULL;
}

void
st_destroy(struct sandbox_test *t, struct sandbox *sb)
{
	t->gone = 0;
	sandbox_destroy_then(sb, gone, t);
	st_until(t, &t->gone);
}

/* An empty text has p == NULL, which no test wants to know. */
static void
keep_whole(struct text *text)
{
	size_t room;
	char *p = text_room(text, 1, &room);

	assert_non_null(p);
	*p = '\0';
}

static void
ended(struct exec *x, const struct exec_report *report, void *owner)
{
	struct sandbox_test *t = owner;
	struct exec_kept kept;

	t->ended = 1;
	t->report = *report;
	exec_kept(x, 1, &kept);
	text_clear(&t->out);
	text_add(&t->out, kept.head);
	text_add(&t->out, kept.tail);
	keep_whole(&t->out);
	exec_kept(x, 2, &kept);
	text_clear(&t->err);
	text_add(&t->err, kept.head);
	text_add(&t->err, kept.tail);
	keep_whole(&t->err);
	exec_free(x);
	loop_break(t->loop);
}

const struct exec_ops st_exec_ops = {.done = ended};

void
st_exec(
    struct sandbox_test *t, struct sandbox *sb, const struct exec_spec *spec)
{
	t->ended = 0;
	if (exec_start(sb, spec, &st_exec_ops, t, &t->error) == NULL)
		fail_msg("exec_start: %s", t->error.text);
	assert_false(t->ended);
	st_until(t, &t->ended);
}

void
st_sh(struct sandbox_test *t, struct sandbox *sb, const char *line)
{
	const char *argv[] = {"sh", "-c", line, NULL};
	struct exec_spec spec = {
	    .argv = argv, .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};

	st_exec(t, sb, &spec);
}

void
st_landed(struct file_op *op, const struct file_result *r, void *owner)
{
	struct sandbox_test *t = owner;

	(void)op;
	t->landed = 1;
	t->file = *r;
	text_clear(&t->bytes);
	text_add(&t->bytes, r->bytes);
	keep_whole(&t->bytes);
	if (r->error != NULL) {
		t->file_error = *r->error;
		t->file.error = &t->file_error;
	}
	loop_break(t->loop);
}

void
st_file(struct sandbox_test *t, struct file_op *op)
{
	if (op == NULL) {
		t->file = (struct file_result){.error = &t->file_error};
		return;
	}
	assert_false(t->landed);
	st_until(t, &t->landed);
	t->landed = 0;
}

int
st_put(struct sandbox_test *t, struct sandbox *sb, const char *path,
    const char *content)
{
	st_file(t, sandbox_put(sb, path, 0644, 0,
		       FILE_CREATE | FILE_TRUNCATE | FILE_PARENTS,
		       span_of(content), st_landed, t, &t->file_error));
	return t->file.error == NULL ? 0 : -1;
}

int
st_get(struct sandbox_test *t, struct sandbox *sb, const char *path)
{
	st_file(t, sandbox_get(sb, path, 0, SANDBOX_SLICE, 0, st_landed, t,
		       &t->file_error));
	return t->file.error == NULL ? 0 : -1;
}

/* -------------------------------------------------------------- whole tests */

static unsigned
entries_of(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

int
st_fresh(struct sandbox_test *t)
{
	return st_fresh_with(t, NULL);
}

int
st_fresh_with(
    struct sandbox_test *t, const struct sandbox_host_settings *settings)
{
	unsigned fds = entries_of("/proc/self/fd");
	struct error e;

	memset(t, 0, sizeof *t);
	t->fds_before = fds;
	if (zygote_start(&t->zygote, &e) == -1) {
		print_message("%s\n", e.text);
		return -1;
	}
	st_open(t);
	st_local(t, settings);
	return t->host == NULL ? -1 : 0;
}

void
st_done(struct sandbox_test *t)
{
	st_close(t);
	assert_int_equal(pool_in_use(), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(entries_of("/proc/self/fd"), t->fds_before);
}

static int
run_here(int (*run)(const char *as), char *folder)
{
	char command[128];
	struct error e;
	int failed;

	strcpy(folder, "/tmp/skep-test-XXXXXX");
	if (mkdtemp(folder) == NULL || pool_start((size_t)1 << 30, &e) == -1)
		return 1;
	cmocka_set_test_filter(getenv("ONLY")); /* a pattern, for debugging */
	failed = run(getuid() == 0 ? "as root" : "as uid 1000");
	pool_stop();
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) != 0 || failed;
}

int
st_main(int (*run)(const char *as), char *folder)
{
	int failed = run_here(run, folder), status;
	pid_t pid;

	if (getuid() != 0)
		return failed;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) == -1 || setgid(1000) == -1 ||
		    setuid(1000) == -1)
			_exit(1);
		execl("/proc/self/exe", "as-uid-1000", NULL);
		_exit(1);
	}
	return pid == -1 || waitpid(pid, &status, 0) != pid || status != 0 ||
	       failed;
}
