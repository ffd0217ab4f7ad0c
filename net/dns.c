#include "net/dns.h"

/*
 * Theory of operation
 *
 * An entry is a name, what is known about it, and who waits for that.  Every
 * question, also one whose answer is known at once, waits on an entry and is
 * answered from the loop.  A and AAAA are asked for at the same time; when
 * the first brings addresses the other gets PATIENCE_MS more (RFC 8305
 * section 3), so a server that never answers AAAA costs no more than that.
 * Late answers still go into the cache.
 */

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <strings.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/slab.h"
#include "net/hosts.h"

#define ENTRIES_MAX 128
#define SOCKETS_MAX 64
#define PATIENCE_MS 50
#define TTL_MIN_S 1
#define TTL_MAX_S 3600
#define ABSENT_MS 5000 /* how long "there is no such name" is believed */
#define FAILED_MS 1000 /* and any other failure */

struct dns_socket {
	struct loop_io io;
	struct dns *dns;
	int fd; /* -1: this place is free */
};

enum entry_state { ENTRY_ASKING, ENTRY_KNOWN };

struct entry {
	struct list_node node; /* of dns->entries, oldest use first */
	struct dns *dns;
	enum entry_state state;
	unsigned pending; /* questions on the way: A, AAAA */
	uint64_t expires_ms;
	uint32_t ttl_s; /* the shortest seen */
	int status;     /* of the last failure, as c-ares says it */
	struct list waiting;
	struct loop_timer patience;
	struct dns_answer answer;
	char name[DNS_NAME_MAX + 1];
};

struct dns_query {
	struct list_node node; /* of entry->waiting */
	struct entry *entry;
	uint16_t port;
	dns_done_fn *done;
	void *owner;
};

struct dns {
	struct loop *loop;
	ares_channel channel;
	struct loop_timer timer;
	struct loop_deferred deliver;
	struct slab entry_slab;
	struct list entries;
	struct hosts hosts;
	struct dns_socket socket[SOCKETS_MAX];
};

static void rearm(struct dns *d);

/* --- c-ares on the loop --- */

static void
socket_ready(struct loop_io *io, int want)
{
	struct dns_socket *s = container_of(io, struct dns_socket, io);
	struct dns *d = s->dns;

	ares_process_fd(d->channel, want & LOOP_READ ? s->fd : ARES_SOCKET_BAD,
	    want & LOOP_WRITE ? s->fd : ARES_SOCKET_BAD);
	rearm(d);
}

/* c-ares says what it waits for; both 0: it closes the socket next. */
static void
socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = arg;
	struct dns_socket *place = NULL;

	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		if (d->socket[i].fd == fd) {
			place = &d->socket[i];
			break;
		}
		if (d->socket[i].fd == -1 && place == NULL)
			place = &d->socket[i];
	}
	if (place == NULL)
		return; /* c-ares then runs into its time-out */
	if (place->fd == -1) {
		if (!readable && !writable)
			return;
		place->fd = fd;
		place->dns = d;
		loop_io_init(&place->io, d->loop, fd, socket_ready);
	}
	loop_io_want(&place->io,
	    (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0));
	if (!readable && !writable)
		place->fd = -1;
}

static void
timer_expired(struct loop_timer *t)
{
	struct dns *d = container_of(t, struct dns, timer);

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(d);
}

static void
rearm(struct dns *d)
{
	struct timeval tv, *next = ares_timeout(d->channel, NULL, &tv);

	if (next == NULL)
		loop_timer_stop(&d->timer);
	else
		loop_timer_start(
		    &d->timer, (uint64_t)next->tv_sec * 1000 +
				   (uint64_t)(next->tv_usec + 999) / 1000);
}

/* --- entries --- */

static void
entry_forget(struct entry *en)
{
	CHECK(en->pending == 0 && en->waiting.length == 0);
	loop_timer_stop(&en->patience);
	list_remove(&en->dns->entries, &en->node);
	slab_give(&en->dns->entry_slab, en);
}

