#ifndef SKEP_CONFIG_MANIFEST_PRIVATE_H
#define SKEP_CONFIG_MANIFEST_PRIVATE_H

/* The inside of manifests: manifest*.c. */

#include "config/manifest.h"
#include "config/table.h"

#define MANIFEST_MODE_DEFAULT 0755u
#define MANIFEST_ENTRIES_MAX 1000000u

/* manifest_entries.c: the member "entries". */
extern const struct field_custom manifest_entries_custom;

/* manifest_types.c: one entry, without what is below it; "$defs". */
int manifest_entry_read(
    struct table_reader *r, int v, struct manifest_entry *out);
void manifest_entry_defs(struct json_writer *w);
void manifest_entries_schema(struct json_writer *w);

/* manifest_permissions.c */
extern const struct field_custom manifest_mode_custom;

/* manifest_environment.c */
extern const struct field_custom manifest_environment_custom;

/* manifest_users.c: "users", one group. */
extern const struct field_custom manifest_users_custom;
extern const struct table manifest_group_table;
/* Those of more that out has not, into out; -1: arena is full. */
int manifest_users_merge(
    struct arena *arena, struct manifest *out, const struct manifest *more);

/* manifest_grants.c: one grant; all of them, which it puts in order. */
extern const struct table manifest_grant_table;
int manifest_grants_check(struct table_reader *r, int v, struct manifest *m);

/* manifest_write.c */
void manifest_entries_write(
    struct json_writer *w, const char *key, const void *at);

#endif
