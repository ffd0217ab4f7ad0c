#include "sandbox/backend_null.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "sandbox/backend.h"
#include "sandbox/wire.h"

/*
 * Theory of operation
 *
 * A running command is a timer, or a descriptor for one that echoes.  A file
 * verb is carried out at once and its result delivered from the loop, in
 * order.  A folder is a node as a file is; the workspace itself is none.
 */

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

static struct null_sandbox *
null_of(struct sandbox *sb)
{
	return container_of(sb, struct null_sandbox, base);
}

static struct null_host *
host_of(struct sandbox_host *h)
{
	return container_of(h, struct null_host, base);
}

/* ---------------------------------------------------------------- commands */

static void
end_run(struct null_run *run)
{
	loop_timer_stop(&run->timer);
	loop_io_want(&run->io, LOOP_NOTHING);
	if (run->stdin_fd != -1)
		os->close(run->stdin_fd);
	list_remove(&run->sb->runs, &run->link);
	slab_give(&host_of(run->sb->base.host)->run_slab, run);
}

static struct null_run *
run_by_id(struct null_sandbox *sb, uint32_t id)
{
	for (struct list_node *n = list_first(&sb->runs); n != NULL;
	     n = list_next(&sb->runs, n)) {
		struct null_run *run = container_of(n, struct null_run, link);

		if (run->id == id)
			return run;
	}
	return NULL;
}

/* False when the owner gave the command or the sandbox up meanwhile. */
static int
write_out(struct null_sandbox *sb, uint32_t id, int stream, const char *s)
{
	struct exec *x = sandbox_exec_by_id(&sb->base, id);

	if (x != NULL && s != NULL)
		exec_feed(x, stream, span_of(s));
	return sandbox_exec_by_id(&sb->base, id) != NULL;
}

static void
play_end(struct null_run *run)
{
	const struct null_command *c = run->command;
	struct exec_end end = {.limits = c->limits,
	    .exec_errno = c->exec_errno,
	    .status = run->signal != 0 ? run->signal
		      : c->signal != 0 ? c->signal
				       : c->exit << 8};
	struct null_sandbox *sb = run->sb;
	int says = run->signal == 0;
	uint32_t id = run->id;

	end_run(run);
	if (write_out(sb, id, 1, says ? c->out : NULL) &&
	    write_out(sb, id, 2, says ? c->err : NULL))
		exec_ended(sandbox_exec_by_id(&sb->base, id), &end);
}

static void
run_expired(struct loop_timer *t)
{
	play_end(container_of(t, struct null_run, timer));
}

static void
run_readable(struct loop_io *io, int want)
{
	struct null_run *run = container_of(io, struct null_run, io);
	struct exec *x = sandbox_exec_by_id(&run->sb->base, run->id);
	char bytes[4096];
	ssize_t n = os->read(run->stdin_fd, bytes, sizeof bytes);

	(void)want;
	if (n > 0 && x != NULL)
		exec_feed(x, 1, (struct span){bytes, (size_t)n});
	else if (n == 0)
		play_end(run);
}

static const struct null_command *
find_command(const struct null_script *script, const struct exec_spec *spec)
{
	static const struct null_command none = {.exec_errno = ENOENT};
	char line[1024] = "";
	size_t used = 0;

	for (const char *const *a = spec->argv; *a != NULL; a++) {
		size_t n = strlen(*a);

		if (used + n + 2 > sizeof line)
			break;
		if (used > 0)
			line[used++] = ' ';
		memcpy(line + used, *a, n + 1);
		used += n;
	}
	for (unsigned i = 0; i < script->commands_n; i++) {
		if (fnmatch(script->commands[i].pattern, line, 0) == 0)
			return &script->commands[i];
	}
	return &none;
}

static int
null_exec(struct exec *x, const struct exec_spec *spec, const int fd[3],
    struct error *e)
{
	struct null_host *h = host_of(x->host);
	struct null_run *run = slab_take(&h->run_slab);

