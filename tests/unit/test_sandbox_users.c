/*
 * Users inside a sandbox: their names and numbers, and commands and file
 * verbs that are theirs.  As root, and as uid 1000, where one is all there is.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/manifest.h"
#include "sandbox/users.h"
#include "tests/unit/sandbox_test.h"

static struct sandbox_test t;
static char folder[64];

static int
fresh(void **state)
{
	(void)state;
	return st_fresh(&t);
}

static int
done(void **state)
{
	(void)state;
	st_done(&t);
	return 0;
}

static const char *const users[] = {"ann", "bob"};
static const struct manifest_group groups[] = {
    {"readers", TEXT_LIST("ann", "carl")},
    {"empty", {NULL, 0}},
};
static const struct manifest_entry entries[] = {
    {.type = ENTRY_DIR, .path = "private", .mode = 0700},
    {.type = ENTRY_FILE, .path = "private/key", .mode = 0600},
    {.type = ENTRY_DIR, .path = "shared", .group = "readers", .mode = 0770},
    {.type = ENTRY_FILE,
	.path = "shared/list",
	.group = "readers",
	.mode = 0640,
	.content = {"one\n", 4}},
    {.type = ENTRY_FILE, .path = "plain", .mode = 0644, .content = {"p\n", 2}},
};
static const struct manifest people = {
    .file = "test",
    .root = "/workspace",
    .entries = entries,
    .entries_n = sizeof entries / sizeof entries[0],
    .users = {users, 2},
    .groups = groups,
    .groups_n = 2,
};

static void
sh_as(struct sandbox *sb, const char *user, const char *line)
{
	const char *argv[] = {"sh", "-c", line, NULL};
	struct exec_spec spec = {.argv = argv,
	    .user = user,
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};

	st_exec(&t, sb, &spec);
}

static struct sandbox *
create(const struct manifest *m, const char *run_as)
{
	return st_create_spec(
	    &t, (struct sandbox_spec){.manifest = m, .run_as = run_as});
}

/* ------------------------------------------------------------------- names */

static void
names_become_numbers_and_files(void **state)
{
	char text[USERS_TEXT_MAX];
	struct users u;
	struct users_identity who;
	struct error e;
	unsigned user;
	size_t group;
	gid_t gid;

	(void)state;
	assert_int_equal(users_init(&u, &t.profile, &people, "ann", 0, &e), 0);
	assert_int_equal(u.n, 4); /* agent, ann, bob, carl */
	assert_int_equal(users_more(&u), 5);
	assert_false(users_are_plain(&u));
	assert_int_equal(users_find(&u, NULL, &user, &e), 0);
	users_identify(&u, user, &who);
	assert_int_equal(who.uid, 1001);
	assert_int_equal(who.gid, 1001);
	assert_int_equal(who.groups_n, 1);
	assert_int_equal(who.group[0], 1004);
	assert_int_equal(users_find(&u, "1002", &user, &e), 0);
	assert_string_equal(u.user[user].name, "bob");
	assert_int_equal(users_find(&u, "0", &user, &e), -1);
	assert_int_equal(users_find(&u, "1004", &user, &e), -1);
	assert_int_equal(users_find(&u, "dora", &user, &e), -1);
	assert_int_equal(e.code, ERROR_NOT_FOUND);
	assert_int_equal(users_find_group(&u, "empty", &gid, &e), 0);
	assert_int_equal(gid, 1005);
	assert_int_equal(users_find_group(&u, "bob", &gid, &e), 0);
	assert_int_equal(gid, 1002);
	assert_true(users_write(&u, text, &group) > group);
	assert_non_null(strstr(text, "\nann:x:1001:1001:"));
	assert_non_null(strstr(text + group, "\nreaders:x:1004:ann,carl\n"));
}

