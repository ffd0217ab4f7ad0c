#include "engine/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/os.h"
#include "engine/base/span.h"

#define MODE_DIR 0700
#define MODE_FILE 0600

static int
too_long(struct error *e)
{
	return error_set(e, ERROR_CANNOT_CREATE, 0,
	    "the path of the state directory is longer than %d bytes",
	    LIMIT_PATH - 1);
}

int
state_dir_choose(struct state_dir *d, const char *wanted, struct error *e)
{
	const char *base = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int n;

	d->fd = d->lock_fd = -1;
	if (wanted != NULL && wanted[0] != '\0')
		n = snprintf(d->path, sizeof d->path, "%s", wanted);
	else if (base != NULL && base[0] == '/')
		n = snprintf(d->path, sizeof d->path, "%s/skep", base);
	else if (home != NULL && home[0] == '/')
		n = snprintf(
		    d->path, sizeof d->path, "%s/.local/state/skep", home);
	else
		return error_set(e, ERROR_CANNOT_CREATE, 0,
		    "no place for the state: HOME is not set; give --state "
		    "DIR");
	return n < 0 || (size_t)n >= sizeof d->path ? too_long(e) : 0;
}

/* mkdir -p; what exists already is fine. */
static int
make_folders(const struct state_dir *d, struct error *e)
{
	char path[LIMIT_PATH];
	size_t n = strlen(d->path);

	memcpy(path, d->path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		path[i] = '\0';
		if (mkdir(path, MODE_DIR) == -1 && errno != EEXIST) {
			int why = errno;
			struct stat st;

			/* Above a folder that exists we may not look. */
			if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
				return error_set(e,
				    why == ENOSPC || why == EDQUOT
					? ERROR_IO
					: ERROR_CANNOT_CREATE,
				    why, "cannot make the state directory %s",
				    path);
		}
		path[i] = d->path[i];
	}
	return 0;
}

static int
open_folder(struct state_dir *d, enum error_code refused, struct error *e)
{
	d->fd = os->open(d->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC, 0);
	if (d->fd == -1)
		return error_set(e, errno == ENOENT ? ERROR_NOT_FOUND : refused,
		    errno, "cannot open the state directory %s", d->path);
	return 0;
}

/* The pid written in a lock file; 0 when there is none to read. */
static int
read_pid(int fd)
{
	char text[24];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	unsigned long long pid;

	if (n <= 0)
		return 0;
	if (span_to_u64(span_trim((struct span){text, (size_t)n}), INT32_MAX,
		&pid) == -1)
		return 0;
	return (int)pid;
}

static int
write_pid(struct state_dir *d, struct error *e)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());

	if (ftruncate(d->lock_fd, 0) == -1 ||
	    pwrite(d->lock_fd, text, (size_t)n, 0) != n)
		return error_set(e, ERROR_IO, errno,
		    "cannot write the lock of the state directory %s", d->path);
	return 0;
}

static int
take_lock(struct state_dir *d, struct error *e)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int pid;

	d->lock_fd =
	    os->openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, MODE_FILE);
	if (d->lock_fd == -1)
		return error_set(e,
		    errno == ENOSPC || errno == EDQUOT ? ERROR_IO
						       : ERROR_CANNOT_CREATE,
		    errno, "cannot lock the state directory %s", d->path);
	if (fcntl(d->lock_fd, F_OFD_SETLK, &whole) == 0)
		return write_pid(d, e);
	if (errno != EAGAIN && errno != EACCES)
		return error_set(e, ERROR_IO, errno,
		    "cannot lock the state directory %s", d->path);
	pid = read_pid(d->lock_fd);
	if (pid == 0)
		return error_set(e, ERROR_LOCKED, 0,
		    "another skep owns the state directory %s; wait for it, or "
		    "give --state DIR",
		    d->path);
	return error_set(e, ERROR_LOCKED, 0,
	    "the state directory %s is owned by the skep with pid %d; wait for "
	    "it, or give --state DIR",
	    d->path, pid);
}

int
state_dir_own(struct state_dir *d, struct error *e)
{
	if (make_folders(d, e) == -1 ||
	    open_folder(d, ERROR_CANNOT_CREATE, e) == -1)
		return -1;
	if (take_lock(d, e) == -1) {
		state_dir_close(d);
		return -1;
	}
	return 0;
}

int
state_dir_open(struct state_dir *d, struct error *e)
{
	return open_folder(d, ERROR_NO_INPUT, e);
}

int
state_dir_owner(const struct state_dir *d)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = os->openat(d->fd, "lock", O_RDONLY | O_CLOEXEC, 0);
	int pid = 0;

	if (fd == -1)
		return 0;
	/* Asked, not tried: trying would keep an engine out for a moment. */
	if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) {
		pid = read_pid(fd);
		if (pid == 0)
			pid = 1; /* owned, by one that has not said who */
	}
	os->close(fd);
	return pid;
}

int
state_dir_file(
    const struct state_dir *d, const char *name, char *out, struct error *e)
{
	int n = snprintf(out, LIMIT_PATH, "%s/%s", d->path, name);

	return n < 0 || n >= LIMIT_PATH ? too_long(e) : 0;
}

int
state_dir_layers(const struct state_dir *d, char *out, struct error *e)
{
	char path[LIMIT_PATH];

	if (state_dir_file(d, "layers", path, e) == -1)
		return -1;
	if ((mkdirat(d->fd, "layers", 0700) == -1 && errno != EEXIST) ||
	    realpath(path, out) == NULL)
		return error_set(
		    e, ERROR_CANNOT_CREATE, errno, "make %s", path);
	return 0;
}

void
state_dir_close(struct state_dir *d)
{
	if (d->lock_fd != -1)
		os->close(d->lock_fd);
	if (d->fd != -1)
		os->close(d->fd);
	d->fd = d->lock_fd = -1;
}
