/* Every header that asks which machine this is, while it still is. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/types.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "sandbox/fault.h"
#include "tests/unit/seccomp_generic.h"

/* And the numbers of the other. */
#define _ASM_X86_UNISTD_H
#define __ARCH_WANT_RENAMEAT
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SET_GET_RLIMIT
#define __ARCH_WANT_TIME32_SYSCALLS
#define __ARCH_WANT_SYS_CLONE3
#define __ARCH_WANT_MEMFD_SECRET
#include <asm-generic/unistd.h>
#include <sys/syscall.h>

#undef __x86_64__
#undef __aarch64__
#define __aarch64__ 1

#define seccomp_compile generic_compile
#define seccomp_compile_outer generic_compile_outer
#define seccomp_compile_inner generic_compile_inner
#define seccomp_name_is_known generic_name_is_known
#define seccomp_is_available generic_is_available
#define seccomp_install generic_install
#define seccomp_library_version generic_library_version

#include "sandbox/seccomp.c"

const unsigned generic_arch = AUDIT_ARCH_AARCH64;

static const struct {
	const char *name;
	int nr;
} numbers[] = {
#define N(name)                    \
	{                          \
#		name, __NR_##name \
	}
    N(unshare),
    N(setns),
    N(mount),
    N(umount2),
    N(pivot_root),
    N(chroot),
    N(clone3),
    N(ptrace),
    N(process_vm_readv),
    N(process_vm_writev),
    N(pidfd_getfd),
    N(kcmp),
    N(bpf),
    N(perf_event_open),
    N(userfaultfd),
    N(io_uring_setup),
    N(io_uring_enter),
    N(io_uring_register),
    N(add_key),
    N(request_key),
    N(keyctl),
    N(init_module),
    N(finit_module),
    N(delete_module),
    N(kexec_load),
    N(kexec_file_load),
    N(quotactl),
    N(quotactl_fd),
    N(acct),
    N(swapon),
    N(swapoff),
    N(reboot),
    N(settimeofday),
    N(clock_settime),
    N(adjtimex),
    N(clock_adjtime),
    N(open_by_handle_at),
    N(fanotify_init),
    N(fanotify_mark),
    N(openat2),
    N(open_tree),
    N(move_mount),
    N(fsopen),
    N(fsconfig),
    N(fsmount),
    N(fspick),
    N(mount_setattr),
    N(sethostname),
    N(setdomainname),
    N(syslog),
    N(vhangup),
    N(seccomp),
    N(lookup_dcookie),
    N(name_to_handle_at),
    N(process_madvise),
    N(process_mrelease),
    N(memfd_secret),
    N(landlock_restrict_self),
    N(nfsservctl),
    N(mbind),
    N(set_mempolicy),
    N(migrate_pages),
    N(move_pages),
    N(vmsplice),
    N(mincore),
    N(remap_file_pages),
    N(read),
    N(write),
    N(openat),
    N(fchmodat),
    N(clone),
    N(execve),
    N(exit_group),
    N(ioctl),
    N(socket),
    N(prctl),
    N(personality),
    N(prlimit64),
    N(mkdirat),
    N(mknodat),
    N(fchmod),
    N(setpriority),
#undef N
};

int
generic_number(const char *name)
{
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (strcmp(numbers[i].name, name) == 0)
			return numbers[i].nr;
	return -1;
}

int
generic_is_listed(int nr)
{
	for (size_t i = 0; i < LISTED; i++)
		if (listed[i].nr == nr)
			return listed[i].rule == ALLOW ? 1 : 2;
	return 0;
}
