/*
 * Workspaces on top of a layer that others share: built once, kept apart,
 * used again, and cleaned up.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "sandbox/changes.h"
#include "tests/unit/sandbox_test.h"

static struct sandbox_test t;
static char folder[64], layers[80], sources[80];

static void __attribute__((format(printf, 1, 2)))
host_sh(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static void
restart(void)
{
	struct sandbox_host_settings s = {.layers = layers};

	sandbox_host_free(t.host);
	zygote_stop(&t.zygote);
	assert_int_equal(zygote_start(&t.zygote, &t.error), 0);
	st_local(&t, &s);
	assert_non_null(t.host);
}

static int
fresh(void **state)
{
	(void)state;
	if (st_fresh(&t) == -1)
		return -1;
	snprintf(layers, sizeof layers, "%s/layers", folder);
	snprintf(sources, sizeof sources, "%s/sources", folder);
	host_sh("rm -rf %s %s; mkdir -m 700 %s; mkdir -p %s/in/deep; "
		"cd %s; echo a > in/a; echo b > in/deep/b; echo x > in/x; "
		"chmod 444 in/x",
	    layers, sources, layers, sources, sources);
	restart();
	return 0;
}

static int
done(void **state)
{
	(void)state;
	st_done(&t);
	return 0;
}

/* How many entries of the layers' folder begin like this. */
static unsigned
count(const char *prefix)
{
	DIR *d = opendir(layers);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.' &&
		     strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

static struct manifest_entry entries[3];

static struct manifest
manifest(void)
{
	static const struct manifest_entry model[] = {
	    {.type = ENTRY_LOCAL_DIR, .path = "in", .src = "in", .mode = 0755},
	    {.type = ENTRY_FILE,
		.path = "note",
		.mode = 0640,
		.content = {"note\n", 5}},
	    {.type = ENTRY_DIR, .path = "shut", .mode = 0500},
	};

	memcpy(entries, model, sizeof model);
	entries[0].folder = sources;
	return (struct manifest){.file = "test",
	    .root = "/workspace",
	    .entries = entries,
	    .entries_n = 3};
}

static struct sandbox *
create(const struct manifest *m)
{
	return st_create_spec(&t,
	    (struct sandbox_spec){.manifest = m, .layered = 1, .remembers = 1});
}

static const char *
workspace_of(const struct sandbox *sb)
{
	struct sandbox_facts f;

	sandbox_facts(sb, &f);
	return f.workspace;
}

static struct {
	int done;
	char text[4096];
} told;

static void
came(const struct list *files, uint64_t omitted, const struct error *error,
    void *owner)
{
	size_t used = 0;

	(void)owner;
	assert_null(error);
	assert_int_equal(omitted, 0);
	told.text[0] = '\0';
	for (struct list_node *n = list_first(files); n != NULL;
	     n = list_next(files, n)) {
		struct changed_file *f =
		    container_of(n, struct changed_file, link);

		used +=
		    (size_t)snprintf(told.text + used, sizeof told.text - used,
			"%c %s %llu\n", change_name(f->change)[0], f->path,
			(unsigned long long)f->bytes);
	}
	told.done = 1;
	loop_break(t.loop);
}

static const char *
changes(struct sandbox *sb)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	told.done = 0;
	assert_non_null(changes_start(t.loop, sb, &a, came, NULL, &t.error));
	st_until(&t, &told.done);
	arena_release(&a);
	return told.text;
}

static void
two_share_a_layer_and_nothing_else(void **state)
{
	struct manifest m = manifest();
	struct sandbox *one = create(&m), *two = create(&m);

	(void)state;
	assert_non_null(one);
	assert_non_null(two);
	assert_string_equal(workspace_of(one), "layered");
	assert_string_equal(workspace_of(two), "layered");
	assert_int_equal(count(""), 1);
	st_sh(&t, one,
	    "stat -c %U:%G:%a . in in/a in/x note shut in/deep/b; "
	    "echo more >> in/a; rm note; mkdir new; echo n > new/f; "
	    "mv in/deep moved && cat moved/b; ls -A | tr '\\n' ' '");
	assert_string_equal(t.err.p, "");
	assert_string_equal(t.out.p,
	    "agent:agent:755\nagent:agent:755\nagent:agent:644\n"
	    "agent:agent:644\nagent:agent:640\nagent:agent:500\n"
	    "agent:agent:644\nb\n.git .skep in moved new shut ");
	st_sh(&t, two, "cat in/a note in/deep/b; ls -A | tr '\\n' ' '");
	assert_string_equal(t.out.p, "a\nnote\nb\n.git .skep in note shut ");
	assert_string_equal(changes(two), "");
	assert_string_equal(changes(one),
	    "m in/a 7\nd in/deep/b 0\na moved/b 2\na new/f 2\nd note 0\n");
	st_destroy(&t, one);
	one = create(&m);
	st_sh(&t, one, "cat in/a; rm -r in; mkdir in; echo again > in/a");
	assert_string_equal(t.out.p, "a\n");
	assert_string_equal(
	    changes(one), "m in/a 6\nd in/deep/b 0\nd in/x 0\n");
	st_destroy(&t, one);
	st_destroy(&t, two);
	assert_int_equal(count(""), 1);
}

