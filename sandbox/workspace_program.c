#include "sandbox/workspace_private.h"

#include "engine/base/check.h"
#include "sandbox/backend.h"

/*
 * What a manifest wants done that the file verbs cannot do, a program in the
 * sandbox does: with its rights, limits and deadline, and before any command
 * of the agent's exists.
 */

#define KEPT (16 * 1024)

static void
ended(struct exec *x, const struct exec_report *report, void *owner)
{
	struct workspace *w = owner;

	CHECK_OBJ(w, WORKSPACE_MAGIC);
	CHECK(w->program == x);
	w->program_done(w, report);
	/* Another one may have been started in its place. */
	if (w->program == x)
		w->program = NULL;
	exec_free(x);
	loop_defer(&w->next);
}

static size_t
output(struct exec *x, int stream, struct span s, void *owner)
{
	struct workspace *w = owner;

	return w->program_output(x, stream, s, owner);
}

static void
writable(struct exec *x, void *owner)
{
	struct workspace *w = owner;

	w->program_writable(x, owner);
}

static const struct exec_ops kept_ops = {.done = ended};
static const struct exec_ops talking_ops = {
    .output = output, .writable = writable, .done = ended};

static int
start(struct workspace *w, struct exec_spec *spec, const struct exec_ops *ops,
    void (*done)(struct workspace *w, const struct exec_report *report))
{
	const struct users *users = &w->sb->users;

	spec->user = users->is_single ? NULL : users->user[0].name;
	if (spec->kept_max == 0)
		spec->kept_max = KEPT;
	w->program = exec_start(w->sb, spec, ops, w, &w->error);
	w->program_done = done;
	return w->program != NULL ? 0 : workspace_fail_as_told(w);
}

int
workspace_run(struct workspace *w, struct exec_spec *spec,
    void (*done)(struct workspace *w, const struct exec_report *report))
{
	return start(w, spec, &kept_ops, done);
}

int
workspace_run_talking(struct workspace *w, struct exec_spec *spec,
    void (*done)(struct workspace *w, const struct exec_report *report),
    size_t (*said)(struct exec *x, int stream, struct span s, void *owner),
    void (*room)(struct exec *x, void *owner))
{
	w->program_output = said;
	w->program_writable = room;
	return start(w, spec, &talking_ops, done);
}

struct span
workspace_output(const struct workspace *w, int stream)
{
	struct exec_kept kept;

	exec_kept(w->program, stream, &kept);
	return kept.head;
}

int
workspace_check_end(
    struct workspace *w, const struct exec_report *report, const char *what)
{
	const char *path = w->m->entries[w->entry].path;

	if (report->verdict == VERDICT_EXIT && report->exec_errno == 0)
		return 0;
	if (report->exec_errno != 0)
		return workspace_fail(w, report->exec_errno, what, path);
	if (w->failed)
		return -1;
	w->failed = 1;
	return error_set(&w->error, ERROR_MANIFEST, 0,
	    "manifest entry %s: %s %s: it ended with %s", path, what, path,
	    verdict_name(report->verdict));
}
