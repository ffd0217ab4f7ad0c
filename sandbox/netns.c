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

int
netns_make(int self, enum netns_kind kind)
{
	struct fault f;

	if (netns_enter(-1, kind, &f) == -1) {
		errno = f.os_errno;
		return -1;
	}
	return openat(self, "ns/net", O_RDONLY | O_CLOEXEC);
}

int
netns_is_clean(int self, int fd, enum netns_kind kind)
{
	static struct look fresh[NETNS_KINDS], now;
	static int known[NETNS_KINDS];

	if (!known[kind]) {
		int made = netns_make(self, kind);

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