static void
entry_known(struct entry *en)
{
	struct dns *d = en->dns;
	uint64_t keep_ms;

	loop_timer_stop(&en->patience);
	en->state = ENTRY_KNOWN;
	if (en->answer.n > 0)
		keep_ms = 1000 * (uint64_t)en->ttl_s;
	else if (en->status == ARES_ENOTFOUND || en->status == ARES_ENODATA)
		keep_ms = ABSENT_MS;
	else
		keep_ms = FAILED_MS;
	en->expires_ms = loop_now_ms(d->loop) + keep_ms;
	if (en->waiting.length > 0)
		loop_defer(&d->deliver);
}

static void
patience_over(struct loop_timer *t)
{
	entry_known(container_of(t, struct entry, patience));
}

static void
entry_add(struct entry *en, const struct ares_addrinfo_node *node)
{
	struct dns_answer *an = &en->answer;
	uint32_t ttl =
	    node->ai_ttl < TTL_MIN_S ? TTL_MIN_S : (uint32_t)node->ai_ttl;
	struct address *a;

	if (an->n == DNS_ADDRESSES_MAX ||
	    node->ai_addrlen > (ares_socklen_t)sizeof(struct sockaddr_in6))
		return;
	if (ttl < en->ttl_s)
		en->ttl_s = ttl;
	a = &an->address[an->n++];
	memset(a, 0, sizeof *a);
	memcpy(&a->u, node->ai_addr, (size_t)node->ai_addrlen);
	a->n = (socklen_t)node->ai_addrlen;
}

static void
answered(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct entry *en = arg;

	(void)timeouts;
	en->pending--;
	if (status == ARES_EDESTRUCTION)
		return; /* dns_free() */
	if (status == ARES_SUCCESS) {
		for (struct ares_addrinfo_node *n = result->nodes; n != NULL;
		     n = n->ai_next)
			entry_add(en, n);
		ares_freeaddrinfo(result);
	} else if (en->status == ARES_SUCCESS || status != ARES_ENODATA) {
		en->status = status;
	}
	if (en->state == ENTRY_KNOWN)
		return; /* late, but in the cache now */
	if (en->pending == 0)
		entry_known(en);
	else if (en->answer.n > 0)
		loop_timer_start(&en->patience, PATIENCE_MS);
}

static void
ask(struct entry *en)
{
	struct ares_addrinfo_hints hints = {.ai_socktype = SOCK_STREAM};
	struct dns *d = en->dns;

	en->pending = 2;
	hints.ai_family = AF_INET6;
	ares_getaddrinfo(d->channel, en->name, NULL, &hints, answered, en);
	hints.ai_family = AF_INET;
	ares_getaddrinfo(d->channel, en->name, NULL, &hints, answered, en);
	rearm(d);
}

/* What can be said without asking anybody. */
static int
answer_at_once(struct entry *en)
{
	struct dns_answer *an = &en->answer;
	struct span name = span_of(en->name);

	if (address_numeric(&an->address[0], name, 0) == 0)
		an->n = 1;
	else if (hosts_find(&en->dns->hosts, name, an) > 0)
		;
	else if (strcasecmp(en->name, "localhost") == 0 ||
		 (name.n > 10 &&
		     strcasecmp(en->name + name.n - 10, ".localhost") == 0)) {
		address_numeric(&an->address[0], span_of("127.0.0.1"), 0);
		address_numeric(&an->address[1], span_of("::1"), 0);
		an->n = 2;
	}
	if (an->n > 0)
		en->ttl_s = TTL_MIN_S;
	return an->n > 0;
}

/* The oldest entry that nobody waits for makes room. */
static int
make_room(struct dns *d)
{
	struct list_node *n;

	for (n = list_first(&d->entries); n != NULL;
	     n = list_next(&d->entries, n)) {
		struct entry *en = container_of(n, struct entry, node);

		if (en->pending == 0 && en->waiting.length == 0) {
			entry_forget(en);
			return 0;
		}
	}
	return -1;
}