/* Names, times, modes, owners and content of all that is on the disk. */
static void
fingerprint(char out[65])
{
	FILE *f;
	char line[256];

	snprintf(line, sizeof line,
	    "cd %s && { find . -mindepth 2 -printf '%%p %%T@ %%C@ %%m %%U %%n %%s\\n' | "
	    "sort; find . -type f | sort | xargs sha256sum; } | sha256sum",
	    layers);
	f = popen(line, "r");
	assert_non_null(f);
	assert_int_equal(fread(out, 1, 64, f), 64);
	out[64] = '\0';
	pclose(f);
}

static void
nothing_inside_reaches_the_layer(void **state)
{
	static const char attack[] =
	    "import os, mmap, stat\n"
	    "def t(f, *a):\n"
	    "  try: return f(*a)\n"
	    "  except OSError: return None\n"
	    "r = os.open('in/a', os.O_RDONLY)\n" /* held before it comes up */
	    "for n in ('overlay.opaque', 'overlay.redirect', "
	    "'overlay.metacopy', 'overlay.whiteout', 'x'):\n"
	    "  t(os.setxattr, 'in', 'user.' + n, b'/')\n"
	    "  t(os.setxattr, 'in/a', 'user.' + n, b'y')\n"
	    "  t(os.setxattr, 'in/a', 'trusted.' + n, b'y')\n"
	    "t(os.mknod, 'in/w', stat.S_IFCHR | 0o600, 0)\n"
	    "t(os.mknod, 'w', stat.S_IFCHR | 0o600, 0)\n"
	    "t(os.link, 'in/a', 'hard'); t(os.link, 'in/x', 'in/x2')\n"
	    "t(os.chmod, 'in/x', 0o777); t(os.chmod, 'in', 0o700)\n"
	    "t(os.chown, 'in/a', 1000, 1000); t(os.utime, 'in/deep')\n"
	    "t(os.rename, 'in/deep', 'elsewhere')\n"
	    "t(os.rename, 'in/deep/b', 'in/b')\n"
	    "f = os.open('hard', os.O_RDWR); m = mmap.mmap(f, 2)\n"
	    "m[0:1] = b'Z'; m.flush(); t(os.ftruncate, f, 1)\n"
	    "for p in ('/proc/self/fd/%d' % r, '/proc/self/cwd/in/a'):\n"
	    "  g = t(os.open, p, os.O_RDWR)\n"
	    "  if g: t(os.write, g, b'evil')\n"
	    "t(os.posix_fallocate, f, 0, 8192); t(os.truncate, 'note', 0)\n"
	    "for p in ('/scratch/l', '/scratch/u', '/tree', '/proc/1/root/tree'"
	    ", '/../scratch/l', '/proc/1/cwd'):\n"
	    "  if t(os.listdir, p) is not None: print('reached', p)\n"
	    "os.unlink('in/x'); t(os.rmdir, 'shut')\n"
	    "print(open('in/a').read()[:4])\n";
	struct manifest m = manifest();
	struct sandbox *sb = create(&m);
	char before[65], after[65];

	(void)state;
	fingerprint(before);
	assert_int_equal(st_put(&t, sb, "attack.py", attack), 0);
	st_sh(&t, sb, "python3 attack.py");
	assert_string_equal(t.err.p, "");
	assert_null(strstr(t.out.p, "reached"));
	fingerprint(after);
	assert_string_equal(before, after);
	st_destroy(&t, sb);
	sb = create(&m);
	st_sh(&t, sb, "cat in/a in/deep/b; ls -A in shut | tr '\\n' ' '");
	assert_string_equal(t.out.p, "a\nb\nin: a deep x  shut: ");
	st_destroy(&t, sb);
	fingerprint(after);
	assert_string_equal(before, after);
}

