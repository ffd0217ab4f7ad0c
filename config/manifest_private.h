#ifndef SKEP_CONFIG_MANIFEST_PRIVATE_H
#define SKEP_CONFIG_MANIFEST_PRIVATE_H

/* The inside of manifests: manifest*.c. */

#include "config/manifest.h"
#include "config/table.h"

#define MANIFEST_MODE_DEFAULT 0755u
#define MANIFEST_ENTRIES_MAX 1000000u

/* manifest_entries.c: the member "entries". */
extern const struct field_custom manifest_entries_custom;
/* Members of an entry for "$defs". */
void manifest_entry_defs(struct json_writer *w);

/* manifest_environment.c: "environment", "users", one group. */
extern const struct field_custom manifest_environment_custom;
extern const struct field_custom manifest_users_custom;
extern const struct table manifest_group_table;

/* manifest_write.c */
void manifest_entries_write(
    struct json_writer *w, const char *key, const void *at);

#endif
