#ifndef SKEP_SANDBOX_WARM_H
#define SKEP_SANDBOX_WARM_H

/*
 * Warm sandboxes: made ahead of time, so that who asks for one need not wait.
 *
 * Theory of operation
 *
 * A warm sandbox is an ordinary one that nobody has used: its workspace is
 * empty, its only user the profile's.  Who asks for a sandbox of its profile
 * with a plain workspace is given it, and it is filled and used from then on
 * like any other; it never comes back, so none is ever used twice.
 *
 * The stock is filled one at a time while nothing else is being made, and
 * WARM_IDLE_MS after the last was asked for: a burst of work is not slowed
 * down by making what may be needed after it.  One that ends by itself is
 * forgotten; when they cannot be made, that is tried again only now and then.
 *
 * They count neither as live nor against sandboxes_max, but each holds its
 * memory, control group and namespaces.
 */

struct sandbox;
struct sandbox_host;
struct sandbox_host_settings;
struct sandbox_spec;
struct warm;

#define WARM_MAX 64 /* of each profile */
#define WARM_IDLE_MS 20

/* How many places they take, of all profiles. */
unsigned warm_places(const struct sandbox_host_settings *settings);

/* Keeps host.  NULL when none are wanted, or there is no memory for it. */
struct warm *warm_new(
    struct sandbox_host *host, const struct sandbox_host_settings *settings);
void warm_stop(struct warm *w); /* make no more; NULL is fine */
void warm_free(struct warm *w); /* NULL is fine */

/* One for this spec, no longer warm; or NULL.  Somebody was served. */
struct sandbox *warm_take(struct warm *w, const struct sandbox_spec *spec);

/* How many there are, ready or being made. */
unsigned warm_count(const struct warm *w);

/* A sandbox is being destroyed: if it is one of them, forget it. */
void warm_forget(struct warm *w, struct sandbox *sb);

#endif
