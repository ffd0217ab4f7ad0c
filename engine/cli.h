#ifndef SKEP_ENGINE_CLI_H
#define SKEP_ENGINE_CLI_H

/*
 * The command line: options by the tables of cmd.h, and how a command speaks
 * to its user.
 *
 * Results go to standard output, everything else to standard error.  With
 * --json standard output is JSON Lines, errors included:
 * {"error":{"code","message"}}.
 */

#include <stddef.h>
#include <stdint.h>

#include "config/overrides.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/cmd/cmd.h"
#include "sandbox/zygote.h"

struct complaints;
struct text;

#define CLI_OPTIONS_MAX 4096 /* given on one command line */

struct cli_given {
	const struct option_spec *option;
	const char *text; /* its value as given; NULL for flags */
	union {
		uint64_t count; /* COUNT, SIZE (bytes), TIME (milliseconds) */
		double real;
	} value;
};

struct cli {
	const struct command *command;
	struct zygote zygote;      /* running with COMMAND_SANDBOXES */
	struct error zygote_error; /* unless this is set */
	int operands;
	char **operand; /* NULL-terminated */
	int json, quiet;
	int verbose;                /* how many -v */
	struct overrides overrides; /* every -c */
	struct arena arena;         /* for the whole command */
	unsigned given_n;
	struct cli_given given[CLI_OPTIONS_MAX];
};

/* --- what was given --- */

/* The last one given under name, or NULL.  CHECKs that the name exists. */
const struct cli_given *cli_get(const struct cli *cli, const char *name);

/* The next one after *at (0 first), which moves on; NULL at the end. */
const struct cli_given *cli_next(
    const struct cli *cli, const char *name, unsigned *at);

int cli_has(const struct cli *cli, const char *name);
const char *cli_text(
    const struct cli *cli, const char *name, const char *instead);
uint64_t cli_count(const struct cli *cli, const char *name, uint64_t instead);
double cli_real(const struct cli *cli, const char *name, double instead);

/*
 * The state directory: --state, else $XDG_STATE_HOME/skep, else
 * ~/.local/state/skep; in the cli's arena.  NULL and *e.
 */
const char *cli_state_folder(struct cli *cli, struct error *e);

/* --- speaking --- */

/* Say *e as the user wants it and give the exit status that goes with it. */
int cli_fail(struct cli *cli, const struct error *e);

/* A wrong command line, with a hint at --help; EX_USAGE. */
int cli_usage(struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Say every complaint; gives status. */
int cli_complain(struct cli *cli, const struct complaints *c, int status);

/* A line on standard error, "skep: " before it; nothing with -q. */
void cli_note(const struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Write all of s to standard output, waiting as long as it takes; -1 and *e
 * (IO) when nobody reads any more or the disk is full.
 */
int cli_write(struct span s, struct error *e);

/* --- for main --- */

/* The command named by name, or NULL. */
const struct command *cli_command(const char *name);

/* Nothing given yet; command may be NULL. */
void cli_init(struct cli *cli, const struct command *command);

/* Command i in the order of the help, or NULL; and the common options. */
const struct command *cli_command_at(size_t i);
const struct option_spec *cli_common_options(void);

/* Parse the arguments behind the command's name; 0, or -1 and *e (USAGE). */
int cli_parse(struct cli *cli, int argc, char **argv, struct error *e);

/* --help of a command, and of skep itself (NULL). */
void cli_help(const struct command *command, struct text *out);

#endif
