#include "engine/base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int
linux_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static int
linux_openat(int dir, const char *path, int flags, mode_t mode)
{
	return openat(dir, path, flags, mode);
}

static int
linux_random(void *p, size_t n)
{
	char *at = p;
	ssize_t got;

	while (n > 0) {
		got = getrandom(at, n, 0);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

static uint64_t
linux_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int64_t
linux_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const struct os os_linux = {
    .open = linux_open,
    .openat = linux_openat,
    .close = close,
    .read = read,
    .write = write,
    .writev = writev,
    .socket = socket,
    .connect = connect,
    .accept4 = accept4,
    .sendmsg = sendmsg,
    .recvmsg = recvmsg,
    .pipe2 = pipe2,
    .socketpair = socketpair,
    .rename = rename,
    .fsync = fsync,
    .random = linux_random,
    .now_us = linux_now_us,
    .wall_ms = linux_wall_ms,
};

const struct os *os = &os_linux;
