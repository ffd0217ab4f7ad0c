#include "config/git_host.h"

#include <string.h>

#include "config/manifest.h"
#include "config/table.h"
#include "engine/base/arena.h"
#include "net/json.h"

#define AT(member) .offset = offsetof(struct git_host, member)

static const struct field git_host_fields[] = {
    {"host", FIELD_TEXT, FIELD_REQUIRED, AT(host),
	.doc = "as git_repo entries name it"},
    {"base_url", FIELD_TEXT, FIELD_ASIDE | FIELD_NULLABLE, AT(base_url),
	.doc = "what stands before the repository; https://HOST if left out"},
    {"username", FIELD_TEXT, FIELD_ASIDE, AT(username),
	.preset_text = "x-access-token",
	.doc = "who asks, where a password is given"},
    {"password", FIELD_SECRET, FIELD_ASIDE | FIELD_NULLABLE, AT(password),
	.doc = "where the password or token is; it never enters a sandbox"},
    {"ca_file", FIELD_PATH, FIELD_ASIDE, AT(ca_file),
	.doc = "certificates to trust instead of the system's"},
    {"tasks", FIELD_BOOL, AT(tasks),
	.doc = "whether task lines may name this host, too"},
    {.name = NULL},
};

static int
check_url(struct table_reader *r, int v, struct git_host *h)
{
	struct span url = span_of(h->base_url);

	if (!span_has_prefix(url, span_of("https://")) &&
	    !span_has_prefix(url, span_of("http://")))
		return table_complain(r, v,
		    "%s is no address; give one such as https://%s",
		    h->base_url, h->host);
	if (span_find(url, '@', 0) < url.n ||
	    strpbrk(h->base_url, " ?#") != NULL)
		return table_complain(r, v,
		    "spaces, @, ? and # cannot stand in this address; a "
		    "password has a member of its own");
	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	h->base_url = arena_strndup(r->arena, url.p, url.n);
	return h->base_url != NULL ? 0 : table_complain(r, v, "out of memory");
}

static int
git_host_check(struct table_reader *r, int v, void *at)
{
	struct git_host *h = at;
	struct manifest_git named = {.host = h->host};
	const char *member;
	struct error e;

	if (manifest_git_check(&named, &member, &e) == -1)
		return table_complain(
		    r, json_get(r->doc, v, "host"), "%s", e.text);
	if (h->base_url == NULL)
		h->base_url = arena_printf(r->arena, "https://%s", h->host);
	if (h->base_url == NULL)
		return table_complain(r, v, "out of memory");
	if (strchr(h->username, ':') != NULL)
		return table_complain(r, json_get(r->doc, v, "username"),
		    "a colon cannot stand in a name");
	if (h->password.kind == SECRET_FILE &&
	    secret_ref_check(&h->password, &e) == -1)
		return table_complain(
		    r, json_get(r->doc, v, "password"), "%s", e.text);
	return check_url(r, json_get(r->doc, v, "base_url"), h);
}

const struct table git_host_table = {
    .name = "git_host",
    .doc = "A server of repositories: how it is reached, and as whom.",
    .bytes = sizeof(struct git_host),
    .fields = git_host_fields,
    .check = git_host_check,
};
