#include "engine/environment.h"

#include <fnmatch.h>
#include <string.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json_write.h"

#define PLAIN                        \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz0123456789 ._/:=@,+%-"

/* --- the agent's secrets --- */

int
environment_secrets_open(
    struct environment_secrets *s, const struct manifest *m, struct error *e)
{
	for (unsigned i = 0; m != NULL && i < m->environment_n; i++) {
		const struct manifest_variable *v = &m->environment[i];

		if (v->secret.kind == SECRET_NOWHERE)
			continue;
		if (s->n == ENVIRONMENT_SECRETS_MAX)
			return error_set(e, ERROR_CONFIG, 0,
			    "more than %d secrets in an environment",
			    ENVIRONMENT_SECRETS_MAX);
		if (secret_ref_read(&v->secret, &s->secret[s->n], e) == -1)
			return error_wrap(e, "environment.%s", v->name);
		s->name[s->n++] = v->name;
		if (memchr(secret_reveal(&s->secret[s->n - 1]).p, '\0',
			secret_reveal(&s->secret[s->n - 1]).n) != NULL)
			return error_set(e, ERROR_CONFIG, 0,
			    "environment.%s: a NUL cannot stand in a variable",
			    v->name);
	}
	return 0;
}

void
environment_secrets_release(struct environment_secrets *s)
{
	while (s->n > 0)
		secret_release(&s->secret[--s->n]);
}

/* --- one run --- */

int
environment_init(struct environment *env, struct arena *a,
    const struct manifest *m, const struct environment_secrets *secrets)
{
	unsigned n = m != NULL ? m->environment_n : 0, at = 0;
	const char **plain = arena_alloc(a, (n + 1) * sizeof *plain);

	*env = (struct environment){
	    .plain = plain, .manifest = m, .secrets = secrets};
	env->given = arena_alloc(a, (n + 1) * sizeof *env->given);
	if (plain == NULL || env->given == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		const struct manifest_variable *v = &m->environment[i];

		if (v->secret.kind != SECRET_NOWHERE)
			continue;
		plain[at] = arena_printf(a, "%s=%s", v->name, v->value.p);
		if (plain[at++] == NULL)
			return -1;
	}
	plain[at] = NULL;
	return 0;
}

int
environment_fits(const char *pattern, const char *line)
{
	return line[strspn(line, PLAIN)] == '\0' && line[0] != ' ' &&
	       fnmatch(pattern, line, 0) == 0;
}

static int
is_given(const struct manifest_variable *v, const char *command)
{
	for (unsigned i = 0; i < v->commands.n; i++)
		if (environment_fits(v->commands.at[i], command))
			return 1;
	return 0;
}

static const struct secret *
find_secret(const struct environment_secrets *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->name[i], name) == 0)
			return &s->secret[i];
	return NULL;
}

void
environment_fill(
    struct environment *env, const char *command, struct exec_spec *spec)
{
	const struct manifest *m = env->manifest;

	spec->env = env->plain;
	spec->secrets = env->given;
	spec->secrets_n = 0;
	for (unsigned i = 0;
	     m != NULL && command != NULL && i < m->environment_n; i++) {
		const struct manifest_variable *v = &m->environment[i];
		const struct secret *secret;

		if (v->secret.kind == SECRET_NOWHERE || !is_given(v, command))
			continue;
		secret = find_secret(env->secrets, v->name);
		CHECK(secret != NULL);
		env->given[spec->secrets_n++] =
		    (struct exec_secret){v->name, secret};
	}
}

/* --- what must not be told --- */

/* As it would stand inside a JSON string, in t, which is wiped later. */
static struct span
escaped(const struct secret *secret, struct text *t)
{
	struct json_writer w;

	json_write_init(&w, t);
	json_write_span(&w, secret_reveal(secret));
	return span_slice(text_span(t), 1, t->n - 1);
}

/* json, or a copy without needle. */
static struct span
without(struct span json, struct span needle, struct arena *a)
{
	size_t at = span_search(json, needle, 0), from = 0;
	struct text out;

	if (at == json.n)
		return json;
	text_init(&out, LIMIT_ANSWER);
	for (; at < json.n; at = span_search(json, needle, from)) {
		text_add(&out, span_slice(json, from, at));
		text_add_str(&out, SECRET_PRINTED);
		from = at + needle.n;
	}
	text_add(&out, span_slice(json, from, json.n));
	json = text_overflowed(&out) ? (struct span){NULL, 0}
				     : arena_span(a, text_span(&out));
	text_release(&out);
	return json;
}

struct span
environment_scrub(
    const struct environment_secrets *s, struct span json, struct arena *a)
{
	for (unsigned i = 0; i < s->n && json.p != NULL; i++) {
		struct text t;

		if (s->secret[i].n < ENVIRONMENT_SCRUBBED_MIN)
			continue;
		text_init(&t, 8 * SECRET_BYTES_MAX);
		json = without(json, escaped(&s->secret[i], &t), a);
		if (t.p != NULL)
			wipe(t.p, t.n);
		text_release(&t);
	}
	return json;
}