	if (run == NULL)
		return error_set(e, ERROR_FULL, 0, "too many commands");
	run->sb = null_of(x->sb);
	run->id = x->id;
	run->command = find_command(h->script, spec);
	run->stdin_fd = -1;
	loop_timer_init(&run->timer, h->base.loop, run_expired);
	loop_io_init(&run->io, h->base.loop, -1, run_readable);
	list_append(&null_of(x->sb)->runs, &run->link);
	if (run->command->echo && fd[0] != -1) {
		run->stdin_fd = fcntl(fd[0], F_DUPFD_CLOEXEC, 3);
		fcntl(run->stdin_fd, F_SETFL, O_NONBLOCK);
		loop_io_init(
		    &run->io, h->base.loop, run->stdin_fd, run_readable);
		loop_io_want(&run->io, LOOP_READ);
	} else if (!run->command->for_ever)
		loop_timer_start(&run->timer, run->command->after_ms);
	return 0;
}

static void
null_signal(struct exec *x, int signo, enum exec_reach reach)
{
	struct null_run *run = run_by_id(null_of(x->sb), x->id);

	(void)reach;
	if (run == NULL || signo == SIGCONT)
		return;
	if (signo == SIGKILL ? run->command->ignores_kill
			     : run->command->ignores_term)
		return;
	run->signal = signo;
	loop_io_want(&run->io, LOOP_NOTHING);
	loop_timer_start(&run->timer, 0);
}

/* ------------------------------------------------------------------- files */

static struct node *
find_node(struct null_sandbox *sb, const char *path)
{
	for (struct list_node *n = list_first(&sb->nodes); n != NULL;
	     n = list_next(&sb->nodes, n)) {
		struct node *node = container_of(n, struct node, link);

		if (strcmp(node->path, path) == 0)
			return node;
	}
	return NULL;
}

static void
drop_node(struct null_sandbox *sb, struct node *node)
{
	text_release(&node->bytes);
	list_remove(&sb->nodes, &node->link);
	slab_give(&host_of(sb->base.host)->node_slab, node);
}

/* What path has below prefix, or NULL: "a/b" below "a" is "b". */
static const char *
below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strcmp(prefix, ".") == 0)
		return path;
	return strncmp(path, prefix, n) == 0 && path[n] == '/' ? path + n + 1
							       : NULL;
}

static struct node *
add_node(struct null_sandbox *sb, const char *path, int is_folder,
    uint32_t mode, int *os_errno)
{
	struct null_host *h = host_of(sb->base.host);
	struct node *node;

	if (strlen(path) >= sizeof node->path ||
	    (node = slab_take(&h->node_slab)) == NULL) {
		*os_errno = ENOSPC;
		return NULL;
	}
	memcpy(node->path, path, strlen(path) + 1);
	node->is_folder = is_folder;
	node->mode = mode & 0777;
	node->inode = ++h->base.next_id;
	text_init(&node->bytes, FILE_MAX);
	list_append(&sb->nodes, &node->link);
	return node;
}

