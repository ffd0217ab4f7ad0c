/*
 * The real thing: processes, namespaces, files.  As root everything runs
 * twice, the second time as uid 1000, which has another way in.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "sandbox/archive.h"
#include "sandbox/outputs.h"
#include "tests/unit/sandbox_test.h"

static struct sandbox_test t;
static char folder[64]; /* of the host, for sources and outputs */

/* ------------------------------------------------------------------- leaks */

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

/* Children of this process, the zygote's included: none may be left. */
static unsigned
children(void)
{
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : 1;
}

static unsigned fds_before;

static int
fresh(void **state)
{
	struct error e;

	(void)state;
	fds_before = entries_of("/proc/self/fd");
	memset(&t, 0, sizeof t);
	if (zygote_start(&t.zygote, &e) == -1) {
		print_message("%s\n", e.text);
		return -1;
	}
	st_open(&t);
	st_local(&t, NULL);
	return t.host == NULL ? -1 : 0;
}

static int
done(void **state)
{
	(void)state;
	st_close(&t);
	assert_int_equal(pool_in_use(), 0);
	assert_int_equal(children(), 0);
	assert_int_equal(entries_of("/proc/self/fd"), fds_before);
	return 0;
}

static void
write_file(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd != -1);
	assert_int_equal(
	    write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
}

