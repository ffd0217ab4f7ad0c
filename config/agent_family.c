#include "config/agent_family.h"

#include <string.h>

#include "config/complaint.h"
#include "config/profile.h"
#include "config/table.h"
#include "engine/base/arena.h"

int
agent_family_find(const struct agent_family *f, const struct agent *m)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->member[i] == m)
			return (int)i;
	return -1;
}

void
agent_family(const struct agent *first, struct agent_family *out)
{
	out->member[0] = first;
	out->n = 1;
	for (unsigned i = 0; i < out->n; i++) {
		const struct agent *a = out->member[i];

		for (unsigned k = 0; k < a->agents_n; k++) {
			const struct agent *m = a->agents[k].agent;

			if (agent_family_find(out, m) == -1 &&
			    out->n < AGENTS_MAX)
				out->member[out->n++] = m;
		}
	}
}

/* --- what a member leaves out --- */

static int
inherit_variables(
    struct agent *a, const struct agent *first, struct arena *arena)
{
	unsigned n = a->variables.n;
	struct named_text *list;

	if (first->variables.n == 0)
		return 0;
	list =
	    arena_alloc(arena, ((size_t)n + first->variables.n) * sizeof *list);
	if (list == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++)
		list[i] = a->variables.at[i];
	for (unsigned i = 0; i < first->variables.n; i++)
		list[n + i] = first->variables.at[i];
	a->variables = (struct named_list){list, n + first->variables.n};
	return 0;
}

static int
inherit(struct agent *a, const struct agent *first, struct arena *arena)
{
	const struct prices *p = &a->prices;

	if (a->sandbox.profile == NULL)
		a->sandbox.profile = first->sandbox.profile;
	if (p->input == 0 && p->cached_input == 0 && p->output == 0)
		a->prices = first->prices;
	return inherit_variables(a, first, arena);
}

/* --- what a member may not do --- */

static int
refuse(const struct agent *a, const struct agent_link *link, const char *what,
    struct complaints *c)
{
	return complain(c, ERROR_CONFIG, a->file, link->line, link->column,
	    "agents.%s: %s", link->name, what);
}

static int
check_profile(
    const struct agent *a, const struct agent_link *link, struct complaints *c)
{
	struct error e;

	if (!link->agent->sandbox.has_profile ||
	    profile_check_narrower(
		link->agent->sandbox.profile, a->sandbox.profile, &e) == 0)
		return 0;
	return refuse(a, link, e.text, c);
}

/* A workspace of its own and somebody else's exclude each other. */
static int
check_share(
    const struct agent *a, const struct agent_link *link, struct complaints *c)
{
	const struct agent *m = link->agent;

	if (!m->sandbox.share)
		return 0;
	if (m->manifest != NULL)
		return refuse(a, link,
		    "sandbox.share and a manifest exclude each other: the "
		    "workspace is that of who starts it",
		    c);
	if (m->sandbox.has_profile)
		return refuse(a, link,
		    "sandbox.share and a profile exclude each other: the "
		    "sandbox is that of who starts it",
		    c);
	return 0;
}

static int
check_links(const struct agent *a, struct complaints *c)
{
	int status = 0;

	for (unsigned i = 0; i < a->agents_n; i++)
		if (check_profile(a, &a->agents[i], c) == -1 ||
		    check_share(a, &a->agents[i], c) == -1)
			status = -1;
	return status;
}

/* --- digests --- */

/* What stands for one agent stands for all that it can come to. */
static void
combine(
    struct agent *a, const struct agent_nursery *n, char own[][HASH_TEXT_MAX])
{
	struct agent_family f;
	struct digest digest;
	struct hash hash;

	agent_family(a, &f);
	hash_init(&hash);
	for (unsigned i = 0; i < f.n; i++) {
		const struct agent *m = f.member[i];
		unsigned at = 0;

		while (n->member[at] != m)
			at++;
		hash_add(&hash, span_of(own[at]));
		for (unsigned k = 0; k < m->agents_n; k++) {
			unsigned char to = (unsigned char)agent_family_find(
			    &f, m->agents[k].agent);

			hash_add(&hash, span_of(m->agents[k].name));
			hash_add(&hash, (struct span){(const char *)&to, 1});
		}
	}
	hash_end(&hash, &digest);
	digest_text(&digest, a->digest);
}

static int
digest_all(struct agent_nursery *n, struct complaints *c)
{
	char own[AGENTS_MAX][HASH_TEXT_MAX];
	int status = 0;

	for (unsigned i = 0; i < n->n; i++) {
		struct agent *a = n->member[i];

		if (table_digest(&agent_table, a, own[i]) == -1)
			status = complain(c, ERROR_TOO_BIG, a->file, 0, 0,
			    "the agent is too large with all that it names");
		memcpy(a->digest, own[i], sizeof a->digest);
	}
	for (unsigned i = 0; status == 0 && i < n->n; i++)
		if (n->member[i]->agents_n > 0)
			combine(n->member[i], n, own);
	return status;
}

int
agent_nursery_finish(
    struct agent_nursery *n, struct arena *arena, struct complaints *c)
{
	int status = 0;

	for (unsigned i = 1; i < n->n; i++)
		if (inherit(n->member[i], n->member[0], arena) == -1)
			return complain(
			    c, ERROR_FULL, NULL, 0, 0, "out of memory");
	for (unsigned i = 0; i < n->n; i++)
		if (check_links(n->member[i], c) == -1)
			status = -1;
	return digest_all(n, c) == -1 ? -1 : status;
}
