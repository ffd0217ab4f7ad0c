#include "engine/code_mode.h"

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/prompt.h"
#include "engine/role.h"

extern const char tools_skep_tools_txt[], tools_skep_tool_txt[],
    tools_prompt_code_txt[];

#define LIB MANIFEST_ROOT "/.skep/lib"
#define BIN MANIFEST_ROOT "/.skep/bin"

static int
add_entries(struct arena *arena, struct manifest *m)
{
	struct manifest_entry *e = arena_alloc(arena, 2 * sizeof *e);

	if (e == NULL)
		return -1;
	e[0] = (struct manifest_entry){.type = ENTRY_FILE,
	    .path = ".skep/lib/skep_tools.py",
	    .mode = 0644,
	    .content = span_of(tools_skep_tools_txt)};
	e[1] = (struct manifest_entry){.type = ENTRY_FILE,
	    .path = ".skep/bin/skep-tool",
	    .mode = 0755,
	    .content = span_of(tools_skep_tool_txt)};
	m->entries = e;
	m->entries_n = 2;
	return 0;
}

static int
add_variables(struct arena *arena, struct manifest *m)
{
	struct manifest_variable *v = arena_alloc(arena, 3 * sizeof *v);

	if (v == NULL)
		return -1;
	v[0].name = "PYTHONPATH";
	v[0].value = span_of(LIB);
	v[1].name = "PATH";
	v[1].value = span_of("/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			     "/usr/bin:/sbin:/bin:" BIN);
	v[2].name = "SKEP_TOOLS_FD";
	v[2].value = span_of("3");
	m->environment = v;
	m->environment_n = 3;
	return 0;
}

const struct manifest *
code_mode_manifest(
    struct arena *arena, const struct manifest *m, struct error *e)
{
	struct manifest *ours = arena_alloc(arena, sizeof *ours);

	if (ours == NULL || add_entries(arena, ours) == -1 ||
	    add_variables(arena, ours) == -1) {
		error_set(e, ERROR_MANIFEST, 0, "no memory for a manifest");
		return NULL;
	}
	ours->root = MANIFEST_ROOT;
	ours->version = 1;
	return manifest_merge(arena, ours, m, e);
}

void
prompt_put_code(const struct prompt_facts *f, struct text *out)
{
	if (f->role->agent->code_mode.enabled &&
	    prompt_has_tool(f, "exec_command"))
		prompt_put_text(out, tools_prompt_code_txt);
}
