#ifndef SKEP_TESTS_UNIT_SANDBOX_TEST_H
#define SKEP_TESTS_UNIT_SANDBOX_TEST_H

/*
 * Sandboxes as a test wants them: one thing after the other.  Every function
 * runs the loop until what it started has ended, and fails the test when that
 * takes longer than ST_PATIENCE_MS.
 */

#include "config/profile.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "sandbox/backend_null.h"
#include "sandbox/sandbox.h"
#include "sandbox/zygote.h"

#define ST_PATIENCE_MS 30000

struct sandbox_test {
	struct loop *loop;
	struct zygote zygote;
	struct sandbox_host *host;
	struct profile profile;
	struct loop_timer patience;
	unsigned fds_before;
	int created, lost, gone;
	struct error error; /* of created or lost */

	/* The last command. */
	int ended;
	struct exec_report report;
	struct text out, err;
	/* The last file verb. */
	int landed;
	struct file_result file;
	struct error file_error;
	struct text bytes;
};

/* All zero but what base needs; the zygote is the caller's to start. */
void st_open(struct sandbox_test *t);
void st_local(
    struct sandbox_test *t, const struct sandbox_host_settings *settings);
void st_null(struct sandbox_test *t, const struct null_script *script);
void st_close(struct sandbox_test *t); /* host, loop, texts */

extern const struct sandbox_ops st_ops;   /* owner: the test */
extern const struct exec_ops st_exec_ops; /* owner: the test */

/* NULL when it could not be made: t->error, and it was given up. */
struct sandbox *st_create(
    struct sandbox_test *t, const struct manifest *manifest);
void st_destroy(struct sandbox_test *t, struct sandbox *sb);

/* The same with a spec of the caller's, but for profile and label. */
struct sandbox *st_create_spec(
    struct sandbox_test *t, struct sandbox_spec spec);

/* Run the loop until *flag. */
void st_until(struct sandbox_test *t, const int *flag);
void st_for_ms(struct sandbox_test *t, uint64_t ms);

/* Run a command line with sh -c, output kept in out and err. */
void st_sh(struct sandbox_test *t, struct sandbox *sb, const char *line);
void st_exec(
    struct sandbox_test *t, struct sandbox *sb, const struct exec_spec *spec);

/* Owner: the test; for file verbs: ...(…, st_landed, t, &t->file_error). */
void st_landed(struct file_op *op, const struct file_result *r, void *owner);
void st_file(struct sandbox_test *t, struct file_op *op);
int st_put(struct sandbox_test *t, struct sandbox *sb, const char *path,
    const char *content);
int st_get(struct sandbox_test *t, struct sandbox *sb, const char *path);

/*
 * For main(): run the tests, and as root once more as uid 1000, in a process
 * of its own.  folder[64] becomes a fresh folder of the host's that is removed
 * afterwards.
 */
int st_main(int (*run)(const char *as), char *folder);

/* Around each test: zygote and host; nothing may be left. */
int st_fresh(struct sandbox_test *t);
int st_fresh_with(
    struct sandbox_test *t, const struct sandbox_host_settings *settings);
void st_done(struct sandbox_test *t);

#endif
