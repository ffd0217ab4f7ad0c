#include "net/retry.h"

/* Cut a number of digits off the front of *s; -1 when there is none. */
static int
number(struct span *s)
{
	int n = 0;
	size_t i = 0;

	for (; i < s->n && i < 4 && s->p[i] >= '0' && s->p[i] <= '9'; i++)
		n = n * 10 + (s->p[i] - '0');
	*s = span_slice(*s, i, s->n);
	return i > 0 ? n : -1;
}

/* Cut one character of set off the front of *s; -1 when it is another. */
static int
skip(struct span *s, const char *set)
{
	if (s->n == 0 || span_find(span_of(set), s->p[0], 0) >= span_of(set).n)
		return -1;
	*s = span_slice(*s, 1, s->n);
	return 0;
}

static int
month(struct span *s)
{
	static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

	for (int i = 0; i < 12; i++)
		if (span_has_prefix(*s, span_of(names[i]))) {
			*s = span_slice(*s, 3, s->n);
			return i + 1;
		}
	return -1;
}

/* "08:49:37" in seconds, or -1. */
static int
time_of_day(struct span *s)
{
	int h = number(s), m, sec;

	if (skip(s, ":") == -1)
		return -1;
	m = number(s);
	if (skip(s, ":") == -1)
		return -1;
	sec = number(s);
	if (h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 60)
		return -1;
	return h * 3600 + m * 60 + sec;
}

/* Days from 1970-01-01 in the Gregorian calendar. */
static int64_t
days(int year, int mon, int day)
{
	int64_t y = mon <= 2 ? year - 1 : year;
	int64_t era = y / 400, of_era = y % 400;
	int64_t of_year = (153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

static int64_t
assemble(int year, int mon, int day, int seconds)
{
	if (year < 1970 || mon < 1 || day < 1 || day > 31 || seconds < 0)
		return -1;
	return days(year, mon, day) * 86400 + seconds;
}

/* "06 Nov 1994 08:49:37 GMT" or "06-Nov-94 08:49:37 GMT". */
static int64_t
with_comma(struct span s)
{
	int day = number(&s), mon, year, seconds;

	if (skip(&s, " -") == -1)
		return -1;
	mon = month(&s);
	if (skip(&s, " -") == -1)
		return -1;
	year = number(&s);
	if (year >= 0 && year < 100)
		year += year < 70 ? 2000 : 1900;
	if (skip(&s, " ") == -1)
		return -1;
	seconds = time_of_day(&s);
	if (!span_is(s, " GMT"))
		return -1;
	return assemble(year, mon, day, seconds);
}

/* "Nov  6 08:49:37 1994". */
static int64_t
of_asctime(struct span s)
{
	int mon = month(&s), day, seconds;

	if (skip(&s, " ") == -1)
		return -1;
	skip(&s, " ");
	day = number(&s);
	if (skip(&s, " ") == -1)
		return -1;
	seconds = time_of_day(&s);
	if (skip(&s, " ") == -1)
		return -1;
	return s.n == 4 ? assemble(number(&s), mon, day, seconds) : -1;
}

int64_t
http_date(struct span s)
{
	size_t comma = span_find(s, ',', 0);

	s = span_trim(s);
	if (comma < s.n)
		return with_comma(span_trim(span_slice(s, comma + 1, s.n)));
	return s.n > 4 ? of_asctime(span_slice(s, 4, s.n)) : -1;
}
