/*
 * A pid 1 that has been taken over: the engine must believe nothing it says.
 *
 * The test itself plays zygote and pid 1 on the other ends of the sockets,
 * and says whatever it likes.  The sandbox may be lost; the engine may not
 * crash, believe an answer that fits no question, or lose a descriptor.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/pool.h"
#include "sandbox/wire.h"
#include "tests/unit/sandbox_test.h"

static struct sandbox_test t;
static struct {
	int zygote; /* their ends */
	int init;
	pid_t victim; /* what the engine takes for pid 1 */
	uint32_t id;
	char message[WIRE_BYTES_MAX];
	unsigned fds;
} fake;

static unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
answer(uint16_t verb, uint32_t id, int fd)
{
	struct zygote_answer a = {
	    .head = {.bytes = sizeof a, .verb = verb, .id = id},
	    .pid = fake.victim};

	assert_int_equal(wire_send(fake.zygote, &a, sizeof a, NULL, 0, &fd,
			     fd == -1 ? 0 : 1),
	    0);
}

/* The next message of the engine's that is a request for a sandbox. */
static void
take_request(void)
{
	const struct wire_head *h = (const void *)fake.message;
	int fd[WIRE_FDS_MAX];
	unsigned nfd;

	do {
		assert_true(wire_receive(fake.zygote, fake.message,
				sizeof fake.message, fd, &nfd) > 0);
		for (unsigned i = 1; i < nfd; i++)
			close(fd[i]);
	} while (h->verb != ZYGOTE_CREATE);
	fake.init = fd[0];
	fake.id = h->id;
}

/* A zygote that is gone, so that nobody waits for it in the end. */
static int
dead_process(void)
{
	pid_t pid = fork();
	int pidfd;

	if (pid == 0)
		_exit(0);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	waitpid(pid, NULL, 0);
	return pidfd;
}

static int
fresh(void **state)
{
	int pair[2];

	(void)state;
	memset(&t, 0, sizeof t);
	memset(&fake, 0, sizeof fake);
	fake.fds = open_fds();
	fake.init = -1;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fake.zygote = pair[1];
	t.zygote = (struct zygote){.fd = pair[0], .pidfd = dead_process()};
	answer(ZYGOTE_PREPARED, 0, -1);
	st_open(&t);
	st_local(&t, NULL);
	return t.host == NULL ? -1 : 0;
}

static void
bury_victim(void)
{
	if (fake.victim > 0) {
		kill(fake.victim, SIGKILL);
		waitpid(fake.victim, NULL, 0);
		answer(ZYGOTE_GONE, fake.id, -1);
	}
	fake.victim = 0;
	if (fake.init != -1)
		close(fake.init);
	fake.init = -1;
}

static int
done(void **state)
{
	(void)state;
	st_close(&t);
	close(t.zygote.fd);
	close(t.zygote.pidfd);
	close(fake.zygote);
	assert_int_equal(pool_in_use(), 0);
	assert_int_equal(open_fds(), fake.fds);
	return 0;
}

/* A sandbox whose pid 1 we are; not yet ready. */
static struct sandbox *
half_made(void)
{
	struct sandbox_spec spec = {.profile = &t.profile};
	struct sandbox *sb;
	int pidfd;

	t.created = t.lost = 0;
	sb = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	assert_non_null(sb);
	take_request();
	fake.victim = fork();
	if (fake.victim == 0) {
		for (;;)
			pause();
	}
	pidfd = (int)syscall(SYS_pidfd_open, fake.victim, 0);
	answer(ZYGOTE_CREATED, fake.id, pidfd);
	close(pidfd);
	return sb;
}

static struct sandbox *
made(void)
{
	struct sandbox *sb = half_made();
	struct zygote_answer a = {
	    .head = {.bytes = sizeof a, .verb = INIT_READY}};

	assert_int_equal(
	    wire_send(fake.init, &a, sizeof a, NULL, 0, NULL, 0), 0);
	st_until(&t, &t.created);
	assert_int_equal(t.created, 1);
	return sb;
}

static void
give_up(struct sandbox *sb)
{
	t.gone = 0;
	bury_victim();
	st_destroy(&t, sb);
}

/* Say it with a descriptor that nobody asked for. */
static void
say(const void *p, size_t n)
{
	int fd = 2;

	(void)wire_send(fake.init, p, n, NULL, 0, &fd, 1);
}

static void
nonsense_before_it_is_ready_is_a_failure(void **state)
{
	static const struct {
		size_t n;
		uint16_t verb;
	} cases[] = {{1, 0}, {sizeof(struct wire_head), INIT_READY},
	    {sizeof(struct zygote_answer) - 1, INIT_READY},
	    {sizeof(struct wire_head), 9999}, {WIRE_BYTES_MAX, INIT_FILE}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sandbox *sb = half_made();
		struct wire_head *h = (void *)fake.message;

		memset(fake.message, 0xff, sizeof fake.message);
		h->verb = cases[i].verb;
		say(fake.message, cases[i].n);
		st_until(&t, &t.created);
		assert_int_equal(t.created, -1);
		give_up(sb);
	}
}

