#include "sandbox/init_private.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/caps.h"

/*
 * Theory of operation
 *
 * In a sandbox with several users init keeps the capabilities to set ids and
 * to signal, which hold in its user namespace only and reach nothing but the
 * ids mapped there.  What it does to files for another user it does with that
 * user's file system ids and groups, so that the kernel judges, and it has no
 * capability that would override the judgement.  A command becomes its user
 * for good before exec and loses what is left.
 *
 * Every change of ids makes the kernel forget that this process is not to be
 * looked into and that it dies with its parent; both are set again.
 *
 * Raw calls only: glibc's would want all threads to follow.
 */

static int
set_groups(const struct users_identity *who)
{
	if (who->groups_n > USERS_GROUPS_MAX) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_setgroups, who->groups_n, who->group);
}

static void
be_shut_again(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* setfsuid(2) tells nothing but what was: ask again. */
static int
set_file_ids(uid_t uid, gid_t gid)
{
	syscall(SYS_setfsgid, gid);
	syscall(SYS_setfsuid, uid);
	if ((uid_t)syscall(SYS_setfsuid, -1) == uid &&
	    (gid_t)syscall(SYS_setfsgid, -1) == gid)
		return 0;
	errno = EPERM;
	return -1;
}

int
init_act_as(struct init *in, const struct users_identity *who)
{
	int failed;

	if (in->ids.more == 0)
		return 0;
	failed =
	    set_groups(who) == -1 || set_file_ids(who->uid, who->gid) == -1;
	be_shut_again();
	return failed ? -1 : 0;
}

void
init_act_as_self(struct init *in)
{
	const struct users_identity self = {
	    .uid = in->ids.uid, .gid = in->ids.gid};

	if (in->ids.more > 0 && init_act_as(in, &self) == -1)
		_exit(1);
}

int
init_become(const struct users_identity *who)
{
	return set_groups(who) == -1 ||
		       syscall(SYS_setresgid, who->gid, who->gid, who->gid) ==
			   -1 ||
		       syscall(SYS_setresuid, who->uid, who->uid, who->uid) ==
			   -1 ||
		       caps_drop_rest() == -1
		   ? -1
		   : 0;
}
