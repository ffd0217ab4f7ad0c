#include "tools/diff.h"

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"

#define END_PATCH "*** End Patch"
#define END_FILE "*** End of File"
#define QUOTED_MAX 300 /* bytes of a line in an error's text */

/* Lines of a text: spans in one pool block. */
struct lines {
	struct span *line;
	size_t n;
};

/* How loosely a line is compared when a block is searched. */
enum fuzz { FUZZ_NONE, FUZZ_TAIL, FUZZ_BOTH, FUZZES };

struct update {
	struct lines file; /* the last one is what follows the last newline */
	struct lines diff;
	size_t cursor;  /* in file: where the next search starts */
	size_t written; /* lines of file that are already in out */
	size_t at;      /* in diff */
	size_t work;    /* lines compared, up to DIFF_WORK_MAX */
	const char *newline;
	int wrote_any;
	struct text *out;
	struct error *e;
};

/* A hunk's body: diff lines from..to, a block of so many file lines. */
struct hunk {
	size_t from, to;
	size_t block;
	int at_end;
};

/* Cut s at LF; folds CRLF.  -1: no memory. */
static int
lines_split(struct lines *l, struct span s, struct error *e)
{
	size_t n = 1, at = 0;

	for (size_t i = span_find(s, '\n', 0); i < s.n;
	     i = span_find(s, '\n', i + 1))
		n++;
	l->line = pool_take(n * sizeof *l->line, NULL);
	if (l->line == NULL)
		return error_set(
		    e, ERROR_FULL, 0, "no memory for %zu lines", n);
	l->n = n;
	for (size_t i = 0; i < n; i++) {
		size_t end = span_find(s, '\n', at);
		struct span line = span_slice(s, at, end);

		if (end < s.n && line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		l->line[i] = line;
		at = end + 1;
	}
	return 0;
}

/* Diff lines lose all CRs at their end, and the empty one after the last LF. */
static int
lines_split_diff(struct lines *l, struct span diff, struct error *e)
{
	if (lines_split(l, diff, e) == -1)
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		struct span *line = &l->line[i];

		while (line->n > 0 && line->p[line->n - 1] == '\r')
			line->n--;
	}
	if (l->line[l->n - 1].n == 0)
		l->n--;
	return 0;
}

static void
lines_release(struct lines *l)
{
	pool_give(l->line);
	*l = (struct lines){0};
}

static int
has_prefix(struct span s, const char *prefix)
{
	return span_has_prefix(s, span_of(prefix));
}

/* Lines that end the language: what an envelope would go on with. */
static int
is_terminator(struct span s)
{
	return has_prefix(s, END_PATCH) || has_prefix(s, "*** Update File:") ||
	       has_prefix(s, "*** Delete File:") ||
	       has_prefix(s, "*** Add File:");
}

static int
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span
trim_tail(struct span s)
{
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static struct span
trim_both(struct span s)
{
	s = trim_tail(s);
	while (s.n > 0 && is_space(s.p[0]))
		s.p++, s.n--;
	return s;
}

static int
line_eq(struct update *u, struct span a, struct span b, enum fuzz fuzz)
{
	u->work++;
	switch (fuzz) {
	case FUZZ_TAIL:
		return span_eq(trim_tail(a), trim_tail(b));
	case FUZZ_BOTH:
		return span_eq(trim_both(a), trim_both(b));
	default:
		return span_eq(a, b);
	}
}

/* The diff's line i; behind the last, the end of the patch. */
static struct span
diff_line(const struct update *u, size_t i)
{
	return i < u->diff.n ? u->diff.line[i] : span_of(END_PATCH);
}

static int
fail_line(struct error *e, const char *what, struct span line)
{
	return error_set(e, ERROR_SYNTAX, 0, "%s%.*s", what,
	    (int)(line.n < QUOTED_MAX ? line.n : QUOTED_MAX), line.p);
}

/*
 * Put a line of its own behind the error's text, as far as there is room.
 * The format wants more than the one line that errors have elsewhere.
 */
static int
quote_line(struct error *e, struct span line)
{
	size_t n = strlen(e->text);

	if (n + line.n + 2 <= sizeof e->text) {
		e->text[n] = '\n';
		memcpy(e->text + n + 1, line.p, line.n);
		e->text[n + 1 + line.n] = '\0';
	}
	return -1;
}

/* --- anchors --- */

/*
 * Find anchor as a whole line: before the cursor it counts as found where it
 * stands (unless only_forward), else the cursor moves behind it.
 */
static int
seek_anchor(struct update *u, struct span anchor, int only_forward)
{
	static const enum fuzz steps[] = {FUZZ_NONE, FUZZ_BOTH};

	for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
		for (size_t i = 0; !only_forward && i < u->cursor; i++)
			if (line_eq(u, u->file.line[i], anchor, steps[s]))
				return 1;
		for (size_t i = u->cursor; i < u->file.n; i++)
			if (line_eq(u, u->file.line[i], anchor, steps[s])) {
				u->cursor = i + 1;
				return 1;
			}
	}
	return 0;
}

