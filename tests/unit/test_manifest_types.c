/* Manifests: repositories, archives, secrets and grants. */

#include "tests/unit/config_test.h"

#include <unistd.h>

#include "config/agent.h"
#include "config/manifest.h"
#include "config/profile.h"
#include "config/source.h"
#include "config/table.h"
#include "config/task.h"
#include "config/vars.h"
#include "engine/base/error.h"
#include "net/json_write.h"

static const struct manifest *
load(const char *text)
{
	complaints_init(&complaints, &arena);
	write_file("m.json", text);
	return manifest_load(&arena, path_of("m.json"), &complaints);
}

static const struct manifest *
load_entry(const char *entry)
{
	char text[2048];

	snprintf(text, sizeof text, "{\"entries\":{\"e\":%s}}", entry);
	return load(text);
}

static const struct manifest *
load_git(const char *members)
{
	char text[1024];

	snprintf(text, sizeof text, "{\"type\":\"git_repo\",%s}", members);
	return load_entry(text);
}

static void
a_repository_has_a_host_and_may_name_a_ref(void **state)
{
	const struct manifest *m = load_git("\"repo\":\"openai/x\"");

	(void)state;
	assert_no_complaint();
	assert_string_equal(m->entries[0].git.host, "github.com");
	assert_null(m->entries[0].git.ref);
	assert_null(m->entries[0].git.subpath);
	m = load_git("\"host\":\"git.example.org:8443\",\"repo\":\"a/b.git\","
		     "\"ref\":\"release/1.0\",\"subpath\":\"src/lib\"");
	assert_no_complaint();
	assert_string_equal(m->entries[0].git.ref, "release/1.0");
	assert_true(manifest_git_is_commit("0123abc"));
	assert_false(manifest_git_is_commit("0123ab"));
	assert_false(manifest_git_is_commit("main"));
}

