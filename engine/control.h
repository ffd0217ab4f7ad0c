#ifndef SKEP_ENGINE_CONTROL_H
#define SKEP_ENGINE_CONTROL_H

/*
 * How another skep speaks to the engine that owns a state directory: a unix
 * socket (SEQPACKET) named "control" in it, so who may enter the directory
 * may speak.  One message is one request, answered by one message:
 *
 *	cancel ID	->	ok | unknown
 *
 * where ID is a whole run id.  "ok" means that the run was live and will
 * end as cancelled.
 */

#include "engine/base/loop.h"

struct error;
struct state_dir;

#define CONTROL_PEERS_MAX 8
#define CONTROL_MESSAGE_MAX 128

struct control_peer {
	struct control *control;
	struct loop_io io;
	int fd; /* -1: free */
};

struct control {
	int fd; /* -1: not listening */
	int dir_fd;
	struct loop *loop;
	struct loop_io io;
	struct control_peer peer[CONTROL_PEERS_MAX];
	int (*cancel)(const char *id, void *owner); /* 0: no such run */
	void *owner;
};

/* Keeps the directory, which is owned.  -1 and *e: IO. */
int control_start(struct control *c, struct loop *l,
    const struct state_dir *dir, int (*cancel)(const char *id, void *owner),
    void *owner, struct error *e);
void control_stop(struct control *c);

/*
 * Ask the directory's owner to cancel run id, waiting for its answer.  1: it
 * will; 0: it does not have that run; -1 and *e: CLOSED
 * (nobody listens), TIMEOUT.
 */
int control_cancel(
    const struct state_dir *dir, const char *id, struct error *e);

#endif