/* Are the folders above path there, or made if that was asked? */
static int
have_parents(struct null_sandbox *sb, const char *path, unsigned flags)
{
	char parent[256];
	struct node *node;
	int os_errno = 0;

	for (const char *p = strchr(path, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		size_t n = (size_t)(p - path);

		if (n >= sizeof parent)
			return ENAMETOOLONG;
		memcpy(parent, path, n);
		parent[n] = '\0';
		node = find_node(sb, parent);
		if (node == NULL && (flags & FILE_PARENTS) != 0)
			node = add_node(sb, parent, 1, 0755, &os_errno);
		if (node == NULL)
			return os_errno != 0 ? os_errno : ENOENT;
		if (!node->is_folder)
			return ENOTDIR;
	}
	return 0;
}

static void
describe(const struct node *node, struct file_stat *st)
{
	*st = (struct file_stat){
	    .kind = node->is_folder ? FILE_DIR : FILE_REGULAR,
	    .mode = node->mode,
	    .size = node->bytes.n,
	    .inode = node->inode};
}

static int
null_put(struct null_sandbox *sb, const struct file_request *q,
    struct file_result *r)
{
	struct node *node = find_node(sb, q->path);
	struct span rest;
	int os_errno = have_parents(sb, q->path, q->flags);

	if (os_errno != 0)
		return os_errno;
	if (node != NULL && (q->flags & FILE_EXCLUSIVE) != 0)
		return EEXIST;
	if (node == NULL && (q->flags & FILE_CREATE) == 0)
		return ENOENT;
	if (node == NULL)
		node = add_node(sb, q->path, 0, q->mode, &os_errno);
	if (node == NULL)
		return os_errno;
	if (node->is_folder)
		return EISDIR;
	if ((q->flags & FILE_TRUNCATE) != 0 && node->bytes.n > q->offset)
		node->bytes.n = (size_t)q->offset;
	while (node->bytes.n < q->offset)
		text_add_char(&node->bytes, '\0');
	rest = q->bytes;
	if (node->bytes.n > q->offset) {
		size_t over = node->bytes.n - (size_t)q->offset;

		over = over < rest.n ? over : rest.n;
		memcpy(node->bytes.p + q->offset, rest.p, over);
		rest = span_slice(rest, over, rest.n);
	}
	text_add(&node->bytes, rest);
	describe(node, &r->stat);
	return text_overflowed(&node->bytes) ? ENOSPC : 0;
}

static void
list_nodes(struct null_sandbox *sb, const char *path, struct reply *out)
{
	out->r.at_end = 1;
	for (struct list_node *n = list_first(&sb->nodes); n != NULL;
	     n = list_next(&sb->nodes, n)) {
		struct node *node = container_of(n, struct node, link);
		const char *name = below(node->path, path);
		struct init_entry entry = {0};
		struct file_stat st;

		if (name == NULL || strchr(name, '/') != NULL)
			continue;
		describe(node, &st);
		entry.size = st.size;
		entry.inode = st.inode;
		entry.mode = st.mode;
		entry.kind = (uint8_t)st.kind;
		entry.name_bytes = (uint8_t)strlen(name);
		text_add(&out->bytes,
		    (struct span){(const char *)&entry, sizeof entry});
		text_add_str(&out->bytes, name);
	}
}

static int
null_remove(struct null_sandbox *sb, const struct file_request *q)
{
	struct list_node *next;

	if (find_node(sb, q->path) == NULL)
		return ENOENT;
	for (struct list_node *n = list_first(&sb->nodes); n != NULL;
	     n = next) {
		struct node *node = container_of(n, struct node, link);

		next = list_next(&sb->nodes, n);
		if (below(node->path, q->path) == NULL)
			continue;
		if ((q->flags & FILE_RECURSIVE) == 0)
			return ENOTEMPTY;
		drop_node(sb, node);
	}
	drop_node(sb, find_node(sb, q->path));
	return 0;
}

static int
null_rename(struct null_sandbox *sb, const struct file_request *q)
{
	struct node *node = find_node(sb, q->path), *old = find_node(sb, q->to);

	if (node == NULL)
		return ENOENT;
	if (node->is_folder || strlen(q->to) >= sizeof node->path)
		return EINVAL;
	if (old != NULL && old != node)
		drop_node(sb, old);
	memcpy(node->path, q->to, strlen(q->to) + 1);
	return have_parents(sb, q->to, 0);
}

static int
read_node(struct null_sandbox *sb, const struct file_op *op,
    const struct file_request *q, struct reply *out)
{
	struct node *node = find_node(sb, q->path);
	struct span all;

	if (node == NULL)
		return ENOENT;
	describe(node, &out->r.stat);
	if (op->verb == FILE_STAT)
		return 0;
	if (node->is_folder)
		return EISDIR;
	all = text_span(&node->bytes);
	if (op->verb == FILE_HASH) {
		out->r.hash = q->hash;
		hash_add(
		    &out->r.hash, span_slice(all, (size_t)q->offset, all.n));
		out->r.next = all.n;
		out->r.at_end = 1;
		return 0;
	}
	text_add(&out->bytes,
	    span_slice(all, (size_t)q->offset, (size_t)q->offset + q->n));
	out->r.at_end = q->offset + q->n >= all.n;
	return 0;
}

static int
carry_out(struct null_sandbox *sb, const struct file_op *op,
    const struct file_request *q, struct reply *out)
{
	struct node *node;
	int os_errno = 0;

	switch (op->verb) {
	case FILE_PUT:
		return null_put(sb, q, &out->r);
	case FILE_LIST:
		node = find_node(sb, q->path);
		if (strcmp(q->path, ".") != 0 && node == NULL)
			return ENOENT;
		if (node != NULL && !node->is_folder)
			return ENOTDIR;
		list_nodes(sb, q->path, out);
		return 0;
	case FILE_MKDIR:
		node = find_node(sb, q->path);
		if (node != NULL || strcmp(q->path, ".") == 0)
			return node == NULL ||
				       (node->is_folder &&
					   (q->flags & FILE_EXCLUSIVE) == 0)
				   ? 0
				   : EEXIST;
		os_errno = have_parents(sb, q->path, q->flags);
		if (os_errno == 0)
			add_node(sb, q->path, 1, q->mode, &os_errno);
		return os_errno;
	case FILE_REMOVE:
		return null_remove(sb, q);
	case FILE_RENAME:
		return null_rename(sb, q);
	default:
		return read_node(sb, op, q, out);
	}
}

static int
null_file(struct file_op *op, const struct file_request *q, struct error *e)
{
	struct null_sandbox *sb = null_of(op->sb);
	struct reply *reply = slab_take(&host_of(op->sb->host)->reply_slab);

	if (reply == NULL)
		return error_set(e, ERROR_FULL, 0, "too many file verbs");
	reply->id = op->id;
	text_init(&reply->bytes, FILE_MAX);
	reply->os_errno = carry_out(sb, op, q, reply);
	list_append(&sb->replies, &reply->link);
	loop_defer(&sb->replying);
	return 0;
}

static void
drop_reply(struct null_sandbox *sb, struct reply *reply)
{
	text_release(&reply->bytes);
	list_remove(&sb->replies, &reply->link);
	slab_give(&host_of(sb->base.host)->reply_slab, reply);
}

static void
deliver(struct loop_deferred *d)
{
	struct null_sandbox *sb =
	    container_of(d, struct null_sandbox, replying);
	unsigned many = sb->replies.length;

	for (; many > 0 && sb->replies.length > 0; many--) {
		struct reply *reply =
		    container_of(list_first(&sb->replies), struct reply, link);
		struct file_op *op = sandbox_file_by_id(&sb->base, reply->id);
		struct text bytes = reply->bytes;
		struct file_result r = reply->r;
		int os_errno = reply->os_errno;

		text_init(&reply->bytes, 0);
		drop_reply(sb, reply);
		r.bytes = text_span(&bytes);
		if (op != NULL)
			file_op_ended(op, os_errno, &r);
		text_release(&bytes);
	}
	if (sb->replies.length > 0)
		loop_defer(&sb->replying);
}

/* --------------------------------------------------------------- sandboxes */

static void
made(struct loop_timer *t)
{
	struct null_sandbox *sb = container_of(t, struct null_sandbox, making);
	const char *step = host_of(sb->base.host)->script->create_fails;
	struct error e;

	if (step == NULL) {
		sandbox_made(&sb->base);
		return;
	}
	error_set(&e, ERROR_SANDBOX_UNAVAILABLE, EPERM, "sandbox: %s", step);
	sandbox_broke(&sb->base, step, &e);
}

static void
clear(struct null_sandbox *sb)
{
	loop_timer_stop(&sb->making);
	loop_undefer(&sb->breaking);
	loop_undefer(&sb->replying);
	while (sb->runs.length > 0)
		end_run(
		    container_of(list_first(&sb->runs), struct null_run, link));
	while (sb->replies.length > 0)
		drop_reply(sb,
		    container_of(list_first(&sb->replies), struct reply, link));
	while (sb->nodes.length > 0)
		drop_node(sb,
		    container_of(list_first(&sb->nodes), struct node, link));
}

static void
removal(struct loop_deferred *d)
{
	sandbox_removed(&container_of(d, struct null_sandbox, removal)->base);
}

static void
broken(struct loop_deferred *d)
{
	struct null_sandbox *sb =
	    container_of(d, struct null_sandbox, breaking);
	struct error e;

	error_set(&e, ERROR_SANDBOX_LOST, 0, "the sandbox has ended");
	while (sb->runs.length > 0)
		end_run(
		    container_of(list_first(&sb->runs), struct null_run, link));
	sandbox_broke(&sb->base, "", &e);
}

void
null_break(struct sandbox *sb)
{
	loop_defer(&null_of(sb)->breaking);
}

static int
null_create(struct sandbox *base, struct error *e)
{
	struct null_sandbox *sb = null_of(base);
	struct loop *loop = base->host->loop;

	(void)e;
	list_init(&sb->runs);
	list_init(&sb->nodes);
	list_init(&sb->replies);
	loop_timer_init(&sb->making, loop, made);
	loop_deferred_init(&sb->removal, loop, removal);
	loop_deferred_init(&sb->breaking, loop, broken);
	loop_deferred_init(&sb->replying, loop, deliver);
	loop_timer_start(&sb->making, host_of(base->host)->script->create_ms);
	return 0;
}

static void
null_destroy(struct sandbox *base)
{
	struct null_sandbox *sb = null_of(base);

	clear(sb);
	loop_defer(&sb->removal);
}

static unsigned
null_limits_met(struct sandbox *sb)
{
	(void)sb;
	return 0;
}

static void
null_facts(const struct sandbox *sb, struct sandbox_facts *out)
{
	(void)sb;
	*out = (struct sandbox_facts){.profile = "null",
	    .digest = "",
	    .rootfs = "none",
	    .workspace = "plain",
	    .network = "none",
	    .cgroup = "none"};
}

static void
null_host_free(struct sandbox_host *base)
{
	struct null_host *h = host_of(base);
	struct list_node *n;

	while ((n = list_first(&base->sandboxes)) != NULL) {
		struct sandbox *sb = container_of(n, struct sandbox, link);

		loop_undefer(&null_of(sb)->removal);
		sandbox_removed(sb);
	}
	slab_release(&h->run_slab);
	slab_release(&h->node_slab);
	slab_release(&h->reply_slab);
	sandbox_host_release(base);
	pool_give(h);
}

static int
null_has_users(const struct sandbox_host *host)
{
	(void)host;
	return 1;
}

static const struct backend_ops null_ops = {
    .name = "null",
    .has_users = null_has_users,
    .sandbox_bytes = sizeof(struct null_sandbox),
    .create = null_create,
    .exec = null_exec,
    .signal = null_signal,
    .file = null_file,
    .kill = null_break,
    .destroy = null_destroy,
    .limits_met = null_limits_met,
    .facts = null_facts,
    .host_free = null_host_free,
};

struct sandbox_host *
null_host_new(struct loop *loop, const struct sandbox_host_settings *settings,
    const struct null_script *script, struct error *e)
{
	struct null_host *h = pool_take(sizeof *h, NULL);

	if (h == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for sandboxes");
		return NULL;
	}
	memset(h, 0, sizeof *h);
	h->script = script;
	if (sandbox_host_init(&h->base, loop, &null_ops, settings, e) == -1) {
		pool_give(h);
		return NULL;
	}
	if (slab_init(&h->run_slab, "null runs", sizeof(struct null_run),
		h->base.exec_slab.slots, e) == -1 ||
	    slab_init(&h->node_slab, "null nodes", sizeof(struct node),
		NODES_MAX, e) == -1 ||
	    slab_init(&h->reply_slab, "null replies", sizeof(struct reply),
		h->base.file_slab.slots, e) == -1) {
		null_host_free(&h->base);
		return NULL;
	}
	return &h->base;
}
