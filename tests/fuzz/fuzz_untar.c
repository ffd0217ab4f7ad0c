/*
 * Tar streams: cut anywhere, the same members and bytes come out; a member's
 * bytes are never more than it declared, and what the rules let in has a path
 * below the root.
 */

#include <stdlib.h>
#include <string.h>

#include "sandbox/member.h"
#include "sandbox/untar.h"
#include "tests/fuzz/fuzz.h"

static struct untar untar;
static struct members members;

struct seen {
	uint64_t hash, left;
	int in_member, refused;
};

static void
judge(struct seen *s, const struct member *m)
{
	char path[MEMBER_PATH_MAX];

	CHECK(strlen(m->name) == m->name_n);
	fuzz_mix(&s->hash, m->name, m->name_n);
	fuzz_mix(&s->hash, &m->kind, sizeof m->kind);
	s->left = m->size;
	if (s->refused || members_add(&members, m, path) == -1) {
		CHECK(s->refused || members.reason[0] != '\0');
		s->refused = 1;
		return;
	}
	CHECK(path[0] != '/' && path[0] != '\0');
	CHECK(strncmp(path, "../", 3) != 0 && strcmp(path, "..") != 0);
	CHECK(strstr(path, "/../") == NULL && strstr(path, "//") == NULL);
	CHECK(m->kind == MEMBER_FILE || m->kind == MEMBER_FOLDER);
}

/* 1 when the stream is over, for good or bad. */
static int
feed(struct seen *s, struct span in)
{
	for (;;) {
		enum untar_event event = untar_next(&untar, &in);

		switch (event) {
		case UNTAR_MORE:
			CHECK(in.n == 0);
			return 0;
		case UNTAR_MEMBER:
			judge(s, &untar.member);
			break;
		case UNTAR_BYTES:
			CHECK(untar.bytes.n > 0 && untar.bytes.n <= s->left);
			s->left -= untar.bytes.n;
			fuzz_mix(&s->hash, untar.bytes.p, untar.bytes.n);
			break;
		case UNTAR_END:
		case UNTAR_BAD:
			CHECK(event == UNTAR_END || untar.fault != NULL);
			fuzz_mix(&s->hash, &event, sizeof event);
			return 1;
		}
	}
}

static struct seen
read_in_pieces(struct span all, size_t piece, void *table)
{
	const struct members_limits limits = {1 << 20, 1000};
	struct seen s = {0};
	int over = 0;

	memset(table, 0, members_bytes(&limits));
	members_init(&members, &limits, ".", NULL, 0, table);
	untar_init(&untar);
	for (size_t at = 0; at < all.n && !over; at += piece)
		over = feed(&s, span_slice(all, at, at + piece));
	s.in_member = over || untar_may_end(&untar);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct members_limits limits = {1 << 20, 1000};
	static const size_t pieces[] = {1, 7, 511, 512, 513};
	static void *table;
	struct span all = {(const char *)p, n};
	struct seen whole, cut;

	fuzz_start();
	if (table == NULL)
		table = calloc(1, members_bytes(&limits));
	whole = read_in_pieces(all, n + 1, table);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		cut = read_in_pieces(all, pieces[i], table);
		CHECK(cut.hash == whole.hash);
		CHECK(cut.refused == whole.refused);
		CHECK(cut.in_member == whole.in_member);
	}
	return 0;
}
