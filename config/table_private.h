#ifndef SKEP_CONFIG_TABLE_PRIVATE_H
#define SKEP_CONFIG_TABLE_PRIVATE_H

/* The inside of tables: shared by table*.c and the custom members of others. */

#include "config/table.h"

/* One value by its field, whatever its type; -1 when it complained. */
int table_value(struct table_reader *r, const struct field *f, int v, void *at);

/* FIELD_TEXTS, FIELD_NAMED, FIELD_LIST and FIELD_JSON. */
int table_texts(struct table_reader *r, int v, struct text_list *out);
int table_named(struct table_reader *r, int v, struct named_list *out);
int table_list(
    struct table_reader *r, const struct field *f, int v, char *base);
int table_json(
    struct table_reader *r, const struct field *f, int v, struct span *out);
int table_secret(struct table_reader *r, int v, void *at);
void table_secret_schema(struct json_writer *w);

/* Out of memory; returns -1. */
int table_full(struct table_reader *r);

/*
 * Read text as a value of field f from an override; -1 when it complained.
 */
int table_override(struct table_reader *r, const struct field *f,
    const char *text, const char *from, char *base);

#endif
