#include "net/json_schema_private.h"

#include <string.h>

#include "engine/base/error.h"

/*
 * A schema is checked without following it: every object of the document
 * that stands where a schema may stand is one.  Whether it does follows from
 * the keyword above it, so one walk over the tokens in the order of the text
 * is enough; what each is, is remembered by depth.
 */
enum place {
	SCHEMA,  /* a schema stands here */
	SCHEMAS, /* a list or map of schemas */
	VALUE,   /* anything: a type, a list of names, an annotation */
};

static const struct {
	const char *word;
	enum place below;
	enum json_type type; /* JSON_NONE: any */
} words[] = {
    {"type", VALUE, JSON_NONE},
    {"properties", SCHEMAS, JSON_OBJECT},
    {"required", VALUE, JSON_ARRAY},
    {"additionalProperties", SCHEMA, JSON_NONE},
    {"items", SCHEMA, JSON_NONE},
    {"enum", VALUE, JSON_ARRAY},
    {"const", VALUE, JSON_NONE},
    {"anyOf", SCHEMAS, JSON_ARRAY},
    {"allOf", SCHEMAS, JSON_ARRAY},
    {"$ref", VALUE, JSON_STRING},
    {"$defs", SCHEMAS, JSON_OBJECT},
    {"definitions", SCHEMAS, JSON_OBJECT},
    {"minimum", VALUE, JSON_NUMBER},
    {"maximum", VALUE, JSON_NUMBER},
    {"exclusiveMinimum", VALUE, JSON_NUMBER},
    {"exclusiveMaximum", VALUE, JSON_NUMBER},
    {"multipleOf", VALUE, JSON_NUMBER},
    {"minLength", VALUE, JSON_NUMBER},
    {"maxLength", VALUE, JSON_NUMBER},
    {"minItems", VALUE, JSON_NUMBER},
    {"maxItems", VALUE, JSON_NUMBER},
    {"minProperties", VALUE, JSON_NUMBER},
    {"maxProperties", VALUE, JSON_NUMBER},
    {"pattern", VALUE, JSON_STRING},
    {"format", VALUE, JSON_STRING},
    {"$schema", VALUE, JSON_NONE},
    {"$id", VALUE, JSON_NONE},
    {"$comment", VALUE, JSON_NONE},
    {"$anchor", VALUE, JSON_NONE},
    {"title", VALUE, JSON_NONE},
    {"description", VALUE, JSON_NONE},
    {"default", VALUE, JSON_NONE},
    {"examples", VALUE, JSON_NONE},
    {"deprecated", VALUE, JSON_NONE},
    {"readOnly", VALUE, JSON_NONE},
    {"writeOnly", VALUE, JSON_NONE},
};
#define WORDS (sizeof(words) / sizeof(*words))

static int
bad(struct json_doc *d, int v, struct error *e, const char *what)
{
	json_fail(d, v, e, "%s", what);
	e->code = ERROR_CONFIG;
	return -1;
}

static int
names_type(const struct json_doc *d, int v)
{
	static const char *const names[] = {"object", "array", "string",
	    "number", "integer", "boolean", "null"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (json_is(d, v, names[i]))
			return 1;
	return 0;
}

/* The value of "type": a name or a list of names. */
static int
check_type_names(struct json_doc *d, int v, struct error *e)
{
	int is_list = json_type(d, v) == JSON_ARRAY;

	for (int t = is_list ? json_first(d, v) : v; t != -1;
	     t = is_list ? json_next(d, v, t) : -1)
		if (!names_type(d, t))
			return bad(d, t, e,
			    "a type is object, array, string, number, "
			    "integer, boolean or null");
	return 0;
}

static int
check_word(struct json_doc *d, int root, int key, size_t word, struct error *e)
{
	int v = json_value(d, key);

	if (words[word].type != JSON_NONE &&
	    json_type(d, v) != words[word].type)
		return bad(d, v, e, "not a value that this keyword takes");
	if (strcmp(words[word].word, "type") == 0)
		return check_type_names(d, v, e);
	if (strcmp(words[word].word, "$ref") == 0 &&
	    schema_target(d, root, v) == -1)
		return bad(
		    d, v, e, "a $ref to something that is not in this schema");
	return 0;
}

/* What stands below a member of an object at place; -1 and *e. */
static int
member_place(
    struct json_doc *d, int root, int key, enum place place, struct error *e)
{
	if (place != SCHEMA)
		return place == SCHEMAS ? SCHEMA : VALUE;
	for (size_t i = 0; i < WORDS; i++)
		if (json_is(d, key, words[i].word)) {
			if (check_word(d, root, key, i, e) == -1)
				return -1;
			return words[i].below;
		}
	return bad(d, key, e, "this schema keyword is not supported");
}

struct level {
	int end; /* in the text */
	enum place place;
	int is_object;
};

/* What value v is, standing in a container at level; below: its key's word. */
static int
place_of(struct json_doc *d, int v, const struct level *in, int below,
    struct error *e)
{
	int place = in->place == SCHEMAS ? SCHEMA : VALUE;
	enum json_type type = json_type(d, v);

	if (in->is_object)
		place = below;
	if (place == SCHEMA && type != JSON_OBJECT && type != JSON_TRUE &&
	    type != JSON_FALSE)
		return bad(d, v, e, "a schema is an object, true or false");
	return place;
}

int
json_schema_check(struct json_doc *d, int root, struct error *e)
{
	struct level level[LIMIT_JSON_DEPTH + 1];
	int depth = 0, place = SCHEMA, below = VALUE, end;

	if (json_type(d, root) != JSON_OBJECT)
		return bad(d, root, e, "a schema is an object");
	end = d->token[root].end;
	for (int v = root; v < d->tokens && d->token[v].start < end; v++) {
		const struct json_token *t = &d->token[v];

		while (depth > 0 && level[depth - 1].end <= t->start)
			depth--;
		if (depth > 0 && level[depth - 1].is_object) {
			below =
			    member_place(d, root, v, level[depth - 1].place, e);
			if (below == -1)
				return -1;
			t = &d->token[++v];
		}
		if (depth > 0)
			place = place_of(d, v, &level[depth - 1], below, e);
		if (place == -1)
			return -1;
		if (json_type(d, v) >= JSON_ARRAY)
			level[depth++] = (struct level){t->end,
			    (enum place)place, json_type(d, v) == JSON_OBJECT};
	}
	return 0;
}
