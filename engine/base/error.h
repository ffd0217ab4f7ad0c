#ifndef SKEP_BASE_ERROR_H
#define SKEP_BASE_ERROR_H

/*
 * An error is something the outside world did.  The object it happened to
 * owns one struct error, in place; reporting an error allocates nothing.
 *
 * A function that can fail returns 0 or -1 (or a pointer or NULL) and takes a
 * struct error * last.  It sets *e only when it fails.  "Not yet" is not an
 * error: functions that may have to wait return an enum of their own.
 */

#define MUST_CHECK __attribute__((warn_unused_result))

enum error_code {
#define ERROR(CODE, name, retry, exit_status, doc) ERROR_##CODE,
#include "engine/base/errors.def"
};

struct error {
	enum error_code code;
	int os_errno;   /* 0 when no system call was involved */
	char text[480]; /* what was tried, on what, what to do; one line,
			   UTF-8, cut at a character when it is too long */
};

/*
 * Fill in *e and return -1, so that callers can `return error_set(e, ...)`.
 * With os_errno != 0, ": " and its strerror text are appended.
 */
int error_set(struct error *e, enum error_code code, int os_errno,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Put the formatted text and ": " before the text already in *e; return -1. */
int error_wrap(struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The name in results and logs ("model_tls"), and what it means. */
const char *error_name(enum error_code code);
const char *error_meaning(enum error_code code);

/* True when doing the same thing again later may succeed. */
int error_is_retryable(enum error_code code);

/* The exit status of a command that ends with this error. */
int error_exit_status(enum error_code code);

#endif
