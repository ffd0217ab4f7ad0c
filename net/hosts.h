#ifndef SKEP_NET_HOSTS_H
#define SKEP_NET_HOSTS_H

/*
 * The hosts file: read once, again when it has changed, searched in memory.
 */

#include <sys/stat.h>

#include "engine/base/span.h"
#include "engine/base/text.h"

struct dns_answer;

#define HOSTS_BYTES_MAX (4 * 1024 * 1024)

struct hosts {
	const char *path; /* kept */
	struct text text;
	struct timespec mtime;
	off_t size;
};

void hosts_init(struct hosts *h, const char *path);
void hosts_release(struct hosts *h);

/*
 * Add the addresses of name to *answer; how many there were.  A file that is
 * missing or too big has no names.
 */
unsigned hosts_find(
    struct hosts *h, struct span name, struct dns_answer *answer);

/* The same in a text: pure. */
unsigned hosts_find_in(
    struct span text, struct span name, struct dns_answer *answer);

#endif
