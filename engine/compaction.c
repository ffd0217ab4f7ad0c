#include "engine/compaction.h"

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/transcript.h"
#include "net/item.h"
#include "net/json_write.h"
#include "tools/truncate.h"

extern const char tools_compaction_summary_txt[];

uint64_t
compaction_tokens(const struct transcript *t, size_t from)
{
	size_t bytes = 0;

	for (size_t i = from; i < t->n; i++)
		bytes += t->json[i].n;
	return truncate_tokens(bytes);
}

/* The first item of the turn that item i - 1 belongs to. */
static size_t
turn_before(const struct transcript *t, size_t i)
{
	uint32_t turn = t->entry[i - 1].turn;

	while (i > 0 && t->entry[i - 1].turn == turn)
		i--;
	return i;
}

int
compaction_plan(const struct transcript *t, uint64_t head_tokens,
    uint64_t keep_tokens, struct compaction_cut *cut)
{
	size_t at, from;

	cut->head = 0;
	while (cut->head < t->n && t->entry[cut->head].turn == 0)
		cut->head++;
	if (t->is_begun_by_server)
		cut->head = 1;
	/* A task that is itself too long is summarised with the rest. */
	if (compaction_tokens(t, 0) - compaction_tokens(t, cut->head) >
	    head_tokens)
		cut->head = 0;
	for (at = t->n; at > cut->head; at = from) {
		from = turn_before(t, at);
		if (compaction_tokens(t, from) > keep_tokens)
			break;
	}
	cut->cut = at > cut->head ? at : cut->head;
	return at > cut->head;
}

/* --- telling --- */

static void
add_cut(struct span s, struct text *out)
{
	struct truncate_source source = {.text = s, .lines = truncate_lines(s)};
	uint64_t tokens;

	(void)truncate_add(out, &source, COMPACTION_ITEM_TOKENS, &tokens);
	text_add_char(out, '\n');
}

static void
tell_item(const struct item *it, struct text *said, struct text *out)
{
	text_clear(said);
	switch (item_part(it->kind)) {
	case ITEM_PART_CALL:
		text_printf(out, "\n[call of %.*s]\n",
		    it->name.n > 0 ? (int)it->name.n : (int)it->type.n,
		    it->name.n > 0 ? it->name.p : it->type.p);
		item_add_payload(it, said);
		break;
	case ITEM_PART_ANSWER:
		text_add_str(out, "\n[its result]\n");
		item_add_output(it, said);
		break;
	default:
		if (it->kind != ITEM_MESSAGE)
			return; /* reasoning and the like: not to be told */
		text_printf(out, "\n[%.*s]\n", (int)it->role.n, it->role.p);
		(void)item_add_text(it, said);
		break;
	}
	add_cut(text_span(said), out);
}

void
compaction_tell(const struct transcript *t, const struct compaction_cut *cut,
    uint64_t tokens_max, struct text *out)
{
	struct text said, all;
	struct truncate_source source = {.gap_bytes = 0};
	struct arena arena;
	struct item it;
	struct error e;
	uint64_t tokens;

	arena_init(&arena, LIMIT_TRANSCRIPT);
	text_init(&said, LIMIT_ANSWER);
	text_init(&all, LIMIT_TRANSCRIPT);
	for (size_t i = cut->head; i < cut->cut; i++) {
		if (item_parse(&it, t->json[i], &arena, &e) == 0)
			tell_item(&it, &said, &all);
		arena_release(&arena);
	}
	source.text = text_span(&all);
	source.lines = truncate_lines(source.text);
	(void)truncate_add(out, &source, tokens_max, &tokens);
	text_release(&all);
	text_release(&said);
}

/* --- a summary as an item --- */

void
compaction_write_message(struct span summary, struct text *out)
{
	struct text words;

	text_init(&words, LIMIT_ANSWER);
	text_add_str(&words, tools_compaction_summary_txt);
	text_add(&words, summary);
	item_write_message(out, "user", text_span(&words));
	text_release(&words);
}

void
compaction_write_item(
    struct span summary, const struct compaction_cut *cut, struct text *out)
{
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	json_put_str(&w, "type", item_type(ITEM_COMPACTION));
	json_put_uint(&w, "items", cut->cut - cut->head);
	json_put_span(&w, "summary", summary);
	json_write_end(&w);
}
