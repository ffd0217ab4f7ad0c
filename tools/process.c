#include "tools/process.h"

#include <errno.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "tools/call.h"
#include "tools/program.h"

#define SESSION_MIN 1000
#define SESSION_MAX 99999

static void
wake(struct process *p)
{
	if (p->waiter != NULL)
		p->woken(p->waiter);
}

/* --- the command's callbacks --- */

static size_t
output(struct exec *x, int stream, struct span s, void *owner)
{
	struct process *p = owner;

	(void)x;
	(void)stream;
	CHECK_OBJ(p, PROCESS_MAGIC);
	return output_add(&p->output, s);
}

/* Move what was typed on to the command; -1 when it takes nothing any more. */
static int
type_on(struct process *p)
{
	ptrdiff_t n;

	while (p->typed.n > 0) {
		n = exec_write(p->exec, text_span(&p->typed));
		if (n == -1) {
			text_release(&p->typed);
			return -1;
		}
		if (n == 0)
			return 0;
		text_drop(&p->typed, (size_t)n);
	}
	text_release(&p->typed);
	return 0;
}

static void
writable(struct exec *x, void *owner)
{
	struct process *p = owner;

	(void)x;
	CHECK_OBJ(p, PROCESS_MAGIC);
	(void)type_on(p);
}

static void
done(struct exec *x, const struct exec_report *report, void *owner)
{
	struct process *p = owner;

	(void)x;
	CHECK_OBJ(p, PROCESS_MAGIC);
	p->ended = 1;
	p->report = *report;
	program_free(p->program);
	p->program = NULL;
	wake(p);
}

static const struct exec_ops ops = {
    .output = output, .writable = writable, .done = done};

/* --- the output's callbacks --- */

static void
room(struct output *o)
{
	struct process *p = o->owner;

	exec_resume(p->exec, 1);
}

static void
settled(struct output *o)
{
	wake(o->owner);
}

/* --- the table --- */

/*
 * One that may go: among all but the most recently used, the first that has
 * ended, else the first.  NULL when calls wait for every one of them.
 */
static struct process *
choose_victim(const struct toolbox *box)
{
	struct list_node *n = list_first(&box->processes);
	struct process *first = NULL;
	unsigned old = box->processes.length - PROCESSES_RECENT;

	for (unsigned i = 0; i < old; i++) {
		struct process *p = container_of(n, struct process, link);

		if (p->waiter == NULL && p->ended)
			return p;
		if (p->waiter == NULL && first == NULL)
			first = p;
		n = list_next(&box->processes, n);
	}
	return first;
}

static int
prune(struct toolbox *box, struct error *e)
{
	struct process *victim;

	if (box->processes.length < PROCESSES_MAX)
		return 0;
	victim = choose_victim(box);
	if (victim == NULL)
		return error_set(e, ERROR_FULL, 0,
		    "%d commands run already and calls wait for all of them",
		    PROCESSES_MAX);
	text_printf(&box->pruned, "%s%u (%s)", box->pruned.n > 0 ? ", " : "",
	    victim->session, victim->ended ? "had ended" : "was running");
	process_free(victim);
	return 0;
}

struct process *
process_start(struct toolbox *box, const char *const *argv, const char *cwd,
    const char *line, int tty, int can_call, struct error *e)
{
	struct exec_spec spec = {.argv = argv,
	    .cwd = cwd,
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE},
	    .stderr_to_stdout = 1,
	    .channel = can_call && box->host.programs != NULL,
	    .tty = tty};
	int channel;
	struct sandbox *sb = box->host.sandbox(box->host.owner);
	struct process *p;

	if (sb == NULL) {
		error_set(e, ERROR_SANDBOX_LOST, 0, "there is no sandbox");
		return NULL;
	}
	if (prune(box, e) == -1)
		return NULL;
	p = slab_take(&box->tools->processes);
	if (p == NULL) {
		error_set(e, ERROR_FULL, 0, "too many commands run at once");
		return NULL;
	}
	p->magic = PROCESS_MAGIC;
	p->box = box;
	p->tty = tty;
	output_init(&p->output, sb, "", room, settled, p);
	text_init(&p->typed, PROCESS_STDIN_MAX);
	toolbox_environment(box, line, &spec);
	if (spec.secrets_n > 0)
		spec.channel = 0; /* what it was given, it cannot tell on */
	p->exec = exec_start(sb, &spec, &ops, p, e);
	if (p->exec == NULL) {
		slab_give(&box->tools->processes, p);
		return NULL;
	}
	list_append(&box->processes, &p->link);
	channel = exec_take_channel(p->exec);
	if (channel != -1)
		p->program = program_new(box, channel);
	return p;
}

