#include "tools/program.h"

#include <errno.h>
#include <sys/socket.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "tools/call.h"
#include "tools/registry.h"

#define READ_BYTES (64 * KIB)
#define OUT_MAX ((size_t)512 * MIB)
#define ID_MAX 256
#define ARENA_MAX (4 * LIMIT_TOOL_ARGUMENTS)

static void work(struct program *p);

/* --- answers --- */

static void
want(struct program *p)
{
	int w = LOOP_NOTHING;

	if (p->fd == -1)
		return;
	if (p->calls.length < PROGRAM_CALLS_MAX && p->out.n == 0)
		w |= LOOP_READ;
	if (p->out.n > 0)
		w |= LOOP_WRITE;
	loop_io_want(&p->io, w);
}

static void
hang_up(struct program *p)
{
	if (p->fd == -1)
		return;
	loop_io_want(&p->io, LOOP_NOTHING);
	os->close(p->fd);
	p->fd = -1;
	text_release(&p->in);
	text_release(&p->out);
	p->read = 0;
}

static void
write_out(struct program *p)
{
	while (p->fd != -1 && p->out.n > 0) {
		ssize_t n = send(
		    p->fd, p->out.p, p->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			text_drop(&p->out, (size_t)n);
		else if (n == -1 && (errno == EAGAIN || errno == EINTR))
			break;
		else
			hang_up(p);
	}
}

/* The answer to id: payload is a JSON value, or text where it must be raw. */
static void
answer(struct program *p, struct span id, int raw, int ok, struct span payload,
    struct span text)
{
	struct json_writer w;

	if (p->fd == -1)
		return;
	json_write_init(&w, &p->out);
	json_write_object(&w);
	json_put_raw(&w, "id", id);
	json_put_bool(&w, "ok", ok);
	if (raw)
		json_put_uint(&w, "bytes", text.n);
	else if (payload.n > 0)
		json_put_raw(&w, "output", payload);
	else
		json_put_span(&w, "output", text);
	json_write_end(&w);
	text_add_char(&p->out, '\n');
	if (raw)
		text_add(&p->out, text);
	if (text_overflowed(&p->out))
		hang_up(p);
	write_out(p);
}

static void
refuse(struct program *p, struct span id, int raw, struct span why)
{
	struct span none = {NULL, 0};

	answer(p, id.n > 0 ? id : span_of("null"), raw, 0, none, why);
}

/* --- calls --- */

static void
leave(struct program_call *pc)
{
	list_remove(&pc->program->calls, &pc->link);
	pc->program = NULL;
}

void
program_call_free(struct program_call *pc)
{
	CHECK(pc->program == NULL && pc->call == NULL);
	arena_release(&pc->arena);
	pool_give(pc);
}

/* What the program may see of a tool's answer. */
static void
tell(struct program *p, struct program_call *pc, struct span seen, int ok)
{
	struct item item;
	struct error ignored;
	struct text text;

	text_init(&text, OUT_MAX);
	if (item_parse(&item, seen, &pc->arena, &ignored) == -1) {
		refuse(p, pc->id, pc->raw,
		    span_of("there is no memory for the answer"));
	} else {
		if (pc->raw)
			item_add_payload(&item, &text);
		answer(p, pc->id, pc->raw, ok, item.payload, text_span(&text));
	}
	text_release(&text);
}

static void
answered(struct tool_call *call, struct span said, void *owner)
{
	struct program_call *pc = owner;
	struct program *p = pc->program;
	int ok = !call->failed;

	CHECK_OBJ(p, PROGRAM_MAGIC);
	tell(p, pc, p->ports->over(p->box->host.owner, pc, said), ok);
	pc->call = NULL;
	tool_call_free(call);
	leave(pc);
	work(p);
}

void
program_call_begin(struct program_call *pc)
{
	struct program *p = pc->program;
	struct error e;

	CHECK_OBJ(p, PROGRAM_MAGIC);
	pc->call =
	    tool_call_start_by_program(p->box, &pc->item, answered, pc, &e);
	if (pc->call != NULL)
		return;
	p->ports->over(p->box->host.owner, pc, (struct span){NULL, 0});
	refuse(p, pc->id, pc->raw, span_of(e.text));
	leave(pc);
}

/* --- requests --- */

/* The item that a model would have asked with. */
static int
make_item(struct program *p, struct program_call *pc, const struct json_doc *d,
    struct error *e)
{
	struct span arguments = json_raw(d, json_get(d, 0, "arguments"));
	struct json_writer w;
	struct text item;
	int status;

	if (arguments.n == 0)
		arguments = span_of("{}");
	text_init(&item, 8 * PROGRAM_LINE_MAX);
	json_write_init(&w, &item);
	json_write_object(&w);
	json_put_str(&w, "type", "function_call");
	json_put_str(&w, "call_id",
	    arena_printf(
		&pc->arena, "program_%llu", (unsigned long long)++p->made));
	json_put_raw(&w, "name", json_raw(d, json_get(d, 0, "tool")));
	json_put_span(&w, "arguments", arguments);
	json_write_end(&w);
	status =
	    text_overflowed(&item)
		? -1
		: item_parse(&pc->item,
		      arena_span(&pc->arena, text_span(&item)), &pc->arena, e);
	text_release(&item);
	return status;
}

static struct program_call *
new_call(struct program *p, const struct json_doc *d)
{
	struct program_call *pc = pool_take(sizeof *pc, NULL);
	struct span id = json_raw(d, json_get(d, 0, "id"));
	struct error e;

	if (pc == NULL)
		return NULL;
	*pc = (struct program_call){.program = p};
	arena_init(&pc->arena, ARENA_MAX);
	pc->id = arena_span(&pc->arena, id.n > 0 ? id : span_of("null"));
	pc->raw = json_bool_or(d, json_get(d, 0, "raw"), 0);
	if (make_item(p, pc, d, &e) == -1 || pc->id.p == NULL) {
		arena_release(&pc->arena);
		pool_give(pc);
		return NULL;
	}
	list_append(&p->calls, &pc->link);
	return pc;
}

/* Why this is no request; NULL when it is one. */
static const char *
fault_of(const struct json_doc *d)
{
	int arguments = json_get(d, 0, "arguments");

	if (json_type(d, 0) != JSON_OBJECT ||
	    json_type(d, json_get(d, 0, "tool")) != JSON_STRING)
		return "a request is {\"id\": ..., \"tool\": NAME, "
		       "\"arguments\": {...}} on one line";
	if (arguments != -1 && json_type(d, arguments) != JSON_OBJECT)
		return "the arguments of a tool are an object";
	if (json_raw(d, json_get(d, 0, "id")).n > ID_MAX)
		return "this id is too long";
	return NULL;
}

static void
ask(struct program *p, const struct json_doc *d)
{
	struct program_call *pc = new_call(p, d);
	struct text complaint;

	if (pc == NULL) {
		refuse(p, (struct span){NULL, 0}, 0,
		    span_of("there is no memory for this call"));
		return;
	}
	text_init(&complaint, 4096);
	if (p->box->host.programs == NULL)
		text_add_str(
		    &complaint, "programs of this agent cannot call tools");
	else if (toolset_ends_turn(p->box->set, &pc->item))
		text_add_str(&complaint,
		    "a program cannot hand the run to another agent");
	if (complaint.n > 0 ||
	    p->ports->ask(p->box->host.owner, pc, &complaint) == -1) {
		refuse(p, pc->id, pc->raw, text_span(&complaint));
		leave(pc);
		program_call_free(pc);
	}
	text_release(&complaint);
}

static void
take_line(struct program *p, struct span line)
{
	struct json_doc d;
	struct error e;
	const char *fault;

	if (span_trim(line).n == 0)
		return;
	json_doc_init(&d);
	if (json_parse(&d, line, 0, &e) == -1)
		fault = e.text;
	else
		fault = fault_of(&d);
	if (fault == NULL) {
		ask(p, &d);
	} else {
		refuse(p, (struct span){NULL, 0}, 0, span_of(fault));
		if (++p->faults == PROGRAM_FAULTS_MAX)
			hang_up(p);
	}
	json_doc_release(&d);
}

/* Take lines while there are whole ones and room for their calls. */
static void
work(struct program *p)
{
	while (p->fd != -1 && p->calls.length < PROGRAM_CALLS_MAX &&
	       p->out.n == 0) {
		struct span rest =
		    span_slice(text_span(&p->in), p->read, p->in.n);
		size_t n = span_find(rest, '\n', 0);

		if (n == rest.n)
			break;
		p->read += n + 1;
		take_line(p, span_slice(rest, 0, n));
	}
	if (p->fd != -1 && p->read > 0) {
		text_drop(&p->in, p->read);
		p->read = 0;
	}
	want(p);
}

static void
read_in(struct program *p)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		text_add(&p->in, (struct span){bytes, (size_t)n});
	if (n > 0 && !text_overflowed(&p->in))
		return;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	hang_up(p);
}

