/* The maker of network namespaces, and what it takes for as good as new. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/maker.h"
#include "sandbox/netns.h"
#include "sandbox/userns.h"
#include "sandbox/wire.h"

static int maker;
static pid_t maker_pid;

static const struct box *
no_box(unsigned profile)
{
	(void)profile;
	return NULL;
}

static int
start_maker(void **state)
{
	int pair[2];
	struct mounts_zygote mounts = {0};
	struct maker_plan plan = {.mounts = &mounts};
	struct fault f;

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	maker_pid = fork();
	if (maker_pid == 0) {
		close(pair[0]);
		if (geteuid() != 0 && userns_outer(&f) == -1)
			_exit(1);
		mounts.proc = open("/proc", O_PATH | O_DIRECTORY);
		plan.sock = pair[1];
		plan.box = no_box;
		maker_main(&plan);
	}
	close(pair[1]);
	maker = pair[0];
	return 0;
}

static int
stop_maker(void **state)
{
	int status;

	(void)state;
	close(maker);
	waitpid(maker_pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
ask(enum maker_verb verb, enum netns_kind kind, int fd, struct maker_answer *a)
{
	struct maker_request r = {.verb = (uint8_t)verb,
	    .kind = (uint8_t)kind,
	    .parts = fd == -1 ? 0 : MAKER_NETNS};
	int got[WIRE_FDS_MAX];
	unsigned n;

	assert_int_equal(
	    wire_send(maker, &r, sizeof r, NULL, 0, &fd, fd == -1 ? 0 : 1), 0);
	assert_int_equal(wire_receive(maker, a, sizeof *a, got, &n), sizeof *a);
	return n > 0 ? got[0] : -1;
}

static int
make(enum netns_kind kind)
{
	struct maker_answer a;
	int fd = ask(MAKE_NETNS, kind, -1, &a);

	assert_int_equal(a.os_errno, 0);
	assert_int_not_equal(fd, -1);
	return fd;
}

static int
is_clean(enum netns_kind kind, int fd)
{
	struct maker_answer a;

	assert_int_equal(ask(MAKER_CHECK, kind, fd, &a), -1);
	return a.clean == MAKER_NETNS;
}

/* Do something in the namespace, in a process that then ends. */
static void
within(int fd, int (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setns(fd, CLONE_NEWNET) == 0 ? what() : 99);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static struct sockaddr_in
here(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int
nothing(void)
{
	return 0;
}

static int
one_datagram(void)
{
	struct sockaddr_in a = here(9);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	return sendto(s, "x", 1, 0, (void *)&a, sizeof a) == 1 ? 0 : 1;
}

/* Both ends close: one of them stays in TIME_WAIT. */
static int
one_conversation(void)
{
	struct sockaddr_in a = here(4711);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	int c = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(l, (void *)&a, sizeof a) == -1 || listen(l, 1) == -1 ||
	    connect(c, (void *)&a, sizeof a) == -1 ||
	    accept(l, NULL, NULL) == -1)
		return 1;
	return 0;
}

static int
no_route(void)
{
	struct sockaddr_in a = here(9);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return connect(s, (void *)&a, sizeof a) == -1 && errno == ENETUNREACH
		   ? 0
		   : 1;
}

static void
what_was_not_used_is_as_good_as_new(void **state)
{
	(void)state;
	for (int kind = 0; kind < NETNS_KINDS; kind++) {
		int fd = make((enum netns_kind)kind);

		if (geteuid() == 0)
			within(fd, nothing);
		assert_true(is_clean((enum netns_kind)kind, fd));
		assert_true(is_clean((enum netns_kind)kind, fd));
		close(fd);
	}
}

static void
what_was_used_is_not(void **state)
{
	static int (*const use[])(void) = {one_datagram, one_conversation};

	(void)state;
	if (geteuid() != 0)
		skip(); /* joining a namespace of the maker's needs root */
	for (size_t i = 0; i < sizeof use / sizeof use[0]; i++) {
		int fd = make(NETNS_LOOPBACK);

		within(fd, use[i]);
		assert_false(is_clean(NETNS_LOOPBACK, fd));
		close(fd);
	}
}

static void
the_kind_without_a_network_has_none(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = make(NETNS_NONE);
	within(fd, no_route);
	close(fd);
}

static void
nonsense_is_answered(void **state)
{
	struct maker_answer a;

	(void)state;
	assert_int_equal(ask((enum maker_verb)7, NETNS_NONE, -1, &a), -1);
	assert_int_equal(a.os_errno, EINVAL);
	assert_int_equal(ask(MAKER_CHECK, NETNS_NONE, -1, &a), -1);
	assert_int_equal(a.os_errno, EINVAL);
	assert_int_equal(ask(MAKE_NETNS, (enum netns_kind)9, -1, &a), -1);
	assert_int_equal(a.os_errno, EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_not_used_is_as_good_as_new),
	    cmocka_unit_test(what_was_used_is_not),
	    cmocka_unit_test(the_kind_without_a_network_has_none),
	    cmocka_unit_test(nonsense_is_answered)};

	return cmocka_run_group_tests(tests, start_maker, stop_maker);
}
