/*
 * The options of every subcommand: what scripts and users depend on.
 */

#include <stddef.h>

#include "engine/cmd/cmd.h"

#define FLAG(name, letter, doc)                         \
	{                                               \
		name, letter, OPTION_FLAG, 0, NULL, doc \
	}
#define END                  \
	{                    \
		.name = NULL \
	}
#define PROFILE                                                           \
	{                                                                 \
		"profile", 0, OPTION_TEXT, 0, "NAME|FILE",                \
		    "draft, delivery, privileged, bare, or a JSON file; " \
		    "default draft"                                       \
	}

const struct option_spec options_run[] = {
    {"outputs", 0, OPTION_TEXT, 0, "DIR",
	"where declared outputs go (default STATE/runs/ID/outputs)"},
    {"var", 0, OPTION_TEXT, OPTION_REPEATS, "NAME=VALUE",
	"a variable for ${variables.NAME}"},
    END,
};

const struct option_spec options_batch[] = {
    {"output", 'o', OPTION_TEXT, 0, "FILE",
	"append results to FILE instead of standard output; those already "
	"in it are not written twice"},
    {"jobs", 'j', OPTION_COUNT, 0, "N", "runs at once (default 64)"},
    FLAG("ordered", 0, "write results in the order of the tasks"),
    {"outputs", 0, OPTION_TEXT, 0, "DIR",
	"where declared outputs go (default STATE/runs/ID/outputs)"},
    {"var", 0, OPTION_TEXT, OPTION_REPEATS, "NAME=VALUE",
	"a variable for ${variables.NAME}"},
    END,
};

const struct option_spec options_exec[] = {
    PROFILE,
    {"workspace", 0, OPTION_TEXT, 0, "DIR",
	"DIR itself becomes /workspace, writable; without it an empty one, "
	"removed afterwards"},
    {"rootfs", 0, OPTION_TEXT, 0, "host|dir:PATH",
	"root file system, read-only"},
    {"bind", 0, OPTION_TEXT, OPTION_REPEATS, "SRC:DST",
	"more of the host, writable; DST absolute inside, created if "
	"missing"},
    {"ro-bind", 0, OPTION_TEXT, OPTION_REPEATS, "SRC:DST",
	"the same, read-only"},
    {"net", 0, OPTION_TEXT, 0, "none|loopback",
	"network; default from the profile"},
    {"env", 0, OPTION_TEXT, OPTION_REPEATS, "NAME[=VALUE]",
	"set in the command's environment; without = the caller's value"},
    {"chdir", 0, OPTION_TEXT, 0, "DIR",
	"start in this folder, inside; default /workspace"},
    {"mem", 0, OPTION_SIZE, 0, "SIZE", "memory of all processes together"},
    {"pids", 0, OPTION_COUNT, 0, "N", "processes and threads at once"},
    {"cpus", 0, OPTION_REAL, 0, "X", "processors' worth of time"},
    {"files", 0, OPTION_COUNT, 0, "N", "open descriptors of a process"},
    {"disk", 0, OPTION_SIZE, 0, "SIZE",
	"bytes of the workspace, /tmp and /dev/shm, each"},
    {"inodes", 0, OPTION_COUNT, 0, "N", "files and folders, likewise"},
    {"output", 0, OPTION_SIZE, 0, "SIZE",
	"end the command when it has written more"},
    {"timeout", 0, OPTION_TIME, 0, "TIME", "end the command after this time"},
    {"grace", 0, OPTION_TIME, 0, "TIME",
	"time between TERM and KILL; default 2s"},
    FLAG("tty", 't', "a pseudo-terminal, also when the streams are none"),
    FLAG("no-tty", 0, "no pseudo-terminal, also on a terminal"),
    END,
};

const struct option_spec options_check[] = {
    {"kind", 0, OPTION_TEXT, 0,
	"agent|manifest|profile|policy|tasks|settings|mock|skill|json",
	"what the files are; else by \"$schema\", name and content"},
    FLAG("effective", 0,
	"print each file after defaults and inheritance, with its digest"),
    {"schema", 0, OPTION_TEXT, OPTION_HIDDEN,
	"agent|manifest|profile|tasks|settings|mock",
	"print the JSON Schema of a kind"},
    END,
};

const struct option_spec options_mock[] = {
    {"listen", 0, OPTION_TEXT, 0, "ADDR:PORT",
	"where to listen; default 127.0.0.1:0, any free port"},
    FLAG("tls", 0, "speak TLS, with a certificate made at start"),
    FLAG("until-eof", 0, "end when standard input closes"),
    END,
};

const struct option_spec options_bench[] = {
    {"number", 'n', OPTION_COUNT, 0, "N", "how many in all"},
    {"jobs", 'j', OPTION_COUNT, 0, "J", "how many at a time"},
    PROFILE,
    {"seconds", 0, OPTION_TIME, 0, "S", "how long hold keeps them; default 5"},
    {"mode", 0, OPTION_TEXT, 0, "sequential|staggered|burst",
	"how fanout starts them"},
    END,
};

const struct option_spec options_show[] = {END};
const struct option_spec options_ps[] = {END};

const struct option_spec options_servers[] = {
    {"scope", 0, OPTION_TEXT, 0, "WORDS",
	"login: ask for these rights as well as those granted before"},
    {"outputs", 0, OPTION_TEXT, OPTION_HIDDEN, "DIR", "as for run"},
    {"var", 0, OPTION_TEXT, OPTION_REPEATS | OPTION_HIDDEN, "NAME=VALUE",
	"as for run"},
    END,
};

const struct option_spec options_cancel[] = {END};
const struct option_spec options_memory[] = {END};
const struct option_spec options_doctor[] = {PROFILE, END};

const struct option_spec options_log[] = {
    FLAG("raw", 0, "items as they were sent and received"),
    FLAG("follow", 'f', "go on as the run goes on"),
    END,
};
