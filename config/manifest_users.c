/*
 * Users and groups of a manifest: who exists inside, and belongs to what.
 */

#include <string.h>

#include "config/manifest_private.h"
#include "engine/base/arena.h"
#include "net/json.h"
#include "net/json_write.h"

struct user {
	const char *name;
};

static int
check_name(struct table_reader *r, int v, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	if (n == 0 || n > 32 || name[n] != '\0' || strcmp(name, "root") == 0)
		return table_complain(r, v,
		    "\"%.64s\" is not a name for a user or group; use up to "
		    "32 of a-z 0-9 _ -, but not root",
		    name);
	return 0;
}

static int
user_check(struct table_reader *r, int v, void *at)
{
	const struct user *u = at;

	return check_name(r, v, u->name);
}

static const struct field user_fields[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED, .offset = offsetof(struct user, name),
	.doc = "the user's name"},
    {.name = NULL},
};

static const struct table user_table = {
    .name = "user",
    .doc = "A user.",
    .bytes = sizeof(struct user),
    .fields = user_fields,
    .check = user_check,
};

static int
users_read(struct table_reader *r, int v, void *at)
{
	struct text_list *out = at;
	const char **names;
	struct user user;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of {\"name\": NAME}");
	names = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *names);
	if (names == NULL)
		return table_complain(r, v, "out of memory");
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i)) {
		if (table_read(r, &user_table, i, &user) == -1)
			status = -1;
		else
			names[n++] = user.name;
	}
	*out = (struct text_list){names, n};
	return status;
}

static void
users_write(struct json_writer *w, const char *key, const void *at)
{
	const struct text_list *l = at;

	json_put_array(w, key);
	for (unsigned i = 0; i < l->n; i++) {
		json_write_object(w);
		json_put_str(w, "name", l->at[i]);
		json_write_end(w);
	}
	json_write_end(w);
}

static void
users_schema(struct json_writer *w)
{
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
	table_schema_of(&user_table, w);
	json_write_end(w);
}

const struct field_custom manifest_users_custom = {
    users_read, users_write, users_schema};

int
manifest_has_user(const struct manifest *m, const char *name)
{
	if (m == NULL)
		return 0;
	if (text_list_has(&m->users, name))
		return 1;
	for (unsigned i = 0; i < m->groups_n; i++)
		if (text_list_has(&m->groups[i].users, name))
			return 1;
	return 0;
}

static int
group_check(struct table_reader *r, int v, void *at)
{
	const struct manifest_group *g = at;

	return check_name(r, v, g->name);
}

static const struct field group_fields[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED,
	.offset = offsetof(struct manifest_group, name),
	.doc = "the group's name"},
    {"users", FIELD_CUSTOM, .offset = offsetof(struct manifest_group, users),
	.custom = &manifest_users_custom, .doc = "who belongs to it"},
    {.name = NULL},
};

const struct table manifest_group_table = {
    .name = "group",
    .doc = "A group.",
    .bytes = sizeof(struct manifest_group),
    .fields = group_fields,
    .check = group_check,
};

/* --- two manifests' --- */

static int
add_users(
    struct arena *arena, struct manifest *out, const struct text_list *more)
{
	unsigned n = out->users.n;
	const char **all = arena_alloc(arena, (n + more->n + 1) * sizeof *all);

	if (all == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++)
		all[i] = out->users.at[i];
	for (unsigned i = 0; i < more->n; i++)
		if (!text_list_has(&out->users, more->at[i]))
			all[n++] = more->at[i];
	out->users = (struct text_list){all, n};
	return 0;
}

static int
has_group(const struct manifest *m, const char *name)
{
	for (unsigned i = 0; i < m->groups_n; i++)
		if (strcmp(m->groups[i].name, name) == 0)
			return 1;
	return 0;
}

/* A group of both is as base has it: whom it lets in is not more's to say. */
int
manifest_users_merge(
    struct arena *arena, struct manifest *out, const struct manifest *more)
{
	unsigned n = out->groups_n;
	struct manifest_group *all =
	    arena_alloc(arena, (n + more->groups_n + 1) * sizeof *all);

	if (all == NULL || add_users(arena, out, &more->users) == -1)
		return -1;
	if (n > 0)
		memcpy(all, out->groups, n * sizeof *all);
	for (unsigned i = 0; i < more->groups_n; i++)
		if (!has_group(out, more->groups[i].name))
			all[n++] = more->groups[i];
	out->groups = all;
	out->groups_n = n;
	return 0;
}
