#ifndef SKEP_SANDBOX_BACKEND_NULL_PRIVATE_H
#define SKEP_SANDBOX_BACKEND_NULL_PRIVATE_H

/*
 * The inside of the null backend: backend_null.c has its hosts, sandboxes and
 * commands, backend_null_files.c its workspace.
 */

#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/slab.h"
#include "engine/base/text.h"
#include "sandbox/backend.h"
#include "sandbox/backend_null.h"

#define NODES_MAX 1024
#define FILE_MAX ((size_t)64 << 20)

struct null_host {
	struct sandbox_host base;
	const struct null_script *script;
	struct slab run_slab, node_slab, reply_slab;
};

struct null_sandbox {
	struct sandbox base;
	struct loop_timer making;
	struct loop_deferred removal, breaking;
	struct list runs, nodes, replies;
	struct loop_deferred replying;
};

struct null_run {
	struct list_node link;
	struct null_sandbox *sb;
	uint32_t id; /* the command's; its exec may be gone */
	const struct null_command *command;
	struct loop_timer timer;
	struct loop_io io;
	int stdin_fd;
	int signal; /* the one that ends it */
};

struct node {
	struct list_node link;
	char path[256];
	int is_folder;
	uint32_t mode;
	uint64_t inode;
	struct text bytes;
};

struct reply {
	struct list_node link;
	uint32_t id;
	int os_errno;
	struct file_result r;
	struct text bytes;
};

static inline struct null_sandbox *
null_of(struct sandbox *sb)
{
	return container_of(sb, struct null_sandbox, base);
}

static inline struct null_host *
host_of(struct sandbox_host *h)
{
	return container_of(h, struct null_host, base);
}

/* Carry a file verb out: 0, or an errno; what it gives goes to out. */
int null_carry_out(struct null_sandbox *sb, const struct file_op *op,
    const struct file_request *q, struct reply *out);

void null_drop_node(struct null_sandbox *sb, struct node *node);

#endif
