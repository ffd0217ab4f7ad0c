#include "engine/base/check.h"
#include "net/utf8.h"
#include "sandbox/sandbox.h"
#include "tools/builtin.h"
#include "tools/call.h"
#include "tools/change.h"
#include "tools/diff.h"
#include "tools/patch.h"

/*
 * The patch tool, whichever way it is called: free text, {"input": text}, or
 * a native operation.  The patch is read and its paths are checked, then the
 * files are read, then every operation is carried out in memory, and only
 * then is anything changed; see change.h.  A complaint is the answer itself,
 * in the words that models know.
 */

#define ROOT "/workspace"

extern const char tools_apply_patch_txt[], tools_apply_patch_json[],
    tools_apply_patch_format_json[];

struct edit {
	struct tool_call *call;
	struct patch patch;
	struct change change;
	struct change_file **file; /* of each operation */
	struct change_file **to;   /* where it moves, or NULL */
};

/* --- paths --- */

static int
escapes(struct span path, struct error *e)
{
	return error_set(e, ERROR_SYNTAX, 0,
	    "apply_patch path must not escape root: %.*s",
	    (int)(path.n < 300 ? path.n : 300), path.p);
}

/* In a folder that the sandbox shows beside the workspace? */
static int
is_granted(struct tool_call *call, const char *path)
{
	const struct sandbox *sb = tool_call_sandbox(call);

	return sb != NULL && sandbox_shows(sb, path);
}

/*
 * The path below the workspace, or an absolute one that is granted, without
 * ".", ".." and empty parts.
 */
static int
normalise(
    struct tool_call *call, struct span path, struct span *out, struct error *e)
{
	struct span rest, part;
	const char *joined;
	char *p = arena_strndup(&call->arena, path.p, path.n);
	size_t n = 0;
	int granted;

	joined = p == NULL ? NULL : tool_call_path(call, p);
	if (joined != NULL)
		p = arena_strndup(&call->arena, joined, strlen(joined));
	if (joined == NULL || p == NULL)
		return error_set(e, ERROR_FULL, 0, "out of memory");
	rest = span_of(joined);
	if (span_find(path, '\0', 0) < path.n ||
	    (path.n > 1 && path.p[1] == ':'))
		return escapes(path, e);
	granted = path.n > 0 && path.p[0] == '/' &&
		  !span_has_prefix(path, span_of(ROOT "/"));
	if (!granted && path.n > 0 && path.p[0] == '/')
		rest = span_slice(rest, sizeof ROOT, rest.n);
	while (rest.p != NULL) {
		part = span_cut(&rest, '/');
		if (part.n == 0 || span_is(part, "."))
			continue;
		if (span_is(part, "..")) {
			if (n == 0)
				return escapes(path, e);
			while (n > 0 && p[n - 1] != '/')
				n--;
			n -= n > 0;
			continue;
		}
		if (n > 0)
			p[n++] = '/';
		memmove(p + n, part.p, part.n);
		n += part.n;
	}
	*out = (struct span){p, n};
	if (granted) {
		const char *full =
		    arena_printf(&call->arena, "/%.*s", (int)n, p);

		if (full == NULL || !is_granted(call, full))
			return escapes(path, e);
		*out = span_of(full);
	}
	if (n == 0 || path.n == 0)
		return error_set(
		    e, ERROR_SYNTAX, 0, "apply_patch path must be non-empty");
	return 0;
}

static struct change_file *
find_file(struct edit *d, struct span path, struct error *e)
{
	struct span normal;

	if (normalise(d->call, path, &normal, e) == -1)
		return NULL;
	return change_find(&d->change, normal, e);
}

static int
find_files(struct edit *d, struct error *e)
{
	for (unsigned i = 0; i < d->patch.ops; i++) {
		const struct patch_op *op = &d->patch.op[i];

		d->file[i] = find_file(d, op->path, e);
		if (d->file[i] == NULL)
			return -1;
		d->file[i]->wanted |= op->kind == PATCH_UPDATE;
		if (op->to.n == 0)
			continue;
		d->to[i] = find_file(d, op->to, e);
		if (d->to[i] == NULL)
			return -1;
	}
	return 0;
}

/* --- the operations, in memory --- */

static int
complain_of(const char *what, struct span path, struct error *e)
{
	return error_set(e, ERROR_SYNTAX, 0, "apply_patch %s: %.*s", what,
	    (int)(path.n < 300 ? path.n : 300), path.p);
}

static int
create(struct change_file *f, const struct patch_op *op, struct error *e)
{
	struct text text;

	if (f->kind == CHANGE_OTHER)
		return complain_of("path is not a file", op->path, e);
	text_init(&text, CHANGE_FILE_BYTES_MAX);
	if (diff_create(op->diff, &text, e) == -1) {
		text_release(&text);
		return -1;
	}
	change_write(f, &text);
	return 0;
}

static int
update(struct change_file *f, struct change_file *to, const struct patch_op *op,
    struct error *e)
{
	struct text text;

