#include "engine/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/table.h"
#include "engine/base/check.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/prompt.h"
#include "engine/role.h"
#include "engine/sched.h"
#include "net/item.h"
#include "net/json.h"
#include "net/utf8.h"
#include "tools/truncate.h"

/* What phase one is shown of a rollout. */
#define ROLLOUT_TOKENS 150000
#define INPUT_MAX (4 * ROLLOUT_TOKENS * (size_t)TRUNCATE_TOKEN_BYTES)

/* Where phase two's results are until they are taken over. */
#define STAGING "staging"

extern const char tools_memory_phase_one_txt[], tools_memory_phase_one_json[],
    tools_memory_phase_two_txt[];

static const char *const phase_two_tools[] = {"exec_command", "apply_patch"};
static const char *const phase_two_outputs[] = {MEMORY_FILES "/"};

/* --- the agents of the two phases --- */

/* Their identity: the agent's, which phase, and what it is told. */
static void
make_digest(struct agent *a, const struct agent *of, const char *told)
{
	struct digest digest;
	struct hash h;

	hash_init(&h);
	hash_add(&h, span_of(of->digest));
	hash_add(&h, span_of(a->name));
	hash_add(&h, span_of(a->model.name));
	hash_add(&h, span_of(told));
	hash_end(&h, &digest);
	digest_text(&digest, a->digest);
}

/*
 * From nothing, not from a copy: whatever the agent may have or come to have,
 * these have only what is named here.
 */
static int
make_agent(struct keeper *k, struct agent *a, const struct agent *of,
    const struct memory_phase *phase, const char *what, const char *told)
{
	table_defaults(&agent_table, a);
	a->file = of->file;
	a->folder = of->folder;
	a->name = arena_printf(&k->arena, "%s (%s)", of->name, what);
	a->model = of->model;
	if (phase->model != NULL)
		a->model.name = phase->model;
	a->instructions = span_trim(span_of(told));
	a->agents_md = 0;
	a->sandbox = of->sandbox;
	a->budget = phase->budget;
	a->prices = of->prices;
	if (a->name == NULL)
		return -1;
	make_digest(a, of, told);
	return 0;
}

static int
make_agents(struct keeper *k, const struct agent *of)
{
	struct agent *one = &k->phase_agent[0], *two = &k->phase_agent[1];

	if (make_agent(k, one, of, &of->memory.phase_one, "memory: extract",
		tools_memory_phase_one_txt) == -1 ||
	    make_agent(k, two, of, &of->memory.phase_two, "memory: consolidate",
		tools_memory_phase_two_txt) == -1)
		return -1;
	one->answer_schema = span_trim(span_of(tools_memory_phase_one_json));
	two->tools = (struct text_list){phase_two_tools, 2};
	two->outputs = (struct text_list){phase_two_outputs, 1};
	return 0;
}

/* --- what is to be done --- */

static void
trouble(struct keeper *k, const struct error *e)
{
	if (k->error.code == ERROR_NONE)
		k->error = *e;
}

static void
add_pending(struct keeper *k, struct span id)
{
	char *slot;

	if (!memory_id_is_fine(id))
		return;
	if (k->n == KEEPER_PENDING_MAX) {
		k->has_overflowed = 1;
		return;
	}
	slot = k->pending[(k->first + k->n++) % KEEPER_PENDING_MAX];
	memcpy(slot, id.p, id.n);
	slot[id.n] = '\0';
}

static int
found_session(const struct memory_entry *entry, void *owner)
{
	struct keeper *k = owner;
	struct span id = span_of(entry->name);
	char raw[MEMORY_ID_MAX + 64];

	if (entry->is_folder || !span_has_suffix(id, span_of(".jsonl")))
		return 0;
	id.n -= 6;
	if (!memory_id_is_fine(id))
		return 0;
	snprintf(raw, sizeof raw, MEMORY_RAW "/%.*s.md", (int)id.n, id.p);
	if (!memory_has(&k->memory, raw))
		add_pending(k, id);
	return k->has_overflowed;
}

