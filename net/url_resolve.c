#include "net/url.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"

/* Path and query of a target. */
static void
split(struct span target, struct span *path, struct span *query)
{
	size_t mark;

	target = span_slice(target, 0, span_find(target, '#', 0));
	mark = span_find(target, '?', 0);
	*path = span_slice(target, 0, mark);
	*query = span_slice(target, mark, target.n);
}

int
url_join(struct url *u, struct span base, struct span path, struct arena *a,
    struct error *e)
{
	struct span before, query;
	struct text t;
	int r;

	split(base, &before, &query);
	while (before.n > 0 && before.p[before.n - 1] == '/')
		before.n--;
	while (path.n > 0 && path.p[0] == '/')
		path = span_slice(path, 1, path.n);
	text_init(&t, LIMIT_URL);
	text_add(&t, before);
	text_add_char(&t, '/');
	text_add(&t, path);
	text_add(&t, query);
	r = url_parse(u, text_span(&t), a, e);
	text_release(&t);
	return r;
}

static int
has_scheme(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char letter = (unsigned char)s.p[i] | 0x20;

		if (s.p[i] == ':')
			return i > 0;
		if ((letter < 'a' || letter > 'z') &&
		    (i == 0 || strchr("0123456789+-.", s.p[i]) == NULL))
			return 0;
	}
	return 0;
}

/* Remove the last segment of what t holds behind from, with its slash. */
static void
drop_segment(struct text *t, size_t from)
{
	size_t n = t->n;

	while (n > from && t->p[n - 1] != '/')
		n--;
	if (n > from)
		n--;
	t->n = n;
	t->p[n] = '\0';
}

/* RFC 3986 section 5.2.4: append path without its dot segments. */
static void
add_path(struct text *t, struct span path)
{
	size_t from = t->n;
	struct span segment;

	if (path.n > 0 && path.p[0] == '/')
		path = span_slice(path, 1, path.n);
	if (path.p == NULL)
		path = span_of("");
	while (path.p != NULL) {
		segment = span_cut(&path, '/');
		if (span_is(segment, "..")) {
			drop_segment(t, from);
		} else if (!span_is(segment, ".")) {
			text_add_char(t, '/');
			text_add(t, segment);
			continue;
		}
		if (path.p == NULL)
			text_add_char(t, '/');
	}
}

/* The path of base up to its last slash, and reference behind it. */
static void
add_merged(struct text *t, struct span base_path, struct span path)
{
	struct text merged;
	size_t n = base_path.n;

	while (n > 0 && base_path.p[n - 1] != '/')
		n--;
	text_init(&merged, LIMIT_URL);
	text_add(&merged, span_slice(base_path, 0, n));
	text_add(&merged, path);
	add_path(t, text_span(&merged));
	if (text_overflowed(&merged))
		t->overflowed = 1;
	text_release(&merged);
}

static void
add_relative(struct text *t, const struct url *base, struct span reference)
{
	struct url origin = *base;
	struct span path, query, base_path, base_query;

	split(reference, &path, &query);
	split(base->target, &base_path, &base_query);
	origin.target = (struct span){NULL, 0};
	url_add(&origin, t);
	if (path.n == 0)
		text_add(t, base_path);
	else if (path.p[0] == '/')
		add_path(t, path);
	else
		add_merged(t, base_path, path);
	text_add(t, path.n == 0 && query.n == 0 ? base_query : query);
}

int
url_resolve(struct url *u, const struct url *base, struct span reference,
    struct arena *a, struct error *e)
{
	struct text t;
	int r;

	if (reference.n > LIMIT_URL)
		return error_set(e, ERROR_SYNTAX, 0, "a URL that is too long");
	text_init(&t, LIMIT_URL);
	if (has_scheme(reference)) {
		text_add(&t, reference);
	} else if (span_has_prefix(reference, span_of("//"))) {
		text_add_str(
		    &t, base->scheme == URL_HTTPS ? "https:" : "http:");
		text_add(&t, reference);
	} else {
		add_relative(&t, base, reference);
	}
	if (text_overflowed(&t))
		r = error_set(e, ERROR_SYNTAX, 0, "a URL that is too long");
	else
		r = url_parse(u, text_span(&t), a, e);
	text_release(&t);
	return r;
}
