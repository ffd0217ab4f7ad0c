#include "sandbox/reading.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "sandbox/sandbox.h"

#define READING_MAGIC 0x5a4d8040

struct reading {
	unsigned magic;
	struct sandbox *sb;
	struct file_op *op;
	unsigned flags;
	struct text bytes;
	reading_done_fn *done;
	void *owner;
	char path[LIMIT_PATH];
};

static void
end(struct reading *r)
{
	if (r->op != NULL)
		file_op_cancel(r->op);
	text_release(&r->bytes);
	r->magic = 0;
	pool_give(r);
}

static void
tell(struct reading *r, const struct error *error, uint64_t size)
{
	r->done(error, text_span(&r->bytes), size, r->owner);
	end(r);
}

static int ask(struct reading *r, struct error *e);

static void
came(struct file_op *op, const struct file_result *f, void *owner)
{
	struct reading *r = owner;
	struct error e;

	(void)op;
	CHECK_OBJ(r, READING_MAGIC);
	r->op = NULL;
	if (f->error != NULL) {
		tell(r, f->error, 0);
		return;
	}
	text_add(&r->bytes,
	    span_slice(f->bytes, 0, r->bytes.bytes_max - r->bytes.n));
	if (text_overflowed(&r->bytes)) {
		error_set(&e, ERROR_FULL, 0, "no memory to read %s", r->path);
		tell(r, &e, 0);
	} else if (f->at_end || r->bytes.n == r->bytes.bytes_max) {
		tell(r, NULL,
		    f->at_end                   ? r->bytes.n
		    : f->stat.size > r->bytes.n ? f->stat.size
						: r->bytes.n + 1);
	} else if (ask(r, &e) == -1) {
		tell(r, &e, 0);
	}
}

static int
ask(struct reading *r, struct error *e)
{
	size_t n = r->bytes.bytes_max - r->bytes.n;

	r->op = sandbox_get(r->sb, r->path, r->bytes.n,
	    n < SANDBOX_SLICE ? n : SANDBOX_SLICE, r->flags, came, r, e);
	return r->op == NULL ? -1 : 0;
}

struct reading *
reading_start(struct sandbox *sb, const char *path, size_t bytes_max,
    unsigned flags, reading_done_fn *done, void *owner, struct error *e)
{
	struct reading *r = pool_take(sizeof *r, NULL);

	CHECK(bytes_max > 0);
	if (r == NULL || strlen(path) >= sizeof r->path) {
		pool_give(r);
		error_set(e, ERROR_FULL, 0, "no memory to read %.200s", path);
		return NULL;
	}
	memset(r, 0, sizeof *r);
	r->magic = READING_MAGIC;
	r->sb = sb;
	r->flags = flags;
	r->done = done;
	r->owner = owner;
	memcpy(r->path, path, strlen(path) + 1);
	text_init(&r->bytes, bytes_max);
	if (ask(r, e) == -1) {
		end(r);
		return NULL;
	}
	return r;
}

void
reading_cancel(struct reading *r)
{
	if (r == NULL)
		return;
	CHECK_OBJ(r, READING_MAGIC);
	end(r);
}
