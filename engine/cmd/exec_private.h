#ifndef SKEP_ENGINE_CMD_EXEC_PRIVATE_H
#define SKEP_ENGINE_CMD_EXEC_PRIVATE_H

/* Between the files of `skep exec`. */

#include <termios.h>

#include "config/profile.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "sandbox/sandbox.h"

struct cli;

/* What was asked for, ready for the sandbox. */
struct exec_order {
	struct profile profile; /* with the options' limits */
	const char *workspace;  /* absolute, or NULL */
	struct sandbox_bind *binds;
	unsigned binds_n;
	const char **env; /* NULL-terminated */
	const char *cwd;
	uint64_t output_max; /* 0: only what the profile says, with --json */
	int json, tty;
};

/* exec_order.c: read the command line; 0, or -1 and *status, all said. */
int exec_order_read(struct cli *cli, struct exec_order *o, int *status);

/*
 * One of the caller's streams that the command does not simply inherit:
 * because its output is counted, or because it is a terminal or a file that
 * the sandbox's user could not open again.
 */
struct exec_pump {
	struct exec_run *run;
	int stream;
	int broken;  /* nobody reads any more */
	int waiting; /* for the caller's descriptor */
	struct loop_io io;
	char held[4096]; /* input that the command has no room for yet */
	size_t held_n;
};

/* The caller's folder, watched where nothing else limits it. */
/* What a folder holds, and its file system. */
struct exec_count {
	uint64_t bytes, inodes;
	uint64_t hidden; /* folders that could not be looked into */
	uint64_t fs_bytes, fs_inodes;
};

struct exec_watch {
	struct exec_run *run;
	struct loop_timer timer;
	int dir; /* -1: nothing to watch */
	uint64_t bytes_max, inodes_max;
	struct exec_count before;
	dev_t dev;
	uint64_t growth;     /* of the folder, at the last count, */
	uint64_t counted_fs; /* what the file system had in use then, */
	uint64_t next_us;    /* and when the next one is due at the latest */
	unsigned counts;
	int tripped;
};

struct exec_run {
	struct cli *cli;
	const struct exec_order *order;
	struct loop *loop;
	struct sandbox_host *host;
	struct sandbox *sb;
	struct exec *x;
	struct loop_signal signals[5];
	struct exec_pump in, out[2];
	struct exec_watch watch;
	int raw; /* the terminal is in raw mode; was is how it was before */
	struct termios was;
	int ended;       /* report or failure is filled */
	int interrupted; /* by this signal */
	struct exec_report report;
	struct error failure;
	char step[160];
};

/* exec_stdio.c */

/* Which streams are handed over and which are pumped. */
void exec_stdio_choose(struct exec_run *r, struct exec_spec *spec);
/* The command runs: start pumping. */
void exec_stdio_start(struct exec_run *r);
/* Give the terminal back. */
void exec_stdio_stop(struct exec_run *r);
void exec_stdio_resized(struct exec_run *r);
size_t exec_stdio_output(
    struct exec *x, int stream, struct span s, void *owner);
void exec_stdio_writable(struct exec *x, void *owner);

/* exec_watch.c: before the command starts; 0, or -1 and *e. */
int exec_watch_start(struct exec_run *r, struct error *e);
void exec_watch_stop(struct exec_run *r);

/* exec_watch_open.c: bytes of nameless files on dev, held below this pid. */
uint64_t exec_watch_open(pid_t zygote, dev_t dev);

/* exec_result.c: say what happened; the exit status. */
int exec_result_say(struct exec_run *r);

#endif
