#include "net/json.h"

#include <limits.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

/*
 * The tokens are jsmn's own, in one block: only this file sees them under
 * that name, only the others as struct json_token.
 */
#define SAME(ours, theirs)                                                    \
	_Static_assert(                                                       \
	    offsetof(struct json_token, ours) == offsetof(jsmntok_t, theirs), \
	    "struct json_token is jsmntok_t")
SAME(kind, type);
SAME(start, start);
SAME(end, end);
SAME(size, size);
SAME(parent, parent);
_Static_assert(sizeof(struct json_token) == sizeof(jsmntok_t),
    "struct json_token is jsmntok_t");
_Static_assert((int)JSMN_OBJECT == JSON_KIND_OBJECT &&
		   (int)JSMN_ARRAY == JSON_KIND_ARRAY &&
		   (int)JSMN_STRING == JSON_KIND_STRING,
    "kinds of tokens are jsmn's");
_Static_assert(LIMIT_JSON_TOKENS * sizeof(struct json_token) <= POOL_BLOCK_MAX,
    "the tokens of a document fit one pool block");

void
json_doc_init(struct json_doc *d)
{
	*d = (struct json_doc){.token = NULL};
}

void
json_doc_release(struct json_doc *d)
{
	pool_give(d->token);
	json_doc_init(d);
}

static int
fault_at(struct json_doc *d, size_t offset)
{
	json_place_of(d->text, offset, &d->fault);
	d->tokens = 0;
	return -1;
}

static int
make_room(struct json_doc *d, size_t tokens, struct error *e)
{
	size_t need = tokens * sizeof(struct json_token);

	if (need <= d->token_bytes)
		return 0;
	pool_give(d->token);
	d->token_bytes = 0;
	d->token = pool_take(need, &d->token_bytes);
	if (d->token == NULL)
		return error_set(
		    e, ERROR_FULL, 0, "no memory for %zu JSON values", tokens);
	return 0;
}

/* jsmn in its strict mode wants something behind a number or literal. */
static void
lone_primitive(struct json_doc *d)
{
	struct span s = span_trim(d->text);
	jsmntok_t t = {.type = JSMN_PRIMITIVE, .parent = -1};

	t.start = (int)(s.p - d->text.p);
	t.end = t.start + (int)s.n;
	memcpy(d->token, &t, sizeof(t));
	d->tokens = 1;
}

static int
is_lone_primitive(struct span text)
{
	struct span s = span_trim(text);

	return s.p[0] != '{' && s.p[0] != '[' && s.p[0] != '"';
}

/* Tokens of text, which has passed the guard. */
static int
tokenize(
    struct json_doc *d, struct span text, size_t tokens_max, struct error *e)
{
	jsmn_parser jsmn;

	d->text = text;
	d->tokens = 0;
	d->fault = (struct json_place){0, 1, 1};
	if (make_room(d, tokens_max, e) == -1)
		return -1;
	if (is_lone_primitive(text)) {
		lone_primitive(d);
		return 0;
	}
	jsmn_init(&jsmn);
	d->tokens = jsmn_parse(&jsmn, text.p, text.n,
	    (jsmntok_t *)(void *)d->token, (unsigned)tokens_max);
	CHECK(d->tokens > 0);
	return 0;
}

int
json_parse(
    struct json_doc *d, struct span text, unsigned flags, struct error *e)
{
	struct json_guard g;

	d->text = text;
	d->tokens = 0;
	json_guard_init(&g, INT_MAX, flags);
	if (json_guard_feed(&g, text, e) == -1 || json_guard_end(&g, e) == -1)
		return fault_at(d, g.bytes);
	d->plain_keys = !g.key_escapes;
	if (tokenize(d, text, g.tokens, e) == -1)
		return -1;
	CHECK(d->tokens == (int)g.tokens);
	return flags & JSON_UNIQUE ? json_unique(d, e) : 0;
}
