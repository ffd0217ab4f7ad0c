#ifndef SKEP_TESTS_NET_TEST_H
#define SKEP_TESTS_NET_TEST_H

/*
 * What tests of the network share: a loop and a client, a call that writes
 * down what it is told, an echoing server, and a peer that plays a script of
 * raw bytes on a real socket.
 */

#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "net/http.h"
#include "net/server.h"
#include "net/tcp.h"
#include "net/tls_cert.h"

extern struct loop *net_loop;
extern struct http_client *net_client;

int net_setup(void **state);
int net_teardown(void **state);

/* Run the loop until *flag is not 0; fails the test when that takes long. */
void net_run_until(const int *flag);
/* Let the loop turn for a while. */
void net_run_ms(uint64_t ms);

/* --- a call --- */

struct asked {
	struct http_call *call;
	int over; /* ended or failed */
	int ended, failed, heads, status;
	int placed;
	struct text body, type, trailer;
	struct http_failure failure;
	int cancel_in_body, pause_in_body;
	unsigned pieces;
};

extern const struct http_ops asked_ops;
void asked_init(struct asked *a);
void asked_release(struct asked *a);
/* Start; the test fails when that is refused.  body may be NULL. */
void ask(struct asked *a, struct http_origin *o, const char *method,
    const char *target, const struct span *body);
void ask_request(
    struct asked *a, struct http_origin *o, const struct http_request *q);

/* --- our server, which answers by the target --- */

enum echo_manner {
	ECHO_PLAIN, /* HTTP/1.1 */
	ECHO_TLS,   /* HTTP/1.1 over TLS */
	ECHO_H2,    /* HTTP/2 over TLS */
	ECHO_H2C,   /* HTTP/2 without TLS or ado */
};

struct echo {
	enum echo_manner manner;
	struct server *server;
	struct tls_server *tls;
	struct tls *tls_base;
	unsigned requests, gone;
	struct server_settings set;
	struct exchange *held[64]; /* of /hold */
	unsigned nheld;
	int holds_all; /* also what is not kept in held */
	char url[64];
	char ca_file[64]; /* "" when plain */
};
void echo_start(
    struct echo *e, enum echo_manner manner, const struct server_settings *s);
/* Serve again with e->tls, at a new port. */
void echo_serve(struct echo *e);
void echo_stop(struct echo *e);
struct http_origin *echo_origin(struct echo *e);

/* --- a raw peer --- */

enum raw_kind {
	RAW_HEAD,  /* wait until an empty line came */
	RAW_BYTES, /* wait until as many bytes came as text says in decimal */
	RAW_SEND,  /* send text */
	RAW_SPAN,  /* send the bytes of the struct span that text points to */
	RAW_SLOW,  /* send text byte by byte, a turn of the loop each */
	RAW_FIN,   /* close */
	RAW_RESET, /* close with a reset */
	RAW_STALL, /* do nothing more */
	RAW_END,   /* of the script: begin again for the next connection */
};
struct raw_step {
	enum raw_kind kind;
	const char *text;
};

#define RAW_CONNECTIONS 64

struct raw_connection {
	struct raw_peer *peer;
	struct stream *stream;
	const struct raw_step *step;
	size_t offset; /* in step->text */
	struct loop_timer pace;
	unsigned newlines;
	size_t heard; /* since the last RAW_HEAD or RAW_BYTES */
};
struct raw_peer {
	struct tcp_listener listener;
	const struct raw_step *script;
	struct raw_connection connection[RAW_CONNECTIONS];
	unsigned accepted;
	char url[64];
	struct text heard;
};
void raw_start(struct raw_peer *p, const struct raw_step *script);
void raw_stop(struct raw_peer *p);
struct http_origin *raw_origin(struct raw_peer *p);

/* Write text to a new private file, whose name goes to path. */
void net_write_file(char path[64], struct span text);

#endif