static struct entry *
entry_find(struct dns *d, struct span host)
{
	struct list_node *n;

	for (n = list_first(&d->entries); n != NULL;
	     n = list_next(&d->entries, n)) {
		struct entry *en = container_of(n, struct entry, node);

		if (strncasecmp(en->name, host.p, host.n) == 0 &&
		    en->name[host.n] == '\0')
			return en;
	}
	return NULL;
}

static int
is_stale(const struct entry *en)
{
	return en->state == ENTRY_KNOWN && en->pending == 0 &&
	       en->waiting.length == 0 &&
	       loop_now_ms(en->dns->loop) >= en->expires_ms;
}

static struct entry *
entry_get(struct dns *d, struct span host)
{
	struct entry *en = entry_find(d, host);

	if (en != NULL && is_stale(en)) {
		entry_forget(en);
		en = NULL;
	}
	if (en != NULL) {
		list_remove(&d->entries, &en->node);
		list_append(&d->entries, &en->node);
		return en;
	}
	en = slab_take(&d->entry_slab);
	if (en == NULL && make_room(d) == 0)
		en = slab_take(&d->entry_slab);
	if (en == NULL)
		return NULL;
	en->dns = d;
	en->ttl_s = TTL_MAX_S;
	memcpy(en->name, host.p, host.n);
	list_init(&en->waiting);
	loop_timer_init(&en->patience, d->loop, patience_over);
	list_append(&d->entries, &en->node);
	if (answer_at_once(en))
		entry_known(en);
	else
		ask(en);
	return en;
}

/* --- questions --- */

static void
explain(const struct entry *en, struct error *e)
{
	int absent = en->status == ARES_ENOTFOUND || en->status == ARES_ENODATA;

	error_set(e, absent ? ERROR_NOT_FOUND : ERROR_CONNECT, 0,
	    "looking up %s: %s", en->name,
	    absent ? "there is no such host" : ares_strerror(en->status));
}

static void
deliver(struct loop_deferred *def)
{
	struct dns *d = container_of(def, struct dns, deliver);
	struct list_node *n = list_first(&d->entries);

	while (n != NULL) {
		struct entry *en = container_of(n, struct entry, node);
		struct list_node *w = list_first(&en->waiting);
		struct dns_query *q;
		struct dns_answer an;
		struct error e;

		if (en->state != ENTRY_KNOWN || w == NULL) {
			n = list_next(&d->entries, n);
			continue;
		}
		q = container_of(w, struct dns_query, node);
		list_remove(&en->waiting, w);
		an = en->answer;
		for (unsigned i = 0; i < an.n; i++)
			address_set_port(&an.address[i], q->port);
		if (an.n == 0)
			explain(en, &e);
		q->entry = NULL;
		if (an.n > 0)
			q->done(q->owner, &an, NULL);
		else
			q->done(q->owner, NULL, &e);
		pool_give(q);
		/* The callback may have changed every list. */
		n = list_first(&d->entries);
	}
}

struct dns_query *
dns_start(struct dns *d, struct span host, uint16_t port, dns_done_fn *done,
    void *owner, struct error *e)
{
	struct dns_query *q;
	struct entry *en;

	if (host.n == 0 || host.n > DNS_NAME_MAX ||
	    memchr(host.p, '\0', host.n) != NULL) {
		error_set(e, ERROR_SYNTAX, 0, "a host name has 1 to %d bytes",
		    DNS_NAME_MAX);
		return NULL;
	}
	q = pool_take(sizeof *q, NULL);
	en = q == NULL ? NULL : entry_get(d, host);
	if (en == NULL) {
		pool_give(q);
		error_set(e, ERROR_FULL, 0, "too many names are looked up");
		return NULL;
	}
	*q = (struct dns_query){
	    .entry = en, .port = port, .done = done, .owner = owner};
	list_append(&en->waiting, &q->node);
	if (en->state == ENTRY_KNOWN)
		loop_defer(&d->deliver);
	return q;
}

