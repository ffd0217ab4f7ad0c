#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/complaint.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"

static int
read_all(int fd, struct text *t, struct error *e)
{
	ssize_t n = 0;

	do {
		size_t room;
		char *p = text_room(t, 1, &room);

		if (p == NULL)
			return error_set(e, ERROR_TOO_BIG, 0,
			    "larger than %zu bytes", t->bytes_max);
		n = os->read(fd, p, room);
		if (n > 0)
			text_added(t, (size_t)n);
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == -1)
		return error_set(e, ERROR_NO_INPUT, errno, "cannot be read");
	return 0;
}

int
source_read_file(const char *path, struct text *t, struct error *e)
{
	int fd, status;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, t, e);
	fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd == -1)
		return error_set(e, ERROR_NO_INPUT, errno, "cannot be opened");
	status = read_all(fd, t, e);
	os->close(fd);
	return status;
}

const char *
source_folder(struct arena *arena, const char *path, struct error *e)
{
	char here[LIMIT_PATH];
	const char *slash = strrchr(path, '/'), *out;
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;

	if (path[0] == '/') {
		out = n == 0 ? "/" : arena_strndup(arena, path, n);
	} else if (getcwd(here, sizeof here) == NULL) {
		error_set(e, ERROR_SYSTEM, errno, "getcwd");
		return NULL;
	} else if (slash == NULL) {
		out = arena_strndup(arena, here, strlen(here));
	} else {
		out = arena_printf(arena, "%s/%.*s",
		    strcmp(here, "/") == 0 ? "" : here, (int)n, path);
	}
	if (out == NULL)
		error_set(e, ERROR_FULL, 0, "out of memory");
	return out;
}

/* Parse what is in s->text. */
static int
parse(struct source *s, struct complaints *c)
{
	struct json_place at;
	struct error e;
	size_t offset;

	if (s->text.n == 0)
		return complain(c, ERROR_SYNTAX, s->file, 1, 1,
		    "the file is empty; an object was expected");
	if (json_relax(s->text.p, s->text.n, &offset, &e) == -1) {
		json_place_of(text_span(&s->text), offset, &at);
		return complain(
		    c, ERROR_SYNTAX, s->file, at.line, at.column, "%s", e.text);
	}
	if (json_parse(&s->doc, text_span(&s->text), JSON_UNIQUE, &e) == 0)
		return 0;
	complain(c, ERROR_SYNTAX, s->file, s->doc.fault.line,
	    s->doc.fault.column, "%s", e.text);
	/* When only a key stands twice, there may be more to find. */
	return json_parse(&s->doc, text_span(&s->text), 0, &e);
}

static void
init(struct source *s, const char *file)
{
	s->file = file;
	s->folder = NULL;
	text_init(&s->text, LIMIT_CONFIG_FILE);
	json_doc_init(&s->doc);
}

int
source_open(struct source *s, struct arena *arena, const char *path,
    struct complaints *c)
{
	struct error e;
	int status = 0;

	init(s, path);
	s->folder = source_folder(arena, path, &e);
	if (s->folder == NULL || source_read_file(path, &s->text, &e) == -1)
		status = complain(c, e.code, path, 0, 0, "%s", e.text);
	else
		status = parse(s, c);
	if (status == -1)
		source_release(s);
	return status;
}

int
source_open_text(struct source *s, struct span text, const char *file,
    const char *folder, struct complaints *c)
{
	init(s, file);
	s->folder = folder;
	text_add(&s->text, text);
	if (text_overflowed(&s->text))
		complain(c, ERROR_TOO_BIG, file, 0, 0, "too large");
	else if (parse(s, c) == 0)
		return 0;
	source_release(s);
	return -1;
}

void
source_release(struct source *s)
{
	json_doc_release(&s->doc);
	text_release(&s->text);
}