static void
what_cannot_be_is_refused(void **state)
{
	static const struct manifest_group same[] = {{"ann", {NULL, 0}}};
	struct manifest m = {.users = {users, 2}};
	const char *many[USERS_MAX + 1];
	char name[USERS_MAX + 1][8];
	struct users u;
	struct error e;

	(void)state;
	assert_int_equal(users_init(&u, &t.profile, &m, "zoe", 0, &e), -1);
	assert_int_equal(e.code, ERROR_MANIFEST);
	m.groups = same;
	m.groups_n = 1;
	assert_int_equal(users_init(&u, &t.profile, &m, NULL, 0, &e), -1);
	assert_int_equal(e.code, ERROR_MANIFEST);
	for (unsigned i = 0; i < USERS_MAX + 1; i++) {
		snprintf(name[i], sizeof name[i], "u%u", i);
		many[i] = name[i];
	}
	m = (struct manifest){.users = {many, USERS_MAX - 1}};
	assert_int_equal(users_init(&u, &t.profile, &m, NULL, 0, &e), 0);
	m.users.n = USERS_MAX;
	assert_int_equal(users_init(&u, &t.profile, &m, NULL, 0, &e), -1);
	assert_null(create(&m, NULL));
	t.profile.uid = 65533;
	m.users.n = 1;
	assert_int_equal(users_init(&u, &t.profile, &m, NULL, 0, &e), -1);
}

/* -------------------------------------------------------------------- root */

static void
commands_are_who_they_are_said_to_be(void **state)
{
	struct sandbox *sb = create(&people, "ann");

	(void)state;
	st_sh(&t, sb, "id; echo $USER $LOGNAME; whoami; grep -c . /etc/passwd");
	assert_string_equal(t.out.p,
	    "uid=1001(ann) gid=1001(ann) groups=1001(ann),1004(readers)\n"
	    "ann ann\nann\n6\n");
	sh_as(sb, "bob",
	    "id -un; id -Gn; grep Cap /proc/self/status | "
	    "grep -cv 0000000000000000");
	assert_string_equal(t.out.p, "bob\nbob\n0\n");
	sh_as(sb, "1000", "id -un; id -Gn");
	assert_string_equal(t.out.p, "agent\nagent\n");
	assert_int_equal(sandbox_act_as(sb, "carl", &t.error), 0);
	st_sh(&t, sb, "id -un");
	assert_string_equal(t.out.p, "carl\n");
	assert_int_equal(sandbox_act_as(sb, "dora", &t.error), -1);
	assert_int_equal(sandbox_act_as(sb, NULL, &t.error), 0);
	st_sh(&t, sb, "id -un");
	assert_string_equal(t.out.p, "agent\n");
	st_destroy(&t, sb);
}

static void
users_are_kept_apart(void **state)
{
	struct sandbox *sb = create(&people, "bob");

	(void)state;
	st_sh(&t, sb,
	    "cat private/key shared/list plain; echo x >> plain; "
	    "rm -f plain; ls shared; echo mine > mine; "
	    "chmod 600 mine; stat -c %U:%G mine");
	assert_string_equal(t.out.p, "p\nbob:bob\n");
	sh_as(sb, "ann",
	    "cat shared/list; echo two > shared/two; "
	    "stat -c %U:%G:%a shared/list; cat mine; rm -f mine");
	assert_string_equal(t.out.p, "one\nagent:readers:640\n");
	st_destroy(&t, sb);
}

static void
nobody_reaches_another_user(void **state)
{
	static const char attempt[] =
	    "import os,ctypes\n"
	    "def no(f,*a):\n"
	    "  try: f(*a)\n"
	    "  except OSError: return 1\n"
	    "  return 0\n"
	    "l=ctypes.CDLL(None,use_errno=True)\n"
	    "print(no(os.setuid,1000),no(os.setuid,1001),no(os.setgid,1004),"
	    "no(os.setgroups,[]),no(os.setresuid,1001,1000,1001),"
	    "no(os.kill,int(open('/tmp/pid').read()),9),"
	    "no(open,'/proc/1/mem','rb'),no(os.listdir,'/proc/1/fd'),"
	    "no(open,'/proc/1/uid_map','w'))\n";
	struct sandbox *sb = create(&people, "bob");
	const char *argv[] = {
	    "sh", "-c", "echo $$ > /tmp/pid; exec sleep 30", NULL};
	struct exec_spec spec = {.argv = argv, .user = "ann"};
	struct exec *x;

	(void)state;
	x = exec_start(sb, &spec, &st_exec_ops, &t, &t.error);
	assert_non_null(x);
	t.ended = 0;
	while (st_get(&t, sb, "nothing") == 0)
		;
	st_sh(&t, sb, "while ! [ -s /tmp/pid ]; do sleep 0.01; done");
	assert_int_equal(st_put(&t, sb, "attempt.py", attempt), 0);
	t.ended = 0;
	st_sh(&t, sb, "python3 attempt.py");
	assert_string_equal(t.err.p, "");
	assert_string_equal(t.out.p, "1 1 1 1 1 1 1 1 1\n");
	/* Init can end what it cannot be: the deadline of a command holds. */
	exec_free(x);
	st_sh(&t, sb,
	    "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
	    "[ -d /proc/$(cat /tmp/pid) ] || break; sleep 0.1; done; "
	    "[ -d /proc/$(cat /tmp/pid) ] || echo gone");
	assert_string_equal(t.out.p, "gone\n");
	st_destroy(&t, sb);
}

