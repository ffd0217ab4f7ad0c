#include "engine/version.h"

#include <stddef.h>

#include "engine/base/hash.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "engine/store.h"
#include "net/dns.h"
#include "net/http.h"
#include "net/json_write.h"
#include "sandbox/inflate.h"
#include "sandbox/seccomp.h"

static const struct {
	const char *name;
	void (*version)(char *out, size_t size);
} libraries[] = {
    {"libev", loop_library_version},
    {"mbedtls", hash_library_version},
    {"c-ares", dns_library_version},
    {"nghttp2", http_library_version},
    {"sqlite", store_library_version},
    {"libseccomp", seccomp_library_version},
    {"zlib", inflate_library_version},
};

#define LIBRARIES (sizeof libraries / sizeof libraries[0])

void
version_write(int json, struct text *out)
{
	struct json_writer w;
	char version[64];

	if (!json) {
		text_add_str(out, "skep " SKEP_VERSION "\n");
		return;
	}
	json_write_init(&w, out);
	json_write_object(&w);
	json_put_str(&w, "skep", SKEP_VERSION);
	json_put_object(&w, "libraries");
	for (size_t i = 0; i < LIBRARIES; i++) {
		libraries[i].version(version, sizeof version);
		json_put_str(&w, libraries[i].name, version);
	}
	/*
	 * jsmn.h does not say its version; that it is a header alone came
	 * with 1.1, and it has not changed since.
	 */
	json_put_str(&w, "jsmn", "1.1");
	json_write_end(&w);
	json_write_end(&w);
	text_add_char(out, '\n');
}
