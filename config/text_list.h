#ifndef SKEP_CONFIG_TEXT_LIST_H
#define SKEP_CONFIG_TEXT_LIST_H

/*
 * Lists of texts and of named texts as configuration holds them: constant
 * once read, in the arena of the file or in a const table.
 */

#include "engine/base/span.h"

struct text_list {
	const char *const *at;
	unsigned n;
};

struct named_text {
	const char *name;
	struct span value; /* NUL-terminated as well */
};

struct named_list {
	const struct named_text *at;
	unsigned n;
};

/* For const tables: TEXT_LIST("a", "b"). */
#define TEXT_LIST(...)                                           \
	{                                                        \
		(const char *const[]){__VA_ARGS__},              \
		    sizeof((const char *const[]){__VA_ARGS__}) / \
			sizeof(const char *)                     \
	}

int text_list_has(const struct text_list *l, const char *s);

/* The value under name, or NULL. */
const struct named_text *named_list_get(
    const struct named_list *l, struct span name);

#endif
