#include "engine/family.h"

#include <stdarg.h>
#include <string.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/handoff.h"
#include "engine/role.h"
#include "engine/sched.h"
#include "sandbox/sandbox.h"

void
family_init(struct family *f)
{
	list_init(&f->alive);
	list_init(&f->started);
}

/* --- limits --- */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What er's agents of then and now both allow. */
static struct agent_subagents
limits_of(const struct errand *er)
{
	const struct agent_subagents *first = &er->first->agent->subagents;
	const struct agent_subagents *now = &er->role->agent->subagents;

	return (struct agent_subagents){
	    .depth = least(first->depth, now->depth),
	    .at_once = least(first->at_once, now->at_once),
	    .total = least(first->total, now->total),
	};
}

static int __attribute__((format(printf, 2, 3)))
refuse(struct text *complaint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(complaint, fmt, ap);
	va_end(ap);
	return -1;
}

/* Every run from er to the top has a say on what is started below it. */
static int
check_limits(const struct errand *er, struct text *complaint)
{
	int64_t levels = 1;

	if ((int64_t)er->family.working >= limits_of(er).at_once)
		return refuse(complaint,
		    "%lld agents of yours are at work, which is the most; wait "
		    "for one of them to end",
		    (long long)limits_of(er).at_once);
	for (const struct errand *up = er; up != NULL;
	     up = up->family.parent, levels++) {
		struct agent_subagents most = limits_of(up);

		if (levels > most.depth)
			return refuse(complaint,
			    "agents may be started %lld deep, and you are that "
			    "deep; do the work yourself",
			    (long long)most.depth);
		if ((int64_t)up->family.below >= most.total)
			return refuse(complaint,
			    "%lld agents have been started for this task, which "
			    "is the most; do the work yourself",
			    (long long)most.total);
	}
	return 0;
}

int
family_has_room(const struct errand *er)
{
	return (int64_t)er->family.alive.length < limits_of(er).at_once;
}

/* --- birth --- */

/* The role of the agent that er knows by this name; NULL: its own. */
static const struct role *
role_of(const struct errand *er, struct span name, struct text *complaint)
{
	const struct agent *a = er->role->agent;

	if (name.n == 0)
		return er->role;
	for (unsigned i = 0; i < a->agents_n; i++)
		if (span_is(name, a->agents[i].name))
			return supplies_role(er->supplies, a->agents[i].agent);
	text_printf(complaint, "there is no agent \"%.*s\"",
	    (int)(name.n < 64 ? name.n : 64), name.p);
	for (unsigned i = 0; i < a->agents_n; i++)
		text_printf(complaint, "%s%s", i == 0 ? "; there are: " : ", ",
		    a->agents[i].name);
	return NULL;
}

/*
 * In er's sandbox: what er was told of it, and the variables of its manifest,
 * but none of the secrets; these are still looked for in what is answered.
 */
static int
share(struct errand *child, const struct errand *er)
{
	struct environment *env = &child->environment;

	child->sandbox = er->sandbox;
	child->shares_sandbox = 1;
	child->was_surveyed = er->was_surveyed;
	child->found = er->found;
	if (environment_init(
		env, &child->keep, er->manifest, er->environment.secrets) == -1)
		return -1;
	env->manifest = NULL;
	return 0;
}

/* In er's sandbox, or under which profile in one of its own. */
static int
place(struct errand *child, const struct errand *er, struct text *complaint)
{
	const struct agent_sandbox *s = &child->role->agent->sandbox;
	struct error e;

	child->profile = s->has_profile ? s->profile : er->profile;
	if (profile_check_narrower(child->profile, er->profile, &e) == -1) {
		text_printf(complaint, "the agent %s may not be started: %s",
		    child->role->agent->name, e.text);
		return -1;
	}
	if (!s->share || !run_has_sandbox(er->run) || share(child, er) == 0)
		return 0;
	text_add_str(complaint, "there is no memory for another agent");
	return -1;
}

static int
copy_variables(struct errand *child, const struct named_list *from)
{
	struct named_text *list =
	    arena_alloc(&child->keep, (from->n + 1) * sizeof *list);

	if (list == NULL)
		return -1;
	for (unsigned i = 0; i < from->n; i++) {
		struct span v = from->at[i].value;

		list[i].name = arena_strndup(
		    &child->keep, from->at[i].name, strlen(from->at[i].name));
		list[i].value.p = arena_strndup(&child->keep, v.p, v.n);
		list[i].value.n = v.n;
	}
	child->task.variables = (struct named_list){list, from->n};
	return arena_overflowed(&child->keep) ? -1 : 0;
}

/* Its task: the input, and what er's task gives to every agent. */
static int
give_task(struct errand *child, const struct errand *er, struct span input)
{
	struct survey_found *f = &child->found;
	struct span *found[] = {&f->tree, &f->rules, &f->skills, &f->memory};

	child->task.input = arena_span(&child->keep, input);
	child->task.line = er->task.line;
	if (er->task.custom_id.n > 0)
		child->task.custom_id =
		    arena_span(&child->keep, er->task.custom_id);
	for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
		if (found[i]->n > 0)
			*found[i] = arena_span(&child->keep, *found[i]);
	hash_of(input, &child->task.digest);
	return copy_variables(child, &er->task.variables);
}

static struct child *
new_record(struct errand *er, struct errand *child, struct span name)
{
	struct child *c = arena_alloc(&er->keep, sizeof *c);

	if (c == NULL)
		return NULL;
	c->errand = child;
	c->told.agent = name.n == 0 ? er->role->agent->name
				    : arena_strndup(&er->keep, name.p, name.n);
	return c->told.agent == NULL ? NULL : c;
}

