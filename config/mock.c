/*
 * Scripts of the scripted model server.
 */

#include "config/mock.h"

#include "config/complaint.h"
#include "config/source.h"
#include "config/table.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "net/json_write.h"

#define COUNT_MAX 1e12
#define MS_MAX 3600000.0

/* --- when --- */

#define WHEN(member) .offset = offsetof(struct mock_when, member)

static const struct field when_fields[] = {
    {"model", FIELD_TEXT, WHEN(model), .doc = "a shell pattern"},
    {"input", FIELD_TEXT, WHEN(input),
	.doc = "a shell pattern over all user messages"},
    {"last_output", FIELD_TEXT, WHEN(last_output),
	.doc = "a shell pattern over the last tool result"},
    {"header", FIELD_NAMED, WHEN(header),
	.doc = "fields of the request and shell patterns"},
    {"turn", FIELD_INT, WHEN(turn), .max = COUNT_MAX, .preset = -1,
	.doc = "how many model turns the request holds"},
    {"attempt", FIELD_INT, WHEN(attempt), .max = COUNT_MAX, .preset = -1,
	.doc = "how often the request was tried before"},
    {.name = NULL},
};

static const struct table when_table = {
    .name = "when",
    .doc = "All given members must hold.",
    .bytes = sizeof(struct mock_when),
    .fields = when_fields,
};

/* --- set --- */

static int
read_from(struct table_reader *r, int v, struct mock_set *set)
{
	struct span from;

	if (json_is(r->doc, v, "input"))
		set->from = MOCK_FROM_INPUT;
	else if (json_is(r->doc, v, "last_output"))
		set->from = MOCK_FROM_LAST_OUTPUT;
	else if (json_type(r->doc, v) == JSON_STRING &&
		 table_text(r, v, &set->header) == 0 &&
		 span_has_prefix(
		     from = span_of(set->header), span_of("header:")) &&
		 from.n > 7) {
		set->from = MOCK_FROM_HEADER;
		set->header += 7;
	} else
		return table_complain(
		    r, v, "must be input, last_output or header:NAME");
	return 0;
}

static int
read_match(struct table_reader *r, int v, struct mock_set *set)
{
	char reason[200];
	int rc;

	if (table_text(r, v, &set->match) == -1)
		return -1;
	set->regex = arena_alloc(r->arena, sizeof *set->regex);
	if (set->regex == NULL)
		return table_complain(r, v, "out of memory");
	rc = regcomp(set->regex, set->match, REG_EXTENDED);
	if (rc == 0)
		return 0;
	regerror(rc, set->regex, reason, sizeof reason);
	set->regex = NULL;
	return table_complain(
	    r, v, "no POSIX extended regular expression: %s", reason);
}

static int
read_one_set(struct table_reader *r, int key, struct mock_set *set)
{
	int v = json_value(r->doc, key), status = 0;

	if (table_text(r, key, &set->name) == -1)
		return -1;
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object of from and match");
	for (int k = json_first(r->doc, v); k != -1;
	     k = json_next(r->doc, v, k)) {
		int value = json_value(r->doc, k);

		if (json_is(r->doc, k, "from"))
			status |= read_from(r, value, set);
		else if (json_is(r->doc, k, "match"))
			status |= read_match(r, value, set);
		else
			status |= table_complain(
			    r, k, "not known here; there are from and match");
	}
	if (json_get(r->doc, v, "from") == -1 ||
	    json_get(r->doc, v, "match") == -1)
		status = table_complain(r, v, "from and match must be given");
	return status;
}

static int
read_set(struct table_reader *r, int v, void *at)
{
	struct mock_rule *rule = at;
	struct mock_set *set;
	int status = 0;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object");
	set = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *set);
	if (set == NULL)
		return table_complain(r, v, "out of memory");
	rule->set = set;
	for (int k = json_first(r->doc, v); k != -1;
	     k = json_next(r->doc, v, k))
		status |= read_one_set(r, k, &set[rule->set_n++]);
	return status;
}

