#include "sandbox/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "sandbox/outputs_private.h"

#define HEAD_BYTES 4096        /* of a member of an archive, at most about */
#define SIZE_SANE (1ULL << 50) /* more is no limit */

/*
 * Theory of operation
 *
 * A list of places still to be visited, from which the first is taken: a
 * declared path of unknown kind, a folder to be listed, whose entries go to
 * the front, or a file to be copied.  One verb is under way at a time, except
 * while a file is copied, when AHEAD slices are.
 *
 * Names come out of a sandbox and are believed nothing: each must be a single
 * component, and the copy's folder is reached from the output folder one
 * component at a time without following links.
 */

static void
close_copy(struct outputs *o)
{
	if (o->part != -1) {
		os->close(o->part);
		unlinkat(o->folder, PART_NAME, 0);
	}
	if (o->folder != -1)
		os->close(o->folder);
	o->folder = o->part = -1;
}

static void
end(struct outputs *o)
{
	for (unsigned i = 0; i < AHEAD; i++) {
		if (o->op[i] != NULL)
			file_op_cancel(o->op[i]);
	}
	archive_cancel(o->archive);
	loop_undefer(&o->next);
	close_copy(o);
	if (o->dir != -1)
		os->close(o->dir);
	o->magic = 0;
	pool_give(o);
}

int
outputs_fail(struct outputs *o, enum error_code code, int os_errno,
    const char *what, const char *path)
{
	o->failed = 1;
	return error_set(
	    &o->error, code, os_errno, "output %s: %s", path, what);
}

/* Is it about the name, which a run chose, and not about the disk? */
static int
is_about_names(int os_errno)
{
	switch (os_errno) {
	case EEXIST:
	case ENOTEMPTY:
	case EISDIR:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case EINVAL:
	case EILSEQ:
	case EMLINK:
	case EFBIG:
		return 1;
	default:
		return 0;
	}
}

/* Our own call failed for the copy of path; -1. */
static int
fail_outside(
    struct outputs *o, enum error_code code, int os_errno, const char *path)
{
	return outputs_fail(o,
	    is_about_names(os_errno) ? ERROR_OUTPUT_MISSING : code, os_errno,
	    "write", path);
}

void
outputs_fail_inside(struct outputs *o, const struct error *e)
{
	if (o->failed)
		return;
	o->failed = 1;
	o->error = *e;
	/* Its disk, its paths: nothing of ours is broken. */
	if (e->code == ERROR_IO || e->code == ERROR_CANNOT_CREATE)
		o->error.code = ERROR_OUTPUT_MISSING;
}

/* The verb that ended; -1 when it failed, and then so have we. */
static int
landed(struct outputs *o, struct file_op *op, const struct file_result *r)
{
	CHECK_OBJ(o, OUTPUTS_MAGIC);
	for (unsigned i = 0; i < AHEAD; i++) {
		if (o->op[i] == op)
			o->op[i] = NULL;
	}
	o->flying--;
	loop_defer(&o->next);
	if (r->error == NULL || o->failed)
		return o->failed ? -1 : 0;
	outputs_fail_inside(o, r->error);
	return -1;
}

static int
started(struct outputs *o, struct file_op *op)
{
	if (op == NULL) {
		o->failed = 1;
		return -1;
	}
	for (unsigned i = 0; i < AHEAD; i++) {
		if (o->op[i] == NULL) {
			o->op[i] = op;
			break;
		}
	}
	o->flying++;
	return 0;
}

int
outputs_push(struct outputs *o, enum place_kind kind, const char *folder,
    struct span name)
{
	struct place *p = arena_alloc(o->arena, sizeof *p);

	if (p != NULL && folder != NULL && strcmp(folder, ".") != 0)
		p->path = arena_printf(
		    o->arena, "%s/%.*s", folder, (int)name.n, name.p);
	else if (p != NULL)
		p->path = arena_strndup(o->arena, name.p, name.n);
	if (p == NULL || p->path == NULL)
		return outputs_fail(
		    o, ERROR_TOO_BIG, 0, "too many files", "list");
	p->kind = kind;
	p->next = o->places;
	o->places = p;
	return 0;
}

