#include "engine/mock/rule.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/mock/ask.h"
#include "net/json_write.h"
#include "net/utf8.h"

#define FILLED_MAX (16 * MIB) /* one reply, its template filled in */

/* --- matching --- */

static int
glob(const char *pattern, const char *text)
{
	return pattern == NULL || fnmatch(pattern, text, 0) == 0;
}

static const char *
string(struct text *t)
{
	return t->p == NULL ? "" : t->p;
}

static int
headers_match(const struct named_list *wanted, struct mock_ask *ask)
{
	for (unsigned i = 0; i < wanted->n; i++) {
		struct span value = mock_ask_header(ask, wanted->at[i].name);
		char *text;

		if (value.p == NULL)
			return 0;
		text = arena_strndup(&ask->arena, value.p, value.n);
		if (text == NULL || !glob(wanted->at[i].value.p, text))
			return 0;
	}
	return 1;
}

static int
holds(const struct mock_when *w, struct mock_ask *ask)
{
	const char *model;

	if (w->turn >= 0 && w->turn != ask->turn)
		return 0;
	if (w->attempt >= 0 && w->attempt != ask->attempt)
		return 0;
	model = arena_strndup(&ask->arena, ask->model.p, ask->model.n);
	return model != NULL && glob(w->model, model) &&
	       glob(w->input, string(&ask->input)) &&
	       glob(w->last_output, string(&ask->last_output)) &&
	       headers_match(&w->header, ask);
}

const struct mock_rule *
mock_rule_find(const struct mock_script *script, struct mock_ask *ask)
{
	for (unsigned i = 0; i < script->rules_n; i++)
		if (holds(&script->rules[i].when, ask))
			return &script->rules[i];
	return NULL;
}

/* --- names and their values --- */

/* The first group of the expression in a part of the request. */
static struct span
set_value(const struct mock_set *set, struct mock_ask *ask)
{
	struct span from = {NULL, 0};
	regmatch_t match[2];
	const char *text = "";

	switch (set->from) {
	case MOCK_FROM_INPUT:
		text = string(&ask->input);
		break;
	case MOCK_FROM_LAST_OUTPUT:
		text = string(&ask->last_output);
		break;
	case MOCK_FROM_HEADER:
		from = mock_ask_header(ask, set->header);
		text = arena_strndup(&ask->arena, from.p, from.n);
		break;
	}
	if (text == NULL || regexec(set->regex, text, 2, match, 0) != 0)
		return (struct span){"", 0};
	if (match[1].rm_so == -1) /* no group: the whole match */
		match[1] = match[0];
	return (struct span){
	    text + match[1].rm_so, (size_t)(match[1].rm_eo - match[1].rm_so)};
}

/* 1 when name is known. */
static int
value_of(const struct mock_rule *rule, struct mock_ask *ask, struct span name,
    struct span *out)
{
	for (unsigned i = 0; i < rule->set_n; i++)
		if (span_is(name, rule->set[i].name)) {
			*out = set_value(&rule->set[i], ask);
			return 1;
		}
	if (span_is(name, "input"))
		*out = text_span(&ask->input);
	else if (span_is(name, "last_output"))
		*out = text_span(&ask->last_output);
	else if (span_is(name, "turn"))
		*out =
		    span_of(arena_printf(&ask->arena, "%" PRId64, ask->turn));
	else
		return 0;
	return 1;
}

/*
 * The template with ${name} replaced, escaped where it stands inside JSON;
 * names that are nobody's stay, since scripts of shells have them, too.
 */
static struct span
fill(const struct mock_rule *rule, struct mock_ask *ask, struct span from,
    int is_json)
{
	struct span mark = {"${", 2}, value;
	struct text out;
	size_t at = 0;

	if (span_search(from, mark, 0) == from.n)
		return from;
	text_init(&out, FILLED_MAX);
	for (;;) {
		size_t open = span_search(from, mark, at);
		size_t close = span_find(from, '}', open);

		if (close == from.n)
			break;
		if (open > at && from.p[open - 1] == '$') {
			/* $${ is ${ */
			text_add(&out, span_slice(from, at, open - 1));
			text_add(&out, mark);
			at = open + 2;
			continue;
		}
		text_add(&out, span_slice(from, at, open));
		if (!value_of(
			rule, ask, span_slice(from, open + 2, close), &value))
			text_add(&out, span_slice(from, open, close + 1));
		else if (is_json)
			json_escape(value, &out);
		else
			text_add(&out, value);
		at = close + 1;
	}
	text_add(&out, span_slice(from, at, from.n));
	/* Too long either way: the arena remembers it. */
	value = arena_span(&ask->arena, text_overflowed(&out)
					    ? (struct span){NULL, SIZE_MAX}
					    : text_span(&out));
	text_release(&out);
	return value;
}

