#include "tools/change.h"

#include <stdio.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/os.h"
#include "sandbox/sandbox.h"

/*
 * Each phase is a function `next` that starts one verb for file c->at and
 * returns 1, or has nothing to do for it and returns 0; the verb's end goes on.
 */

static void go_on(struct change *c);

static void
stepped(struct loop_deferred *d)
{
	go_on(container_of(d, struct change, step));
}

int
change_init(struct change *c, struct loop *loop, struct sandbox *sandbox,
    unsigned files_max, struct arena *arena,
    void (*done)(struct change *, const struct error *), void *owner,
    struct error *e)
{
	*c = (struct change){.sandbox = sandbox,
	    .files_max = files_max,
	    .arena = arena,
	    .done = done,
	    .owner = owner};
	loop_deferred_init(&c->step, loop, stepped);
	c->file = arena_alloc(arena, files_max * sizeof *c->file);
	if (c->file == NULL)
		return error_set(e, ERROR_FULL, 0, "out of memory");
	return 0;
}

void
change_release(struct change *c)
{
	if (c->op != NULL)
		file_op_cancel(c->op);
	c->op = NULL;
	loop_undefer(&c->step);
	for (unsigned i = 0; i < c->files; i++)
		text_release(&c->file[i].text);
	c->files = 0;
}

struct change_file *
change_find(struct change *c, struct span path, struct error *e)
{
	struct change_file *f;

	for (unsigned i = 0; i < c->files; i++)
		if (span_is(path, c->file[i].path))
			return &c->file[i];
	if (c->files == c->files_max) {
		error_set(e, ERROR_TOO_BIG, 0, "more than %u files at once",
		    c->files_max);
		return NULL;
	}
	f = &c->file[c->files];
	f->path = arena_strndup(c->arena, path.p, path.n);
	if (f->path == NULL) {
		error_set(e, ERROR_FULL, 0, "out of memory");
		return NULL;
	}
	f->mode = 0644;
	text_init(&f->text, CHANGE_FILE_BYTES_MAX);
	c->files++;
	return f;
}

void
change_write(struct change_file *f, struct text *text)
{
	text_release(&f->text);
	f->text = *text;
	f->kind = CHANGE_FILE;
	f->is_edited = 1;
}

void
change_remove(struct change_file *f)
{
	text_release(&f->text);
	f->kind = CHANGE_ABSENT;
	f->is_edited = 1;
}

/* --- phases --- */

static void
begin(struct change *c, int (*next)(struct change *c))
{
	c->next = next;
	c->at = 0;
	c->offset = 0;
	loop_defer(&c->step);
}

static void
fail(struct change *c, const struct error *e)
{
	if (!c->failed)
		c->error = *e;
	c->failed = 1;
}

/* The phase is over; what comes after it, or the end. */
static int next_of_all(struct change *c);

static void
go_on(struct change *c)
{
	for (;;) {
		while (c->at < c->files) {
			if (c->next(c))
				return;
			c->at++;
			c->offset = 0;
		}
		if (!next_of_all(c))
			break;
	}
	c->done(c, c->failed ? &c->error : NULL);
}

/* A verb could not be started. */
static int
not_started(struct change *c)
{
	struct error e = c->error;

	fail(c, &e);
	return 0;
}

/* --- reading --- */

static void
got(struct file_op *op, const struct file_result *r, void *owner)
{
	struct change *c = owner;
	struct change_file *f = &c->file[c->at];

	(void)op;
	c->op = NULL;
	if (r->error != NULL)
		fail(c, r->error);
	else {
		f->mode = r->stat.mode;
		text_add(&f->text, r->bytes);
		c->offset += r->bytes.n;
		f->wanted = !r->at_end && r->bytes.n > 0;
	}
	if (r->error != NULL)
		f->wanted = 0;
	if (text_overflowed(&f->text)) {
		error_set(&c->error, ERROR_TOO_BIG, 0,
		    "apply_patch file is too big: %s", f->path);
		c->failed = 1;
		f->wanted = 0;
	}
	go_on(c);
}

/*
 * The first look follows no link.  What it does not find may lie behind one,
 * so there is a second that does.
 */
static void
looked_at(struct file_op *op, const struct file_result *r, void *owner)
{
	struct change *c = owner;
	struct change_file *f = &c->file[c->at];
	int found = r->error == NULL;

	(void)op;
	c->op = NULL;
	f->looks++;
	if (f->looks == 1 && found && r->stat.kind == FILE_SYMLINK)
		f->is_linked = 1;
	else if (found) {
		f->kind =
		    r->stat.kind == FILE_REGULAR ? CHANGE_FILE : CHANGE_OTHER;
		f->is_linked |= f->looks == 2;
	} else if (f->looks == 2 && r->error->code == ERROR_NOT_FOUND)
		f->kind = CHANGE_ABSENT;
	else if (f->looks == 2)
		fail(c, r->error);
	f->existed = f->kind == CHANGE_FILE;
	go_on(c);
}

