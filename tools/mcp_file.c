#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/os.h"
#include "tools/mcp_private.h"

/*
 * What the client remembers, below STATE/mcp, for nobody's eyes but the
 * user's.  Read and written at start-up and by commands; a file is replaced
 * whole.
 */

#define FOLDER "mcp"

static int
path_of(const char *state, const char *name, const char *suffix,
    char out[LIMIT_PATH], struct error *e)
{
	int n = snprintf(out, LIMIT_PATH, "%s/" FOLDER "%s%s%s", state,
	    name[0] != '\0' ? "/" : "", name, suffix);

	return n < LIMIT_PATH ? 0
			      : error_set(e, ERROR_CANNOT_CREATE, 0,
				    "the path of the state directory is too "
				    "long");
}

static int
read_all(int fd, const char *path, struct text *out, struct error *e)
{
	ssize_t n = -1;

	do {
		size_t room;
		char *p = text_room(out, 64 * KIB, &room);

		if (p == NULL)
			return error_set(
			    e, ERROR_TOO_BIG, 0, "%s is too long", path);
		n = os->read(fd, p, room);
		if (n > 0)
			text_added(out, (size_t)n);
	} while (n > 0 || (n == -1 && errno == EINTR));
	return n == 0 ? 0 : error_set(e, ERROR_IO, errno, "read %s", path);
}

int
mcp_file_read(
    const char *state, const char *name, struct text *out, struct error *e)
{
	char path[LIMIT_PATH];
	int fd, rc;

	text_clear(out);
	if (path_of(state, name, "", path, e) == -1)
		return -1;
	fd = os->open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1)
		return error_set(e, ERROR_NO_INPUT, errno, "open %s", path);
	rc = read_all(fd, path, out, e);
	os->close(fd);
	return rc;
}

static int
write_all(int fd, const char *path, struct span s, struct error *e)
{
	while (s.n > 0) {
		ssize_t n = os->write(fd, s.p, s.n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return error_set(e, ERROR_IO, errno, "write %s", path);
		s = span_slice(s, (size_t)n, s.n);
	}
	return os->fsync(fd) == 0
		   ? 0
		   : error_set(e, ERROR_IO, errno, "write %s", path);
}

int
mcp_file_write(
    const char *state, const char *name, struct span s, struct error *e)
{
	char path[LIMIT_PATH], new[LIMIT_PATH];
	int fd, rc;

	if (path_of(state, "", "", path, e) == -1)
		return -1;
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return error_set(
		    e, ERROR_CANNOT_CREATE, errno, "make %s", path);
	if (path_of(state, name, "", path, e) == -1 ||
	    path_of(state, name, ".new", new, e) == -1)
		return -1;
	fd = os->open(
	    new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return error_set(e, ERROR_CANNOT_CREATE, errno, "open %s", new);
	rc = write_all(fd, new, s, e);
	os->close(fd);
	if (rc == 0 && os->rename(new, path) == -1)
		rc = error_set(e, ERROR_IO, errno, "rename %s", new);
	return rc;
}
