/* Manifests: entries, paths, sources, variables, merging. */

#include "tests/unit/config_test.h"

#include "config/manifest.h"
#include "config/profile.h"
#include "config/source.h"
#include "config/table.h"
#include "config/vars.h"
#include "engine/base/error.h"
#include "net/json_write.h"

static const struct manifest *
load(const char *text)
{
	write_file("m.json", text);
	return manifest_load(&arena, path_of("m.json"), &complaints);
}

static const struct manifest *
load_entries(const char *entries)
{
	char text[4096];

	snprintf(text, sizeof text, "{\"entries\":{%s}}", entries);
	return load(text);
}

static void
the_serialised_shape_is_read(void **state)
{
	const struct manifest *m = load(
	    "{\"version\":1,\"root\":\"/workspace\",\"entries\":{\"README.md\":"
	    "{\"type\":\"file\",\"description\":\"read me\",\"ephemeral\":"
	    "false,\"group\":null,\"is_dir\":false,\"permissions\":{\"owner\":"
	    "7,\"group\":5,\"other\":5,\"directory\":false},\"content\":\"hi\"}"
	    ",\"src\":{\"type\":\"dir\",\"children\":{\"a.c\":{\"type\":"
	    "\"file\",\"content\":\"x\"}}}},\"environment\":{\"value\":{\"A\":"
	    "\"1\",\"B\":{\"description\":\"d\",\"ephemeral\":false,\"value\":"
	    "{\"type\":\"str\",\"value\":\"2\"}}}},\"users\":[{\"name\":\"u\"}]"
	    ",\"groups\":[{\"name\":\"g\",\"users\":[{\"name\":\"u\"}]}],"
	    "\"extra_path_grants\":[],\"remote_mount_command_allowlist\":"
	    "[\"ls\"]}");

	(void)state;
	assert_no_complaint();
	assert_int_equal(m->entries_n, 3);
	assert_string_equal(m->entries[0].path, "README.md");
	assert_true(span_is(m->entries[0].content, "hi"));
	assert_int_equal(m->entries[0].mode, 0755);
	assert_string_equal(m->entries[0].description, "read me");
	assert_null(m->entries[0].group);
	assert_int_equal(m->entries[1].type, ENTRY_DIR);
	assert_string_equal(m->entries[2].path, "src/a.c");
	assert_int_equal(m->entries[2].depth, 1);
	assert_int_equal(m->environment_n, 2);
	assert_string_equal(m->environment[1].name, "B");
	assert_string_equal(m->environment[1].value.p, "2");
	assert_string_equal(m->users.at[0], "u");
	assert_string_equal(m->groups[0].users.at[0], "u");
	assert_int_equal(m->command_allowlist.n, 1);
}

static void
paths_that_leave_the_root_are_refused_with_the_exact_text(void **state)
{
	static const struct {
		const char *key, *text;
	} cases[] = {
	    {"/etc/x", "manifest path must be relative: /etc/x"},
	    {"C:/x", "manifest path must be relative: C:/x"},
	    {"c:\\\\x", "manifest path must be relative: c:\\x"},
	    {"\\\\x", "manifest path must be relative: \\x"},
	    {"../x", "manifest path must not escape root: ../x"},
	    {"a/../b", "manifest path must not escape root: a/../b"},
	    {"a\\\\..\\\\..", "manifest path must not escape root: a\\..\\.."},
	    {"..", "manifest path must not escape root: .."},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		complaints_init(&complaints, &arena);
		snprintf(text, sizeof text, "\"%s\":{\"type\":\"dir\"}",
		    cases[i].key);
		assert_null(load_entries(text));
		assert_complaint(cases[i].text);
		/* The same rule for what lies in a folder. */
		complaints_init(&complaints, &arena);
		snprintf(text, sizeof text,
		    "\"d\":{\"type\":\"dir\",\"children\":{\"%s\":{\"type\":"
		    "\"dir\"}}}",
		    cases[i].key);
		assert_null(load_entries(text));
		assert_complaint(cases[i].text);
	}
}

static void
paths_are_normalised(void **state)
{
	const struct manifest *m =
	    load_entries("\"a\\\\b//./c/\":{\"type\":\"dir\"}");

	(void)state;
	assert_no_complaint();
	assert_string_equal(m->entries[0].path, "a/b/c");
}