static char *
in_folder(const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

/* ---------------------------------------------------------------- commands */

static void
a_command_runs_and_nothing_is_left(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	assert_non_null(sb);
	st_sh(&t, sb, "echo out; echo err >&2; exit 7");
	assert_int_equal(t.report.verdict, VERDICT_EXIT);
	assert_int_equal(t.report.exit, 7);
	assert_string_equal(t.out.p, "out\n");
	assert_string_equal(t.err.p, "err\n");
	assert_true(t.report.max_rss_bytes > 100000);
	st_destroy(&t, sb);
	assert_int_equal(sandbox_host_live(t.host), 0);
}

static void
a_command_is_confined(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_sh(&t, sb,
	    "id -u; pwd; set -- /proc/[0-9]*; echo $#; "
	    "cat /proc/1/environ 2>/dev/null || echo shut; ls /proc/1/fd 2>&1 | head -1; "
	    "grep CapEff /proc/self/status | tr -d '\\t'; "
	    "cat /proc/net/dev | grep -c :; hostname; "
	    "ls /proc/self/fd | wc -l; touch /usr/x 2>/dev/null || echo ro");
	assert_string_equal(t.out.p,
	    "1000\n/workspace\n2\n"
	    "shut\nls: cannot open directory '/proc/1/fd': Permission denied\n"
	    "CapEff:0000000000000000\n1\nskep\n4\nro\n");
	st_destroy(&t, sb);
}

static void
not_found_not_executable_and_no_folder_differ(void **state)
{
	const char *missing[] = {"no-such-program", NULL};
	const char *locked[] = {"/etc/passwd", NULL};
	struct exec_spec spec = {.argv = missing};
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_exec(&t, sb, &spec);
	assert_int_equal(t.report.exit, 127);
	assert_int_equal(t.report.exec_errno, ENOENT);
	spec.argv = locked;
	st_exec(&t, sb, &spec);
	assert_int_equal(t.report.exit, 126);
	spec.cwd = "/no/such/folder";
	st_exec(&t, sb, &spec);
	assert_true(t.report.no_folder);
	st_destroy(&t, sb);
}

static void
long_arguments_travel_too(void **state)
{
	enum { WORDS = 60000 };
	static const char *argv[WORDS + 5] = {
	    "sh", "-c", "echo $# ${1} ${60000}", "sh"};
	struct exec_spec spec = {
	    .argv = argv, .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	for (int i = 0; i < WORDS; i++)
		argv[4 + i] = "some-word";
	argv[4] = "first";
	argv[3 + WORDS] = "last";
	st_exec(&t, sb, &spec);
	assert_int_equal(t.report.exec_errno, 0);
	assert_string_equal(t.out.p, "60000 first last\n");
	st_sh(&t, sb, "ls /proc/self/fd | wc -l");
	assert_string_equal(t.out.p, "4\n");
	st_destroy(&t, sb);
}

static void
only_the_given_environment_goes_in(void **state)
{
	const char *argv[] = {"env", NULL};
	const char *env[] = {"A=1", "HOME=/tmp", NULL};
	struct exec_spec spec = {.argv = argv,
	    .env = env,
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	struct sandbox *sb;

	(void)state;
	setenv("SKEP_TEST_SECRET", "hunter2", 1);
	sb = st_create(&t, NULL);
	st_exec(&t, sb, &spec);
	assert_null(strstr(t.out.p, "hunter2"));
	assert_non_null(strstr(t.out.p, "A=1\n"));
	assert_non_null(strstr(t.out.p, "HOME=/tmp\n"));
	assert_null(strstr(t.out.p, "HOME=/workspace"));
	assert_non_null(strstr(t.out.p, "PATH="));
	st_destroy(&t, sb);
}

static void
a_call_does_not_wait_for_a_grandchild_with_its_pipe(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_sh(&t, sb, "sleep 1000 & echo started");
	assert_int_equal(t.report.exit, 0);
	assert_string_equal(t.out.p, "started\n");
	st_sh(&t, sb, "ps 2>/dev/null; cat /proc/[0-9]*/comm | grep -c sleep");
	assert_non_null(strstr(t.out.p, "1\n"));
	st_destroy(&t, sb);
}

static void
big_output_keeps_head_and_tail_and_counts_truly(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_sh(&t, sb,
	    "echo first; head -c 5000000 /dev/zero | tr '\\0' x; echo; "
	    "echo last");
	assert_int_equal(t.report.bytes[0], 6 + 5000000 + 1 + 5);
	assert_true(t.report.truncated);
	assert_int_equal(t.out.n, 1 << 20);
	assert_memory_equal(t.out.p, "first\n", 6);
	assert_string_equal(t.out.p + t.out.n - 5, "last\n");
	st_destroy(&t, sb);
}

static void
stdin_reaches_the_command(void **state)
{
	const char *argv[] = {"wc", "-c", NULL};
	struct exec_spec spec = {
	    .argv = argv, .stdio = {EXEC_PIPE, EXEC_PIPE, EXEC_PIPE}};
	struct sandbox *sb = st_create(&t, NULL);
	struct exec *x;
	static char block[100000];

	(void)state;
	t.ended = 0;
	x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
	assert_int_equal(
	    exec_write(x, (struct span){block, sizeof block}), sizeof block);
	exec_close_stdin(x);
	st_until(&t, &t.ended);
	assert_string_equal(t.out.p, "100000\n");
	st_destroy(&t, sb);
}

static void
a_terminal_is_one(void **state)
{
	const char *argv[] = {
	    "sh", "-c", "tty; stty size; read x; echo got $x", NULL};
	struct exec_spec spec = {
	    .argv = argv, .tty = 1, .rows = 33, .columns = 77};
	struct sandbox *sb = st_create(&t, NULL);
	struct exec *x;

	(void)state;
	t.ended = 0;
	x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
	exec_write(x, span_of("word\n"));
	st_until(&t, &t.ended);
	assert_non_null(strstr(t.out.p, "/dev/pts/"));
	assert_non_null(strstr(t.out.p, "33 77"));
	assert_non_null(strstr(t.out.p, "got word"));
	st_destroy(&t, sb);
}

static void
control_c_interrupts_the_foreground(void **state)
{
	const char *argv[] = {"cat", NULL};
	struct exec_spec spec = {.argv = argv, .tty = 1};
	struct sandbox *sb = st_create(&t, NULL);
	struct exec *x;
	struct exec_kept kept;

	(void)state;
	t.ended = 0;
	x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
	exec_write(x, span_of("a\n"));
	do {
		/* The terminal's echo and cat's answer: it is up and reads. */
		st_for_ms(&t, 5);
		exec_kept(x, 1, &kept);
	} while (kept.head.n < sizeof "a\r\na\r\n" - 1);
	/* Between fork and exec a shell can swallow it: as a user, insist. */
	for (int i = 0; i < 500 && !t.ended; i++) {
		exec_write(x, span_of("\003"));
		st_for_ms(&t, 10);
	}
	st_until(&t, &t.ended);
	assert_int_equal(t.report.signal == SIGINT || t.report.exit == 130, 1);
	st_destroy(&t, sb);
}

/* Pid 1 looks ever more seldom while nothing changes, and still listens. */
static void
a_command_that_is_quiet_for_long_can_be_ended(void **state)
{
	const char *argv[] = {"sleep", "1000", NULL};
	struct exec_spec spec = {.argv = argv};
	struct sandbox *sb = st_create(&t, NULL);
	struct exec *x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);

	(void)state;
	assert_non_null(x);
	st_for_ms(&t, 3000);
	t.ended = 0;
	exec_signal(x, SIGUSR1);
	st_until(&t, &t.ended);
	assert_int_equal(t.report.signal, SIGUSR1);
	assert_int_equal(st_put(&t, sb, "a", "b"), 0);
	st_destroy(&t, sb);
}

static void
sixty_four_commands_run_at_once(void **state)
{
	const char *argv[] = {"sleep", "1000", NULL};
	struct exec_spec spec = {.argv = argv};
	struct exec *x[LIMIT_COMMANDS_PER_SANDBOX];
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	for (unsigned i = 0; i < LIMIT_COMMANDS_PER_SANDBOX; i++) {
		x[i] = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
		assert_non_null(x[i]);
	}
	assert_null(exec_start(sb, &spec, &st_exec_ops, &t, &t.error));
	assert_int_equal(t.error.code, ERROR_FULL);
	for (unsigned i = 0; i < LIMIT_COMMANDS_PER_SANDBOX; i++) {
		t.ended = 0;
		exec_signal(x[i], SIGUSR1);
		st_until(&t, &t.ended);
		assert_int_equal(t.report.signal, SIGUSR1);
	}
	st_destroy(&t, sb);
}

/* --------------------------------------------------------------- deadlines */

static void
run_for(struct sandbox *sb, const char *line, uint64_t ms)
{
	const char *argv[] = {"sh", "-c", line, NULL};
	struct exec_spec spec = {.argv = argv,
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE},
	    .timeout_ms = ms,
	    .grace_ms = 50};

	st_exec(&t, sb, &spec);
}

static void
a_deadline_holds_whatever_the_command_does(void **state)
{
	static const char *const lines[] = {
	    "sleep 1000",
	    "trap '' TERM; while :; do sleep 1000; done",
	    "kill -STOP $$",
	    "setsid sleep 1000 & (setsid sh -c 'trap \"\" TERM; sleep 1000 & "
	    "sleep 1000' &) ; trap '' TERM; sleep 1000",
	    NULL,
	};
	struct sandbox *sb;

	(void)state;
	for (unsigned i = 0; lines[i] != NULL; i++) {
		sb = st_create(&t, NULL);
		run_for(sb, lines[i], 50);
		assert_int_equal(t.report.verdict, VERDICT_TIMEOUT);
		/* Nothing that it started is left, and the place still works. */
		st_sh(&t, sb, "cat /proc/[0-9]*/comm | grep -c sleep");
		assert_string_equal(t.out.p, "0\n");
		st_destroy(&t, sb);
	}
}

/* Find pid 1 of the only sandbox: the zygote's only child that is an init. */
static pid_t
find_init(void)
{
	char path[64], line[256];
	pid_t pid = -1, candidate;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", t.zygote.pid,
	    t.zygote.pid);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	while (fscanf(f, "%d", &candidate) == 1) {
		FILE *c;

		snprintf(path, sizeof path, "/proc/%d/comm", candidate);
		c = fopen(path, "r");
		if (c != NULL && fgets(line, sizeof line, c) != NULL &&
		    strcmp(line, "skep-init\n") == 0)
			pid = candidate;
		if (c != NULL)
			fclose(c);
	}
	fclose(f);
	return pid;
}

