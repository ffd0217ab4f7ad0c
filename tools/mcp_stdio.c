/*
 * Lines to and from a process in a sandbox of its own: one JSON document a
 * line.  What it writes to its standard error is kept for messages, the end
 * of it; lines on its standard output that are no JSON are logs that a
 * library printed there, and are passed over, up to LINK_NOISE_MAX of them.
 *
 * The end: its standard input is closed; two seconds later everything in its
 * sandbox is killed, whatever it ignores and whomever it forked.
 */

#include <stdio.h>
#include <string.h>

#include "config/agent.h"
#include "engine/base/check.h"
#include "sandbox/sandbox.h"
#include "tools/mcp_private.h"

#define ENVIRONMENT_MAX (256 * KIB)

/* --- out --- */

static void
pump(struct mcp_link *l)
{
	ptrdiff_t n = 1;

	while (l->exec != NULL && l->out.n > 0 && n > 0) {
		n = exec_write(l->exec, text_span(&l->out));
		if (n > 0)
			text_drop(&l->out, (size_t)n);
		else if (n == -1)
			text_clear(&l->out); /* its end will be told */
	}
}

static void
post(struct mcp_link *l, struct span message)
{
	if (l->exec == NULL)
		return;
	text_add(&l->out, message);
	text_add_char(&l->out, '\n');
	pump(l);
}

static void
send_line(struct mcp_link *l, struct mcp_request *q)
{
	struct error e;

	post(l, text_span(&q->body));
	if (!text_overflowed(&l->out))
		return;
	error_set(
	    &e, ERROR_FULL, 0, "the server does not read what it is sent");
	request_fail_soon(q, &e);
}

static void
forget(struct mcp_link *l, struct mcp_request *q)
{
	struct text t;

	if (q->is_greeting)
		return;
	text_init(&t, KIB);
	mcp_write_cancel(q, &t);
	post(l, text_span(&t));
	text_release(&t);
}

static void
drop(struct mcp_link *l, struct mcp_request *q)
{
	(void)l;
	(void)q;
}

static void
writable(struct exec *x, void *owner)
{
	(void)x;
	pump(owner);
}

/* --- in --- */

static void
down(struct mcp_link *l, const char *why)
{
	struct error e;

	error_set(&e, ERROR_PROTOCOL, 0, "%s", why);
	link_down(l, &e);
}

static void
heard_noise(struct mcp_link *l)
{
	if (++l->noise > LINK_NOISE_MAX)
		down(l, "its standard output is no protocol: too many lines "
			"that are no JSON");
}

static void
heard_line(struct mcp_link *l, struct span line)
{
	struct error e;

	line = span_trim(line);
	if (line.n == 0)
		return;
	if (line.p[0] != '{')
		heard_noise(l);
	else if (mcp_heard(l, NULL, line, &e) != -1)
		return;
	else if (e.code == ERROR_SYNTAX)
		heard_noise(l);
	else
		link_down(l, &e);
}

static void
heard(struct mcp_link *l, struct span s)
{
	struct exec *x = l->exec;

	/* What is heard may end the link. */
	while (s.n > 0 && l->exec == x && l->state != LINK_CLOSING) {
		size_t end = span_find(s, '\n', 0);
		struct span head = span_slice(s, 0, end);

		if (end == s.n || l->line.n > 0)
			text_add(&l->line, head);
		if (text_overflowed(&l->line)) {
			down(l, "it wrote a line longer than 16 MiB");
			return;
		}
		if (end == s.n)
			return;
		s = span_slice(s, end + 1, s.n);
		if (l->line.n == 0) {
			heard_line(l, head);
			continue;
		}
		heard_line(l, text_span(&l->line));
		text_clear(&l->line);
	}
}

/* Its last words, for messages. */
static void
heard_error(struct mcp_link *l, struct span s)
{
	size_t keep;

	if (s.n > sizeof l->said)
		s = span_slice(s, s.n - sizeof l->said, s.n);
	keep = sizeof l->said - s.n;
	if (keep > l->said_n)
		keep = l->said_n;
	memmove(l->said, l->said + l->said_n - keep, keep);
	memcpy(l->said + keep, s.p, s.n);
	l->said_n = keep + s.n;
}

static size_t
output(struct exec *x, int stream, struct span s, void *owner)
{
	struct mcp_link *l = owner;

	CHECK_OBJ(l, MCP_LINK_MAGIC);
	CHECK(l->exec == x);
	if (stream == 2)
		heard_error(l, s);
	else
		heard(l, s);
	return s.n;
}

/* --- life --- */