static void
a_deadline_holds_for_every_user(void **state)
{
	struct sandbox *sb = create(&people, NULL);
	const char *argv[] = {"sh", "-c",
	    "trap '' TERM; (trap '' TERM; sleep 60) & while :; do sleep 60; "
	    "done",
	    NULL};
	struct exec_spec spec = {
	    .argv = argv, .user = "bob", .timeout_ms = 100, .grace_ms = 100};

	(void)state;
	st_exec(&t, sb, &spec);
	assert_int_equal(t.report.verdict, VERDICT_TIMEOUT);
	st_sh(&t, sb, "cat /proc/[0-9]*/comm | grep -c sleep");
	assert_string_equal(t.out.p, "0\n");
	st_destroy(&t, sb);
}

static void
verbs_are_carried_out_as_who_acts(void **state)
{
	struct sandbox *sb = create(&people, "bob");

	(void)state;
	assert_int_equal(st_get(&t, sb, "private/key"), -1);
	assert_int_equal(t.file_error.code, ERROR_DENIED);
	assert_int_equal(st_get(&t, sb, "shared/list"), -1);
	assert_int_equal(st_get(&t, sb, "plain"), 0);
	assert_int_equal(st_put(&t, sb, "plain", "bob's"), -1);
	assert_int_equal(t.file_error.code, ERROR_DENIED);
	assert_int_equal(st_put(&t, sb, "new/file", "bob's"), 0);
	st_file(
	    &t, sandbox_remove(sb, "plain", 0, st_landed, &t, &t.file_error));
	assert_non_null(t.file.error);
	st_file(&t, sandbox_chgrp(sb, "new/file", "readers", 0, st_landed, &t,
			&t.file_error));
	assert_non_null(t.file.error); /* he is not in it */
	st_sh(&t, sb, "stat -c %U:%G new new/file");
	assert_string_equal(t.out.p, "bob:bob\nbob:bob\n");
	assert_int_equal(sandbox_act_as(sb, "carl", &t.error), 0);
	assert_int_equal(st_get(&t, sb, "shared/list"), 0);
	assert_string_equal(t.bytes.p, "one\n");
	assert_int_equal(sandbox_act_as(sb, NULL, &t.error), 0);
	assert_int_equal(st_get(&t, sb, "private/key"), 0);
	st_destroy(&t, sb);
}

