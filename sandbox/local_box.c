#include "sandbox/local_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "sandbox/landlock.h"
#include "sandbox/zygote.h"

#define HOSTNAME "skep"

static int
add_text(struct box *b, const char *s, uint16_t *offset, struct error *e)
{
	size_t n = strlen(s) + 1;

	if (b->text_bytes + n > sizeof b->text)
		return error_set(
		    e, ERROR_CONFIG, 0, "the profile's paths are too long");
	*offset = b->text_bytes;
	memcpy(b->text + b->text_bytes, s, n);
	b->text_bytes = (uint16_t)(b->text_bytes + n);
	return 0;
}

/* The number of the prepared tree for path, a new one if need be; -1. */
static int
add_tree(
    struct local_trees *t, const char *path, int read_only, struct error *e)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (strcmp(t->path[i], path) == 0 &&
		    ((t->read_only >> i) & 1) == (unsigned)read_only)
			return (int)i;
	}
	if (t->n == MOUNTS_TREES_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "more than %d folders of the host", MOUNTS_TREES_MAX);
	t->path[t->n] = path;
	t->read_only |= (uint32_t)read_only << t->n;
	return (int)t->n++;
}

static int
attach(struct box *b, struct local_trees *t, const char *src, const char *dst,
    int read_only, struct error *e)
{
	int tree = add_tree(t, src, read_only, e);

	if (tree == -1)
		return -1;
	if (b->attach_n == MOUNTS_TREES_MAX)
		return error_set(e, ERROR_CONFIG, 0, "too many binds");
	b->attach[b->attach_n] = (uint8_t)tree;
	return add_text(b, dst, &b->attach_dst[b->attach_n++], e);
}

