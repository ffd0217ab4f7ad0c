#include "config/skill.h"

#include <stdlib.h>
#include <string.h>

#include "config/complaint.h"
#include "config/nearest.h"
#include "engine/base/arena.h"
#include "engine/base/text.h"
#include "net/utf8.h"

#define FENCE "---"
#define NO_DESCRIPTION "No description provided."

/* --- the front matter, line by line --- */

struct front {
	struct span rest; /* from the next line on */
	unsigned line;    /* number of the last one cut */
	int is_closed;    /* a second fence follows */
};

static struct span
next_line(struct front *f)
{
	f->line++;
	return span_cut(&f->rest, '\n');
}

/* True when there is one: then the next line is its first. */
static int
front_open(struct front *f, struct span markdown)
{
	struct front ahead;

	*f = (struct front){.rest = markdown};
	if (!span_is(span_trim(next_line(f)), FENCE))
		return 0;
	for (ahead = *f; ahead.rest.p != NULL && !f->is_closed;)
		f->is_closed = span_is(span_trim(next_line(&ahead)), FENCE);
	return f->is_closed;
}

static int
is_indented(struct span line)
{
	return line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
}

static struct span
without_quotes(struct span s)
{
	if (s.n >= 2 && s.p[0] == s.p[s.n - 1] &&
	    (s.p[0] == '"' || s.p[0] == '\''))
		return span_slice(s, 1, s.n - 1);
	return s;
}

/* Split at the first colon; 0 for a line that is to be passed over. */
static int
split(struct span line, struct span *key, struct span *value)
{
	struct span s = span_trim(line);
	size_t colon = span_find(s, ':', 0);

	if (s.n == 0 || s.p[0] == '#' || colon == s.n)
		return 0;
	*key = span_trim(span_slice(s, 0, colon));
	*value = without_quotes(span_trim(span_slice(s, colon + 1, s.n)));
	return 1;
}

/* --- leniently --- */

/* On one line, whole characters, no more than most of them. */
static struct span
one_line(struct arena *arena, struct span s, size_t most)
{
	struct span out;
	struct text t;

	text_init(&t, 4 * most);
	for (size_t at = 0, count = 0, n; at < s.n && count < most; count++) {
		uint32_t c = utf8_at(s, at, &n);

		utf8_add(&t, c < 0x20 || c == 0x7f || c == 0x2028 || c == 0x2029
				 ? ' '
				 : c);
		at += n;
	}
	out = arena_span(arena, text_span(&t));
	text_release(&t);
	return out;
}

int
skill_read(struct arena *arena, struct span markdown, const char *folder,
    struct skill *out)
{
	struct span name = span_of(folder), description = {NULL, 0};
	struct span line, key, value;
	struct front f;
	int more = front_open(&f, markdown);

	while (more) {
		line = next_line(&f);
		if (span_is(span_trim(line), FENCE))
			break;
		if (is_indented(line) || !split(line, &key, &value))
			continue;
		if (span_is(key, "name") && value.n > 0)
			name = value;
		if (span_is(key, "description"))
			description = value;
	}
	if (description.n == 0)
		description = span_of(NO_DESCRIPTION);
	out->name = one_line(arena, name, SKILL_NAME_MAX);
	out->description = one_line(arena, description, SKILL_DESCRIPTION_MAX);
	out->folder = arena_strndup(arena, folder, strlen(folder));
	return out->name.p == NULL || out->description.p == NULL ||
		       out->folder == NULL
		   ? -1
		   : 0;
}

static int
compare_spans(struct span a, struct span b)
{
	int way = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return way != 0 ? way : (a.n > b.n) - (a.n < b.n);
}

int
skill_compare(const void *a, const void *b)
{
	const struct skill *x = a, *y = b;
	int way = compare_spans(x->name, y->name);

	return way != 0 ? way : strcmp(x->folder, y->folder);
}

/* --- strictly --- */

const char *
skill_name_fault(struct span name)
{
	if (name.n == 0)
		return "is empty";
	if (name.n > SKILL_NAME_MAX)
		return "is longer than 64 characters";
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-')
			return "may hold only a-z, 0-9 and hyphens";
		if (c == '-' && i > 0 && name.p[i - 1] == '-')
			return "must not have two hyphens together";
	}
	if (name.p[0] == '-' || name.p[name.n - 1] == '-')
		return "must not begin or end with a hyphen";
	return NULL;
}

enum key { NAME, DESCRIPTION, LICENSE, COMPATIBILITY, METADATA, ALLOWED, KEYS };

