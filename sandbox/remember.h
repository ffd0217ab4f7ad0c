#ifndef SKEP_SANDBOX_REMEMBER_H
#define SKEP_SANDBOX_REMEMBER_H

/*
 * Looking at a workspace once it is filled and before anything runs in it, so
 * that what commands change can be told later: a baseline, by the list verb.
 * Whatever filled the workspace, this is what is there.
 */

struct baseline;
struct error;
struct loop;
struct remember;
struct sandbox;

/* error == NULL: commands may come.  TOO_BIG, SANDBOX_LOST. */
typedef void remember_done_fn(const struct error *error, void *owner);

/*
 * Fill and seal b, and wait until it is settled.  Keeps sb and b until done;
 * ends when done returns.
 */
struct remember *remember_start(struct loop *loop, struct sandbox *sb,
    struct baseline *b, remember_done_fn *done, void *owner, struct error *e);
void remember_cancel(struct remember *r); /* NULL is fine */

#endif