static void
nothing_of_a_repository_can_be_an_option_or_an_address(void **state)
{
	static const struct {
		const char *members, *text;
	} cases[] = {
	    {"\"repo\":\"--upload-pack=x\"", "e.repo: \"--upload"},
	    {"\"repo\":\"a/../b\"", "not a path of a repository"},
	    {"\"repo\":\"a//b\"", "not a path of a repository"},
	    {"\"repo\":\"/a/b\"", "one on this machine is a local_dir"},
	    {"\"repo\":\"a/b?x=1\"", "not a path of a repository"},
	    {"\"repo\":\"a/b c\"", "not a path of a repository"},
	    {"\"repo\":\"\"", "not a path of a repository"},
	    {"\"repo\":\"a/b\",\"host\":\"u:p@h\"", "not a name of a host"},
	    {"\"repo\":\"a/b\",\"host\":\"h/x\"", "not a name of a host"},
	    {"\"repo\":\"a/b\",\"host\":\"-h\"", "not a name of a host"},
	    {"\"repo\":\"a/b\",\"host\":\"h:\"", "not a name of a host"},
	    {"\"repo\":\"a/b\",\"host\":\"${input}\"", "not a name of a host"},
	    {"\"repo\":\"a/b\",\"ref\":\"-x\"", "not a branch"},
	    {"\"repo\":\"a/b\",\"ref\":\"a b\"", "not a branch"},
	    {"\"repo\":\"a/b\",\"ref\":\"a..b\"", "not a branch"},
	    {"\"repo\":\"a/b\",\"ref\":\"\"", "not a branch"},
	    {"\"repo\":\"a/b\",\"ref\":\"a:b\"", "not a branch"},
	    {"\"repo\":\"a/b\",\"ref\":\"x.lock\"", "not a branch"},
	    {"\"repo\":\"a/b\",\"subpath\":\"\"", "git_subpath_error: empty"},
	    {"\"repo\":\"a/b\",\"subpath\":\"./\"", "git_subpath_error: empty"},
	    {"\"repo\":\"a/b\",\"subpath\":\"/x\"",
		"git_subpath_error: absolute"},
	    {"\"repo\":\"a/b\",\"subpath\":\"C:x\"",
		"git_subpath_error: windows_path"},
	    {"\"repo\":\"a/b\",\"subpath\":\"a\\\\b\"",
		"git_subpath_error: windows_path"},
	    {"\"repo\":\"a/b\",\"subpath\":\"a/../../b\"",
		"git_subpath_error: parent_traversal"},
	    {"\"host\":\"h\"", "\"repo\" is missing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_null(load_git(cases[i].members));
		assert_complaint(cases[i].text);
	}
}

static void
a_value_cannot_make_a_repository_bad(void **state)
{
	struct named_text good[] = {{"ref", span_of("v1")}};
	struct named_text bad[] = {{"ref", span_of("--exec=x")}};
	struct named_text nested[] = {{"ref", span_of("${input}")}};
	struct vars vars = {.input = span_of("x"), .task = {good, 1}};
	const struct manifest *m =
	    load_git("\"repo\":\"a/b\",\"ref\":\"${variables.ref}\"");
	const struct manifest *out;
	struct error e;

	(void)state;
	assert_no_complaint();
	assert_true(m->has_variables);
	out = manifest_expand(&arena, m, &vars, &e);
	assert_non_null(out);
	assert_string_equal(out->entries[0].git.ref, "v1");
	vars.task.at = bad;
	assert_null(manifest_expand(&arena, m, &vars, &e));
	assert_int_equal(e.code, ERROR_MANIFEST);
	vars.task.at = nested;
	assert_null(manifest_expand(&arena, m, &vars, &e));
}

static void
an_archive_has_limits_unless_it_says_otherwise(void **state)
{
	const struct manifest *m;

	(void)state;
	write_file("a.tgz", "x");
	m = load_entry("{\"type\":\"archive\",\"src\":\"a.tgz\"}");
	assert_no_complaint();
	assert_int_equal(m->entries[0].archive.format, ARCHIVE_AUTO);
	assert_true(m->entries[0].archive.limits.input_bytes == 1ull << 30);
	assert_true(m->entries[0].archive.limits.extracted_bytes == 4ull << 30);
	assert_int_equal(m->entries[0].archive.limits.members, 100000);
	m = load_entry("{\"type\":\"archive\",\"src\":\"a.tgz\",\"format\":"
		       "\"tar.gz\",\"limits\":{\"input_bytes\":\"2G\","
		       "\"extracted_bytes\":null,\"members\":5}}");
	assert_no_complaint();
	assert_int_equal(m->entries[0].archive.format, ARCHIVE_TAR_GZ);
	assert_true(m->entries[0].archive.limits.input_bytes == 2ull << 30);
	assert_true(m->entries[0].archive.limits.extracted_bytes == 4ull << 30);
	assert_int_equal(m->entries[0].archive.limits.members, 5);
	assert_null(load_entry("{\"type\":\"archive\",\"src\":\"no.tgz\"}"));
	assert_complaint("path_not_found: source ");
	assert_null(load_entry("{\"type\":\"archive\",\"src\":\"a.tgz\","
			       "\"format\":\"rar\"}"));
	assert_complaint("\"tar.gz\"");
	assert_null(load_entry("{\"type\":\"archive\",\"src\":\"a.tgz\","
			       "\"limits\":{\"members\":0}}"));
	assert_complaint("limits.members");
}

static void
a_secret_names_the_commands_that_get_it(void **state)
{
	const struct manifest *m =
	    load("{\"environment\":{\"T\":{\"type\":\"secret\",\"value\":{"
		 "\"env\":\"GH\"},\"commands\":[\"gh *\"]},\"U\":{"
		 "\"description\":\"d\",\"value\":{\"type\":\"secret\","
		 "\"value\":{\"env\":\"X\"},\"commands\":[\"x\"]}}}}");

	(void)state;
	assert_no_complaint();
	assert_int_equal(m->environment_n, 2);
	assert_int_equal(m->environment[0].secret.kind, SECRET_ENV);
	assert_string_equal(m->environment[0].secret.name, "GH");
	assert_string_equal(m->environment[0].commands.at[0], "gh *");
	assert_string_equal(m->environment[1].description, "d");
	assert_int_equal(m->environment[1].secret.kind, SECRET_ENV);
}

static void
a_secret_for_everybody_is_refused(void **state)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
	    {"\"value\":{\"env\":\"GH\"}", "\"commands\" is missing"},
	    {"\"value\":{\"env\":\"GH\"},\"commands\":[]", "no command"},
	    {"\"value\":{\"env\":\"GH\"},\"commands\":[\"*\"]", "every"},
	    {"\"value\":{\"env\":\"GH\"},\"commands\":[\"* *\"]", "every"},
	    {"\"value\":\"sk-123\",\"commands\":[\"gh\"]", "environment.T"},
	    {"\"commands\":[\"gh\"]", "\"value\" is missing"},
	    {"\"value\":{\"env\":\"GH\"},\"comands\":[]", "known are type"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(text, sizeof text,
		    "{\"environment\":{\"T\":{\"type\":\"secret\",%s}}}",
		    cases[i].value);
		assert_null(load(text));
		assert_complaint(cases[i].text);
	}
}

static void
a_task_cannot_take_what_is_the_operators(void **state)
{
	static const struct {
		const char *manifest, *text;
	} cases[] = {
	    {"\"environment\":{\"T\":{\"type\":\"secret\",\"value\":{\"env\":"
	     "\"OPENAI_API_KEY\"},\"commands\":[\"env\"]}}",
		"a task cannot name secrets"},
	    {"\"extra_path_grants\":[{\"path\":\"/srv\"}]",
		"a task cannot grant itself paths"},
	    {"\"entries\":{\"a\":{\"type\":\"archive\",\"src\":\"a\","
	     "\"limits\":{\"members\":200000}}}",
		"a task cannot raise the limits"},
	};
	char line[512];
	struct task task;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(line, sizeof line,
		    "{\"custom_id\":\"a\",\"input\":\"x\",\"manifest\":{%s}}",
		    cases[i].manifest);
		assert_int_equal(
		    task_read(&task, &arena, span_of(line), 1, "/tmp", &e), -1);
		assert_non_null(strstr(e.text, cases[i].text));
	}
}

