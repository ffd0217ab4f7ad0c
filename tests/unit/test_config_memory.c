/* Reading configuration in too little memory fails, and only fails. */

#include "tests/unit/config_test.h"

#include "config/agent.h"
#include "config/manifest.h"
#include "config/mock.h"
#include "config/profile.h"
#include "config/task.h"
#include "config/vars.h"
#include "engine/base/pool.h"

static const char agent_text[] =
    "{\"name\":\"a\\u0041\",\"model\":{\"name\":\"m\",\"headers\":{\"x-a\":"
    "\"1\",\"x-b\":{\"env\":\"B\"}},\"settings\":{\"a\":[1]},\"retry\":{"
    "\"attempts\":2}},\"instructions\":\"${input}\",\"manifest\":{\"entries\":"
    "{\"d\":{\"type\":\"dir\",\"children\":{\"f\":{\"type\":\"file\","
    "\"content\":\"${custom_id}\"},\"g\":{\"type\":\"file\","
    "\"content_base64\":\"AP8=\"}}}},\"environment\":{\"value\":{\"A\":\"1\","
    "\"B\":{\"value\":{\"type\":\"str\",\"value\":\"2\"}}}},\"users\":[{"
    "\"name\":\"u\"}],\"groups\":[{\"name\":\"g\",\"users\":[{\"name\":\"u\"}]"
    "}],\"extra_path_grants\":[{\"path\":\"/srv\"}]},\"outputs\":[\"o/\"],"
    "\"tools\":[\"shell\"],\"sandbox\":{\"profile\":{\"extends\":\"draft\","
    "\"protected\":[\".skep\",\".git/hooks\",\"x\"],\"denied_syscalls\":["
    "\"socket\"]},\"rootfs\":\"dir:/srv\"},\"variables\":{\"v\":\"1\"}}";

static const char task_text[] =
    "{\"custom_id\":\"a\",\"variables\":{\"b\":\"c\"},\"body\":{\"messages\":["
    "{\"role\":\"user\",\"content\":\"x\"}]},\"manifest\":{\"entries\":{\"f\":"
    "{\"type\":\"local_file\",\"src\":\"${variables.b}\"}}}}";

static const char mock_text[] =
    "{\"models\":[\"m\"],\"rules\":[{\"when\":{\"input\":\"*\"},\"set\":{"
    "\"a\":{\"from\":\"input\",\"match\":\"(.)\"}},\"reply\":[{\"text\":\"x\"}"
    ",{\"tool\":\"t\",\"arguments\":{\"a\":1}}]}]}";

typedef int step_fn(struct arena *a, struct complaints *c);

/* Try with more and more, until it is enough. */
static void
starve(step_fn *step)
{
	size_t before = pool_in_use();

	for (size_t bytes = 0;; bytes += 48) {
		struct arena small;
		struct complaints c;
		struct error e;
		int status;

		arena_init(&small, bytes);
		complaints_init(&c, &small);
		status = step(&small, &c);
		if (status == -1) {
			assert_true(c.n > 0);
			assert_int_equal(complaints_error(&c, &e), -1);
			assert_true(e.text[0] != '\0');
		}
		arena_release(&small);
		assert_int_equal(pool_in_use(), before);
		if (status == 0)
			return;
		assert_true(bytes < 1 << 20);
	}
}

static const char *path;

static int
load_agent(struct arena *a, struct complaints *c)
{
	return agent_load(a, path, NULL, c) != NULL ? 0 : -1;
}

static int
load_mock(struct arena *a, struct complaints *c)
{
	const struct mock_script *s = mock_script_load(a, path, c);

	mock_script_release(s);
	return s != NULL ? 0 : -1;
}

static int
check_task(struct arena *a, struct complaints *c)
{
	struct task t;

	return task_check(
	    &t, a, span_of(task_text), 1, "tasks", "/nonexistent", c);
}

/* Merging and expanding, which report in another way. */
static int
prepare(struct arena *a, struct complaints *c)
{
	struct vars vars = {.input = span_of("x"), .custom_id = span_of("y")};
	const struct manifest *m;
	struct agent const *agent;
	struct error e;

	agent = agent_load(a, path, NULL, c);
	if (agent == NULL)
		return -1;
	m = manifest_merge(a, agent->manifest, agent->manifest, &e);
	if (m != NULL)
		m = manifest_expand(a, m, &vars, &e);
	if (m == NULL)
		return complain(c, e.code, NULL, 0, 0, "%s", e.text);
	return 0;
}

static void
an_agent_fits_or_is_refused(void **state)
{
	(void)state;
	write_file("agent.json", agent_text);
	path = path_of("agent.json");
	starve(load_agent);
	starve(prepare);
}

static void
a_script_fits_or_is_refused(void **state)
{
	(void)state;
	write_file("mock.json", mock_text);
	path = path_of("mock.json");
	starve(load_mock);
}

static void
a_task_fits_or_is_refused(void **state)
{
	struct arena small;
	struct task t;
	struct error e;

	(void)state;
	starve(check_task);
	/* To a batch this is no fault of the line. */
	arena_init(&small, 64);
	assert_int_equal(
	    task_read(&t, &small, span_of(task_text), 1, "/nonexistent", &e),
	    -1);
	assert_int_equal(e.code, ERROR_FULL);
	arena_release(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(an_agent_fits_or_is_refused),
	    CASE(a_script_fits_or_is_refused),
	    CASE(a_task_fits_or_is_refused),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
