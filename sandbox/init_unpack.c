#include "sandbox/init_private.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/unpack.h"

/*
 * The one command that is a fork of init instead of a program: it has what
 * init has and needs no file of the root file system, and gives up what is
 * init's before it looks at the first byte.
 */

#define ARGS 6 /* unpack PATH FORMAT INPUT EXTRACTED MEMBERS */

static void
say(const char *s)
{
	size_t n = strlen(s);

	while (n > 0) {
		ssize_t went = write(1, s, n);

		if (went <= 0)
			return;
		s += went;
		n -= (size_t)went;
	}
}

/* One line, whatever a member's name holds. */
static void
say_line(char *s)
{
	for (char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
	say(s);
	say("\n");
}

static enum archive_format
format_of(const char *name)
{
	for (int i = ARCHIVE_TAR; i <= ARCHIVE_ZIP; i++)
		if (strcmp(name, archive_format_name((enum archive_format)i)) ==
		    0)
			return (enum archive_format)i;
	return ARCHIVE_AUTO;
}

/* Our descriptors: the archive, where to report, nothing, the workspace. */
static int
settle(const int fd[3])
{
	if (dup2(fd[0], 0) == -1 || dup2(fd[1], 1) == -1 ||
	    dup2(INIT_NULL, 2) == -1 || dup2(INIT_OURS, 3) == -1 ||
	    close_range(4, ~0U, 0) == -1)
		return -1;
	return 3;
}

static int
carry_out(const struct init *in, char *const *argv, int root)
{
	const char *protect[MOUNTS_PROTECTED_MAX];
	struct unpack_order o = {.archive = 0,
	    .root = root,
	    .path = argv[1],
	    .format = format_of(argv[2]),
	    .limits = {strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
		strtoull(argv[5], NULL, 10)},
	    .protect = protect,
	    .protect_n = in->box->protect_n};
	static struct unpack_report r;

	for (unsigned i = 0; i < o.protect_n; i++)
		protect[i] = in->box->text + in->box->protect[i];
	if (unpack(&o, &r) == 0)
		return 0;
	if (r.os_errno != 0) {
		say(r.reason);
		say(": ");
		say_line(strerror(r.os_errno));
	} else
		say_line(r.reason);
	say_line(r.member);
	return 1;
}

_Noreturn void
init_unpack(const struct init *in, char *const *argv, const int fd[3],
    const struct users_identity *as)
{
	sigset_t none;
	unsigned argc = 0;
	int root;

	setsid();
	while (argv[argc] != NULL)
		argc++;
	root = argc == ARGS ? settle(fd) : -1;
	if (root == -1 || (as != NULL && init_become(as) == -1))
		_exit(126);
	umask(022);
	sigemptyset(&none);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(carry_out(in, argv, root));
}
