#ifndef SKEP_ENGINE_STORE_PRIVATE_H
#define SKEP_ENGINE_STORE_PRIVATE_H

/* The inside of the store: for store*.c, who alone include <sqlite3.h>. */

#include <sqlite3.h>

#include "engine/store.h"

enum store_statement {
#define STATEMENT(NAME, text) STATEMENT_##NAME,
#include "engine/store_statements.def"
	STATEMENTS
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENTS]; /* NULL in a reader */
	int64_t last_number;
	int in_transaction;
	int failed; /* error was filled in within this transaction */
	struct error error;
};

struct store_cursor {
	struct store *store;
	sqlite3_stmt *statement;
};

/* What SQLite says of its last failure, as one of our errors; -1. */
int store_error(sqlite3 *db, struct error *e, const char *tried);

/* Make or migrate the tables, or refuse a newer file. */
int store_schema_prepare(sqlite3 *db, struct error *e);
int store_schema_check(sqlite3 *db, struct error *e);

/* Run one statement that returns no rows. */
int store_exec(sqlite3 *db, const char *text, struct error *e);

/* Column i as a span; p == NULL for NULL. */
struct span store_column(sqlite3_stmt *statement, int i);

#endif