static int
read_next(struct change *c)
{
	struct change_file *f = &c->file[c->at];

	if (c->failed)
		return 0;
	if (f->kind == CHANGE_UNREAD)
		c->op = sandbox_stat(c->sandbox, f->path,
		    f->looks > 0 ? 0 : FILE_NOFOLLOW, looked_at, c, &c->error);
	else if (f->kind == CHANGE_FILE && f->wanted)
		c->op = sandbox_get(c->sandbox, f->path, c->offset,
		    SANDBOX_SLICE, 0, got, c, &c->error);
	else
		return 0;
	return c->op != NULL ? 1 : not_started(c);
}

void
change_read(struct change *c)
{
	begin(c, read_next);
}

/* --- storing --- */

static const char *
name_beside(struct change *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash == NULL ? 0 : (size_t)(slash + 1 - path);
	unsigned char random[6];
	char hex[2 * sizeof random + 1];

	CHECK(os->random(random, sizeof random) == 0);
	hex_encode(random, sizeof random, hex);
	return arena_printf(c->arena, "%.*s.skep-%s", (int)folder, path, hex);
}

/* What a verb on a file beside says names the file that was meant. */
static void
fail_to_write(struct change *c, const struct error *why)
{
	struct error e;

	error_set(&e, why->code, why->os_errno,
	    "apply_patch could not write file: %s", c->file[c->at].path);
	fail(c, &e);
}

static void
put_done(struct file_op *op, const struct file_result *r, void *owner)
{
	struct change *c = owner;

	(void)op;
	c->op = NULL;
	if (r->error != NULL)
		fail_to_write(c, r->error);
	go_on(c);
}

/* The next slice of the file to path; 1 also for an empty file's only one. */
static int
put_slice(struct change *c, const char *path, unsigned flags)
{
	struct change_file *f = &c->file[c->at];
	struct span slice = span_slice(
	    text_span(&f->text), c->offset, c->offset + SANDBOX_SLICE);

	if (c->failed || (c->offset > 0 && slice.n == 0))
		return 0;
	if (c->offset == 0)
		flags |= FILE_TRUNCATE;
	c->op = sandbox_put(c->sandbox, path, f->mode, c->offset,
	    flags | FILE_CREATE | FILE_PARENTS, slice, put_done, c, &c->error);
	if (c->op == NULL)
		return not_started(c);
	c->offset += slice.n > 0 ? slice.n : 1; /* past the end: no more */
	return 1;
}

/* 1: what goes in is written beside, then renamed. */
static int
put_beside(struct change *c)
{
	struct change_file *f = &c->file[c->at];

	if (!f->is_edited || f->kind != CHANGE_FILE || f->is_linked)
		return 0;
	if (f->beside == NULL)
		f->beside = name_beside(c, f->path);
	if (f->beside == NULL) {
		error_set(&c->error, ERROR_FULL, 0, "out of memory");
		c->failed = 1;
		return 0;
	}
	return put_slice(c, f->beside, 0);
}

/* One rename or removal each, whether it worked or not. */
static void
landed(struct file_op *op, const struct file_result *r, void *owner)
{
	struct change *c = owner;

	(void)op;
	c->op = NULL;
	if (r->error != NULL)
		fail_to_write(c, r->error);
	else
		c->file[c->at].beside = NULL;
	c->at++;
	go_on(c);
}

static int
rename_beside(struct change *c)
{
	struct change_file *f = &c->file[c->at];

	if (c->failed || f->beside == NULL)
		return 0;
	c->op = sandbox_rename(
	    c->sandbox, f->beside, f->path, landed, c, &c->error);
	return c->op != NULL ? 1 : not_started(c);
}

static int
put_in_place(struct change *c)
{
	struct change_file *f = &c->file[c->at];

	if (!f->is_edited || f->kind != CHANGE_FILE || !f->is_linked)
		return 0;
	return put_slice(c, f->path, 0);
}

static int
remove_gone(struct change *c)
{
	struct change_file *f = &c->file[c->at];

	if (c->failed || !f->is_edited || f->kind != CHANGE_ABSENT ||
	    !f->existed)
		return 0;
	c->op = sandbox_remove(c->sandbox, f->path, 0, landed, c, &c->error);
	return c->op != NULL ? 1 : not_started(c);
}

/* After a failure: nothing of ours stays beside. */
static int
remove_beside(struct change *c)
{
	struct change_file *f = &c->file[c->at];
	struct error ignored;

	if (f->beside == NULL)
		return 0;
	c->op = sandbox_remove(c->sandbox, f->beside, 0, landed, c, &ignored);
	return c->op != NULL;
}

static int (*const storing[])(struct change *c) = {
    put_beside, rename_beside, put_in_place, remove_gone, remove_beside};

static int
next_of_all(struct change *c)
{
	size_t phases = sizeof storing / sizeof storing[0];

	for (size_t i = 0; i + 1 < phases; i++) {
		if (c->next != storing[i])
			continue;
		c->next = storing[i + 1];
		c->at = 0;
		c->offset = 0;
		return 1;
	}
	return 0;
}

void
change_store(struct change *c)
{
	begin(c, put_beside);
}
