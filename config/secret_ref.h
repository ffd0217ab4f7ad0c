#ifndef SKEP_CONFIG_SECRET_REF_H
#define SKEP_CONFIG_SECRET_REF_H

/*
 * Where a secret is to be found; configuration never holds the secret itself.
 *
 *	{"env": "NAME"}         an environment variable
 *	{"file": "PATH"}        a file, relative to the one that names it
 *	{"credential": "NAME"}  a file in systemd's $CREDENTIALS_DIRECTORY
 */

#include "engine/base/error.h"

struct json_writer;
struct secret;

enum secret_ref_kind {
	SECRET_NOWHERE, /* none is configured */
	SECRET_ENV,
	SECRET_FILE,
	SECRET_CREDENTIAL,
};

struct secret_ref {
	enum secret_ref_kind kind;
	const char *name; /* the variable, the file's path, or the credential */
};

/*
 * Read it into *out, which the caller releases.  CONFIG, and the reference by
 * name, when it is not set or unreadable.  CHECKs kind != SECRET_NOWHERE.
 */
int secret_ref_read(
    const struct secret_ref *ref, struct secret *out, struct error *e);

/* True when it could be read now; *e says why not. */
int secret_ref_check(const struct secret_ref *ref, struct error *e);

/* Write the reference as it would stand in a file. */
void secret_ref_write(const struct secret_ref *ref, struct json_writer *w);

#endif
