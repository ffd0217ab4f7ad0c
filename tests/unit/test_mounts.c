/*
 * What a sandbox sees of the file system, step by step.  Whatever mounts
 * something runs in a child with a mount namespace of its own, without root in
 * a user namespace as well.
 */

#include "sandbox/mounts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"
#include "sandbox/standins.h"
#include "sandbox/userns.h"
#include "sandbox/wire.h"

/* In a child, where cmocka cannot be asked. */
#define EXPECT(condition)                                                  \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "line %d: %s: %s; %s\n", __LINE__, \
			    #condition, strerror(errno), fault.step);      \
			_exit(1);                                          \
		}                                                          \
	} while (0)

static struct fault fault;
static char folder[64]; /* a fresh one for every test */

static int
fresh(void **state)
{
	(void)state;
	fault = (struct fault){0};
	strcpy(folder, "/tmp/skep-test-XXXXXX");
	return mkdtemp(folder) == NULL || chmod(folder, 0755) == -1 ? -1 : 0;
}

static int
gone(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static const char *
in_folder(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *out = path[next++ % 4];

	snprintf(out, 128, "%s/%s", folder, name);
	return out;
}

static void
make_file(const char *name, unsigned mode)
{
	int fd = open(in_folder(name), O_CREAT | O_WRONLY, 0644);

	assert_true(fd != -1 && write(fd, "text", 4) == 4);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
apart(void (*act)(void))
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		umask(0);
		EXPECT((geteuid() == 0 ? unshare(CLONE_NEWNS)
				       : userns_outer(&fault)) == 0);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ------------------------------------------------------------------- words */

static void
destinations_have_rules(void **state)
{
	static const char *const good[] = {"/x", "/x/y", "/usr", "/procfs",
	    "/developer", "/sys.d/x", "/x..y", "/..x", "/workspace/a"};
	static const char *const bad[] = {"", "x", "/", "//", "///", "/proc",
	    "/proc/x", "/sys", "/sys/x", "/dev", "/dev/shm", "/x/..", "/../x",
	    "/x/../y", "/./x", "/x/.", "/x//y", "//proc"};
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (mounts_dst_check(good[i], &f) == -1)
			fail_msg("%s: %s", good[i], f.step);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (mounts_dst_check(bad[i], &f) != -1 || f.step[0] == '\0')
			fail_msg("\"%s\" was taken", bad[i]);
}

static void
texts_are_put_together_or_refused(void **state)
{
	char out[MOUNTS_NUMBER];

	(void)state;
	mounts_number(out, 0);
	assert_string_equal(out, "0");
	mounts_number(out, UINT64_MAX);
	assert_string_equal(out, "18446744073709551615");
	mounts_tree_path(out, 31);
	assert_string_equal(out, "/tree/31");
	assert_int_equal(mounts_join(out, 6, "abc", "de"), 0);
	assert_string_equal(out, "abcde");
	assert_int_equal(mounts_join(out, 5, "abc", "de"), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

static void
what_is_opened_beneath_stays_beneath(void **state)
{
	static const char *const out[] = {
	    "..", "in/../..", "/etc", "up", "away", "magic/x", "in/up"};
	static const char *const in[] = {"in", "in/file", ".", "in/.."};
	int dir, fd;

	(void)state;
	assert_int_equal(mkdir(in_folder("in"), 0755), 0);
	make_file("in/file", 0644);
	assert_int_equal(symlink("..", in_folder("up")), 0);
	assert_int_equal(symlink("../..", in_folder("in/up")), 0);
	assert_int_equal(symlink("/etc", in_folder("away")), 0);
	assert_int_equal(symlink("/proc/self/root", in_folder("magic")), 0);
	assert_int_equal(symlink("in", in_folder("fine")), 0);
	dir = open(folder, O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
		for (int symlinks = 0; symlinks < 2; symlinks++)
			if (mounts_beneath(dir, out[i], symlinks) != -1)
				fail_msg("%s leads out", out[i]);
	for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
		fd = mounts_beneath(dir, in[i], 0);
		assert_true(fd != -1);
		close(fd);
	}
	assert_int_equal(mounts_beneath(dir, "fine", 0), -1);
	fd = mounts_beneath(dir, "fine/file", 1);
	assert_true(fd != -1);
	close(fd);
	close(dir);
}

/* ------------------------------------------------------------------ guards */

/* The folder as a tree that is attached to itself. */
static int
attached(void)
{
	int tree = open_tree(AT_FDCWD, folder,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	EXPECT(mounts_alone(&fault) == 0);
	EXPECT(tree != -1);
	EXPECT(move_mount(
		   tree, "", AT_FDCWD, folder, MOVE_MOUNT_F_EMPTY_PATH) == 0);
	return tree;
}

static void
guard_a_few(void)
{
	int tree = attached(), fd;

	EXPECT(mounts_guard(tree, "the folder", &fault) == 0);
	EXPECT(open(in_folder("suid"), O_RDWR) == -1 && errno == EROFS);
	EXPECT(open(in_folder("a/b/sgid"), O_RDWR) == -1 && errno == EROFS);
	EXPECT((fd = open(in_folder("suid"), O_RDONLY)) != -1);
	EXPECT(open(in_folder("plain"), O_RDWR) != -1);
	EXPECT(unlink(in_folder("suid")) == -1 && errno == EBUSY);
	EXPECT(rename(in_folder("plain"), in_folder("suid")) == -1);
	EXPECT(link(in_folder("suid"), in_folder("link")) == -1);
	/* Moved folders take their guards along. */
	EXPECT(rename(in_folder("a"), in_folder("c")) == 0);
	EXPECT(open(in_folder("c/b/sgid"), O_RDWR) == -1 && errno == EROFS);
}

static void
what_runs_as_its_owner_is_read_only(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder("a"), 0755), 0);
	assert_int_equal(mkdir(in_folder("a/b"), 0755), 0);
	make_file("suid", 04755);
	make_file("a/b/sgid", 02755);
	make_file("plain", 0755);
	assert_int_equal(symlink("/", in_folder("root")), 0);
	assert_int_equal(mkfifo(in_folder("fifo"), 04755), 0);
	apart(guard_a_few);
}

static void
guard_too_many(void)
{
	int tree = attached();

	EXPECT(mounts_guard(tree, "the folder", &fault) == -1);
	EXPECT(strstr(fault.step, "too many setuid") != NULL);
}

static void
too_many_of_them_are_refused(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 257; i++) {
		snprintf(name, sizeof name, "%d", i);
		make_file(name, 04755);
	}
	apart(guard_too_many);
}

/* ------------------------------------------------------- zygote and sandbox */

static struct mounts_tree trees[2];
static struct mounts_zygote zygote;

static void
build_zygote(void)
{
	trees[0] = (struct mounts_tree){.path = folder};
	trees[1] =
	    (struct mounts_tree){.path = in_folder("file"), .read_only = 1};
	zygote = (struct mounts_zygote){.privileged = getuid() == 0,
	    .uid = 1000,
	    .ntrees = 2,
	    .trees = trees};
	EXPECT(mounts_zygote(&zygote, &fault) == 0);
}

static void
look_at_zygote(void)
{
	char host[128];

	snprintf(host, sizeof host, "%s/file", folder);
	EXPECT(access(host, F_OK) == 0);
	build_zygote();
	EXPECT(access(host, F_OK) == -1 && errno == ENOENT);
	EXPECT(access("/etc", F_OK) == -1 && access("/root", F_OK) == -1);
	EXPECT(access("/view/etc/passwd", R_OK) == 0);
	EXPECT(open("/view/usr/x", O_CREAT | O_WRONLY, 0644) == -1);
	EXPECT(open("/view/x", O_CREAT | O_WRONLY, 0644) == -1);
	EXPECT(errno == EROFS);
	EXPECT(open("/dev/x", O_CREAT | O_WRONLY, 0644) == -1);
	EXPECT(open("/dev/null", O_RDWR) != -1);
	EXPECT(trees[0].is_file == 0 && trees[1].is_file == 1);
	EXPECT(faccessat(trees[0].fd, "file", F_OK, 0) == 0);
	EXPECT(open("/tree/1", O_RDWR) == -1 && errno == EROFS);
	EXPECT(faccessat(zygote.proc, "self", F_OK, 0) == 0);
}

static void
the_zygotes_tree_is_all_there_is(void **state)
{
	(void)state;
	make_file("file", 0644);
	apart(look_at_zygote);
}

static void
try_sources(void)
{
	char up[128];
	const char *const bad[] = {"/", "/proc", "/proc/self", "/sys",
	    "/sys/kernel", "/dev", "/dev/null", up, in_folder("missing"),
	    in_folder("to-root"), in_folder("to-proc"), in_folder("fifo")};

	snprintf(up, sizeof up, "%s/../x", folder);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		trees[0] = (struct mounts_tree){.path = bad[i]};
		zygote = (struct mounts_zygote){
		    .privileged = getuid() == 0, .ntrees = 1, .trees = trees};
		fault.step[0] = '\0';
		EXPECT(mounts_zygote(&zygote, &fault) == -1);
		EXPECT(strstr(fault.step, bad[i]) != NULL);
	}
}

static void
sources_that_would_show_too_much_are_refused(void **state)
{
	(void)state;
	assert_int_equal(symlink("/", in_folder("to-root")), 0);
	assert_int_equal(symlink("/proc/1", in_folder("to-proc")), 0);
	assert_int_equal(mkfifo(in_folder("fifo"), 0644), 0);
	apart(try_sources);
}

static void
look_at_sandbox(void)
{
	static const char *const protect[] = {".git/hooks", ".skep"};
	const struct userns_ids ids = {.uid = 1000,
	    .gid = 1000,
	    .host_uid = getuid() == 0 ? 77777 : getuid(),
	    .host_gid = getuid() == 0 ? 77777 : getgid()};
	const struct mounts_attach attach = {.tree = 1, .dst = "/opt/x/file"};
	int ours = -1;
	const struct mounts_sandbox s = {.zygote = &zygote,
	    .ids = &ids,
	    .tmp_bytes = 1 << 20,
	    .tmp_inodes = 100,
	    .workspace_bytes = 1 << 20,
	    .workspace_inodes = 100,
	    .rootfs = -1,
	    .workspace = -1,
	    .layers = -1,
	    .nattach = 1,
	    .attach = &attach,
	    .nprotect = 2,
	    .protect = protect,
	    .ours = &ours};
	struct stat st;

	build_zygote();
	EXPECT(unshare(CLONE_NEWNS) == 0);
	EXPECT(mounts_sandbox(&s, &fault) == 0);
	EXPECT(access("/view", F_OK) == -1 && access("/tree", F_OK) == -1);
	EXPECT(access("/usr/bin/env", X_OK) == 0);
	EXPECT(access("/opt/x/file", R_OK) == 0);
	EXPECT(open("/opt/x/file", O_RDWR) == -1 && errno == EROFS);
	EXPECT(mkdir("/x", 0755) == -1 && errno == EROFS);
	EXPECT(mkdir("/opt/y", 0755) == -1 && errno == EROFS);
	EXPECT(open("/tmp/x", O_CREAT | O_RDWR, 0644) != -1);
	EXPECT(open("/dev/shm/x", O_CREAT | O_RDWR, 0644) != -1);
	EXPECT(open("/workspace/x", O_CREAT | O_RDWR, 0644) != -1);
	EXPECT(stat("/workspace", &st) == 0 && st.st_uid == ids.host_uid);
	EXPECT(mkdir("/workspace/.git/hooks/x", 0755) == -1);
	EXPECT(errno == EROFS);
	EXPECT(rename("/workspace/.git", "/workspace/g") == -1);
	EXPECT(rmdir("/workspace/.skep") == -1 && errno == EBUSY);
	EXPECT(ours != -1 && faccessat(ours, ".git", F_OK, 0) == 0);
}

static void
a_sandbox_sees_and_changes_only_what_it_may(void **state)
{
	(void)state;
	make_file("file", 0644);
	apart(look_at_sandbox);
}

/* --------------------------------------------------------------- stand-ins */

static struct box box;
static struct standins one, two;

static void
want(const char *protect, const char *bind)
{
	size_t n = strlen(protect) + 1;

	memset(&box, 0, sizeof box);
	memset(&one, 0, sizeof one);
	memset(&two, 0, sizeof two);
	memcpy(box.text, protect, n);
	box.protect_n = 1;
	if (bind != NULL) {
		memcpy(box.text + n, bind, strlen(bind) + 1);
		box.attach_n = 1;
		box.attach[0] = 1;
		box.attach_dst[0] = (uint16_t)n;
	}
	trees[0] = (struct mounts_tree){
	    .path = folder, .fd = open(folder, O_PATH | O_DIRECTORY)};
	trees[1] = (struct mounts_tree){.path = "/etc/passwd", .is_file = 1};
}

static int
is_there(const char *name)
{
	return faccessat(trees[0].fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
stand_ins_stay_as_long_as_anybody_needs_them(void **state)
{
	struct stat st;

	(void)state;
	want("a/b", "/workspace/c/d");
	assert_int_equal(standins_make(&one, &box, trees, &fault), 0);
	assert_int_equal(standins_make(&two, &box, trees, &fault), 0);
	assert_int_equal(stat(in_folder("a/b"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(stat(in_folder("c/d"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	standins_remove(&one);
	assert_true(is_there("a/b") && is_there("c/d"));
	standins_remove(&two);
	assert_false(is_there("a") || is_there("c"));
	close(trees[0].fd);
}

static void
what_was_there_or_was_filled_stays(void **state)
{
	(void)state;
	want("a/b", "/workspace/c/d");
	assert_int_equal(mkdir(in_folder("a"), 0755), 0);
	assert_int_equal(standins_make(&one, &box, trees, &fault), 0);
	make_file("c/d", 0644); /* somebody outside */
	standins_remove(&one);
	assert_true(is_there("a") && is_there("c/d"));
	assert_false(is_there("a/b"));
	close(trees[0].fd);
}

static void
who_was_killed_is_cleared_up_after(void **state)
{
	(void)state;
	want("a/b", NULL);
	assert_int_equal(standins_make(&one, &box, trees, &fault), 0);
	standins_sweep(&two, &box, folder);
	assert_true(is_there("a/b")); /* it lives */
	for (unsigned i = 0; i < one.n; i++) {
		close(one.held[i].fd);
		close(one.held[i].dir);
	}
	standins_sweep(&two, &box, folder);
	assert_false(is_there("a"));
	close(trees[0].fd);
}

static void
stand_ins_follow_no_link_and_take_files_as_they_are(void **state)
{
	(void)state;
	want("a/b", NULL);
	assert_int_equal(symlink("/tmp", in_folder("a")), 0);
	assert_int_equal(standins_make(&one, &box, trees, &fault), -1);
	assert_non_null(strstr(fault.step, "a/b"));
	assert_int_equal(access("/tmp/b", F_OK), -1);
	standins_remove(&one);
	unlink(in_folder("a"));
	make_file("a", 0644); /* ".git" of a worktree */
	assert_int_equal(standins_make(&one, &box, trees, &fault), 0);
	standins_remove(&one);
	assert_true(is_there("a"));
	close(trees[0].fd);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)
	const struct CMUnitTest tests[] = {TEST(destinations_have_rules),
	    TEST(texts_are_put_together_or_refused),
	    TEST(what_is_opened_beneath_stays_beneath),
	    TEST(what_runs_as_its_owner_is_read_only),
	    TEST(too_many_of_them_are_refused),
	    TEST(the_zygotes_tree_is_all_there_is),
	    TEST(sources_that_would_show_too_much_are_refused),
	    TEST(a_sandbox_sees_and_changes_only_what_it_may),
	    TEST(stand_ins_stay_as_long_as_anybody_needs_them),
	    TEST(what_was_there_or_was_filled_stays),
	    TEST(who_was_killed_is_cleared_up_after),
	    TEST(stand_ins_follow_no_link_and_take_files_as_they_are)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