static void
write_set(struct json_writer *w, const char *key, const void *at)
{
	const struct mock_rule *rule = at;
	static const char *const froms[] = {"input", "last_output", "header:"};

	if (rule->set_n == 0)
		return;
	json_put_object(w, key);
	for (unsigned i = 0; i < rule->set_n; i++) {
		const struct mock_set *set = &rule->set[i];

		json_put_object(w, set->name);
		json_write_key(w, "from");
		json_write_string_begin(w);
		json_write_string_add(w, span_of(froms[set->from]));
		if (set->from == MOCK_FROM_HEADER)
			json_write_string_add(w, span_of(set->header));
		json_write_string_end(w);
		json_put_str(w, "match", set->match);
		json_write_end(w);
	}
	json_write_end(w);
}

static void
write_set_member_schema(struct json_writer *w, const char *key, const char *doc)
{
	json_put_object(w, key);
	json_put_str(w, "type", "string");
	json_put_str(w, "description", doc);
	json_write_end(w);
}

static void
write_set_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
	json_put_object(w, "additionalProperties");
	json_put_str(w, "type", "object");
	json_put_object(w, "properties");
	write_set_member_schema(w, "from", "input, last_output or header:NAME");
	write_set_member_schema(w, "match",
	    "a POSIX extended regular expression; its first group counts");
	json_write_end(w);
	json_put_array(w, "required");
	json_write_str(w, "from");
	json_write_str(w, "match");
	json_write_end(w);
	json_put_bool(w, "additionalProperties", 0);
	json_write_end(w);
}

static const struct field_custom set_custom = {
    read_set, write_set, write_set_schema};

/* --- reply --- */

static const char *const reply_kinds[] = {
    [MOCK_TEXT] = "text",
    [MOCK_REASONING] = "reasoning",
    [MOCK_REFUSAL] = "refusal",
    [MOCK_TOOL] = "tool",
    [MOCK_ITEM] = "item",
};

/* Arguments given as a text are sent as they are, JSON or not. */
static int
read_arguments(struct table_reader *r, int v, struct mock_reply *reply)
{
	struct span s;

	if (json_type(r->doc, v) != JSON_STRING)
		return 0;
	if (json_string(r->doc, v, r->arena, &s) == -1)
		return table_complain(r, v, "out of memory");
	reply->arguments = arena_span(r->arena, s);
	return 0;
}

static int
check_reply(struct table_reader *r, int v, void *at)
{
	struct mock_reply *reply = at;
	int given = 0;

	for (int kind = MOCK_TEXT; kind <= MOCK_ITEM; kind++)
		if (json_get(r->doc, v, reply_kinds[kind]) != -1) {
			reply->kind = (enum mock_reply_kind)kind;
			given++;
		}
	if (given != 1)
		return table_complain(r, v,
		    "exactly one of text, reasoning, refusal, tool and item "
		    "must be given");
	if (reply->kind != MOCK_TOOL &&
	    (reply->arguments.n > 0 || reply->input.p != NULL))
		return table_complain(
		    r, v, "arguments and input belong to a tool");
	if (reply->arguments.n > 0 && reply->input.p != NULL)
		return table_complain(r, v,
		    "a function has arguments and a custom tool has input; "
		    "give one of them");
	return read_arguments(r, json_get(r->doc, v, "arguments"), reply);
}

#define REPLY(member) .offset = offsetof(struct mock_reply, member)

static const struct field reply_fields[] = {
    {"text", FIELD_BYTES, REPLY(text), .doc = "a message; ${...} is replaced"},
    {"reasoning", FIELD_BYTES, REPLY(text), .doc = "a summary of reasoning"},
    {"refusal", FIELD_BYTES, REPLY(text), .doc = "a refusal"},
    {"tool", FIELD_TEXT, REPLY(tool), .doc = "the name of a tool to call"},
    {"arguments", FIELD_JSON, REPLY(arguments),
	.doc = "a function's arguments; a text is sent as it is"},
    {"input", FIELD_BYTES, REPLY(input), .doc = "a custom tool's input"},
    {"item", FIELD_JSON, FIELD_OBJECT_ONLY, REPLY(item),
	.doc = "an item of the Responses API, as it is"},
    {.name = NULL},
};

static const struct table reply_table = {
    .name = "reply",
    .doc = "One part of an answer.",
    .bytes = sizeof(struct mock_reply),
    .fields = reply_fields,
    .check = check_reply,
};

/* --- usage, timing, fault --- */

#define USAGE(member) .offset = offsetof(struct mock_usage, member)

