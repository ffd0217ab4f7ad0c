/*
 * File verbs on the engine's side: paths are checked here as text, the work
 * is the sandbox's.
 */

#include <errno.h>
#include <string.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "sandbox/backend.h"
#include "sandbox/wire.h"

#define ROOT "/workspace"

static const char *const verb_names[] = {
    [FILE_PUT] = "write",
    [FILE_GET] = "read",
    [FILE_LIST] = "list",
    [FILE_STAT] = "look at",
    [FILE_MKDIR] = "make folder",
    [FILE_REMOVE] = "remove",
    [FILE_RENAME] = "rename",
    [FILE_CHGRP] = "change the group of",
    [FILE_CHMOD] = "change the mode of",
    [FILE_HASH] = "hash",
};

/* Is there a component ".." in path? */
static int
climbs(const char *path)
{
	for (const char *p = path; p != NULL; p = strchr(p, '/')) {
		p += strspn(p, "/");
		if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return 1;
	}
	return 0;
}

int
sandbox_shows(const struct sandbox *sb, const char *path)
{
	const struct profile *p = sb->profile;

	for (unsigned i = 0; p != NULL && i < p->mounts_n; i++) {
		const char *dst = p->mounts[i].destination;
		size_t n = strlen(dst);

		if (strncmp(path, dst, n) == 0 &&
		    (path[n] == '/' || path[n] == '\0'))
			return 1;
	}
	return 0;
}

/*
 * The path below the workspace, or as it is where the sandbox shows something
 * else; or NULL and *e.
 */
static const char *
check_path(const struct sandbox *sb, const char *path, struct error *e)
{
	const char *p = path;

	if (*p == '/' && !sandbox_shows(sb, path)) {
		if (strncmp(p, ROOT, strlen(ROOT)) != 0 ||
		    (p[strlen(ROOT)] != '/' && p[strlen(ROOT)] != '\0')) {
			error_set(
			    e, ERROR_DENIED, 0, "%s: is not below " ROOT, path);
			return NULL;
		}
		p += strlen(ROOT);
		p += strspn(p, "/");
	}
	if (strlen(p) >= LIMIT_PATH) {
		error_set(e, ERROR_TOO_BIG, 0, "the path is too long");
		return NULL;
	}
	if (climbs(p)) {
		error_set(e, ERROR_DENIED, 0, "%s: must not contain ..", path);
		return NULL;
	}
	return *p == '\0' ? "." : p;
}

static void
release(struct file_op *op)
{
	struct sandbox *sb = op->sb;

	list_remove(&sb->files, &op->link);
	op->magic = 0;
	slab_give(&sb->host->file_slab, op);
}

static struct file_op *
start(struct sandbox *sb, enum file_verb verb, const char *path,
    struct file_request *r, file_done_fn *done, void *owner, struct error *e)
{
	struct file_op *op;
	size_t n;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	if (sb->state != SANDBOX_READY && sb->state != SANDBOX_FILLING) {
		error_set(e, ERROR_SANDBOX_LOST, 0,
		    "the sandbox is not there (any more)");
		return NULL;
	}
	r->path = check_path(sb, path, e);
	if (r->path == NULL)
		return NULL;
	users_identify(&sb->users,
	    (r->flags & FILE_OURS) != 0 ? 0 : sb->users.acting, &r->as);
	if (verb == FILE_CHGRP && (r->flags & FILE_OURS) != 0) {
		/* Whoever gives to a group must be in it. */
		r->as.groups_n = 1;
		r->as.group[0] = r->gid;
	}
	op = sb->files.length < SANDBOX_OPS_MAX
		 ? slab_take(&sb->host->file_slab)
		 : NULL;
	if (op == NULL) {
		error_set(e, ERROR_FULL, 0, "too many file verbs at once");
		return NULL;
	}
	op->magic = FILE_OP_MAGIC;
	op->verb = verb;
	op->sb = sb;
	op->id = ++sb->host->next_id;
	op->done = done;
	op->owner = owner;
	n = strlen(r->path);
	n = n < sizeof op->path ? n : sizeof op->path - 1;
	memcpy(op->path, r->path, n);
	list_append(&sb->files, &op->link);
	if (sb->host->backend->file(op, r, e) == -1) {
		release(op);
		return NULL;
	}
	return op;
}

struct file_op *
sandbox_put(struct sandbox *sb, const char *path, uint32_t mode,
    uint64_t offset, unsigned flags, struct span s, file_done_fn *done,
    void *owner, struct error *e)
{
	struct file_request r = {.flags = flags,
	    .mode = mode,
	    .offset = offset,
	    .n = s.n,
	    .bytes = s};

	CHECK(s.n <= SANDBOX_SLICE);
	return start(sb, FILE_PUT, path, &r, done, owner, e);
}

struct file_op *
sandbox_get(struct sandbox *sb, const char *path, uint64_t offset, size_t n,
    unsigned flags, file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.flags = flags, .offset = offset, .n = n};

	CHECK(n <= SANDBOX_SLICE);
	return start(sb, FILE_GET, path, &r, done, owner, e);
}

