#include "engine/task_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/seen.h"
#include "net/json.h"

#define BLOCK_BYTES 65536

static int
set_up(struct task_source *src, struct error *e)
{
	struct stat st;

	if (fstat(src->fd, &st) == -1 || S_ISDIR(st.st_mode)) {
		int why = S_ISDIR(st.st_mode) ? EISDIR : errno;

		return error_set(e, ERROR_NO_INPUT, why,
		    "cannot read tasks from %s", src->name);
	}
	src->is_regular = S_ISREG(st.st_mode);
	src->bytes = src->is_regular ? (uint64_t)st.st_size : 0;
	src->block = pool_take(BLOCK_BYTES, NULL);
	if (src->block == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory to read tasks");
	task_reader_init(&src->reader);
	return 0;
}

int
task_source_open(struct task_source *src, const char *path, struct error *e)
{
	*src =
	    (struct task_source){.fd = STDIN_FILENO, .name = "standard input"};
	if (strcmp(path, "-") != 0) {
		src->name = path;
		src->fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);
		if (src->fd == -1)
			return error_set(e, ERROR_NO_INPUT, errno,
			    "cannot read tasks from %s", path);
	}
	return set_up(src, e);
}

void
task_source_close(struct task_source *src)
{
	if (src->block == NULL)
		return;
	if (src->is_waiting)
		loop_io_want(&src->io, LOOP_NOTHING);
	task_reader_release(&src->reader);
	pool_give(src->block);
	src->block = NULL;
	if (src->fd > STDIN_FILENO)
		os->close(src->fd);
}

/* 1: bytes were fed; 0: end; -1 and src->error. */
static int
read_more(struct task_source *src)
{
	ssize_t n;

	do {
		n = os->read(src->fd, src->block, BLOCK_BYTES);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return error_set(&src->error, ERROR_IO, errno,
		    "cannot read tasks from %s", src->name);
	if (n == 0) {
		src->at_end = 1;
		task_reader_end(&src->reader);
		return 0;
	}
	task_reader_feed(&src->reader, (struct span){src->block, (size_t)n});
	return 1;
}

/* Would a read return at once? */
static int
can_read(const struct task_source *src)
{
	struct pollfd p = {.fd = src->fd, .events = POLLIN};

	return src->is_regular || poll(&p, 1, 0) == 1;
}

static void
became_readable(struct loop_io *io, int want)
{
	struct task_source *src = container_of(io, struct task_source, io);

	(void)want;
	src->is_waiting = 0;
	loop_io_want(io, LOOP_NOTHING);
	src->readable(src);
}

void
task_source_start(struct task_source *src, struct loop *l,
    void (*readable)(struct task_source *src))
{
	src->readable = readable;
	loop_io_init(&src->io, l, src->fd, became_readable);
}

enum task_source_next
task_source_next(struct task_source *src, struct span *line)
{
	for (;;) {
		switch (task_reader_next(&src->reader, line)) {
		case TASK_LINE:
			return TASK_SOURCE_LINE;
		case TASK_LONG:
			return TASK_SOURCE_LONG;
		case TASK_END:
			return TASK_SOURCE_END;
		case TASK_MORE:
			break;
		}
		if (src->is_waiting)
			return TASK_SOURCE_WAIT;
		if (!can_read(src)) {
			src->is_waiting = 1;
			loop_io_want(&src->io, LOOP_READ);
			return TASK_SOURCE_WAIT;
		}
		if (read_more(src) == -1)
			return TASK_SOURCE_ERROR;
	}
}

/* --- the check of a whole file --- */

struct check {
	struct task_source *src;
	struct json_doc doc;
	struct text id;
	struct seen seen;
};

/* The custom_id of a line into c->id; 0 when it has none. */
static int
read_id(struct check *c, struct span line)
{
	struct error ignored;
	int v;

	text_clear(&c->id);
	if (json_parse(&c->doc, line, 0, &ignored) == -1)
		return 0;
	v = json_get(&c->doc, 0, "custom_id");
	if (json_type(&c->doc, v) != JSON_STRING)
		return 0;
	json_string_add(&c->doc, v, &c->id);
	return c->id.n > 0;
}

/* Back to the first byte that is ours. */
static int
rewind_to(struct task_source *src, off_t start, struct error *e)
{
	if (lseek(src->fd, start, SEEK_SET) == -1)
		return error_set(
		    e, ERROR_IO, errno, "cannot read %s twice", src->name);
	task_reader_release(&src->reader);
	task_reader_init(&src->reader);
	src->at_end = 0;
	return 0;
}

/* The number of the first line with this custom_id. */
static uint64_t
first_line_with(struct check *c, off_t start, struct span id)
{
	struct error ignored;
	struct span line;
	enum task_source_next next;

	if (rewind_to(c->src, start, &ignored) == -1)
		return 0;
	while ((next = task_source_next(c->src, &line)) == TASK_SOURCE_LINE ||
	       next == TASK_SOURCE_LONG)
		if (next == TASK_SOURCE_LINE && read_id(c, line) &&
		    span_eq(text_span(&c->id), id))
			return c->src->reader.number;
	return 0;
}

static int
twice(struct check *c, off_t start, struct error *e)
{
	uint64_t number = c->src->reader.number, first;
	struct text id;

	text_init(&id, LIMIT_TASK_LINE);
	text_add(&id, text_span(&c->id));
	first = first_line_with(c, start, text_span(&id));
	error_set(e, ERROR_SYNTAX, 0,
	    "%s:%llu: custom_id \"%.80s\" stands in line %llu already; each "
	    "task needs one of its own",
	    c->src->name, (unsigned long long)number, id.p,
	    (unsigned long long)first);
	text_release(&id);
	return -1;
}

static int
check_lines(struct check *c, off_t start, struct error *e)
{
	enum task_source_next next;
	struct span line;

	while ((next = task_source_next(c->src, &line)) == TASK_SOURCE_LINE ||
	       next == TASK_SOURCE_LONG) {
		c->src->tasks++;
		if (next == TASK_SOURCE_LONG || !read_id(c, line))
			continue;
		switch (seen_add(&c->seen, text_span(&c->id))) {
		case 0:
			return twice(c, start, e);
		case -1:
			return error_set(e, ERROR_FULL, 0,
			    "%s has too many tasks to remember", c->src->name);
		}
	}
	if (next == TASK_SOURCE_ERROR) {
		*e = c->src->error;
		return -1;
	}
	return rewind_to(c->src, start, e);
}

int
task_source_check(struct task_source *src, struct error *e)
{
	struct check c = {.src = src};
	off_t start;
	int answer;

	if (!src->is_regular)
		return 0;
	start = lseek(src->fd, 0, SEEK_CUR);
	if (start == -1)
		return error_set(
		    e, ERROR_IO, errno, "cannot read %s twice", src->name);
	json_doc_init(&c.doc);
	text_init(&c.id, LIMIT_TASK_LINE);
	seen_init(&c.seen);
	answer = check_lines(&c, start, e);
	seen_release(&c.seen);
	text_release(&c.id);
	json_doc_release(&c.doc);
	return answer;
}
