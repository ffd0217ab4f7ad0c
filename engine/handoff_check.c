#include "engine/handoff_check.h"

#include <string.h>

#include "config/agent_family.h"
#include "config/complaint.h"
#include "config/profile.h"
#include "engine/base/error.h"
#include "tools/tool.h"

/* Can a sandbox be up while a has the run? */
static int
is_sandboxed(const struct agent *a)
{
	struct toolset set = {.n = 0};
	struct error ignored;

	for (unsigned i = 0; i < a->tools.n; i++) {
		const struct agent_link *link = agent_link(a, a->tools.at[i]);

		if (link != NULL && link->agent->sandbox.share)
			return 1;
		if (link == NULL)
			(void)toolset_add(&set, a->tools.at[i], &ignored);
	}
	return toolset_is_sandboxed(&set) || a->manifest != NULL;
}

static int
same_profile(const struct agent *a, const struct agent *b)
{
	char of_a[HASH_TEXT_MAX], of_b[HASH_TEXT_MAX];

	profile_digest(a->sandbox.profile, of_a);
	profile_digest(b->sandbox.profile, of_b);
	return strcmp(of_a, of_b) == 0;
}

static void
check(
    const struct agent *a, const struct agent_handoff *h, struct complaints *c)
{
	const struct agent *to = h->to->agent;

	if (to == a)
		return;
	if (to->manifest != NULL)
		complain(c, ERROR_CONFIG, a->file, h->to->line, h->to->column,
		    "agents.%s: it takes the run over in the workspace that "
		    "is there, so it can have no manifest of its own",
		    h->name);
	if (to->sandbox.has_profile && !same_profile(a, to))
		complain(c, ERROR_CONFIG, a->file, h->to->line, h->to->column,
		    "agents.%s: it takes the run over in the sandbox that is "
		    "there, so it can have no other profile",
		    h->name);
}

void
handoff_check(const struct agent *first, struct complaints *c)
{
	struct agent_family family;

	agent_family(first, &family);
	for (unsigned i = 0; i < family.n; i++) {
		const struct agent *a = family.member[i];

		for (unsigned k = 0; k < a->handoffs_n && is_sandboxed(a); k++)
			check(a, &a->handoffs[k], c);
	}
}
