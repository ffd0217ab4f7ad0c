#ifndef SKEP_CONFIG_TABLE_H
#define SKEP_CONFIG_TABLE_H

/*
 * A kind of file is a table of fields.  From the one table come the parser
 * with its messages, the defaults, the canonical form and the JSON Schema.
 *
 * Reading goes on after a fault: each one becomes a complaint with its place,
 * and the member keeps its default.  What was read lives in the reader's
 * arena; nothing points into the document.
 */

#include <stddef.h>
#include <stdint.h>

#include "config/text_list.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"

struct agent_nursery;
struct arena;
struct complaints;
struct json_doc;
struct json_writer;
struct overrides;
struct table_reader;
struct text;

enum field_type {
	FIELD_BOOL,   /* int */
	FIELD_INT,    /* int64_t, min..max */
	FIELD_COUNT,  /* uint64_t, min..max */
	FIELD_REAL,   /* double, min..max */
	FIELD_SIZE,   /* uint64_t: a number of bytes or "64M" */
	FIELD_TIME,   /* uint64_t, milliseconds: seconds, or "250ms", "2h" */
	FIELD_CHOICE, /* an enum of int's size: the index in names */
	FIELD_FLAGS,  /* unsigned: a list of names, bit 1 << index */
	FIELD_TEXT,   /* const char * */
	FIELD_PATH,   /* const char *: absolute, or below the file's folder */
	FIELD_BYTES,  /* struct span: a text that may hold anything */
	FIELD_JSON,   /* struct span: a value kept as it stands */
	FIELD_TEXTS,  /* struct text_list */
	FIELD_NAMED,  /* struct named_list: an object of texts */
	FIELD_SECRET, /* struct secret_ref */
	FIELD_OBJECT, /* a struct in place, by table */
	FIELD_LIST,   /* const T *: objects by table; count at offset_n */
	FIELD_CUSTOM, /* by custom */
	FIELD_NOTHING /* accepted and ignored */
};

enum field_flags {
	FIELD_REQUIRED = 1,    /* unless a text stands there already */
	FIELD_NULLABLE = 2,    /* null means: not given */
	FIELD_ASIDE = 4,       /* not part of the digest */
	FIELD_OBJECT_ONLY = 8, /* JSON: only an object */
};

struct field_custom {
	/* Read value v into at; -1 when it complained. */
	int (*read)(struct table_reader *r, int v, void *at);
	/* Write it with its key, or nothing. */
	void (*write)(struct json_writer *w, const char *key, const void *at);
	/* The members of its JSON Schema, into an open object. */
	void (*schema)(struct json_writer *w);
};

struct field {
	const char *name;
	enum field_type type;
	unsigned flags;
	size_t offset, offset_n;
	double min, max;          /* INT, REAL; SIZE and TIME: max, 0 none */
	double preset;            /* the default of a number or choice */
	const char *preset_text;  /* of a text */
	const char *const *names; /* CHOICE, FLAGS: ends with NULL */
	const struct table *table;
	const struct field_custom *custom;
	const char *doc;
};

struct table {
	const char *name; /* "agent" */
	const char *doc;
	size_t bytes;               /* of the struct */
	const struct field *fields; /* ends with name NULL */
	/* Checks across fields, after all were read; may be NULL. */
	int (*check)(struct table_reader *r, int v, void *at);
	/* "$defs" of its schema, into an open object; may be NULL. */
	void (*defs)(struct json_writer *w);
	int tagged; /* its name stands in the member "type" */
};

#define TABLE_PATH_MAX 256

struct table_reader {
	struct arena *arena;
	struct complaints *complaints;
	struct overrides *overrides; /* NULL: none here */
	const char *file;            /* for messages */
	const char *folder;          /* absolute, or NULL: no paths here */
	struct json_doc *doc;
	int untrusted; /* written by a caller, not by the operator */
	struct agent_nursery *nursery; /* of agents; NULL elsewhere */
	int is_override; /* no file: lines and columns mean nothing */
	size_t path_n;
	char path[TABLE_PATH_MAX]; /* of what is being read, for overrides */
};

/*
 * Fill at with the defaults and then with object v (-1: there is none, but
 * there may be overrides).  -1 when there was a complaint.
 */
int table_read(struct table_reader *r, const struct table *t, int v, void *at);

/* The same over what is in at already. */
int table_read_over(
    struct table_reader *r, const struct table *t, int v, void *at);

/* Only the defaults. */
void table_defaults(const struct table *t, void *at);

/* Complain about value v of r->doc; returns -1. */
int table_complain(struct table_reader *r, int v, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "X stands here; WANTED"; returns -1. */
int table_complain_type(struct table_reader *r, int v, const char *wanted);

/* A text without NUL in the arena; -1 when v is none, and complains. */
int table_text(struct table_reader *r, int v, const char **out);

/* Path made absolute by the file's folder, in the arena. */
const char *table_path(struct table_reader *r, struct span path);

/* Complain when the file at path cannot be read; returns 0 or -1. */
int table_exists(struct table_reader *r, int v, const char *path);

/* Members in the table's order, into an open object. */
enum table_write_flags {
	TABLE_ALL = 1, /* what is not part of the digest, too */
};
void table_write(const struct table *t, const void *at, unsigned flags,
    struct json_writer *w);

/* The same as one object. */
void table_put(const struct table *t, const void *at, unsigned flags,
    struct json_writer *w);

/*
 * "sha256:..." of the object as JSON without spaces, what is not part of the
 * digest left out.  -1 when that is too large to be held.
 */
int table_digest(
    const struct table *t, const void *at, char out[HASH_TEXT_MAX]);

/* The whole JSON Schema of a kind of file. */
void table_schema(const struct table *t, struct text *out);

/* A subschema, into an open object. */
void table_schema_of(const struct table *t, struct json_writer *w);

#endif
