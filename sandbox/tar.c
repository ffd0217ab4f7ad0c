#include "sandbox/tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"

/* Fields of a ustar header: offset and bytes. */
#define NAME 0, 100
#define MODE 100, 8
#define UID 108, 8
#define GID 116, 8
#define SIZE 124, 12
#define MTIME 136, 12
#define CHECKSUM 148
#define KIND 156
#define TARGET 157, 100
#define MAGIC 257

#define SIZE_MAX_OCTAL UINT64_C(077777777777)

static void
put_octal(char *block, size_t at, size_t n, uint64_t value)
{
	for (size_t i = n - 1; i-- > 0; value >>= 3)
		block[at + i] = (char)('0' + (value & 7));
	block[at + n - 1] = '\0';
}

/* As much of s as there is room for. */
static void
put_text(char *block, size_t at, size_t n, struct span s)
{
	if (s.n > 0)
		memcpy(block + at, s.p, s.n < n ? s.n : n);
}

static void
put_checksum(char *block)
{
	unsigned sum = 0;

	memset(block + CHECKSUM, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)block[i];
	put_octal(block, CHECKSUM, 7, sum);
	block[CHECKSUM + 7] = ' ';
}

static void
put_block(char *block, char kind, struct span name, uint32_t mode,
    uint64_t size, int64_t mtime, struct span target)
{
	memset(block, 0, TAR_BLOCK);
	put_text(block, NAME, name);
	put_octal(block, MODE, mode & 07777);
	put_octal(block, UID, 0);
	put_octal(block, GID, 0);
	put_octal(block, SIZE, size <= SIZE_MAX_OCTAL ? size : 0);
	put_octal(block, MTIME, mtime > 0 ? (uint64_t)mtime : 0);
	block[KIND] = kind;
	put_text(block, TARGET, target);
	memcpy(block + MAGIC, "ustar\00000", 8);
	put_checksum(block);
}

/*
 * One pax record, "LENGTH key=value\n", whose length counts itself; where the
 * next one goes.
 */
static size_t
put_record(char *out, size_t at, const char *key, struct span value)
{
	size_t body = 1 + strlen(key) + 1 + value.n + 1, length = body + 1;
	char digits[24];

	while (body + (size_t)snprintf(digits, sizeof digits, "%zu", length) !=
	       length)
		length++;
	CHECK(at + length <= TAR_HEADER_MAX);
	at += (size_t)snprintf(
	    out + at, TAR_HEADER_MAX - at, "%s %s=", digits, key);
	memcpy(out + at, value.p, value.n);
	at += value.n;
	out[at++] = '\n';
	return at;
}

size_t
tar_header(const struct tar_entry *entry, char *out)
{
	static const char kinds[] = {
	    [TAR_FILE] = '0', [TAR_FOLDER] = '5', [TAR_LINK] = '2'};
	char name[LIMIT_PATH + 2], number[24];
	struct span path = {name, entry->path.n};
	size_t at = TAR_BLOCK;

	CHECK(entry->path.n > 0 && entry->path.n < LIMIT_PATH);
	CHECK(entry->target.n <= LIMIT_PATH);
	memcpy(name, entry->path.p, entry->path.n);
	if (entry->kind == TAR_FOLDER)
		name[path.n++] = '/';
	if (path.n > 100)
		at = put_record(out, at, "path", path);
	if (entry->target.n > 100)
		at = put_record(out, at, "linkpath", entry->target);
	if (entry->size > SIZE_MAX_OCTAL) {
		snprintf(number, sizeof number, "%" PRIu64, entry->size);
		at = put_record(out, at, "size", span_of(number));
	}
	if (at > TAR_BLOCK) {
		put_block(out, 'x', span_of("pax"), 0644, at - TAR_BLOCK, 0,
		    (struct span){0});
		memset(out + at, 0, tar_padding(at));
		at += tar_padding(at);
	} else
		at = 0;
	put_block(out + at, kinds[entry->kind], path, entry->mode,
	    entry->kind == TAR_FILE ? entry->size : 0, entry->mtime,
	    entry->target);
	return at + TAR_BLOCK;
}