static void
a_deadline_holds_when_pid_1_is_stopped(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);
	const char *argv[] = {"sleep", "1000", NULL};
	struct exec_spec spec = {
	    .argv = argv, .timeout_ms = 50, .grace_ms = 50};

	(void)state;
	t.ended = 0;
	assert_non_null(exec_start(sb, &spec, &st_exec_ops, &t, &t.error));
	st_for_ms(&t, 20);
	assert_int_equal(kill(find_init(), SIGSTOP), 0);
	st_until(&t, &t.ended);
	assert_int_equal(t.report.verdict, VERDICT_TIMEOUT);
	st_until(&t, &t.lost);
	st_destroy(&t, sb);
}

static void
commands_cannot_stop_or_kill_pid_1(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_sh(&t, sb, "kill -STOP 1; kill -KILL 1; kill -TERM 1; kill -INT 1");
	st_sh(&t, sb, "echo alive");
	assert_string_equal(t.out.p, "alive\n");
	st_destroy(&t, sb);
}

/* ------------------------------------------------------------------ faults */

static void
a_killed_init_is_a_lost_sandbox(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);
	const char *argv[] = {"sleep", "1000", NULL};
	struct exec_spec spec = {.argv = argv};

	(void)state;
	t.ended = 0;
	assert_non_null(exec_start(sb, &spec, &st_exec_ops, &t, &t.error));
	st_for_ms(&t, 20);
	assert_int_equal(kill(find_init(), SIGKILL), 0);
	st_until(&t, &t.ended);
	assert_int_equal(t.report.verdict, VERDICT_LOST);
	st_until(&t, &t.lost);
	st_destroy(&t, sb);
	/* The next one is not harmed. */
	sb = st_create(&t, NULL);
	st_sh(&t, sb, "echo fine");
	assert_string_equal(t.out.p, "fine\n");
	st_destroy(&t, sb);
}

