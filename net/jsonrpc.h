#ifndef SKEP_NET_JSONRPC_H
#define SKEP_NET_JSONRPC_H

/*
 * JSON-RPC 2.0 messages, read and written; pure.  Batches are refused: the
 * protocols that we speak over it have none.  Our own ids are whole numbers;
 * a peer's are kept as the JSON that they came as.
 */

#include <stdint.h>

#include "engine/base/span.h"
#include "net/json.h"
#include "net/json_write.h"

#define JSONRPC_METHOD_NOT_FOUND (-32601)

enum jsonrpc_kind {
	JSONRPC_REQUEST,
	JSONRPC_NOTIFICATION,
	JSONRPC_RESULT,
	JSONRPC_ERROR,
};

/* Values are tokens of the document; spans point into its text. */
struct jsonrpc {
	enum jsonrpc_kind kind;
	struct span id; /* raw JSON; empty when there is none, or null */
	int64_t number; /* of an answer: the id when it is one of ours; or -1 */
	struct span method; /* inner, still escaped */
	int params;         /* or -1 */
	int result;
	int64_t code; /* of an error */
	int message;  /* of an error: a string, or -1 */
	int error_data;
};

/* d holds one message.  -1 and *e (PROTOCOL) when it is none. */
int jsonrpc_read(const struct json_doc *d, struct jsonrpc *m, struct error *e);

/*
 * Open a message: the caller puts "params" and then ends the object.  id -1:
 * a notification.
 */
void jsonrpc_write_begin(
    struct json_writer *w, struct text *out, int64_t id, const char *method);

/* A whole answer that refuses a peer's request. */
void jsonrpc_write_error(
    struct text *out, struct span id, int code, const char *message);

/* Open an answer to a peer's request: the caller puts "result", ends it. */
void jsonrpc_write_answer(
    struct json_writer *w, struct text *out, struct span id);

#endif
