#include "config/profile.h"

#include "engine/base/limits.h"

/*
 * draft: work nobody has looked at yet.  delivery: work that goes out, so the
 * host must be able to enforce everything.  privileged: more of everything,
 * and a loopback of its own.  bare: the walls without the limits, for
 * measurements.
 */

#define MINUTE_MS ((uint64_t)60 * 1000)

static const struct profile builtins[] = {
    {
	.name = "draft",
	.description = "untrusted work: no network, small limits",
	.rootfs = ROOTFS_HOST,
	.writable = TEXT_LIST("."),
	.protected_paths = TEXT_LIST(".git/hooks", ".skep"),
	.network = NETWORK_NONE,
	.limits =
	    {
		.memory_bytes = 1 * GIB,
		.pids = 256,
		.cpus = 1,
		.commands = LIMIT_COMMANDS_PER_SANDBOX,
		.open_files = 1024,
		.file_bytes = 256 * MIB,
		.disk_bytes = 256 * MIB,
		.disk_inodes = 65536,
		.output_bytes = 64 * MIB,
		.command_ms = 10 * MINUTE_MS,
		.run_ms = 60 * MINUTE_MS,
		.grace_ms = 2000,
	    },
	.user = "agent",
	.uid = 1000,
	.require = REQUIRE_SECCOMP | REQUIRE_USER_NAMESPACE,
    },
    {
	.name = "delivery",
	.description = "work that is delivered: every limit by control group",
	.rootfs = ROOTFS_HOST,
	.writable = TEXT_LIST("."),
	.protected_paths = TEXT_LIST(".git/hooks", ".skep"),
	.network = NETWORK_NONE,
	.limits =
	    {
		.memory_bytes = 2 * GIB,
		.pids = 512,
		.cpus = 2,
		.commands = LIMIT_COMMANDS_PER_SANDBOX,
		.open_files = 4096,
		.file_bytes = 1 * GIB,
		.disk_bytes = 1 * GIB,
		.disk_inodes = 262144,
		.output_bytes = 256 * MIB,
		.command_ms = 30 * MINUTE_MS,
		.run_ms = 240 * MINUTE_MS,
		.grace_ms = 5000,
	    },
	.user = "agent",
	.uid = 1000,
	.require = REQUIRE_SECCOMP | REQUIRE_USER_NAMESPACE | REQUIRE_CGROUP,
    },
    {
	.name = "privileged",
	.description = "approved work: loopback network, large limits",
	.rootfs = ROOTFS_HOST,
	.writable = TEXT_LIST("."),
	.protected_paths = TEXT_LIST(".skep"),
	.network = NETWORK_LOOPBACK,
	.limits =
	    {
		.memory_bytes = 8 * GIB,
		.pids = 4096,
		.cpus = 4,
		.commands = LIMIT_COMMANDS_PER_SANDBOX,
		.open_files = 16384,
		.file_bytes = 8 * GIB,
		.disk_bytes = 8 * GIB,
		.disk_inodes = 1048576,
		.output_bytes = 1 * GIB,
		.command_ms = 120 * MINUTE_MS,
		.run_ms = 720 * MINUTE_MS,
		.grace_ms = 10000,
	    },
	.user = "agent",
	.uid = 1000,
	.require = REQUIRE_SECCOMP | REQUIRE_USER_NAMESPACE | REQUIRE_CGROUP,
    },
    {
	.name = "bare",
	.description = "the same walls without limits, for measurements",
	.rootfs = ROOTFS_HOST,
	.writable = TEXT_LIST("."),
	.network = NETWORK_LOOPBACK,
	.limits = {.commands = LIMIT_COMMANDS_PER_SANDBOX, .grace_ms = 2000},
	.user = "agent",
	.uid = 1000,
	.require = REQUIRE_SECCOMP | REQUIRE_USER_NAMESPACE,
    },
};

#define BUILTINS (sizeof builtins / sizeof builtins[0])

const struct profile *
profile_builtin_at(unsigned i)
{
	return i < BUILTINS ? &builtins[i] : NULL;
}

const struct profile *
profile_builtin(const char *name)
{
	for (size_t i = 0; i < BUILTINS; i++)
		if (strcmp(builtins[i].name, name) == 0)
			return &builtins[i];
	return NULL;
}