void
process_free(struct process *p)
{
	struct toolbox *box;

	if (p == NULL)
		return;
	CHECK_OBJ(p, PROCESS_MAGIC);
	CHECK(p->waiter == NULL);
	box = p->box;
	program_free(p->program);
	exec_free(p->exec);
	output_release(&p->output);
	text_release(&p->typed);
	list_remove(&box->processes, &p->link);
	p->magic = 0;
	slab_give(&box->tools->processes, p);
}

struct process *
process_find(const struct toolbox *box, int64_t session)
{
	struct list_node *n;

	for (n = list_first(&box->processes); n != NULL;
	     n = list_next(&box->processes, n)) {
		struct process *p = container_of(n, struct process, link);

		if (p->session != 0 && p->session == session)
			return p;
	}
	return NULL;
}

void
process_use(struct process *p)
{
	list_remove(&p->box->processes, &p->link);
	list_append(&p->box->processes, &p->link);
}

void
process_name(struct process *p)
{
	uint32_t random;

	while (p->session == 0) {
		CHECK(os->random(&random, sizeof random) == 0);
		random = SESSION_MIN + random % (SESSION_MAX - SESSION_MIN + 1);
		if (process_find(p->box, random) == NULL)
			p->session = random;
	}
}

int
process_type(struct process *p, struct span s)
{
	text_add(&p->typed, s);
	if (!text_overflowed(&p->typed))
		return type_on(p);
	p->typed.overflowed = 0; /* nothing of s was added */
	return -1;
}

void
process_go_on(struct process *p)
{
	output_next(&p->output);
	exec_resume(p->exec, 1);
}

/* Why it ended, or what it ran into, when that was not its own doing. */
static const struct {
	enum verdict verdict;
	const char *note;
} notes[] = {
    {VERDICT_OOM, "it used more memory than the sandbox has"},
    {VERDICT_PIDS, "it tried to start more processes than the sandbox has"},
    {VERDICT_DISK, "no room was left on the sandbox's disk"},
    {VERDICT_OUTPUT, "it wrote more output than it may and was ended"},
    {VERDICT_LOST, "the sandbox ended under it"},
};

void
report_tell_notes(const struct exec_report *r, struct text *out)
{
	if (r->exec_errno != 0)
		text_printf(out, "Note: it was not started: %s\n",
		    r->error.code != ERROR_NONE ? r->error.text
		    : r->exec_errno == EBUSY
			? "another command runs that must run alone; try "
			  "again when it has ended"
			: strerror(r->exec_errno));
	for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
		if ((r->limits & 1u << notes[i].verdict) != 0 ||
		    r->verdict == notes[i].verdict)
			text_printf(out, "Note: %s\n", notes[i].note);
}

void
process_tell_end(const struct process *p, struct text *out)
{
	const struct exec_report *r = &p->report;

	if (r->verdict == VERDICT_TIMEOUT)
		text_printf(out, "Command timed out after %.3f seconds.\n",
		    (double)r->wall_us / 1e6);
	else
		text_printf(out, "Process exited with code %d\n",
		    r->signal != 0 ? -r->signal : r->exit);
	report_tell_notes(r, out);
}
