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

#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "sandbox/keep.h"
#include "sandbox/sandbox.h"

#define EXEC_MAGIC 0x5a4d8004
#define EXEC_GRACE_MS 2000
#define EXEC_HARD_MS 2000
#define EXEC_STDIN_MAX (256 * 1024)

enum exec_state {
	EXEC_RUNNING,
	EXEC_TERMINATING, /* TERM sent, the grace runs */
	EXEC_KILLING,     /* KILL sent, the sandbox itself is next */
	EXEC_DRAINING,    /* ended; the owner still has bytes to take */
	EXEC_ENDED        /* done() was called */
};

struct exec_stream {
	struct exec *x;
	int number;    /* 1 or 2 */
	int fd;        /* -1: closed */
	int paused;    /* the owner took less than there was */
	uint64_t left; /* while draining: bytes that are still its output */
	struct loop_io io;
	struct keep keep;
	/* What the owner did not take yet. */
	char *pending;
	size_t pending_n;
};

struct exec {
	unsigned magic;
	enum exec_state state;
	struct sandbox *sb;
	struct list_node link;
	uint32_t id;
	const struct exec_ops *ops;
	void *owner;
	struct exec_stream stream[2];
	struct loop_io stdin_io;
	int stdin_fd;
	int stdin_closing;
	struct buf *stdin_buf;
	struct loop_timer timer;
	uint64_t grace_ms, started_us, output_max;
	int why; /* enum verdict that ended it, or -1 */
	struct exec_report report;
};

#endif
