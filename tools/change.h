#ifndef SKEP_TOOLS_CHANGE_H
#define SKEP_TOOLS_CHANGE_H

/*
 * A change to several files of a workspace, all or nothing.
 *
 * Theory of operation
 *
 * Files are read into memory, edited there by the owner, and stored: first
 * every new content goes to a file of its own beside its target; when all of
 * them are on disk they are renamed over their targets, and what is to go is
 * removed.  A full disk or a protected path is met while nothing has changed
 * yet; then the files beside are removed again.  A file that is reached
 * through a symbolic link is written in place, since a rename would replace
 * the link.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/span.h"
#include "engine/base/text.h"

struct arena;
struct file_op;
struct sandbox;

#define CHANGE_FILE_BYTES_MAX ((size_t)16 << 20)

enum change_kind {
	CHANGE_UNREAD,
	CHANGE_ABSENT,
	CHANGE_FILE,
	CHANGE_OTHER /* a folder, a device */
};

struct change_file {
	const char *path; /* relative to the workspace, normal */
	enum change_kind kind;
	int wanted; /* its content, too */
	int is_edited;
	uint32_t mode;
	struct text text;
	unsigned looks;     /* at it, so far */
	int is_linked;      /* there is a symbolic link in its path */
	const char *beside; /* written, not renamed yet */
	int existed;
};

struct change {
	struct sandbox *sandbox;
	struct arena *arena; /* keeps */
	struct change_file *file;
	unsigned files, files_max;

	/* Reading or storing ended; error NULL when it went well. */
	void (*done)(struct change *c, const struct error *error);
	void *owner;

	struct loop_deferred step; /* the next thing to do */
	int (*next)(struct change *c);
	unsigned at;     /* file being worked on */
	uint64_t offset; /* in it */
	struct file_op *op;
	struct error error;
	int failed;
};

/* Everything it needs but the texts is in arena.  -1 and *e when it is full. */
int change_init(struct change *c, struct loop *loop, struct sandbox *sandbox,
    unsigned files_max, struct arena *arena,
    void (*done)(struct change *, const struct error *), void *owner,
    struct error *e);

/* Give up what is under way; files beside may stay behind. */
void change_release(struct change *c);

/*
 * The file of this path, which is copied, added if it is not there yet; NULL
 * and *e when there are too many.
 */
struct change_file *change_find(
    struct change *c, struct span path, struct error *e);

/* Look at every file that was not read yet; done() comes later. */
void change_read(struct change *c);

/* Make the files on disk as they are here; done() comes later. */
void change_store(struct change *c);

/* What a file is from now on: text, or absent.  text is taken. */
void change_write(struct change_file *f, struct text *text);
void change_remove(struct change_file *f);

#endif
