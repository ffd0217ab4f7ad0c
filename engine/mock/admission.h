#ifndef SKEP_ENGINE_MOCK_ADMISSION_H
#define SKEP_ENGINE_MOCK_ADMISSION_H

/*
 * How many requests the scripted server lets in at once: in_flight_max, which
 * in_flight_steps change by the number of requests let in so far, so that a
 * client that follows a changing limit can be watched, each time alike.
 *
 * What happened within each step is counted and shown by /stats.
 */

#include <stdint.h>

struct json_writer;
struct mock_script;

#define ADMISSION_STEPS_MAX 32 /* further ones are lumped into the last */

struct admission {
	const struct mock_script *script; /* kept */
	uint64_t let_in;
	unsigned step; /* of script->step; 0: in_flight_max holds */
	struct {
		uint64_t let_in, refused, began_us, ended_us;
	} count[ADMISSION_STEPS_MAX];
};

void admission_init(struct admission *a, const struct mock_script *script);

/* in_flight counts the request.  0: it is one too many. */
int admission_let_in(struct admission *a, unsigned in_flight);

/* "steps": [{"max", "let_in", "refused", "ms"}, ...], those that began; ms
   from the first request of a step to its last. */
void admission_write(const struct admission *a, struct json_writer *w);

#endif
