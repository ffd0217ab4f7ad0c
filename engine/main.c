/*
 * skep: many AI agents at once, each in a sandbox of its own.
 *
 * The order of starting is the point of this file.  The zygote is forked
 * first, while there is nothing in memory worth finding; then memory, then
 * the command line; what else a command needs it loads itself.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/nearest.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/version.h"

/* Address space, not memory: a page costs nothing until it is used. */
#define POOL_BYTES (16 * GIB)
#define ARENA_BYTES (256 * MIB)
#define HELP_BYTES (64 * KIB)

/*
 * A descriptor 0, 1 or 2 that is closed would be given to the next file
 * opened.  Reading from the stand-in ends at once, writing to it fails.
 */
static void
hold_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			(void)open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY);
}

static int
print(struct cli *cli, void (*write)(struct cli *cli, struct text *out))
{
	struct text out;
	struct error e;
	int status = 0;

	text_init(&out, HELP_BYTES);
	write(cli, &out);
	if (cli_write(text_span(&out), &e) == -1)
		status = cli_fail(cli, &e);
	text_release(&out);
	return status;
}

static void
write_help(struct cli *cli, struct text *out)
{
	cli_help(cli->command, out);
}

static void
write_version(struct cli *cli, struct text *out)
{
	version_write(cli->json, out);
}

/* skep itself, without a command: --version, --help, or a mistake. */
static int
run_bare(struct cli *cli, int argc, char **argv)
{
	struct nearest near;
	char hint[NEAREST_HINT];
	const struct command *c;
	int version = 0, help = 0, i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *arg = argv[i];

		if (strcmp(arg, "--json") == 0)
			cli->json = 1;
		else if (strcmp(arg, "--version") == 0)
			version = 1;
		else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
			help = 1;
		else
			return cli_usage(cli,
			    "there is no option '%s' before the command", arg);
	}
	if (version)
		return print(cli, write_version);
	if (help)
		return print(cli, write_help);
	if (i == argc)
		return cli_usage(cli, "say what to do: skep COMMAND ...");
	if (strcmp(argv[i], "help") == 0) {
		cli->command = i + 1 < argc ? cli_command(argv[i + 1]) : NULL;
		if (cli->command != NULL || i + 1 == argc)
			return print(cli, write_help);
		i++;
	}
	nearest_init(&near, span_of(argv[i]));
	for (size_t k = 0; (c = cli_command_at(k)) != NULL; k++)
		nearest_offer(&near, c->name);
	if (cli_command(argv[i]) != NULL)
		return cli_usage(cli, "the command comes first: skep %s %s ...",
		    argv[i], argv[1]);
	return cli_usage(cli, "there is no command '%s'%s", argv[i],
	    nearest_hint(&near, hint));
}

static int
run_command(struct cli *cli, int argc, char **argv)
{
	struct error e;

	if (cli_parse(cli, argc - 2, argv + 2, &e) == -1)
		return cli_usage(cli, "%s", e.text);
	if (cli_has(cli, "help"))
		return print(cli, write_help);
	return cli->command->run(cli);
}

int
main(int argc, char **argv)
{
	static struct cli cli; /* large: on the stack it would all be touched */
	struct error e;
	int status;

	hold_standard_streams();
	cli_init(&cli, argc > 1 ? cli_command(argv[1]) : NULL);
	if (cli.command != NULL && cli.command->flags & COMMAND_SANDBOXES &&
	    zygote_start(&cli.zygote, &e) == -1)
		cli.zygote_error = e;
	if (pool_start(POOL_BYTES, &e) == -1) {
		(void)!write(2, e.text, strlen(e.text));
		return EX_OSERR;
	}
	signal(SIGPIPE, SIG_IGN);
	arena_init(&cli.arena, ARENA_BYTES);
	status = cli.command != NULL ? run_command(&cli, argc, argv)
				     : run_bare(&cli, argc, argv);
	zygote_stop(&cli.zygote);
	arena_release(&cli.arena);
	pool_stop();
	return status;
}
