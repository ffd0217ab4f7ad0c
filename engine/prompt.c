#include "engine/prompt.h"

#include "config/manifest.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/role.h"
#include "engine/survey.h"
#include "net/utf8.h"

extern const char tools_base_prompt_txt[], tools_prompt_shell_txt[],
    tools_prompt_patch_txt[], tools_prompt_filesystem_txt[];

struct section {
	const char *heading; /* or NULL */
	void (*put)(const struct prompt_facts *f, struct text *out);
};

/* Between two sections, and between two capabilities. */
#define GAP "\n\n"

void
prompt_put_text(struct text *out, const char *s)
{
	text_add(out, span_trim(span_of(s)));
}

void
prompt_put_data(struct text *out, struct span s, const char *close)
{
	struct span mark = span_of(close);

	while (s.n > 0) {
		size_t at = span_search(s, mark, 0);

		text_add(out, span_slice(s, 0, at));
		if (at == s.n)
			return;
		text_add_str(out, UTF8_REPLACEMENT);
		s = span_slice(s, at + 1, s.n);
	}
}

int
prompt_has_tool(const struct prompt_facts *f, const char *name)
{
	return toolset_has(&f->role->toolset, name);
}

/*
 * A section behind what stands from start on; nothing at all, not even its
 * heading, when its writer has nothing to say.
 */
static void
put(const struct section *s, const struct prompt_facts *f, size_t start,
    struct text *out)
{
	size_t before = out->n, empty;

	if (before > start)
		text_add_str(out, GAP);
	if (s->heading != NULL) {
		text_add_str(out, s->heading);
		text_add_str(out, GAP);
	}
	empty = out->n;
	s->put(f, out);
	if (out->n == empty)
		text_cut(out, before);
}

/* --- the writers that need no file of their own --- */

void
prompt_put_base(const struct prompt_facts *f, struct text *out)
{
	const struct agent *a = f->role->agent;

	if (!role_is_sandboxed(f->role))
		return;
	if (a->base_instructions.p != NULL)
		text_add(out, span_trim(a->base_instructions));
	else
		prompt_put_text(out, tools_base_prompt_txt);
}

void
prompt_put_agent(const struct prompt_facts *f, struct text *out)
{
	text_add(out, span_trim(f->instructions));
}

void
prompt_put_shell(const struct prompt_facts *f, struct text *out)
{
	if (prompt_has_tool(f, "exec_command"))
		prompt_put_text(out, tools_prompt_shell_txt);
}

void
prompt_put_patch(const struct prompt_facts *f, struct text *out)
{
	if (prompt_has_tool(f, "apply_patch"))
		prompt_put_text(out, tools_prompt_patch_txt);
}

void
prompt_put_filesystem(const struct prompt_facts *f, struct text *out)
{
	if (!role_is_sandboxed(f->role))
		return;
	prompt_put_text(out, tools_prompt_filesystem_txt);
	text_add_str(out, GAP);
	if (f->found != NULL && f->found->tree.n > 0)
		text_add(out, span_trim(f->found->tree));
	else
		text_add_str(out, MANIFEST_ROOT);
}

static const struct section capabilities[] = {
#define PROMPT_SECTION(name, heading)
#define PROMPT_CAPABILITY(name) {NULL, prompt_put_##name},
#include "engine/prompt_sections.def"
};

void
prompt_put_capabilities(const struct prompt_facts *f, struct text *out)
{
	size_t start = out->n;

	for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0];
	     i++)
		put(&capabilities[i], f, start, out);
}

static const struct section sections[] = {
#define PROMPT_SECTION(name, heading) {heading, prompt_put_##name},
#define PROMPT_CAPABILITY(name)
#include "engine/prompt_sections.def"
};

int
prompt_write(const struct prompt_facts *f, struct text *out, struct error *e)
{
	size_t start = out->n;

	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
		struct section s = sections[i];

		if (s.put == prompt_put_agent && !role_is_sandboxed(f->role))
			s.heading = NULL; /* these are all it is told */
		put(&s, f, start, out);
	}
	if (text_overflowed(out))
		return error_set(
		    e, ERROR_TOO_BIG, 0, "the instructions are too long");
	return 0;
}
