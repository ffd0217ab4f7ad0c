#include "tests/unit/config_test.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/pool.h"

struct arena arena;
struct complaints complaints;
static char folder[64];

int
begin_case(void **state)
{
	(void)state;
	arena_init(&arena, (size_t)256 << 20);
	complaints_init(&complaints, &arena);
	strcpy(folder, "/tmp/skep-config-XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

int
end_case(void **state)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	(void)state;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(folder);
	arena_release(&arena);
	return 0;
}

const char *
path_of(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void
print_all(struct text *t)
{
	for (const struct complaint *c = complaints.first; c != NULL;
	     c = c->next) {
		complaint_print(c, t);
		text_add_char(t, '\n');
	}
}

void
assert_complaint(const char *text)
{
	struct text t;
	int found;

	text_init(&t, 1 << 20);
	print_all(&t);
	found = t.p != NULL && strstr(t.p, text) != NULL;
	if (!found)
		print_error("no complaint says \"%s\" in:\n%s", text,
		    t.p != NULL ? t.p : "(none)\n");
	text_release(&t);
	assert_true(found);
}

void
assert_no_complaint(void)
{
	struct text t;

	text_init(&t, 1 << 20);
	print_all(&t);
	if (t.n > 0)
		print_error("%s", t.p);
	text_release(&t);
	assert_int_equal(complaints.n, 0);
}

int
run_cases(const char *name, const struct CMUnitTest *tests, size_t n)
{
	struct error e;
	int failed;

	if (pool_start((size_t)4 << 30, &e) == -1)
		return 1;
	failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
	pool_stop();
	return failed;
}