	if (f->kind != CHANGE_FILE)
		return complain_of("missing file", op->path, e);
	if (utf8_check(text_span(&f->text)) < f->text.n)
		return complain_of("could not decode file", op->path, e);
	if (to != NULL && to->kind == CHANGE_OTHER)
		return complain_of("path is not a file", op->to, e);
	text_init(&text, CHANGE_FILE_BYTES_MAX);
	if (diff_update(text_span(&f->text), op->diff, &text, e) == -1) {
		text_release(&text);
		return -1;
	}
	if (to == NULL || to == f) {
		change_write(f, &text);
		return 0;
	}
	to->mode = f->mode;
	change_write(to, &text);
	change_remove(f);
	return 0;
}

static int
carry_out(struct edit *d, unsigned i, struct error *e)
{
	const struct patch_op *op = &d->patch.op[i];

	switch (op->kind) {
	case PATCH_CREATE:
		return create(d->file[i], op, e);
	case PATCH_UPDATE:
		return update(d->file[i], d->to[i], op, e);
	case PATCH_DELETE:
		if (d->file[i]->kind != CHANGE_FILE)
			return complain_of("missing file", op->path, e);
		change_remove(d->file[i]);
		return 0;
	}
	UNREACHABLE();
}

/* --- the call --- */

static void
give_up(struct edit *d, const struct error *e)
{
	change_release(&d->change);
	d->call->failed = 1;
	text_add_str(&d->call->text, e->text);
	tool_call_answer_text(d->call);
}

static void
stored(struct change *c, const struct error *error)
{
	static const char *const verbs[] = {
	    [PATCH_CREATE] = "Created",
	    [PATCH_UPDATE] = "Updated",
	    [PATCH_DELETE] = "Deleted",
	};
	struct edit *d = c->owner;
	struct text *t = &d->call->text;

	if (error != NULL) {
		give_up(d, error);
		return;
	}
	for (unsigned i = 0; i < d->patch.ops; i++) {
		const struct patch_op *op = &d->patch.op[i];

		text_printf(t, "%s%s ", i > 0 ? "\n" : "", verbs[op->kind]);
		text_add(t, op->path);
		if (op->to.n == 0)
			continue;
		text_add_str(t, "\nMoved ");
		text_add(t, op->path);
		text_add_str(t, " to ");
		text_add(t, op->to);
	}
	change_release(&d->change);
	tool_call_answer_text(d->call);
}

static void
have_read(struct change *c, const struct error *error)
{
	struct edit *d = c->owner;
	struct error e;

	if (error != NULL) {
		give_up(d, error);
		return;
	}
	for (unsigned i = 0; i < d->patch.ops; i++)
		if (carry_out(d, i, &e) == -1) {
			give_up(d, &e);
			return;
		}
	c->done = stored;
	change_store(c);
}

/* The text of the patch, in the call's arena. */
static int
read_input(
    struct tool_call *call, const struct json_doc *args, struct span *out)
{
	struct span s = call->input;

	if (call->kind == ITEM_FUNCTION_CALL &&
	    json_string(args, json_get(args, 0, "input"), &call->arena, &s) ==
		-1)
		s.p = NULL;
	*out = arena_span(&call->arena, s);
	return out->p == NULL ? -1 : 0;
}

static int
begin(struct edit *d, struct span input, struct error *e)
{
	struct tool_call *call = d->call;
	struct sandbox *sb = tool_call_sandbox(call);
	unsigned n;

	if (sb == NULL)
		return error_set(
		    e, ERROR_SANDBOX_LOST, 0, "there is no sandbox");
	if (patch_parse(&d->patch, input, &call->arena, e) == -1)
		return -1;
	n = d->patch.ops;
	d->file = arena_alloc(&call->arena, n * sizeof *d->file);
	d->to = arena_alloc(&call->arena, n * sizeof *d->to);
	if (d->file == NULL || d->to == NULL)
		return error_set(e, ERROR_FULL, 0, "out of memory");
	if (change_init(&d->change, call->box->tools->loop, sb, 2 * n,
		&call->arena, have_read, d, e) == -1)
		return -1;
	return find_files(d, e);
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	struct edit *d = arena_alloc(&call->arena, sizeof *d);
	struct span input;
	struct error e;

	if (d == NULL || read_input(call, args, &input) == -1) {
		text_add_str(&call->text, "the patch is too long");
		return -1;
	}
	d->call = call;
	if (begin(d, input, &e) == -1) {
		give_up(d, &e);
		return 0;
	}
	call->state = d;
	change_read(&d->change);
	return 0;
}

static void
stop(struct tool_call *call)
{
	struct edit *d = call->state;

	change_release(&d->change);
}

const struct tool tool_apply_patch = {
    .name = "apply_patch",
    .native = TOOL_CUSTOM,
    .native_item = ITEM_APPLY_PATCH_CALL,
    .description = tools_apply_patch_txt,
    .schema = tools_apply_patch_json,
    .format = tools_apply_patch_format_json,
    .needs_sandbox = 1,
    .start = start,
    .stop = stop,
};
