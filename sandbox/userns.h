#ifndef SKEP_SANDBOX_USERNS_H
#define SKEP_SANDBOX_USERNS_H

/*
 * User namespaces: the one a sandbox ends in, and those that only carry the
 * map of an id-mapped mount.
 *
 * Theory of operation
 *
 * As root an init first becomes a distinct unprivileged host uid and then, as
 * the very last namespace, enters a user namespace of its own with a single
 * uid mapped.  Every other namespace therefore belongs to the host's, and no
 * capability inside reaches it.  Host uid 0 is never mapped.
 *
 * Without root the zygote itself enters a user namespace first (userns_outer),
 * gains the capabilities to build mounts in it, and every init again enters a
 * nested one of its own last: the same order, the same guarantees, except
 * that all sandboxes are one uid to the host.
 *
 * A sandbox with several users needs a map that only root may write, so its
 * namespace is made by a child of init's and entered before the uid is given
 * up; init then keeps the capabilities inside it to become one of them.
 */

#include <sys/types.h>

struct fault;

struct userns_ids {
	uid_t host_uid; /* never 0 */
	gid_t host_gid;
	uid_t uid; /* inside */
	gid_t gid;
	/*
	 * Real root only: as many further ids, from uid + 1 inside and from
	 * more_host outside, users and groups alike.
	 */
	unsigned more;
	uid_t more_host;
	/*
	 * The zygote went through userns_outer(): the host ids are the
	 * caller's own, and there are no others to become.
	 */
	int outer;
};

/*
 * Zygote without root: enter a user namespace and a mount namespace in which
 * the caller keeps its ids and holds every capability.
 */
int userns_outer(struct fault *f);

/* The second half of it, in a process that was cloned with CLONE_NEWUSER;
 * uid and gid are the caller's before. */
int userns_outer_map(uid_t uid, gid_t gid, struct fault *f);

/*
 * Init: become ids->host_uid for good (where privileged), then enter the
 * sandbox's own user namespace.  proc_self is a descriptor of the calling
 * process's directory in a writable proc of any ancestor pid namespace
 * (openat(proc, "self", O_PATH | O_DIRECTORY)); it is not closed.
 * Leaves the process non-dumpable.
 */
int userns_enter(const struct userns_ids *ids, int proc_self, struct fault *f);

/*
 * Real root: a descriptor of a user namespace that maps exactly disk_uid:gid
 * on a file system to ids->host_uid:gid, for MOUNT_ATTR_IDMAP; -1.  Forks a
 * child for about 0.2 ms.  proc is a writable proc of any ancestor pid
 * namespace.
 */
int userns_idmap(int proc, uid_t disk_uid, gid_t disk_gid,
    const struct userns_ids *ids, struct fault *f);

#endif
