#ifndef SKEP_SANDBOX_ZYGOTE_H
#define SKEP_SANDBOX_ZYGOTE_H

/*
 * The zygote is the process that every sandbox is forked from.  It is itself
 * forked before anything else is loaded, so it holds no key, no configuration,
 * no connection and no memory pool: there is nothing in a sandbox to find.
 *
 * Only commands that need sandboxes start one, first thing in main.  It does
 * nothing until a sandbox host sends it what to prepare.  It dies with the
 * engine, and every sandbox dies with it.
 */

#include <sys/types.h>

struct error;

struct zygote {
	int fd;    /* our end of the SEQPACKET pair; close-on-exec */
	int pidfd; /* of the zygote */
	pid_t pid;
	int single; /* it will itself become pid 1 of the only sandbox */
};

/* Fork it.  -1 and *e. */
int zygote_start(struct zygote *z, struct error *e);

/*
 * For a process that will make only one sandbox, and holds no secret either:
 * the zygote is cloned into the sandbox's namespaces at once, prepares as any
 * zygote does, and becomes pid 1 instead of forking it.
 */
int zygote_start_single(struct zygote *z, struct error *e);

/* Kill it and all sandboxes, and reap it.  A zeroed one is fine. */
void zygote_stop(struct zygote *z);

#endif
