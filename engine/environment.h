#ifndef SKEP_ENGINE_ENVIRONMENT_H
#define SKEP_ENGINE_ENVIRONMENT_H

/*
 * The variables that a manifest gives to commands.
 *
 * Theory of operation
 *
 * Plain ones go to every command of a run.  A secret goes to those commands
 * whose whole line fits one of the patterns that its variable names, and only
 * when the line is plain words: with a quote, a semicolon, a redirection or
 * anything else that a shell would look at, what runs is no longer what the
 * pattern says.  Such a command runs alone in its sandbox (sandbox.h).
 *
 * The secrets of an agent are read once, when its role is opened, and stay in
 * struct secret.  A command may print what it was given, so what tools answer
 * is searched, and a secret found there becomes "***" before anything stores
 * it or shows it to the model.  That is a net for accidents: a program that
 * means to tell can always write it differently.
 */

#include "engine/base/secret.h"
#include "engine/base/span.h"
#include "sandbox/sandbox.h"

struct arena;
struct manifest;

#define ENVIRONMENT_SECRETS_MAX 16
#define ENVIRONMENT_SCRUBBED_MIN 6 /* bytes; shorter ones are anywhere */

/* The secrets of one agent. */
struct environment_secrets {
	unsigned n;
	const char *name[ENVIRONMENT_SECRETS_MAX]; /* of the variable */
	struct secret secret[ENVIRONMENT_SECRETS_MAX];
};

/*
 * Read those of m, which may be NULL and is kept.  -1 and *e (CONFIG); release
 * all the same.
 */
int environment_secrets_open(
    struct environment_secrets *s, const struct manifest *m, struct error *e);
void environment_secrets_release(struct environment_secrets *s);

/* The variables of one run; what it points at is in an arena. */
struct environment {
	const char *const *plain; /* NAME=VALUE, NULL-terminated */
	const struct manifest *manifest;
	const struct environment_secrets *secrets;
	struct exec_secret *given; /* room for those that a command gets */
};

/* m may be NULL; keeps all.  -1: a is full. */
int environment_init(struct environment *env, struct arena *a,
    const struct manifest *m, const struct environment_secrets *secrets);

/*
 * Into spec; valid until the next call.  command: its line, or NULL when that
 * is not all that runs.
 */
void environment_fill(
    struct environment *env, const char *command, struct exec_spec *spec);

/* Is this line plain words, and does it fit the pattern? */
int environment_fits(const char *pattern, const char *line);

/*
 * Bytes of JSON without the secrets: s itself, or a copy in a; p == NULL when
 * that is full.
 */
struct span environment_scrub(
    const struct environment_secrets *s, struct span json, struct arena *a);

#endif