static void
paths_that_meet_after_normalisation_collide(void **state)
{
	(void)state;
	assert_null(load_entries(
	    "\"a/b\":{\"type\":\"dir\"},\"a\\\\b\":{\"type\":\"dir\"}"));
	assert_complaint("stands here twice: a/b");
	complaints_init(&complaints, &arena);
	assert_null(load_entries("\"a\":{\"type\":\"dir\",\"children\":{\"b\":{"
				 "\"type\":\"dir\"}}},\"./a/b\":{\"type\":"
				 "\"file\",\"content\":\"\"}"));
	assert_complaint("stands here twice: a/b");
	complaints_init(&complaints, &arena);
	assert_null(load_entries("\"a\":{\"type\":\"file\"},"
				 "\"a/b/c\":{\"type\":\"dir\"}"));
	assert_complaint("lies below a file: a/b/c");
}

static void
an_unknown_type_names_the_registered_ones(void **state)
{
	(void)state;
	assert_null(load_entries("\"r\":{\"type\":\"s3_mount\",\"repo\":\"x\"},"
				 "\"s\":{},\"t\":{\"type\":3},\"u\":4"));
	assert_complaint("Unknown entry type `s3_mount`. Registered types: "
			 "dir, file, local_file, local_dir, git_repo, archive");
	assert_complaint("entries.s: \"type\" is missing");
	assert_complaint("entries.t.type: this is a number");
	assert_complaint("entries.u: this is a number");
	assert_int_equal(complaints.n, 4);
}

static void
keys_of_another_type_are_refused(void **state)
{
	(void)state;
	assert_null(load_entries("\"d\":{\"type\":\"dir\",\"content\":\"x\"},"
				 "\"f\":{\"type\":\"file\",\"contant\":1},"
				 "\"g\":{\"type\":\"file\",\"is_dir\":true},"
				 "\"h\":{\"type\":\"local_file\"}"));
	assert_complaint("entries.d.content: unknown key");
	assert_complaint("did you mean 'content'?");
	assert_complaint("entries.g.is_dir: does not fit the type");
	assert_complaint("entries.h: \"src\" is missing");
}

static void
content_may_be_base64(void **state)
{
	const struct manifest *m = load_entries(
	    "\"a\":{\"type\":\"file\",\"content_base64\":\"AP8kew==\"},\"b\":{"
	    "\"type\":\"file\",\"content\":\"aGk=\",\"encoding\":\"base64\"},"
	    "\"c\":{\"type\":\"file\"}");

	(void)state;
	assert_no_complaint();
	assert_int_equal(m->entries[0].content.n, 4);
	assert_memory_equal(m->entries[0].content.p, "\0\xff${", 4);
	assert_int_equal(m->has_variables, 0);
	assert_true(span_is(m->entries[1].content, "hi"));
	assert_int_equal(m->entries[2].content.n, 0);
	assert_null(
	    load_entries("\"a\":{\"type\":\"file\",\"content_base64\":\"A\"}"));
	assert_complaint("not base64");
}

static void
permissions_as_numbers_and_as_ls_prints_them(void **state)
{
	static const struct {
		const char *text;
		int mode;
	} cases[] = {{"\"drwxr-xr-x\"", 0755}, {"\"-rw-r-----+\"", 0640},
	    {"\"rwsr-Sr-t\"", 0745}, {"\"---------\"", 0},
	    {"\"-rwx------.\"", 0700}, {"{\"owner\":6,\"other\":1}", 0601},
	    {"{}", 0700}, {"null", 0755}, {"\"rwx\"", -1},
	    {"\"-rwzr-xr-x\"", -1}, {"{\"owner\":8}", -1}, {"493", -1}};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct manifest *m;

		complaints_init(&complaints, &arena);
		snprintf(text, sizeof text,
		    "\"f\":{\"type\":\"dir\",\"permissions\":%s}",
		    cases[i].text);
		m = load_entries(text);
		if (cases[i].mode == -1) {
			assert_null(m);
			continue;
		}
		assert_non_null(m);
		assert_int_equal(m->entries[0].mode, cases[i].mode);
	}
}

