#ifndef SKEP_ENGINE_MOCK_ANSWER_H
#define SKEP_ENGINE_MOCK_ANSWER_H

/*
 * An answer on its way: its bytes, let go at the pace of a rule's timing and
 * bent by its fault.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "net/http1.h"

struct exchange;
struct mock_rule;

#define ANSWER_FIELDS_MAX 32
#define ANSWER_BODY_MAX ((size_t)256 << 20)

struct answer {
	struct list_node link;
	struct exchange *x;
	const struct mock_rule *rule; /* NULL: no timing, no fault */
	int status;
	const char *content_type;
	int is_stream;
	const char *retry_after; /* seconds, or NULL */
	struct text body, pauses;
	size_t at;       /* bytes of the body that went */
	size_t pause_at; /* which pause is next */
	uint64_t random; /* for jitter */
	int head_sent;
	int said_goaway; /* what the fault was to do is done */
	struct loop_timer timer;
	/* It is over, one way or the other: give it back. */
	void (*over)(struct answer *a);
	void *owner;
};

/* An empty one; fill status, content_type, body and the rest, then start. */
void answer_init(struct answer *a, struct loop *loop, struct exchange *x,
    void (*over)(struct answer *a), void *owner);

/* Let it go.  over() may be called before this returns. */
void answer_start(struct answer *a);

/* The peer takes bytes again. */
void answer_go_on(struct answer *a);

/* Give its memory back; the exchange is over or nobody's. */
void answer_release(struct answer *a);

#endif
