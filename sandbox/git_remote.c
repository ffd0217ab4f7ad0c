#include "sandbox/git_remote.h"

#include <stdlib.h>
#include <string.h>

#include "config/git_host.h"
#include "config/manifest.h"
#include "engine/base/check.h"
#include "engine/base/text.h"
#include "net/base64.h"
#include "net/http.h"
#include "sandbox/git_private.h"

#define REMOTES_MAX 32
#define CALLS_MAX 1024

struct git_remotes {
	struct http_client *http;
	unsigned n;
	struct git_remote at[REMOTES_MAX];
	char url[REMOTES_MAX][300]; /* of hosts without an entry */
};

/* "USER:PASSWORD" in base64, without leaving it anywhere on the way. */
static int
make_authorization(
    const struct git_host *h, struct secret *out, struct error *e)
{
	struct secret password;
	struct text plain, encoded;
	int status;

	if (secret_ref_read(&h->password, &password, e) == -1)
		return -1;
	text_init(&plain, 2 * SECRET_BYTES_MAX);
	text_init(&encoded, 4 * SECRET_BYTES_MAX);
	text_printf(&plain, "%s:", h->username);
	text_add(&plain, secret_reveal(&password));
	base64_encode(text_span(&plain), &encoded);
	status = secret_from_span(out, text_span(&encoded), "password", e);
	wipe(plain.p, plain.n);
	wipe(encoded.p, encoded.n);
	text_release(&plain);
	text_release(&encoded);
	secret_release(&password);
	return status;
}

static int
add(struct git_remotes *all, const struct git_remotes_settings *set,
    const struct git_host *h, struct error *e)
{
	struct git_remote *r = &all->at[all->n];
	struct http_origin_settings s = {
	    .url = span_of(h->base_url),
	    .identity = span_of(h->host),
	    .tls = {.ca_file = h->ca_file},
	    .plain_anywhere = set->plain_anywhere,
	    .connections_max = 16,
	};
	size_t authority;

	if (all->n == REMOTES_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "more than %d servers of repositories", REMOTES_MAX);
	*r = (struct git_remote){.host = h->host, .tasks = h->tasks};
	r->origin = http_origin_new(all->http, &s, e);
	if (r->origin == NULL)
		return error_wrap(e, "git_hosts: %s", h->host);
	all->n++;
	authority = span_search(s.url, span_of("://"), 0) + 3;
	r->path = span_slice(s.url, span_find(s.url, '/', authority), s.url.n);
	if (h->password.kind != SECRET_NOWHERE &&
	    make_authorization(h, &r->authorization, e) == -1)
		return error_wrap(e, "git_hosts: %s", h->host);
	return 0;
}

static struct git_remote *
find(const struct git_remotes *all, const char *host)
{
	for (unsigned i = 0; i < all->n; i++)
		if (strcmp(all->at[i].host, host) == 0)
			return (struct git_remote *)&all->at[i];
	return NULL;
}

/* The hosts of the operator's own manifest need no entry. */
static int
add_named(struct git_remotes *all, const struct git_remotes_settings *set,
    struct error *e)
{
	const struct manifest *m = set->manifest;

	for (unsigned i = 0; m != NULL && i < m->entries_n; i++) {
		const struct manifest_entry *entry = &m->entries[i];
		struct git_host plain = {.host = entry->git.host};

		if (entry->type != ENTRY_GIT_REPO ||
		    find(all, entry->git.host) != NULL)
			continue;
		CHECK(strlen(plain.host) < sizeof all->url[0] - 8);
		if (all->n < REMOTES_MAX) {
			memcpy(all->url[all->n], "https://", 8);
			strncpy(all->url[all->n] + 8, plain.host,
			    sizeof all->url[0] - 9);
			plain.base_url = all->url[all->n];
		}
		if (add(all, set, &plain, e) == -1)
			return -1;
	}
	return 0;
}

struct git_remotes *
git_remotes_new(const struct git_remotes_settings *set, struct error *e)
{
	struct http_client_settings http = {
	    .calls_max = CALLS_MAX, .connections_max = 16 * REMOTES_MAX};
	struct git_remotes *all = calloc(1, sizeof *all);

	if (all == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for servers of git");
		return NULL;
	}
	all->http = http_client_new(set->loop, &http, e);
	if (all->http == NULL)
		goto failed;
	for (unsigned i = 0; i < set->hosts_n; i++)
		if (add(all, set, &set->hosts[i], e) == -1)
			goto failed;
	if (add_named(all, set, e) == 0)
		return all;
failed:
	git_remotes_free(all);
	return NULL;
}

void
git_remotes_free(struct git_remotes *all)
{
	if (all == NULL)
		return;
	for (unsigned i = 0; i < all->n; i++) {
		http_origin_free(all->at[i].origin);
		secret_release(&all->at[i].authorization);
	}
	if (all->http != NULL)
		http_client_free(all->http);
	free(all);
}

const struct git_remote *
git_remote_of(const struct git_remotes *all, const struct manifest_entry *entry,
    struct error *e)
{
	const struct git_remote *r =
	    all != NULL ? find(all, entry->git.host) : NULL;

	if (r != NULL && (r->tasks || !entry->is_tasks))
		return r;
	error_set(e, ERROR_MANIFEST, 0,
	    "git_clone_error: host %s is not one that %s may name; the agent's "
	    "git_hosts say which",
	    entry->git.host, entry->is_tasks ? "a task" : "a manifest");
	return NULL;
}
