#include "net/sse.h"

#include <string.h>

#include "engine/base/error.h"

void
sse_init(struct sse *s, size_t line_bytes_max, size_t event_bytes_max)
{
	*s = (struct sse){
	    .event_bytes_max = event_bytes_max,
	    .retry_ms = UINT64_MAX,
	};
	text_init(&s->line, line_bytes_max);
	text_init(&s->data, event_bytes_max);
	text_init(&s->type, line_bytes_max);
	text_init(&s->id, line_bytes_max);
}

void
sse_release(struct sse *s)
{
	text_release(&s->line);
	text_release(&s->data);
	text_release(&s->type);
	text_release(&s->id);
}

int
sse_is_inside(const struct sse *s)
{
	return s->has_data || s->has_line ||
	       ((s->type.n > 0 || s->type_here.n > 0) && !s->emitted);
}

/* --- lines --- */

/* The first c in in, which may be known from before; else in's end. */
static const char *
find(const char **known, struct span in, char c)
{
	const char *end = in.p + in.n;

	if (*known == NULL || *known < in.p || *known > end) {
		*known = memchr(in.p, c, in.n);
		if (*known == NULL)
			*known = end;
	}
	return *known;
}

/*
 * The index of the first CR or LF; in.n when there is none.  Where the next
 * of each is stays known until it is passed, so that a stream which ends its
 * lines in one of them is not searched for the other with every line.
 */
static size_t
line_end(struct sse *s, struct span in)
{
	const char *lf, *cr;

	if (in.n == 0)
		return 0;
	lf = find(&s->next_lf, in, '\n');
	cr = find(&s->next_cr, in, '\r');
	return (size_t)((cr < lf ? cr : lf) - in.p);
}

static void
advance(struct span *in, size_t n)
{
	in->p += n;
	in->n -= n;
}

/* Step over the CR, LF or CRLF that ends a line. */
static void
step_over_end(struct sse *s, struct span *in)
{
	int cr = in->p[0] == '\r';

	advance(in, 1);
	if (!cr)
		return;
	if (in->n == 0)
		s->after_cr = 1;
	else if (in->p[0] == '\n')
		advance(in, 1);
}

static int
too_big(const char *what, size_t bytes_max, struct error *e)
{
	return error_set(e, ERROR_TOO_BIG, 0,
	    "an event stream's %s of more than %zu bytes", what, bytes_max);
}

/* 1 and a whole line; 0 when it has no end yet; -1 and *e. */
static int
next_line(struct sse *s, struct span *in, struct span *line, struct error *e)
{
	size_t n;

	/* The empty line behind an event, without a search for its end. */
	if (in->n > 0 && in->p[0] == '\n' && !s->has_line && !s->after_cr) {
		*line = (struct span){in->p, 0};
		advance(in, 1);
		return 1;
	}
	if (s->after_cr && in->n > 0) {
		if (in->p[0] == '\n')
			advance(in, 1);
		s->after_cr = 0;
	}
	n = line_end(s, *in);
	if (n > s->line.bytes_max - s->line.n)
		return too_big("line", s->line.bytes_max, e);
	*line = (struct span){in->p, n};
	if (s->has_line || n == in->n)
		text_add(&s->line, *line);
	if (text_overflowed(&s->line))
		return error_set(e, ERROR_FULL, 0, "no memory for a line");
	advance(in, n);
	if (in->n == 0) {
		s->has_line = s->line.n > 0;
		return 0;
	}
	if (s->has_line)
		*line = text_span(&s->line);
	step_over_end(s, in);
	return 1;
}

/* --- fields --- */

/* Move what still lies in the input. */
static void
settle(struct sse *s)
{
	if (s->data_here.p != NULL)
		text_add(&s->data, s->data_here);
	if (s->type_here.p != NULL)
		text_add(&s->type, s->type_here);
	s->data_here = s->type_here = (struct span){NULL, 0};
}

