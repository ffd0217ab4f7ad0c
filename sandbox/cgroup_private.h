#ifndef SKEP_SANDBOX_CGROUP_PRIVATE_H
#define SKEP_SANDBOX_CGROUP_PRIVATE_H

/* Between cgroup.c and cgroup_host.c. */

#include <stddef.h>
#include <stdint.h>

/* Write s to the file name in dir; 0, or -1 with errno. */
int cgroup_write(int dir, const char *name, const char *s);
int cgroup_write_number(int dir, const char *name, uint64_t value);

/* The file's text, NUL-terminated, cut to size; -1 with errno. */
int cgroup_read(int dir, const char *name, char *out, size_t size);

#endif
