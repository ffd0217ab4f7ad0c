#ifndef SKEP_CONFIG_PIN_H
#define SKEP_CONFIG_PIN_H

/*
 * A pin names a public key that must stand in a server's chain of
 * certificates: "sha256//" (as curl writes it; or "sha256/") and the base64
 * of the SHA-256 of its SubjectPublicKeyInfo.
 */

struct digest;
struct error;

/* -1 and *e (SYNTAX) for anything else. */
int pin_parse(const char *text, struct digest *out, struct error *e);

#endif
