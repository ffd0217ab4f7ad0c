#ifndef SKEP_BASE_ALLOC_GUARD_H
#define SKEP_BASE_ALLOC_GUARD_H

/*
 * Proof that skep's own code allocates nothing after start-up.
 *
 * The debug build is linked with --wrap for every function that allocates
 * (ALLOC_WRAPPED in the Makefile), so the calls in skep's objects come here
 * and those inside shared libraries do not.  After alloc_guard_arm() they are
 * counted.  In other builds nothing is wrapped and the count is -1.
 */

/* Count from now on; start-up is over. */
void alloc_guard_arm(void);

/* Stop counting and forget. */
void alloc_guard_disarm(void);

/* Allocations since arming; -1 when this build does not count. */
long alloc_guard_count(void);

/*
 * With SKEP_ALLOC_GUARD in the environment, print "skep: allocations after
 * start-up: N" on standard error, and where the first was made.
 */
void alloc_guard_report(void);

#endif
