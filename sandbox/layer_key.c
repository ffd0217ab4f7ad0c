#include "sandbox/layer_key.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"

#define LAYER_KEY_MAGIC 0x5a4d8034
#define DEPTH_MAX 64
#define A_TURN 512 /* files and folders looked at */

/* What is said of each thing; no padding, so that it can be hashed. */
struct trait {
	uint64_t dev, ino, size, mode, uid;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

struct level {
	int fd;
	long at, n; /* in entries */
	_Alignas(struct dirent64) char entries[2048];
};

struct layer_key {
	unsigned magic;
	const struct manifest *m;
	layer_key_done_fn *done;
	void *owner;
	struct loop_deferred next;
	struct arena arena;
	struct hash hash;
	unsigned entry;
	int depth; /* of the folder being looked at; 0: none */
	struct level *level[DEPTH_MAX + 1];
};

static void
leave(struct layer_key *k)
{
	struct level *l = k->level[k->depth--];

	os->close(l->fd);
	pool_give(l);
}

static void
end(struct layer_key *k)
{
	while (k->depth > 0)
		leave(k);
	loop_undefer(&k->next);
	arena_release(&k->arena);
	k->magic = 0;
	pool_give(k);
}

static void
add(struct layer_key *k, const void *p, size_t n)
{
	hash_add(&k->hash, (struct span){p, n});
}

static void
add_number(struct layer_key *k, uint64_t v)
{
	add(k, &v, sizeof v);
}

/* With its NUL, so that two texts are never one. */
static void
add_text(struct layer_key *k, const char *s)
{
	add_number(k, s != NULL);
	if (s != NULL)
		add(k, s, strlen(s) + 1);
}

static void
add_stat(struct layer_key *k, const struct stat *st)
{
	const struct trait t = {.dev = st->st_dev,
	    .ino = st->st_ino,
	    .size = S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
	    .mode = st->st_mode,
	    .uid = st->st_uid,
	    .mtime_s = st->st_mtim.tv_sec,
	    .mtime_ns = st->st_mtim.tv_nsec,
	    .ctime_s = st->st_ctim.tv_sec,
	    .ctime_ns = st->st_ctim.tv_nsec};

	add(k, &t, sizeof t);
}

static int
enter(struct layer_key *k, int fd)
{
	struct level *l =
	    k->depth < DEPTH_MAX ? pool_take(sizeof *l, NULL) : NULL;

	if (l == NULL) {
		os->close(fd);
		return -1;
	}
	l->fd = fd;
	l->at = l->n = 0;
	k->level[++k->depth] = l;
	return 0;
}

static int
open_source(struct layer_key *k, const struct manifest_entry *entry)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	arena_mark mark = arena_save(&k->arena);
	const char *folder, *below;
	int dir = -1, fd = -1;
	struct error ignored;

	if (manifest_source(
		&k->arena, k->m, entry, &folder, &below, &ignored) == 0)
		dir = os->open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir != -1) {
		fd = (int)syscall(SYS_openat2, dir, below, &how, sizeof how);
		os->close(dir);
	}
	arena_reset(&k->arena, mark);
	return fd;
}

static int
add_source(struct layer_key *k, const struct manifest_entry *entry)
{
	struct stat st;
	int fd = open_source(k, entry);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1) {
		os->close(fd);
		return -1;
	}
	add_stat(k, &st);
	if (entry->type == ENTRY_LOCAL_DIR && S_ISDIR(st.st_mode))
		return enter(k, fd);
	os->close(fd);
	return 0;
}

/* Can a layer hold what this makes, the same every time? */
static int
has_place(const struct manifest_entry *entry)
{
	switch (entry->type) {
	case ENTRY_DIR:
	case ENTRY_FILE:
	case ENTRY_LOCAL_FILE:
	case ENTRY_LOCAL_DIR:
	case ENTRY_ARCHIVE:
		return entry->group == NULL;
	default:
		return 0;
	}
}

static int
add_entry(struct layer_key *k, const struct manifest_entry *entry)
{
	const struct manifest_archive *a = &entry->archive;

	if (!has_place(entry))
		return -1;
	add_number(k, entry->type);
	add_text(k, entry->path);
	add_number(k, entry->mode);
	add_number(k, entry->content.n);
	add(k, entry->content.p, entry->content.n);
	add_text(k, entry->src);
	add_text(k, entry->folder);
	if (entry->type == ENTRY_ARCHIVE) {
		add_number(k, a->format);
		add_number(k, a->limits.input_bytes);
		add_number(k, a->limits.extracted_bytes);
		add_number(k, a->limits.members);
	}
	return entry->src == NULL ? 0 : add_source(k, entry);
}

static int
add_name(struct layer_key *k, int dir, const char *name)
{
	struct stat st;
	int fd;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	add_text(k, name);
	add_stat(k, &st);
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = os->openat(
	    dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	return fd == -1 ? -1 : enter(k, fd);
}

/* The next name of the innermost folder, or one folder up. */
static int
step(struct layer_key *k)
{
	struct level *l = k->level[k->depth];
	const struct dirent64 *d;

	if (l->at == l->n) {
		l->at = 0;
		l->n = syscall(
		    SYS_getdents64, l->fd, l->entries, sizeof l->entries);
		if (l->n == -1)
			return -1;
		if (l->n == 0) {
			add_number(k, 0); /* no name is so short */
			leave(k);
			return 0;
		}
	}
	d = (const void *)(l->entries + l->at);
	l->at += d->d_reclen;
	return add_name(k, l->fd, d->d_name);
}

static void
finish(struct layer_key *k, int has_key)
{
	layer_key_done_fn *done = k->done;
	void *owner = k->owner;
	struct digest digest;

	hash_end(&k->hash, &digest);
	end(k);
	done(has_key ? &digest : NULL, owner);
}

static void
run(struct loop_deferred *d)
{
	struct layer_key *k = container_of(d, struct layer_key, next);
	int failed = 0;

	CHECK_OBJ(k, LAYER_KEY_MAGIC);
	for (int i = 0; i < A_TURN && !failed; i++) {
		if (k->depth > 0)
			failed = step(k) == -1;
		else if (k->entry == k->m->entries_n) {
			finish(k, 1);
			return;
		} else
			failed = add_entry(k, &k->m->entries[k->entry++]) == -1;
	}
	if (failed)
		finish(k, 0);
	else
		loop_defer(&k->next);
}

struct layer_key *
layer_key_start(struct loop *loop, const struct manifest *m,
    layer_key_done_fn *done, void *owner, struct error *e)
{
	struct layer_key *k = pool_take(sizeof *k, NULL);

	if (k == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to look at sources");
		return NULL;
	}
	*k = (struct layer_key){
	    .magic = LAYER_KEY_MAGIC, .m = m, .done = done, .owner = owner};
	arena_init(&k->arena, 64 * 1024);
	hash_init(&k->hash);
	add_text(k, "skep layer 1");
	loop_deferred_init(&k->next, loop, run);
	loop_defer(&k->next);
	return k;
}

void
layer_key_cancel(struct layer_key *k)
{
	if (k == NULL)
		return;
	CHECK_OBJ(k, LAYER_KEY_MAGIC);
	end(k);
}