static int
is_header(struct span line)
{
	return span_is(line, "@@") || has_prefix(line, "@@ ");
}

/* Follow the hunk's headers.  One alone is advice; several must all hold. */
static int
read_headers(struct update *u)
{
	size_t from = u->at, n;

	while (is_header(diff_line(u, u->at)))
		u->at++;
	n = u->at - from;
	if (n > DIFF_ANCHORS_MAX || (n == 0 && from > 0)) {
		error_set(u->e, ERROR_SYNTAX, 0, "Invalid Line:");
		return quote_line(u->e, diff_line(u, from));
	}
	for (size_t i = from; i < u->at; i++) {
		struct span line = u->diff.line[i];
		struct span anchor = span_slice(line, 3, line.n);

		if (trim_both(anchor).n == 0)
			continue;
		if (!seek_anchor(u, anchor, i > from) && n > 1) {
			error_set(u->e, ERROR_SYNTAX, 0,
			    "Invalid Anchor %zu:", u->cursor);
			return quote_line(u->e, anchor);
		}
	}
	return 0;
}

/* --- bodies --- */

static int
read_body(struct update *u, struct hunk *h)
{
	struct span line = diff_line(u, u->at);

	*h = (struct hunk){.from = u->at};
	for (; u->at < u->diff.n; line = diff_line(u, ++u->at)) {
		if (has_prefix(line, "@@") || is_terminator(line) ||
		    has_prefix(line, END_FILE))
			break;
		if (has_prefix(line, "***") ||
		    (line.n > 0 && memchr("+- ", line.p[0], 3) == NULL))
			return fail_line(u->e, "Invalid Line: ", line);
		h->block += line.n == 0 || line.p[0] != '+';
	}
	h->to = u->at;
	h->at_end = span_is(line, END_FILE);
	u->at += h->at_end;
	if (h->to == h->from && !h->at_end)
		return error_set(u->e, ERROR_SYNTAX, 0,
		    "Nothing in this section - index=%zu %.*s", u->at,
		    (int)(line.n < QUOTED_MAX ? line.n : QUOTED_MAX), line.p);
	return 0;
}

/* A body line's text; an empty line is an empty context line. */
static struct span
body_text(const struct update *u, size_t i)
{
	struct span line = u->diff.line[i];

	return span_slice(line, line.n > 0, line.n);
}

static char
body_mark(const struct update *u, size_t i)
{
	return u->diff.line[i].n > 0 ? u->diff.line[i].p[0] : ' ';
}

static int
block_is_at(struct update *u, const struct hunk *h, size_t at, enum fuzz fuzz)
{
	if (h->block > u->file.n || at > u->file.n - h->block)
		return 0;
	for (size_t i = h->from; i < h->to; i++) {
		if (body_mark(u, i) == '+')
			continue;
		if (!line_eq(u, u->file.line[at++], body_text(u, i), fuzz))
			return 0;
	}
	return 1;
}

