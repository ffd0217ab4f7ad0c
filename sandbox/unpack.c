#include "sandbox/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "sandbox/inflate.h"
#include "sandbox/unpack_private.h"
#include "sandbox/untar.h"
#include "sandbox/unzip.h"

#define SLICE (64 * 1024)

/* Everything one unpacking needs; one at a time, in a process of its own. */
static struct unpacking {
	const struct unpack_order *order;
	struct unpack_report *report;
	struct unpack_out out;
	struct members members;
	int writes;      /* the second time */
	uint64_t size;   /* of the archive */
	uint64_t made;   /* bytes of members that came out, this time */
	uint64_t passed; /* bytes of a stream, members' or not */
	struct inflate inflate;
	struct untar untar;
	struct unzip unzip;
	char in[SLICE], plain[SLICE];
	char path[MEMBER_PATH_MAX];
} self;

/* --- why not --- */

int
unpack_refuse(struct unpack_report *r, const char *member, const char *reason)
{
	snprintf(r->reason, sizeof r->reason, "%.*s", (int)sizeof r->reason - 1,
	    reason);
	snprintf(r->member, sizeof r->member, "%.*s", (int)sizeof r->member - 1,
	    member);
	return -1;
}

int
unpack_fail(struct unpack_report *r, const char *member, const char *what)
{
	r->os_errno = errno;
	return unpack_refuse(r, member, what);
}

/* --- one member, whatever the archive --- */

static int
begin(struct unpacking *u, const struct member *m)
{
	if (!u->writes) {
		if (members_add(&u->members, m, u->path) == -1)
			return unpack_refuse(
			    u->report, m->name, u->members.reason);
		return 0;
	}
	member_path(m, u->path);
	return unpack_out_begin(&u->out, u->path, m, u->report);
}

static int
take(struct unpacking *u, const struct member *m, struct span s)
{
	u->made += s.n;
	if (u->made > u->order->limits.extracted_bytes)
		return unpack_refuse(
		    u->report, m->name, "archive extracted size exceeds limit");
	return u->writes ? unpack_out_write(&u->out, s, u->report) : 0;
}

static int
finish(struct unpacking *u)
{
	return u->writes ? unpack_out_end(&u->out, u->report) : 0;
}

/* --- reading --- */