static void
a_killed_zygote_loses_all_and_refuses_more(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);
	struct sandbox_spec spec = {.profile = &t.profile};

	(void)state;
	assert_int_equal(kill(t.zygote.pid, SIGKILL), 0);
	st_until(&t, &t.lost);
	assert_int_equal(t.error.code, ERROR_SANDBOX_LOST);
	st_destroy(&t, sb);
	assert_null(sandbox_create(t.host, &spec, &st_ops, &t, &t.error));
	assert_int_equal(t.error.code, ERROR_SANDBOX_UNAVAILABLE);
}

static void
a_sandbox_destroyed_while_it_is_made_leaves_nothing(void **state)
{
	struct sandbox_spec spec = {.profile = &t.profile};

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct sandbox *sb =
		    sandbox_create(t.host, &spec, &st_ops, &t, &t.error);

		assert_non_null(sb);
		if (i % 2 == 1)
			st_for_ms(&t, (uint64_t)i % 3);
		st_destroy(&t, sb);
	}
	assert_int_equal(find_init(), -1);
}

/* The limit under which exactly room more descriptors can be opened. */
static rlim_t
limit_for(int room)
{
	int fd = 0;

	for (;; fd++) {
		if (fcntl(fd, F_GETFD) != -1)
			continue;
		if (room-- == 0)
			return (rlim_t)fd;
	}
}

static void
running_out_of_descriptors_is_an_error_and_leaks_nothing(void **state)
{
	const char *argv[] = {"cat", NULL};
	struct exec_spec spec = {
	    .argv = argv, .stdio = {EXEC_PIPE, EXEC_PIPE, EXEC_PIPE}};
	struct rlimit old, tight;
	int failed_creates = 0, failed_starts = 0, ended = 0;
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_sh(&t, sb, ":");
	st_destroy(&t, sb);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (int room = 0; room < 40; room++) {
		struct exec *x = NULL;

		tight = old;
		tight.rlim_cur = limit_for(room);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
		sb = st_create(&t, NULL);
		t.ended = 0;
		if (sb == NULL) {
			failed_creates++;
			assert_true(strlen(t.error.text) > 10);
		} else
			x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
		if (sb != NULL && x == NULL)
			failed_starts++;
		if (x != NULL) {
			exec_close_stdin(x);
			st_until(&t, &t.ended);
			ended += t.report.verdict == VERDICT_EXIT;
		}
		setrlimit(RLIMIT_NOFILE, &old);
		if (sb != NULL)
			st_destroy(&t, sb);
		assert_int_equal(sandbox_host_live(t.host), 0);
		assert_int_equal(find_init(), -1);
	}
	assert_true(failed_creates > 0);
	assert_true(failed_starts > 0);
	assert_true(ended > 0);
}

static int crowd_up;

static void
one_of_a_crowd(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	if (error != NULL)
		print_message("%s\n", error->text);
	assert_null(error);
	crowd_up++;
	loop_break(t.loop);
}

/* The zygote says so many last words that its socket cannot hold them. */
static void
a_host_with_a_crowd_ends_by_itself(void **state)
{
	enum { CROWD = 320 };
	static const struct sandbox_ops ops = {.created = one_of_a_crowd};
	struct sandbox_host_settings settings = {.sandboxes_max = CROWD};
	struct sandbox_spec spec = {.profile = &t.profile};
	siginfo_t info = {0};

	(void)state;
	sandbox_host_free(t.host);
	zygote_stop(&t.zygote);
	assert_int_equal(zygote_start(&t.zygote, &t.error), 0);
	st_local(&t, &settings);
	crowd_up = 0;
	for (int i = 0; i < CROWD; i++)
		assert_non_null(
		    sandbox_create(t.host, &spec, &ops, &t, &t.error));
	while (crowd_up < CROWD)
		st_for_ms(&t, 10);
	sandbox_host_free(t.host);
	t.host = NULL;
	/* Not killed: it had ended when host_free() returned. */
	assert_int_equal(waitid(P_PID, (id_t)t.zygote.pid, &info,
			     WEXITED | WNOWAIT | WNOHANG),
	    0);
	assert_int_equal(info.si_pid, t.zygote.pid);
	assert_int_equal(info.si_code, CLD_EXITED);
}

