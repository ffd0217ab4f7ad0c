#ifndef SKEP_NET_PROVIDER_PRIVATE_H
#define SKEP_NET_PROVIDER_PRIVATE_H

/* What the dialects share; included by net/provider*.c only. */

#include "net/item.h"
#include "net/json_write.h"
#include "net/provider.h"

/* --- replies --- */

/* End the reply with an error: -1. */
int reply_fail(struct model_reply *r, enum error_code code, int is_final,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Keep a finished item, given as its JSON: 0, or -1 as reply_fail(). */
int reply_keep(struct model_reply *r, struct span json);

/* The answer is whole: 0; -1 when it is a refusal. */
int reply_done(struct model_reply *r);

/* The server stopped early, for the reason it names: -1. */
int reply_incomplete(struct model_reply *r, struct span reason);

/* The server says that it failed; v is {code, message, ...}: -1. */
int reply_said_error(struct model_reply *r, int v);

/* Tell the watch a string of r->doc. */
void reply_tell_text(struct model_reply *r, int v);
void reply_tell_reasoning(struct model_reply *r, int v);

/* Append a string of r->doc to *t, replacing what was there. */
void reply_note(const struct model_reply *r, int v, struct text *t);

/* Count argument bytes of a call that is being streamed: 0, or -1. */
int reply_count_arguments(struct model_reply *r, size_t n);

/* A token count, never negative. */
uint64_t reply_tokens(const struct model_reply *r, int v);

/* What an {code, type, message} object means; *is_final as in the header. */
enum error_code provider_error_code(
    const struct json_doc *d, int v, int *is_final);

/* Forget the blocks that are still being streamed. */
void reply_drop_blocks(struct model_reply *r);

/* --- requests --- */

/*
 * Members of q->settings.  Those that build() itself writes are refused:
 * names in the list (ended by NULL).  0, or -1 and *e.
 */
struct settings {
	struct json_doc doc;
};
int settings_read(struct settings *s, const struct model_request *q,
    const char *const *reserved, struct error *e);
void settings_release(struct settings *s);
/* The value of a member, or -1. */
int settings_get(const struct settings *s, const char *name);
/* Write all members but those in the list (ended by NULL). */
void settings_write(
    const struct settings *s, struct json_writer *w, const char *const *except);

/* After the last byte: 0, or -1 and *e. */
int build_done(const struct json_writer *w, struct error *e);

#endif