struct file_op *
sandbox_list(struct sandbox *sb, const char *path, uint64_t from,
    unsigned flags, file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.flags = flags, .offset = from};

	return start(sb, FILE_LIST, path, &r, done, owner, e);
}

int
file_entry_next(struct span *rest, struct file_entry *out)
{
	struct init_entry entry;

	if (rest->n < sizeof entry)
		return 0;
	memcpy(&entry, rest->p, sizeof entry);
	if (rest->n - sizeof entry < entry.name_bytes ||
	    entry.kind > FILE_OTHER)
		return 0;
	out->name = (struct span){rest->p + sizeof entry, entry.name_bytes};
	out->stat = (struct file_stat){.kind = (enum file_kind)entry.kind,
	    .mode = entry.mode,
	    .size = entry.size,
	    .inode = entry.inode,
	    .mtime_ns = entry.mtime_ns,
	    .changed_ns = entry.changed_ns,
	    .born_ns = entry.born_ns};
	*rest = span_slice(*rest, sizeof entry + entry.name_bytes, rest->n);
	return 1;
}

struct file_op *
sandbox_stat(struct sandbox *sb, const char *path, unsigned flags,
    file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.flags = flags};

	return start(sb, FILE_STAT, path, &r, done, owner, e);
}

struct file_op *
sandbox_mkdir(struct sandbox *sb, const char *path, uint32_t mode,
    unsigned flags, file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.flags = flags, .mode = mode};

	return start(sb, FILE_MKDIR, path, &r, done, owner, e);
}

struct file_op *
sandbox_remove(struct sandbox *sb, const char *path, unsigned flags,
    file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.flags = flags};

	return start(sb, FILE_REMOVE, path, &r, done, owner, e);
}

struct file_op *
sandbox_rename(struct sandbox *sb, const char *from, const char *to,
    file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.to = check_path(sb, to, e)};

	if (r.to == NULL)
		return NULL;
	return start(sb, FILE_RENAME, from, &r, done, owner, e);
}

struct file_op *
sandbox_chgrp(struct sandbox *sb, const char *path, const char *group,
    unsigned flags, file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.flags = flags};

	if (users_find_group(&sb->users, group, &r.gid, e) == -1)
		return NULL;
	return start(sb, FILE_CHGRP, path, &r, done, owner, e);
}

struct file_op *
sandbox_chmod(struct sandbox *sb, const char *path, uint32_t mode,
    unsigned flags, file_done_fn *done, void *owner, struct error *e)
{
	struct file_request r = {.flags = flags, .mode = mode};

	return start(sb, FILE_CHMOD, path, &r, done, owner, e);
}

struct file_op *
sandbox_hash(struct sandbox *sb, const char *path, uint64_t offset,
    const struct hash *so_far, unsigned flags, file_done_fn *done, void *owner,
    struct error *e)
{
	struct file_request r = {
	    .flags = flags, .offset = offset, .hash = *so_far};

	return start(sb, FILE_HASH, path, &r, done, owner, e);
}

void
file_op_cancel(struct file_op *op)
{
	CHECK_OBJ(op, FILE_OP_MAGIC);
	op->done = NULL;
}

/* -------------------------------------------------------------------- ends */

static enum error_code
code_of(int os_errno)
{
	switch (os_errno) {
	case ENOENT:
	case ENOTDIR:
		return ERROR_NOT_FOUND;
	case EXDEV:
	case ELOOP:
	case EACCES:
	case EPERM:
	case EROFS:
		return ERROR_DENIED;
	default:
		return ERROR_IO;
	}
}

void
file_op_ended(struct file_op *op, int os_errno, struct file_result *r)
{
	file_done_fn *done = op->done;
	void *owner = op->owner;
	struct error e;

	CHECK_OBJ(op, FILE_OP_MAGIC);
	if (os_errno != 0) {
		error_set(&e, code_of(os_errno), os_errno, "%s%s %s",
		    os_errno == EROFS && op->path[0] == '/'
			? "read_only_extra_path_grant: "
			: "",
		    verb_names[op->verb], op->path);
		r->error = &e;
	}
	release(op);
	if (done != NULL)
		done(op, r, owner);
}

void
file_ops_abandon(struct sandbox *sb, const struct error *error)
{
	struct list_node *n;

	while ((n = list_first(&sb->files)) != NULL) {
		struct file_op *op = container_of(n, struct file_op, link);
		struct file_result r = {.error = error};
		file_done_fn *done = error != NULL ? op->done : NULL;
		void *owner = op->owner;

		release(op);
		if (done != NULL)
			done(op, &r, owner);
	}
}

struct file_op *
sandbox_file_by_id(struct sandbox *sb, uint32_t id)
{
	for (struct list_node *n = list_first(&sb->files); n != NULL;
	     n = list_next(&sb->files, n)) {
		struct file_op *op = container_of(n, struct file_op, link);

		if (op->id == id)
			return op;
	}
	return NULL;
}
