#ifndef SKEP_BASE_LIMITS_H
#define SKEP_BASE_LIMITS_H

/*
 * Every compile-time ceiling.  A limit is ours and stands here; a budget is a
 * run's; a quota is somebody else's.  Sizes in bytes unless the name says so.
 */

#include <stddef.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* JSON and configuration */
#define LIMIT_JSON_DEPTH 128
#define LIMIT_JSON_TOKENS ((size_t)4 << 20)
#define LIMIT_CONFIG_FILE (16 * MIB) /* an agent, manifest, profile, policy */
#define LIMIT_TASK_LINE (16 * MIB)

/* Server-sent events and model answers */
#define LIMIT_SSE_LINE (16 * MIB)
#define LIMIT_SSE_EVENT (16 * MIB)
#define LIMIT_ANSWER (64 * MIB)
#define LIMIT_TOOL_ARGUMENTS (4 * MIB)
#define LIMIT_TOOL_CALLS_PER_TURN 128
#define LIMIT_REPLY_ITEMS 1024 /* of one answer */
#define LIMIT_TRANSCRIPT (256 * MIB)

/* HTTP */
#define LIMIT_URL (16 * KIB)
#define LIMIT_HTTP_HEAD (64 * KIB)
#define LIMIT_HTTP_LINE (16 * KIB)
#define LIMIT_HTTP_FIELDS 256
#define LIMIT_HTTP_INTERIM 10
#define LIMIT_HTTP_REDIRECTS 5
#define LIMIT_TLS_CHAIN 10

/* Sandboxes */
#define LIMIT_COMMANDS_PER_SANDBOX 64
#define LIMIT_PATH 4096
#define LIMIT_OUTPUT_KEPT (1 * MIB) /* of each stream: head and tail */

#endif
