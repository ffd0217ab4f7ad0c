/* Profiles: the built-in ones, files, inheritance, identity. */

#include "tests/unit/config_test.h"

#include "config/profile.h"
#include "config/table.h"
#include "net/json_write.h"

static const struct profile *
load(const char *text)
{
	write_file("p.json", text);
	return profile_load(&arena, NULL, path_of("p.json"), &complaints);
}

static void
built_in_profiles_are_there_and_differ(void **state)
{
	const char *names[] = {"draft", "delivery", "privileged", "bare"};
	char digest[4][HASH_TEXT_MAX];

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_non_null(profile_builtin(names[i]));
		assert_ptr_equal(
		    profile_builtin(names[i]), profile_builtin_at((unsigned)i));
		profile_digest(profile_builtin(names[i]), digest[i]);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(digest[i], digest[j]);
	}
	assert_null(profile_builtin_at(4));
	assert_null(profile_builtin("none"));
}

static void
an_unknown_name_gets_a_suggestion(void **state)
{
	(void)state;
	assert_null(profile_load(&arena, NULL, "drfat", &complaints));
	assert_complaint("did you mean 'draft'?");
}

static void
a_file_alone_starts_from_draft(void **state)
{
	const struct profile *p =
	    load("{ // mine\n \"limits\": {\"memory\": \"64M\",},\n}");

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->limits.memory_bytes, 64 << 20);
	assert_int_equal(p->limits.pids, profile_builtin("draft")->limits.pids);
	assert_string_equal(p->user, "agent");
}

static void
a_profile_can_only_restrict_what_it_extends(void **state)
{
	static const struct {
		const char *text, *member;
	} cases[] = {
	    {"\"limits\":{\"memory\":\"2G\"}", "limits.memory"},
	    {"\"limits\":{\"memory\":0}", "limits.memory"},
	    {"\"limits\":{\"cpus\":1.5}", "limits.cpus"},
	    {"\"limits\":{\"command_seconds\":\"11m\"}",
		"limits.command_seconds"},
	    {"\"network\":\"loopback\"", "network"},
	    {"\"protected\":[]", "protected"},
	    {"\"rootfs\":\"dir:/srv/root\"", "rootfs"},
	    {"\"mounts\":[{\"source\":\"/opt\",\"destination\":\"/opt\"}]",
		"mounts"},
	    {"\"environment\":[\"HOME\"]", "environment"},
	    {"\"uid\":1001", "user"},
	    {"\"require\":[]", "require"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[256];

		complaints_init(&complaints, &arena);
		snprintf(text, sizeof text, "{\"extends\":\"draft\",%s}",
		    cases[i].text);
		assert_null(load(text));
		assert_complaint(cases[i].member);
		assert_complaint("wider than profile \"draft\"");
	}
}

static void
a_restriction_is_accepted_and_inherits_the_rest(void **state)
{
	const struct profile *p = load(
	    "{\"extends\":\"privileged\",\"network\":\"none\",\"protected\":"
	    "[\".skep\",\"src\\\\x\"],\"limits\":{\"disk\":\"1M\","
	    "\"command_seconds\":\"1.5s\"},\"denied_syscalls\":[\"socket\"]}");

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->network, NETWORK_NONE);
	assert_int_equal(p->limits.disk_bytes, 1 << 20);
	assert_int_equal(p->limits.command_ms, 1500);
	assert_int_equal(p->limits.cpus, 4);
	assert_int_equal(p->protected_paths.n, 2);
	assert_string_equal(p->protected_paths.at[1], "src/x");
}

static void
files_extend_files_but_never_in_a_circle(void **state)
{
	(void)state;
	write_file("a.json", "{\"extends\":\"b.json\"}");
	write_file("b.json", "{\"extends\":\"draft\",\"limits\":{\"pids\":9}}");
	assert_int_equal(
	    profile_load(&arena, NULL, path_of("a.json"), &complaints)
		->limits.pids,
	    9);
	write_file("b.json", "{\"extends\":\"a.json\"}");
	assert_null(profile_load(&arena, NULL, path_of("a.json"), &complaints));
	assert_complaint("extend each other");
}

static void
identity_is_what_counts_not_how_it_is_written(void **state)
{
	char a[HASH_TEXT_MAX], b[HASH_TEXT_MAX];

	(void)state;
	profile_digest(
	    load("{\"name\":\"x\",\"limits\":{\"memory\":\"1M\"}}"), a);
	profile_digest(load("{\"limits\":{/**/\"memory\":1048576}}"), b);
	assert_string_equal(a, b);
	profile_digest(load("{\"limits\":{\"memory\":1048577}}"), b);
	assert_string_not_equal(a, b);
}

static void
the_effective_form_reads_back_as_itself(void **state)
{
	char a[HASH_TEXT_MAX], b[HASH_TEXT_MAX];
	struct json_writer w;
	struct text t;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		text_init(&t, 1 << 20);
		json_write_init(&w, &t);
		table_put(&profile_table, profile_builtin_at(i), TABLE_ALL, &w);
		profile_digest(profile_builtin_at(i), a);
		profile_digest(load(t.p), b);
		assert_string_equal(a, b);
		text_release(&t);
	}
}

static void
mounts_that_would_open_the_host_are_refused(void **state)
{
	static const char *const pairs[][2] = {{"/", "/mnt"}, {"//", "/mnt"},
	    {"/proc", "/mnt"}, {"/sys/x", "/mnt"}, {"/srv", "/dev/x"},
	    {"/srv", "/"}, {"/srv", "mnt"}, {"/srv/../etc", "/mnt"},
	    {"/srv", "/mnt/.."}};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		char text[256];

		snprintf(text, sizeof text,
		    "{\"mounts\":[{\"source\":\"%s\",\"destination\":\"%s\"}]}",
		    pairs[i][0], pairs[i][1]);
		assert_null(load(text));
	}
}

static void
faults_are_all_named_with_their_places(void **state)
{
	(void)state;
	assert_null(load("{\n  \"netwrok\": \"none\",\n  \"uid\": \"x\",\n"
			 "  \"limits\": {\"pids\": -1, \"memory\": \"1X\"},\n"
			 "  \"user\": 7\n}"));
	assert_int_equal(complaints.n, 5);
	assert_complaint("p.json:2:3: netwrok: unknown key; did you mean "
			 "'network'?");
	assert_complaint("p.json:3:10: uid: this is a string; give a whole "
			 "number from 1 to 65533");
	assert_complaint("p.json:4:22: limits.pids");
	assert_complaint("\"64M\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(built_in_profiles_are_there_and_differ),
	    CASE(an_unknown_name_gets_a_suggestion),
	    CASE(a_file_alone_starts_from_draft),
	    CASE(a_profile_can_only_restrict_what_it_extends),
	    CASE(a_restriction_is_accepted_and_inherits_the_rest),
	    CASE(files_extend_files_but_never_in_a_circle),
	    CASE(identity_is_what_counts_not_how_it_is_written),
	    CASE(the_effective_form_reads_back_as_itself),
	    CASE(mounts_that_would_open_the_host_are_refused),
	    CASE(faults_are_all_named_with_their_places),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