/* --- parts --- */

static void
name_part(struct mock_part *p, const struct mock_ask *ask, unsigned i)
{
	static const char *const prefixes[] = {
	    [MOCK_TEXT] = "msg",
	    [MOCK_REASONING] = "rs",
	    [MOCK_REFUSAL] = "msg",
	    [MOCK_TOOL] = "fc",
	    [MOCK_ITEM] = "item",
	};
	static const char *const calls[] = {
	    [MOCK_CALL_FUNCTION] = "fc",
	    [MOCK_CALL_CUSTOM] = "ctc",
	    [MOCK_CALL_SHELL] = "sh",
	    [MOCK_CALL_PATCH] = "apc",
	};
	const char *prefix = prefixes[p->kind];

	if (p->kind == MOCK_TOOL)
		prefix = calls[p->call];
	snprintf(p->id, sizeof p->id, "%s_%016" PRIx64 "%04x", prefix,
	    ask->fingerprint, i);
	snprintf(p->call_id, sizeof p->call_id, "call_%016" PRIx64 "%04x",
	    ask->fingerprint, i);
}

static enum mock_call
call_of(const struct mock_reply *reply, const struct mock_ask *ask)
{
	if (reply->input.p != NULL)
		return MOCK_CALL_CUSTOM;
	if (ask->has_shell && span_is(span_of(reply->tool), "shell"))
		return MOCK_CALL_SHELL;
	if (ask->has_apply_patch &&
	    span_is(span_of(reply->tool), "apply_patch"))
		return MOCK_CALL_PATCH;
	return MOCK_CALL_FUNCTION;
}

static void
fill_part(const struct mock_rule *rule, const struct mock_reply *reply,
    struct mock_ask *ask, struct mock_part *p)
{
	p->kind = reply->kind;
	switch (reply->kind) {
	case MOCK_TEXT:
	case MOCK_REASONING:
	case MOCK_REFUSAL:
		p->text = fill(rule, ask, reply->text, 0);
		break;
	case MOCK_TOOL:
		p->tool = span_of(reply->tool);
		p->call = call_of(reply, ask);
		if (p->call == MOCK_CALL_CUSTOM)
			p->payload = fill(rule, ask, reply->input, 0);
		else if (reply->arguments.n > 0)
			p->payload = fill(rule, ask, reply->arguments, 1);
		else
			p->payload = span_of("{}");
		break;
	case MOCK_ITEM:
		p->item = fill(rule, ask, reply->item, 1);
		break;
	}
}

/* Said nothing of usage: as many tokens as four bytes each would be. */
static void
count_usage(struct mock_parts *parts, const struct mock_ask *ask)
{
	struct mock_usage *u = &parts->usage;
	uint64_t bytes = 0;

	*u = parts->rule->usage;
	if (u->input_tokens != 0 || u->output_tokens != 0)
		return;
	for (unsigned i = 0; i < parts->n; i++) {
		const struct mock_part *p = &parts->part[i];

		bytes += p->text.n + p->payload.n + p->item.n;
	}
	u->input_tokens = (int64_t)(ask->body_bytes / 4 + 1);
	u->output_tokens = (int64_t)(bytes / 4 + 1);
}

int
mock_rule_fill(const struct mock_rule *rule, struct mock_ask *ask,
    struct mock_parts *out, struct error *e)
{
	*out = (struct mock_parts){.rule = rule, .n = rule->reply_n};
	out->part = arena_alloc(&ask->arena, out->n * sizeof *out->part);
	for (unsigned i = 0; out->part != NULL && i < out->n; i++) {
		struct mock_part *p = &out->part[i];

		fill_part(rule, &rule->reply[i], ask, p);
		name_part(p, ask, i);
		out->calls |= p->kind == MOCK_TOOL;
		out->refuses |= p->kind == MOCK_REFUSAL;
	}
	if (arena_overflowed(&ask->arena))
		return error_set(
		    e, ERROR_TOO_BIG, 0, "the scripted reply is too long");
	count_usage(out, ask);
	return 0;
}

int
mock_piece(struct span *rest, int64_t chars, struct span *piece)
{
	size_t n = 0, one;

	if (rest->n == 0)
		return 0;
	if (chars <= 0)
		n = rest->n;
	for (int64_t i = 0; i < chars && n < rest->n; i++) {
		(void)utf8_at(*rest, n, &one);
		n += one;
	}
	*piece = span_slice(*rest, 0, n);
	*rest = span_slice(*rest, n, rest->n);
	return 1;
}
