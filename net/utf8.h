#ifndef SKEP_NET_UTF8_H
#define SKEP_NET_UTF8_H

/*
 * UTF-8 as the Unicode standard defines it: no overlong forms, no
 * surrogates, nothing above U+10FFFF.  A wrong sequence counts as one
 * U+FFFD for each maximal part of it, as everybody else does it.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct text;

#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * The character at s.p[at], or UTF8_BAD; how many bytes it takes in *n (at
 * least 1).  CHECKs that at < s.n.
 */
#define UTF8_BAD UINT32_MAX
uint32_t utf8_at(struct span s, size_t at, size_t *n);

/* Index of the first byte that breaks UTF-8; s.n when none does. */
size_t utf8_check(struct span s);

/* Bytes at the end of s that begin a character without finishing it: 0..3. */
size_t utf8_tail(struct span s);

/* The most whole characters at the front of s within bytes_max bytes. */
size_t utf8_floor(struct span s, size_t bytes_max);

/* How many characters; wrong sequences as one for each maximal part. */
size_t utf8_count(struct span s);

/* One character as bytes; how many.  Surrogates and beyond as U+FFFD. */
size_t utf8_encode(uint32_t c, char out[4]);

/* Append one character; surrogates and beyond become U+FFFD. */
void utf8_add(struct text *t, uint32_t c);

/* Append s with every wrong sequence replaced by U+FFFD. */
void utf8_add_valid(struct text *t, struct span s);

#endif
