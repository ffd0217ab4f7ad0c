#include "sandbox/baseline.h"

#include <string.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "engine/base/sort.h"
#include "engine/base/text.h"

#define BASELINE_MAGIC 0x5a4d8032
#define STAMP sizeof(int64_t)

struct baseline {
	unsigned magic, references;
	struct text paths; /* each behind its stamp, with its NUL */
	int64_t last_ns;
	struct baseline_size size;
	unsigned n;
	const char **sorted; /* NULL: not sealed, or empty */
};

struct baseline *
baseline_new(struct error *e)
{
	struct baseline *b = pool_take(sizeof *b, NULL);

	if (b == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for a list of files");
		return NULL;
	}
	*b = (struct baseline){.magic = BASELINE_MAGIC, .references = 1};
	text_init(&b->paths, BASELINE_BYTES_MAX);
	return b;
}

struct baseline *
baseline_hold(struct baseline *b)
{
	if (b != NULL) {
		CHECK_OBJ(b, BASELINE_MAGIC);
		b->references++;
	}
	return b;
}

void
baseline_drop(struct baseline *b)
{
	if (b == NULL)
		return;
	CHECK_OBJ(b, BASELINE_MAGIC);
	CHECK(b->references > 0);
	if (--b->references > 0)
		return;
	text_release(&b->paths);
	pool_give(b->sorted);
	b->magic = 0;
	pool_give(b);
}

void
baseline_add(
    struct baseline *b, const char *path, int64_t changed_ns, uint64_t bytes)
{
	CHECK_OBJ(b, BASELINE_MAGIC);
	CHECK(b->sorted == NULL);
	text_add(&b->paths, (struct span){(const char *)&changed_ns, STAMP});
	text_add_str(&b->paths, path);
	text_add_char(&b->paths, '\0');
	b->n++;
	b->size.bytes += bytes;
	baseline_add_other(b, changed_ns);
}

void
baseline_add_other(struct baseline *b, int64_t changed_ns)
{
	b->size.inodes++;
	if (changed_ns > b->last_ns)
		b->last_ns = changed_ns;
}

static int64_t
stamp(const char *path)
{
	int64_t ns;

	memcpy(&ns, path - STAMP, STAMP);
	return ns;
}

static int
compare(const void *a, const void *b, const void *with)
{
	(void)with;
	return strcmp(a, b);
}

int
baseline_seal(struct baseline *b, struct error *e)
{
	const char *p = b->paths.p;
	unsigned kept = 0;

	CHECK_OBJ(b, BASELINE_MAGIC);
	CHECK(b->sorted == NULL);
	if (b->n == 0)
		return 0;
	b->sorted = pool_take(b->n * sizeof *b->sorted, NULL);
	if (text_overflowed(&b->paths) || b->sorted == NULL)
		return error_set(e, ERROR_TOO_BIG, 0,
		    "too many files to remember what was there before");
	for (unsigned i = 0; i < b->n; i++, p += strlen(p) + 1) {
		p += STAMP;
		b->sorted[i] = p;
	}
	sort_pointers((void **)b->sorted, b->n, compare, NULL);
	for (unsigned i = 0; i < b->n; i++) {
		if (kept == 0 || strcmp(b->sorted[kept - 1], b->sorted[i]) != 0)
			b->sorted[kept++] = b->sorted[i];
		else if (stamp(b->sorted[kept - 1]) < stamp(b->sorted[i]))
			b->sorted[kept - 1] = b->sorted[i];
	}
	b->n = kept;
	return 0;
}

unsigned
baseline_count(const struct baseline *b)
{
	return b == NULL || b->sorted == NULL ? 0 : b->n;
}

const char *
baseline_path(const struct baseline *b, unsigned i)
{
	CHECK(i < baseline_count(b));
	return b->sorted[i];
}

/* The clock that files are stamped by, where it has ticks. */
static int64_t
tick_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
baseline_stamp_of(const struct baseline *b, unsigned i)
{
	CHECK(i < baseline_count(b));
	return stamp(b->sorted[i]);
}

/* A stamp of the present tick is one that could come again. */
int
baseline_is_settled(const struct baseline *b)
{
	return b == NULL || b->last_ns != tick_ns();
}

int64_t
baseline_last_ns(const struct baseline *b)
{
	return b->last_ns;
}

int
baseline_is_past(const struct baseline *b)
{
	return b->last_ns < tick_ns();
}

void
baseline_size(const struct baseline *b, struct baseline_size *out)
{
	*out = b->size;
}

/* The number of the first path that is not before s and then c. */
static unsigned
first_from(const struct baseline *b, const char *s, char c)
{
	unsigned low = 0, high = baseline_count(b);
	size_t n = strlen(s);

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const char *p = b->sorted[middle];
		int order = strncmp(p, s, n);

		if (order == 0)
			order = (unsigned char)p[n] - (unsigned char)c;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
baseline_find(const struct baseline *b, const char *path)
{
	unsigned i = first_from(b, path, '\0');

	return i < baseline_count(b) && strcmp(b->sorted[i], path) == 0 ? (int)i
									: -1;
}

unsigned
baseline_below(const struct baseline *b, const char *folder, unsigned *end)
{
	*end = first_from(b, folder, '/' + 1);
	return first_from(b, folder, '/');
}
