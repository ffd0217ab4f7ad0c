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

struct want {
	__rlimit_resource_t what;
	rlim_t value;
	const char *name;
};

static int
apply_all(const struct want *w, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++)
		if (apply(w[i].what, w[i].value, w[i].name, f) == -1)
			return -1;
	return 0;
}

int
rlimits_apply_always(struct fault *f)
{
	static const struct want always[] = {
	    {RLIMIT_CORE, 0, "core"},
	    {RLIMIT_MEMLOCK, LOCKED_BYTES, "memlock"},
	    {RLIMIT_MSGQUEUE, QUEUE_BYTES, "msgqueue"},
	    {RLIMIT_SIGPENDING, SIGNALS_PENDING, "sigpending"},
	    {RLIMIT_NICE, 0, "nice"},
	    {RLIMIT_RTPRIO, 0, "rtprio"},
	};

	return apply_all(always, sizeof always / sizeof always[0], f);
}

int
rlimits_apply(const struct rlimits *r, struct fault *f)
{
	const struct want asked[] = {
	    {RLIMIT_NOFILE, r->files, "nofile"},
	    {RLIMIT_NPROC, r->processes, "nproc"},
	    {RLIMIT_FSIZE, r->file_bytes, "fsize"},
	    {RLIMIT_CPU, r->cpu_seconds, "cpu"},
	    {RLIMIT_AS, r->address_bytes, "as"},
	    {RLIMIT_STACK, r->stack_bytes, "stack"},
	};

	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
		if (asked[i].value != 0 && apply_all(&asked[i], 1, f) == -1)
			return -1;
	return 0;
}
