#include "config/manifest.h"
#include "config/skills.h"
#include "engine/base/error.h"
#include "sandbox/sandbox.h"
#include "sandbox/workspace.h"
#include "tools/builtin.h"
#include "tools/call.h"

/*
 * load_skill: one skill of a lazy source, copied into the workspace when the
 * model asks for it, in the way that a local_dir is.
 */

extern const char tools_load_skill_txt[], tools_load_skill_json[];

struct loading {
	struct tool_call *call;
	const struct skills *skills;
	const struct skill *skill;
	const char *path; /* of its folder, below the root */
	struct file_op *op;
	struct workspace *copy;
	struct manifest manifest; /* of one entry */
	struct manifest_entry entry;
};

static void
release(struct loading *l)
{
	if (l->op != NULL)
		file_op_cancel(l->op);
	workspace_cancel(l->copy);
	l->op = NULL;
	l->copy = NULL;
}

static void
fail(struct loading *l, const char *why)
{
	release(l);
	text_add_str(&l->call->text, why);
	l->call->failed = 1;
	tool_call_answer_text(l->call);
}

/* {"status", "skill_name", "path"}; the path as the prompt's list has it. */
static void
tell(struct loading *l, const char *status)
{
	struct tool_call *call = l->call;
	struct json_writer w;

	release(l);
	json_write_init(&w, &call->text);
	json_write_object(&w);
	json_put_str(&w, "status", status);
	json_put_span(&w, "skill_name", l->skill->name);
	json_write_key(&w, "path");
	json_write_string_begin(&w);
	if (call->box->host.cwd != NULL)
		json_write_string_add(&w, span_of(MANIFEST_ROOT "/"));
	json_write_string_add(&w, span_of(l->path));
	json_write_string_end(&w);
	json_write_end(&w);
	tool_call_answer_text(call);
}

static void
copied(const struct error *error, int64_t last_change_ns, void *owner)
{
	struct loading *l = owner;

	(void)last_change_ns;
	l->copy = NULL;
	if (error != NULL)
		fail(l, error->text);
	else
		tell(l, "loaded");
}

static void
looked(struct file_op *op, const struct file_result *r, void *owner)
{
	struct loading *l = owner;
	struct sandbox *sb = tool_call_sandbox(l->call);
	struct error e;

	(void)op;
	l->op = NULL;
	if (r->error == NULL) {
		tell(l, "already_loaded");
		return;
	}
	if (r->error->code != ERROR_NOT_FOUND || sb == NULL) {
		fail(l, sb == NULL ? "there is no sandbox" : r->error->text);
		return;
	}
	l->copy = workspace_start(
	    l->call->box->tools->loop, sb, &l->manifest, NULL, copied, l, &e);
	if (l->copy == NULL)
		fail(l, e.text);
}

/* The one that is meant, by its name or by its folder's; else a complaint. */
static const struct skill *
find(const struct skills *s, struct span name, struct text *complaint)
{
	const struct skill *found = NULL;
	unsigned n = 0;

	for (unsigned i = 0; s != NULL && i < s->n; i++)
		if (span_eq(s->skill[i].name, name) ||
		    span_is(name, s->skill[i].folder)) {
			found = &s->skill[i];
			n++;
		}
	if (n == 1)
		return found;
	text_add_str(complaint,
	    n == 0 ? "lazy skill not found" : "lazy skill name is ambiguous");
	return NULL;
}

static int
prepare(struct loading *l)
{
	const struct manifest *source = l->skills->manifest;
	struct arena *a = &l->call->arena;

	l->path = arena_printf(a, "%s/%s", l->skills->path, l->skill->folder);
	l->entry = source->entries[0];
	l->entry.path = l->path;
	l->entry.src =
	    arena_printf(a, "%s/%s", source->entries[0].src, l->skill->folder);
	l->manifest = *source;
	l->manifest.entries = &l->entry;
	l->manifest.entries_n = 1;
	return l->path == NULL || l->entry.src == NULL ? -1 : 0;
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	struct loading *l = arena_alloc(&call->arena, sizeof *l);
	struct sandbox *sb = tool_call_sandbox(call);
	struct span name = {NULL, 0};
	const char *file;
	struct error e;

	(void)json_string(
	    args, json_get(args, 0, "skill_name"), &call->arena, &name);
	if (l == NULL || sb == NULL) {
		text_add_str(&call->text, "there is no sandbox");
		return -1;
	}
	l->call = call;
	l->skills = call->box->host.skills;
	l->skill = find(l->skills, name, &call->text);
	if (l->skill == NULL)
		return -1;
	if (prepare(l) == -1 || (file = arena_printf(&call->arena,
				     "%s/" SKILL_FILE, l->path)) == NULL) {
		text_add_str(&call->text, "the skill's path is too long");
		return -1;
	}
	l->op = sandbox_stat(sb, file, 0, looked, l, &e);
	if (l->op == NULL) {
		text_add_str(&call->text, e.text);
		return -1;
	}
	call->state = l;
	return 0;
}

static void
stop(struct tool_call *call)
{
	release(call->state);
}

const struct tool tool_load_skill = {
    .name = "load_skill",
    .native = TOOL_FUNCTION,
    .description = tools_load_skill_txt,
    .schema = tools_load_skill_json,
    .needs_sandbox = 1,
    .start = start,
    .stop = stop,
};