static int
add_data(struct sse *s, struct span value, struct error *e)
{
	size_t have = s->data.n + s->data_here.n + s->has_data; /* an LF */

	if (value.n + have > s->event_bytes_max)
		return too_big("event", s->event_bytes_max, e);
	if (!s->has_data) {
		s->has_data = 1;
		if (s->has_line)
			text_add(&s->data, value);
		else
			s->data_here = value;
	} else {
		settle(s);
		text_add_char(&s->data, '\n');
		text_add(&s->data, value);
	}
	if (text_overflowed(&s->data))
		return error_set(e, ERROR_FULL, 0, "no memory for an event");
	return 0;
}

static void
set_type(struct sse *s, struct span value)
{
	if (s->type.n > 0)
		text_clear(&s->type);
	s->type_here = (struct span){NULL, 0};
	if (s->has_line)
		text_add(&s->type, value);
	else
		s->type_here = value;
}

static int
field(struct sse *s, struct span name, struct span value, struct error *e)
{
	unsigned long long ms;

	if (span_is(name, "data"))
		return add_data(s, value, e);
	if (span_is(name, "event")) {
		set_type(s, value);
	} else if (span_is(name, "id")) {
		if (memchr(value.p, '\0', value.n) == NULL) {
			text_clear(&s->id);
			text_add(&s->id, value);
		}
	} else if (span_is(name, "retry")) {
		if (span_to_u64(value, UINT64_MAX - 1, &ms) == 0)
			s->retry_ms = ms;
	}
	return 0;
}

/* Where the colon is, sooner for the two fields that matter. */
static size_t
colon_of(struct span line)
{
	if (line.n > 5 && line.p[4] == ':' && memcmp(line.p, "data", 4) == 0)
		return 4;
	if (line.n > 6 && line.p[5] == ':' && memcmp(line.p, "event", 5) == 0)
		return 5;
	return span_find(line, ':', 0);
}

static int
line_came(struct sse *s, struct span line, struct error *e)
{
	struct span name, value;
	size_t colon = colon_of(line), from = colon + 1;

	if (colon == 0)
		return 0;
	name = (struct span){line.p, colon};
	if (from < line.n && line.p[from] == ' ')
		from++;
	value = (struct span){"", 0};
	if (from < line.n)
		value = (struct span){line.p + from, line.n - from};
	return field(s, name, value, e);
}

static void
forget_event(struct sse *s)
{
	if (s->data.n > 0 || text_overflowed(&s->data))
		text_clear(&s->data);
	if (s->type.n > 0 || text_overflowed(&s->type))
		text_clear(&s->type);
	s->data_here = s->type_here = (struct span){NULL, 0};
	s->has_data = s->emitted = 0;
}

static void
emit(struct sse *s, struct sse_event *ev)
{
	ev->type = s->type_here.p != NULL ? s->type_here : text_span(&s->type);
	ev->data = s->data_here.p != NULL ? s->data_here : text_span(&s->data);
	ev->id = text_span(&s->id);
	s->has_data = 0;
	s->emitted = 1;
	s->events++;
}

static struct span
without_bom(struct sse *s, struct span line)
{
	if (span_has_prefix(line, span_of("\xef\xbb\xbf")))
		line = span_slice(line, 3, line.n);
	s->bom_seen = 1;
	return line;
}

static void
line_done(struct sse *s)
{
	if (s->has_line)
		text_clear(&s->line);
	s->has_line = 0;
}

enum sse_result
sse_next(struct sse *s, struct span *in, struct sse_event *ev, struct error *e)
{
	struct span line;
	int r, is_end;

	if (s->emitted)
		forget_event(s);
	while ((r = next_line(s, in, &line, e)) == 1) {
		if (!s->bom_seen)
			line = without_bom(s, line);
		is_end = line.n == 0;
		if (!is_end && line_came(s, line, e) == -1)
			return SSE_BAD;
		line_done(s);
		if (is_end && s->has_data) {
			emit(s, ev);
			return SSE_EVENT;
		}
		if (is_end)
			forget_event(s);
	}
	if (r == -1)
		return SSE_BAD;
	s->next_lf = s->next_cr = NULL; /* the next input is another */
	settle(s);
	if (text_overflowed(&s->data)) {
		error_set(e, ERROR_FULL, 0, "no memory for an event");
		return SSE_BAD;
	}
	return SSE_MORE;
}