/* ------------------------------------------------------------------ a file */

/*
 * Open the folder of path below the output folder, making what is missing;
 * *name is the last component.
 */
static int
open_folder(struct outputs *o, const char *path, const char **name)
{
	int fd = fcntl(o->dir, F_DUPFD_CLOEXEC, 3), next;
	char part[256];
	const char *slash;

	for (; fd != -1 && (slash = strchr(path, '/')) != NULL;
	     path = slash + 1) {
		size_t n = (size_t)(slash - path);

		if (n == 0 || n >= sizeof part) {
			os->close(fd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(part, path, n);
		part[n] = '\0';
		mkdirat(fd, part, 0755);
		next = os->openat(fd, part,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		os->close(fd);
		fd = next;
	}
	*name = path;
	return fd;
}

static int
add_file(struct outputs *o)
{
	struct output_file *f = arena_alloc(o->arena, sizeof *f);
	struct list_node *after;

	if (f == NULL)
		return outputs_fail(
		    o, ERROR_TOO_BIG, 0, "too many files", o->now->path);
	f->path = o->now->path;
	f->bytes = o->written;
	hash_end(&o->hash, &f->digest);
	/* Sorted; folders are listed in no order. */
	after = o->files.head.prev;
	while (after != &o->files.head &&
	       strcmp(container_of(after, struct output_file, link)->path,
		   f->path) > 0)
		after = after->prev;
	f->link.prev = after;
	f->link.next = after->next;
	after->next->prev = &f->link;
	after->next = &f->link;
	o->files.length++;
	return 0;
}

static int
finish_file(struct outputs *o)
{
	const char *slash = strrchr(o->now->path, '/');
	const char *name = slash != NULL ? slash + 1 : o->now->path;
	int part = o->part;

	o->part = -1;
	if (fchmod(part, (o->mode & 0111) != 0 ? 0755 : 0644) == -1 ||
	    os->close(part) == -1 ||
	    renameat(o->folder, PART_NAME, o->folder, name) == -1)
		return fail_outside(o, ERROR_IO, errno, o->now->path);
	close_copy(o);
	if (add_file(o) == -1)
		return -1;
	o->now = NULL;
	return 0;
}

int
outputs_start_copy(struct outputs *o)
{
	const char *name;

	if (o->files.length >= o->limits.files_max)
		return outputs_fail(
		    o, ERROR_TOO_BIG, 0, "too many files", o->now->path);
	o->folder = open_folder(o, o->now->path, &name);
	if (o->folder != -1)
		o->part = os->openat(o->folder, PART_NAME,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (o->part == -1)
		return fail_outside(
		    o, ERROR_CANNOT_CREATE, errno, o->now->path);
	o->asked = o->written = 0;
	o->at_end = 0;
	hash_init(&o->hash);
	return 0;
}

int
outputs_add(struct outputs *o, struct span s)
{
	o->bytes += s.n;
	if (o->limits.bytes_max > 0 && o->bytes > o->limits.bytes_max)
		return outputs_fail(o, ERROR_TOO_BIG, 0,
		    "the outputs are too big", o->now->path);
	hash_add(&o->hash, s);
	o->written += s.n;
	while (s.n > 0) {
		ssize_t n = os->write(o->part, s.p, s.n);

		if (n == -1 && errno != EINTR)
			return fail_outside(o, ERROR_IO, errno, o->now->path);
		if (n > 0)
			s = span_slice(s, (size_t)n, s.n);
	}
	return 0;
}

static void
slice_came(struct file_op *op, const struct file_result *r, void *owner)
{
	struct outputs *o = owner;
	struct span s = r->bytes;

	if (landed(o, op, r) == -1 || o->at_end)
		return;
	o->mode = r->stat.mode;
	if (outputs_add(o, s) == 0)
		o->at_end = r->at_end;
}

static int
ask_slices(struct outputs *o)
{
	while (!o->at_end && o->flying < AHEAD) {
		/* Beyond the first, only while there seems to be more. */
		if (started(o, sandbox_get(o->sb, o->now->path, o->asked,
				   SANDBOX_SLICE, FILE_NOFOLLOW, slice_came, o,
				   &o->error)) == -1)
			return -1;
		o->asked += SANDBOX_SLICE;
		if (o->written == 0)
			break;
	}
	return 0;
}

/* ------------------------------------------------------- folders and others */

static int
is_component(struct span name)
{
	return name.n > 0 && name.n < 256 && !span_is(name, ".") &&
	       !span_is(name, "..") && span_find(name, '/', 0) == name.n &&
	       span_find(name, '\0', 0) == name.n;
}

static void
list_came(struct file_op *op, const struct file_result *r, void *owner)
{
	struct outputs *o = owner;
	struct span rest = r->bytes;
	struct file_entry entry;

	if (landed(o, op, r) == -1)
		return;
	while (!o->failed && file_entry_next(&rest, &entry)) {
		if (!is_component(entry.name))
			outputs_fail(o, ERROR_SANDBOX_LOST, 0,
			    "the sandbox names what cannot be a file",
			    o->now->path);
		else if (span_is(entry.name, PART_NAME))
			outputs_fail(o, ERROR_OUTPUT_MISSING, 0,
			    "it holds a " PART_NAME ", which is our name",
			    o->now->path);
		else if (entry.stat.kind == FILE_REGULAR)
			outputs_push(o, PLACE_FILE, o->now->path, entry.name);
		else if (entry.stat.kind == FILE_DIR)
			outputs_push(o, PLACE_FOLDER, o->now->path, entry.name);
	}
	o->asked = r->next;
	o->at_end = r->at_end;
	if (o->at_end)
		o->now = NULL;
}

static void
stat_came(struct file_op *op, const struct file_result *r, void *owner)
{
	struct outputs *o = owner;
	const char *path = o->now->path;

	if (landed(o, op, r) == -1) {
		if (o->error.code == ERROR_NOT_FOUND)
			outputs_fail(o, ERROR_OUTPUT_MISSING, 0,
			    "the run did not make it", path);
		return;
	}
	switch (r->stat.kind) {
	case FILE_REGULAR:
		o->now->kind = PLACE_FILE;
		break;
	case FILE_DIR:
		o->now->kind = PLACE_FOLDER;
		break;
	default:
		outputs_fail(o, ERROR_OUTPUT_MISSING, 0,
		    "is neither a file nor a folder", path);
		return;
	}
	/* Visit it again, now that we know what it is. */
	o->now->next = o->places;
	o->places = o->now;
	o->now = NULL;
}

/* Start what comes next.  1: nothing is left.  -1: failed. */
static int
advance(struct outputs *o)
{
	if (o->now == NULL) {
		o->now = o->places;
		if (o->now == NULL)
			return 1;
		o->places = o->now->next;
		o->asked = 0;
		o->at_end = 0;
		if (o->now->kind == PLACE_FILE && outputs_start_copy(o) == -1)
			return -1;
		if (o->now->kind == PLACE_ARCHIVE)
			return outputs_start_archive(o);
	}
	switch (o->now->kind) {
	case PLACE_DECLARED:
		return started(o, sandbox_stat(o->sb, o->now->path,
				      FILE_NOFOLLOW, stat_came, o, &o->error));
	case PLACE_FOLDER:
		return started(o, sandbox_list(o->sb, o->now->path, o->asked,
				      FILE_NOFOLLOW, list_came, o, &o->error));
	case PLACE_FILE:
		if (o->at_end && o->flying == 0)
			return finish_file(o);
		return ask_slices(o);
	case PLACE_ARCHIVE:
		return finish_file(o);
	}
	UNREACHABLE();
}

static int
is_waiting(const struct outputs *o)
{
	if (o->archive != NULL)
		return 1;
	if (o->flying == 0)
		return 0;
	return o->now == NULL || o->now->kind != PLACE_FILE || o->at_end ||
	       o->written == 0 || o->flying >= AHEAD;
}

static void
run(struct loop_deferred *d)
{
	struct outputs *o = container_of(d, struct outputs, next);
	outputs_done_fn *done = o->done;
	void *owner = o->owner;
	struct list files;
	struct error e;
	int result = 0;

	CHECK_OBJ(o, OUTPUTS_MAGIC);
	while (!o->failed && result == 0 && !is_waiting(o))
		result = advance(o);
	if (!o->failed && result == 0)
		return;
	e = o->error;
	result = o->failed;
	/* The list's head moves: its neighbours must know. */
	list_init(&files);
	if (o->files.length > 0) {
		files = o->files;
		files.head.next->prev = &files.head;
		files.head.prev->next = &files.head;
	}
	end(o);
	done(&files, result ? &e : NULL, owner);
}

/* -------------------------------------------------------------------- start */

void
outputs_limits_of(const struct profile_limits *profile,
    const char *const *paths, struct outputs_limits *limits)
{
	/* A layer below, and as much again on top of it. */
	const uint64_t whole = 2 * profile->disk_bytes;
	const uint64_t heads = profile->disk_inodes * HEAD_BYTES;
	uint64_t bytes = 0;

	*limits = (struct outputs_limits){0};
	if (profile->disk_bytes == 0 || profile->disk_bytes > SIZE_SANE)
		return;
	for (; *paths != NULL; paths++) {
		bytes += whole;
		if (span_has_prefix(span_of(*paths), span_of(OUTPUTS_ARCHIVE)))
			bytes += heads;
	}
	limits->bytes_max = bytes;
}

static int
make_folders(const char *dir, struct error *e)
{
	char path[LIMIT_PATH];
	size_t n = strlen(dir);
	int fd;

	if (n >= sizeof path)
		return error_set(
		    e, ERROR_CANNOT_CREATE, ENAMETOOLONG, "%s", dir);
	memcpy(path, dir, n + 1);
	for (char *p = path + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	mkdir(path, 0755);
	fd = os->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd == -1)
		return error_set(
		    e, ERROR_CANNOT_CREATE, errno, "output folder %s", dir);
	return fd;
}

struct outputs *
outputs_start(struct loop *loop, struct sandbox *sb, const char *const *paths,
    const char *dir, const struct outputs_limits *limits, struct arena *a,
    outputs_done_fn *done, void *owner, struct error *e)
{
	struct outputs *o = pool_take(sizeof *o, NULL);
	unsigned n = 0;

	if (o == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to collect outputs");
		return NULL;
	}
	memset(o, 0, sizeof *o);
	o->magic = OUTPUTS_MAGIC;
	o->sb = sb;
	o->loop = loop;
	o->arena = a;
	o->done = done;
	o->owner = owner;
	o->folder = o->part = -1;
	list_init(&o->files);
	if (limits != NULL)
		o->limits = *limits;
	if (o->limits.files_max == 0)
		o->limits.files_max = FILES_MAX;
	loop_deferred_init(&o->next, loop, run);
	o->dir = make_folders(dir, e);
	while (paths[n] != NULL)
		n++;
	while (o->dir != -1 && !o->failed && n-- > 0) {
		struct span path = span_of(paths[n]);

		if (span_has_prefix(path, span_of(OUTPUTS_ARCHIVE))) {
			outputs_push_archive(
			    o, paths[n] + strlen(OUTPUTS_ARCHIVE));
			continue;
		}
		while (path.n > 1 && path.p[path.n - 1] == '/')
			path.n--;
		if (span_is(path, "") || span_is(path, "/"))
			path = span_of(".");
		outputs_push(o, PLACE_DECLARED, NULL, path);
	}
	if (o->dir == -1 || o->failed) {
		if (o->failed)
			*e = o->error;
		end(o);
		return NULL;
	}
	loop_defer(&o->next);
	return o;
}

void
outputs_cancel(struct outputs *o)
{
	if (o == NULL)
		return;
	CHECK_OBJ(o, OUTPUTS_MAGIC);
	end(o);
}
