#ifndef SKEP_ENGINE_GUARDS_H
#define SKEP_ENGINE_GUARDS_H

/*
 * Guardrails looking at one text, one after the other until one says no.
 *
 * A command gets the text as its standard input and says no by any status but
 * 0; a model gets it as data beside the guardrail's rule and answers in a
 * fixed form.  What cannot be asked has not said yes: a command that does not
 * start, is killed or takes too long, and an answer that is not in the form,
 * are a no as well.
 */

#include "config/conduct.h"
#include "engine/base/error.h"

struct environment;
struct guards;
struct loop;
struct model_endpoint;
struct sandbox;
struct usage;

struct guards_order {
	struct loop *loop;
	const struct guardrail_list *list; /* may be empty */
	const char *what;                  /* "input" or "output" */
	struct span text;
	struct sandbox *sandbox;         /* for commands; or NULL */
	struct environment *environment; /* of commands */
	struct model_endpoint *model;
	const char *model_name;
};

struct guards_ops {
	/* Tokens were spent. */
	void (*used)(void *owner, const struct usage *usage);
	/*
	 * error == NULL: nobody said no.  DENIED: one did, the text names it
	 * and its reason.  Else a model call failed.  It is over then.
	 */
	void (*done)(void *owner, const struct error *error);
};

/* Copies order, keeps what it names, and ops.  NULL and *e (FULL). */
struct guards *guards_start(const struct guards_order *order,
    const struct guards_ops *ops, void *owner, struct error *e);

void guards_cancel(struct guards *g); /* NULL is fine */

#endif
