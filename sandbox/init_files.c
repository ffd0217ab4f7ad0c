#include "sandbox/init_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

/*
 * Theory of operation
 *
 * Every verb resolves its path anew (init_path.c), does a bounded amount of
 * work and answers with one message.  Init holds no file open between two
 * messages and runs with the same rights as the commands beside it, so the
 * worst that a race can win is what a command could do anyway; what it cannot
 * win is a file outside the workspace, a device, or our time: nothing is
 * opened in a way that waits.
 */

#define HASH_SLICE (4 * 1024 * 1024)
#define REMOVE_SLICE 4096 /* entries */
#define OPEN_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static struct walk walk, walk_to;

static int64_t
nanoseconds(const struct statx_timestamp *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* Describe name in dir, or with "" what dir itself is open on. */
static int
describe(int dir, const char *name, struct init_file_reply *r)
{
	struct statx st;
	int flags = AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0);

	if (statx(dir, name, flags, STATX_BASIC_STATS | STATX_BTIME, &st) == -1)
		return -1;
	r->kind = S_ISREG(st.stx_mode)   ? FILE_REGULAR
		  : S_ISDIR(st.stx_mode) ? FILE_DIR
		  : S_ISLNK(st.stx_mode) ? FILE_SYMLINK
					 : FILE_OTHER;
	r->mode = st.stx_mode & 07777;
	r->size = st.stx_size;
	r->inode = st.stx_ino;
	r->mtime_ns = nanoseconds(&st.stx_mtime);
	r->changed_ns = nanoseconds(&st.stx_ctime);
	if ((st.stx_mask & STATX_BTIME) != 0)
		r->born_ns = nanoseconds(&st.stx_btime);
	return 0;
}

/* Open the walked name as a regular file; -1 with errno. */
static int
open_regular(int flags, uint32_t mode, struct init_file_reply *r)
{
	int fd = openat(
	    walk_dir(&walk), walk.name, flags | OPEN_FLAGS, (mode_t)mode);

	if (fd == -1)
		return -1;
	if (describe(fd, "", r) == 0) {
		if (r->kind == FILE_REGULAR)
			return fd;
		errno = r->kind == FILE_DIR ? EISDIR : EINVAL;
	}
	close(fd);
	return -1;
}

static int
write_all(int fd, const char *p, size_t n, uint64_t offset)
{
	while (n > 0) {
		ssize_t went = pwrite(fd, p, n, (off_t)offset);

		if (went == -1 && errno != EINTR)
			return -1;
		if (went > 0) {
			p += went;
			n -= (size_t)went;
			offset += (uint64_t)went;
		}
	}
	return 0;
}

static int
put(const struct init_file *m, const char *bytes, struct init_file_reply *r)
{
	unsigned flags = m->head.flags;
	int open_flags = O_WRONLY, fd, failed;

	if ((flags & FILE_CREATE) != 0)
		open_flags |= O_CREAT;
	if ((flags & FILE_EXCLUSIVE) != 0)
		open_flags |= O_EXCL;
	fd = open_regular(open_flags, m->mode & 0777, r);
	if (fd == -1)
		return -1;
	failed = ((flags & FILE_TRUNCATE) != 0 &&
		     ftruncate(fd, (off_t)m->offset) == -1) ||
		 write_all(fd, bytes, m->n, m->offset) == -1 ||
		 describe(fd, "", r) == -1;
	failed |= close(fd) == -1; /* where some file systems say EDQUOT */
	return failed ? -1 : 0;
}

static ssize_t
read_slice(int fd, char *p, size_t n, uint64_t offset)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got =
		    pread(fd, p + have, n - have, (off_t)(offset + have));

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static int
stat_name(struct init_file_reply *r)
{
	return describe(walk_dir(&walk), walk.name, r);
}

static int
get_link(char *out, struct init_file_reply *r)
{
	ssize_t n = readlinkat(walk_dir(&walk), walk.name, out, SANDBOX_SLICE);

	if (n == -1 || stat_name(r) == -1)
		return -1;
	r->n = (uint32_t)n;
	r->head.flags = FILE_AT_END;
	return 0;
}

static int
get(const struct init_file *m, char *out, struct init_file_reply *r)
{
	int fd = open_regular(O_RDONLY, 0, r);
	size_t n = m->n < SANDBOX_SLICE ? m->n : SANDBOX_SLICE;
	ssize_t got;

	if (fd == -1)
		return -1;
	got = read_slice(fd, out, n, m->offset);
	close(fd);
	if (got == -1)
		return -1;
	r->n = (uint32_t)got;
	if ((size_t)got < n || m->offset + (uint64_t)got >= r->size)
		r->head.flags = FILE_AT_END;
	return 0;
}

