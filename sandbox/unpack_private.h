#ifndef SKEP_SANDBOX_UNPACK_PRIVATE_H
#define SKEP_SANDBOX_UNPACK_PRIVATE_H

/* Between unpack.c, which reads, and unpack_out.c, which writes. */

#include "sandbox/unpack.h"

struct unpack_out {
	int top;    /* the folder that is unpacked into */
	int parent; /* of the member at hand; top, or opened by us */
	int file;   /* being written, or -1 */
	uint32_t mode;
	char folder[MEMBER_PATH_MAX]; /* parent's path; "" is top */
	char member[256];             /* for messages */
};

int unpack_refuse(
    struct unpack_report *r, const char *member, const char *reason);
/* The same with errno. */
int unpack_fail(struct unpack_report *r, const char *member, const char *what);

int unpack_out_open(struct unpack_out *out, int root, const char *path,
    struct unpack_report *r);
void unpack_out_close(struct unpack_out *out);

/* A member at its path, judged before: files are then written and ended. */
int unpack_out_begin(struct unpack_out *out, const char *path,
    const struct member *m, struct unpack_report *r);
int unpack_out_write(
    struct unpack_out *out, struct span s, struct unpack_report *r);
int unpack_out_end(struct unpack_out *out, struct unpack_report *r);

#endif
