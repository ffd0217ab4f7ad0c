#ifndef SKEP_SANDBOX_GIT_REMOTE_H
#define SKEP_SANDBOX_GIT_REMOTE_H

/*
 * The servers that git_repo entries may be fetched from, and the talk with
 * one of them on behalf of a git in a sandbox.
 *
 * Theory of operation
 *
 * A sandbox has no network and no credentials, and the engine neither forks
 * nor understands objects.  So git itself runs in the sandbox, by the known
 * sequence of commands, and believes that two descriptors are a connection
 * to git-upload-pack (git-remote-ext); what it says there is sent
 * as requests of the smart HTTP protocol to the one repository that the entry
 * names, at a host that the operator allows, and the answers come back as
 * they are.  Nothing inside can choose another host, repository or service;
 * authorisation is added out here; objects are parsed in there only.
 *
 * That works because in version 2 of git's protocol every request stands for
 * itself: pkt-lines up to a flush packet are one POST.  A server without
 * version 2 is refused.
 *
 * A fetch on the host's side by our own code would have needed a parser of
 * refs and a pack's framing in the engine, a proxy for git's own HTTPS the
 * certificates and tokens in the sandbox; this needs neither.
 */

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/span.h"

struct git_host;
struct git_remotes;
struct git_talk;
struct loop;
struct manifest;
struct manifest_entry;

struct git_remotes_settings {
	struct loop *loop;            /* kept */
	const struct git_host *hosts; /* kept */
	unsigned hosts_n;
	const struct manifest
	    *manifest; /* whose hosts need no entry; or NULL */
	int plain_anywhere;
};

/*
 * Reads passwords and certificates: at start-up only.  NULL and *e: CONFIG,
 * NO_INPUT, TLS, FULL.
 */
struct git_remotes *git_remotes_new(
    const struct git_remotes_settings *settings, struct error *e);
/* No talk may be under way. */
void git_remotes_free(struct git_remotes *all); /* NULL is fine */

struct git_talk_ops {
	/*
	 * Bytes for git: how many were taken; less stops the server until
	 * git_talk_resume().
	 */
	size_t (*bytes)(struct span s, void *owner);
	/* git_talk_say() takes bytes again. */
	void (*ready)(void *owner);
	/* git wants no more: a flush behind no request.  The talk is over. */
	void (*hung_up)(void *owner);
	/* It cannot go on: "git_clone_error: ...".  No callback after this. */
	void (*failed)(const struct error *error, void *owner);
};

/*
 * Begin to talk about entry's repository: first the server's capabilities.
 * Keeps ops and entry.  NULL and *e (MANIFEST) when its host is not allowed.
 */
struct git_talk *git_talk_start(const struct git_remotes *all,
    const struct manifest_entry *entry, const struct git_talk_ops *ops,
    void *owner, struct error *e);

/*
 * What git says: how many bytes were taken; less while a request is under way
 * or being answered: offer the rest at ready().  -1 and *e:
 * that is not the protocol.
 */
ptrdiff_t git_talk_say(struct git_talk *t, struct span s, struct error *e);

/* What bytes() did not take it takes now. */
void git_talk_resume(struct git_talk *t);

void git_talk_free(struct git_talk *t); /* NULL is fine */

#endif
