#include "config/secret_ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/nearest.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/secret.h"
#include "net/json.h"
#include "net/json_write.h"

static const char *const kinds[] = {
    [SECRET_NOWHERE] = "",
    [SECRET_ENV] = "env",
    [SECRET_FILE] = "file",
    [SECRET_CREDENTIAL] = "credential",
};

#define KINDS (sizeof kinds / sizeof kinds[0])

/* The file of a credential, as systemd lays them out. */
static int
credential_path(const char *name, char path[LIMIT_PATH], struct error *e)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (folder == NULL)
		return error_set(e, ERROR_CONFIG, 0,
		    "credential \"%s\" cannot be read: systemd gave none "
		    "(CREDENTIALS_DIRECTORY is not set)",
		    name);
	n = snprintf(path, LIMIT_PATH, "%s/%s", folder, name);
	if (n < 0 || n >= (int)LIMIT_PATH)
		return error_set(e, ERROR_CONFIG, 0,
		    "credential \"%s\" cannot be read: its path is too long",
		    name);
	return 0;
}

int
secret_ref_read(
    const struct secret_ref *ref, struct secret *out, struct error *e)
{
	char path[LIMIT_PATH];
	int status = -1;

	CHECK(ref->kind != SECRET_NOWHERE);
	switch (ref->kind) {
	case SECRET_NOWHERE:
		break;
	case SECRET_ENV:
		status = secret_from_env(out, ref->name, e);
		break;
	case SECRET_FILE:
		status = secret_from_file(out, ref->name, e);
		break;
	case SECRET_CREDENTIAL:
		if (credential_path(ref->name, path, e) == -1)
			return -1;
		status = secret_from_file(out, path, e);
		break;
	}
	if (status == -1)
		e->code = ERROR_CONFIG;
	return status;
}

int
secret_ref_check(const struct secret_ref *ref, struct error *e)
{
	char path[LIMIT_PATH];
	const char *file = ref->name;
	int fd;

	if (ref->kind == SECRET_ENV) {
		const char *value = getenv(ref->name);

		if (value == NULL || value[0] == '\0')
			return error_set(e, ERROR_CONFIG, 0,
			    "the environment variable %s is %s; export it",
			    ref->name, value == NULL ? "not set" : "empty");
		return 0;
	}
	if (ref->kind == SECRET_CREDENTIAL) {
		if (credential_path(ref->name, path, e) == -1)
			return -1;
		file = path;
	}
	fd = os->open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd == -1)
		return error_set(e, ERROR_CONFIG, errno,
		    "the file %s of this key cannot be read", file);
	os->close(fd);
	return 0;
}

/* --- in a table --- */

static int
kind_of(const struct json_doc *d, int key)
{
	for (size_t i = 1; i < KINDS; i++)
		if (json_is(d, key, kinds[i]))
			return (int)i;
	return -1;
}

int
table_secret(struct table_reader *r, int v, void *at)
{
	struct secret_ref *ref = at;
	const char *name;
	int key, kind;

	/* Never show the value: it may be the secret itself. */
	if (json_type(r->doc, v) == JSON_STRING)
		return table_complain(r, v,
		    "a secret must not stand here in clear; name where it is: "
		    "{\"env\": \"NAME\"}, {\"file\": \"PATH\"} or "
		    "{\"credential\": \"NAME\"}");
	if (json_type(r->doc, v) != JSON_OBJECT || json_size(r->doc, v) != 1)
		return table_complain_type(r, v,
		    "one of {\"env\": \"NAME\"}, {\"file\": \"PATH\"}, "
		    "{\"credential\": \"NAME\"}");
	key = json_first(r->doc, v);
	kind = kind_of(r->doc, key);
	if (kind == -1)
		return table_complain(r, key,
		    "unknown kind of reference; known are env, file, "
		    "credential");
	if (table_text(r, json_value(r->doc, key), &name) == -1)
		return -1;
	if (name[0] == '\0')
		return table_complain(r, key, "the name is empty");
	if (kind == SECRET_CREDENTIAL && strchr(name, '/') != NULL)
		return table_complain(
		    r, key, "a credential is a name, not a path");
	if (kind == SECRET_FILE &&
	    (name = table_path(r, span_of(name))) == NULL)
		return -1;
	ref->kind = (enum secret_ref_kind)kind;
	ref->name = name;
	return 0;
}

void
secret_ref_write(const struct secret_ref *ref, struct json_writer *w)
{
	json_write_object(w);
	if (ref->kind != SECRET_NOWHERE)
		json_put_str(w, kinds[ref->kind], ref->name);
	json_write_end(w);
}

void
table_secret_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
	json_put_object(w, "properties");
	for (size_t i = 1; i < KINDS; i++) {
		json_put_object(w, kinds[i]);
		json_put_str(w, "type", "string");
		json_write_end(w);
	}
	json_write_end(w);
	json_put_bool(w, "additionalProperties", 0);
	json_put_int(w, "minProperties", 1);
	json_put_int(w, "maxProperties", 1);
}
