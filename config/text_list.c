#include "config/text_list.h"

int
text_list_has(const struct text_list *l, const char *s)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->at[i], s) == 0)
			return 1;
	return 0;
}

const struct named_text *
named_list_get(const struct named_list *l, struct span name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (span_is(name, l->at[i].name))
			return &l->at[i];
	return NULL;
}