static uint64_t
or_half_of_memory(uint64_t bytes)
{
	if (bytes > 0)
		return bytes;
	return (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 *
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * What is in a tmpfs is charged to the sandbox's memory.  One that could grow
 * as large as that would end commands by the memory killer where a write
 * should be refused, so it is smaller: a full disk is `disk`, and what
 * processes need beside it is `oom`.
 */
static uint64_t
within_memory(const struct local_host *h, const struct profile_limits *l,
    uint64_t disk_bytes)
{
	uint64_t most = l->memory_bytes / 8 * 7;

	if (l->memory_bytes == 0 || disk_bytes <= most ||
	    (h->cgroups.has & 1u << CGROUP_MEMORY) == 0)
		return disk_bytes;
	return most;
}

static void
fill_limits(struct local_host *h, struct local_profile *p)
{
	const struct profile_limits *l = &p->profile->limits;
	struct box *b = &p->box;

	b->rlimits.files = l->open_files;
	b->rlimits.file_bytes = l->file_bytes;
	b->rlimits.cpu_seconds = l->cpu_seconds;
	if ((h->cgroups.has & 1u << CGROUP_PIDS) == 0)
		b->rlimits.processes = l->pids;
	if ((h->cgroups.has & 1u << CGROUP_MEMORY) == 0)
		b->rlimits.address_bytes = l->memory_bytes;
	b->tmp_bytes = b->workspace_bytes =
	    within_memory(h, l, or_half_of_memory(l->disk_bytes));
	b->tmp_inodes = b->workspace_inodes =
	    l->disk_inodes > 0 ? l->disk_inodes : 1u << 20;
	p->cgroup = (struct cgroup_limits){.memory_bytes = l->memory_bytes,
	    /* pid 1 is one of them, and not the command's. */
	    .pids = l->pids > 0 ? l->pids + 1 : 0,
	    .cpu_milli = (unsigned)(l->cpus * 1000)};
}

/* Which paths of the workspace can be written to, and which not. */
static int
fill_protection(struct box *b, const struct profile *p, struct error *e)
{
	if (p->protected_paths.n > MOUNTS_PROTECTED_MAX ||
	    p->writable.n > MOUNTS_PROTECTED_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "more than %d protected or writable paths",
		    MOUNTS_PROTECTED_MAX);
	for (unsigned i = 0; i < p->protected_paths.n; i++) {
		if (add_text(b, p->protected_paths.at[i],
			&b->protect[b->protect_n++], e) == -1)
			return -1;
	}
	if (text_list_has(&p->writable, "."))
		return 0;
	b->restricted = 1;
	for (unsigned i = 0; i < p->writable.n; i++) {
		if (add_text(b, p->writable.at[i],
			&b->writable[b->writable_n++], e) == -1)
			return -1;
	}
	return 0;
}

static int
fill_mounts(struct local_profile *p,
    const struct sandbox_host_settings *settings, struct local_trees *t,
    struct error *e)
{
	const struct profile *from = p->profile;
	struct box *b = &p->box;

	b->rootfs = b->workspace = b->layers = -1;
	snprintf(p->rootfs, sizeof p->rootfs, "host");
	if (from->rootfs == ROOTFS_DIR) {
		snprintf(
		    p->rootfs, sizeof p->rootfs, "dir:%s", from->rootfs_path);
		b->rootfs = (int8_t)add_tree(t, from->rootfs_path, 1, e);
		if (b->rootfs == -1)
			return -1;
	}
	if (settings->workspace != NULL) {
		b->workspace = (int8_t)add_tree(t, settings->workspace, 0, e);
		if (b->workspace == -1)
			return -1;
	}
	if (settings->layers != NULL) {
		b->layers = (int8_t)add_tree(t, settings->layers, 0, e);
		if (b->layers == -1)
			return -1;
	}
	for (unsigned i = 0; i < from->mounts_n; i++) {
		const struct profile_mount *m = &from->mounts[i];

		if (attach(b, t, m->source, m->destination, !m->writable, e) ==
		    -1)
			return -1;
	}
	for (unsigned i = 0; i < settings->binds_n; i++) {
		const struct sandbox_bind *m = &settings->binds[i];

		if (attach(b, t, m->src, m->dst, m->read_only, e) == -1)
			return -1;
	}
	if (fill_protection(b, from, e) == -1)
		return -1;
	return add_text(b, HOSTNAME, &b->hostname, e);
}

static int
fill_program(struct local_host *h, struct local_profile *p, struct error *e)
{
	const struct text_list *denied = &p->profile->denied_syscalls;
	struct span names[256];

	if (denied->n > sizeof names / sizeof names[0])
		return error_set(
		    e, ERROR_CONFIG, 0, "too many denied system calls");
	for (unsigned i = 0; i < denied->n; i++)
		names[i] = span_of(denied->at[i]);
	p->box.seccomp = 1;
	if (h->zygote->single)
		return seccomp_compile(&p->program, names, denied->n, e);
	return seccomp_compile_inner(&p->program, names, denied->n, e);
}

/* What the profile asks for and this host has not. */
static int
check_required(struct local_host *h, struct local_profile *p, struct error *e)
{
	const struct profile *from = p->profile;
	const char *missing = NULL, *why = "";

	if ((from->require & REQUIRE_SECCOMP) != 0 && !h->features.seccomp)
		missing = "system call filters";
	if ((from->require & REQUIRE_CGROUP) != 0 &&
	    h->cgroups.kind == CGROUP_NONE) {
		missing = "control groups";
		why = h->cgroups.why;
	}
	if ((from->require & REQUIRE_LANDLOCK) != 0 &&
	    h->features.landlock == 0)
		missing = "Landlock";
	if (missing == NULL)
		return 0;
	return error_set(e, ERROR_SANDBOX_UNAVAILABLE, 0,
	    "profile %s requires %s, which this host does not offer%s%s",
	    from->name, missing, *why != '\0' ? ": " : "", why);
}

int
local_box_fill(struct local_host *h, struct local_profile *p,
    const struct sandbox_host_settings *settings, struct local_trees *trees,
    struct error *e)
{
	struct box *b = &p->box;

	profile_digest(p->profile, p->digest);
	b->network = p->profile->network == NETWORK_LOOPBACK ? NETNS_LOOPBACK
							     : NETNS_NONE;
	b->landlock_abi = (uint8_t)h->features.landlock;
	if (fill_mounts(p, settings, trees, e) == -1 ||
	    fill_program(h, p, e) == -1)
		return -1;
	return 0;
}

int
local_box_limit(struct local_host *h, struct local_profile *p, struct error *e)
{
	fill_limits(h, p);
	return check_required(h, p, e);
}
