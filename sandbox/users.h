#ifndef SKEP_SANDBOX_USERS_H
#define SKEP_SANDBOX_USERS_H

/*
 * The users and groups that exist inside one sandbox, by name and number.
 *
 * Theory of operation
 *
 * User 0 is the profile's: pid 1 is it, and what a manifest puts into the
 * workspace belongs to it.  The manifest's users follow, then its groups, with
 * the numbers after the profile's uid; each user has a group of its own name
 * and number.  A name that the manifest gives again, or that is the profile's
 * user's, is the same user.
 *
 * Only root can map more than one user into a user namespace.  Without root
 * the names exist in /etc/passwd, and the only one that anything can be done
 * as is the sandbox's own: the one it was made with (run_as), which then also
 * stands in the place of user 0.  Acting as another is refused, never done as
 * somebody else.
 *
 * Engine side; names are copied.
 */

#include <stdint.h>
#include <sys/types.h>

#include "engine/base/error.h"

struct manifest;
struct profile;

#define USERS_MAX 16         /* user 0 included */
#define USERS_GROUPS_MAX 15  /* of the manifest */
#define USERS_NAME_MAX 33    /* with its NUL */
#define USERS_TEXT_MAX 16384 /* /etc/passwd and /etc/group together */

struct users {
	uid_t first;     /* number of user 0; the others follow */
	int is_single;   /* no other user than `acting` can be had */
	unsigned acting; /* who commands and verbs are, unless they say */
	unsigned n, groups_n;
	struct {
		char name[USERS_NAME_MAX];
		uint32_t groups; /* 1u << group */
	} user[USERS_MAX];
	char group[USERS_GROUPS_MAX][USERS_NAME_MAX];
};

/* Who something is done as, in numbers inside. */
struct users_identity {
	uint32_t uid, gid;
	uint32_t groups_n;
	uint32_t group[USERS_GROUPS_MAX];
};

/*
 * Fill u; p (then /etc's own), m and run_as may be NULL.  single: this host maps one user only.
 * -1 and *e (MANIFEST): too many, or run_as is none of them.
 */
int users_init(struct users *u, const struct profile *p,
    const struct manifest *m, const char *run_as, int single, struct error *e);

/* Does /etc need files of its own, or is user 0 all there is? */
int users_are_plain(const struct users *u);

/* How many numbers after user 0's are to be mapped. */
unsigned users_more(const struct users *u);

/*
 * name: of a user, or a user's number in decimal; NULL: who acts.  -1 and *e:
 * NOT_FOUND, or SANDBOX_UNAVAILABLE where only one can be had.
 */
int users_find(
    const struct users *u, const char *name, unsigned *out, struct error *e);
void users_identify(
    const struct users *u, unsigned user, struct users_identity *out);

/* The number of a group (or of a user's own); -1 and *e (NOT_FOUND). */
int users_find_group(
    const struct users *u, const char *name, gid_t *out, struct error *e);

/*
 * /etc/passwd, a NUL, /etc/group, a NUL; their length together, at most
 * USERS_TEXT_MAX, and in *group where the second begins.
 */
size_t users_write(
    const struct users *u, char out[USERS_TEXT_MAX], size_t *group);

#endif
