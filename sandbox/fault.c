#include "sandbox/fault.h"

#include <errno.h>
#include <stddef.h>

#include "engine/base/error.h"

/* Append s to the text of n bytes in at; the new length. */
static size_t
append(char *at, size_t size, size_t n, const char *s)
{
	while (*s != '\0' && n + 1 < size)
		at[n++] = *s++;
	at[n] = '\0';
	return n;
}

int
fault_set(struct fault *f, int os_errno, const char *step, const char *detail)
{
	size_t n;

	f->os_errno = os_errno;
	n = append(f->step, sizeof f->step, 0, step);
	if (detail != NULL) {
		if (n > 0 && step[n - 1] != '/')
			n = append(f->step, sizeof f->step, n, " ");
		append(f->step, sizeof f->step, n, detail);
	}
	return -1;
}

int
fault_at(struct fault *f, const char *step, const char *detail)
{
	return fault_set(f, errno, step, detail);
}

int
fault_to_error(const struct fault *f, struct error *e)
{
	return error_set(
	    e, ERROR_SANDBOX_UNAVAILABLE, f->os_errno, "%s", f->step);
}