static const struct field usage_fields[] = {
    {"input_tokens", FIELD_INT, USAGE(input_tokens), .max = COUNT_MAX,
	.doc = "cached ones included"},
    {"output_tokens", FIELD_INT, USAGE(output_tokens), .max = COUNT_MAX,
	.doc = "reasoning included"},
    {"cached_tokens", FIELD_INT, USAGE(cached_tokens), .max = COUNT_MAX,
	.doc = "of the input"},
    {"reasoning_tokens", FIELD_INT, USAGE(reasoning_tokens), .max = COUNT_MAX,
	.doc = "of the output"},
    {.name = NULL},
};

static const struct table usage_table = {
    .name = "usage",
    .doc = "What the answer claims to have cost; an estimate when absent.",
    .bytes = sizeof(struct mock_usage),
    .fields = usage_fields,
};

#define TIMING(member) .offset = offsetof(struct mock_timing, member)

static const struct field timing_fields[] = {
    {"first_byte_ms", FIELD_INT, TIMING(first_byte_ms), .max = MS_MAX,
	.doc = "before anything is sent"},
    {"chunk_ms", FIELD_INT, TIMING(chunk_ms), .max = MS_MAX,
	.doc = "between two pieces of a stream"},
    {"chunk_chars", FIELD_INT, TIMING(chunk_chars), .min = 1, .max = 1e6,
	.preset = 16, .doc = "characters of a piece"},
    {"jitter", FIELD_REAL, TIMING(jitter), .max = 1,
	.doc = "each delay varies by up to this part of it"},
    {"seed", FIELD_INT, TIMING(seed), .max = COUNT_MAX, .doc = "of the jitter"},
    {.name = NULL},
};

static const struct table timing_table = {
    .name = "timing",
    .doc = "How fast the answer comes.",
    .bytes = sizeof(struct mock_timing),
    .fields = timing_fields,
};

static const char *const then_names[] = {
    [MOCK_NOTHING] = "nothing",
    [MOCK_RESET] = "reset",
    [MOCK_CLOSE] = "close",
    [MOCK_STALL] = "stall",
    [MOCK_GARBAGE] = "garbage",
    [MOCK_GOAWAY] = "goaway",
    NULL,
};

static int
check_fault(struct table_reader *r, int v, void *at)
{
	struct mock_fault *f = at;

	if (f->after_bytes == -1 && f->then != MOCK_NOTHING)
		return table_complain(r, json_get(r->doc, v, "then"),
		    "needs after_bytes, which says when");
	return 0;
}

#define FAULT(member) .offset = offsetof(struct mock_fault, member)

static const struct field fault_fields[] = {
    {"status", FIELD_INT, FAULT(status), .min = 200, .max = 599,
	.doc = "an HTTP status instead of 200"},
    {"headers", FIELD_NAMED, FAULT(headers), .doc = "more header fields"},
    {"body", FIELD_JSON, FAULT(body), .doc = "a body instead of an answer"},
    {"after_bytes", FIELD_INT, FAULT(after_bytes), .max = COUNT_MAX,
	.preset = -1,
	.doc = "bytes of the body that are sent before `then`; with 0 not even "
	       "the head"},
    {"then", FIELD_CHOICE, FAULT(then), .names = then_names,
	.doc =
	    "how the answer breaks off; garbage over HTTP/2 breaks the whole "
	    "connection; goaway lets answers end, and then the connection"},
    {"bytes_per_second", FIELD_INT, FAULT(bytes_per_second), .max = 1e9,
	.doc = "the body's speed"},
    {.name = NULL},
};

static const struct table fault_table = {
    .name = "fault",
    .doc = "What goes wrong.",
    .bytes = sizeof(struct mock_fault),
    .fields = fault_fields,
    .check = check_fault,
};

/* --- the limit --- */

#define STEP(member) .offset = offsetof(struct mock_step, member)

static const struct field step_fields[] = {
    {"after", FIELD_INT, FIELD_REQUIRED, STEP(after), .max = COUNT_MAX,
	.doc = "so many requests were let in"},
    {"max", FIELD_INT, FIELD_REQUIRED, STEP(max), .max = COUNT_MAX,
	.doc = "requests at once from then on; 0: no limit"},
    {.name = NULL},
};

static const struct table step_table = {
    .name = "in_flight_step",
    .doc = "A change of in_flight_max.",
    .bytes = sizeof(struct mock_step),
    .fields = step_fields,
};

