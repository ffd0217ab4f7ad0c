/* Tickets: what resumes a connection to the same host for a hundredth. */

#include <mbedtls/platform.h>
#include <strings.h>

#include "engine/base/pool.h"
#include "net/tls_private.h"

void
tls_ticket_drop(struct tls_client *c, struct tls_ticket *ticket)
{
	list_remove(&c->tickets, &ticket->node);
	mbedtls_ssl_session_free(&ticket->saved);
	pool_give(ticket);
}

struct tls_ticket *
tls_ticket_find(struct tls_stream *t)
{
	struct list *l = &t->client->tickets;
	struct list_node *n;

	for (n = list_first(l); n != NULL; n = list_next(l, n)) {
		struct tls_ticket *k = container_of(n, struct tls_ticket, node);

		if (k->port != t->port || strcasecmp(k->host, t->host) != 0)
			continue;
		if (loop_now_ms(t->base.loop) - k->got_ms <= TLS_TICKET_KEPT_MS)
			return k;
		tls_ticket_drop(t->client, k);
		return NULL;
	}
	return NULL;
}

/*
 * The certificate was verified when the ticket was given, and resuming does
 * not look at it again: it need not be kept and copied each time.
 */
static void
forget_certificate(mbedtls_ssl_session *s)
{
#if MBEDTLS_VERSION_MAJOR < 3
	if (s->peer_cert != NULL) {
		mbedtls_x509_crt_free(s->peer_cert);
		mbedtls_free(s->peer_cert);
		s->peer_cert = NULL;
	}
#else
	(void)s;
#endif
}

void
tls_ticket_keep(struct tls_stream *t)
{
	struct tls_client *c = t->client;
	struct tls_ticket *k = tls_ticket_find(t);

	if (k != NULL)
		tls_ticket_drop(c, k);
	if (c->tickets.length == TLS_TICKETS_MAX)
		tls_ticket_drop(c, container_of(list_first(&c->tickets),
				       struct tls_ticket, node));
	k = pool_take(sizeof *k, NULL);
	if (k == NULL)
		return;
	memset(k, 0, sizeof *k);
	mbedtls_ssl_session_init(&k->saved);
	k->got_ms = loop_now_ms(t->base.loop);
	k->port = t->port;
	memcpy(k->host, t->host, sizeof k->host);
	list_append(&c->tickets, &k->node);
	if (mbedtls_ssl_get_session(&t->ssl, &k->saved) != 0)
		tls_ticket_drop(c, k);
	else
		forget_certificate(&k->saved);
}
