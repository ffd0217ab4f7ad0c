#ifndef SKEP_NET_MODEL_PRIVATE_H
#define SKEP_NET_MODEL_PRIVATE_H

/*
 * The inside of model calls: model_endpoint.c (where and how),
 * model_call.c (the attempts), model_answer.c (what one answer means).
 */

#include "engine/base/arena.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "net/model_call.h"
#include "net/sse.h"
#include "net/url.h"

#define ENDPOINT_MAGIC 0xe2d90127u
#define MODEL_CALL_MAGIC 0x30de1ca1u

#define ENDPOINT_FIELDS_MAX 32
#define ERROR_BODY_MAX (64 * KIB)
#define BODY_SLICES 4

struct model_endpoint {
	unsigned magic;
	struct http_client *client;
	struct http_origin *origin;
	struct model_endpoint_settings set;
	struct arena arena;
	struct span target; /* "/v1/responses" */
	/* Of every request; two more are added for each. */
	struct http_request_field field[ENDPOINT_FIELDS_MAX];
	unsigned nfields;
};

/* What the answer of this attempt is taken for. */
enum answer_kind {
	ANSWER_NONE,     /* no head yet */
	ANSWER_EVENTS,   /* a stream of events */
	ANSWER_WHOLE,    /* one JSON text */
	ANSWER_ERROR,    /* a status that is none of success */
	ANSWER_REDIRECT, /* another place on the same server */
	ANSWER_FOREIGN,  /* success of a type that nobody asked for */
};

/* Exists from the head of an answer on. */
struct model_answer {
	enum answer_kind kind;
	int status;
	uint64_t bytes;
	struct model_reply reply;
	struct sse sse;
	struct text body;        /* of WHOLE and ERROR */
	struct json_guard guard; /* of WHOLE: bad JSON is seen as it comes */
	struct text kept;        /* the fields that retrying looks at ... */
	struct http_head *head;  /* ... as a head; pool block */
	struct text place;       /* target of a redirect, or the foreign type */
	int is_bad_redirect;
};

struct model_call {
	unsigned magic;
	struct model_endpoint *ep;
	const struct model_call_ops *ops;
	void *owner;
	struct text body;
	struct span slice[BODY_SLICES]; /* all of it; blocks of their own,
					   unless it is in body still */
	unsigned slices;
	int is_streamed;

	struct http_call *http; /* NULL between attempts */
	struct model_answer *answer;
	struct loop_timer backoff; /* between attempts; after the end */
	unsigned attempt;          /* from 1 */
	unsigned protocol_faults, redirects;
	struct text target; /* where a redirect led; empty: the endpoint's */

	int has_place, told_text;
	int in_callback, is_cancelled;
	uint64_t started_ms, unplaced_since_ms, attempt_ms;
	struct model_timing timing;
	int status; /* of the last answer */
	struct text request_id;
	struct usage usage;
	struct error trouble; /* of the last attempt; NONE: none yet */
	int is_too_long;      /* the same */
};

/* What became of an attempt, in the words of the retry table. */
struct attempt_end {
	struct retry_case c;
	struct error error;
	int is_too_long; /* as in struct model_failure */
};

/* --- model_answer.c --- */

/* Begin with a head; NULL when memory is short. */
struct model_answer *model_answer_new(
    struct model_call *call, const struct http_head *head);
void model_answer_free(struct model_answer *a);

/*
 * More of the body.  0: go on; 1: the reply is whole, the rest does not
 * matter; -1: *end says why this attempt is over.
 */
int model_answer_feed(
    struct model_answer *a, struct span bytes, struct attempt_end *end);

/* The body has ended: 1 or -1 as above, 0 for a redirect to follow. */
int model_answer_finish(struct model_answer *a, struct attempt_end *end);

/* The exchange broke; for *end. */
void model_answer_broke(const struct http_failure *f, struct attempt_end *end);

#endif
