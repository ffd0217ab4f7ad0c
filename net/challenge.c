#include "net/challenge.h"

#include "engine/base/text.h"
#include "net/http1.h"

static struct span
skip(struct span s, const char *set)
{
	while (s.n > 0 && memchr(set, s.p[0], strlen(set)) != NULL)
		s = span_slice(s, 1, s.n);
	return s;
}

/* Cut a token off the front; empty when there is none. */
static struct span
token(struct span *s)
{
	size_t n = 0;
	struct span out;

	while (n < s->n && http_is_token(span_slice(*s, n, n + 1)))
		n++;
	out = span_slice(*s, 0, n);
	*s = span_slice(*s, n, s->n);
	return out;
}

/* Cut a value off, quoted or not; append it to out unless that is NULL. */
static void
value(struct span *s, struct text *out)
{
	if (s->n == 0 || s->p[0] != '"') {
		struct span v = token(s);

		if (out != NULL)
			text_add(out, v);
		return;
	}
	*s = span_slice(*s, 1, s->n);
	while (s->n > 0 && s->p[0] != '"') {
		if (s->p[0] == '\\' && s->n > 1)
			*s = span_slice(*s, 1, s->n);
		if (out != NULL)
			text_add_char(out, s->p[0]);
		*s = span_slice(*s, 1, s->n);
	}
	*s = span_slice(*s, 1, s->n);
}

int
challenge_get(
    struct span s, const char *scheme, const char *name, struct text *out)
{
	int inside = 0;

	for (;;) {
		struct span word;

		s = skip(s, ", \t");
		word = token(&s);
		if (word.n == 0)
			return 0; /* the end, or no challenge */
		s = skip(s, " \t");
		if (s.n == 0 || s.p[0] != '=') {
			inside = span_is_nocase(word, scheme);
			continue;
		}
		s = skip(span_slice(s, 1, s.n), " \t");
		if (inside && span_is_nocase(word, name)) {
			value(&s, out);
			return 1;
		}
		value(&s, NULL);
	}
}
