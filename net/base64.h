#ifndef SKEP_NET_BASE64_H
#define SKEP_NET_BASE64_H

/* Base64 of RFC 4648, with padding, without line breaks. */

#include <stddef.h>

#include "engine/base/span.h"

struct error;
struct text;

/* Bytes of the encoding of n bytes. */
size_t base64_size(size_t n);

void base64_encode(struct span s, struct text *t);

/*
 * Append what s encodes.  Strict: no white space, padding required, unused
 * bits zero.  -1 and *e (SYNTAX) with the offset of the fault; t is then as
 * before.
 */
int base64_decode(struct span s, struct text *t, struct error *e);

#endif
