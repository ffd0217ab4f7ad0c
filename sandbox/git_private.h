#ifndef SKEP_SANDBOX_GIT_PRIVATE_H
#define SKEP_SANDBOX_GIT_PRIVATE_H

/* Between git_remote.c (who may be asked) and git_talk.c (asking). */

#include "engine/base/secret.h"
#include "sandbox/git_remote.h"

struct http_origin;

struct git_remote {
	const char *host; /* as entries name it */
	struct http_origin *origin;
	struct span path;            /* of base_url; without a final '/' */
	struct secret authorization; /* base64 of USER:PASSWORD, or n == 0 */
	int tasks;                   /* entries of tasks, too */
};

/* The one for this entry; NULL and *e when there is none. */
const struct git_remote *git_remote_of(const struct git_remotes *all,
    const struct manifest_entry *entry, struct error *e);

#endif