/* --- life --- */

int
keeper_open(struct keeper *k, struct supplies *s, const struct agent *agent,
    const char *state, struct error *e)
{
	memset(k, 0, sizeof *k);
	if (!agent->memory.is_on || !agent->memory.generate)
		return 0;
	arena_init(&k->arena, 4 * MIB);
	k->supplies = s;
	k->pending = calloc(KEEPER_PENDING_MAX, sizeof *k->pending);
	if (k->pending == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for a memory");
	if (memory_locate(&k->memory, state, agent->memory.name, e) == -1 ||
	    memory_make(&k->memory, e) == -1)
		return -1;
	if (make_agents(k, agent) == -1)
		return error_set(e, ERROR_FULL, 0, "no memory for a memory");
	k->agent = agent;
	return 0;
}

int
keeper_is_on(const struct keeper *k)
{
	return k != NULL && k->agent != NULL;
}

void
keeper_start(struct keeper *k, const struct role *role)
{
	struct memory_selection sel;
	struct error e;

	k->role = role;
	if (memory_each(&k->memory, MEMORY_SESSIONS, found_session, k, &e) ==
	    -1)
		trouble(k, &e);
	if (memory_select(&k->memory, (unsigned)k->agent->memory.kept, &sel,
		NULL, &e) == -1)
		trouble(k, &e);
	else
		k->must_consolidate = sel.added + sel.removed > 0;
}

void
keeper_take(struct keeper *k, const struct errand *er)
{
	struct error e;
	int kept;

	if (!keeper_is_on(k) || er->owner == k || er->family.depth > 0 ||
	    er->first != &k->supplies->role[0])
		return;
	kept = memory_add_rollout(&k->memory, er, &e);
	if (kept == -1)
		trouble(k, &e);
	else if (kept == 0)
		add_pending(k, span_of(er->id));
}

void
keeper_look_again(struct keeper *k)
{
	struct error e;

	if (!keeper_is_on(k) || !k->has_overflowed || k->n > 0 ||
	    k->errand != NULL || k->is_stopped)
		return;
	k->has_overflowed = 0;
	if (memory_each(&k->memory, MEMORY_SESSIONS, found_session, k, &e) ==
	    -1)
		trouble(k, &e);
}

int
keeper_is_busy(const struct keeper *k)
{
	return keeper_is_on(k) &&
	       (k->errand != NULL ||
		   (!k->is_stopped && (k->n > 0 || k->must_consolidate)));
}

void
keeper_stop(struct keeper *k)
{
	k->is_stopped = 1;
}

void
keeper_close(struct keeper *k)
{
	free(k->pending);
	k->pending = NULL;
	if (keeper_is_on(k))
		arena_release(&k->arena);
	k->agent = NULL;
}

/* --- phase one --- */

/* The three texts of its answer; they live as long as er does. */
static int
read_note(struct errand *er, struct memory_note *note)
{
	static const char *const names[] = {
	    "rollout_slug", "rollout_summary", "raw_memory"};
	struct span *to[] = {&note->slug, &note->summary, &note->raw};
	struct json_doc d;
	struct error ignored;
	int status = 0;

	json_doc_init(&d);
	if (json_parse(&d, er->answer, 0, &ignored) == -1)
		status = -1;
	for (size_t i = 0; i < 3 && status == 0; i++) {
		struct span s = {NULL, 0};

		status =
		    json_string(&d, json_get(&d, 0, names[i]), &er->keep, &s);
		*to[i] = s;
	}
	json_doc_release(&d);
	return status;
}

/* It will not go better another time: look at it no more. */
static int
is_final(enum error_code code)
{
	return code == ERROR_MODEL_REFUSED || code == ERROR_MODEL_INCOMPLETE ||
	       code == ERROR_MODEL_PROTOCOL || code == ERROR_MODEL_REJECTED ||
	       code == ERROR_BUDGET_TURNS || code == ERROR_BUDGET_TOKENS ||
	       code == ERROR_BUDGET_USD || code == ERROR_BUDGET_WALL;
}

static void
extracted(struct keeper *k, struct errand *er)
{
	struct memory_note note = {.rollout = k->current,
	    .slug = span_of(""),
	    .summary = span_of(""),
	    .raw = span_of(""),
	    .state = k->state,
	    .at_ms = errand_now()};
	const struct error *why = er->result.error;
	struct error e;

	if (er->result.status != RUN_FINISHED) {
		if (why != NULL)
			trouble(k, why);
		if (why == NULL || !is_final(why->code)) {
			k->is_stopped = 1;
			return;
		}
	} else if (read_note(er, &note) == -1) {
		note.raw = span_of("");
	}
	if (memory_add_note(&k->memory, &note, &e) == -1)
		trouble(k, &e);
	else if (note.raw.n > 0)
		k->must_consolidate = 1;
}

/* How the rollout ended, by its last line. */
static const char *
state_in(struct span rollout)
{
	static const char *const states[] = {"completed", "interrupted",
	    "cancelled", "failed", "max_turns_exceeded", "guardrail_tripped"};
	static const char key[] = "\"terminal_state\":\"";
	struct span s = {NULL, 0};
	size_t at = 0;

	/* Within a text the quotes would be escaped. */
	while ((at = span_search(rollout, span_of(key), at)) < rollout.n) {
		at += sizeof key - 1;
		s = span_slice(rollout, at, span_find(rollout, '"', at));
	}
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (span_is(s, states[i]))
			return states[i];
	return "failed";
}

/* What phase one is told of the rollout in k->current; -1: it is gone. */
static int
describe_rollout(struct keeper *k, struct text *out)
{
	char path[MEMORY_ID_MAX + 32];
	struct truncate_source source;
	struct text file, valid, cut;
	struct error e;
	uint64_t tokens;
	int status = 0;

	snprintf(path, sizeof path, MEMORY_SESSIONS "/%s.jsonl", k->current);
	text_init(&file, 2 * MEMORY_FILE_MAX);
	text_init(&valid, 6 * MEMORY_FILE_MAX);
	text_init(&cut, INPUT_MAX);
	if (memory_load(&k->memory, path, &file, &e) == -1 &&
	    e.code != ERROR_TOO_BIG) {
		trouble(k, &e);
		status = -1;
	}
	k->state = state_in(text_span(&file));
	utf8_add_valid(&valid, text_span(&file));
	source = (struct truncate_source){.text = text_span(&valid),
	    .lines = truncate_lines(text_span(&valid))};
	(void)truncate_add(&cut, &source, ROLLOUT_TOKENS, &tokens);
	text_printf(out,
	    "This is the rollout %s, one JSON object for each attempt; it "
	    "ended as `%s`.\n\n<rollout>\n",
	    k->current, k->state);
	prompt_put_data(out, text_span(&cut), "</rollout");
	text_add_str(out, "\n</rollout>");
	text_release(&cut);
	text_release(&valid);
	text_release(&file);
	return status;
}

/* --- phase two --- */

static void
consolidated(struct keeper *k, struct errand *er)
{
	const struct error *why = er->result.error;
	struct error e;

	if (er->result.status != RUN_FINISHED) {
		if (why != NULL)
			trouble(k, why);
	} else if (memory_install(&k->memory, STAGING "/" MEMORY_FILES, &e) ==
		       -1 ||
		   memory_select_done(&k->memory,
		       (unsigned)k->agent->memory.kept, errand_now(),
		       &e) == -1) {
		trouble(k, &e);
	}
	memory_remove(&k->memory, STAGING);
}

/* What phase two is told; 0: there is nothing for it to do, -1. */
static int
describe_selection(struct keeper *k, struct text *out)
{
	struct memory_selection sel;
	struct error e;
	struct text changes;
	int status = 1;

	text_init(&changes, 1 * MIB);
	if (memory_select(&k->memory, (unsigned)k->agent->memory.kept, &sel,
		&changes, &e) == -1) {
		trouble(k, &e);
		status = -1;
	} else if (sel.added + sel.removed == 0) {
		status = 0;
	} else {
		text_printf(out,
		    "Bring the memory up to date. It is made of %u rollouts: "
		    "%u added since the last time, %u retained, %u removed.\n\n",
		    sel.selected, sel.added, sel.retained, sel.removed);
		text_add(out, text_span(&changes));
	}
	text_release(&changes);
	return status;
}

/* --- running them --- */

static void
phase_ended(struct errand *er)
{
	struct keeper *k = er->owner;

	CHECK(k->errand == er);
	if (k->phase == KEEPER_ONE)
		extracted(k, er);
	else
		consolidated(k, er);
	k->errand = NULL;
	k->phase = KEEPER_IDLE;
	sched_wake(k->supplies->sched);
}

static const struct errand_watch watch = {.ended = phase_ended};

/* The one item that a phase begins with: what it is told, as it is. */
static int
give_task(struct keeper *k, struct errand *er, enum keeper_phase phase,
    struct span told)
{
	struct text items;
	struct hash h;

	text_init(&items, 8 * INPUT_MAX);
	text_add_char(&items, '[');
	item_write_message(&items, "user", told);
	text_add_char(&items, ']');
	er->task.items = arena_span(&er->keep, text_span(&items));
	text_release(&items);
	hash_init(&h);
	hash_add(&h, told);
	hash_end(&h, &er->task.digest);
	er->outputs_dir =
	    arena_printf(&er->keep, "%s/" STAGING, k->memory.path);
	if (phase == KEEPER_TWO)
		er->task.manifest = memory_manifest(&k->memory, 1, &er->keep);
	return arena_overflowed(&er->keep) ? -1 : 0;
}

static int
start(struct keeper *k, struct errand *er, enum keeper_phase phase,
    struct span told)
{
	struct error e;

	if (give_task(k, er, phase, told) == -1) {
		error_set(&e, ERROR_FULL, 0, "no room for a run that learns");
		trouble(k, &e);
		return -1;
	}
	er->watch = &watch;
	er->role = er->first = &k->role[phase == KEEPER_ONE ? 0 : 1];
	k->errand = er;
	k->phase = phase;
	errand_admit(er, NULL, NULL);
	return 0;
}

static int
start_one(struct keeper *k, struct errand *er)
{
	struct text told;
	int status;

	memcpy(k->current, k->pending[k->first], sizeof k->current);
	k->first = (k->first + 1) % KEEPER_PENDING_MAX;
	k->n--;
	text_init(&told, 4 * INPUT_MAX);
	status = describe_rollout(k, &told);
	if (status == 0)
		status = start(k, er, KEEPER_ONE, text_span(&told));
	text_release(&told);
	return status;
}

static int
start_two(struct keeper *k, struct errand *er)
{
	struct text told;
	int status = -1;

	k->must_consolidate = 0;
	memory_remove(&k->memory, STAGING);
	text_init(&told, 2 * MIB);
	if (describe_selection(k, &told) == 1)
		status = start(k, er, KEEPER_TWO, text_span(&told));
	text_release(&told);
	return status;
}

void
keeper_feed(struct keeper *k)
{
	struct errand *er;

	if (!keeper_is_on(k) || k->is_stopped || k->errand != NULL ||
	    (k->n == 0 && !k->must_consolidate) ||
	    sched_room(k->supplies->sched) == 0)
		return;
	er = errand_new(k->supplies, k);
	if (er == NULL)
		return; /* somebody will go, and then there is room */
	if ((k->n > 0 ? start_one(k, er) : start_two(k, er)) == 0)
		return;
	errand_drop(er);
	sched_wake(k->supplies->sched); /* for what comes after it */
}
