#ifndef SKEP_CONFIG_SOURCE_H
#define SKEP_CONFIG_SOURCE_H

/*
 * A configuration file in memory: relaxed JSON, read once, with the folder
 * that its paths are relative to.  "-" is standard input.
 */

#include "engine/base/text.h"
#include "net/json.h"

struct arena;
struct complaints;

struct source {
	const char *file;   /* as it was named */
	const char *folder; /* absolute */
	struct text text;
	struct json_doc doc;
};

/*
 * Read path, in arena what outlives s.  -1 and complaints; s is released
 * then.  A duplicate key is a complaint, but the document can be used.
 */
int source_open(struct source *s, struct arena *arena, const char *path,
    struct complaints *c);

/* The same with bytes that are there already, named file. */
int source_open_text(struct source *s, struct span text, const char *file,
    const char *folder, struct complaints *c);

void source_release(struct source *s);

/* Append a whole file of at most t->bytes_max bytes; -1 and *e, which leaves
 * it to the caller to name the path. */
int source_read_file(const char *path, struct text *t, struct error *e);

/* The absolute folder of path, in arena; NULL and *e. */
const char *source_folder(
    struct arena *arena, const char *path, struct error *e);

#endif
