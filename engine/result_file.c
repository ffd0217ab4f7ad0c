#include "engine/result_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/arena.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "net/json.h"

#define READ_BYTES 65536
#define LINE_START "{\"custom_id\":"

/* While the file is read. */
struct scan {
	struct result_file *f;
	struct json_doc doc;
	struct text line; /* what came of the present line */
	uint64_t line_at; /* where it begins */
	uint64_t at;
};

/* Remember the run of one whole line; 1 when it is a result. */
static int
note_line(struct scan *s, struct error *e)
{
	struct span id = {NULL, 0};
	struct error ignored;
	int v;

	if (text_overflowed(&s->line) ||
	    json_parse(&s->doc, text_span(&s->line), 0, &ignored) == -1)
		return 0;
	v = json_get(&s->doc, 0, "run_id");
	if (json_type(&s->doc, v) != JSON_STRING)
		return 0;
	id = json_inner(&s->doc, v);
	if (seen_add(&s->f->run_ids, id) == -1)
		return error_set(e, ERROR_FULL, 0,
		    "too many results in %s to remember", s->f->name);
	s->f->lines++;
	return 1;
}

static int
scan_bytes(struct scan *s, struct span bytes, struct error *e)
{
	while (bytes.n > 0) {
		size_t end = span_find(bytes, '\n', 0);

		text_add(&s->line, span_slice(bytes, 0, end));
		if (end == bytes.n) {
			s->at += bytes.n;
			return 0;
		}
		if (note_line(s, e) == -1)
			return -1;
		text_clear(&s->line);
		bytes = span_slice(bytes, end + 1, bytes.n);
		s->at += end + 1;
		s->line_at = s->at;
	}
	return 0;
}

/* Could these bytes be what is left of one of our lines? */
static int
looks_torn(struct span tail)
{
	size_t n = sizeof LINE_START - 1;

	if (tail.n < n)
		n = tail.n;
	return memcmp(tail.p, LINE_START, n) == 0;
}

/*
 * The last line has no newline.  A whole result lacks only that; the front
 * of one goes; anything else was not ours and only gets its line end.
 */
static int
mend_tail(struct scan *s, struct error *e)
{
	struct result_file *f = s->f;
	int whole = note_line(s, e);

	if (whole == -1)
		return -1;
	if (!whole && looks_torn(text_span(&s->line))) {
		if (ftruncate(f->fd, (off_t)s->line_at) == -1)
			return error_set(e, ERROR_IO, errno,
			    "cannot repair the last line of %s", f->name);
		f->torn_bytes = s->at - s->line_at;
		return 0;
	}
	if (lseek(f->fd, 0, SEEK_END) == -1 || os->write(f->fd, "\n", 1) != 1)
		return error_set(e, ERROR_IO, errno,
		    "cannot end the last line of %s", f->name);
	return 0;
}

static int
scan_file(struct scan *s, int fd, struct error *e)
{
	char *block = pool_take(READ_BYTES, NULL);
	ssize_t n = -1;
	int failed = 0;

	if (block == NULL)
		return error_set(
		    e, ERROR_FULL, 0, "no memory to read %s", s->f->name);
	while (!failed && (n = os->read(fd, block, READ_BYTES)) > 0)
		failed =
		    scan_bytes(s, (struct span){block, (size_t)n}, e) == -1;
	pool_give(block);
	if (failed)
		return -1;
	if (n == -1)
		return error_set(
		    e, ERROR_IO, errno, "cannot read %s", s->f->name);
	return s->line.n > 0 ? mend_tail(s, e) : 0;
}

static int
read_what_is_there(struct result_file *f, struct error *e)
{
	struct scan s = {.f = f};
	char self[32] = "/proc/self/fd/1";
	int fd = f->fd, answer;

	if (f->fd == STDOUT_FILENO) {
		/* Ours may be open for writing only. */
		fd = os->open(self, O_RDONLY | O_CLOEXEC, 0);
		if (fd == -1) {
			f->is_regular = 0; /* nothing can be known of it */
			return 0;
		}
	}
	json_doc_init(&s.doc);
	text_init(&s.line, POOL_BLOCK_MAX - 1);
	answer = scan_file(&s, fd, e);
	text_release(&s.line);
	json_doc_release(&s.doc);
	if (fd != f->fd)
		os->close(fd);
	if (answer == 0 && lseek(f->fd, 0, SEEK_END) == -1)
		return error_set(
		    e, ERROR_IO, errno, "cannot go to the end of %s", f->name);
	return answer;
}

int
result_file_open(struct result_file *f, const char *path, struct error *e)
{
	struct stat st;

	*f = (struct result_file){
	    .fd = STDOUT_FILENO, .name = "standard output"};
	seen_init(&f->run_ids);
	if (path != NULL && strcmp(path, "-") != 0) {
		f->name = path;
		f->fd = os->open(
		    path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (f->fd == -1 && (errno == ENXIO || errno == EACCES))
			f->fd = os->open(path, O_WRONLY | O_CLOEXEC, 0);
		if (f->fd == -1)
			return error_set(e,
			    errno == ENOSPC || errno == EDQUOT
				? ERROR_IO
				: ERROR_CANNOT_CREATE,
			    errno, "cannot write results to %s", path);
	}
	if (fstat(f->fd, &st) == -1)
		return error_set(
		    e, ERROR_IO, errno, "cannot write results to %s", f->name);
	f->is_regular = S_ISREG(st.st_mode);
	return f->is_regular ? read_what_is_there(f, e) : 0;
}

void
result_file_close(struct result_file *f)
{
	seen_release(&f->run_ids);
	if (f->fd != STDOUT_FILENO && f->fd != -1)
		os->close(f->fd);
	f->fd = -1;
}
