#include "net/provider_private.h"

#include <string.h>

/* Pieces of a streamed answer: most events of a stream are nothing else. */

static void
tell(struct model_reply *r, struct span inner,
    void (*to)(void *owner, struct span text))
{
	if (to == NULL)
		return;
	if (memchr(inner.p, '\\', inner.n) == NULL) {
		to(r->watch.owner, inner);
		return;
	}
	text_clear(&r->told);
	json_unescape(inner, &r->told);
	to(r->watch.owner, text_span(&r->told));
}

static int
count_arguments(struct model_reply *r, size_t n)
{
	r->argument_bytes += n;
	if (r->argument_bytes <= LIMIT_TOOL_ARGUMENTS)
		return 0;
	return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
	    "a tool call with arguments of more than %zu bytes",
	    LIMIT_TOOL_ARGUMENTS);
}

int
reply_piece(struct model_reply *r, enum piece_kind kind, struct reply_block *b,
    struct span raw)
{
	struct span inner;

	if (raw.n <= 2 || raw.p[0] != '"')
		return 0;
	inner = (struct span){raw.p + 1, raw.n - 2};
	if (kind == PIECE_TEXT)
		tell(r, inner, r->watch.text);
	else if (kind == PIECE_REASONING)
		tell(r, inner, r->watch.reasoning);
	if (b != NULL)
		return block_append(r, b, inner);
	return kind == PIECE_ARGUMENTS ? count_arguments(r, inner.n) : 0;
}

void
reply_expect(struct model_reply *r, enum piece_kind kind,
    const struct reply_block *b, int v)
{
	struct reply_next *next = &r->next;
	int leaf;

	json_shape_learn(&next->shape, &r->doc);
	leaf = json_shape_leaf(&next->shape, &r->doc, v);
	if (leaf == -1)
		json_shape_forget(&next->shape);
	next->kind = kind;
	next->leaf = (unsigned)leaf;
	next->fixed = 0;
	next->block = b == NULL ? -1 : (int)(b - r->block);
}

void
reply_fix(struct model_reply *r, int v)
{
	int leaf = json_shape_leaf(&r->next.shape, &r->doc, v);

	if (leaf != -1)
		r->next.fixed |= UINT32_C(1) << leaf;
}

int
reply_next_piece(struct model_reply *r, struct span data)
{
	struct reply_next *next = &r->next;
	struct reply_block *b = NULL;
	struct json_fit fit;

	if (!json_shape_fits(&next->shape, data, next->leaf, &fit) ||
	    (fit.changed & next->fixed) != 0)
		return 0;
	if (next->block != -1)
		b = &r->block[next->block];
	return reply_piece(r, next->kind, b, fit.leaf) == -1 ? -1 : 1;
}
