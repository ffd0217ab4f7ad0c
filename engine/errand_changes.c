/* OUTPUTS, when the outputs are out: what changed in the sandbox is listed. */

#include "config/agent.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "sandbox/changes.h"

/* The list is lent, what it links lies in our arena: link it anew. */
static void
listed(const struct list *files, uint64_t omitted, const struct error *error,
    void *owner)
{
	struct errand *er = owner;
	struct list_node *n = list_first(files), *next;

	er->changes = NULL;
	if (error != NULL) {
		errand_fail(er, error, ERROR_INTERNAL);
		return;
	}
	for (; n != NULL; n = next) {
		next = list_next(files, n);
		*n = (struct list_node){NULL, NULL};
		list_append(&er->changed, n);
	}
	er->changed_omitted = omitted;
	er->is_changed_known = 1;
	run_post(er->run, RUN_EV_COLLECTED);
}

int
errand_list_changes(struct errand *er, struct error *e)
{
	if (!er->remembers) {
		run_post(er->run, RUN_EV_COLLECTED);
		return 0;
	}
	er->changes = changes_start(
	    er->supplies->loop, er->sandbox, &er->keep, listed, er, e);
	/* A run does not fail for that: nothing is known of its changes. */
	if (er->changes == NULL && e->code == ERROR_TOO_BIG)
		run_post(er->run, RUN_EV_COLLECTED);
	else if (er->changes == NULL) {
		if (e->code > ERROR_INTERNAL)
			e->code = ERROR_INTERNAL;
		return -1;
	}
	return 0;
}

void
errand_cancel_changes(struct errand *er)
{
	changes_cancel(er->changes);
	er->changes = NULL;
}
