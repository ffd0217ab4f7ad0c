#ifndef SKEP_BASE_OS_H
#define SKEP_BASE_OS_H

/*
 * The system calls of the engine that can fail or tell time, through one
 * table that tests replace: to make the n-th call fail, or time stand still.
 * Shipped code calls os->read(...), never read(...), in net/, engine/ and the
 * engine's side of sandbox/.  Code that runs inside a child (zygote, init)
 * calls the kernel directly.
 */

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct os {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *p, size_t n);
	ssize_t (*write)(int fd, const void *p, size_t n);
	ssize_t (*writev)(int fd, const struct iovec *iov, int n);
	int (*socket)(int domain, int type, int protocol);
	int (*connect)(int fd, const struct sockaddr *sa, socklen_t n);
	int (*accept4)(int fd, struct sockaddr *sa, socklen_t *n, int flags);
	ssize_t (*sendmsg)(int fd, const struct msghdr *m, int flags);
	ssize_t (*recvmsg)(int fd, struct msghdr *m, int flags);
	int (*pipe2)(int fd[2], int flags);
	int (*socketpair)(int domain, int type, int protocol, int fd[2]);
	int (*rename)(const char *from, const char *to);
	int (*fsync)(int fd);
	int (*random)(void *p, size_t n); /* 0, or -1; getrandom(2) */
	uint64_t (*now_us)(void);         /* CLOCK_MONOTONIC */
	int64_t (*wall_ms)(void);         /* CLOCK_REALTIME, Unix epoch */
};

/* The kernel, unless a test put its own table here. */
extern const struct os *os;
extern const struct os os_linux;

#endif
