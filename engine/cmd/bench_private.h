#ifndef SKEP_ENGINE_CMD_BENCH_PRIVATE_H
#define SKEP_ENGINE_CMD_BENCH_PRIVATE_H

/* What the files of `skep bench` share. */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "sandbox/sandbox.h"

struct cli;
struct profile;

enum shape {
	SHAPE_LIFE, /* a sandbox, a command, removal, and again */
	SHAPE_STAY, /* sandboxes stay until all are there */
	SHAPE_EXEC  /* commands in sandboxes that stay */
};

struct plan {
	const char *name;
	enum shape shape;
	unsigned number, jobs; /* unless given */
	int runs_command;
	int from_creation; /* a sample ends with the command, not its removal */
	const char *excludes;
};

struct bench;

struct job {
	struct bench *b;
	struct sandbox *sb;
	uint64_t started_us;
	int bad; /* its command failed */
};

struct bench {
	struct cli *cli;
	const struct plan *plan;
	const struct profile *profile; /* NULL: no sandboxes here */
	const char *const *command;
	const char *mode;
	unsigned number, jobs, jobs_n;
	uint64_t seconds_ms; /* 0: until number are done */
	struct loop *loop;
	struct sandbox_host *host;
	struct loop_timer timer, stagger;
	struct loop_signal on_int, on_term;
	struct job *job;
	uint64_t *sample;
	unsigned samples, started, ended, failed, up;
	int over;       /* start nothing new */
	int removing;   /* SHAPE_STAY: everybody goes */
	int signal;     /* that ended us early */
	unsigned going; /* removals under way */
	struct error error;
	/* Figures. */
	uint64_t wall_us, cpu_ms;
	uint64_t bytes;                   /* read in all; 0: not counted */
	unsigned connections, handshakes; /* 0: not counted */
	int64_t memory_each, rss;
	struct sandbox_facts facts;
};

/* A streamed answer of the Responses API: so many deltas of text. */
struct text;
void bench_write_answer(struct text *t, int deltas);

/* Model calls over TLS to a server in this process; exit status. */
int bench_net(struct cli *cli);

/* Answers of a model, from the bytes of a socket to items; exit status. */
int bench_json(struct cli *cli);

/* CPU time of this process. */
uint64_t bench_own_cpu_ms(void);

/* Resident memory of this process, in bytes. */
int64_t bench_rss(void);

/* Say what was measured; the exit status. */
int bench_report(struct bench *b);

#endif
