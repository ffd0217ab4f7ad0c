#ifndef SKEP_SANDBOX_FAULT_H
#define SKEP_SANDBOX_FAULT_H

/*
 * A fault is an error inside the zygote or an init: the step that failed and
 * its errno.  It is flat, so it travels as bytes to the engine, and filling it
 * is async-signal-safe and allocates nothing.
 */

struct error;

struct fault {
	int os_errno;   /* 0 when no system call was involved */
	char step[156]; /* "mount /tmp", "bind /srv/x: is not a directory" */
};

/*
 * Fill in *f from the calling thread's errno and return -1.  detail may be
 * NULL; else it follows the step after a blank.  Long text is cut.
 */
int fault_at(struct fault *f, const char *step, const char *detail);

/* The same with a given errno; 0 for rules of our own. */
int fault_set(
    struct fault *f, int os_errno, const char *step, const char *detail);

/* Engine side: *e as ERROR_SANDBOX_UNAVAILABLE with the fault's text; -1. */
int fault_to_error(const struct fault *f, struct error *e);

#endif
