#include "config/nearest.h"

#include <stdio.h>

#include "engine/base/check.h"

#define LETTERS_MAX 48 /* longer words are nobody's typing error */

static unsigned
smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment, three rows at a time. */
static unsigned
distance(struct span a, struct span b)
{
	unsigned row[3][LETTERS_MAX + 1];
	unsigned *before = row[0], *above = row[1], *here = row[2], *spare;

	CHECK(a.n <= LETTERS_MAX && b.n <= LETTERS_MAX);
	for (size_t j = 0; j <= b.n; j++)
		above[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		here[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned change = a.p[i - 1] != b.p[j - 1];

			here[j] = smaller(above[j - 1] + change,
			    smaller(above[j], here[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1])
				here[j] = smaller(here[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = here;
		here = spare;
	}
	return above[b.n];
}

void
nearest_init(struct nearest *n, struct span word)
{
	n->word = word;
	n->name = NULL;
	/* A third of the word may be wrong, but not a word of two letters. */
	n->distance = word.n < 3 ? 2 : (unsigned)smaller(word.n / 3 + 2, 5);
}

void
nearest_offer(struct nearest *n, const char *name)
{
	struct span s = span_of(name);
	unsigned d;

	if (s.n > LETTERS_MAX || n->word.n > LETTERS_MAX || n->word.n == 0)
		return;
	d = distance(n->word, s);
	if (d < n->distance && d < s.n) {
		n->distance = d;
		n->name = name;
	}
}

const char *
nearest_hint(const struct nearest *n, char out[NEAREST_HINT])
{
	out[0] = '\0';
	if (n->name != NULL)
		snprintf(out, NEAREST_HINT, "; did you mean '%s'?", n->name);
	return out;
}
