/*
 * An output that is a folder delivered as one file: what the archive writes
 * goes into the copy, which is finished as that of any file.
 */

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "sandbox/outputs_private.h"

static size_t
archived(struct span s, void *owner)
{
	struct outputs *o = owner;

	CHECK_OBJ(o, OUTPUTS_MAGIC);
	if (o->failed || outputs_add(o, s) == -1) {
		loop_defer(&o->next);
		return 0;
	}
	return s.n;
}

static void
archive_ended(const struct error *error, unsigned torn, void *owner)
{
	struct outputs *o = owner;

	CHECK_OBJ(o, OUTPUTS_MAGIC);
	(void)torn; /* what still writes when a run has ended may tear it */
	o->archive = NULL;
	o->at_end = 1;
	if (error != NULL && error->code == ERROR_NOT_FOUND)
		outputs_fail(o, ERROR_OUTPUT_MISSING, 0,
		    "the run did not make it, or no folder", o->now->source);
	else if (error != NULL)
		outputs_fail_inside(o, error);
	loop_defer(&o->next);
}

/* -1: failed. */
int
outputs_start_archive(struct outputs *o)
{
	static const struct archive_ops ops = {
	    .bytes = archived, .done = archive_ended};

	if (outputs_start_copy(o) == -1)
		return -1;
	o->mode = 0644;
	o->archive =
	    archive_start(o->loop, o->sb, o->now->source, &ops, o, &o->error);
	o->failed |= o->archive == NULL;
	return o->failed ? -1 : 0;
}

int
outputs_push_archive(struct outputs *o, const char *folder)
{
	const char *name = strcmp(folder, ".") == 0 ? "workspace" : folder;
	const char *path = arena_printf(o->arena, "%s.tar", name);

	if (path == NULL)
		return outputs_fail(
		    o, ERROR_TOO_BIG, 0, "too many files", "list");
	if (outputs_push(o, PLACE_ARCHIVE, NULL, span_of(path)) == -1)
		return -1;
	o->places->source = folder;
	return 0;
}
