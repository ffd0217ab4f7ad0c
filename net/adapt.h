#ifndef SKEP_NET_ADAPT_H
#define SKEP_NET_ADAPT_H

/*
 * How many requests a server takes at once, found by trying.  A pure table:
 * no clock, no sockets.
 *
 * Theory of operation
 *
 * It begins at a guess and doubles (by each answer, or by time: who is not
 * refused within a moment was let in) until the first refusal, which is a
 * 429, 503 or 529.  From then on the limit falls by a tenth at a refusal and
 * rises by one a round of answers, up to where the last refusal came; beyond
 * that point each rise is twice the one before, so that a server that became
 * more generous is followed soon.  Refusals of requests that were sent before
 * a fall say nothing new: that is what the epoch is for.
 */

#include <stdint.h>

struct adapt {
	unsigned limit, ceiling;
	unsigned refused_at; /* in flight when the last refusal came */
	unsigned floor;      /* of falls in this epoch */
	unsigned step;       /* of the next rise */
	unsigned credit;     /* answers since the last rise */
	unsigned epoch;      /* falls so far */
	uint64_t changed_ms;
	int is_starting;
};

#define ADAPT_START 64
#define ADAPT_START_TICK_MS 250
#define ADAPT_TICK_MS 4000

void adapt_init(struct adapt *a, unsigned ceiling, uint64_t now_ms);

/* A request is sent: keep this with it. */
unsigned adapt_sent(const struct adapt *a);

/* It was let in.  in_flight counts it. */
void adapt_accepted(struct adapt *a, unsigned in_flight, uint64_t now_ms);

/* It was refused.  left: in flight without it. */
void adapt_refused(
    struct adapt *a, unsigned epoch, unsigned left, uint64_t now_ms);

/*
 * While others wait and in_flight has reached the limit: call when so many
 * milliseconds have passed, and the limit may rise by time alone.
 */
uint64_t adapt_tick_in(const struct adapt *a, uint64_t now_ms);
void adapt_tick(struct adapt *a, uint64_t now_ms);

#endif
