#include "net/json.h"

#include <string.h>

#include "engine/base/error.h"

/*
 * Comments and trailing commas become spaces, in place; line ends inside
 * comments stay, so that lines can still be counted.  What this does not understand it leaves
 * alone: the guard has the last word.
 */
struct relax {
	char *p;
	size_t n, at;
	size_t comma; /* a comma with nothing behind it yet; n: none */
	char last;    /* the last byte that is no space or comment */
};

static void
blank(struct relax *r, size_t to)
{
	for (; r->at < to; r->at++)
		if (r->p[r->at] != '\n' && r->p[r->at] != '\r')
			r->p[r->at] = ' ';
}

static void
skip_string(struct relax *r)
{
	for (r->at++; r->at < r->n && r->p[r->at] != '"'; r->at++)
		if (r->p[r->at] == '\\')
			r->at++;
}

/* 1 when a comment stood here, 0 when none did, -1 when it does not end. */
static int
comment(struct relax *r)
{
	struct span rest = {r->p + r->at, r->n - r->at};
	size_t end;

	if (span_has_prefix(rest, span_of("//"))) {
		for (end = 2; end < rest.n; end++)
			if (rest.p[end] == '\n' || rest.p[end] == '\r')
				break;
	} else if (span_has_prefix(rest, span_of("/*"))) {
		end = span_search(rest, span_of("*/"), 2) + 2;
		if (end > rest.n)
			return -1;
	} else {
		return 0;
	}
	blank(r, r->at + end);
	return 1;
}

/* A byte that is neither space nor comment. */
static void
significant(struct relax *r, char c)
{
	if ((c == '}' || c == ']') && r->comma < r->n)
		r->p[r->comma] = ' ';
	r->comma = r->n;
	if (c == ',' && r->last != '\0' && strchr("[{,:", r->last) == NULL)
		r->comma = r->at;
	if (c == '"')
		skip_string(r);
	r->last = c;
}

int
json_relax(char *p, size_t n, size_t *at, struct error *e)
{
	struct relax r = {.p = p, .n = n, .comma = n};
	int found;

	if (span_has_prefix((struct span){p, n}, span_of("\xef\xbb\xbf")))
		blank(&r, 3);
	while (r.at < n) {
		if (strchr(" \t\r\n", p[r.at]) != NULL && p[r.at] != '\0') {
			r.at++;
			continue;
		}
		found = comment(&r);
		if (found == -1) {
			*at = r.at;
			return error_set(
			    e, ERROR_SYNTAX, 0, "a comment that does not end");
		}
		if (found == 0) {
			significant(&r, p[r.at]);
			r.at++;
		}
	}
	return 0;
}
