#ifndef SKEP_CONFIG_MOCK_H
#define SKEP_CONFIG_MOCK_H

/*
 * The script of the scripted model server: rules, the first of which that
 * matches a request answers it.
 */

#include <regex.h>
#include <stdint.h>

#include "config/text_list.h"
#include "engine/base/span.h"

struct arena;
struct complaints;
struct table;

extern const struct table mock_table;

/* Every given member must hold; NULL or -1: not given.  Texts are globs. */
struct mock_when {
	const char *model, *input, *last_output;
	struct named_list header;
	int64_t turn, attempt;
};

enum mock_from { MOCK_FROM_INPUT, MOCK_FROM_LAST_OUTPUT, MOCK_FROM_HEADER };

/* A name for the first group of match in a part of the request. */
struct mock_set {
	const char *name;
	enum mock_from from;
	const char *header; /* MOCK_FROM_HEADER */
	const char *match;  /* POSIX extended regular expression */
	regex_t *regex;     /* compiled */
};

enum mock_reply_kind {
	MOCK_TEXT,
	MOCK_REASONING,
	MOCK_REFUSAL,
	MOCK_TOOL,
	MOCK_ITEM,
};

struct mock_reply {
	enum mock_reply_kind kind;
	struct span text;      /* TEXT, REASONING, REFUSAL; may hold ${...} */
	const char *tool;      /* TOOL: its name */
	struct span arguments; /* TOOL: JSON, or n == 0 */
	struct span input;     /* TOOL: a custom tool's text, or p == NULL */
	struct span item;      /* ITEM: JSON, verbatim */
};

struct mock_usage {
	int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
};

struct mock_timing {
	int64_t first_byte_ms, chunk_ms, chunk_chars, seed;
	double jitter; /* 0..1 of each delay */
};

enum mock_then {
	MOCK_NOTHING,
	MOCK_RESET,
	MOCK_CLOSE,
	MOCK_STALL,
	MOCK_GARBAGE,
	MOCK_GOAWAY
};

struct mock_fault {
	int64_t status; /* 0: none */
	struct named_list headers;
	struct span body;         /* JSON, or n == 0 */
	int64_t after_bytes;      /* -1: not */
	enum mock_then then;      /* with after_bytes */
	int64_t bytes_per_second; /* 0: as fast as it goes */
};

struct mock_rule {
	struct mock_when when;
	const struct mock_set *set;
	unsigned set_n;
	const struct mock_reply *reply;
	unsigned reply_n;
	struct mock_usage usage;
	struct mock_timing timing;
	struct mock_fault fault;
};

/* From the so-many-th request that was let in on, another limit. */
struct mock_step {
	int64_t after, max; /* max 0: none */
};

/* What is wrong with the certificate of --tls. */
enum mock_certificate {
	MOCK_CERTIFICATE_GOOD,
	MOCK_CERTIFICATE_EXPIRED,
	MOCK_CERTIFICATE_FUTURE,
	MOCK_CERTIFICATE_OTHER_HOST,
	MOCK_CERTIFICATE_UNKNOWN, /* ca_file is of an authority unrelated */
};

struct mock_script {
	struct text_list models;
	enum mock_certificate certificate;
	int64_t in_flight_max;        /* 0: no limit */
	const struct mock_step *step; /* by rising after */
	unsigned step_n;
	const struct mock_rule *rules;
	unsigned rules_n;
};

/*
 * Read a script in arena; NULL and complaints.  The compiled expressions are
 * libc's memory: give them back with mock_script_release().
 */
const struct mock_script *mock_script_load(
    struct arena *arena, const char *path, struct complaints *c);
void mock_script_release(const struct mock_script *s);

#endif
