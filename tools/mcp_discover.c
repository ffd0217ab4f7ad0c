#include "tools/mcp_discover.h"

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/base64.h"
#include "net/json.h"
#include "net/url.h"

#define PROTECTED "/.well-known/oauth-protected-resource"
#define AUTHORIZATION "/.well-known/oauth-authorization-server"
#define OPENID "/.well-known/openid-configuration"

/* The path without query and final '/'; "" for the root. */
static struct span
path_of(struct span target)
{
	target = span_slice(target, 0, span_find(target, '?', 0));
	while (target.n > 0 && target.p[target.n - 1] == '/')
		target.n--;
	return target;
}

static int
parse(struct span s, struct url *u, struct arena *a)
{
	struct error ignored;

	arena_init(a, 4 * LIMIT_URL);
	return url_parse(u, s, a, &ignored);
}

static void
add_origin(const struct url *u, struct text *out)
{
	text_add_str(out, u->scheme == URL_HTTPS ? "https://" : "http://");
	url_add_host(u, out);
}

void
mcp_origin_add(struct span url, struct text *out)
{
	struct arena a;
	struct url u;

	if (parse(url, &u, &a) == 0)
		add_origin(&u, out);
	arena_release(&a);
}

int
mcp_protected_address(struct span url, unsigned i, struct text *out)
{
	struct arena a;
	struct url u;
	struct span path;
	int found = 0;

	if (parse(url, &u, &a) == 0) {
		path = path_of(u.target);
		if (path.n == 0)
			i++; /* both are the same */
		found = i < 2;
		add_origin(&u, out);
		text_add_str(out, PROTECTED);
		if (i == 0)
			text_add(out, path);
	}
	arena_release(&a);
	return found;
}

int
mcp_issuer_address(struct span issuer, unsigned i, struct text *out)
{
	static const char *const known[] = {AUTHORIZATION, OPENID, OPENID};
	struct arena a;
	struct url u;
	struct span path;
	int found = 0;

	if (parse(issuer, &u, &a) == 0) {
		path = path_of(u.target);
		found = i < (path.n > 0 ? 3U : 2U);
		add_origin(&u, out);
		if (i == 2)
			text_add(out, path);
		if (found)
			text_add_str(out, known[i]);
		if (i < 2)
			text_add(out, path);
	}
	arena_release(&a);
	return found;
}

int
mcp_resource_matches(struct span resource, struct span url)
{
	struct arena a, b;
	struct url r, u;
	struct span above, path;
	int matches = 0;

	if (parse(resource, &r, &a) == 0) {
		if (parse(url, &u, &b) == 0 && url_same_origin(&r, &u)) {
			above = path_of(r.target);
			path = path_of(u.target);
			matches = span_has_prefix(path, above) &&
				  (path.n == above.n || path.p[above.n] == '/');
		}
		arena_release(&b);
	}
	arena_release(&a);
	return matches;
}

int
mcp_list_has(const struct json_doc *d, int list, const char *s)
{
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v))
		if (json_is(d, v, s))
			return 1;
	return 0;
}

static int
has_word(struct span words, struct span word)
{
	while (words.n > 0)
		if (span_eq(span_cut(&words, ' '), word))
			return 1;
	return 0;
}

void
mcp_scope_add(struct span more, struct text *out)
{
	while (more.n > 0) {
		struct span word = span_cut(&more, ' ');

		if (word.n == 0 || has_word(text_span(out), word))
			continue;
		if (out->n > 0)
			text_add_char(out, ' ');
		text_add(out, word);
	}
}

void
mcp_form_add(struct text *out, const char *name, struct span value)
{
	if (value.n == 0)
		return;
	if (out->n > 0 && out->p[out->n - 1] != '?')
		text_add_char(out, '&');
	text_add_str(out, name);
	text_add_char(out, '=');
	url_encode(value, 0, out);
}

int
mcp_query_get(struct span query, const char *name, struct text *out)
{
	while (query.n > 0) {
		struct span value = span_cut(&query, '&');
		struct span key = span_cut(&value, '=');

		if (!span_is(key, name))
			continue;
		return url_decode(value, out) == 0;
	}
	return 0;
}

void
mcp_base64url(struct span s, struct text *out)
{
	size_t at = out->n;

	base64_encode(s, out);
	if (text_overflowed(out))
		return;
	while (out->n > at && out->p[out->n - 1] == '=')
		out->p[--out->n] = '\0';
	for (; at < out->n; at++)
		out->p[at] = out->p[at] == '+'   ? '-'
			     : out->p[at] == '/' ? '_'
						 : out->p[at];
}
