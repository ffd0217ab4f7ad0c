#include "sandbox/workspace_private.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/text.h"
#include "sandbox/git_remote.h"

/*
 * A checkout: git_fetch.txt runs in the sandbox, its standard input and output
 * are one end of a talk (git_remote.h), and between the two only bytes are
 * handed on, as fast as both sides take them.
 */

#define SAID_MAX (64 * KIB)

extern const char sandbox_git_fetch_txt[];

struct workspace_git {
	struct git_talk *talk;
	struct text said; /* standard error */
	int as_name;      /* it was no commit: the second time */
};

static int run_git(struct workspace *w, const struct manifest_entry *entry);

void
workspace_git_end(struct workspace *w)
{
	if (w->git == NULL)
		return;
	git_talk_free(w->git->talk);
	text_release(&w->git->said);
	w->git = NULL;
}

/* --- from the server to git --- */

static size_t
server_said(struct span s, void *owner)
{
	struct workspace *w = owner;
	ptrdiff_t n = exec_write(w->program, s);

	/* When git has closed its end, its own words say why. */
	return n == -1 ? s.n : (size_t)n;
}

static void
server_ready(void *owner)
{
	struct workspace *w = owner;

	exec_resume(w->program, 1);
}

static void
git_hung_up(void *owner)
{
	struct workspace *w = owner;

	exec_close_stdin(w->program);
}

static void
server_failed(const struct error *error, void *owner)
{
	struct workspace *w = owner;

	if (w->failed)
		return;
	w->failed = 1;
	w->error = *error;
	error_wrap(
	    &w->error, "manifest entry %s", w->m->entries[w->entry].path);
	loop_defer(&w->next); /* which ends git as well */
}

static const struct git_talk_ops talk_ops = {
    .bytes = server_said,
    .ready = server_ready,
    .hung_up = git_hung_up,
    .failed = server_failed,
};

/* --- from git to the server --- */

static size_t
git_said(struct exec *x, int stream, struct span s, void *owner)
{
	struct workspace *w = owner;
	ptrdiff_t n;

	(void)x;
	CHECK_OBJ(w, WORKSPACE_MAGIC);
	if (stream == 2) {
		/* Of very long complaints the end counts. */
		if (w->git->said.n + s.n > SAID_MAX)
			text_drop(&w->git->said, w->git->said.n / 2);
		text_add(&w->git->said, s);
		w->git->said.overflowed = 0;
		return s.n;
	}
	if (w->failed)
		return s.n;
	n = git_talk_say(w->git->talk, s, &w->error);
	if (n != -1)
		return (size_t)n;
	w->failed = 1;
	loop_defer(&w->next);
	return s.n;
}

static void
git_writable(struct exec *x, void *owner)
{
	struct workspace *w = owner;

	(void)x;
	if (!w->failed)
		git_talk_resume(w->git->talk);
}

/* --- how it ended --- */

static struct span
last_line(struct span s)
{
	s = span_trim(s);
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '\n')
			return span_slice(s, i, s.n);
	return s;
}

/* The known code, and what git said before it. */
static void
refused(struct workspace *w)
{
	struct span said = span_trim(text_span(&w->git->said));
	struct span why = last_line(said);
	struct span before = span_trim(span_slice(said, 0, said.n - why.n));

	before = last_line(before);
	w->failed = 1;
	error_set(&w->error, ERROR_MANIFEST, 0, "manifest entry %s: %.*s%s%.*s",
	    w->m->entries[w->entry].path, (int)(why.n < 200 ? why.n : 200),
	    why.p, before.n > 0 ? "; git says: " : "",
	    (int)(before.n < 150 ? before.n : 150), before.p);
}

static void
ended(struct workspace *w, const struct exec_report *report)
{
	const struct manifest_entry *entry = &w->m->entries[w->entry];
	struct span line = last_line(text_span(&w->git->said));
	struct span word = span_cut(&line, ' ');

	if (w->failed)
		return;
	if (report->exit == 1 && w->git->said.n > 0) {
		refused(w);
		return;
	}
	if (report->exit == 3 && !w->git->as_name) {
		w->git->as_name = 1;
		(void)run_git(w, entry);
		return;
	}
	if (workspace_check_end(w, report, "git_clone_error: fetch") == -1)
		return;
	if (report->exit != 0 || !span_is(word, "commit") || line.n < 40) {
		workspace_fail(w, 0, "git_clone_error: fetch", entry->git.repo);
		return;
	}
	workspace_found_commit(w, line);
	workspace_git_end(w);
	/* Later than all that was copied: see sandbox_filled_ns(). */
	w->group_due = w->mode_due = 1;
	w->mode = entry->mode | 0600;
}

/* --- its beginning --- */

static int
run_git(struct workspace *w, const struct manifest_entry *entry)
{
	const struct manifest_git *git = &entry->git;
	int is_commit = !w->git->as_name && git->ref != NULL &&
			manifest_git_is_commit(git->ref);
	arena_mark mark = arena_save(&w->arena);
	const char *argv[] = {"sh", "-c", sandbox_git_fetch_txt, "git_repo",
	    arena_printf(&w->arena, MANIFEST_ROOT "/%s", entry->path),
	    arena_printf(&w->arena, "%s/%s", git->host, git->repo),
	    git->ref != NULL ? git->ref : "",
	    git->subpath != NULL ? git->subpath : "",
	    is_commit ? "commit" : "name", NULL};
	struct exec_spec spec = {
	    .argv = argv, .stdio = {EXEC_PIPE, EXEC_PIPE, EXEC_PIPE}};
	int status = -1;

	git_talk_free(w->git->talk);
	text_clear(&w->git->said);
	w->git->talk =
	    git_talk_start(w->remotes, entry, &talk_ops, w, &w->error);
	if (w->git->talk == NULL || arena_overflowed(&w->arena))
		workspace_fail_as_told(w);
	else
		status = workspace_run_talking(
		    w, &spec, ended, git_said, git_writable);
	arena_reset(&w->arena, mark);
	return status;
}

int
workspace_git(struct workspace *w, const struct manifest_entry *entry)
{
	struct workspace_git *git = arena_alloc(&w->arena, sizeof *git);
	const struct sandbox_commit *others;

	if (sandbox_commits(w->sb, &others) == SANDBOX_COMMITS_MAX)
		return workspace_fail(
		    w, 0, "more than 16 repositories:", entry->git.repo);
	if (git == NULL)
		return workspace_fail(w, 0, "no memory for", entry->path);
	*git = (struct workspace_git){.talk = NULL};
	text_init(&git->said, 2 * SAID_MAX);
	w->git = git;
	return run_git(w, entry);
}