static int
read_at(void *owner, uint64_t offset, char *to, size_t n)
{
	struct unpacking *u = owner;

	while (n > 0) {
		ssize_t got = pread(u->order->archive, to, n, (off_t)offset);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		to += got;
		n -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

/* The next slice of the archive at *at; n == 0 is its end. */
static int
read_slice(struct unpacking *u, uint64_t *at, struct span *out)
{
	uint64_t left = u->size - *at;
	size_t n = left < SLICE ? (size_t)left : SLICE;

	if (n > 0 && read_at(u, *at, u->in, n) == -1)
		return unpack_fail(u->report, "", "the archive cannot be read");
	*at += n;
	*out = (struct span){u->in, n};
	return 0;
}

/* --- tar --- */

/* Some plain bytes of a tar stream: 1 at its end, 0, -1. */
static int
feed(struct unpacking *u, struct span s)
{
	struct untar *t = &u->untar;

	/* Names and headers are not members' bytes, but not for free. */
	u->passed += s.n;
	if (u->passed > u->order->limits.extracted_bytes +
			    (u->order->limits.members + 16) *
				(3 * TAR_BLOCK + UNTAR_EXTENSION_MAX))
		return unpack_refuse(
		    u->report, "", "archive extracted size exceeds limit");
	for (;;) {
		switch (untar_next(t, &s)) {
		case UNTAR_MORE:
			return 0;
		case UNTAR_MEMBER:
			if (finish(u) == -1 || begin(u, &t->member) == -1)
				return -1;
			break;
		case UNTAR_BYTES:
			if (t->member.kind == MEMBER_FILE &&
			    take(u, &t->member, t->bytes) == -1)
				return -1;
			break;
		case UNTAR_END:
			return finish(u) == -1 ? -1 : 1;
		case UNTAR_BAD:
			return unpack_refuse(
			    u->report, t->member.name, t->fault);
		}
	}
}

static int
end_of_tar(struct unpacking *u, int ended)
{
	if (ended == -1)
		return -1;
	if (ended == 0 && !untar_may_end(&u->untar))
		return unpack_refuse(
		    u->report, u->untar.member.name, "the archive is cut");
	return ended == 0 ? finish(u) : 0;
}

static int
plain_tar(struct unpacking *u)
{
	uint64_t at = 0;
	struct span s;
	int ended = 0;

	untar_init(&u->untar);
	do {
		if (read_slice(u, &at, &s) == -1)
			return -1;
		if (s.n > 0)
			ended = feed(u, s);
	} while (ended == 0 && s.n > 0);
	return end_of_tar(u, ended);
}

static int
zipped_tar(struct unpacking *u)
{
	enum inflate_event event = INFLATE_MORE;
	uint64_t at = 0;
	struct span s = {NULL, 0};
	size_t made = 0;
	int ended = 0;

	untar_init(&u->untar);
	if (inflate_begin(&u->inflate, INFLATE_GZIP) == -1)
		return unpack_refuse(u->report, "", "no memory to inflate");
	while (ended == 0 && event == INFLATE_MORE) {
		if (s.n == 0 && made < sizeof u->plain &&
		    read_slice(u, &at, &s) == -1)
			return -1;
		event = inflate_next(
		    &u->inflate, &s, u->plain, sizeof u->plain, &made);
		if (event == INFLATE_BAD)
			return unpack_refuse(
			    u->report, "", "the gzip stream is damaged");
		if (event == INFLATE_MORE && made == 0 && at == u->size)
			return unpack_refuse(
			    u->report, "", "the archive is cut");
		if (made > 0)
			ended = feed(u, (struct span){u->plain, made});
	}
	return end_of_tar(u, ended);
}

/* --- zip --- */

/* The packed bytes of the member at hand, made whole. */
static int
inflate_member(struct unpacking *u, uint64_t at, uint32_t *crc, uint64_t *n)
{
	struct unzip *z = &u->unzip;
	enum inflate_event event = INFLATE_MORE;
	uint64_t end = at + z->packed;
	struct span s = {NULL, 0};
	size_t made = 0;

	if (inflate_begin(&u->inflate, INFLATE_RAW) == -1)
		return unpack_refuse(u->report, "", "no memory to inflate");
	while (event == INFLATE_MORE) {
		if (s.n == 0 && made < sizeof u->plain) {
			size_t k =
			    end - at < SLICE ? (size_t)(end - at) : SLICE;

			if (k > 0 && read_at(u, at, u->in, k) == -1)
				return unpack_fail(u->report, "",
				    "the archive cannot be read");
			at += k;
			s = (struct span){u->in, k};
		}
		event = inflate_next(
		    &u->inflate, &s, u->plain, sizeof u->plain, &made);
		if (event == INFLATE_BAD ||
		    (event == INFLATE_MORE && made == 0 && s.n == 0 &&
			at == end))
			return unpack_refuse(
			    u->report, z->member.name, "a member is damaged");
		*crc = inflate_crc(*crc, (struct span){u->plain, made});
		*n += made;
		if (*n > z->member.size)
			return unpack_refuse(u->report, z->member.name,
			    "archive extracted size exceeds limit");
		if (take(u, &z->member, (struct span){u->plain, made}) == -1)
			return -1;
	}
	return 0;
}

static int
copy_member(struct unpacking *u, uint64_t at, uint32_t *crc, uint64_t *n)
{
	struct unzip *z = &u->unzip;

	for (uint64_t left = z->packed; left > 0;) {
		size_t k = left < SLICE ? (size_t)left : SLICE;
		struct span s = {u->in, k};

		if (read_at(u, at, u->in, k) == -1)
			return unpack_fail(
			    u->report, "", "the archive cannot be read");
		*crc = inflate_crc(*crc, s);
		*n += k;
		if (take(u, &z->member, s) == -1)
			return -1;
		at += k;
		left -= k;
	}
	return 0;
}

static int
zip_member(struct unpacking *u)
{
	struct unzip *z = &u->unzip;
	uint64_t at, n = 0;
	uint32_t crc = 0;

	if (begin(u, &z->member) == -1)
		return -1;
	if (z->member.kind != MEMBER_FILE)
		return finish(u);
	if (unzip_content(z, &at) == -1)
		return unpack_refuse(u->report, z->member.name, z->fault);
	if ((z->is_deflated ? inflate_member(u, at, &crc, &n)
			    : copy_member(u, at, &crc, &n)) == -1)
		return -1;
	if (crc != z->crc || n != z->member.size)
		return unpack_refuse(
		    u->report, z->member.name, "a member is damaged");
	return finish(u);
}

static int
zip(struct unpacking *u)
{
	struct unzip *z = &u->unzip;
	int more;

	if (unzip_open(z, read_at, u, u->size) == -1)
		return unpack_refuse(u->report, "", z->fault);
	while ((more = unzip_next(z)) == 1)
		if (zip_member(u) == -1)
			return -1;
	return more == 0 ? 0 : unpack_refuse(u->report, "", z->fault);
}

/* --- the whole --- */

static enum archive_format
guess_format(struct unpacking *u)
{
	char magic[4] = {0};

	if (u->size < sizeof magic || read_at(u, 0, magic, sizeof magic) == -1)
		return ARCHIVE_TAR;
	if (memcmp(magic, "\x1f\x8b", 2) == 0)
		return ARCHIVE_TAR_GZ;
	if (memcmp(magic, "PK\3\4", 4) == 0 || memcmp(magic, "PK\5\6", 4) == 0)
		return ARCHIVE_ZIP;
	return ARCHIVE_TAR;
}

static int
go_over(struct unpacking *u, int writes)
{
	enum archive_format format = u->order->format;

	u->writes = writes;
	u->made = u->passed = 0;
	if (format == ARCHIVE_AUTO)
		format = guess_format(u);
	switch (format) {
	case ARCHIVE_ZIP:
		return zip(u);
	case ARCHIVE_TAR_GZ:
		return zipped_tar(u);
	default:
		return plain_tar(u);
	}
}

int
unpack(const struct unpack_order *o, struct unpack_report *r)
{
	struct unpacking *u = &self;
	struct members_limits limits = {
	    o->limits.extracted_bytes, o->limits.members};
	struct stat st;
	void *table;

	memset(r, 0, sizeof *r);
	u->order = o;
	u->report = r;
	if (fstat(o->archive, &st) == -1 || !S_ISREG(st.st_mode))
		return unpack_refuse(r, "", "the archive is no regular file");
	u->size = (uint64_t)st.st_size;
	if (u->size > o->limits.input_bytes)
		return unpack_refuse(r, "", "archive input size exceeds limit");
	table = mmap(NULL, members_bytes(&limits), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		return unpack_fail(r, "", "no memory for its names");
	members_init(
	    &u->members, &limits, o->path, o->protect, o->protect_n, table);
	if (go_over(u, 0) == -1 ||
	    unpack_out_open(&u->out, o->root, o->path, r) == -1)
		return -1;
	if (go_over(u, 1) == -1)
		return -1;
	unpack_out_close(&u->out);
	r->members = u->members.n;
	r->bytes = u->made;
	munmap(table, members_bytes(&limits));
	return 0;
}
