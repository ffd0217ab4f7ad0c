#ifndef SKEP_NET_CHALLENGE_H
#define SKEP_NET_CHALLENGE_H

/* WWW-Authenticate (RFC 9110 11.6.1): what a server wants to be shown. */

#include "engine/base/span.h"

struct text;

/*
 * Append parameter name of the first challenge of that scheme; 0 when there
 * is none such.  Names and schemes without regard to case; a quoted value
 * without its quotes.
 */
int challenge_get(
    struct span field, const char *scheme, const char *name, struct text *out);

#endif