/* ": its last line", cleaned. */
static void
add_said(const struct mcp_link *l, char *out, size_t size)
{
	struct span s = span_trim((struct span){l->said, l->said_n});
	size_t n = 0;

	out[0] = '\0';
	if (s.n == 0)
		return;
	if (s.n > 200)
		s = span_slice(s, s.n - 200, s.n);
	n = (size_t)snprintf(out, size, "; it said: ");
	for (size_t i = 0; i < s.n && n + 1 < size; i++)
		out[n++] = (char)((unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
	out[n] = '\0';
}

static void
done(struct exec *x, const struct exec_report *r, void *owner)
{
	struct mcp_link *l = owner;
	char said[LINK_SAID_MAX];
	struct error e;

	CHECK(l->exec == x);
	if (l->state == LINK_CLOSING) {
		link_gone(l);
		return;
	}
	add_said(l, said, sizeof said);
	if (r->exec_errno != 0)
		error_set(&e, ERROR_CLOSED, r->exec_errno,
		    "the command %s cannot be started",
		    l->server->spec->command);
	else if (r->signal != 0)
		error_set(&e, ERROR_CLOSED, 0,
		    "it was ended by signal %d (%s)%s", r->signal,
		    verdict_name(r->verdict), said);
	else
		error_set(&e, ERROR_CLOSED, 0, "it ended with exit status %d%s",
		    r->exit, said);
	link_down(l, &e);
}

static const struct exec_ops exec_ops = {
    .output = output,
    .writable = writable,
    .done = done,
};

/* NAME=VALUE, one behind the other; pointers into it. */
static int
environment(const struct mcp_server *s, struct text *t,
    const char *env[MCP_HEADERS_MAX + 1])
{
	size_t at[MCP_HEADERS_MAX];
	unsigned n = s->spec->env_n;

	for (unsigned i = 0; i < n; i++) {
		const struct agent_header *h = &s->spec->env[i];

		at[i] = t->n;
		text_add_str(t, h->name);
		text_add_char(t, '=');
		text_add(t, h->value != NULL ? span_of(h->value)
					     : secret_reveal(&s->secret[i]));
		text_add_char(t, '\0');
	}
	for (unsigned i = 0; i < n; i++)
		env[i] = t->p + at[i];
	env[n] = NULL;
	return text_overflowed(t) ? -1 : 0;
}

static int
launch(struct mcp_link *l, struct error *e)
{
	const char *env[MCP_HEADERS_MAX + 1];
	struct exec_spec spec = {
	    .argv = l->server->argv,
	    .env = env,
	    .stdio = {EXEC_PIPE, EXEC_PIPE, EXEC_PIPE},
	};
	struct text t;

	text_init(&t, ENVIRONMENT_MAX);
	if (environment(l->server, &t, env) == -1)
		error_set(e, ERROR_TOO_BIG, 0, "its environment is too large");
	else
		l->exec = exec_start(l->sandbox, &spec, &exec_ops, l, e);
	if (t.p != NULL)
		wipe(t.p, t.size);
	text_release(&t);
	return l->exec == NULL ? -1 : 0;
}

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	struct mcp_link *l = owner;
	struct error e;

	CHECK_OBJ(l, MCP_LINK_MAGIC);
	CHECK(l->sandbox == sb);
	if (l->state == LINK_CLOSING)
		return;
	if (error != NULL) {
		e = *error;
		error_wrap(&e, "its sandbox");
		link_down(l, &e);
	} else if (launch(l, &e) == -1)
		link_down(l, &e);
	else
		link_started(l);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	struct mcp_link *l = owner;
	struct error e = *error;

	(void)sb;
	error_wrap(&e, "its sandbox");
	link_down(l, &e);
}

static const struct sandbox_ops sandbox_ops = {created, lost};

static int
start(struct mcp_link *l, struct error *e)
{
	struct sandbox_spec spec = {
	    .profile = l->server->spec->profile,
	    .label = l->server->spec->name,
	};

	l->said_n = 0;
	l->noise = 0;
	l->sandbox =
	    sandbox_create(l->server->mcp->set.host, &spec, &sandbox_ops, l, e);
	return l->sandbox == NULL ? -1 : 0;
}

static void
stop(struct mcp_link *l)
{
	exec_free(l->exec);
	l->exec = NULL;
	sandbox_destroy(l->sandbox);
	l->sandbox = NULL;
	text_clear(&l->line);
	text_clear(&l->out);
}

static int
part(struct mcp_link *l)
{
	if (l->exec == NULL)
		return 0;
	exec_close_stdin(l->exec);
	return 1;
}

const struct mcp_transport mcp_stdio = {
    .start = start,
    .send = send_line,
    .post = post,
    .forget = forget,
    .drop = drop,
    .stop = stop,
    .part = part,
};
