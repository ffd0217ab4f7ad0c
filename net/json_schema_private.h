#ifndef SKEP_NET_JSON_SCHEMA_PRIVATE_H
#define SKEP_NET_JSON_SCHEMA_PRIVATE_H

/* The inside of JSON Schema: json_schema*.c. */

#include "net/json.h"
#include "net/json_schema.h"

/*
 * What "$ref" at schema value v names: another value of the schema whose root
 * is given, or -1.
 */
int schema_target(const struct json_doc *schema, int root, int v);

/*
 * The keywords of schema s that need no other value than v: 0; else -1 with
 * the fault and *e.
 */
int schema_scalars(const struct json_doc *schema, int s, struct json_doc *doc,
    int v, struct error *e);

/* Two values are the same. */
int schema_same(
    const struct json_doc *a, int v, const struct json_doc *b, int w);

#endif
