#include "sandbox/workspace_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/os.h"

/* An archive goes to the sandbox as a descriptor; unpack.h has the rest. */

/* "REASON\nMEMBER\n" of a refusal. */
static void
refused(struct workspace *w)
{
	struct span rest = workspace_output(w, 1), reason, member;

	reason = span_cut(&rest, '\n');
	member = span_cut(&rest, '\n');
	w->failed = 1;
	if (reason.n == 0)
		reason = span_of("it was not said why");
	error_set(&w->error, ERROR_MANIFEST, 0,
	    "manifest entry %s: %.*s%s%.*s%s", w->m->entries[w->entry].path,
	    (int)(reason.n < 250 ? reason.n : 250), reason.p,
	    member.n > 0 ? " (member " : "",
	    (int)(member.n < 100 ? member.n : 100), member.p,
	    member.n > 0 ? ")" : "");
}

static void
unpacked(struct workspace *w, const struct exec_report *report)
{
	const struct manifest_entry *entry = &w->m->entries[w->entry];

	/* Its own words say more than that a disk was full. */
	if (report->exit == 1 && workspace_output(w, 1).n > 0) {
		refused(w);
		return;
	}
	if (workspace_check_end(w, report, "unpack") == -1)
		return;
	if (report->exit != 0) {
		workspace_fail(w, 0, "could not be unpacked:", entry->src);
		return;
	}
	/* Later than all that came out of it: see sandbox_filled_ns(). */
	w->group_due = w->mode_due = 1;
	w->mode = entry->mode | 0700;
}

int
workspace_archive(struct workspace *w, const struct manifest_entry *entry)
{
	const struct archive_limits *l = &entry->archive.limits;
	char input[24], extracted[24], members[24];
	const char *argv[] = {"unpack", entry->path,
	    archive_format_name(entry->archive.format), input, extracted,
	    members, NULL};
	struct exec_spec spec = {.argv = argv,
	    .program = EXEC_UNPACK,
	    .stdio = {EXEC_FD, EXEC_PIPE, EXEC_NULL}};
	int status;

	snprintf(input, sizeof input, "%" PRIu64, l->input_bytes);
	snprintf(extracted, sizeof extracted, "%" PRIu64, l->extracted_bytes);
	snprintf(members, sizeof members, "%" PRIu64, l->members);
	if (workspace_make_folder(w, entry->path, entry->mode) == -1)
		return -1;
	w->group_due = 0;
	spec.fd[0] = workspace_open_source(w, entry);
	if (spec.fd[0] == -1)
		return -1;
	status = workspace_run(w, &spec, unpacked);
	os->close(spec.fd[0]);
	return status;
}