void
dns_cancel(struct dns_query *q)
{
	if (q == NULL || q->entry == NULL)
		return; /* its own callback is running */
	list_remove(&q->entry->waiting, &q->node);
	pool_give(q);
}

void
dns_prefer(struct dns *d, struct span host, const struct address *a)
{
	struct entry *en = entry_find(d, host);
	struct address plain = *a;
	struct dns_answer *an;

	if (en == NULL)
		return;
	an = &en->answer;
	address_set_port(&plain, 0);
	for (unsigned i = 1; i < an->n; i++) {
		if (an->address[i].n != plain.n ||
		    memcmp(&an->address[i].u, &plain.u, plain.n) != 0)
			continue;
		memmove(&an->address[1], &an->address[0],
		    i * sizeof an->address[0]);
		an->address[0] = plain;
		return;
	}
}

/* --- life --- */

static int
open_channel(struct dns *d, const struct dns_settings *s, struct error *e)
{
	struct ares_options o = {
	    .sock_state_cb = socket_state,
	    .sock_state_cb_data = d,
	    .timeout = s->timeout_ms > 0 ? (int)s->timeout_ms : 2000,
	    .tries = s->tries > 0 ? (int)s->tries : 3,
	    .lookups = (char *)"b", /* the hosts file is hosts.c's */
	};
	int status;

	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = ares_init_options(&d->channel, &o,
		    ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS |
			ARES_OPT_TRIES | ARES_OPT_LOOKUPS);
	if (status != ARES_SUCCESS)
		return error_set(e, ERROR_CONFIG, 0,
		    "starting the resolver: %s", ares_strerror(status));
	if (s->servers == NULL || s->servers[0] == '\0')
		return 0;
	status = ares_set_servers_ports_csv(d->channel, s->servers);
	if (status != ARES_SUCCESS)
		return error_set(e, ERROR_CONFIG, 0,
		    "the DNS servers \"%.60s\" must be given as "
		    "ADDRESS[:PORT],...",
		    s->servers);
	return 0;
}

struct dns *
dns_new(struct loop *l, const struct dns_settings *settings, struct error *e)
{
	static const struct dns_settings none;
	struct dns *d = pool_take(sizeof *d, NULL);

	if (settings == NULL)
		settings = &none;
	if (d == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for the resolver");
		return NULL;
	}
	memset(d, 0, sizeof *d);
	d->loop = l;
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		d->socket[i].fd = -1;
	list_init(&d->entries);
	loop_timer_init(&d->timer, l, timer_expired);
	loop_deferred_init(&d->deliver, l, deliver);
	hosts_init(&d->hosts,
	    settings->hosts_file != NULL ? settings->hosts_file : "/etc/hosts");
	if (slab_init(&d->entry_slab, "dns names", sizeof(struct entry),
		ENTRIES_MAX, e) == -1)
		goto no_slab;
	if (open_channel(d, settings, e) == -1)
		goto no_channel;
	return d;
no_channel:
	slab_release(&d->entry_slab);
no_slab:
	pool_give(d);
	return NULL;
}

void
dns_free(struct dns *d)
{
	struct list_node *n;

	if (d == NULL)
		return;
	ares_destroy(d->channel);
	ares_library_cleanup();
	while ((n = list_first(&d->entries)) != NULL)
		entry_forget(container_of(n, struct entry, node));
	loop_timer_stop(&d->timer);
	loop_undefer(&d->deliver);
	hosts_release(&d->hosts);
	slab_release(&d->entry_slab);
	pool_give(d);
}

void
dns_library_version(char *out, size_t size)
{
	snprintf(out, size, "%s", ares_version(NULL));
}