/* Where the hunk's block stands; -1 when nowhere. */
static ptrdiff_t
find_block(struct update *u, const struct hunk *h)
{
	/* What follows the final newline is no line. */
	size_t n = u->file.n - (u->file.line[u->file.n - 1].n == 0);

	if (h->at_end && h->block <= n && n - h->block >= u->cursor)
		for (enum fuzz f = FUZZ_NONE; f < FUZZES; f++)
			if (block_is_at(u, h, n - h->block, f))
				return (ptrdiff_t)(n - h->block);
	for (enum fuzz f = FUZZ_NONE; f < FUZZES; f++)
		for (size_t at = u->cursor; at + h->block <= u->file.n; at++)
			if (block_is_at(u, h, at, f))
				return (ptrdiff_t)at;
	return -1;
}

/* Say which block was not found, as far as the error has room. */
static int
fail_block(const struct update *u, const struct hunk *h)
{
	error_set(u->e, ERROR_SYNTAX, 0,
	    "Invalid %sContext %zu:", h->at_end ? "EOF " : "", u->cursor);
	for (size_t i = h->from; i < h->to; i++)
		if (body_mark(u, i) != '+')
			quote_line(u->e, body_text(u, i));
	return -1;
}

/* --- writing --- */

static void
put_line(struct update *u, struct span line)
{
	if (u->wrote_any)
		text_add_str(u->out, u->newline);
	text_add(u->out, line);
	u->wrote_any = 1;
}

static void
copy_to(struct update *u, size_t line)
{
	CHECK(line <= u->file.n);
	while (u->written < line)
		put_line(u, u->file.line[u->written++]);
}

static void
write_hunk(struct update *u, const struct hunk *h, size_t at)
{
	copy_to(u, at);
	for (size_t i = h->from; i < h->to; i++) {
		char mark = body_mark(u, i);

		if (mark == '+')
			put_line(u, body_text(u, i));
		else if (mark == '-')
			u->written++;
		else
			copy_to(u, u->written + 1);
	}
}

static int
apply_hunks(struct update *u)
{
	while (u->at < u->diff.n && !is_terminator(diff_line(u, u->at)) &&
	       !has_prefix(diff_line(u, u->at), END_FILE)) {
		struct hunk h;
		ptrdiff_t at;

		if (u->work > DIFF_WORK_MAX)
			return error_set(u->e, ERROR_TOO_BIG, 0,
			    "the diff takes too many comparisons: split it");
		if (read_headers(u) == -1 || read_body(u, &h) == -1)
			return -1;
		at = find_block(u, &h);
		if (at == -1)
			return fail_block(u, &h);
		write_hunk(u, &h, (size_t)at);
		u->cursor = (size_t)at + h.block;
		if (text_overflowed(u->out))
			break;
	}
	copy_to(u, u->file.n);
	if (text_overflowed(u->out))
		return error_set(
		    u->e, ERROR_TOO_BIG, 0, "the changed file is too large");
	return 0;
}

static const char *
newline_of(struct span s)
{
	return span_search(s, span_of("\r\n"), 0) < s.n ? "\r\n" : "\n";
}

int
diff_create(struct span diff, struct text *out, struct error *e)
{
	const char *newline = newline_of(diff);
	struct lines l;
	int result = 0;

	if (lines_split_diff(&l, diff, e) == -1)
		return -1;
	for (size_t i = 0; i < l.n && !is_terminator(l.line[i]); i++) {
		struct span line = l.line[i];

		if (line.n == 0 || line.p[0] != '+') {
			result = fail_line(e, "Invalid Add File Line: ", line);
			break;
		}
		if (i > 0)
			text_add_str(out, newline);
		text_add(out, span_slice(line, 1, line.n));
	}
	lines_release(&l);
	if (result == 0 && text_overflowed(out))
		return error_set(
		    e, ERROR_TOO_BIG, 0, "the new file is too large");
	return result;
}

int
diff_update(
    struct span file, struct span diff, struct text *out, struct error *e)
{
	struct update u = {
	    .newline = newline_of(file.n > 0 ? file : diff),
	    .out = out,
	    .e = e,
	};
	int result;

	if (lines_split(&u.file, file, e) == -1)
		return -1;
	if (lines_split_diff(&u.diff, diff, e) == -1) {
		lines_release(&u.file);
		return -1;
	}
	result = apply_hunks(&u);
	lines_release(&u.file);
	lines_release(&u.diff);
	return result;
}
