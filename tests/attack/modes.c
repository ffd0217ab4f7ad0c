/*
 * Try to make a file or folder with S_ISUID or S_ISGID in the working
 * directory by every call that takes a mode; prints the names of those that
 * worked.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FCHMODAT2 452
#define OPENAT2 437

static const char plain[] = "plain", made[] = "made";

static int
has_bits(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) != 0;
}

static void
clean(void)
{
	unlink(made);
	rmdir(made);
	unlink(plain);
	close(open(plain, O_CREAT | O_RDWR, 0755));
}

static void
report(const char *what)
{
	if (has_bits(plain) || has_bits(made))
		puts(what);
	clean();
}

static void
try_mode(unsigned mode)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {O_CREAT | O_RDWR, mode, 0};
	char link[64];
	int fd;

	fd = open(plain, O_RDWR);
	syscall(SYS_fchmod, fd, mode);
	close(fd);
	report("fchmod");
	syscall(SYS_fchmodat, AT_FDCWD, plain, mode);
	report("fchmodat");
	syscall(FCHMODAT2, AT_FDCWD, plain, mode, 0);
	report("fchmodat2");
	close((int)syscall(SYS_openat, AT_FDCWD, made, O_CREAT | O_RDWR, mode));
	report("openat");
	close((int)syscall(OPENAT2, AT_FDCWD, made, &how, sizeof how));
	report("openat2");
	fd = (int)syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, mode);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	(void)!linkat(AT_FDCWD, link, AT_FDCWD, made, AT_SYMLINK_FOLLOW);
	close(fd);
	report("openat O_TMPFILE");
	syscall(SYS_mknodat, AT_FDCWD, made, S_IFREG | mode, 0);
	report("mknodat");
	syscall(SYS_mkdirat, AT_FDCWD, made, mode);
	report("mkdirat");
#if defined(__x86_64__)
	syscall(SYS_chmod, plain, mode);
	report("chmod");
	close((int)syscall(SYS_open, made, O_CREAT | O_RDWR, mode));
	report("open");
	close((int)syscall(SYS_creat, made, mode));
	report("creat");
	syscall(SYS_mknod, made, S_IFREG | mode, 0);
	report("mknod");
	syscall(SYS_mkdir, made, mode);
	report("mkdir");
#endif
}

int
main(void)
{
	umask(0);
	clean();
	try_mode(S_ISUID | 0755);
	try_mode(S_ISGID | 0755);
	try_mode(S_ISUID | S_ISGID | 0777);
	unlink(plain);
	return 0;
}
