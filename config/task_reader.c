#include "config/task_reader.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"

static const struct span mark = {"\xef\xbb\xbf", 3}; /* byte order mark */

void
task_reader_init(struct task_reader *r)
{
	*r = (struct task_reader){.number = 0};
	/* A byte order mark is not part of the line. */
	text_init(&r->line, LIMIT_TASK_LINE + mark.n + 1);
}

void
task_reader_release(struct task_reader *r)
{
	text_release(&r->line);
}

void
task_reader_feed(struct task_reader *r, struct span bytes)
{
	CHECK(r->rest.n == 0);
	CHECK(!r->at_end);
	r->rest = bytes;
	r->fed += bytes.n;
}

void
task_reader_end(struct task_reader *r)
{
	CHECK(r->rest.n == 0);
	r->at_end = 1;
}

/* What was given out last goes; the next line begins here. */
static void
begin_line(struct task_reader *r)
{
	r->given = 0;
	text_clear(&r->line);
	r->skipped = 0;
	r->offset = r->fed - r->rest.n;
}

/* Keep a part of the line, or only count it once the line is too long. */
static void
keep(struct task_reader *r, struct span part)
{
	if (r->skipped == 0) {
		text_add(&r->line, part);
		if (!text_overflowed(&r->line))
			return;
		r->skipped = r->line.n;
		text_release(&r->line);
	}
	r->skipped += part.n;
}

/* The whole line is s: without mark and CR, is there anything in it? */
static enum task_line
give(struct task_reader *r, struct span s, struct span *line)
{
	r->number++;
	if (r->number == 1 && span_has_prefix(s, mark))
		s = span_slice(s, mark.n, s.n);
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	r->given = 1;
	if (r->skipped > 0 || s.n > LIMIT_TASK_LINE)
		return TASK_LONG;
	*line = s;
	return TASK_LINE;
}

static int
is_blank(struct span line)
{
	return span_trim(line).n == 0;
}

/* One line, blank or not. */
static enum task_line
next_line(struct task_reader *r, struct span *line)
{
	size_t end = span_find(r->rest, '\n', 0);
	struct span part = span_slice(r->rest, 0, end);
	int whole = end < r->rest.n;

	r->rest = span_slice(r->rest, end + (size_t)whole, r->rest.n);
	if (whole && r->line.n == 0 && r->skipped == 0)
		return give(r, part, line); /* the common case: no copy */
	keep(r, part);
	if (whole)
		return give(r, text_span(&r->line), line);
	if (!r->at_end)
		return TASK_MORE;
	if (r->line.n == 0 && r->skipped == 0)
		return TASK_END;
	return give(r, text_span(&r->line), line);
}

enum task_line
task_reader_next(struct task_reader *r, struct span *line)
{
	enum task_line what;

	do {
		if (r->given || (r->line.n == 0 && r->skipped == 0))
			begin_line(r);
		what = next_line(r, line);
	} while (what == TASK_LINE && is_blank(*line));
	return what;
}
