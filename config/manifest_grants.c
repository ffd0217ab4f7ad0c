/*
 * Extra path grants: folders of the host that a sandbox shows.
 *
 * They become mounts of the agent's profile, outer ones first, so that the
 * kernel lets the longest match win.
 */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/manifest_private.h"
#include "config/profile.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "net/json.h"

/* Below /dev and the like, nothing of the host may be shown. */
static const char *const kernels[] = {"/proc", "/sys", "/dev"};

static int
is_at_or_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 &&
	       (path[n] == '\0' || path[n] == '/');
}

/* A folder that may be granted: absolute, not "/", without "..". */
static int
check_granted(struct table_reader *r, int v, const char *path)
{
	struct span rest = span_of(path);

	if (path[0] != '/')
		return table_complain(r, v, "%s is not absolute", path);
	if (path[strspn(path, "/.")] == '\0')
		return table_complain(r, v, "%s would grant everything", path);
	while (rest.p != NULL)
		if (span_is(span_cut(&rest, '/'), ".."))
			return table_complain(
			    r, v, "%s contains ..; write it out", path);
	for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
		if (is_at_or_below(path, kernels[i]))
			return table_complain(
			    r, v, "%s belongs to the kernel", path);
	return 0;
}

/* Without doubled and final '/', and without ".". */
static const char *
plain(struct table_reader *r, const char *path)
{
	struct span rest = span_of(path);
	char *out = arena_alloc(r->arena, rest.n + 1);
	size_t n = 0;

	if (out == NULL) {
		table_complain(r, -1, "out of memory");
		return NULL;
	}
	while (rest.p != NULL) {
		struct span part = span_cut(&rest, '/');

		if (part.n == 0 || span_is(part, "."))
			continue;
		out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	out[n] = '\0';
	return out;
}

/* A link must not lead to what a text may not name. */
static int
check_outside(struct table_reader *r, int v, const char *path)
{
	char real[PATH_MAX];

	if (realpath(path, real) == NULL)
		return table_complain(r, v, "%s%s: %s",
		    errno == ENOENT ? "path_not_found: " : "", path,
		    strerror(errno));
	if (strcmp(real, "/") == 0)
		return table_complain(
		    r, v, "%s would grant everything: it leads to /", path);
	return check_granted(r, v, real);
}

static int
grant_check(struct table_reader *r, int v, void *at)
{
	struct manifest_grant *g = at;

	if (r->untrusted)
		return table_complain(r, v,
		    "a task cannot grant itself paths; grants stand in the "
		    "agent or its manifest file");
	if (g->host_path == NULL)
		g->host_path = g->path;
	if (check_granted(r, v, g->path) == -1 ||
	    check_granted(r, v, g->host_path) == -1 ||
	    check_outside(r, v, g->host_path) == -1)
		return -1;
	g->path = plain(r, g->path);
	g->host_path = plain(r, g->host_path);
	if (g->path == NULL || g->host_path == NULL)
		return -1;
	if (is_at_or_below(g->path, MANIFEST_ROOT))
		return table_complain(r, v,
		    "%s lies in the workspace; use a local_dir, or another "
		    "path",
		    g->path);
	return 0;
}

#define GRANT(member) .offset = offsetof(struct manifest_grant, member)

static const struct field grant_fields[] = {
    {"path", FIELD_TEXT, FIELD_REQUIRED, GRANT(path),
	.doc = "where it is inside, absolute"},
    {"read_only", FIELD_BOOL, GRANT(read_only), .preset = 1,
	.doc = "whether it cannot be written"},
    {"description", FIELD_TEXT, FIELD_NULLABLE, GRANT(description),
	.doc = "for people and the model"},
    {"host_path", FIELD_TEXT, FIELD_NULLABLE, GRANT(host_path),
	.doc = "the folder outside; the same when left out"},
    {.name = NULL},
};

const struct table manifest_grant_table = {
    .name = "grant",
    .doc = "A folder of the host that may be used.",
    .bytes = sizeof(struct manifest_grant),
    .fields = grant_fields,
    .check = grant_check,
};

static int
by_path(const void *a, const void *b)
{
	const struct manifest_grant *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int
manifest_grants_check(struct table_reader *r, int v, struct manifest *m)
{
	struct manifest_grant *sorted;

	if (m->grants_n == 0)
		return 0;
	sorted = arena_alloc(r->arena, m->grants_n * sizeof *sorted);
	if (sorted == NULL)
		return table_complain(r, v, "out of memory");
	memcpy(sorted, m->grants, m->grants_n * sizeof *sorted);
	qsort(sorted, m->grants_n, sizeof *sorted, by_path);
	for (unsigned i = 1; i < m->grants_n; i++)
		if (strcmp(sorted[i - 1].path, sorted[i].path) == 0)
			return table_complain(
			    r, v, "%s is granted twice", sorted[i].path);
	m->grants = sorted;
	return 0;
}

const struct profile *
manifest_grants_apply(
    struct arena *arena, const struct manifest *m, const struct profile *p)
{
	struct profile_mount *mounts;
	struct profile *out;
	unsigned n = p->mounts_n;

	if (m == NULL || m->grants_n == 0)
		return p;
	out = arena_alloc(arena, sizeof *out);
	mounts = arena_alloc(arena, (n + m->grants_n) * sizeof *mounts);
	if (out == NULL || mounts == NULL)
		return NULL;
	if (n > 0)
		memcpy(mounts, p->mounts, n * sizeof *mounts);
	for (unsigned i = 0; i < m->grants_n; i++)
		mounts[n++] = (struct profile_mount){
		    .source = m->grants[i].host_path,
		    .destination = m->grants[i].path,
		    .writable = !m->grants[i].read_only,
		};
	*out = *p;
	out->mounts = mounts;
	out->mounts_n = n;
	return out;
}