static void
environment_values_are_routed_as_the_format_says(void **state)
{
	static const struct {
		const char *value, *is, *complaint;
	} cases[] = {
	    {"\"x\"", "x", NULL},
	    {"{\"value\":\"x\"}", "x", NULL},
	    {"{\"type\":\"str\",\"value\":\"x\"}", "x", NULL},
	    {"{\"value\":{\"type\":\"str\",\"value\":\"x\"}}", "x", NULL},
	    {"{\"value\":{\"value\":\"x\"},\"ephemeral\":true}", "x", NULL},
	    {"{\"value\":\"x\",\"description\":\"d\"}", NULL,
		"env value mapping must include a string `type` field"},
	    {"{\"type\":7,\"value\":\"x\"}", NULL,
		"env value mapping must include a string `type` field"},
	    {"{\"type\":\"vault\",\"value\":\"x\"}", NULL,
		"Unknown env value type `vault`. Registered types: secret, str"},
	    {"{\"type\":\"str\",\"valeu\":\"x\"}", NULL, "is missing"},
	    {"{}", NULL, "is missing"},
	    {"7", NULL, "this is a number"},
	    {"\"a\\u0000b\"", NULL, "NUL"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct manifest *m;

		complaints_init(&complaints, &arena);
		snprintf(text, sizeof text,
		    "{\"environment\":{\"value\":{\"A\":%s}}}", cases[i].value);
		m = load(text);
		if (cases[i].is != NULL) {
			assert_no_complaint();
			assert_string_equal(
			    m->environment[0].value.p, cases[i].is);
		} else {
			assert_null(m);
			assert_complaint(cases[i].complaint);
		}
	}
}

static void
sources_must_be_there_and_below_the_folder(void **state)
{
	(void)state;
	write_file("data.txt", "x");
	assert_non_null(load_entries(
	    "\"a\":{\"type\":\"local_file\",\"src\":\"./data.txt\"},"
	    "\"b\":{\"type\":\"local_dir\"}"));
	assert_null(load_entries(
	    "\"a\":{\"type\":\"local_file\",\"src\":\"gone.txt\"},"
	    "\"b\":{\"type\":\"local_dir\",\"src\":\"data.txt\"},"
	    "\"c\":{\"type\":\"local_file\",\"src\":\"/etc/passwd\"},"
	    "\"d\":{\"type\":\"local_file\",\"src\":\"x/../../y\"}"));
	assert_complaint("gone.txt: No such file");
	assert_complaint("data.txt is not a folder");
	assert_complaint("/etc/passwd lies outside");
	assert_complaint("x/../../y lies outside");
}

static void
a_grant_opens_a_folder_and_no_more(void **state)
{
	const struct manifest *m =
	    load("{\"entries\":{\"a\":{\"type\":\"local_file\",\"src\":"
		 "\"/etc/passwd\"}},\"extra_path_grants\":[{\"path\":\"/etc\","
		 "\"read_only\":true}]}");
	const char *folder, *below;
	struct error e;

	(void)state;
	assert_no_complaint();
	assert_int_equal(
	    manifest_source(&arena, m, &m->entries[0], &folder, &below, &e), 0);
	assert_string_equal(folder, "/etc");
	assert_string_equal(below, "passwd");
	assert_null(load("{\"entries\":{\"a\":{\"type\":\"local_file\",\"src\":"
			 "\"/etcetera/x\"}},\"extra_path_grants\":[{\"path\":"
			 "\"/etc\"}]}"));
	assert_complaint("lies outside");
	complaints_init(&complaints, &arena);
	assert_null(
	    load("{\"extra_path_grants\":[{\"path\":\"/\"},{\"path\":"
		 "\"//.\"},{\"path\":\"etc\"},{\"path\":\"/a/../b\"}]}"));
	assert_int_equal(complaints.n, 4);
}

static void
variables_are_replaced_and_cannot_lead_astray(void **state)
{
	struct named_text task[] = {
	    {"file", span_of("data.txt")}, {"up", span_of("../../etc/passwd")}};
	struct vars vars = {.input = span_of("IN"),
	    .custom_id = span_of("r1"),
	    .task = {task, 2}};
	const struct manifest *m, *x;
	struct error e;

	(void)state;
	m = load_entries(
	    "\"a\":{\"type\":\"local_file\",\"src\":\"${variables.file}\"},"
	    "\"b\":{\"type\":\"file\",\"content\":\"${custom_id} ${input} $${x}"
	    "\"}");
	assert_no_complaint();
	assert_true(m->has_variables);
	x = manifest_expand(&arena, m, &vars, &e);
	assert_non_null(x);
	assert_string_equal(x->entries[0].src, "data.txt");
	assert_true(span_is(x->entries[1].content, "r1 IN ${x}"));
	assert_true(
	    span_is(m->entries[1].content, "${custom_id} ${input} $${x}"));

	m = load_entries(
	    "\"a\":{\"type\":\"local_file\",\"src\":\"${variables.up}\"}");
	assert_null(manifest_expand(&arena, m, &vars, &e));
	assert_int_equal(e.code, ERROR_MANIFEST);
	assert_non_null(strstr(e.text, "lies outside"));
	m = load_entries(
	    "\"a\":{\"type\":\"file\",\"content\":\"${variables.no}\"}");
	assert_null(manifest_expand(&arena, m, &vars, &e));
	assert_non_null(strstr(e.text, "variables.no"));

	assert_null(
	    load_entries("\"a\":{\"type\":\"file\",\"content\":\"${HOME}\"}"));
	assert_complaint("${HOME} is unknown");
}

static void
a_task_adds_and_replaces(void **state)
{
	const struct manifest *base =
	    load("{\"entries\":{\"d\":{\"type\":\"dir\",\"children\":{\"x\":{"
		 "\"type\":\"file\",\"content\":\"1\"}}},\"f\":{\"type\":"
		 "\"file\",\"content\":\"1\"}},\"environment\":{\"A\":\"1\"}}");
	const struct manifest *more =
	    load("{\"entries\":{\"d\":{\"type\":\"dir\"},\"d/y\":{\"type\":"
		 "\"file\"},\"f\":{\"type\":\"file\",\"content\":\"2\"}},"
		 "\"environment\":{\"A\":\"2\",\"B\":\"3\"}}");
	const struct manifest *m;
	struct error e;

	(void)state;
	assert_no_complaint();
	m = manifest_merge(&arena, base, more, &e);
	assert_int_equal(m->entries_n, 4);
	assert_string_equal(m->entries[0].path, "d");
	assert_string_equal(m->entries[1].path, "d/x");
	assert_string_equal(m->entries[2].path, "d/y");
	assert_true(span_is(m->entries[3].content, "2"));
	assert_int_equal(m->environment_n, 2);
	assert_string_equal(m->environment[0].value.p, "2");
	assert_ptr_equal(manifest_merge(&arena, NULL, more, &e), more);
	assert_ptr_equal(manifest_merge(&arena, base, NULL, &e), base);
	more = load("{\"entries\":{\"f/g\":{\"type\":\"dir\"}}}");
	assert_null(manifest_merge(&arena, base, more, &e));
	assert_int_equal(e.code, ERROR_MANIFEST);
}

static void
the_canonical_form_reads_back_as_itself(void **state)
{
	const struct manifest *m = load_entries(
	    "\"a\":{\"type\":\"dir\",\"children\":{\"b\":{\"type\":\"file\","
	    "\"content_base64\":\"AP8=\",\"permissions\":\"-r--------\"}}}");
	struct text one, two;
	struct json_writer w;

	(void)state;
	text_init(&one, 1 << 20);
	text_init(&two, 1 << 20);
	json_write_init(&w, &one);
	table_put(&manifest_table, m, 0, &w);
	m = load(one.p);
	assert_no_complaint();
	json_write_init(&w, &two);
	table_put(&manifest_table, m, 0, &w);
	assert_string_equal(one.p, two.p);
	assert_int_equal(m->entries[1].mode, 0400);
	text_release(&one);
	text_release(&two);
}

static void
deep_and_wide_trees_take_no_time(void **state)
{
	struct text t;
	const struct manifest *m;

	(void)state;
	text_init(&t, (size_t)16 << 20);
	text_add_str(&t, "{\"entries\":{");
	for (int i = 0; i < 50000; i++)
		text_printf(
		    &t, "%s\"d%d/x\":{\"type\":\"file\"}", i > 0 ? "," : "", i);
	text_add_str(&t, "}}");
	m = load(t.p);
	assert_non_null(m);
	assert_int_equal(m->entries_n, 50000);
	text_clear(&t);
	text_add_str(&t, "{\"entries\":");
	for (int i = 0; i < 100; i++)
		text_add_str(&t, "{\"d\":{\"type\":\"dir\",\"children\":");
	assert_null(load(t.p));
	text_release(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_serialised_shape_is_read),
	    CASE(paths_that_leave_the_root_are_refused_with_the_exact_text),
	    CASE(paths_are_normalised),
	    CASE(paths_that_meet_after_normalisation_collide),
	    CASE(an_unknown_type_names_the_registered_ones),
	    CASE(keys_of_another_type_are_refused),
	    CASE(content_may_be_base64),
	    CASE(permissions_as_numbers_and_as_ls_prints_them),
	    CASE(environment_values_are_routed_as_the_format_says),
	    CASE(sources_must_be_there_and_below_the_folder),
	    CASE(a_grant_opens_a_folder_and_no_more),
	    CASE(variables_are_replaced_and_cannot_lead_astray),
	    CASE(a_task_adds_and_replaces),
	    CASE(the_canonical_form_reads_back_as_itself),
	    CASE(deep_and_wide_trees_take_no_time),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
