#include "sandbox/landlock.h"

#include <linux/types.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/fault.h"

/*
 * Debian 12's headers know Landlock's first version only, so the parts of its
 * interface that are used here are written down here.
 */
#define ABI_SCOPED 6
#define CREATE_RULESET_VERSION (1U << 0)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

int
landlock_abi(void)
{
	long abi = syscall(
	    SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

int
landlock_scope(int abi, struct fault *f)
{
	struct ruleset_attr attr = {
	    .scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL};
	long fd;

	if (abi < ABI_SCOPED)
		return 0;
	fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (fd == -1)
		return fault_at(f, "landlock_create_ruleset", NULL);
	if (syscall(SYS_landlock_restrict_self, (int)fd, 0) == -1) {
		fault_at(f, "landlock_restrict_self", NULL);
		close((int)fd);
		return -1;
	}
	close((int)fd);
	return 0;
}