static int
hash(const struct init_file *m, char *scratch, struct init_file_reply *r)
{
	int fd = open_regular(O_RDONLY, 0, r);
	size_t done = 0;
	ssize_t got = 1;

	if (fd == -1)
		return -1;
	r->hash = m->hash;
	while (done < HASH_SLICE && got > 0) {
		got = read_slice(fd, scratch, SANDBOX_SLICE, m->offset + done);
		if (got > 0) {
			hash_add(&r->hash, (struct span){scratch, (size_t)got});
			done += (size_t)got;
		}
	}
	close(fd);
	if (got == -1)
		return -1;
	r->next = m->offset + done;
	if (got == 0 || r->next >= r->size)
		r->head.flags = FILE_AT_END;
	return 0;
}

static int
make_folder(const struct init_file *m, struct init_file_reply *r)
{
	if (mkdirat(walk_dir(&walk), walk.name, m->mode & 0777) == -1 &&
	    (errno != EEXIST || (m->head.flags & FILE_EXCLUSIVE) != 0))
		return -1;
	if (stat_name(r) == -1)
		return -1;
	if (r->kind != FILE_DIR) {
		errno = EEXIST;
		return -1;
	}
	return 0;
}

/* The mode stays, but for bits that nothing here has. */
static int
give_to_group(const struct init_file *m, struct init_file_reply *r)
{
	if (fchownat(walk_dir(&walk), walk.name, (uid_t)-1, m->gid,
		AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	return stat_name(r);
}

/* Never through a link, and only what can be read now. */
static int
change_mode(const struct init_file *m, struct init_file_reply *r)
{
	int fd = openat(walk_dir(&walk), walk.name, O_RDONLY | OPEN_FLAGS);
	int failed, saved;

	if (fd == -1)
		return -1;
	failed = fchmod(fd, m->mode & 0777) == -1 || describe(fd, "", r) == -1;
	saved = errno;
	close(fd);
	errno = saved;
	return failed ? -1 : 0;
}

/* ------------------------------------------------------------------- list */

static size_t
add_entry(int dir, const char *name, char *out)
{
	struct init_entry entry = {0};
	struct init_file_reply r = {0};
	size_t n = strlen(name);

	if (n > 255 || describe(dir, name, &r) == -1)
		return 0; /* gone meanwhile */
	entry.size = r.size;
	entry.inode = r.inode;
	entry.mtime_ns = r.mtime_ns;
	entry.changed_ns = r.changed_ns;
	entry.born_ns = r.born_ns;
	entry.mode = r.mode;
	entry.kind = (uint8_t)r.kind;
	entry.name_bytes = (uint8_t)n;
	memcpy(out, &entry, sizeof entry);
	memcpy(out + sizeof entry, name, n);
	return sizeof entry + n;
}

static int
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static long
read_entries(struct init *in, int dir)
{
	return syscall(SYS_getdents64, dir, in->entries, sizeof in->entries);
}

/* As many entries as one message holds; most folders need one in all. */
static int
list(struct init *in, const struct init_file *m, char *out,
    struct init_file_reply *r)
{
	int dir = openat(
	    walk_dir(&walk), walk.name, O_RDONLY | O_DIRECTORY | OPEN_FLAGS);
	size_t used = 0;
	long got = -1, at = 0;

	if (dir == -1)
		return -1;
	r->next = m->offset;
	if (m->offset == 0 || lseek(dir, (off_t)m->offset, SEEK_SET) != -1)
		got = read_entries(in, dir);
	while (got > 0 &&
	       used + sizeof(struct init_entry) + 256 <= SANDBOX_SLICE) {
		const struct dirent64 *d = (const void *)(in->entries + at);

		at += d->d_reclen;
		r->next = (uint64_t)d->d_off;
		if (!is_dots(d->d_name))
			used += add_entry(dir, d->d_name, out + used);
		if (at == got) {
			got = read_entries(in, dir);
			at = 0;
		}
	}
	close(dir);
	if (got == -1 && used == 0)
		return -1;
	r->n = (uint32_t)used;
	if (got == 0)
		r->head.flags = FILE_AT_END;
	return 0;
}

/* ----------------------------------------------------------------- remove */

/* The first entry of a folder, its name into out; 0 when it is empty. */
static int
first_entry(struct init *in, int dir, char *out, size_t size)
{
	long got;

	if (lseek(dir, 0, SEEK_SET) == -1)
		return -1;
	while ((got = syscall(SYS_getdents64, dir, in->entries,
		    sizeof in->entries)) > 0) {
		for (long at = 0; at < got;) {
			struct dirent64 *d = (void *)(in->entries + at);

			at += d->d_reclen;
			if (is_dots(d->d_name) || strlen(d->d_name) >= size)
				continue;
			memcpy(out, d->d_name, strlen(d->d_name) + 1);
			return 1;
		}
	}
	return got == -1 ? -1 : 0;
}

static int
open_folder(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | OPEN_FLAGS);
}

/*
 * Empty the folder top, deepest first, with a stack of open folders and of
 * nothing else: what a name meant a moment ago is never trusted.  EAGAIN: the
 * slice is used up, call again.
 */
static int
empty_folder(struct init *in, int top)
{
	int fd[WALK_DEPTH], depth = 0, found, failed = 0;
	char name[WALK_DEPTH][256];

	fd[0] = top;
	for (int n = 0; n < REMOVE_SLICE && !failed; n++) {
		found = first_entry(in, fd[depth], name[depth], 256);
		if (found == 0 && depth == 0)
			return 0;
		if (found == 0) {
			close(fd[depth--]);
			failed = unlinkat(fd[depth], name[depth],
				     AT_REMOVEDIR) == -1 &&
				 errno != ENOTEMPTY && errno != ENOENT;
			continue;
		}
		failed = found == -1;
		if (failed || unlinkat(fd[depth], name[depth], 0) == 0)
			continue;
		if (errno == ENOENT)
			continue;
		failed = errno != EISDIR || depth + 1 == WALK_DEPTH;
		if (!failed) {
			fd[depth + 1] = open_folder(fd[depth], name[depth]);
			failed = fd[depth + 1] == -1;
			depth += !failed;
		}
	}
	if (!failed)
		errno = EAGAIN;
	for (int saved = errno; depth > 0; errno = saved)
		close(fd[depth--]);
	return -1;
}

static int
remove_name(
    struct init *in, const struct init_file *m, struct init_file_reply *r)
{
	int top, failed;

	if (strcmp(walk.name, ".") == 0) {
		errno = EBUSY;
		return -1;
	}
	if (unlinkat(walk_dir(&walk), walk.name, 0) == 0)
		return 0;
	if (errno != EISDIR)
		return -1;
	if ((m->head.flags & FILE_RECURSIVE) != 0) {
		top = open_folder(walk_dir(&walk), walk.name);
		if (top == -1)
			return -1;
		failed = empty_folder(in, top) == -1;
		close(top);
		if (failed && errno == EAGAIN) {
			r->next = 1;
			return 0;
		}
		if (failed)
			return -1;
	}
	return unlinkat(walk_dir(&walk), walk.name, AT_REMOVEDIR);
}

static int
rename_name(const char *to)
{
	int result = -1;

	if (walk_start(&walk_to, to, FILE_NOFOLLOW) == 0)
		result = renameat(walk_dir(&walk), walk.name,
		    walk_dir(&walk_to), walk_to.name);
	walk_end(&walk_to);
	return result;
}

/* ------------------------------------------------------------------ verbs */

static int
carry_out(struct init *in, const struct init_file *m, const char *path,
    const char *rest, struct init_file_reply *r)
{
	char *out = in->reply + sizeof *r;
	unsigned walk_flags = m->head.flags;

	/* A link itself is removed or renamed, never what it points at. */
	if (m->head.verb == INIT_REMOVE || m->head.verb == INIT_RENAME ||
	    (m->head.flags & FILE_LINK) != 0)
		walk_flags |= FILE_NOFOLLOW;
	if (walk_start(&walk, path, walk_flags) == -1)
		return -1;
	switch (m->head.verb) {
	case INIT_PUT:
		return put(m, rest, r);
	case INIT_GET:
		return (m->head.flags & FILE_LINK) != 0 ? get_link(out, r)
							: get(m, out, r);
	case INIT_LIST:
		return list(in, m, out, r);
	case INIT_STAT:
		return stat_name(r);
	case INIT_MKDIR:
		return make_folder(m, r);
	case INIT_REMOVE:
		return remove_name(in, m, r);
	case INIT_RENAME:
		return rename_name(rest);
	case INIT_CHGRP:
		return give_to_group(m, r);
	case INIT_CHMOD:
		return change_mode(m, r);
	case INIT_HASH:
		return hash(m, out, r);
	default:
		errno = ENOSYS;
		return -1;
	}
}

void
init_serve_file(struct init *in, const struct init_file *m, size_t n)
{
	struct init_file_reply *r = (void *)in->reply;
	const char *path = in->message + sizeof *m;
	const char *end = in->message + n, *nul = NULL;
	int failed = 1;

	if (n > sizeof *m)
		nul = memchr(path, '\0', (size_t)(end - path));
	*r = (struct init_file_reply){
	    .head = {.bytes = sizeof *r, .verb = INIT_FILE, .id = m->head.id},
	    .os_errno = EINVAL};
	if (nul != NULL && m->head.bytes == sizeof *m &&
	    (m->head.verb != INIT_PUT || end - (nul + 1) == m->n)) {
		failed = init_act_as(in, &m->as) == -1 ||
			 carry_out(in, m, path, nul + 1, r) == -1;
		r->os_errno = failed ? errno : 0;
		walk_end(&walk);
		init_act_as_self(in);
	}
	if (failed)
		r->n = 0;
	init_send(r, sizeof *r + r->n, NULL, 0, NULL, 0);
}
