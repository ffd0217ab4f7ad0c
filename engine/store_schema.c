/*
 * The tables, as a row of steps: step N brings a file of version N to
 * version N + 1.  A step that was shipped is never changed, only followed by
 * another.
 */

#include "engine/store_private.h"

static const char *const steps[] = {
    "CREATE TABLE runs ("
    " number INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE,"
    " agent BLOB NOT NULL," /* SHA-256 of the agent */
    " task BLOB NOT NULL,"  /* SHA-256 of the task line */
    " agent_name TEXT,"
    " custom_id TEXT,"
    " line INTEGER NOT NULL DEFAULT 0,"
    " state TEXT NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 1,"
    " created_ms INTEGER NOT NULL,"
    " started_ms INTEGER,"
    " changed_ms INTEGER NOT NULL,"
    " ended_ms INTEGER,"
    " turns INTEGER NOT NULL DEFAULT 0,"
    " model_calls INTEGER NOT NULL DEFAULT 0,"
    " tool_calls INTEGER NOT NULL DEFAULT 0,"
    " input_tokens INTEGER NOT NULL DEFAULT 0,"
    " cached_tokens INTEGER NOT NULL DEFAULT 0,"
    " output_tokens INTEGER NOT NULL DEFAULT 0,"
    " reasoning_tokens INTEGER NOT NULL DEFAULT 0,"
    " usd REAL NOT NULL DEFAULT 0,"
    " error_code TEXT,"
    " error_message TEXT,"
    " result TEXT,"
    " written INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX runs_by_custom_id ON runs (custom_id, agent, number);"
    "CREATE INDEX runs_by_line ON runs (agent, line)"
    " WHERE custom_id IS NULL;"
    "CREATE TABLE items ("
    " run INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " turn INTEGER NOT NULL,"
    " at_ms INTEGER NOT NULL,"
    " json TEXT NOT NULL,"
    " PRIMARY KEY (run, seq)) WITHOUT ROWID;"
    "CREATE TABLE calls ("
    " run INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " turn INTEGER NOT NULL,"
    " kind TEXT NOT NULL,"
    " name TEXT,"
    " call_id TEXT,"
    " began_ms INTEGER NOT NULL,"
    " ended_ms INTEGER,"
    " outcome TEXT,"
    " what TEXT,"
    " PRIMARY KEY (run, seq)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;",
    /* Runs that runs start, and agents that take runs over. */
    "ALTER TABLE runs ADD COLUMN parent INTEGER;"
    "ALTER TABLE runs ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE runs ADD COLUMN agent_now TEXT;"
    "CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;"
    "PRAGMA user_version = 2;",
};
_Static_assert(sizeof steps / sizeof steps[0] == STORE_VERSION,
    "one step for every version");

static int
read_version(sqlite3 *db, int *version, struct error *e)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);

	if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		*version = sqlite3_column_int(st, 0);
	else
		rc = SQLITE_ERROR;
	sqlite3_finalize(st);
	return rc == SQLITE_OK ? 0 : store_error(db, e, "read its version");
}

int
store_schema_check(sqlite3 *db, struct error *e)
{
	int version;

	if (read_version(db, &version, e) == -1)
		return -1;
	if (version > STORE_VERSION)
		return error_set(e, ERROR_VERSION, 0,
		    "the state is of version %d and this skep knows %d; use a "
		    "newer skep, or another --state",
		    version, STORE_VERSION);
	return version;
}

int
store_schema_prepare(sqlite3 *db, struct error *e)
{
	int version = store_schema_check(db, e);

	if (version == -1)
		return -1;
	for (; version < STORE_VERSION; version++) {
		if (store_exec(db, "BEGIN IMMEDIATE", e) == -1)
			return -1;
		if (store_exec(db, steps[version], e) == -1 ||
		    store_exec(db, "COMMIT", e) == -1) {
			sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
			return -1;
		}
	}
	return 0;
}
