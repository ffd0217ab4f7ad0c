#include "sandbox/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/fault.h"

/*
 * What a namespace must look like to be as good as new: its interface counters,
 * its protocol counters, and no socket of any kind, lingering ones included.
 */
#define TABLE_BYTES 6144

/*
 * Whatever moved a packet or tried to is counted in the first two, so a
 * connection that lingers has left its mark there; whatever still exists is
 * counted in the first line of sockstat, the rest of which is the whole
 * host's.  Not net/tcp: reading that walks the host's table of connections
 * and takes a millisecond.
 */
static const char *const tables[] = {"net/snmp", "net/snmp6", "net/sockstat"};
#define TABLES (sizeof tables / sizeof tables[0])
#define SOCKSTAT (TABLES - 1)

struct look {
	size_t n[TABLES];
	char bytes[TABLES][TABLE_BYTES];
};

static int
lo_up(struct fault *f)
{
	struct ifreq r;
	int s, rc;

	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s == -1)
		return fault_at(f, "socket for lo", NULL);
	memset(&r, 0, sizeof r);
	memcpy(r.ifr_name, "lo", sizeof "lo");
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	rc = ioctl(s, SIOCSIFFLAGS, &r);
	if (rc == -1)
		fault_at(f, "bring lo up", NULL);
	close(s);
	return rc;
}

int
netns_enter(int fd, enum netns_kind kind, struct fault *f)
{
	if (fd != -1) {
		if (setns(fd, CLONE_NEWNET) == -1)
			return fault_at(f, "join the network namespace", NULL);
		return 0;
	}
	if (unshare(CLONE_NEWNET) == -1)
		return fault_at(f, "unshare the network namespace", NULL);
	return kind == NETNS_LOOPBACK ? lo_up(f) : 0;
}

/* Read the tables of the namespace we are in; -1 when one does not fit. */
static int
look_around(int proc, struct look *l)
{
	for (size_t i = 0; i < TABLES; i++) {
		ssize_t n;
		int fd = openat(proc, tables[i], O_RDONLY | O_CLOEXEC);

		l->n[i] = 0;
		if (fd == -1 && errno == ENOENT)
			continue; /* no IPv6 in this kernel */
		if (fd == -1)
			return -1;
		while ((n = read(fd, l->bytes[i] + l->n[i],
			    TABLE_BYTES - l->n[i])) > 0)
			l->n[i] += (size_t)n;
		close(fd);
		if (n == -1 || l->n[i] == TABLE_BYTES)
			return -1;
		if (i == SOCKSTAT && l->n[i] > 0) {
			const char *end = memchr(l->bytes[i], '\n', l->n[i]);

			if (end != NULL)
				l->n[i] = (size_t)(end - l->bytes[i]);
		}
	}
	return 0;
}

static int
looks_same(const struct look *a, const struct look *b)
{
	for (size_t i = 0; i < TABLES; i++)
		if (a->n[i] != b->n[i] ||
		    memcmp(a->bytes[i], b->bytes[i], a->n[i]) != 0)
			return 0;
	return 1;
}

/* A new namespace of this kind: its descriptor, or -1 and errno. */
static int
make(int self, enum netns_kind kind)
{
	struct fault f;

	if (netns_enter(-1, kind, &f) == -1) {
		errno = f.os_errno;
		return -1;
	}
	return openat(self, "ns/net", O_RDONLY | O_CLOEXEC);
}

/* Compared with a namespace of its kind that was made when first asked. */
static int
is_clean(int self, int fd, enum netns_kind kind)
{
	static struct look fresh[NETNS_KINDS], now;
	static int known[NETNS_KINDS];

	if (!known[kind]) {
		int made = make(self, kind);

		if (made == -1)
			return 0;
		close(made);
		if (look_around(self, &fresh[kind]) == -1)
			return 0;
		known[kind] = 1;
	}
	return setns(fd, CLONE_NEWNET) == 0 && look_around(self, &now) == 0 &&
	       looks_same(&fresh[kind], &now);
}

union one_fd {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* The next request and its descriptor (-1); 0 at the end. */
static int
hear(int sock, struct netns_request *r, int *fd)
{
	union one_fd control;
	struct iovec iov = {r, sizeof *r};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof control.bytes};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	*fd = -1;
	if (c != NULL && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	return n == (ssize_t)sizeof *r;
}

static int
say(int sock, struct netns_answer *a, int fd)
{
	union one_fd control;
	struct iovec iov = {a, sizeof *a};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd != -1) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof control);
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof *a;
}

void
netns_maker(int sock, int proc)
{
	struct netns_request r;
	int self, fd;

	self = openat(proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (hear(sock, &r, &fd)) {
		struct netns_answer a = {.verb = r.verb, .kind = r.kind};

		if (r.verb == NETNS_MAKE && r.kind < NETNS_KINDS && fd == -1) {
			fd = make(self, r.kind);
			a.os_errno = fd == -1 ? errno : 0;
		} else if (r.verb == NETNS_CHECK && r.kind < NETNS_KINDS &&
			   fd != -1) {
			a.clean = (uint8_t)is_clean(self, fd, r.kind);
			close(fd);
			fd = -1;
		} else
			a.os_errno = EINVAL;
		if (!say(sock, &a, fd))
			break;
		if (fd != -1)
			close(fd);
	}
	_exit(0);
}
