#include "engine/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "net/utf8.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN 20

void
terminal_measure(struct terminal *t)
{
	const char *said = getenv("COLUMNS");
	unsigned long long columns;
	struct winsize w;

	t->columns = COLUMNS_DEFAULT;
	if (t->is_tty && ioctl(t->fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		t->columns = w.ws_col;
	else if (said != NULL &&
		 span_to_u64(span_of(said), 10000, &columns) == 0)
		t->columns = (unsigned)columns;
	if (t->columns < COLUMNS_MIN)
		t->columns = COLUMNS_MIN;
}

void
terminal_look(struct terminal *t, int fd)
{
	const char *term = getenv("TERM");
	const char *no_colour = getenv("NO_COLOR");
	int is_dumb = term == NULL || term[0] == '\0' || !strcmp(term, "dumb");

	t->fd = fd;
	t->is_tty = isatty(fd);
	t->can_move = t->is_tty && !is_dumb;
	t->has_colour =
	    t->can_move && (no_colour == NULL || no_colour[0] == '\0');
	terminal_measure(t);
}

/* Characters that hide or reorder others: marks, embeddings, isolates. */
static int
is_reordering(uint32_t c)
{
	return c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

static void
add_neutral(uint32_t c, int keep, struct text *out)
{
	if (c == '\n' || c == '\t')
		text_add_char(out, keep & TERMINAL_LINES ? (char)c : ' ');
	else if (c < 0x20)
		utf8_add(out, 0x2400 + c);
	else if (c == 0x7f)
		utf8_add(out, 0x2421);
	else if (c == UTF8_BAD || (c >= 0x80 && c <= 0x9f) || is_reordering(c))
		text_add_str(out, UTF8_REPLACEMENT);
	else
		utf8_add(out, c);
}

void
terminal_neutral(struct span s, int keep, struct text *out)
{
	size_t n;

	for (size_t at = 0; at < s.n; at += n) {
		uint32_t c = utf8_at(s, at, &n);

		/* CR LF is a line's end; a CR alone would overwrite it. */
		if (c == '\r' && at + 1 < s.n && s.p[at + 1] == '\n')
			continue;
		add_neutral(c, keep, out);
	}
}

size_t
terminal_json(struct span s, char escape[TERMINAL_ESCAPE], size_t *n)
{
	size_t at = 0;
	uint32_t c = 0;

	for (; at < s.n; at += *n) {
		c = utf8_at(s, at, n);
		if ((c >= 0x7f && c <= 0x9f) || is_reordering(c))
			break;
	}
	if (at > 0 || s.n == 0)
		return at;
	if (c < 0x10000)
		snprintf(escape, TERMINAL_ESCAPE, "\\u%04x", (unsigned)c);
	else
		snprintf(escape, TERMINAL_ESCAPE, "\\u%04x\\u%04x",
		    (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
		    (unsigned)(0xdc00 + (c & 0x3ff)));
	return 0;
}

/* East Asian wide and emoji, roughly; combining marks take no room. */
static unsigned
columns_of(uint32_t c)
{
	if ((c >= 0x0300 && c <= 0x036f) || (c >= 0xfe00 && c <= 0xfe0f))
		return 0;
	if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
	    (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
	    (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
	    (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
	    (c >= 0x20000 && c <= 0x3fffd))
		return 2;
	return 1;
}

unsigned
terminal_width(struct span s)
{
	unsigned columns = 0;
	size_t n;

	for (size_t at = 0; at < s.n; at += n)
		columns += columns_of(utf8_at(s, at, &n));
	return columns;
}

void
terminal_fit(struct span s, unsigned columns, struct text *out)
{
	unsigned used = 0;
	size_t n, cut = out->n; /* where the dots would go */

	for (size_t at = 0; at < s.n; at += n) {
		uint32_t c = utf8_at(s, at, &n);

		used += columns_of(c);
		if (used > columns) {
			while (out->n > cut && !text_overflowed(out))
				out->p[--out->n] = '\0';
			text_add_str(out, columns > 0 ? "…" : "");
			return;
		}
		add_neutral(c, 0, out);
		if (used < columns)
			cut = out->n;
	}
}
