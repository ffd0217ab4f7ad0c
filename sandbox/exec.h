#ifndef SKEP_SANDBOX_EXEC_H
#define SKEP_SANDBOX_EXEC_H

/*
 * A running command, on the engine's side; private to the sandbox module.
 *
 * Theory of operation
 *
 * A stream is a descriptor to read (a pipe, or a pty's master for stream 1)
 * whose bytes go to the owner or are kept, head and tail.  It is read only
 * while there is somewhere to put the bytes: with a full owner the pipe fills
 * and the command waits.
 *
 * The command has ended when the sandbox says so, whoever still holds its
 * pipes.  What they contain at that moment is its output and is read; what
 * comes later is nobody's.
 *
 * The deadline: TERM to the process group, after the grace KILL to everything
 * the command is known to have started; and if the sandbox then does not
 * report the end within EXEC_HARD_MS it is hung and is itself killed.  So a
 * call ends whatever happens inside.
 */

#include "engine/base/buf.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "sandbox/keep.h"
#include "sandbox/sandbox.h"

#define EXEC_MAGIC 0x5a4d8004
#define EXEC_GRACE_MS 2000
#define EXEC_HARD_MS 1000
#define EXEC_STDIN_MAX (256 * 1024)
#define EXEC_READ_MAX (64 * 1024) /* in one go, and of a drained stream */

/* Whom a signal is for. */
enum exec_reach {
	EXEC_GROUP,       /* the command's process group */
	EXEC_GROUP_SWEEP, /* that; and when the command ends, KILL to its tree */
	EXEC_TREE         /* everything the command is known to have started */
};

enum exec_state {
	EXEC_RUNNING,
	EXEC_TERMINATING, /* TERM sent, the grace runs */
	EXEC_KILLING,     /* KILL sent, the sandbox itself is next */
	EXEC_DRAINING,    /* ended; the owner still has bytes to take */
	EXEC_ENDED        /* done() was or is being called */
};

struct exec_stream {
	struct exec *x;
	int number;         /* 1 or 2 */
	int fd;             /* -1: closed */
	uint64_t left;      /* draining: bytes that are still its output */
	struct buf pending; /* what the owner did not take yet */
	struct loop_io io;
	struct keep keep;
};

struct exec {
	unsigned magic;
	enum exec_state state;
	struct sandbox *sb; /* NULL: it has ended and was let go */
	struct sandbox_host *host;
	struct list_node link;
	uint32_t id;
	unsigned user; /* of users.h, who it runs as */
	const struct exec_ops *ops;
	void *owner;
	int tty;
	unsigned short rows, columns; /* to be set when the tty comes */
	struct exec_stream stream[2];
	int channel;     /* our end, until it is taken; or -1 */
	int channel_end; /* theirs, while the command is started; or -1 */
	int stdin_fd, stdin_closing;
	struct loop_io stdin_io;
	struct buf stdin_buf;
	struct loop_timer timer;
	uint64_t timeout_ms, grace_ms, started_us, output_max;
	int why;       /* enum verdict it is being ended for, or -1 */
	unsigned busy; /* callbacks of ours on the stack */
	int doomed;    /* freed while busy */
	struct exec_report report;
};

/* What a backend knows about an end. */
struct exec_end {
	int status; /* of wait(2) */
	int exec_errno;
	int no_folder; /* exec_errno is about the working directory */
	unsigned limits;
	uint64_t user_us, system_us, max_rss_bytes;
};

/*
 * Between exec.c and exec_streams.c.  Callbacks into the owner stand between
 * exec_enter() and exec_leave(), which is 0 when the owner gave x up
 * meanwhile: it is gone.  exec_drain() takes what is in the pipe of a command
 * that has ended, and is 0 likewise.
 */
void exec_enter(struct exec *x);
int exec_leave(struct exec *x);
void exec_close_fd(int *fd);
void exec_end_for(struct exec *x, enum verdict why);
void exec_finish_if_drained(struct exec *x);
int exec_drain(struct exec_stream *s);
void exec_stream_ready(struct loop_io *io, int want);
void exec_stdin_ready(struct loop_io *io, int want);

/* For backends: it ended; nobody knows how any more; its tty (takes fd). */
void exec_ended(struct exec *x, const struct exec_end *end);
void exec_lost(struct exec *x, const struct error *why);
void exec_tty_came(struct exec *x, int master);

/* Bytes that did not come through a descriptor of ours. */
void exec_feed(struct exec *x, int stream, struct span s);

#endif