static void
a_layer_outlives_its_engine(void **state)
{
	struct manifest m = manifest();
	struct sandbox *sb = create(&m);
	struct stat before, after;
	char inside[512];

	(void)state;
	st_destroy(&t, sb);
	snprintf(inside, sizeof inside,
	    "cd %s && [ $(ls | wc -l) = 1 ] && ln -s * link", layers);
	host_sh("%s", inside);
	snprintf(inside, sizeof inside, "%s/link/tree/note", layers);
	assert_int_equal(stat(inside, &before), 0);
	assert_true(before.st_uid != 0);
	restart();
	sb = create(&m);
	assert_string_equal(workspace_of(sb), "layered");
	st_sh(&t, sb, "cat note; echo x > y");
	assert_string_equal(t.out.p, "note\n");
	assert_string_equal(changes(sb), "a y 2\n");
	assert_int_equal(stat(inside, &after), -1); /* the link was litter */
	assert_int_equal(count(""), 1);
	st_destroy(&t, sb);
}

static void
a_source_that_changed_is_another_layer(void **state)
{
	struct manifest m = manifest();
	struct sandbox *old = create(&m), *sb;

	(void)state;
	host_sh("cp -p %s/in/a %s/keep; printf c > %s/in/a; "
		"touch -r %s/keep %s/in/a",
	    sources, sources, sources, sources, sources);
	sb = create(&m);
	st_sh(&t, sb, "cat in/a");
	assert_string_equal(t.out.p, "c");
	assert_int_equal(count(""), 2);
	st_destroy(&t, sb);
	entries[1].mode = 0600;
	sb = create(&m);
	st_sh(&t, sb, "stat -c %a note");
	assert_string_equal(t.out.p, "600\n");
	assert_int_equal(count(""), 3);
	st_sh(&t, old, "cat in/a");
	assert_string_equal(t.out.p, "a\n");
	st_destroy(&t, sb);
	st_destroy(&t, old);
}

static void
limits_hold_on_top_of_a_layer(void **state)
{
	struct manifest m = manifest();
	struct sandbox *sb;

	(void)state;
	t.profile.limits.disk_bytes = 1 << 20;
	t.profile.limits.disk_inodes = 200;
	restart();
	sb = create(&m);
	st_sh(&t, sb, "head -c 2000000 /dev/zero > big");
	assert_int_equal(t.report.verdict, VERDICT_DISK);
	st_sh(&t, sb, "rm big; fallocate -l 2M big");
	assert_true(t.report.exit != 0);
	st_sh(&t, sb,
	    "rm -f big; i=0; while [ $i -lt 300 ]; do : > f$i || exit; "
	    "i=$((i+1)); done");
	assert_int_equal(t.report.verdict, VERDICT_DISK);
	st_destroy(&t, sb);
}

static void
a_manifest_beyond_the_limits_makes_no_layer(void **state)
{
	struct manifest m = manifest();
	struct sandbox *sb;

	(void)state;
	t.profile.limits.disk_bytes = 1 << 20;
	restart();
	host_sh("head -c 3000000 /dev/zero > %s/in/big", sources);
	sb = create(&m);
	assert_null(sb);
	assert_int_equal(t.error.code, ERROR_MANIFEST);
	assert_int_equal(count("part-"), 0);
}

static void
what_cannot_be_layered_is_plain(void **state)
{
	static const char *const users[] = {"ann"};
	const struct manifest_group groups[] = {{"readers", {users, 1}}};
	struct manifest m = manifest();
	struct sandbox *sb;

	(void)state;
	m.users.at = users;
	m.users.n = 1;
	m.groups = groups;
	m.groups_n = 1;
	sb = create(&m);
	assert_string_equal(workspace_of(sb), "layered");
	st_destroy(&t, sb);
	if (getuid() != 0)
		return;
	entries[1].group = "readers";
	sb = create(&m);
	assert_string_equal(workspace_of(sb), "plain");
	st_sh(&t, sb, "stat -c %G note");
	assert_string_equal(t.out.p, "readers\n");
	st_destroy(&t, sb);
}

static void
a_wrong_manifest_is_an_error_and_leaves_nothing(void **state)
{
	struct manifest m = manifest();

	(void)state;
	host_sh("ln -s /etc/passwd %s/in/link", sources);
	assert_null(create(&m));
	assert_int_equal(t.error.code, ERROR_MANIFEST);
	host_sh("rm -r %s/in", sources);
	assert_null(create(&m));
	assert_int_equal(t.error.code, ERROR_MANIFEST);
	st_for_ms(&t, 50);
	assert_int_equal(count(""), 0);
}

