#ifndef SKEP_ENGINE_CMD_CMD_H
#define SKEP_ENGINE_CMD_CMD_H

/*
 * A subcommand: one const struct, exported by engine/cmd/NAME.c as cmd_NAME
 * and listed in engine/cmd/commands.def.  Parser, --help and the manual page
 * are made from it.
 */

struct cli;

enum option_type {
	OPTION_FLAG,  /* no value */
	OPTION_TEXT,  /* any text */
	OPTION_COUNT, /* a whole number */
	OPTION_REAL,  /* a number, not negative */
	OPTION_SIZE,  /* bytes: K M G */
	OPTION_TIME,  /* ms s m h; seconds without a unit */
};

enum option_flags {
	OPTION_REPEATS = 1, /* every one counts; else the last wins */
	OPTION_HIDDEN = 2,  /* not in the help */
};

struct option_spec {
	const char *name; /* "state"; ends a table when NULL */
	char letter;      /* 'j', or 0 */
	enum option_type type;
	unsigned flags;       /* enum option_flags */
	const char *argument; /* "DIR" in the help; or "a|b|c": only these */
	const char *doc;
};

enum command_flags {
	COMMAND_SANDBOXES = 1,   /* fork the zygote before anything else */
	COMMAND_STOPS_EARLY = 2, /* the first operand ends the options */
};

struct command {
	const char *name;
	const char *summary;   /* one line, no capital, no full stop */
	const char *arguments; /* "AGENT [PROMPT]" */
	const char *text; /* paragraphs for --help and the manual, or NULL */
	const struct option_spec *options; /* beside the common ones, or NULL */
	int operands_min, operands_max;    /* max -1: any number */
	unsigned flags;                    /* enum command_flags */
	int (*run)(struct cli *cli);       /* its exit status */
};

/* cli_tables.c: the options of each, exactly as users know them. */
extern const struct option_spec options_run[], options_batch[], options_exec[],
    options_check[], options_mock[], options_bench[], options_show[],
    options_ps[], options_cancel[], options_doctor[], options_log[],
    options_memory[], options_servers[];

#define COMMAND(name) extern const struct command cmd_##name;
#include "engine/cmd/commands.def"

#endif
