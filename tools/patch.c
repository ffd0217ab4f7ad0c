#include "tools/patch.h"

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "net/json.h"

#define BEGIN_PATCH "*** Begin Patch"
#define END_PATCH "*** End Patch"
#define ADD_FILE "*** Add File: "
#define DELETE_FILE "*** Delete File: "
#define UPDATE_FILE "*** Update File: "
#define MOVE_TO "*** Move to: "
#define QUOTED_MAX 300 /* bytes of a line in an error's text */

/* An envelope being read: what is left of it, and the line looked at. */
struct reader {
	struct span rest;
	struct span line;
	int at_end; /* there is no line */
	struct error *e;
};

static void
next_line(struct reader *r)
{
	r->at_end = r->rest.p == NULL;
	if (r->at_end)
		return;
	r->line = span_cut(&r->rest, '\n');
	if (r->line.n > 0 && r->line.p[r->line.n - 1] == '\r')
		r->line.n--;
}

static int
fail(struct error *e, const char *before, struct span s, const char *after)
{
	return error_set(e, ERROR_SYNTAX, 0, "%s%.*s%s", before,
	    (int)(s.n < QUOTED_MAX ? s.n : QUOTED_MAX), s.p, after);
}

static int
has_prefix(struct span s, const char *prefix)
{
	return span_has_prefix(s, span_of(prefix));
}

static int
starts_section(struct span line)
{
	return has_prefix(line, ADD_FILE) || has_prefix(line, DELETE_FILE) ||
	       has_prefix(line, UPDATE_FILE);
}

/* Trim it and turn '\' into '/', in a copy only where there is one. */
static int
clean_path(struct span *path, struct arena *a, struct error *e)
{
	char *p;

	*path = span_trim(*path);
	if (span_find(*path, '\\', 0) == path->n)
		return 0;
	p = arena_strndup(a, path->p, path->n);
	if (p == NULL)
		return error_set(e, ERROR_FULL, 0, "patch: out of memory");
	for (size_t i = 0; i < path->n; i++)
		if (p[i] == '\\')
			p[i] = '/';
	path->p = p;
	return 0;
}

static struct patch_op *
add_op(struct patch *p, struct error *e)
{
	if (p->ops == PATCH_OPS_MAX) {
		error_set(e, ERROR_TOO_BIG, 0,
		    "apply_patch input has more than %d file operations",
		    PATCH_OPS_MAX);
		return NULL;
	}
	return &p->op[p->ops++];
}

/* The lines up to the next section, as they stand in the envelope. */
static struct span
take_body(struct reader *r, int *lines)
{
	const char *from = r->line.p;
	struct span body = {from, 0};

	for (*lines = 0; !r->at_end && !starts_section(r->line); ++*lines) {
		body.n = (size_t)(r->line.p + r->line.n - from);
		next_line(r);
	}
	return body;
}

static int
read_add(struct reader *r, struct patch_op *op)
{
	struct span rest;
	int lines;

	op->diff = take_body(r, &lines);
	if (lines == 0)
		return fail(r->e, "Add File patch for ", op->path,
		    " must include at least one + line");
	rest = op->diff;
	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');

		if (line.n == 0 || line.p[0] != '+')
			return fail(r->e, "Invalid Add File line: ", line, "");
	}
	return 0;
}

static int
read_update(struct reader *r, struct patch_op *op, struct arena *a)
{
	int lines;

	if (!r->at_end && has_prefix(r->line, MOVE_TO)) {
		op->to = span_slice(r->line, sizeof MOVE_TO - 1, r->line.n);
		if (clean_path(&op->to, a, r->e) == -1)
			return -1;
		if (op->to.n == 0)
			return fail(r->e,
			    "Missing path in apply_patch header: ", r->line,
			    "");
		next_line(r);
	}
	op->diff = take_body(r, &lines);
	if (lines == 0)
		return fail(r->e, "Update File patch for ", op->path,
		    " must include a hunk");
	return 0;
}

static int
read_section(struct reader *r, struct patch *p, struct arena *a)
{
	static const struct {
		const char *prefix;
		enum patch_kind kind;
	} headers[] = {
	    {ADD_FILE, PATCH_CREATE},
	    {DELETE_FILE, PATCH_DELETE},
	    {UPDATE_FILE, PATCH_UPDATE},
	};
	struct span header = r->line;
	struct patch_op *op;
	size_t i = 0;
	int lines;

	while (i < 3 && !has_prefix(header, headers[i].prefix))
		i++;
	if (i == 3)
		return fail(r->e,
		    "Invalid apply_patch file operation header: ", header, "");
	op = add_op(p, r->e);
	if (op == NULL)
		return -1;
	op->kind = headers[i].kind;
	op->path = span_slice(header, strlen(headers[i].prefix), header.n);
	if (clean_path(&op->path, a, r->e) == -1)
		return -1;
	if (op->path.n == 0)
		return fail(
		    r->e, "Missing path in apply_patch header: ", header, "");
	next_line(r);
	if (op->kind == PATCH_CREATE)
		return read_add(r, op);
	if (op->kind == PATCH_UPDATE)
		return read_update(r, op, a);
	take_body(r, &lines);
	if (lines > 0)
		return fail(r->e, "Delete File patch for ", op->path,
		    " must not include a diff");
	return 0;
}

