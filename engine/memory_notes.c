/* What is made of rollouts: notes, what came of them, and forgetting. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/memory.h"
#include "engine/result.h"
#include "net/utf8.h"

#define NAME_MAX_BYTES (MEMORY_ID_MAX + MEMORY_SLUG_MAX + 16)
#define PATH_BYTES (NAME_MAX_BYTES + 64)

/* --- one note --- */

/* Another slug of this rollout is outdated. */
struct outdated {
	const struct memory *m;
	const char *rollout;
};

static int
remove_outdated(const struct memory_entry *entry, void *owner)
{
	const struct outdated *o = owner;
	char path[PATH_BYTES];
	size_t n = strlen(o->rollout);

	if (strncmp(entry->name, o->rollout, n) == 0 && entry->name[n] == '_' &&
	    strlen(entry->name) < NAME_MAX_BYTES) {
		snprintf(
		    path, sizeof path, MEMORY_SUMMARIES "/%s", entry->name);
		memory_remove(o->m, path);
	}
	return 0;
}

static void
remove_summaries(const struct memory *m, const char *rollout)
{
	struct outdated o = {m, rollout};
	struct error ignored;

	memory_each(m, MEMORY_SUMMARIES, remove_outdated, &o, &ignored);
}

/* The model's slug made one that is fine. */
static void
make_slug(struct span given, char out[MEMORY_SLUG_MAX + 1])
{
	size_t n = 0;

	if (memory_slug_is_fine(given)) {
		memcpy(out, given.p, given.n);
		out[given.n] = '\0';
		return;
	}
	for (size_t i = 0; i < given.n && n < MEMORY_SLUG_MAX; i++) {
		char c = given.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (n == 0 || (c != '-' && c != '_')))
			c = n == 0 || out[n - 1] == '_' ? '\0' : '_';
		if (c != '\0')
			out[n++] = c;
	}
	while (n > 0 && out[n - 1] == '_')
		n--;
	out[n] = '\0';
	if (n == 0)
		memcpy(out, "rollout", sizeof "rollout");
}

static int
store_summary(const struct memory *m, const struct memory_note *note,
    const char *path, const char *now, struct error *e)
{
	struct text t;
	int status;

	text_init(&t, MEMORY_FILE_MAX);
	text_printf(&t,
	    "session_id: %s\nupdated_at: %s\nrollout_path: " MEMORY_SESSIONS
	    "/%s.jsonl\nterminal_state: %s\n\n",
	    note->rollout, now, note->rollout, note->state);
	utf8_add_valid(&t, span_trim(note->summary));
	text_add_char(&t, '\n');
	status = memory_store(m, path, text_span(&t), e);
	text_release(&t);
	return status;
}

int
memory_add_note(
    const struct memory *m, const struct memory_note *note, struct error *e)
{
	char slug[MEMORY_SLUG_MAX + 1], raw[PATH_BYTES], summary[PATH_BYTES];
	char now[RESULT_TIME_BYTES];
	struct text t;
	int status;

	make_slug(note->slug, slug);
	result_time(note->at_ms, now);
	snprintf(raw, sizeof raw, MEMORY_RAW "/%s.md", note->rollout);
	snprintf(summary, sizeof summary, MEMORY_SUMMARIES "/%s_%s.md",
	    note->rollout, slug);
	remove_summaries(m, note->rollout);
	if (span_trim(note->raw).n == 0)
		return memory_store(m, raw, (struct span){"", 0}, e);
	if (store_summary(m, note, summary, now, e) == -1)
		return -1;
	text_init(&t, MEMORY_FILE_MAX);
	text_printf(&t,
	    "rollout_id: %s\nupdated_at: %s\nrollout_path: " MEMORY_SESSIONS
	    "/%s.jsonl\nrollout_summary_file: %s\nterminal_state: %s\n\n",
	    note->rollout, now, note->rollout, summary + sizeof MEMORY_FILES,
	    note->state);
	utf8_add_valid(&t, span_trim(note->raw));
	text_add_char(&t, '\n');
	status = memory_store(m, raw, text_span(&t), e);
	text_release(&t);
	return status;
}

/* --- what phase two made --- */

/* Text that a model wrote: bearable, or left where it is. */
static int
take_text(const struct memory *m, const char *folder, const char *name)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	struct error ignored;
	struct span s;
	struct text t;
	int taken = 0;

	snprintf(from, sizeof from, "%s/%s", folder, name);
	snprintf(to, sizeof to, MEMORY_FILES "/%s", name);
	text_init(&t, MEMORY_FILE_MAX / 4);
	if (memory_load(m, from, &t, &ignored) == 0) {
		s = text_span(&t);
		taken = span_trim(s).n > 0 && memory_is_text(s) &&
			memory_store(m, to, s, &ignored) == 0;
	}
	text_release(&t);
	return taken;
}

static int
take_skills(const struct memory *m, const char *folder)
{
	char from[LIMIT_PATH + PATH_BYTES], to[LIMIT_PATH + PATH_BYTES];
	char below[PATH_BYTES];

	snprintf(below, sizeof below, "%s/" MEMORY_SKILLS, folder);
	if (!memory_has(m, below))
		return 0;
	memory_remove(m, MEMORY_FILES "/" MEMORY_SKILLS);
	snprintf(from, sizeof from, "%s/%s", m->path, below);
	snprintf(to, sizeof to, "%s/" MEMORY_FILES "/" MEMORY_SKILLS, m->path);
	return os->rename(from, to) == 0;
}

int
memory_install(const struct memory *m, const char *folder, struct error *e)
{
	int taken = take_text(m, folder, MEMORY_SUMMARY) +
		    take_text(m, folder, MEMORY_HANDBOOK) +
		    take_skills(m, folder);

	if (taken == 0)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "neither " MEMORY_SUMMARY " nor " MEMORY_HANDBOOK
		    " is text that can be kept");
	return taken;
}

/* --- forgetting --- */

static void
forget_consolidated(const struct memory *m)
{
	memory_remove(m, MEMORY_FILES "/" MEMORY_SUMMARY);
	memory_remove(m, MEMORY_FILES "/" MEMORY_HANDBOOK);
	memory_remove(m, MEMORY_FILES "/" MEMORY_SKILLS);
	memory_remove(m, MEMORY_RAW_MERGED);
	memory_remove(m, MEMORY_SELECTION);
}

int
memory_forget(const struct memory *m, const char *rollout, struct error *e)
{
	char session[PATH_BYTES], raw[PATH_BYTES];

	if (!memory_exists(m))
		return error_set(
		    e, ERROR_NOT_FOUND, 0, "there is no memory at %s", m->path);
	if (rollout == NULL) {
		memory_remove(m, MEMORY_FILES);
		memory_remove(m, MEMORY_SESSIONS);
		memory_remove(m, "staging");
		return rmdir(m->path) == 0 ? 0
					   : error_set(e, ERROR_IO, errno,
						 "cannot remove %s", m->path);
	}
	if (!memory_id_is_fine(span_of(rollout)))
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "\"%.80s\" is not the id of a rollout", rollout);
	snprintf(session, sizeof session, MEMORY_SESSIONS "/%s.jsonl", rollout);
	snprintf(raw, sizeof raw, MEMORY_RAW "/%s.md", rollout);
	if (!memory_has(m, session) && !memory_has(m, raw))
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "the memory has no rollout %s", rollout);
	memory_remove(m, session);
	memory_remove(m, raw);
	remove_summaries(m, rollout);
	forget_consolidated(m);
	return 0;
}
