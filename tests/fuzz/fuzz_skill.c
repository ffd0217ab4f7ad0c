/*
 * A SKILL.md: whatever it holds, the index has one line of it, within its
 * lengths, and the check ends with complaints that have a place.
 */

#include "config/complaint.h"
#include "config/skill.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "net/utf8.h"
#include "tests/fuzz/fuzz.h"

static void
is_one_line(struct span s, size_t most)
{
	CHECK(utf8_check(s) == s.n);
	CHECK(utf8_count(s) <= most);
	for (size_t i = 0; i < s.n; i++)
		CHECK((unsigned char)s.p[i] >= 0x20);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span markdown = {(const char *)p, n};
	struct complaints complaints;
	struct arena arena;
	struct skill skill;

	arena_init(&arena, 16 * MIB);
	if (skill_read(&arena, markdown, "folder", &skill) == 0) {
		CHECK(skill.name.n > 0);
		CHECK(skill.description.n > 0);
		is_one_line(skill.name, SKILL_NAME_MAX);
		is_one_line(skill.description, SKILL_DESCRIPTION_MAX);
	}
	complaints_init(&complaints, &arena);
	skill_check(markdown, "folder", "SKILL.md", &complaints);
	for (const struct complaint *c = complaints.first; c != NULL;
	     c = c->next) {
		CHECK(c->line > 0);
		CHECK(c->text != NULL);
	}
	/* What passes the check is indexed as it says. */
	if (complaints.n == 0)
		CHECK(span_is(skill.name, "folder"));
	arena_release(&arena);
	return 0;
}
