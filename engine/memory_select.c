/* Which raw memories count, and which did the last time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/memory.h"
#include "engine/result.h"
#include "net/json.h"
#include "net/json_write.h"

#define NAME_MAX_BYTES (MEMORY_ID_MAX + MEMORY_SLUG_MAX + 16)
#define PATH_BYTES (NAME_MAX_BYTES + 64)

/* --- the newest ones --- */

struct chosen {
	char id[MEMORY_ID_MAX + 1];
	int64_t mtime_ms;
};

struct choice {
	struct chosen *list;
	unsigned n, most;
};

static int
is_newer(const struct chosen *a, const struct chosen *b)
{
	return a->mtime_ms != b->mtime_ms ? a->mtime_ms > b->mtime_ms
					  : strcmp(a->id, b->id) > 0;
}

static int
newest_first(const void *a, const void *b)
{
	return is_newer(a, b) ? -1 : 1;
}

static int
consider(const struct memory_entry *entry, void *owner)
{
	struct choice *c = owner;
	struct span name = span_of(entry->name);
	struct chosen one = {.mtime_ms = entry->mtime_ms};
	unsigned oldest = 0;

	if (entry->is_folder || entry->bytes == 0 ||
	    !span_has_suffix(name, span_of(".md")))
		return 0;
	name.n -= 3;
	if (!memory_id_is_fine(name))
		return 0;
	memcpy(one.id, name.p, name.n);
	if (c->n < c->most) {
		c->list[c->n++] = one;
		return 0;
	}
	for (unsigned i = 1; i < c->n; i++)
		if (is_newer(&c->list[oldest], &c->list[i]))
			oldest = i;
	if (is_newer(&one, &c->list[oldest]))
		c->list[oldest] = one;
	return 0;
}

static int
choose(const struct memory *m, unsigned kept, struct arena *a,
    struct choice *out, struct error *e)
{
	*out = (struct choice){.most = kept};
	out->list = arena_alloc(a, kept * sizeof *out->list);
	if (out->list == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for memories");
	if (memory_each(m, MEMORY_RAW, consider, out, e) == -1)
		return -1;
	qsort(out->list, out->n, sizeof *out->list, newest_first);
	return 0;
}

/* --- what was chosen before --- */

/* The ids of phase_two_selection.json; nonsense is nothing. */
static int
read_previous(const struct memory *m, struct json_doc *d, struct text *t)
{
	struct error ignored;

	text_init(t, MEMORY_FILE_MAX);
	json_doc_init(d);
	if (memory_load(m, MEMORY_SELECTION, t, &ignored) == -1 ||
	    json_parse(d, text_span(t), 0, &ignored) == -1)
		return -1;
	return json_get(d, 0, "selected");
}

static int
had(const struct json_doc *d, int selected, const char *id)
{
	for (int v = selected == -1 ? -1 : json_first(d, selected); v != -1;
	     v = json_next(d, selected, v))
		if (json_is(d, json_get(d, v, "rollout_id"), id))
			return 1;
	return 0;
}

static void
tell_removed(const struct choice *c, const struct json_doc *d, int selected,
    struct memory_selection *out, struct text *changes)
{
	for (int v = selected == -1 ? -1 : json_first(d, selected); v != -1;
	     v = json_next(d, selected, v)) {
		struct span id = json_inner(d, json_get(d, v, "rollout_id"));
		unsigned i = 0;

		while (i < c->n && !span_is(id, c->list[i].id))
			i++;
		if (i < c->n || !memory_id_is_fine(id))
			continue;
		out->removed++;
		if (changes != NULL)
			text_printf(
			    changes, "- removed: %.*s\n", (int)id.n, id.p);
	}
}

static void
compare(const struct memory *m, const struct choice *c,
    struct memory_selection *out, struct text *changes)
{
	struct json_doc d;
	struct text t;
	int selected = read_previous(m, &d, &t);