/* Take the last line off the envelope; it must be the end of the patch. */
static int
take_end(struct span *envelope, struct error *e)
{
	struct span line;
	size_t n = envelope->n;

	if (n > 0 && envelope->p[n - 1] == '\n')
		n--;
	if (n > 0 && envelope->p[n - 1] == '\r')
		n--;
	line = (struct span){envelope->p + n, 0};
	while (line.p > envelope->p && line.p[-1] != '\n')
		line.p--, line.n++;
	if (!span_is(line, END_PATCH))
		return error_set(e, ERROR_SYNTAX, 0,
		    "apply_patch input must end with '" END_PATCH "'");
	envelope->n = (size_t)(line.p - envelope->p);
	return 0;
}

static int
parse_envelope(
    struct patch *p, struct span input, struct arena *a, struct error *e)
{
	struct reader r = {.rest = input, .e = e};

	next_line(&r);
	if (!span_is(r.line, BEGIN_PATCH))
		return error_set(e, ERROR_SYNTAX, 0,
		    "apply_patch input must start with '" BEGIN_PATCH "'");
	if (take_end(&input, e) == -1)
		return -1;
	if (r.rest.p == NULL || r.rest.p >= input.p + input.n)
		return error_set(e, ERROR_SYNTAX, 0,
		    "apply_patch input must include at least one file "
		    "operation");
	/* Without the newline before the end, so that no empty line is seen. */
	r.rest.n = (size_t)(input.p + input.n - r.rest.p) - 1;
	next_line(&r);
	while (!r.at_end)
		if (read_section(&r, p, a) == -1)
			return -1;
	return 0;
}

/* --- JSON --- */

static int
read_operation(struct patch *p, const struct json_doc *d, int object,
    struct arena *a, struct error *e)
{
	static const char *const kinds[] = {
	    "create_file", "update_file", "delete_file"};
	struct span type = {NULL, 0};
	struct patch_op *op = add_op(p, e);
	size_t i = 0;
	int diff = json_get(d, object, "diff");

	if (op == NULL)
		return -1;
	json_string(d, json_get(d, object, "type"), a, &type);
	while (i < 3 && !span_is(type, kinds[i]))
		i++;
	if (i == 3)
		return fail(
		    e, "Invalid apply_patch operation type: ", type, "");
	op->kind = (enum patch_kind)i;
	if (json_string(d, json_get(d, object, "path"), a, &op->path) == -1)
		return error_set(e, ERROR_SYNTAX, 0,
		    "apply_patch operation is missing a path");
	if (op->kind != PATCH_DELETE &&
	    json_string(d, diff, a, &op->diff) == -1)
		return fail(
		    e, "apply_patch operation ", type, " is missing a diff");
	if (json_string(d, json_get(d, object, "move_to"), a, &op->to) == -1)
		op->to = (struct span){NULL, 0};
	if (op->kind != PATCH_UPDATE)
		op->to = (struct span){NULL, 0};
	if (clean_path(&op->path, a, e) == -1 ||
	    clean_path(&op->to, a, e) == -1)
		return -1;
	return 0;
}

static int
read_json(
    struct patch *p, const struct json_doc *d, struct arena *a, struct error *e)
{
	int list =
	    json_type(d, 0) == JSON_ARRAY ? 0 : json_get(d, 0, "operations");
	int one = json_get(d, 0, "operation");

	if (json_type(d, list) != JSON_ARRAY)
		return read_operation(p, d, one == -1 ? 0 : one, a, e);
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v))
		if (read_operation(p, d, v, a, e) == -1)
			return -1;
	if (p->ops == 0)
		return error_set(e, ERROR_SYNTAX, 0,
		    "apply_patch input must include at least one file "
		    "operation");
	return 0;
}

static int
parse_json(struct patch *p, struct span input, struct arena *a, struct error *e)
{
	struct json_doc d;
	int result;

	json_doc_init(&d);
	result = json_parse(&d, input, 0, e);
	if (result == 0)
		result = read_json(p, &d, a, e);
	else
		error_wrap(e, "apply_patch input is not JSON");
	json_doc_release(&d);
	return result;
}

int
patch_parse(
    struct patch *p, struct span input, struct arena *a, struct error *e)
{
	int result;

	*p =
	    (struct patch){.op = arena_alloc(a, PATCH_OPS_MAX * sizeof *p->op)};
	if (p->op == NULL)
		return error_set(e, ERROR_FULL, 0, "patch: out of memory");
	while (input.n > 0 && memchr(" \t\r\n\v\f", input.p[0], 6) != NULL)
		input.p++, input.n--;
	if (input.n > 0 && (input.p[0] == '{' || input.p[0] == '['))
		result = parse_json(p, input, a, e);
	else
		result = parse_envelope(p, input, a, e);
	for (unsigned i = 0; result == 0 && i < p->ops; i++)
		if (p->op[i].path.n == 0)
			result = error_set(e, ERROR_SYNTAX, 0,
			    "apply_patch path must be non-empty");
	if (result == 0 && arena_overflowed(a))
		result = error_set(e, ERROR_FULL, 0, "patch: out of memory");
	return result;
}
