#include "config/units.h"

#define UNITS_MAX 9007199254740992.0 /* whole numbers are exact up to here */
#define DIGITS_MAX 18

struct unit {
	const char *name;
	double factor;
};

static const struct unit sizes[] = {
    {"", 1},
    {"K", 1024},
    {"M", 1024.0 * 1024},
    {"G", 1024.0 * 1024 * 1024},
    {"T", 1024.0 * 1024 * 1024 * 1024},
    {NULL, 0},
};

static const struct unit times[] = {
    {"", 1000},
    {"ms", 1},
    {"s", 1000},
    {"m", 60 * 1000},
    {"h", 60 * 60 * 1000},
    {NULL, 0},
};

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits with at most one point; the rest of s is left in *s. */
static int
read_number(struct span *s, double *value)
{
	double v = 0, place = 1;
	size_t i, digits = 0;
	int fraction = 0;

	for (i = 0; i < s->n; i++) {
		if (s->p[i] == '.' && !fraction && digits > 0) {
			fraction = 1;
			continue;
		}
		if (!is_digit(s->p[i]))
			break;
		v = v * 10 + (s->p[i] - '0');
		place = fraction ? place * 10 : place;
		digits++;
	}
	if (digits == 0 || digits > DIGITS_MAX || s->p[i - 1] == '.')
		return -1;
	*value = v / place;
	*s = span_slice(*s, i, s->n);
	return 0;
}

static int
read_quantity(struct span s, const struct unit *unit, uint64_t *out)
{
	double v;

	if (read_number(&s, &v) == -1)
		return -1;
	for (; unit->name != NULL; unit++)
		if (span_is(s, unit->name))
			break;
	if (unit->name == NULL || v * unit->factor > UNITS_MAX)
		return -1;
	*out = (uint64_t)(v * unit->factor + 0.5);
	return 0;
}

int
units_size(struct span s, uint64_t *bytes)
{
	return read_quantity(s, sizes, bytes);
}

int
units_time(struct span s, uint64_t *ms)
{
	return read_quantity(s, times, ms);
}

int
units_number(struct span s, double *value)
{
	return read_number(&s, value) == -1 || s.n > 0 ? -1 : 0;
}