static void
streams_and_terminals_belong_to_the_user(void **state)
{
	const char *argv[] = {"sh", "-c",
	    "echo a > /dev/stdout; echo b > /dev/stderr; tty < /dev/tty; "
	    "echo c > $(tty); stat -c %U $(tty)",
	    NULL};
	struct exec_spec spec = {.argv = argv,
	    .user = "bob",
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	struct sandbox *sb = create(&people, NULL);

	(void)state;
	sh_as(sb, "ann", "echo a > /dev/stdout; echo b > /dev/stderr");
	assert_string_equal(t.out.p, "a\n");
	assert_string_equal(t.err.p, "b\n");
	spec.tty = 1;
	st_exec(&t, sb, &spec);
	assert_string_equal(t.out.p, "a\r\nb\r\n/dev/tty\r\nc\r\nbob\r\n");
	st_destroy(&t, sb);
}

/* --------------------------------------------------------------- both ways */

static void
a_profile_names_its_user(void **state)
{
	struct sandbox *sb;

	(void)state;
	t.profile.user = "worker";
	t.profile.uid = 4711;
	sb = create(NULL, NULL);
	st_sh(&t, sb, "id; echo $USER; getent passwd 4711 root | cut -d: -f1");
	assert_string_equal(t.out.p,
	    "uid=4711(worker) gid=4711(worker) groups=4711(worker)\n"
	    "worker\nworker\nroot\n");
	st_sh(&t, sb, "echo x >> /etc/passwd || echo kept");
	assert_string_equal(t.out.p, "kept\n");
	st_destroy(&t, sb);
}

static void
a_root_of_ones_own_keeps_its_users(void **state)
{
	char command[512], root[128];
	struct sandbox *sb;
	int n;

	(void)state;
	snprintf(root, sizeof root, "%s/root", folder);
	n = snprintf(command, sizeof command,
	    "mkdir -p %s/etc && cd %s && cp -a --parents /bin /lib /lib64 . "
	    "2>/dev/null; mkdir -p usr/bin usr/lib usr/lib64; "
	    "cp /bin/busybox usr/bin/sh 2>/dev/null || exit 1; "
	    "for i in id cat; do ln -s sh usr/bin/$i; done; "
	    "echo old:x:77:77::/:/bin/sh > etc/passwd; "
	    "echo old:x:77: > etc/group",
	    root, root);
	assert_true(n < (int)sizeof command);
	if (system(command) != 0)
		skip(); /* no static shell to make a root of */
	sandbox_host_free(t.host);
	t.host = NULL;
	zygote_stop(&t.zygote);
	assert_int_equal(zygote_start(&t.zygote, &t.error), 0);
	t.profile.rootfs = ROOTFS_DIR;
	t.profile.rootfs_path = root;
	st_local(&t, NULL);
	assert_non_null(t.host);
	sb = create(&people, getuid() == 0 ? NULL : "ann");
	if (sb == NULL) /* uid 1000 cannot give to a group */
		return;
	st_sh(&t, sb, "id -un; cat /etc/passwd | grep -c old");
	assert_string_equal(t.out.p, "agent\n1\n");
	st_destroy(&t, sb);
}

/* ----------------------------------------------------------------- uid 1000 */

static void
one_user_is_had_and_others_are_refused(void **state)
{
	static const struct manifest m = {
	    .file = "test", .root = "/workspace", .users = {users, 2}};
	const char *argv[] = {"true", NULL};
	struct exec_spec spec = {.argv = argv, .user = "bob"};
	struct sandbox *sb = create(&m, "ann");

	(void)state;
	assert_non_null(sb);
	st_sh(&t, sb,
	    "id; echo $USER; getent passwd bob | cut -d: -f1,3; "
	    "echo x > made; stat -c %U made");
	assert_string_equal(t.out.p,
	    "uid=1000(ann) gid=1000(ann) groups=1000(ann)\n"
	    "ann\nbob:1002\nann\n");
	assert_null(exec_start(sb, &spec, &st_exec_ops, &t, &t.error));
	assert_int_equal(t.error.code, ERROR_SANDBOX_UNAVAILABLE);
	assert_non_null(strstr(t.error.text, "without root"));
	assert_int_equal(sandbox_act_as(sb, "bob", &t.error), -1);
	assert_int_equal(sandbox_act_as(sb, "ann", &t.error), 0);
	st_destroy(&t, sb);
	assert_null(create(&people, "ann")); /* it gives files to a group */
	assert_int_equal(t.error.code, ERROR_SANDBOX_UNAVAILABLE);
}

static int
run(const char *as)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest both[] = {
	    T(names_become_numbers_and_files),
	    T(what_cannot_be_is_refused),
	    T(a_profile_names_its_user),
	    T(a_root_of_ones_own_keeps_its_users),
	};
	const struct CMUnitTest root[] = {
	    T(commands_are_who_they_are_said_to_be),
	    T(users_are_kept_apart),
	    T(nobody_reaches_another_user),
	    T(a_deadline_holds_for_every_user),
	    T(verbs_are_carried_out_as_who_acts),
	    T(streams_and_terminals_belong_to_the_user),
	};
	const struct CMUnitTest alone[] = {
	    T(one_user_is_had_and_others_are_refused),
	};
	int failed = cmocka_run_group_tests_name(as, both, NULL, NULL);

	if (getuid() == 0)
		return failed + cmocka_run_group_tests_name(
				    "users, as root", root, NULL, NULL);
	return failed + cmocka_run_group_tests_name(
			    "users, as uid 1000", alone, NULL, NULL);
}

int
main(void)
{
	return st_main(run, folder);
}
