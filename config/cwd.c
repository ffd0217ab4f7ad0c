#include "config/cwd.h"

#include <string.h>

#include "config/manifest.h"
#include "config/table_private.h"
#include "net/json_write.h"

static int
cwd_read(struct table_reader *r, int v, void *at)
{
	const char *given, *path;
	struct error e;

	if (table_text(r, v, &given) == -1)
		return -1;
	if (given[0] == '\0')
		return table_complain(
		    r, v, "it is empty; leave it out for the root");
	if (strchr(given, '\\') != NULL)
		return table_complain(
		    r, v, "it must not hold \\; folders are separated by /");
	if (manifest_path(r->arena, span_of(given), &path, &e) == -1)
		return table_complain(r, v, "%s", e.text);
	*(const char **)at = strcmp(path, ".") == 0 ? NULL : path;
	return 0;
}

static void
cwd_write(struct json_writer *w, const char *key, const void *at)
{
	const char *const *path = at;

	if (*path != NULL)
		json_put_str(w, key, *path);
}

static void
cwd_schema(struct json_writer *w)
{
	json_put_str(w, "type", "string");
}

const struct field_custom cwd_custom = {cwd_read, cwd_write, cwd_schema};
