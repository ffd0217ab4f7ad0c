#include "sandbox/users.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/manifest.h"
#include "config/profile.h"
#include "engine/base/check.h"
#include "sandbox/etc.h"

#define NUMBER_MAX 65533 /* the next one is nobody's */

/* Whoever read the name has seen to its form. */
static void
copy_name(char out[USERS_NAME_MAX], const char *name)
{
	size_t n = strlen(name) + 1;

	CHECK(n <= USERS_NAME_MAX);
	memcpy(out, name, n);
}

static int
add_user(struct users *u, const char *name, struct error *e)
{
	for (unsigned i = 0; i < u->n; i++) {
		if (strcmp(u->user[i].name, name) == 0)
			return (int)i;
	}
	if (u->n == USERS_MAX)
		return error_set(e, ERROR_MANIFEST, 0,
		    "more than %d users besides the profile's", USERS_MAX - 1);
	copy_name(u->user[u->n].name, name);
	return (int)u->n++;
}

/* A group that is called as a user is that user's own, for others as well. */
static int
add_group(struct users *u, const struct manifest_group *g, struct error *e)
{
	unsigned at = u->groups_n;

	if (at == USERS_GROUPS_MAX)
		return error_set(e, ERROR_MANIFEST, 0, "more than %d groups",
		    USERS_GROUPS_MAX);
	for (unsigned i = 0; i < u->n; i++) {
		if (strcmp(u->user[i].name, g->name) == 0)
			return error_set(e, ERROR_MANIFEST, 0,
			    "group %s has the name of a user, who has a group "
			    "of that name anyway",
			    g->name);
	}
	copy_name(u->group[at], g->name);
	u->groups_n++;
	for (unsigned i = 0; i < g->users.n; i++) {
		int user = add_user(u, g->users.at[i], e);

		if (user == -1)
			return -1;
		u->user[user].groups |= 1u << at;
	}
	return 0;
}

static int
add_all(struct users *u, const struct manifest *m, struct error *e)
{
	for (unsigned i = 0; i < m->users.n; i++) {
		if (add_user(u, m->users.at[i], e) == -1)
			return -1;
	}
	for (unsigned i = 0; i < m->groups_n; i++) {
		if (add_group(u, &m->groups[i], e) == -1)
			return -1;
	}
	return 0;
}

/* Let user 0 and the one that acts change places. */
static void
act_in_the_first_place(struct users *u)
{
	char name[USERS_NAME_MAX];
	uint32_t groups = u->user[0].groups;
	unsigned with = u->acting;

	memcpy(name, u->user[0].name, sizeof name);
	u->user[0] = u->user[with];
	memcpy(u->user[with].name, name, sizeof name);
	u->user[with].groups = groups;
	u->acting = 0;
}

int
users_init(struct users *u, const struct profile *p, const struct manifest *m,
    const char *run_as, int single, struct error *e)
{
	int status;

	*u = (struct users){.first = p != NULL ? (uid_t)p->uid : ETC_UID};
	if (add_user(u, p != NULL ? p->user : ETC_USER, e) == -1 ||
	    (m != NULL && add_all(u, m, e) == -1))
		return -1;
	if (u->first + u->n + u->groups_n > NUMBER_MAX)
		return error_set(e, ERROR_MANIFEST, 0,
		    "there are no numbers for users after the profile's %u",
		    u->first);
	status = users_find(u, run_as, &u->acting, e);
	if (status == -1)
		e->code = ERROR_MANIFEST;
	u->is_single = single;
	if (status == 0 && single && u->acting != 0)
		act_in_the_first_place(u);
	return status;
}

int
users_are_plain(const struct users *u)
{
	return u->n == 1 && u->groups_n == 0 && u->first == ETC_UID &&
	       strcmp(u->user[0].name, ETC_USER) == 0;
}

unsigned
users_more(const struct users *u)
{
	return u->is_single ? 0 : u->n + u->groups_n - 1;
}