static const char *const key_names[KEYS] = {"name", "description", "license",
    "compatibility", "metadata", "allowed-tools"};

struct check {
	const char *folder, *file;
	struct complaints *c;
	unsigned line;
	int seen[KEYS];
	int in_metadata;
};

static int
fault(const struct check *k, const char *what, const char *more)
{
	return complain(
	    k->c, ERROR_SYNTAX, k->file, k->line, 1, "%s%s", what, more);
}

static enum key
known(struct span key)
{
	enum key i = 0;

	while (i < KEYS && !span_is(key, key_names[i]))
		i++;
	return i;
}

static void
unknown_key(const struct check *k, struct span key)
{
	struct nearest near;
	char hint[NEAREST_HINT];

	nearest_init(&near, key);
	for (unsigned i = 0; i < KEYS; i++)
		nearest_offer(&near, key_names[i]);
	complain(k->c, ERROR_SYNTAX, k->file, k->line, 1,
	    "\"%.*s\" is no key of a skill%s; put what is your own below "
	    "metadata",
	    (int)(key.n < 64 ? key.n : 64), key.p, nearest_hint(&near, hint));
}

static void
check_name(const struct check *k, struct span name)
{
	const char *wrong = skill_name_fault(name);

	if (wrong != NULL)
		fault(k, "the name ", wrong);
	else if (!span_is(name, k->folder))
		complain(k->c, ERROR_SYNTAX, k->file, k->line, 1,
		    "the name is %.*s and the folder is %s; they must be the "
		    "same",
		    (int)name.n, name.p, k->folder);
}

static void
check_value(struct check *k, enum key key, struct span value)
{
	size_t n = utf8_count(value);

	if (span_is(value, ">") || span_is(value, "|") ||
	    span_is(value, ">-") || span_is(value, "|-")) {
		fault(k, key_names[key],
		    " goes over several lines; write it "
		    "on one");
		return;
	}
	if (key == NAME)
		check_name(k, value);
	if (key == DESCRIPTION && n == 0)
		fault(k,
		    "the description is empty; say what the skill does "
		    "and when to use it",
		    "");
	if (key == DESCRIPTION && n > SKILL_DESCRIPTION_MAX)
		fault(k, "the description is longer than 1024 characters", "");
	if (key == COMPATIBILITY && (n == 0 || n > SKILL_COMPATIBILITY_MAX))
		fault(k, "compatibility must have 1 to 500 characters", "");
	if (key == METADATA && n > 0 && !span_is(value, "{}"))
		fault(k,
		    "metadata is a map: one indented `key: value` a "
		    "line below it",
		    "");
	k->in_metadata = key == METADATA;
}

static void
check_line(struct check *k, struct span line)
{
	struct span trimmed = span_trim(line), key, value;
	enum key which;

	if (trimmed.n == 0 || trimmed.p[0] == '#')
		return;
	if (!split(line, &key, &value)) {
		fault(k, "a line without a colon; one `key: value` a line", "");
		return;
	}
	if (is_indented(line)) {
		if (!k->in_metadata)
			fault(k, "only metadata has lines of its own", "");
		return;
	}
	which = known(key);
	k->in_metadata = 0;
	if (which == KEYS) {
		unknown_key(k, key);
		return;
	}
	if (k->seen[which]++)
		fault(k, key_names[which], " stands twice");
	check_value(k, which, value);
}

void
skill_check(struct span markdown, const char *folder, const char *file,
    struct complaints *c)
{
	struct check k = {.folder = folder, .file = file, .c = c, .line = 1};
	struct front f;
	struct span line;

	if (utf8_check(markdown) < markdown.n ||
	    span_find(markdown, '\0', 0) < markdown.n) {
		fault(&k, "this is no text in UTF-8", "");
		return;
	}
	if (!front_open(&f, markdown)) {
		fault(&k,
		    f.line == 1 && f.rest.p != NULL &&
			    span_has_prefix(markdown, span_of(FENCE))
			? "the front matter is not closed; a line --- "
			  "ends it"
			: "there is no front matter; the file begins with "
			  "a line ---, name, description, and a line ---",
		    "");
		return;
	}
	for (;;) {
		line = next_line(&f);
		k.line = f.line;
		if (span_is(span_trim(line), FENCE))
			break;
		check_line(&k, line);
	}
	k.line = 1;
	if (!k.seen[NAME])
		fault(&k, "the name is missing", "");
	if (!k.seen[DESCRIPTION])
		fault(&k,
		    "the description is missing; say what the skill does "
		    "and when to use it",
		    "");
}
