#include "tools/layout.h"

#include "engine/base/arena.h"
#include "engine/base/text.h"
#include "net/utf8.h"

#define ROOT "/workspace"

#define BRANCH "\xe2\x94\x9c\xe2\x94\x80\xe2\x94\x80 "      /* |--  */
#define LAST_BRANCH "\xe2\x94\x94\xe2\x94\x80\xe2\x94\x80 " /* `--  */
#define PASSING "\xe2\x94\x82   "                           /* |    */
#define DASH " \xe2\x80\x94 "
#define STEP 4 /* characters of each of the first three, and of a blank one */
#define GAP 2  /* between the widest name and the comments */

extern const char tools_layout_cut_txt[];

struct layout_line {
	struct layout_line *next;
	struct layout_line *parent;
	unsigned depth; /* 0: in the root */
	int is_folder;
	int has_next; /* a sibling follows */
	struct span path, description;
	size_t name_at; /* in path */
};

/* --- characters --- */

/* One that would break the line, or a terminal. */
static int
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
	       c == 0x2029;
}

/* Cut the next character off s; what cannot be shown becomes U+FFFD. */
static struct span
next_char(struct span *s)
{
	size_t n;
	uint32_t c = utf8_at(*s, 0, &n);
	struct span one = span_slice(*s, 0, n);

	*s = span_slice(*s, n, s->n);
	return c == UTF8_BAD || is_control(c) ? span_of(UTF8_REPLACEMENT) : one;
}

static size_t
characters(struct span s)
{
	size_t n = 0;

	for (; s.n > 0; n++)
		(void)next_char(&s);
	return n;
}

static void
put(struct text *out, struct span s)
{
	while (s.n > 0)
		text_add(out, next_char(&s));
}

/* --- lines --- */

void
layout_init(struct layout *l, struct arena *arena)
{
	*l = (struct layout){.arena = arena};
}

static size_t
comment_characters(struct span path, struct span description)
{
	size_t n = sizeof "# " ROOT "/" - 1 + characters(path);

	return description.n == 0 ? n : n + 3 + characters(description);
}

/* Its beginning may still be seen: keep it. */
static void
keep(struct layout *l, const struct layout_line *line)
{
	struct layout_line *kept = arena_alloc(l->arena, sizeof *kept);

	if (kept == NULL)
		return;
	*kept = *line;
	kept->path = arena_span(l->arena, line->path);
	kept->description = arena_span(l->arena, line->description);
	if (kept->path.p == NULL)
		return;
	kept->parent = line->depth > 0 ? l->open[line->depth - 1] : NULL;
	if (l->last != NULL)
		l->last->next = kept;
	else
		l->first = kept;
	l->last = kept;
	l->open[line->depth] = kept;
}

void
layout_add(
    struct layout *l, struct span path, int is_folder, struct span description)
{
	struct layout_line line = {
	    .is_folder = is_folder, .path = path, .description = description};
	size_t width, comment;

	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '/') {
			line.depth++;
			line.name_at = i + 1;
		}
	if (line.depth >= LAYOUT_DEPTH)
		return;
	width = STEP * (line.depth + 1) + (size_t)(is_folder != 0) +
		characters(span_slice(path, line.name_at, path.n));
	comment = comment_characters(path, description);
	l->lines++;
	l->comments += comment;
	if (width > l->width)
		l->width = width;
	if (l->open[line.depth] != NULL)
		l->open[line.depth]->has_next = 1;
	for (unsigned d = line.depth; d < LAYOUT_DEPTH; d++)
		l->open[d] = NULL;
	if (l->shortest <= LAYOUT_CHARS)
		keep(l, &line);
	l->shortest += width + GAP + comment + 1;
}

/* --- the drawing --- */

static void
put_passing(const struct layout_line *line, struct text *out)
{
	if (line == NULL)
		return;
	put_passing(line->parent, out);
	text_add_str(out, line->has_next ? PASSING : "    ");
}

static void
put_line(
    const struct layout *l, const struct layout_line *line, struct text *out)
{
	struct span name = span_slice(line->path, line->name_at, line->path.n);
	size_t used = STEP * (line->depth + 1) + characters(name);

	text_add_char(out, '\n');
	put_passing(line->parent, out);
	text_add_str(out, line->has_next ? BRANCH : LAST_BRANCH);
	put(out, name);
	if (line->is_folder)
		text_add_char(out, '/');
	used += (size_t)(line->is_folder != 0);
	for (; used < l->width + GAP; used++)
		text_add_char(out, ' ');
	text_add_str(out, "# " ROOT "/");
	put(out, line->path);
	if (line->description.n == 0)
		return;
	text_add_str(out, DASH);
	put(out, line->description);
}

/* The notice for so many characters left out. */
static void
put_notice(size_t omitted, struct text *out)
{
	text_printf(out, "\n... (truncated %zu chars)\n\n", omitted);
	text_add(out, span_trim(span_of(tools_layout_cut_txt)));
	text_add_char(out, '\n');
}

/*
 * How many characters of total remain beside the notice that says so.  A
 * longer number makes a longer notice, hence more is left out: it settles.
 */
static size_t
room_beside_notice(size_t total)
{
	size_t omitted = total - LAYOUT_CHARS, settled = 0, kept = 0;
	struct text notice;

	text_init(&notice, LAYOUT_CHARS);
	while (omitted != settled) {
		settled = omitted;
		text_clear(&notice);
		put_notice(settled, &notice);
		kept = LAYOUT_CHARS - notice.n;
		omitted = total - kept;
	}
	text_release(&notice);
	return kept;
}

/* Where in t the n-th character after from begins. */
static size_t
offset_of(const struct text *t, size_t from, size_t n)
{
	struct span s = span_slice(text_span(t), from, t->n);

	for (; n > 0 && s.n > 0; n--)
		(void)next_char(&s);
	return t->n - s.n;
}

void
layout_write(const struct layout *l, struct text *out)
{
	size_t start = out->n, kept, total;

	text_add_str(out, ROOT);
	/* As if a final newline stood there: that is how it is counted. */
	total = sizeof ROOT + l->comments + l->lines * (l->width + GAP + 1);
	for (const struct layout_line *k = l->first; k != NULL; k = k->next)
		put_line(l, k, out);
	if (total <= LAYOUT_CHARS)
		return;
	kept = room_beside_notice(total);
	text_cut(out, offset_of(out, start, kept));
	while (out->n > start &&
	       (out->p[out->n - 1] == ' ' || out->p[out->n - 1] == '\n'))
		text_cut(out, out->n - 1);
	put_notice(total - kept, out);
	text_cut(out, out->n - 1);
}
