#ifndef SKEP_SANDBOX_MAKER_H
#define SKEP_SANDBOX_MAKER_H

/*
 * The maker: a child of the zygote that makes what is dear to make, ahead of
 * time, and looks over what comes back from dead sandboxes: network namespaces
 * (netns.h) and stages (stage.h).
 *
 * It serves requests on a SEQPACKET socket in order, one answer each, until
 * that closes.  Descriptors travel with requests and answers and are never
 * kept; whatever is taken down is taken down here, where nobody waits.
 */

#include <stdint.h>

#include "sandbox/stage.h"
#include "sandbox/userns.h"

struct box;
struct mounts_zygote;

enum maker_verb {
	MAKE_NETNS, /* answered with its descriptor */
	MAKE_STAGE, /* answered with enum stage_fd's, OURS only if there is */
	MAKER_CHECK /* comes with those of parts */
};

/*
 * A stage is given away with its check and comes back with the answer if it is
 * clean; otherwise it is taken down here.
 */
enum maker_parts {
	MAKER_NETNS = 1,
	MAKER_STAGE = 2,
	MAKER_DISCARD = 4 /* the stage, whatever it looks like */
};

struct maker_request {
	uint8_t verb;   /* enum maker_verb */
	uint8_t kind;   /* enum netns_kind, of a network namespace */
	uint8_t parts;  /* of a check: enum maker_parts, in that order */
	uint8_t unused; /* 0 */
	uint32_t profile;
	uint32_t number;       /* of the stage */
	struct userns_ids ids; /* whose stage it is to be */
};

struct maker_answer {
	uint32_t verb;
	uint32_t clean;   /* of a check: the parts that may be used again */
	int32_t os_errno; /* of a make; 0: the descriptors came along */
};

struct maker_plan {
	int sock;
	const struct mounts_zygote *mounts;
	const struct box *(*box)(unsigned profile); /* NULL: there is none */
};

/* The maker's whole life. */
_Noreturn void maker_main(const struct maker_plan *plan);

#endif
