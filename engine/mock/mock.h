#ifndef SKEP_ENGINE_MOCK_MOCK_H
#define SKEP_ENGINE_MOCK_MOCK_H

/*
 * The scripted model server: answers Responses, Chat Completions and Messages
 * requests after the rules of a script.
 *
 * Theory of operation
 *
 * What to answer follows from the request alone.  The whole answer is written
 * at once into one text; then an `answer` lets it go at the pace, and with the
 * faults, that its rule asks for.  Nothing is remembered between requests but
 * the counts that GET /stats gives.
 */

#include <stdint.h>

struct address;
struct error;
struct loop;
struct mock;
struct mock_script;
struct tls;
struct tls_server;

struct mock_settings {
	const struct mock_script *script; /* kept */
	const struct address *at;
	struct tls *tls;               /* kept; NULL: plain */
	struct tls_server *tls_server; /* kept */
};

struct mock *mock_new(
    struct loop *loop, const struct mock_settings *settings, struct error *e);
void mock_free(struct mock *m); /* NULL is fine */

/* Where it listens. */
const struct address *mock_address(const struct mock *m);

#endif
