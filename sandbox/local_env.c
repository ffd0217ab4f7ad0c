#include "sandbox/local_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/profile.h"
#include "engine/base/secret.h"
#include "sandbox/etc.h"

static const char *const always[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ("HOME=" ETC_HOME), /* two that belong together */
    "LANG=C.UTF-8",
    "SHELL=/bin/sh",
    "TMPDIR=/tmp",
    /* git copies sample hooks to where a profile protects them. */
    "GIT_TEMPLATE_DIR=",
};

struct env {
	char *out;
	size_t used, size;
	uint32_t count;
	int overflowed;
};

static void
add(struct env *env, const char *name, size_t name_n, const char *value)
{
	size_t n = strlen(value) + 1;

	if (env->overflowed || name_n + n > env->size - env->used) {
		env->overflowed = 1;
		return;
	}
	memcpy(env->out + env->used, name, name_n);
	memcpy(env->out + env->used + name_n, value, n);
	env->used += name_n + n;
	env->count++;
}

/* Does the list have its own idea of the variable that entry names? */
static int
names(const char *const *list, const char *entry, size_t name_n)
{
	for (; list != NULL && *list != NULL; list++) {
		if (strncmp(*list, entry, name_n) == 0 &&
		    (*list)[name_n] == '=')
			return 1;
	}
	return 0;
}

static int
is_let_in(const struct profile *p, const char *entry, size_t name_n)
{
	for (unsigned i = 0; p != NULL && i < p->environment.n; i++) {
		const char *name = p->environment.at[i];

		if (strlen(name) == name_n &&
		    strncmp(name, entry, name_n) == 0 && getenv(name) != NULL)
			return 1;
	}
	return 0;
}

static void
add_unless_named(struct env *env, const struct profile *p,
    const char *const *extra, const char *entry)
{
	size_t name_n = strcspn(entry, "=");

	if (!names(extra, entry, name_n) && !is_let_in(p, entry, name_n))
		add(env, "", 0, entry);
}

static void
add_user(struct env *env, const struct profile *p, const char *const *extra,
    const char *user)
{
	char text[16 + USERS_NAME_MAX];

	snprintf(text, sizeof text, "USER=%s", user);
	add_unless_named(env, p, extra, text);
	snprintf(text, sizeof text, "LOGNAME=%s", user);
	add_unless_named(env, p, extra, text);
}

static void
add_secret(struct env *env, const struct exec_secret *secret)
{
	struct span value = secret_reveal(secret->secret);
	size_t n = strlen(secret->name);

	if (env->overflowed || n + 1 + value.n + 1 > env->size - env->used) {
		env->overflowed = 1;
		return;
	}
	memcpy(env->out + env->used, secret->name, n);
	env->out[env->used + n] = '=';
	memcpy(env->out + env->used + n + 1, value.p, value.n);
	env->out[env->used + n + 1 + value.n] = '\0';
	env->used += n + 1 + value.n + 1;
	env->count++;
}

size_t
local_env_write(const struct profile *p, const char *user,
    const struct exec_spec *spec, char *out, size_t size, uint32_t *count)
{
	struct env env = {.out = out, .size = size};
	const char *const *extra = spec->env;
	int tty = spec->tty;

	for (unsigned i = 0; i < sizeof always / sizeof always[0]; i++)
		add_unless_named(&env, p, extra, always[i]);
	add_user(&env, p, extra, user);
	add_unless_named(
	    &env, p, extra, tty ? "TERM=xterm-256color" : "TERM=dumb");
	for (unsigned i = 0; p != NULL && i < p->environment.n; i++) {
		const char *name = p->environment.at[i];
		const char *value = getenv(name);

		if (value == NULL || names(extra, name, strlen(name)))
			continue;
		add(&env, name, strlen(name), "=");
		env.used--; /* the name and its value are one text */
		add(&env, "", 0, value);
		env.count--;
	}
	for (; extra != NULL && *extra != NULL; extra++)
		add(&env, "", 0, *extra);
	for (unsigned i = 0; i < spec->secrets_n; i++)
		add_secret(&env, &spec->secrets[i]);
	*count = env.count;
	return env.overflowed ? 0 : env.used;
}
