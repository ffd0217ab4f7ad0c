#include "sandbox/backend_null.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "sandbox/backend.h"
#include "sandbox/backend_null_private.h"

/*
 * Theory of operation
 *
 * A running command is a timer, or a descriptor for one that echoes.  A file
 * verb is carried out at once and its result delivered from the loop, in
 * order.
 */

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

static int
null_file(struct file_op *op, const struct file_request *q, struct error *e)
{
	struct null_sandbox *sb = null_of(op->sb);
	struct reply *reply = slab_take(&host_of(op->sb->host)->reply_slab);

	if (reply == NULL)
		return error_set(e, ERROR_FULL, 0, "too many file verbs");
	reply->id = op->id;
	text_init(&reply->bytes, FILE_MAX);
	reply->os_errno = null_carry_out(sb, op, q, reply);
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
		null_drop_node(sb,
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
