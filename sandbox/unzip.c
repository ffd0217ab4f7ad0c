#include "sandbox/unzip.h"

#include <string.h>
#include <sys/stat.h>

#define END_BYTES 22
#define END64_BYTES 56
#define LOCATOR_BYTES 20
#define ENTRY_BYTES 46
#define HEAD_BYTES 30
#define COMMENT_MAX 65535
#define BLOCK 1024

#define SIGNATURE_END UINT32_C(0x06054b50)
#define SIGNATURE_END64 UINT32_C(0x06064b50)
#define SIGNATURE_LOCATOR UINT32_C(0x07064b50)
#define SIGNATURE_ENTRY UINT32_C(0x02014b50)
#define SIGNATURE_HEAD UINT32_C(0x04034b50)

#define ALL32 UINT32_C(0xffffffff)
#define ALL16 0xffffu

#define FLAG_ENCRYPTED 0x1
#define FLAG_STRONG 0x40
#define MADE_BY_UNIX 3
#define METHOD_STORED 0
#define METHOD_DEFLATED 8

static uint64_t
number(const char *p, unsigned n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | (unsigned char)p[n];
	return value;
}

static uint32_t
four(const char *p)
{
	return (uint32_t)number(p, 4);
}

static unsigned
two(const char *p)
{
	return (unsigned)number(p, 2);
}

static int
bad(struct unzip *z, const char *fault)
{
	z->fault = fault;
	return -1;
}

static int
read_at(struct unzip *z, uint64_t offset, char *to, size_t n)
{
	if (offset > z->size || n > z->size - offset)
		return bad(z, "the archive is cut");
	if (z->read(z->owner, offset, to, n) == -1)
		return bad(z, "the archive cannot be read");
	return 0;
}

/* --- the end, which says where the directory is --- */

/* The last end record whose comment reaches exactly to the end; its place. */
static int
find_end(struct unzip *z, uint64_t *place)
{
	char block[BLOCK + END_BYTES];
	uint64_t lowest = z->size > COMMENT_MAX + END_BYTES
			      ? z->size - COMMENT_MAX - END_BYTES
			      : 0;
	uint64_t to = z->size < END_BYTES ? 0 : z->size - END_BYTES + 1;

	/* Candidates are in [lowest, to), looked at from behind. */
	while (to > lowest) {
		uint64_t from = to - lowest > BLOCK ? to - BLOCK : lowest;

		if (read_at(z, from, block,
			(size_t)(to - from) + END_BYTES - 1) == -1)
			return -1;
		while (to > from) {
			const char *p = block + (--to - from);

			if (four(p) == SIGNATURE_END &&
			    two(p + 20) == z->size - to - END_BYTES) {
				*place = to;
				return 0;
			}
		}
	}
	return bad(z, "this is no zip archive");
}

static int
read_end64(struct unzip *z, uint64_t end)
{
	char locator[LOCATOR_BYTES], record[END64_BYTES];
	uint64_t at;

	if (end < LOCATOR_BYTES ||
	    read_at(z, end - LOCATOR_BYTES, locator, sizeof locator) == -1 ||
	    four(locator) != SIGNATURE_LOCATOR)
		return bad(z, "the archive's end is damaged");
	at = number(locator + 8, 8);
	if (read_at(z, at, record, sizeof record) == -1 ||
	    four(record) != SIGNATURE_END64)
		return bad(z, "the archive's end is damaged");
	z->entries = number(record + 32, 8);
	z->end = number(record + 40, 8);
	z->at = number(record + 48, 8);
	return 0;
}

int
unzip_open(struct unzip *z, unzip_read_fn *read, void *owner, uint64_t size)
{
	char end[END_BYTES];
	uint64_t place;

	memset(z, 0, sizeof *z);
	z->read = read;
	z->owner = owner;
	z->size = size;
	z->fault = "";
	if (find_end(z, &place) == -1 ||
	    read_at(z, place, end, sizeof end) == -1)
		return -1;
	if (two(end + 4) != 0 && two(end + 4) != ALL16)
		return bad(z, "the archive has several parts");
	z->entries = two(end + 10);
	z->end = four(end + 12);
	z->at = four(end + 16);
	if ((z->entries == ALL16 || z->end == ALL32 || z->at == ALL32) &&
	    read_end64(z, place) == -1)
		return -1;
	if (z->at > place || z->end > place - z->at)
		return bad(z, "the archive's end is damaged");
	z->end += z->at;
	return 0;
}

