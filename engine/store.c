#include "engine/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/store_private.h"

/* Pages the engine keeps in memory, in KiB; a run's rows are few and hot. */
#define CACHE_PRAGMA "PRAGMA cache_size = -4096"

/* The log is folded into the file when it has this many pages of 4 KiB. */
#define CHECKPOINT_PRAGMA "PRAGMA wal_autocheckpoint = 2000"

static const char *const statement_text[] = {
#define STATEMENT(NAME, text) [STATEMENT_##NAME] = text,
#include "engine/store_statements.def"
};

static enum error_code
code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERROR_CANNOT_CREATE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERROR_LOCKED;
	case SQLITE_NOMEM:
		return ERROR_FULL;
	default:
		return ERROR_IO; /* full, I/O error, damaged */
	}
}

int
store_error(sqlite3 *db, struct error *e, const char *tried)
{
	int rc = db == NULL ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
	const char *file = db == NULL ? NULL : sqlite3_db_filename(db, "main");

	return error_set(e, code_of(rc), 0, "cannot %s in the state %s: %s%s",
	    tried, file == NULL ? "" : file,
	    db == NULL ? "no memory" : sqlite3_errmsg(db),
	    (rc & 0xff) == SQLITE_FULL ? "; make room on that file system"
				       : "");
}

int
store_exec(sqlite3 *db, const char *text, struct error *e)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_error(db, e, "prepare the tables");
}

struct span
store_column(sqlite3_stmt *st, int i)
{
	struct span s = {NULL, 0};

	if (sqlite3_column_type(st, i) != SQLITE_NULL) {
		s.p = (const char *)sqlite3_column_blob(st, i);
		s.n = (size_t)sqlite3_column_bytes(st, i);
		if (s.p == NULL)
			s.p = "";
	}
	return s;
}

static struct store *
open_file(const char *path, int flags, struct error *e)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for the store");
		return NULL;
	}
	if (sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		store_error(s->db, e, "open the file");
		store_close(s);
		return NULL;
	}
	sqlite3_extended_result_codes(s->db, 1);
	return s;
}

static int
prepare_statements(struct store *s, struct error *e)
{
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, statement_text[i], -1,
			SQLITE_PREPARE_PERSISTENT, &s->statement[i],
			NULL) != SQLITE_OK)
			return store_error(s->db, e, "prepare a statement");
	return 0;
}

static int
read_last_number(struct store *s, struct error *e)
{
	sqlite3_stmt *st;
	int ok = sqlite3_prepare_v2(s->db,
		     "SELECT coalesce(max(number), 0) FROM runs", -1, &st,
		     NULL) == SQLITE_OK &&
		 sqlite3_step(st) == SQLITE_ROW;

	if (ok)
		s->last_number = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return ok ? 0 : store_error(s->db, e, "read the runs");
}

/* Prompts and answers are nobody else's; SQLite's own files follow. */
static int
make_private(const char *path, struct error *e)
{
	int fd = os->open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		return error_set(e,
		    errno == ENOSPC || errno == EDQUOT ? ERROR_IO
						       : ERROR_CANNOT_CREATE,
		    errno, "cannot open the state %s", path);
	os->close(fd);
	return 0;
}

struct store *
store_open(const char *path, enum store_durability durability, struct error *e)
{
	struct store *s;

	if (make_private(path, e) == -1)
		return NULL;
	s = open_file(path, SQLITE_OPEN_READWRITE, e);
	if (s == NULL)
		return NULL;
	/* The version first: a newer file is not touched at all. */
	sqlite3_busy_timeout(s->db, 2000);
	if (store_schema_check(s->db, e) == -1 ||
	    store_exec(s->db, "PRAGMA journal_mode = WAL", e) == -1 ||
	    store_exec(s->db,
		durability == STORE_FULL ? "PRAGMA synchronous = FULL"
					 : "PRAGMA synchronous = NORMAL",
		e) == -1 ||
	    store_exec(s->db, CACHE_PRAGMA, e) == -1 ||
	    store_exec(s->db, CHECKPOINT_PRAGMA, e) == -1 ||
	    store_schema_prepare(s->db, e) == -1 ||
	    prepare_statements(s, e) == -1 || read_last_number(s, e) == -1) {
		store_close(s);
		return NULL;
	}
	sqlite3_busy_timeout(s->db, 0); /* never wait on the loop */
	return s;
}

struct store *
store_open_reader(const char *path, struct error *e)
{
	struct store *s;

	if (access(path, F_OK) == -1) {
		error_set(
		    e, ERROR_NOT_FOUND, errno, "there is no state at %s", path);
		return NULL;
	}
	s = open_file(path, SQLITE_OPEN_READONLY, e);
	if (s == NULL)
		return NULL;
	sqlite3_busy_timeout(s->db, 2000);
	if (store_schema_check(s->db, e) == -1) {
		store_close(s);
		return NULL;
	}
	return s;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statement[i]);
	sqlite3_close_v2(s->db);
	free(s);
}

int64_t
store_last_number(const struct store *s)
{
	return s->last_number;
}

enum store_answer
store_begin(struct store *s, struct error *e)
{
	sqlite3_stmt *st = s->statement[STATEMENT_BEGIN];
	int rc;

	CHECK(!s->in_transaction);
	rc = sqlite3_step(st);
	sqlite3_reset(st);
	if ((rc & 0xff) == SQLITE_BUSY)
		return STORE_LATER;
	if (rc != SQLITE_DONE) {
		store_error(s->db, e, "begin");
		return STORE_FAILED;
	}
	s->in_transaction = 1;
	s->failed = 0;
	return STORE_READY;
}

enum store_answer
store_commit(struct store *s, struct error *e)
{
	sqlite3_stmt *st = s->statement[STATEMENT_COMMIT];

	CHECK(s->in_transaction);
	s->in_transaction = 0;
	if (!s->failed && sqlite3_step(st) != SQLITE_DONE) {
		store_error(s->db, &s->error, "commit");
		s->failed = 1;
	}
	sqlite3_reset(st);
	if (!s->failed)
		return STORE_READY;
	st = s->statement[STATEMENT_ROLLBACK];
	sqlite3_step(st);
	sqlite3_reset(st);
	*e = s->error;
	return STORE_FAILED;
}

void
store_library_version(char *out, size_t size)
{
	snprintf(out, size, "%s", sqlite3_libversion());
}
