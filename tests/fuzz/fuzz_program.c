/*
 * What a program in a sandbox writes on its descriptor: whatever it is, each
 * request is asked for at most once, every call that was let in is given back,
 * and nothing is left when the program has gone.
 */

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "tests/fuzz/fuzz.h"
#include "tools/program.h"
#include "tools/subagents.h"
#include "tools/tool.h"

#define ROUNDS 12

static struct {
	struct loop *loop;
	struct tools *tools;
	struct toolset set;
	struct loop_turn turn;
	struct list asked; /* struct program_call, as the engine keeps them */
	unsigned rounds;
} world;

/* Every third is refused. */
static int
ask(void *owner, struct program_call *call, struct text *complaint)
{
	unsigned *n = owner;

	if (++*n % 3 == 0) {
		text_add_str(complaint, "no more of these");
		return -1;
	}
	list_append(&world.asked, &call->in_run);
	return 0;
}

static struct span
over(void *owner, struct program_call *call, struct span answer)
{
	(void)owner;
	CHECK(!call->is_over);
	call->is_over = 1;
	return answer;
}

static struct subagent *
none_at(void *owner, unsigned i)
{
	(void)owner;
	(void)i;
	return NULL;
}

static const struct tool_programs programs = {ask, over};
static const struct tool_agents agents = {.at = none_at};

/* As the engine's turn: what was asked begins, what is over is forgotten. */
static void
turn(struct loop_turn *t)
{
	struct list_node *n = list_first(&world.asked), *next;

	for (; n != NULL; n = next) {
		struct program_call *c =
		    container_of(n, struct program_call, in_run);

		next = list_next(&world.asked, n);
		if (!c->has_begun && !c->is_over) {
			c->has_begun = 1;
			program_call_begin(c);
		} else if (c->is_over && c->program == NULL) {
			list_remove(&world.asked, n);
			program_call_free(c);
		}
	}
	loop_turn_again(t, 1);
	if (world.rounds++ == ROUNDS)
		loop_break(world.loop);
}

static void
start(void)
{
	struct tools_limits most = {
	    .boxes_max = 1, .calls_max = 16, .processes_max = 1};
	struct error e;

	fuzz_start();
	if (world.loop != NULL)
		return;
	world.loop = loop_new(&e);
	CHECK(world.loop != NULL);
	world.tools = tools_new(world.loop, &most, &e);
	CHECK(world.tools != NULL);
	CHECK(toolset_add(&world.set, "list_agents", &e) == 0);
}

/* What a hostile one does: send, sometimes read, sometimes go away early. */
static void
play(int fd, const uint8_t *p, size_t n)
{
	char answer[4096];
	size_t half = n / 2;

	CHECK(send(fd, p, half, MSG_DONTWAIT | MSG_NOSIGNAL) >= -1);
	world.rounds = 0;
	loop_run(world.loop);
	(void)recv(fd, answer, sizeof answer, MSG_DONTWAIT);
	(void)send(fd, p + half, n - half, MSG_DONTWAIT | MSG_NOSIGNAL);
	world.rounds = 0;
	loop_run(world.loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned asked = 0;
	struct tool_host host = {
	    .agents = &agents, .programs = &programs, .owner = &asked};
	struct toolbox *box;
	struct program *program;
	struct error e;
	int fd[2];

	start();
	if (n > 65536)
		return 0;
	list_init(&world.asked);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	box = toolbox_new(world.tools, &world.set, &host, &e);
	CHECK(box != NULL);
	program = program_new(box, fd[0]);
	CHECK(program != NULL);
	loop_turn_start(&world.turn, world.loop, turn);
	play(fd[1], p, n);
	program_free(program);
	world.rounds = 0;
	loop_run(world.loop);
	loop_turn_stop(&world.turn);
	CHECK(world.asked.length == 0);
	toolbox_free(box);
	close(fd[1]);
	return 0;
}
