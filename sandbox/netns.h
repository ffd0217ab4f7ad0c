#ifndef SKEP_SANDBOX_NETNS_H
#define SKEP_SANDBOX_NETNS_H

/*
 * Network namespaces.  Making one costs 0.4 ms now and as much kernel work
 * later, joining one 5 us; so a small helper process, the maker, makes them
 * ahead of time and the engine keeps a pool of descriptors.
 *
 * A sandbox holds no capability over its network namespace, so what it can
 * leave behind is sockets' state and counters.  A namespace is reused only
 * if it is indistinguishable from a new one: the maker compares its counters
 * and socket tables with those of a fresh namespace; otherwise it is thrown
 * away and a new one made.
 */

#include <stdint.h>

struct fault;

enum netns_kind {
	NETNS_NONE,     /* `lo` exists and is down */
	NETNS_LOOPBACK, /* `lo` is up */
	NETNS_KINDS
};

/* Child side: join fd, or with fd == -1 make one of this kind here. */
int netns_enter(int fd, enum netns_kind kind, struct fault *f);

/*
 * The maker's whole life: serve requests on the SEQPACKET socket sock until
 * it closes; never returns.  proc is a directory descriptor of a proc in which
 * this process appears.  Runs in a child of the zygote with the right to make
 * network namespaces.  Wire format: struct netns_request, answered in order
 * by struct netns_answer, the descriptors as SCM_RIGHTS.
 */
enum netns_verb { NETNS_MAKE, NETNS_CHECK };

/* NETNS_CHECK comes with the namespace's descriptor. */
struct netns_request {
	uint8_t verb; /* enum netns_verb */
	uint8_t kind; /* enum netns_kind */
};

struct netns_answer {
	uint8_t verb, kind;
	uint8_t clean; /* NETNS_CHECK: 1: may be reused */
	int os_errno;  /* NETNS_MAKE: 0: its descriptor came along */
};

_Noreturn void netns_maker(int sock, int proc);

#endif
