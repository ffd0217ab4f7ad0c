#include "config/overrides.h"

#include <ctype.h>
#include <stdlib.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"

#define VARIABLE_MAX 256

int
overrides_add(
    struct overrides *o, struct arena *arena, const char *text, struct error *e)
{
	struct span rest = span_of(text);
	struct span key = span_cut(&rest, '=');
	struct override *new = &o->at[o->n];

	if (rest.p == NULL || key.n == 0)
		return error_set(e, ERROR_USAGE, 0,
		    "-c takes KEY=VALUE such as budget.turns=10, not '%s'",
		    text);
	if (o->n == OVERRIDES_MAX)
		return error_set(
		    e, ERROR_USAGE, 0, "more than %d -c", OVERRIDES_MAX);
	new->key = arena_strndup(arena, key.p, key.n);
	new->from = arena_printf(arena, "-c %.*s", (int)key.n, key.p);
	if (new->key == NULL || new->from == NULL)
		return error_set(e, ERROR_FULL, 0, "out of memory");
	new->value = rest.p;
	new->used = 0;
	o->n++;
	return 0;
}

/* The value of SKEP_ and path in capitals, '_' for '.', or NULL. */
static const char *
from_environment(const char *path, char variable[VARIABLE_MAX])
{
	size_t n = 5;

	memcpy(variable, "SKEP_", n);
	for (; *path != '\0' && n < VARIABLE_MAX - 1; path++) {
		char c = *path == '.' ? '_' : *path;

		variable[n++] = (char)toupper((unsigned char)c);
	}
	variable[n] = '\0';
	return *path == '\0' ? getenv(variable) : NULL;
}

const struct override *
overrides_get(struct overrides *o, struct arena *arena, const char *path)
{
	char variable[VARIABLE_MAX];
	const char *value;
	struct override *found = NULL;

	for (unsigned i = 0; i < o->n; i++)
		if (strcmp(o->at[i].key, path) == 0) {
			found = &o->at[i];
			found->used = 1;
		}
	if (found != NULL || o->ignores_environment)
		return found;
	value = from_environment(path, variable);
	if (value == NULL)
		return NULL;
	found = arena_alloc(arena, sizeof *found);
	if (found == NULL)
		return NULL;
	found->key = path;
	found->value = value;
	found->from = arena_strndup(arena, variable, strlen(variable));
	return found->from != NULL ? found : NULL;
}

int
overrides_below(const struct overrides *o, const char *path)
{
	size_t n = strlen(path);

	for (unsigned i = 0; i < o->n; i++)
		if (strncmp(o->at[i].key, path, n) == 0 &&
		    (n == 0 || o->at[i].key[n] == '.'))
			return 1;
	return 0;
}
