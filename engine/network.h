#ifndef SKEP_ENGINE_NETWORK_H
#define SKEP_ENGINE_NETWORK_H

/*
 * What it took to reach the models, for users: requests, how many at once,
 * the limit that was found, connections and handshakes; for each
 * endpoint, under the name of the first agent that goes by it.  `-v` shows it, and the last event of `skep run --json` holds it.
 */

struct json_writer;
struct supplies;
struct text;

/* A line for each of them that was asked anything. */
void network_account(const struct supplies *s, struct text *out);

/* "network": [{"agent", "origin", "requests", ...}, ...] in an open object. */
void network_put(const struct supplies *s, struct json_writer *w);

/* "; the server takes 47 at once", where a server has said so. */
void network_limits(const struct supplies *s, struct text *out);

#endif
