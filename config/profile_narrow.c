/*
 * Inheritance by restriction: what it means that one profile is narrower than
 * another, member by member.
 */

#include <stdio.h>

#include "config/profile_private.h"
#include "config/table.h"
#include "engine/base/error.h"

static int
wider(struct error *e, const char *member, const struct profile *parent)
{
	return error_set(e, ERROR_CONFIG, 0,
	    "%s is wider than profile \"%s\" allows; a profile can only "
	    "restrict the one it extends",
	    member, parent->name);
}

static double
limit_of(const struct profile *p, const struct field *f)
{
	const char *at = (const char *)&p->limits + f->offset;

	if (f->type == FIELD_REAL)
		return *(const double *)(const void *)at;
	return (double)*(const uint64_t *)(const void *)at;
}

/* 0 is no ceiling at all. */
static int
check_limits(
    const struct profile *child, const struct profile *parent, struct error *e)
{
	const struct field *f;
	char member[64];

	for (f = profile_limits_table.fields; f->name != NULL; f++) {
		double most = limit_of(parent, f), asked = limit_of(child, f);

		if (most == 0 || (asked > 0 && asked <= most))
			continue;
		snprintf(member, sizeof member, "limits.%s", f->name);
		return wider(e, member, parent);
	}
	return 0;
}

/* Every text of few stands in many. */
static int
is_subset(const struct text_list *few, const struct text_list *many)
{
	for (unsigned i = 0; i < few->n; i++)
		if (!text_list_has(many, few->at[i]))
			return 0;
	return 1;
}

/* A mount of the parent, the same or made read-only. */
static int
has_mount(const struct profile *parent, const struct profile_mount *m)
{
	for (unsigned i = 0; i < parent->mounts_n; i++) {
		const struct profile_mount *p = &parent->mounts[i];

		if (strcmp(p->source, m->source) == 0 &&
		    strcmp(p->destination, m->destination) == 0 &&
		    p->writable >= m->writable)
			return 1;
	}
	return 0;
}

static int
same_rootfs(const struct profile *a, const struct profile *b)
{
	return a->rootfs == b->rootfs &&
	       (a->rootfs == ROOTFS_HOST ||
		   strcmp(a->rootfs_path, b->rootfs_path) == 0);
}

/* Below "." lies everything. */
static int
writable_within(const struct profile *child, const struct profile *parent)
{
	return text_list_has(&parent->writable, ".") ||
	       is_subset(&child->writable, &parent->writable);
}

int
profile_check_narrower(
    const struct profile *child, const struct profile *parent, struct error *e)
{
	if (!same_rootfs(child, parent))
		return wider(e, "rootfs", parent);
	for (unsigned i = 0; i < child->mounts_n; i++)
		if (!has_mount(parent, &child->mounts[i]))
			return wider(e, "mounts", parent);
	if (!writable_within(child, parent))
		return wider(e, "writable", parent);
	if (!is_subset(&parent->protected_paths, &child->protected_paths))
		return wider(e, "protected", parent);
	if (child->network > parent->network)
		return wider(e, "network", parent);
	if (!is_subset(&parent->denied_syscalls, &child->denied_syscalls))
		return wider(e, "denied_syscalls", parent);
	if (!is_subset(&child->environment, &parent->environment))
		return wider(e, "environment", parent);
	if (strcmp(child->user, parent->user) != 0 || child->uid != parent->uid)
		return wider(e, "user", parent);
	if ((child->require & parent->require) != parent->require)
		return wider(e, "require", parent);
	return check_limits(child, parent, e);
}