static void
file(struct errand *child, struct errand *er, struct child *record)
{
	child->family.parent = er;
	child->family.depth = er->family.depth + 1;
	child->family.record = record;
	list_append(&er->family.alive, &child->family.in_parent);
	list_append(&er->family.started, &record->link);
	er->family.working++;
	for (struct errand *up = er; up != NULL; up = up->family.parent)
		up->family.below++;
}

/* The one that a task's owner watches; NULL when it is over. */
static struct errand *
top_of(struct errand *er)
{
	while (er->family.parent != NULL)
		er = er->family.parent;
	return er->is_over ? NULL : er;
}

static void
tell_started(struct errand *child)
{
	struct errand *top = top_of(child);

	if (top != NULL && top->watch->child_started != NULL)
		top->watch->child_started(top, child);
}

static void
tell_ended(struct errand *child)
{
	struct errand *top = top_of(child);

	if (top != NULL && top->watch->child_ended != NULL)
		top->watch->child_ended(top, child);
}

static struct subagent *
start(void *owner, struct span name, struct span input, struct text *complaint)
{
	struct errand *er = owner;
	const struct role *role = role_of(er, name, complaint);
	struct errand *child;
	struct child *record;

	if (role == NULL || check_limits(er, complaint) == -1)
		return NULL;
	child = errand_new(er->supplies, NULL);
	if (child == NULL) {
		text_add_str(complaint,
		    "too many agents are at work just now; try again later");
		return NULL;
	}
	child->role = child->first = role;
	record = new_record(er, child, name);
	if (place(child, er, complaint) == -1) {
		errand_drop(child);
		return NULL;
	}
	if (record == NULL || give_task(child, er, input) == -1) {
		text_add_str(complaint, "there is no memory for another agent");
		errand_drop(child);
		return NULL;
	}
	child->family.depth = er->family.depth + 1;
	if (errand_admit_child(child) == -1) {
		text_add_str(complaint,
		    "too many agents are at work just now; try again later");
		errand_drop(child);
		return NULL;
	}
	file(child, er, record);
	record->told.id = arena_strndup(&er->keep, child->id, RUN_ID_HEX);
	tell_started(child);
	return &record->told;
}

/* --- life --- */

static struct subagent *
at(void *owner, unsigned i)
{
	const struct errand *er = owner;
	const struct list *started = &er->family.started;
	struct list_node *n = list_first(started);

	for (; n != NULL && i > 0; i--)
		n = list_next(started, n);
	return n == NULL ? NULL : &container_of(n, struct child, link)->told;
}

static void
cancel(void *owner, struct subagent *s)
{
	struct child *c = container_of(s, struct child, told);

	(void)owner;
	if (c->errand != NULL)
		run_post(c->errand->run, RUN_EV_CANCEL);
}

const struct tool_agents family_ports = {
    .transfer = handoff_ask,
    .start = start,
    .at = at,
    .cancel = cancel,
};

void
family_count_tokens(struct errand *er, const struct call_tokens *tokens)
{
	const struct prices *p = &er->role->agent->prices;

	for (; er != NULL; er = er->family.parent)
		spending_add(&er->spent, p, tokens);
}

void
family_count_tool_call(struct errand *er)
{
	for (; er != NULL; er = er->family.parent)
		er->spent.tool_calls++;
}

int
family_afford(const struct errand *er, struct error *e)
{
	const struct prices *p = &er->role->agent->prices;
	const struct errand *up = er->family.parent;

	for (; up != NULL; up = up->family.parent) {
		struct budget b = up->budget;

		b.turns = 0; /* of its own, as er has */
		if (budget_afford(&b, p, &up->spent, &er->last, e) == -1)
			return -1;
	}
	return 0;
}

/* --- death --- */

static void
tell_parent(struct errand *er)
{
	struct errand *parent = er->family.parent;
	struct child *c = er->family.record;

	parent->family.working--;
	if (parent->is_over)
		return; /* and its memory has gone */
	c->errand = NULL;
	switch (er->result.status) {
	case RUN_FINISHED:
		c->told.status = SUBAGENT_FINISHED;
		c->told.output = arena_span(&parent->keep, er->answer);
		break;
	case RUN_CANCELLED:
		c->told.status = SUBAGENT_CANCELLED;
		break;
	default:
		c->told.status = SUBAGENT_FAILED;
	}
	if (er->result.error != NULL) {
		const char *text = arena_printf(&parent->keep, "%s: %s",
		    error_name(er->result.error->code), er->result.error->text);

		c->told.trouble = span_of(text == NULL ? "" : text);
	}
	if (parent->toolbox != NULL)
		toolbox_subagent_ended(parent->toolbox);
}

void
family_ended(struct errand *er)
{
	struct list *alive = &er->family.alive;

	for (struct list_node *n = list_first(alive); n != NULL;
	     n = list_next(alive, n)) {
		struct errand *child =
		    container_of(n, struct errand, family.in_parent);

		if (!child->is_over)
			run_post(child->run, RUN_EV_CANCEL);
	}
	if (er->family.parent != NULL) {
		tell_ended(er);
		tell_parent(er);
	}
}

int
family_lets_go(struct errand *er)
{
	er->family.may_go = er->family.alive.length > 0;
	return !er->family.may_go;
}

void
family_left(struct errand *er)
{
	struct errand *parent = er->family.parent;

	if (parent == NULL)
		return;
	list_remove(&parent->family.alive, &er->family.in_parent);
	if (!parent->is_over)
		errand_go_on_calling(parent);
	if (parent->family.may_go && parent->family.alive.length == 0) {
		parent->family.may_go = 0;
		errand_bury(parent);
	}
}