/* The one whose manifest fills the layer goes; the next one's does then. */
static void
giving_up_while_it_is_built_passes_it_on(void **state)
{
	struct manifest m = manifest(), same = manifest();
	struct sandbox_spec spec = {.profile = &t.profile,
	    .manifest = &m,
	    .layered = 1,
	    .remembers = 1};
	struct sandbox *one, *two;

	(void)state;
	host_sh("for i in $(seq 500); do echo $i > %s/in/f$i; done", sources);
	one = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	spec.manifest = &same;
	two = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	assert_non_null(one);
	assert_non_null(two);
	for (int i = 0; i < 50 && count("part-") == 0; i++)
		st_for_ms(&t, 1);
	t.created = 0;
	st_destroy(&t, one);
	if (!t.created)
		st_until(&t, &t.created);
	assert_int_equal(t.created, 1);
	st_sh(&t, two, "cat in/f500");
	assert_string_equal(t.out.p, "500\n");
	st_destroy(&t, two);
	st_for_ms(&t, 50);
	assert_int_equal(count("part-") + count("gone-"), 0);
	assert_int_equal(count(""), 1);
}

static void
a_zygote_that_dies_while_it_is_built_is_an_error(void **state)
{
	struct manifest m = manifest();
	struct sandbox_spec spec = {.profile = &t.profile,
	    .manifest = &m,
	    .layered = 1,
	    .remembers = 1};
	struct sandbox *one, *two;

	(void)state;
	host_sh("for i in $(seq 900); do echo $i > %s/in/f$i; done", sources);
	one = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	two = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	for (int i = 0; i < 500 && count("part-") == 0; i++)
		st_for_ms(&t, 1);
	t.created = 0;
	kill(t.zygote.pid, SIGKILL);
	st_until(&t, &t.created);
	assert_int_equal(t.created, -1);
	st_for_ms(&t, 20);
	st_destroy(&t, one);
	st_destroy(&t, two);
	assert_null(st_create(&t, NULL));
}

static void
destroyed_at_once_leaves_nothing(void **state)
{
	struct manifest m = manifest();
	struct sandbox_spec spec = {
	    .profile = &t.profile, .manifest = &m, .layered = 1};

	(void)state;
	for (unsigned ms = 0; ms < 6; ms++) {
		struct sandbox *sb =
		    sandbox_create(t.host, &spec, &st_ops, &t, &t.error);

		assert_non_null(sb);
		if (ms > 0)
			st_for_ms(&t, ms - 1);
		st_destroy(&t, sb);
	}
	st_for_ms(&t, 50);
	assert_int_equal(count("part-") + count("gone-"), 0);
}

static void
what_others_left_is_cleared_away(void **state)
{
	struct manifest m = manifest();
	struct sandbox *sb = create(&m);

	(void)state;
	host_sh("cd %s && cp -a $(ls) 00000000-$(ls | cut -d- -f2) && "
		"mkdir -p part-1-1/tree/a/b gone-7-7/tree/c && "
		"touch gone-7-7/tree/c/d && chmod 0 part-1-1/tree/a && "
		"ln -s / part-1-2",
	    layers);
	restart();
	st_for_ms(&t, 100);
	assert_int_equal(count(""), 1);
	sb = create(&m);
	assert_string_equal(workspace_of(sb), "layered");
	/* Unused for long: gone at the next start, but not while it is used. */
	host_sh("cd %s && touch -d '8 days ago' $(ls)", layers);
	st_destroy(&t, sb);
	restart();
	st_for_ms(&t, 50);
	assert_int_equal(count(""), 0);
}

static int
run(const char *as)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
	    T(two_share_a_layer_and_nothing_else),
	    T(nothing_inside_reaches_the_layer),
	    T(a_layer_outlives_its_engine),
	    T(a_source_that_changed_is_another_layer),
	    T(limits_hold_on_top_of_a_layer),
	    T(a_manifest_beyond_the_limits_makes_no_layer),
	    T(what_cannot_be_layered_is_plain),
	    T(a_wrong_manifest_is_an_error_and_leaves_nothing),
	    T(giving_up_while_it_is_built_passes_it_on),
	    T(a_zygote_that_dies_while_it_is_built_is_an_error),
	    T(destroyed_at_once_leaves_nothing),
	    T(what_others_left_is_cleared_away),
	};

	return cmocka_run_group_tests_name(as, tests, NULL, NULL);
}

int
main(void)
{
	return st_main(run, folder);
}
