#ifndef SKEP_CONFIG_GIT_HOST_H
#define SKEP_CONFIG_GIT_HOST_H

/*
 * A server of repositories, as an agent's "git_hosts" describe it: how it is
 * reached and as whom.  A host that the agent's own manifest names needs no
 * such entry; then it is https://HOST without credentials.  A task line may
 * name a host only when an entry says so.
 */

#include "config/secret_ref.h"

struct table;

struct git_host {
	const char *host;     /* as git_repo entries name it */
	const char *base_url; /* without a final '/'; https://HOST */
	const char *username; /* for Basic authorisation */
	struct secret_ref password;
	const char *ca_file; /* NULL: the system's */
	int tasks;           /* task lines may name it, too */
};

extern const struct table git_host_table;

#endif
