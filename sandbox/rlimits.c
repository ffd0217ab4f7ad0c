#include "sandbox/rlimits.h"

#include <stddef.h>
#include <sys/resource.h>

#include "sandbox/fault.h"

/* What no command needs more of, whatever its profile says. */
#define LOCKED_BYTES ((rlim_t)8 << 20)
#define QUEUE_BYTES 819200 /* the kernel's default: one small queue or two */
#define SIGNALS_PENDING 4096

/* A hard limit can only go down: take what we have when asked for more. */
static int
apply(__rlimit_resource_t what, rlim_t want, const char *name, struct fault *f)
{
	struct rlimit now;

	if (getrlimit(what, &now) == -1)
		return fault_at(f, "getrlimit", name);
	if (now.rlim_max < want)
		want = now.rlim_max;
	now.rlim_cur = now.rlim_max = want;
	if (setrlimit(what, &now) == -1)
		return fault_at(f, "setrlimit", name);
	return 0;
}

int
rlimits_apply(const struct rlimits *r, struct fault *f)
{
	const struct {
		__rlimit_resource_t what;
		rlim_t want;
		const char *name;
		int always; /* 0: only when a limit was asked for */
	} table[] = {
	    {RLIMIT_CORE, 0, "core", 1},
	    {RLIMIT_MEMLOCK, LOCKED_BYTES, "memlock", 1},
	    {RLIMIT_MSGQUEUE, QUEUE_BYTES, "msgqueue", 1},
	    {RLIMIT_SIGPENDING, SIGNALS_PENDING, "sigpending", 1},
	    {RLIMIT_NICE, 0, "nice", 1},
	    {RLIMIT_RTPRIO, 0, "rtprio", 1},
	    {RLIMIT_NOFILE, r->files, "nofile", 0},
	    {RLIMIT_NPROC, r->processes, "nproc", 0},
	    {RLIMIT_FSIZE, r->file_bytes, "fsize", 0},
	    {RLIMIT_CPU, r->cpu_seconds, "cpu", 0},
	    {RLIMIT_AS, r->address_bytes, "as", 0},
	    {RLIMIT_STACK, r->stack_bytes, "stack", 0},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if ((table[i].always || table[i].want != 0) &&
		    apply(table[i].what, table[i].want, table[i].name, f) == -1)
			return -1;
	return 0;
}
