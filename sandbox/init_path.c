#include "sandbox/init_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

/*
 * Theory of operation
 *
 * What RESOLVE_BENEATH does, in user space: the sandbox's own filter forbids
 * openat2 (its mode argument cannot be filtered), and init lives under that
 * filter.  Each component is opened below the one before without following
 * links; a link's text takes the place of its name; ".." goes back to a folder
 * that is still open, never to wherever it has been moved.  An absolute link
 * is followed only if it names the workspace.  No path leads through /proc, so
 * magic links do not arise.
 *
 * A path that begins with '/' lies in a folder that the sandbox shows beside
 * the workspace (the longest that matches), and is walked from there by the
 * same rules; links with absolute targets are not followed in it.
 */

#define LINKS_MAX 40

static int
push(struct walk *w, const char *name)
{
	int fd;

	if (w->depth == WALK_DEPTH) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = openat(
	    walk_dir(w), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	w->fd[++w->depth] = fd;
	return 0;
}

static int
pop(struct walk *w)
{
	if (w->depth == 0) {
		errno = EXDEV;
		return -1;
	}
	close(w->fd[w->depth--]);
	return 0;
}

/*
 * name is a link: put its target before rest in w->text.  1: go on from there;
 * 0: it is no link; -1.
 */
static int
expand(struct walk *w, const char *name, const char *rest)
{
	static char target[PATH_MAX];
	ssize_t n = readlinkat(walk_dir(w), name, target, sizeof target - 1);
	size_t root = strlen(INIT_PATH_WORKSPACE), rest_n = strlen(rest);
	char *from = target;

	if (n == -1)
		return errno == EINVAL ? 0 : -1;
	target[n] = '\0';
	if (target[0] == '/') {
		if (w->in_shown ||
		    strncmp(target, INIT_PATH_WORKSPACE, root) != 0 ||
		    (target[root] != '/' && target[root] != '\0')) {
			errno = EXDEV;
			return -1;
		}
		while (w->depth > 0)
			pop(w);
		from += root;
	}
	n = (ssize_t)strlen(from);
	if ((size_t)n + 1 + rest_n + 1 > sizeof w->text) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memmove(w->text + n + 1, rest, rest_n + 1);
	memcpy(w->text, from, (size_t)n);
	w->text[n] = '/';
	return 1;
}

static int
enter_folder(struct walk *w, const char *name, const char *rest, unsigned flags)
{
	int linked;

	if (push(w, name) == 0)
		return 0;
	if (errno == ENOENT && (flags & FILE_PARENTS) != 0) {
		if (mkdirat(walk_dir(w), name, 0755) == -1 && errno != EEXIST)
			return -1;
		return push(w, name);
	}
	if (errno != ENOTDIR && errno != ELOOP)
		return -1;
	if ((flags & FILE_NOFOLLOW) != 0)
		return -1;
	linked = expand(w, name, rest);
	if (linked == 0)
		errno = ENOTDIR;
	return linked == 1 ? 1 : -1;
}

/* Cut the next component off *rest, NUL-terminated in place. */
static char *
next_component(char **rest)
{
	char *name = *rest + strspn(*rest, "/");

	*rest = name + strcspn(name, "/");
	if (**rest != '\0')
		*(*rest)++ = '\0';
	*rest += strspn(*rest, "/");
	return name;
}

/* --- folders that are shown beside the workspace --- */

static const struct box *shown;

void
walk_know(const struct box *box)
{
	shown = box;
}

/* Bytes of path that name the folder shown, the longest; 0: none. */
static size_t
match_shown(const char *path)
{
	size_t longest = 0;

	for (unsigned i = 0; shown != NULL && i < shown->attach_n; i++) {
		const char *dst = shown->text + shown->attach_dst[i];
		size_t n = strlen(dst);

		if (n > longest && strncmp(path, dst, n) == 0 &&
		    (path[n] == '/' || path[n] == '\0'))
			longest = n;
	}
	return longest;
}

/*
 * Begin in the shown folder that *path lies in; *path becomes the rest.  A
 * file that is shown is a name in its folder.
 */
static int
enter_shown(struct walk *w, const char **path)
{
	size_t n = match_shown(*path);
	int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	char name[256];

	if (n == 0 || n >= PATH_MAX || dir == -1) {
		if (dir != -1)
			close(dir);
		errno = EXDEV;
		return -1;
	}
	for (const char *p = *path, *end = *path + n; p < end; *path = p) {
		size_t length;

		p += strspn(p, "/");
		length = strcspn(p, "/");
		if (length == 0 || length >= sizeof name)
			break;
		memcpy(name, p, length);
		name[length] = '\0';
		next = openat(
		    dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next == -1)
			break; /* a file: the walk's last name */
		close(dir);
		dir = next;
		p += length;
	}
	w->fd[0] = dir;
	w->in_shown = 1;
	return 0;
}

int
walk_start(struct walk *w, const char *path, unsigned flags)
{
	int links = 0, step;
	char *rest = w->text, *name;

	w->depth = 0;
	w->in_shown = 0;
	w->fd[0] = INIT_WORKSPACE;
	if ((flags & FILE_OURS) != 0)
		w->fd[0] = INIT_OURS;
	w->name = ".";
	if (strlen(path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (path[0] == '/' && enter_shown(w, &path) == -1)
		return -1;
	memcpy(w->text, path, strlen(path) + 1);
	for (;;) {
		name = next_component(&rest);
		if (*name == '\0')
			return 0;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0)
			step = pop(w);
		else if (*rest != '\0')
			step = enter_folder(w, name, rest, flags);
		else if ((flags & FILE_NOFOLLOW) != 0)
			step = 0;
		else
			step = expand(w, name, rest);
		if (step == -1 && errno == ENOENT && *rest == '\0')
			step = 0; /* a new name: its folder is what counts */
		if (step == -1)
			return -1;
		if (step == 1) {
			if (++links > LINKS_MAX) {
				errno = ELOOP;
				return -1;
			}
			rest = w->text;
			w->name = ".";
			continue;
		}
		if (*rest == '\0' && strcmp(name, "..") != 0) {
			w->name = name;
			return 0;
		}
	}
}

void
walk_end(struct walk *w)
{
	while (w->depth > 0)
		close(w->fd[w->depth--]);
	if (w->in_shown)
		close(w->fd[0]);
	w->in_shown = 0;
}
