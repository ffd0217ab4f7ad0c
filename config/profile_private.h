#ifndef SKEP_CONFIG_PROFILE_PRIVATE_H
#define SKEP_CONFIG_PROFILE_PRIVATE_H

/* The inside of profiles: profile*.c. */

#include "config/profile.h"

struct table;

/* The members of struct profile_limits: numbers, 0 for no ceiling. */
extern const struct table profile_limits_table;

#endif
