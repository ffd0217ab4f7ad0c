/*
 * Files of any size, checked as they are read: one JSON document, or the
 * lines of a batch.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "config/complaint.h"
#include "config/source.h"
#include "config/task.h"
#include "config/task_reader.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/cmd/check_private.h"
#include "engine/seen.h"
#include "net/json.h"

#define BLOCK ((size_t)64 * 1024)

struct input {
	const char *path;
	int fd;
	char block[BLOCK];
};

static int
input_open(struct input *in, const char *path, struct complaints *c)
{
	in->path = path;
	if (strcmp(path, "-") == 0) {
		in->path = "standard input";
		in->fd = STDIN_FILENO;
		return 0;
	}
	in->fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);
	if (in->fd == -1)
		return complain(c, ERROR_NO_INPUT, path, 0, 0,
		    "cannot be opened: %s", strerror(errno));
	return 0;
}

static void
input_close(struct input *in)
{
	if (in->fd > STDERR_FILENO)
		os->close(in->fd);
}

/* The next bytes; 0 at the end; -1 after a complaint. */
static ssize_t
input_read(struct input *in, struct complaints *c)
{
	ssize_t n;

	do {
		n = os->read(in->fd, in->block, sizeof in->block);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return complain(c, ERROR_NO_INPUT, in->path, 0, 0,
		    "cannot be read: %s", strerror(errno));
	return n;
}

/* --- one document --- */

/* Move a place on over s; columns count characters. */
static void
advance(struct json_place *at, struct span s)
{
	struct json_place more;

	json_place_of(s, s.n, &more);
	at->column = more.line > 1 ? more.column : at->column + more.column - 1;
	at->line += more.line - 1;
	at->offset += s.n;
}

static void
check_document(struct input *in, struct complaints *c)
{
	struct json_place at = {0, 1, 1};
	struct json_guard guard;
	struct error e;
	ssize_t n;
	int bad = 0;

	json_guard_init(&guard, SIZE_MAX, 0);
	guard.tokens_max = SIZE_MAX;
	while (!bad && (n = input_read(in, c)) > 0) {
		struct span s = {in->block, (size_t)n};

		bad = json_guard_feed(&guard, s, &e) == -1;
		if (bad)
			s.n = guard.bytes - at.offset;
		advance(&at, s);
	}
	if (!bad && n == 0)
		bad = json_guard_end(&guard, &e) == -1;
	if (bad)
		complain(c, ERROR_SYNTAX, in->path, at.line, at.column, "%s",
		    e.text);
}

void
check_json(const char *path, struct complaints *c)
{
	struct input in;

	if (input_open(&in, path, c) == -1)
		return;
	check_document(&in, c);
	input_close(&in);
}

/* --- tasks --- */

struct tasks {
	struct input *in;
	struct arena *arena;
	const char *folder;
	struct complaints *c;
	struct seen seen;
	uint64_t n;
};

static void
check_line(struct tasks *t, struct span line, uint64_t number)
{
	struct task task;

	if (task_check(&task, t->arena, line, number, t->in->path, t->folder,
		t->c) == -1 &&
	    task.custom_id.n == 0)
		return;
	if (seen_add(&t->seen, task.custom_id) == 0)
		complain(t->c, ERROR_SYNTAX, t->in->path, (unsigned)number, 1,
		    "custom_id \"%.*s\" stands in an earlier line already; "
		    "each task needs one of its own",
		    task.custom_id.n < 80 ? (int)task.custom_id.n : 80,
		    task.custom_id.p);
}

/* Lines until the reader wants more. */
static enum task_line
check_held(struct tasks *t, struct task_reader *r)
{
	enum task_line what;
	struct span line;

	while ((what = task_reader_next(r, &line)) == TASK_LINE ||
	       what == TASK_LONG) {
		/* A complaint that is kept stays; else all may go. */
		arena_mark mark = arena_save(t->arena);
		const struct complaint *last = t->c->last;

		t->n++;
		if (what == TASK_LONG)
			complain(t->c, ERROR_SYNTAX, t->in->path,
			    (unsigned)r->number, 1,
			    "the line is longer than %zu bytes",
			    (size_t)LIMIT_TASK_LINE);
		else
			check_line(t, line, r->number);
		if (t->c->last == last)
			arena_reset(t->arena, mark);
	}
	return what;
}

void
check_tasks(struct arena *arena, const char *path, struct complaints *c)
{
	struct input in;
	struct tasks t = {.in = &in, .arena = arena, .c = c};
	struct task_reader r;
	struct error e;
	ssize_t n;

	t.folder = source_folder(arena, path, &e);
	if (t.folder == NULL) {
		complain(c, e.code, NULL, 0, 0, "%s", e.text);
		return;
	}
	if (input_open(&in, path, c) == -1)
		return;
	seen_init(&t.seen);
	task_reader_init(&r);
	while (
	    check_held(&t, &r) == TASK_MORE && (n = input_read(&in, c)) != -1) {
		if (n > 0)
			task_reader_feed(
			    &r, (struct span){in.block, (size_t)n});
		else
			task_reader_end(&r);
	}
	if (t.n == 0 && c->n == 0)
		complain(c, ERROR_SYNTAX, in.path, 0, 0,
		    "there is no task in this file");
	task_reader_release(&r);
	seen_release(&t.seen);
	input_close(&in);
}