static void
ready(struct loop_io *io, int what)
{
	struct program *p = container_of(io, struct program, io);

	CHECK_OBJ(p, PROGRAM_MAGIC);
	if (what & LOOP_WRITE)
		write_out(p);
	if (p->fd != -1 && what & LOOP_READ)
		read_in(p);
	work(p);
}

/* --- life --- */

struct program *
program_new(struct toolbox *box, int fd)
{
	struct program *p = pool_take(sizeof *p, NULL);

	if (p == NULL) {
		os->close(fd);
		return NULL;
	}
	*p = (struct program){.magic = PROGRAM_MAGIC,
	    .box = box,
	    .ports = box->host.programs,
	    .fd = fd};
	text_init(&p->in, PROGRAM_LINE_MAX);
	text_init(&p->out, OUT_MAX);
	list_init(&p->calls);
	loop_io_init(&p->io, box->tools->loop, fd, ready);
	loop_io_want(&p->io, LOOP_READ);
	return p;
}

void
program_free(struct program *p)
{
	struct list_node *n;

	if (p == NULL)
		return;
	CHECK_OBJ(p, PROGRAM_MAGIC);
	hang_up(p);
	while ((n = list_first(&p->calls)) != NULL) {
		struct program_call *pc =
		    container_of(n, struct program_call, link);

		tool_call_free(pc->call);
		pc->call = NULL;
		leave(pc);
		p->ports->over(p->box->host.owner, pc, (struct span){NULL, 0});
	}
	p->magic = 0;
	pool_give(p);
}