	if (selected != -1 && json_type(&d, selected) != JSON_ARRAY)
		selected = -1;
	*out = (struct memory_selection){.selected = c->n};
	for (unsigned i = 0; i < c->n; i++) {
		int old = had(&d, selected, c->list[i].id);

		out->added += !old;
		out->retained += (unsigned)old;
		if (changes != NULL)
			text_printf(changes, "- %s: %s\n",
			    old ? "retained" : "added", c->list[i].id);
	}
	tell_removed(c, &d, selected, out, changes);
	json_doc_release(&d);
	text_release(&t);
}

/* --- merging --- */

static int
merge(const struct memory *m, const struct choice *c, struct error *e)
{
	char path[PATH_BYTES];
	struct error ignored;
	struct text t, one;
	int status;

	text_init(&t, MEMORY_FILE_MAX);
	text_init(&one, MEMORY_FILE_MAX / 2);
	text_add_str(&t, "# Raw memories, the newest first\n");
	for (unsigned i = 0; i < c->n; i++) {
		snprintf(path, sizeof path, MEMORY_RAW "/%s.md", c->list[i].id);
		text_clear(&one);
		if (memory_load(m, path, &one, &ignored) == -1 ||
		    !memory_is_text(text_span(&one)))
			continue;
		if (t.n + one.n + PATH_BYTES > t.bytes_max)
			break; /* what is older does not fit */
		text_printf(&t, "\n## %s\n\n", c->list[i].id);
		text_add(&t, text_span(&one));
	}
	status = memory_store(m, MEMORY_RAW_MERGED, text_span(&t), e);
	text_release(&one);
	text_release(&t);
	return status;
}

int
memory_select(const struct memory *m, unsigned kept,
    struct memory_selection *out, struct text *changes, struct error *e)
{
	struct arena a;
	struct choice c;
	int status;

	arena_init(&a, 4 * MIB);
	status = choose(m, kept, &a, &c, e);
	if (status == 0) {
		compare(m, &c, out, changes);
		status = merge(m, &c, e);
	}
	arena_release(&a);
	return status;
}

/* The value of a header line of a raw memory; empty when it has none. */
static struct span
header(struct span file, const char *name)
{
	while (file.p != NULL) {
		struct span line = span_cut(&file, '\n');
		size_t n = strlen(name);

		if (line.n == 0)
			break;
		if (span_has_prefix(line, span_of(name)) && line.n > n + 1 &&
		    line.p[n] == ':')
			return span_trim(span_slice(line, n + 1, line.n));
	}
	return span_of("");
}

static void
put_chosen(struct json_writer *w, const struct memory *m, const char *id)
{
	static const char *const members[] = {"updated_at", "rollout_path",
	    "rollout_summary_file", "terminal_state"};
	char path[PATH_BYTES];
	struct error ignored;
	struct text t;

	snprintf(path, sizeof path, MEMORY_RAW "/%s.md", id);
	text_init(&t, MEMORY_FILE_MAX);
	(void)memory_load(m, path, &t, &ignored);
	json_write_object(w);
	json_put_str(w, "rollout_id", id);
	for (size_t i = 0; i < 4; i++)
		json_put_span(w, members[i],
		    header(t.p == NULL ? (struct span){"", 0} : text_span(&t),
			members[i]));
	json_write_end(w);
	text_release(&t);
}

/* A summary that no chosen rollout has is shown to nobody any more. */
struct pruning {
	const struct memory *m;
	const struct choice *chosen;
};

static int
prune(const struct memory_entry *entry, void *owner)
{
	const struct pruning *p = owner;
	char path[PATH_BYTES];

	for (unsigned i = 0; i < p->chosen->n; i++) {
		const char *id = p->chosen->list[i].id;
		size_t n = strlen(id);

		if (strncmp(entry->name, id, n) == 0 && entry->name[n] == '_')
			return 0;
	}
	if (!entry->is_folder && strlen(entry->name) < NAME_MAX_BYTES) {
		snprintf(
		    path, sizeof path, MEMORY_SUMMARIES "/%s", entry->name);
		memory_remove(p->m, path);
	}
	return 0;
}

int
memory_select_done(
    const struct memory *m, unsigned kept, int64_t at_ms, struct error *e)
{
	char now[RESULT_TIME_BYTES];
	struct json_writer w;
	struct choice c;
	struct arena a;
	struct text t;
	int status;

	arena_init(&a, 4 * MIB);
	status = choose(m, kept, &a, &c, e);
	result_time(at_ms, now);
	text_init(&t, MEMORY_FILE_MAX);
	json_write_init(&w, &t);
	json_write_object(&w);
	json_put_int(&w, "version", 1);
	json_put_str(&w, "updated_at", now);
	json_put_array(&w, "selected");
	for (unsigned i = 0; status == 0 && i < c.n; i++)
		put_chosen(&w, m, c.list[i].id);
	json_write_end(&w);
	json_write_end(&w);
	text_add_char(&t, '\n');
	if (status == 0)
		status = memory_store(m, MEMORY_SELECTION, text_span(&t), e);
	if (status == 0)
		status = memory_each(
		    m, MEMORY_SUMMARIES, prune, &(struct pruning){m, &c}, e);
	text_release(&t);
	arena_release(&a);
	return status;
}
