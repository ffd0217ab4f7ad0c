/*
 * Zip files: whatever the directory says, nothing outside the file is asked
 * for, and inflating stays within its memory and makes no more than fits.
 */

#include <string.h>

#include "sandbox/inflate.h"
#include "sandbox/unzip.h"
#include "tests/fuzz/fuzz.h"

static struct inflate inflater;
static struct unzip zip;

static int
read_at(void *owner, uint64_t offset, char *to, size_t n)
{
	const struct span *all = owner;

	CHECK(offset <= all->n && n <= all->n - offset);
	memcpy(to, all->p + offset, n);
	return 0;
}

static void
inflate_some(struct span packed, enum inflate_kind kind)
{
	enum inflate_event event = INFLATE_MORE;
	char out[1000];
	size_t made = 1, all = 0;

	CHECK(inflate_begin(&inflater, kind) == 0);
	while (event == INFLATE_MORE && (made > 0 || packed.n > 0) &&
	       all < 1 << 20) {
		size_t before = packed.n;

		event =
		    inflate_next(&inflater, &packed, out, sizeof out, &made);
		CHECK(made <= sizeof out && packed.n <= before);
		if (made == 0 && packed.n == before)
			break;
		all += made;
	}
	(void)inflate_crc(0, (struct span){out, made});
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span all = {(const char *)p, n};
	uint64_t at;
	unsigned members = 0;

	fuzz_start();
	inflate_some(all, INFLATE_GZIP);
	if (unzip_open(&zip, read_at, &all, n) == -1) {
		CHECK(zip.fault[0] != '\0');
		return 0;
	}
	while (members++ < 1000 && unzip_next(&zip) == 1) {
		CHECK(strlen(zip.member.name) == zip.member.name_n);
		if (zip.member.kind != MEMBER_FILE ||
		    unzip_content(&zip, &at) == -1)
			continue;
		CHECK(at <= n && zip.packed <= n - at);
		if (zip.is_deflated)
			inflate_some(span_slice(all, (size_t)at,
					 (size_t)(at + zip.packed)),
			    INFLATE_RAW);
	}
	return 0;
}