static int
check_script(struct table_reader *r, int v, void *at)
{
	const struct mock_script *s = at;

	for (unsigned i = 1; i < s->step_n; i++)
		if (s->step[i].after <= s->step[i - 1].after)
			return table_complain(r,
			    json_get(r->doc, v, "in_flight_steps"),
			    "each step must come after the one before it");
	return 0;
}

/* --- the script --- */

#define RULE(member) .offset = offsetof(struct mock_rule, member)

static const struct field rule_fields[] = {
    {"when", FIELD_OBJECT, RULE(when), .table = &when_table,
	.doc = "which requests the rule answers; absent: all"},
    {"set", FIELD_CUSTOM, .custom = &set_custom,
	.doc = "names for parts of the request"},
    {"reply", FIELD_LIST, RULE(reply),
	.offset_n = offsetof(struct mock_rule, reply_n), .table = &reply_table,
	.doc = "the parts of the answer, in order"},
    {"usage", FIELD_OBJECT, RULE(usage), .table = &usage_table,
	.doc = "what the answer claims to have cost"},
    {"timing", FIELD_OBJECT, RULE(timing), .table = &timing_table,
	.doc = "how fast the answer comes"},
    {"fault", FIELD_OBJECT, RULE(fault), .table = &fault_table,
	.doc = "what goes wrong"},
    {.name = NULL},
};

static const struct table rule_table = {
    .name = "rule",
    .doc = "How some requests are answered.",
    .bytes = sizeof(struct mock_rule),
    .fields = rule_fields,
};

static const char *const certificate_names[] = {
    [MOCK_CERTIFICATE_GOOD] = "good",
    [MOCK_CERTIFICATE_EXPIRED] = "expired",
    [MOCK_CERTIFICATE_FUTURE] = "future",
    [MOCK_CERTIFICATE_OTHER_HOST] = "other_host",
    [MOCK_CERTIFICATE_UNKNOWN] = "unknown",
    NULL,
};

#define SCRIPT(member) .offset = offsetof(struct mock_script, member)

static const struct field script_fields[] = {
    {"$schema", FIELD_NOTHING, .doc = "where an editor finds the schema"},
    {"models", FIELD_TEXTS, SCRIPT(models), .doc = "names for /v1/models"},
    {"in_flight_max", FIELD_INT, SCRIPT(in_flight_max), .max = COUNT_MAX,
	.doc = "requests at once; beyond it, 429 with Retry-After"},
    {"in_flight_steps", FIELD_LIST, SCRIPT(step),
	.offset_n = offsetof(struct mock_script, step_n), .table = &step_table,
	.doc = "how in_flight_max changes as requests are let in"},
    {"certificate", FIELD_CHOICE, SCRIPT(certificate),
	.names = certificate_names,
	.doc = "of --tls, and what is wrong with it; unknown: nobody of "
	       "ca_file has signed it"},
    {"rules", FIELD_LIST, FIELD_REQUIRED, SCRIPT(rules),
	.offset_n = offsetof(struct mock_script, rules_n), .table = &rule_table,
	.doc = "the first whose `when` holds answers"},
    {.name = NULL},
};

const struct table mock_table = {
    .name = "mock",
    .doc = "A script of the scripted model server, skep mock.",
    .bytes = sizeof(struct mock_script),
    .fields = script_fields,
    .check = check_script,
};

const struct mock_script *
mock_script_load(struct arena *arena, const char *path, struct complaints *c)
{
	struct mock_script *script = arena_alloc(arena, sizeof *script);
	struct table_reader r = {.arena = arena, .complaints = c};
	unsigned before = c->n;
	struct source s;

	if (script == NULL) {
		complain(c, ERROR_FULL, path, 0, 0, "out of memory");
		return NULL;
	}
	if (source_open(&s, arena, path, c) == -1)
		return NULL;
	r.file = s.file;
	r.folder = s.folder;
	r.doc = &s.doc;
	if (table_read(&r, &mock_table, 0, script) == -1 || c->n > before) {
		mock_script_release(script);
		script = NULL;
	}
	source_release(&s);
	return script;
}

void
mock_script_release(const struct mock_script *s)
{
	for (unsigned i = 0; s != NULL && i < s->rules_n; i++)
		for (unsigned k = 0; k < s->rules[i].set_n; k++)
			if (s->rules[i].set[k].regex != NULL)
				regfree(s->rules[i].set[k].regex);
}
