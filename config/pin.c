#include "config/pin.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "net/base64.h"

int
pin_parse(const char *text, struct digest *out, struct error *e)
{
	struct span s = span_of(text), prefix = span_of("sha256/");
	struct error ignored;
	struct text bytes;
	int r = -1;

	text_init(&bytes, 4096);
	if (span_has_prefix(s, prefix)) {
		s = span_slice(s, prefix.n, s.n);
		if (s.n > 0 && s.p[0] == '/')
			s = span_slice(s, 1, s.n);
		if (s.n <= 64 && base64_decode(s, &bytes, &ignored) == 0 &&
		    bytes.n == sizeof out->byte) {
			memcpy(out->byte, bytes.p, bytes.n);
			r = 0;
		}
	}
	text_release(&bytes);
	if (r == -1)
		error_set(e, ERROR_SYNTAX, 0,
		    "must be sha256// and the base64 of a key's SHA-256, "
		    "44 characters");
	return r;
}
