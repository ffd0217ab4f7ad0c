#ifndef SKEP_SANDBOX_INIT_PRIVATE_H
#define SKEP_SANDBOX_INIT_PRIVATE_H

/* What the files of init share; included by init*.c only. */

#include <limits.h>
#include <sys/types.h>

#include "engine/base/limits.h"
#include "sandbox/wire.h"

/* Descriptors of an init that has settled. */
#define INIT_SOCK 3
#define INIT_NULL 4
#define INIT_WORKSPACE 5
#define INIT_OURS 6 /* the workspace, all of it writable */

#define INIT_PATH_WORKSPACE "/workspace"

struct init_command {
	pid_t pid; /* 0: free */
	uint32_t id;
	int sweep;    /* kill what it leaves behind when it ends */
	unsigned met; /* limits while it ran: EXITED_... */
};

struct init {
	const struct box *box;
	struct userns_ids ids; /* .more > 0: users to act as */
	/* Limits of a command that are not pid 1's; 0: as inherited. */
	uint64_t files, address_bytes;
	struct init_command command[LIMIT_COMMANDS_PER_SANDBOX];
	unsigned commands_n;
	int look_ms;        /* until the next look at what is used, */
	uint64_t last_use;  /* which was this */
	uint32_t exclusive; /* the only command there has been, or 0 */
	uint32_t born;      /* commands so far */
	uint32_t alone;     /* the one that no other may run beside, or 0 */
	_Alignas(16) char message[WIRE_BYTES_MAX]; /* received */
	_Alignas(16) char reply[sizeof(struct init_file_reply) + 64 * 1024];
	char entries[16 * 1024]; /* of getdents64 */
};

/* Send a message, or give up: the engine is gone. */
void init_send(const void *head, size_t head_n, const void *tail, size_t n,
    const int *fd, unsigned nfd);

/* init_exec.c */
void init_serve_exec(struct init *in, const struct init_exec *m, size_t n,
    const int *fd, unsigned nfd);
void init_reap(struct init *in);

/* init_unpack.c: in a fork of init. */
struct users_identity;
_Noreturn void init_unpack(const struct init *in, char *const *argv,
    const int fd[3], const struct users_identity *as);

/* init_kill.c */
void init_serve_signal(struct init *in, const struct init_signal *m);
void init_sweep(struct init *in, const struct init_command *c);

/*
 * init_watch.c: limits that nobody reports.  What is met now, or was
 * before so many tasks went, is noted for every command that runs; and in how
 * many milliseconds to look again, or -1.
 */
unsigned init_look(struct init *in, unsigned gone);
int init_next_look_ms(const struct init *in);
void init_look_soon(struct init *in); /* a command begins */

/* init_users.c: the other users of a sandbox that has several. */
/* Touch files as this one from now on; -1 with errno. */
int init_act_as(struct init *in, const struct users_identity *who);
/* As oneself again; also after a command was born as another. */
void init_act_as_self(struct init *in);
/* In the command that is being born: be this one, for good. */
int init_become(const struct users_identity *who);

/* init_files.c; the message and its n bytes. */
void init_serve_file(struct init *in, const struct init_file *m, size_t n);

/* init_path.c: a path below the workspace, resolved. */
#define WALK_DEPTH 128

struct walk {
	int depth;
	int fd[WALK_DEPTH + 1]; /* [0] is the workspace, never closed, or: */
	int in_shown;           /* a folder beside it, which is */
	char text[2 * PATH_MAX];
	const char *name; /* the last component; "." for the root */
};

/*
 * Resolve all of path but its last component, and that too when it is a
 * symbolic link, unless FILE_NOFOLLOW.  Then w->fd[w->depth] is the folder in
 * which w->name is, or would be.  FILE_PARENTS makes missing folders.  -1 with
 * errno: EXDEV when the path leads outside.  walk_end() in any case.
 */
/* What the sandbox shows beside its workspace; kept. */
void walk_know(const struct box *box);

int walk_start(struct walk *w, const char *path, unsigned flags);
void walk_end(struct walk *w);

static inline int
walk_dir(const struct walk *w)
{
	return w->fd[w->depth];
}

#endif
