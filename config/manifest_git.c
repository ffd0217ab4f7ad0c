/*
 * What a git_repo entry may ask for.
 *
 * All of it ends up in an address or on git's command line, so each part is
 * let in by what it consists of, and nothing may look like an option.
 */

#include <ctype.h>
#include <string.h>

#include "config/manifest.h"
#include "config/vars.h"
#include "engine/base/error.h"

#define HOST_BYTES_MAX 255
#define REPO_BYTES_MAX 512
#define REF_BYTES_MAX 255

#define LETTERS                      \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz0123456789"

static int
refuse(struct error *e, const char *what, const char *why)
{
	return error_set(e, ERROR_MANIFEST, 0, "\"%s\" %s", what, why);
}

static int
check_host(const char *host, struct error *e)
{
	size_t n = strspn(host, LETTERS ".-"), digits;
	const char *port = host + n;

	if (host[0] == '[')
		port = host + 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
	if (host[0] == '[' && *port == ']')
		port++;
	if (n > 0 && (host[0] == '-' || host[0] == '.'))
		return refuse(e, host, "is not a name of a host");
	digits = *port == ':' ? strspn(port + 1, "0123456789") : 0;
	if (port == host || (*port == ':' && (digits == 0 || digits > 5)) ||
	    port[digits > 0 ? digits + 1 : 0] != '\0' ||
	    strlen(host) > HOST_BYTES_MAX)
		return refuse(e, host, "is not a name of a host");
	return 0;
}

static int
check_repo(const char *repo, struct error *e)
{
	struct span rest = span_of(repo);

	if (repo[0] == '/' || repo[0] == '.')
		return refuse(e, repo,
		    "is not a path of a repository at a server, such as "
		    "owner/name; one on this machine is a local_dir");

	if (rest.n > REPO_BYTES_MAX || repo[strspn(repo, LETTERS "._~/-")] != 0)
		return refuse(e, repo,
		    "is not a path of a repository: letters, digits and "
		    ". _ ~ - / can stand in it");
	while (rest.p != NULL) {
		struct span part = span_cut(&rest, '/');

		if (part.n == 0 || part.p[0] == '.' || part.p[0] == '-')
			return refuse(e, repo,
			    "is not a path of a repository, such as "
			    "owner/name");
	}
	return 0;
}

/* The rules of git check-ref-format, and no '-' in front. */
static int
check_ref(const char *ref, struct error *e)
{
	size_t n = strlen(ref);
	int bad = n == 0 || n > REF_BYTES_MAX || strchr("-/.", ref[0]) != NULL;

	for (size_t i = 0; i < n && !bad; i++) {
		unsigned char c = (unsigned char)ref[i];

		bad = c <= ' ' || c == 0x7f || strchr("~^:?*[\\", c) != NULL ||
		      (c == '.' && ref[i + 1] == '.') ||
		      (c == '/' && (ref[i + 1] == '/' || ref[i + 1] == '.')) ||
		      (c == '@' && ref[i + 1] == '{');
	}
	if (bad || strchr("/.", ref[n - 1]) != NULL ||
	    (n > 5 && strcmp(ref + n - 5, ".lock") == 0))
		return refuse(e, ref, "is not a branch, a tag or a commit");
	return 0;
}

static int
check_subpath(const char *subpath, struct error *e)
{
	struct span rest = span_of(subpath);
	const char *reason = NULL;
	size_t parts = 0;

	if (subpath[0] == '/')
		reason = "absolute";
	else if (strchr(subpath, '\\') != NULL ||
		 (isalpha((unsigned char)subpath[0]) && subpath[1] == ':'))
		reason = "windows_path";
	while (reason == NULL && rest.p != NULL) {
		struct span part = span_cut(&rest, '/');

		if (span_is(part, ".."))
			reason = "parent_traversal";
		parts += part.n > 0 && !span_is(part, ".");
	}
	if (reason == NULL && parts == 0)
		reason = "empty";
	if (reason == NULL)
		return 0;
	return error_set(e, ERROR_MANIFEST, 0,
	    "git_subpath_error: %s: \"%s\" is not a path in the repository",
	    reason, subpath);
}

int
manifest_git_check(
    const struct manifest_git *git, const char **member, struct error *e)
{
	const struct {
		const char *member, *value;
		int (*check)(const char *value, struct error *e);
	} parts[] = {
	    {"host", git->host, check_host},
	    {"repo", git->repo, check_repo},
	    {"ref", git->ref, check_ref},
	    {"subpath", git->subpath, check_subpath},
	};
	size_t at;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		const char *value = parts[i].value;
		int status;

		if (value == NULL)
			continue;
		*member = parts[i].member;
		/* The host is nobody's to choose who only fills in a task. */
		if (i > 0 && vars_occur(span_of(value)))
			status = vars_check(span_of(value), &at, e);
		else
			status = parts[i].check(value, e);
		if (status == -1) {
			e->code = ERROR_MANIFEST;
			return -1;
		}
	}
	return 0;
}

int
manifest_git_is_commit(const char *ref)
{
	size_t n = strspn(ref, "0123456789abcdefABCDEF");

	return n >= 7 && n <= 40 && ref[n] == '\0';
}