/*
 * The engine dies with live sandboxes: a child plays it, and we, its
 * subreaper in all but name, see every process of it end.
 */
static void
a_killed_engine_takes_everything_with_it(void **state)
{
	struct sandbox_test child = {0};
	const char *argv[] = {"sleep", "1000", NULL};
	struct exec_spec spec = {
	    .argv = argv, .stdio = {EXEC_NULL, EXEC_FD, EXEC_NULL}};
	int pipe_fd[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	pid = fork();
	if (pid == 0) {
		struct error e;
		struct sandbox *sb;

		if (zygote_start(&child.zygote, &e) == -1)
			_exit(1);
		st_open(&child);
		st_local(&child, NULL);
		for (int i = 0; i < 8; i++) {
			sb = st_create(&child, NULL);
			spec.fd[1] = pipe_fd[1];
			exec_start(sb, &spec, &st_exec_ops, &child, &e);
		}
		st_for_ms(&child, 50);
		kill(getpid(), SIGKILL);
	}
	close(pipe_fd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	/* Every sleep holds the pipe: its end is theirs. */
	assert_int_equal(read(pipe_fd[0], &byte, 1), 0);
	close(pipe_fd[0]);
}

/* ------------------------------------------------------------------- files */

static void
files_go_in_and_out(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	assert_int_equal(st_put(&t, sb, "a/b/c.txt", "content"), 0);
	st_sh(&t, sb, "cat a/b/c.txt; stat -c '%a %u' a/b/c.txt a");
	assert_string_equal(t.out.p, "content644 1000\n755 1000\n");
	st_sh(&t, sb, "printf changed > a/b/c.txt; ln -s c.txt a/b/link");
	assert_int_equal(st_get(&t, sb, "a/b/link"), 0);
	assert_string_equal(t.bytes.p, "changed");
	st_file(&t, sandbox_get(sb, "a/b/link", 0, 10, FILE_NOFOLLOW, st_landed,
			&t, &t.file_error));
	assert_int_equal(t.file_error.code, ERROR_DENIED);
	st_file(&t, sandbox_remove(sb, "a", 0, st_landed, &t, &t.file_error));
	assert_non_null(t.file.error);
	st_file(&t, sandbox_remove(
			sb, "a", FILE_RECURSIVE, st_landed, &t, &t.file_error));
	assert_null(t.file.error);
	st_sh(&t, sb, "ls");
	assert_string_equal(t.out.p, "");
	st_destroy(&t, sb);
}

static void
no_path_leads_out_of_the_workspace(void **state)
{
	static const char *const paths[] = {"abs", "up", "deep/up",
	    "proc/1/comm", "loop", "dir/passwd", "fifo", "null", NULL};
	struct sandbox *sb = st_create(&t, NULL);

	(void)state;
	st_sh(&t, sb,
	    "ln -s /etc/passwd abs; ln -s ../etc/passwd up; mkdir deep; "
	    "ln -s ../../etc/passwd deep/up; ln -s /proc proc; "
	    "ln -s loop loop; ln -s /etc dir; mkfifo fifo; "
	    "ln -s /dev/null null");
	for (unsigned i = 0; paths[i] != NULL; i++) {
		assert_int_equal(st_get(&t, sb, paths[i]), -1);
		assert_int_equal(st_put(&t, sb, paths[i], "x"), -1);
	}
	st_sh(&t, sb, "ln -s /workspace/deep inside; echo y > deep/f");
	assert_int_equal(st_get(&t, sb, "inside/f"), 0);
	assert_int_equal(st_get(&t, sb, "inside/../deep/f"), -1);
	st_destroy(&t, sb);
}

static void
a_file_larger_than_a_slice_keeps_its_hash(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);
	struct hash h;
	struct digest d;
	char text[HASH_TEXT_MAX];

	(void)state;
	st_sh(&t, sb, "head -c 10000000 /dev/zero > zeros; sha256sum zeros");
	hash_init(&h);
	t.file = (struct file_result){.hash = h};
	do
		st_file(&t, sandbox_hash(sb, "zeros", t.file.next, &t.file.hash,
				0, st_landed, &t, &t.file_error));
	while (t.file.error == NULL && !t.file.at_end);
	assert_null(t.file.error);
	hash_end(&t.file.hash, &d);
	digest_text(&d, text);
	assert_memory_equal(text + 7, t.out.p, 64);
	st_destroy(&t, sb);
}

static void
a_folder_of_many_is_listed_whole(void **state)
{
	struct sandbox *sb = st_create(&t, NULL);
	struct file_entry entry;
	struct span rest;
	unsigned n = 0;

	(void)state;
	st_sh(&t, sb, "for i in $(seq 3000); do : > file-$i; done");
	t.file.next = 0;
	do {
		st_file(&t, sandbox_list(sb, ".", t.file.next, 0, st_landed, &t,
				&t.file_error));
		assert_null(t.file.error);
		rest = text_span(&t.bytes);
		while (file_entry_next(&rest, &entry))
			n += span_has_prefix(entry.name, span_of("file-"));
	} while (!t.file.at_end);
	assert_int_equal(n, 3000);
	st_destroy(&t, sb);
}

/* --------------------------------------------------- manifests and outputs */

static void
a_manifest_fills_the_workspace(void **state)
{
	static const struct manifest_entry entries[] = {
	    {.type = ENTRY_DIR, .path = "out", .mode = 0700},
	    {.type = ENTRY_FILE,
		.path = "sub/hello.txt",
		.mode = 0640,
		.content = {"hi", 2}},
	    {.type = ENTRY_LOCAL_FILE,
		.path = "copy",
		.mode = 0755,
		.src = "one",
		.folder = folder},
	    {.type = ENTRY_LOCAL_DIR,
		.path = "tree",
		.mode = 0755,
		.src = "tree",
		.folder = folder},
	};
	struct manifest m = {
	    .root = "/workspace", .entries = entries, .entries_n = 4};
	struct sandbox *sb;

	(void)state;
	write_file(in_folder("one"), "1");
	mkdir(in_folder("tree"), 0755);
	mkdir(in_folder("tree/below"), 0755);
	write_file(in_folder("tree/below/two"), "22");
	write_file(in_folder("tree/three"), "333");
	mkfifo(in_folder("tree/fifo"), 0644);
	sb = st_create(&t, &m);
	assert_non_null(sb);
	st_sh(&t, sb,
	    "find . -type f -o -type d -path './[ost]*' | sort | "
	    "xargs stat -c '%n %a %s' | grep -v ' 40$\\| 60$\\| 80$'; "
	    "cat sub/hello.txt copy tree/below/two tree/three; "
	    "ls -d tree/fifo 2>/dev/null; stat -c %a out");
	assert_string_equal(t.out.p,
	    "./copy 755 1\n./sub/hello.txt 640 2\n./tree/below/two 644 2\n"
	    "./tree/three 644 3\nhi122333700\n");
	st_destroy(&t, sb);
	/* A link anywhere is an error that names it. */
	assert_int_equal(symlink("/etc", in_folder("tree/below/bad")), 0);
	assert_null(st_create(&t, &m));
	assert_int_equal(t.error.code, ERROR_MANIFEST);
	assert_non_null(strstr(t.error.text, "below/bad"));
	unlink(in_folder("tree/below/bad"));
}

static struct {
	int done, n;
	struct error error;
	char paths[512];
} collected;

static void
outputs_came(const struct list *files, const struct error *error, void *owner)
{
	(void)owner;
	collected.done = 1;
	collected.n = (int)files->length;
	collected.error.code = ERROR_NONE;
	if (error != NULL)
		collected.error = *error;
	collected.paths[0] = '\0';
	for (struct list_node *n = list_first(files); n != NULL;
	     n = list_next(files, n)) {
		struct output_file *f =
		    container_of(n, struct output_file, link);
		char digest[HASH_TEXT_MAX];
		size_t used = strlen(collected.paths);

		digest_text(&f->digest, digest);
		snprintf(collected.paths + used, sizeof collected.paths - used,
		    "%s %llu %.12s\n", f->path, (unsigned long long)f->bytes,
		    digest + 7);
	}
	loop_break(t.loop);
}

static void
collect(struct sandbox *sb, const char *const *paths, struct arena *a)
{
	struct error e;

	collected.done = 0;
	assert_non_null(outputs_start(t.loop, sb, paths, in_folder("outputs"),
	    NULL, a, outputs_came, NULL, &e));
	st_until(&t, &collected.done);
}

static void
outputs_are_copied_with_their_digests(void **state)
{
	static const char *const paths[] = {"out/", "single", NULL};
	static const char *const absent[] = {"absent", NULL};
	struct sandbox *sb = st_create(&t, NULL);
	struct arena a;
	struct stat st;

	(void)state;
	arena_init(&a, 1 << 20);
	st_sh(&t, sb,
	    "mkdir -p out/deep; printf abc > out/deep/abc; printf x > single; "
	    "head -c 1000000 /dev/zero > out/big; ln -s /etc/passwd out/link; "
	    "mkfifo out/fifo; chmod 4755 single 2>/dev/null; chmod 755 single");
	collect(sb, paths, &a);
	assert_int_equal(collected.error.code, ERROR_NONE);
	assert_string_equal(collected.paths,
	    "out/big 1000000 d29751f2649b\nout/deep/abc 3 ba7816bf8f01\n"
	    "single 1 2d711642b726\n");
	assert_int_equal(stat(in_folder("outputs/out/big"), &st), 0);
	assert_int_equal(st.st_size, 1000000);
	assert_int_equal(stat(in_folder("outputs/single"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(lstat(in_folder("outputs/out/link"), &st), -1);
	collect(sb, absent, &a);
	assert_int_equal(collected.error.code, ERROR_OUTPUT_MISSING);
	arena_release(&a);
	st_destroy(&t, sb);
}

static struct {
	int fd, done, stutter;
	unsigned torn;
	uint64_t bytes;
	struct archive *archive;
	struct hash hash;
	struct error error;
} archived;

/* Takes little at first, to be asked again; then all. */
static size_t
archive_bytes(struct span s, void *owner)
{
	size_t n = archived.stutter++ % 2 == 0 && s.n > 100 ? 100 : s.n;

	(void)owner;
	assert_int_equal(write(archived.fd, s.p, n), (ssize_t)n);
	hash_add(&archived.hash, span_slice(s, 0, n));
	archived.bytes += n;
	if (n < s.n)
		archive_resume(archived.archive);
	return n;
}

static void
archive_done(const struct error *error, unsigned torn, void *owner)
{
	(void)owner;
	archived.done = 1;
	archived.torn = torn;
	archived.error.code = error != NULL ? error->code : ERROR_NONE;
	loop_break(t.loop);
}

static void
archive(struct sandbox *sb, const char *to, struct digest *d)
{
	static const struct archive_ops ops = {
	    .bytes = archive_bytes, .done = archive_done};
	struct error e;

	memset(&archived, 0, sizeof archived);
	hash_init(&archived.hash);
	archived.fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	archived.archive = archive_start(t.loop, sb, ".", &ops, NULL, &e);
	assert_non_null(archived.archive);
	st_until(&t, &archived.done);
	close(archived.fd);
	assert_int_equal(archived.error.code, ERROR_NONE);
	assert_int_equal(archived.bytes % 512, 0);
	hash_end(&archived.hash, d);
}

static void
an_archive_is_what_tar_reads_and_the_same_twice(void **state)
{
	struct sandbox *sb, *other;
	struct digest first, second;
	char command[512];
	const char *make =
	    "umask 022; mkdir -p a/b .git; printf abc > a/b/abc; : > empty; "
	    "head -c 300000 /dev/zero | tr '\\0' z > big; "
	    "ln -s a/b/abc link; ln -s $(printf %0150d 0) far; "
	    "n=$(printf %0120d 7); mkdir -p $n/$n; echo deep > $n/$n/leaf; "
	    "chmod 750 a; mkfifo fifo; "
	    "find . -exec touch -h -d 2020-02-02 {} + 2>/dev/null; :";

	(void)state;
	/* Protected folders have the times they were made at. */
	sandbox_host_free(t.host);
	zygote_stop(&t.zygote);
	assert_int_equal(zygote_start(&t.zygote, &t.error), 0);
	t.profile.protected_paths.n = 0;
	st_local(&t, NULL);
	sb = st_create(&t, NULL);
	st_sh(&t, sb, make);
	archive(sb, in_folder("one.tar"), &first);
	assert_int_equal(archived.torn, 0);
	st_destroy(&t, sb);
	other = st_create(&t, NULL);
	st_sh(&t, other, make);
	archive(other, in_folder("two.tar"), &second);
	st_destroy(&t, other);
	snprintf(command, sizeof command,
	    "cd %s && rm -rf x && mkdir x && tar -C x -xf one.tar && cd x && "
	    "[ $(cat a/b/abc) = abc ] && [ ! -s empty ] && "
	    "[ $(stat -c %%s big) = 300000 ] && "
	    "[ \"$(readlink link)\" = a/b/abc ] && [ ! -e fifo ] && "
	    "[ $(readlink far | wc -c) = 151 ] && "
	    "[ $(stat -c %%a a) = 750 ] && "
	    "[ $(find . -name leaf | xargs cat) = deep ] && cmp ../one.tar "
	    "../two.tar",
	    folder);
	assert_int_equal(system(command), 0);
	assert_true(digest_eq(&first, &second));
}

/* ------------------------------------------------------------------- quota */

static void
a_full_workspace_is_the_verdict_disk(void **state)
{
	struct sandbox *sb;

	(void)state;
	sandbox_host_free(t.host);
	zygote_stop(&t.zygote);
	assert_int_equal(zygote_start(&t.zygote, &t.error), 0);
	t.profile.limits.disk_bytes = 1 << 20;
	st_local(&t, NULL);
	sb = st_create(&t, NULL);
	st_sh(&t, sb, "head -c 2000000 /dev/zero > big");
	assert_int_equal(t.report.verdict, VERDICT_DISK);
	assert_int_equal(t.report.exit, 1);
	st_destroy(&t, sb);
}

/* -------------------------------------------------------------------- main */

static int
run_all(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	    T(a_command_runs_and_nothing_is_left),
	    T(a_command_is_confined),
	    T(not_found_not_executable_and_no_folder_differ),
	    T(long_arguments_travel_too),
	    T(only_the_given_environment_goes_in),
	    T(a_call_does_not_wait_for_a_grandchild_with_its_pipe),
	    T(big_output_keeps_head_and_tail_and_counts_truly),
	    T(stdin_reaches_the_command),
	    T(a_terminal_is_one),
	    T(control_c_interrupts_the_foreground),
	    T(a_command_that_is_quiet_for_long_can_be_ended),
	    T(sixty_four_commands_run_at_once),
	    T(a_deadline_holds_whatever_the_command_does),
	    T(a_deadline_holds_when_pid_1_is_stopped),
	    T(commands_cannot_stop_or_kill_pid_1),
	    T(a_killed_init_is_a_lost_sandbox),
	    T(a_killed_zygote_loses_all_and_refuses_more),
	    T(a_sandbox_destroyed_while_it_is_made_leaves_nothing),
	    T(running_out_of_descriptors_is_an_error_and_leaks_nothing),
	    T(a_host_with_a_crowd_ends_by_itself),
	    T(a_killed_engine_takes_everything_with_it),
	    T(files_go_in_and_out),
	    T(no_path_leads_out_of_the_workspace),
	    T(a_file_larger_than_a_slice_keeps_its_hash),
	    T(a_folder_of_many_is_listed_whole),
	    T(a_manifest_fills_the_workspace),
	    T(outputs_are_copied_with_their_digests),
	    T(an_archive_is_what_tar_reads_and_the_same_twice),
	    T(a_full_workspace_is_the_verdict_disk),
	};
	struct error e;
	char command[128];
	int failed;

	snprintf(folder, sizeof folder, "/tmp/skep-test-XXXXXX");
	if (mkdtemp(folder) == NULL || pool_start((size_t)1 << 30, &e) == -1)
		return 1;
	cmocka_set_test_filter(getenv("ONLY")); /* a pattern, for debugging */
	failed = cmocka_run_group_tests_name(
	    getuid() == 0 ? "as root" : "as uid 1000", tests, NULL, NULL);
	pool_stop();
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) != 0 || failed;
}

int
main(void)
{
	int failed = run_all(), status;
	pid_t pid;

	if (getuid() != 0)
		return failed;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) == -1 || setgid(1000) == -1 ||
		    setuid(1000) == -1)
			_exit(1);
		execl("/proc/self/exe", "test_sandbox_local", NULL);
		_exit(1);
	}
	return pid == -1 || waitpid(pid, &status, 0) != pid || status != 0 ||
	       failed;
}
