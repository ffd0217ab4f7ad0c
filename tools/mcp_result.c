#include "net/base64.h"
#include "tools/image.h"
#include "tools/mcp_private.h"

/*
 * A result for the model: its texts one after the other, images as images,
 * links and what cannot be shown as a line in brackets.  Structured content
 * is shown when there is no text that says the same.
 */

#define IMAGE_MAX (10 * MIB)

static void
new_block(struct mcp_call *c)
{
	if (c->all.n > 0 && c->all.p[c->all.n - 1] != '\n')
		text_add_char(&c->all, '\n');
}

/* "key: value" in a line in brackets. */
static void
add_member(struct mcp_call *c, const struct json_doc *d, int v, const char *key)
{
	int value = json_get(d, v, key);

	if (json_type(d, value) != JSON_STRING)
		return;
	text_printf(&c->all, ", %s ", key);
	json_string_add(d, value, &c->all);
}

/* The base64 of an image that models can see: 0, or -1. */
static int
add_image(struct mcp_call *c, const struct json_doc *d, int value)
{
	struct text encoded, bytes;
	const char *type = NULL;
	struct json_writer w;
	struct error ignored;

	text_init(&encoded, 2 * IMAGE_MAX);
	text_init(&bytes, IMAGE_MAX);
	json_string_add(d, value, &encoded);
	if (!text_overflowed(&encoded) &&
	    base64_decode(text_span(&encoded), &bytes, &ignored) == 0 &&
	    !text_overflowed(&bytes))
		type = image_type(text_span(&bytes));
	if (type != NULL) {
		if (c->images.n > 0)
			text_add_char(&c->images, ',');
		json_write_init(&w, &c->images);
		json_write_object(&w);
		json_put_str(&w, "type", "input_image");
		json_write_key(&w, "image_url");
		json_write_string_begin(&w);
		json_write_string_add(&w, span_of("data:"));
		json_write_string_add(&w, span_of(type));
		json_write_string_add(&w, span_of(";base64,"));
		json_write_string_add_escaped(&w, text_span(&encoded));
		json_write_string_end(&w);
		json_write_end(&w);
	}
	text_release(&encoded);
	text_release(&bytes);
	return type != NULL ? 0 : -1;
}

void
mcp_resource_add(struct mcp_call *c, const struct json_doc *d, int v)
{
	int text = json_get(d, v, "text"), blob = json_get(d, v, "blob");

	new_block(c);
	text_add_str(&c->all, "[resource");
	add_member(c, d, v, "uri");
	add_member(c, d, v, "mimeType");
	if (json_type(d, text) == JSON_STRING) {
		text_add_str(&c->all, "]\n");
		json_string_add(d, text, &c->all);
	} else if (json_type(d, blob) == JSON_STRING &&
		   add_image(c, d, blob) == 0)
		text_add_str(&c->all, ", shown as an image]");
	else
		text_printf(&c->all,
		    ", %zu bytes of base64 that are not shown]",
		    json_inner(d, blob).n);
}

static void
add_link(struct mcp_call *c, const struct json_doc *d, int v)
{
	text_add_str(&c->all, "[link to a resource");
	add_member(c, d, v, "uri");
	add_member(c, d, v, "name");
	add_member(c, d, v, "description");
	add_member(c, d, v, "mimeType");
	text_add_char(&c->all, ']');
}

static void
add_hidden(struct mcp_call *c, const struct json_doc *d, int v)
{
	text_add_char(&c->all, '[');
	json_string_add(d, json_get(d, v, "type"), &c->all);
	add_member(c, d, v, "mimeType");
	text_add_str(&c->all, ", which is not shown]");
}

void
mcp_content_add(struct mcp_call *c, const struct json_doc *d, int block)
{
	int type = json_get(d, block, "type");

	if (json_is(d, type, "resource")) {
		mcp_resource_add(c, d, json_get(d, block, "resource"));
		return;
	}
	new_block(c);
	if (json_is(d, type, "text"))
		json_string_add(d, json_get(d, block, "text"), &c->all);
	else if (json_is(d, type, "resource_link"))
		add_link(c, d, block);
	else if (json_is(d, type, "image") &&
		 add_image(c, d, json_get(d, block, "data")) == 0)
		text_add_str(&c->all, "[image]");
	else
		add_hidden(c, d, block);
}

void
mcp_result_add(struct mcp_call *c, const struct json_doc *d, int result)
{
	int content = json_get(d, result, "content");
	int structured = json_get(d, result, "structuredContent");
	int has_text = 0;

	if (json_bool_or(d, json_get(d, result, "isError"), 0)) {
		c->call->failed = 1;
		text_add_str(&c->all, "The tool failed:\n");
	}
	for (int v = json_first(d, content); v != -1;
	     v = json_next(d, content, v)) {
		mcp_content_add(c, d, v);
		has_text |= json_is(d, json_get(d, v, "type"), "text");
	}
	if (structured != -1 && !has_text) {
		new_block(c);
		text_add(&c->all, json_raw(d, structured));
	}
	if (c->all.n == 0)
		text_add_str(&c->all, "(no output)");
}
