#include "engine/base/error.h"
#include "net/base64.h"
#include "sandbox/sandbox.h"
#include "tools/builtin.h"
#include "tools/call.h"
#include "tools/image.h"

/*
 * An image of the workspace as an item that the model sees.  Size and kind
 * are known from the first slice, so nothing else is read in vain.
 */

#define BYTES_MAX ((size_t)10 << 20)
#define DATA_MAX (2 * BYTES_MAX)

extern const char tools_view_image_txt[], tools_view_image_json[];

struct view {
	struct tool_call *call;
	const char *path; /* as the model spelt it */
	const char *real_path;
	const char *type; /* once it is known */
	struct text bytes;
	struct file_op *op;
};

static void
release(struct view *v)
{
	if (v->op != NULL)
		file_op_cancel(v->op);
	v->op = NULL;
	text_release(&v->bytes);
}

/* "image path `P` ..." is the whole answer. */
static void
refuse(struct view *v, const char *why)
{
	text_printf(&v->call->text, "image path `%s` %s", v->path, why);
	v->call->failed = 1;
	release(v);
	tool_call_answer_text(v->call);
}

static void
show(struct view *v)
{
	struct tool_call *call = v->call;
	struct json_writer w;
	struct text data;

	text_init(&data, DATA_MAX);
	base64_encode(text_span(&v->bytes), &data);
	json_write_init(&w, &call->answer);
	json_write_object(&w);
	json_put_str(&w, "type", item_type(item_answer_kind(call->kind)));
	json_put_span(&w, "call_id", call->call_id);
	json_put_array(&w, "output");
	json_write_object(&w);
	json_put_str(&w, "type", "input_image");
	json_write_key(&w, "image_url");
	json_write_string_begin(&w);
	json_write_string_add(&w, span_of("data:"));
	json_write_string_add(&w, span_of(v->type));
	json_write_string_add(&w, span_of(";base64,"));
	json_write_string_add_escaped(&w, text_span(&data));
	json_write_string_end(&w);
	json_write_end(&w);
	json_write_end(&w);
	json_write_end(&w);
	text_release(&data);
	release(v);
	tool_call_answer_item(call);
}

static int read_on(struct view *v, struct error *e);

static void
got(struct file_op *op, const struct file_result *r, void *owner)
{
	struct view *v = owner;
	struct error e;

	(void)op;
	v->op = NULL;
	if (r->error != NULL && r->error->code == ERROR_NOT_FOUND) {
		refuse(v, "was not found");
		return;
	}
	if (r->error != NULL) {
		refuse(v, "is not a supported image file");
		return;
	}
	if (r->stat.size > BYTES_MAX || v->bytes.n + r->bytes.n > BYTES_MAX) {
		refuse(v, "exceeded the allowed size of 10MB; resize or "
			  "compress the image and try again");
		return;
	}
	if (v->type == NULL)
		v->type = image_type(r->bytes);
	if (v->type == NULL) {
		refuse(v, "is not a supported image file");
		return;
	}
	text_add(&v->bytes, r->bytes);
	if (r->at_end)
		show(v);
	else if (read_on(v, &e) == -1)
		refuse(v, e.text);
}

static int
read_on(struct view *v, struct error *e)
{
	struct sandbox *sb = tool_call_sandbox(v->call);

	if (sb == NULL)
		return error_set(
		    e, ERROR_SANDBOX_LOST, 0, "there is no sandbox");
	v->op = sandbox_get(
	    sb, v->real_path, v->bytes.n, SANDBOX_SLICE, 0, got, v, e);
	return v->op == NULL ? -1 : 0;
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	struct view *v = arena_alloc(&call->arena, sizeof *v);
	struct span path = {NULL, 0};
	struct error e;

	(void)json_string(args, json_get(args, 0, "path"), &call->arena, &path);
	if (v == NULL || path.n == 0) {
		text_add_str(&call->text, "`path` must be a path");
		return -1;
	}
	v->call = call;
	v->path = arena_strndup(&call->arena, path.p, path.n);
	v->real_path = v->path == NULL ? NULL : tool_call_path(call, v->path);
	text_init(&v->bytes, BYTES_MAX);
	if (v->real_path == NULL || read_on(v, &e) == -1) {
		text_add_str(&call->text,
		    v->real_path == NULL ? "the path is too long" : e.text);
		return -1;
	}
	call->state = v;
	return 0;
}

static void
stop(struct tool_call *call)
{
	release(call->state);
}

const struct tool tool_view_image = {
    .name = "view_image",
    .native = TOOL_FUNCTION,
    .description = tools_view_image_txt,
    .schema = tools_view_image_json,
    .needs_sandbox = 1,
    .start = start,
    .stop = stop,
};