static void
grants_are_read_only_and_in_order(void **state)
{
	const struct manifest *m =
	    load("{\"extra_path_grants\":[{\"path\":\"/data/in/deep\","
		 "\"host_path\":\"/usr/bin\",\"read_only\":false},{\"path\":"
		 "\"/data//./in/\",\"host_path\":\"/usr/\"}]}");
	const struct profile *p;

	(void)state;
	assert_no_complaint();
	assert_int_equal(m->grants_n, 2);
	assert_string_equal(m->grants[0].path, "/data/in");
	assert_true(m->grants[0].read_only);
	assert_string_equal(m->grants[1].path, "/data/in/deep");
	p = manifest_grants_apply(&arena, m, profile_builtin("draft"));
	assert_int_equal(p->mounts_n, 2);
	assert_string_equal(p->mounts[0].source, "/usr");
	assert_string_equal(p->mounts[0].destination, "/data/in");
	assert_false(p->mounts[0].writable);
	assert_true(p->mounts[1].writable);
	p = profile_builtin("draft");
	assert_ptr_equal(manifest_grants_apply(&arena, NULL, p), p);
}

static void
a_grant_of_everything_is_refused(void **state)
{
	static const struct {
		const char *grant, *text;
	} cases[] = {
	    {"\"path\":\"/\"", "would grant everything"},
	    {"\"path\":\"/x\",\"host_path\":\"//.\"", "would grant everything"},
	    {"\"path\":\"/x\",\"host_path\":\"/proc/self\"", "the kernel"},
	    {"\"path\":\"/dev\",\"host_path\":\"/usr\"", "the kernel"},
	    {"\"path\":\"/workspace/x\",\"host_path\":\"/usr\"", "workspace"},
	    {"\"path\":\"/x\",\"host_path\":\"no\"", "not absolute"},
	    {"\"path\":\"/x\",\"host_path\":\"/usr/../etc\"", ".."},
	    {"\"path\":\"/x\",\"host_path\":\"/no/such\"", "path_not_found"},
	    {"\"path\":\"/usr\"},{\"path\":\"/usr/\"", "granted twice"},
	};
	char text[512], link[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(text, sizeof text, "{\"extra_path_grants\":[{%s}]}",
		    cases[i].grant);
		assert_null(load(text));
		assert_complaint(cases[i].text);
	}
	snprintf(link, sizeof link, "%s", path_of("everything"));
	assert_int_equal(symlink("/", link), 0);
	snprintf(text, sizeof text,
	    "{\"extra_path_grants\":[{\"path\":\"/x\",\"host_path\":\"%s\"}]}",
	    link);
	assert_null(load(text));
	assert_complaint("it leads to /");
	unlink(link);
}

static void
all_of_it_reads_back_as_itself(void **state)
{
	const struct manifest *m, *again;
	char digest[2][HASH_TEXT_MAX];
	struct text t;

	(void)state;
	write_file("a.zip", "x");
	m = load("{\"entries\":{\"r\":{\"type\":\"git_repo\",\"repo\":\"a/b\","
		 "\"ref\":\"v1\"},\"z\":{\"type\":\"archive\",\"src\":"
		 "\"a.zip\",\"format\":\"zip\",\"limits\":{\"members\":7}}},"
		 "\"environment\":{\"T\":{\"type\":\"secret\",\"value\":{"
		 "\"env\":\"GH\"},\"commands\":[\"gh *\"]}},"
		 "\"extra_path_grants\":[{\"path\":\"/usr\"}]}");
	assert_no_complaint();
	text_init(&t, 1 << 20);
	{
		struct json_writer w;

		json_write_init(&w, &t);
		table_put(&manifest_table, m, TABLE_ALL, &w);
	}
	again = load(t.p);
	assert_no_complaint();
	assert_int_equal(table_digest(&manifest_table, m, digest[0]), 0);
	assert_int_equal(table_digest(&manifest_table, again, digest[1]), 0);
	assert_string_equal(digest[0], digest[1]);
	text_release(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_repository_has_a_host_and_may_name_a_ref),
	    CASE(nothing_of_a_repository_can_be_an_option_or_an_address),
	    CASE(a_value_cannot_make_a_repository_bad),
	    CASE(an_archive_has_limits_unless_it_says_otherwise),
	    CASE(a_secret_names_the_commands_that_get_it),
	    CASE(a_secret_for_everybody_is_refused),
	    CASE(a_task_cannot_take_what_is_the_operators),
	    CASE(grants_are_read_only_and_in_order),
	    CASE(a_grant_of_everything_is_refused),
	    CASE(all_of_it_reads_back_as_itself),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