static void
answers_to_no_question_are_ignored(void **state)
{
	struct sandbox *sb = made();
	struct init_exited exited = {
	    .head = {.bytes = sizeof exited, .verb = INIT_EXITED, .id = 77}};
	struct init_file_reply reply = {
	    .head = {.bytes = sizeof reply, .verb = INIT_FILE, .id = 78}};
	struct wire_head tty = {
	    .bytes = sizeof tty, .verb = INIT_TTY, .id = 79};

	(void)state;
	t.ended = t.landed = 0;
	say(&exited, sizeof exited);
	say(&reply, sizeof reply);
	say(&tty, sizeof tty);
	st_for_ms(&t, 10);
	assert_false(t.lost);
	assert_false(t.ended);
	assert_false(t.landed);
	give_up(sb);
}

static void
an_answer_of_the_wrong_size_costs_the_sandbox(void **state)
{
	struct sandbox *sb = made();
	struct init_file_reply reply = {
	    .head = {.bytes = sizeof reply, .verb = INIT_FILE}, .n = 1000000};

	(void)state;
	assert_non_null(sandbox_stat(sb, "x", 0, st_landed, &t, &t.file_error));
	reply.head.id = fake.id + 1;
	t.landed = 0;
	say(&reply, sizeof reply);
	st_until(&t, &t.lost);
	assert_true(t.landed);
	assert_int_equal(t.file_error.code, ERROR_SANDBOX_LOST);
	give_up(sb);
}

static void
a_list_of_lies_is_cut_where_it_stops_making_sense(void **state)
{
	struct {
		struct init_file_reply reply;
		struct init_entry entry;
		char name[3];
	} m = {.reply = {.head = {.bytes = sizeof m.reply, .verb = INIT_FILE}},
	    .entry = {.kind = 200, .name_bytes = 255},
	    .name = "ab"};
	struct sandbox *sb = made();
	struct file_entry entry;
	struct span rest;

	(void)state;
	m.reply.n = sizeof m.entry + 3;
	m.reply.head.id = fake.id + 1;
	assert_non_null(
	    sandbox_list(sb, ".", 0, 0, st_landed, &t, &t.file_error));
	t.landed = 0;
	say(&m, sizeof m.reply + m.reply.n);
	st_until(&t, &t.landed);
	rest = text_span(&t.bytes);
	assert_int_equal(file_entry_next(&rest, &entry), 0);
	give_up(sb);
}

/* Every verb with random bytes behind it, and ids that may be right. */
static void
noise_never_does_more_than_lose_the_sandbox(void **state)
{
	static const char *const argv[] = {"x", NULL};
	struct exec_spec spec = {
	    .argv = argv, .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	uint64_t seed = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 100; round++) {
		struct sandbox *sb = made();
		struct wire_head *h = (void *)fake.message;
		struct exec *x;

		t.ended = 0;
		x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
		assert_non_null(x);
		sandbox_get(sb, "f", 0, 10, 0, st_landed, &t, &t.file_error);
		for (int i = 0; i < 50 && !t.lost; i++) {
			size_t n;

			for (size_t k = 0; k < 512; k += 8) {
				seed ^= seed << 13;
				seed ^= seed >> 7;
				seed ^= seed << 17;
				memcpy(fake.message + k, &seed, 8);
			}
			n = 12 + seed % 400;
			if (seed % 3 == 0)
				n = sizeof(struct init_exited);
			if (seed % 3 == 1)
				n = sizeof(struct init_file_reply);
			h->verb = (uint16_t)(INIT_READY + seed % 6);
			h->id = fake.id + (uint32_t)(seed >> 20) % 4;
			say(fake.message, n);
			st_for_ms(&t, 0);
		}
		if (!t.ended)
			exec_free(x);
		give_up(sb);
	}
}

static void
a_zygote_that_lies_ends_the_host_only(void **state)
{
	struct sandbox *sb = made();

	(void)state;
	assert_int_equal(
	    wire_send(fake.zygote, "what?", 5, NULL, 0, NULL, 0), 0);
	st_until(&t, &t.lost);
	assert_int_equal(waitpid(fake.victim, NULL, 0), fake.victim);
	fake.victim = 0;
	give_up(sb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	    T(nonsense_before_it_is_ready_is_a_failure),
	    T(answers_to_no_question_are_ignored),
	    T(an_answer_of_the_wrong_size_costs_the_sandbox),
	    T(a_list_of_lies_is_cut_where_it_stops_making_sense),
	    T(noise_never_does_more_than_lose_the_sandbox),
	    T(a_zygote_that_lies_ends_the_host_only),
	};
	struct error e;

	if (pool_start((size_t)1 << 30, &e) == -1)
		return 1;
	cmocka_set_test_filter(getenv("ONLY")); /* a pattern, for debugging */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
