#include "sandbox/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/fault.h"

#define CAPS_MAX 64

#define SECUREBITS                                                       \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | \
	    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |    \
	    SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static int
capset(const struct __user_cap_data_struct sets[2])
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capset, &head, sets);
}

static int
capget(struct __user_cap_data_struct sets[2])
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capget, &head, sets);
}

static int
drop_all_but(uint32_t kept, struct fault *f)
{
	const struct __user_cap_data_struct sets[2] = {
	    {.permitted = kept, .effective = kept}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return fault_at(f, "no_new_privs", NULL);
	/* Older kernels have no ambient set: nothing to clear then. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1 &&
	    errno != EINVAL)
		return fault_at(f, "clear ambient capabilities", NULL);
	if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) == -1)
		return fault_at(f, "securebits", NULL);
	for (int cap = 0; cap < CAPS_MAX; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL && cap > 0) /* the last one was the last */
			break;
		return fault_at(f, "drop the bounding set", NULL);
	}
	if (capset(sets) == -1)
		return fault_at(f, "drop capabilities", NULL);
	return 0;
}

int
caps_drop_all(struct fault *f)
{
	return drop_all_but(0, f);
}

int
caps_drop_but_users(struct fault *f)
{
	return drop_all_but(
	    1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL, f);
}

int
caps_drop_rest(void)
{
	const struct __user_cap_data_struct none[2] = {{0}};

	return capset(none);
}

int
caps_has(int cap)
{
	struct __user_cap_data_struct sets[2];

	if (cap < 0 || cap >= CAPS_MAX || capget(sets) == -1)
		return 0;
	return (int)(sets[cap / 32].effective >> (cap % 32)) & 1;
}