static int
find_by_name(const struct users *u, const char *name)
{
	char *end;
	unsigned long number;

	for (unsigned i = 0; i < u->n; i++) {
		if (strcmp(u->user[i].name, name) == 0)
			return (int)i;
	}
	if (*name < '0' || *name > '9')
		return -1;
	number = strtoul(name, &end, 10);
	return *end == '\0' && number >= u->first && number - u->first < u->n
		   ? (int)(number - u->first)
		   : -1;
}

int
users_find(
    const struct users *u, const char *name, unsigned *out, struct error *e)
{
	int at = name == NULL ? (int)u->acting : find_by_name(u, name);

	if (at == -1)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "there is no user %.64s in this sandbox; a manifest's "
		    "\"users\" makes one",
		    name);
	if (u->is_single && at != (int)u->acting)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, 0,
		    "nothing can be done as user %.64s here: without root a "
		    "sandbox has one user, %s",
		    u->user[at].name, u->user[u->acting].name);
	*out = (unsigned)at;
	return 0;
}

void
users_identify(const struct users *u, unsigned user, struct users_identity *out)
{
	CHECK(user < u->n);
	*out = (struct users_identity){
	    .uid = u->first + user, .gid = u->first + user};
	for (unsigned g = 0; g < u->groups_n && !u->is_single; g++) {
		if ((u->user[user].groups & 1u << g) != 0)
			out->group[out->groups_n++] = u->first + u->n + g;
	}
}

int
users_find_group(
    const struct users *u, const char *name, gid_t *out, struct error *e)
{
	int at = -1;

	for (unsigned i = 0; i < u->n; i++) {
		if (strcmp(u->user[i].name, name) == 0)
			at = (int)i;
	}
	for (unsigned g = 0; g < u->groups_n; g++) {
		if (strcmp(u->group[g], name) == 0)
			at = (int)(u->n + g);
	}
	if (at == -1)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "there is no group %.64s in this sandbox", name);
	*out = u->first + (unsigned)at;
	if (u->is_single && at != 0)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, 0,
		    "nothing can belong to group %.64s here: without root a "
		    "sandbox has one user and one group",
		    name);
	return 0;
}

/* ------------------------------------------------------------------- texts */

struct out {
	char *p;
	size_t n;
};

static void __attribute__((format(printf, 2, 3)))
put(struct out *o, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(o->p + o->n, USERS_TEXT_MAX - o->n, format, args);
	va_end(args);
	CHECK(n >= 0 && (size_t)n < USERS_TEXT_MAX - o->n);
	o->n += (size_t)n;
}

static void
put_members(struct out *o, const struct users *u, unsigned group)
{
	const char *before = "";

	for (unsigned i = 0; i < u->n; i++) {
		if ((u->user[i].groups & 1u << group) == 0)
			continue;
		put(o, "%s%s", before, u->user[i].name);
		before = ",";
	}
	put(o, "\n");
}

size_t
users_write(const struct users *u, char out[USERS_TEXT_MAX], size_t *group)
{
	struct out o = {.p = out};

	put(&o, "root:x:0:0:root:/root:/usr/sbin/nologin\n");
	for (unsigned i = 0; i < u->n; i++)
		put(&o, "%s:x:%u:%u:skep sandbox:" ETC_HOME ":/bin/sh\n",
		    u->user[i].name, u->first + i, u->first + i);
	put(&o, "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
	*group = ++o.n;
	put(&o, "root:x:0:\ntty:x:5:\n");
	for (unsigned i = 0; i < u->n; i++)
		put(&o, "%s:x:%u:\n", u->user[i].name, u->first + i);
	for (unsigned g = 0; g < u->groups_n; g++) {
		put(&o, "%s:x:%u:", u->group[g], u->first + u->n + g);
		put_members(&o, u, g);
	}
	put(&o, "nogroup:x:65534:\n");
	return o.n + 1;
}
