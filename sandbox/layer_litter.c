#include "sandbox/layer_litter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"

#define LITTER_MAGIC 0x5a4d8036
#define DEPTH_MAX 256
#define A_TURN 64 /* names */
#define PREFIX "gone-"

struct level {
	int fd;
	long at, n; /* in entries */
	char name[256];
	_Alignas(struct dirent64) char entries[2048];
};

struct layer_litter {
	unsigned magic;
	int dir;
	unsigned number;
	int is_stuck; /* something cannot be removed: the next engine tries */
	struct loop_deferred next;
	int depth; /* -1: nothing to do */
	struct level *level[DEPTH_MAX + 1];
};

int
layer_litter_is(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

/* The next name of a folder but the dots; NULL: that was all. */
static const char *
next_name(struct level *l)
{
	const struct dirent64 *d;

	for (;;) {
		if (l->at == l->n) {
			l->at = 0;
			l->n = syscall(SYS_getdents64, l->fd, l->entries,
			    sizeof l->entries);
			if (l->n <= 0) {
				l->n = 0;
				return NULL;
			}
		}
		d = (const void *)(l->entries + l->at);
		l->at += d->d_reclen;
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			return d->d_name;
	}
}

static int
open_folder(int dir, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);

	/* A folder of a manifest may be shut to its owner. */
	if (fd == -1 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = openat(dir, name, flags);
	if (fd != -1)
		(void)fchmod(fd, 0700);
	return fd;
}

static int
enter(struct layer_litter *t, int dir, const char *name)
{
	struct level *l =
	    t->depth < DEPTH_MAX ? pool_take(sizeof *l, NULL) : NULL;

	if (l == NULL)
		return -1;
	l->fd = open_folder(dir, name);
	l->at = l->n = 0;
	snprintf(l->name, sizeof l->name, "%s", name);
	if (l->fd == -1) {
		pool_give(l);
		return -1;
	}
	t->level[++t->depth] = l;
	return 0;
}

static int
parent(const struct layer_litter *t)
{
	return t->depth > 0 ? t->level[t->depth - 1]->fd : t->dir;
}

/* The innermost folder is empty, or will not become so. */
static void
leave(struct layer_litter *t)
{
	struct level *l = t->level[t->depth];

	if (unlinkat(parent(t), l->name, AT_REMOVEDIR) == -1)
		t->is_stuck = 1;
	t->depth--;
	close(l->fd);
	pool_give(l);
}

static void
step(struct layer_litter *t)
{
	struct level *l = t->level[t->depth];
	const char *name = next_name(l);

	if (name == NULL)
		leave(t);
	else if (unlinkat(l->fd, name, 0) == -1 && errno == EISDIR &&
		 unlinkat(l->fd, name, AT_REMOVEDIR) == -1)
		(void)enter(t, l->fd, name);
}

/* Begin with one that was renamed; 0 when there is none. */
static int
find(struct layer_litter *t)
{
	struct level all = {.at = 0};
	const char *name;
	int found = 0;

	if (t->is_stuck)
		return 0;
	all.fd = openat(t->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (all.fd != -1 && !found && (name = next_name(&all)) != NULL)
		found = layer_litter_is(name) &&
			unlinkat(t->dir, name, 0) == -1 &&
			enter(t, t->dir, name) == 0;
	if (all.fd != -1)
		close(all.fd);
	return found;
}

static void
run(struct loop_deferred *d)
{
	struct layer_litter *t = container_of(d, struct layer_litter, next);

	CHECK_OBJ(t, LITTER_MAGIC);
	for (int i = 0; i < A_TURN && t->depth >= 0; i++)
		step(t);
	if (t->depth >= 0 || find(t))
		loop_defer(&t->next);
}

struct layer_litter *
layer_litter_new(struct loop *loop, int dir, struct error *e)
{
	struct layer_litter *t = pool_take(sizeof *t, NULL);

	if (t == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to remove layers");
		return NULL;
	}
	*t = (struct layer_litter){
	    .magic = LITTER_MAGIC, .dir = dir, .depth = -1};
	loop_deferred_init(&t->next, loop, run);
	loop_defer(&t->next);
	return t;
}

void
layer_litter_free(struct layer_litter *t)
{
	if (t == NULL)
		return;
	CHECK_OBJ(t, LITTER_MAGIC);
	loop_undefer(&t->next);
	for (; t->depth >= 0; t->depth--) {
		close(t->level[t->depth]->fd);
		pool_give(t->level[t->depth]);
	}
	t->magic = 0;
	pool_give(t);
}

void
layer_litter_add(struct layer_litter *t, const char *name)
{
	char gone[64];

	CHECK_OBJ(t, LITTER_MAGIC);
	do
		snprintf(gone, sizeof gone, PREFIX "%ld-%u", (long)getpid(),
		    ++t->number);
	while (renameat(t->dir, name, t->dir, gone) == -1 &&
	       (errno == ENOTEMPTY || errno == EEXIST));
	loop_defer(&t->next);
}