/* --- the directory --- */

/* Zip64 values stand in for those that are all ones, in this order. */
static int
take_zip64(struct unzip *z, const char *p, size_t n)
{
	uint64_t *values[] = {&z->member.size, &z->packed, &z->head};

	for (size_t i = 0; i < 3; i++) {
		if (*values[i] != ALL32)
			continue;
		if (n < 8)
			return bad(z, "an entry is damaged");
		*values[i] = number(p, 8);
		p += 8;
		n -= 8;
	}
	return 0;
}

static int
take_extra(struct unzip *z, uint64_t at, size_t left)
{
	char part[4 + 28];

	while (left >= 4) {
		size_t n, got = left < sizeof part ? left : sizeof part;

		if (read_at(z, at, part, got) == -1)
			return -1;
		n = two(part + 2);
		if (n > left - 4)
			return 0; /* some programs pad with anything */
		if (two(part) == 1)
			return take_zip64(
			    z, part + 4, n < got - 4 ? n : got - 4);
		at += 4 + n;
		left -= 4 + n;
	}
	return 0;
}

static enum member_kind
kind_of(const struct unzip *z, const char *entry)
{
	const struct member *m = &z->member;
	unsigned flags = two(entry + 8), method = two(entry + 10);
	unsigned mode = four(entry + 38) >> 16;

	if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG)) != 0 ||
	    (method != METHOD_STORED && method != METHOD_DEFLATED))
		return MEMBER_OTHER;
	if (entry[5] == MADE_BY_UNIX && (mode & S_IFMT) != 0) {
		if (S_ISLNK(mode))
			return MEMBER_SYMLINK;
		if (!S_ISDIR(mode) && !S_ISREG(mode))
			return MEMBER_OTHER;
		if (S_ISDIR(mode))
			return MEMBER_FOLDER;
	}
	return m->name_n > 0 && m->name[m->name_n - 1] == '/' ? MEMBER_FOLDER
							      : MEMBER_FILE;
}

static uint32_t
mode_of(const struct unzip *z, const char *entry)
{
	uint32_t mode = four(entry + 38) >> 16 & 0777;

	if (entry[5] == MADE_BY_UNIX && mode != 0)
		return mode;
	return z->member.kind == MEMBER_FOLDER ? 0755 : 0644;
}

int
unzip_next(struct unzip *z)
{
	struct member *m = &z->member;
	char entry[ENTRY_BYTES];
	size_t name_n, extra_n, comment_n;

	if (z->entries == 0)
		return 0;
	if (z->end - z->at < ENTRY_BYTES)
		return bad(z, "the archive's directory is cut");
	if (read_at(z, z->at, entry, sizeof entry) == -1)
		return -1;
	if (four(entry) != SIGNATURE_ENTRY)
		return bad(z, "the archive's directory is damaged");
	name_n = two(entry + 28);
	extra_n = two(entry + 30);
	comment_n = two(entry + 32);
	if (z->end - z->at - ENTRY_BYTES < name_n + extra_n + comment_n)
		return bad(z, "the archive's directory is cut");
	if (name_n == 0 || name_n >= sizeof m->name)
		return bad(z, "a name is too long, or missing");
	if (read_at(z, z->at + ENTRY_BYTES, m->name, name_n) == -1)
		return -1;
	if (memchr(m->name, '\0', name_n) != NULL)
		return bad(z, "a name holds a NUL");
	m->name[m->name_n = name_n] = '\0';
	z->crc = four(entry + 16);
	z->packed = four(entry + 20);
	m->size = four(entry + 24);
	z->head = four(entry + 42);
	if (take_extra(z, z->at + ENTRY_BYTES + name_n, extra_n) == -1)
		return -1;
	z->is_deflated = two(entry + 10) == METHOD_DEFLATED;
	m->kind = kind_of(z, entry);
	m->mode = mode_of(z, entry);
	z->at += ENTRY_BYTES + name_n + extra_n + comment_n;
	z->entries--;
	return 1;
}

int
unzip_content(struct unzip *z, uint64_t *offset)
{
	char head[HEAD_BYTES];

	if (read_at(z, z->head, head, sizeof head) == -1)
		return -1;
	if (four(head) != SIGNATURE_HEAD)
		return bad(z, "a member is not where the directory says");
	*offset = z->head + HEAD_BYTES + two(head + 26) + two(head + 28);
	if (*offset > z->size || z->packed > z->size - *offset)
		return bad(z, "the archive is cut");
	return 0;
}
