/*
 * skep memory: what agents remember between runs.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/memory.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/cmd/memory_private.h"
#include "engine/listing.h"
#include "engine/result.h"
#include "engine/state_dir.h"
#include "engine/terminal.h"
#include "net/json_write.h"
#include "net/utf8.h"

#define OUT_MAX (64 * MIB)

struct asked {
	struct cli *cli;
	const char *state;
	struct memory m;
	struct text out;
	struct json_writer w;
	unsigned rollouts;
};

static int
say(struct asked *a, struct error *e)
{
	return text_overflowed(&a->out)
		   ? error_set(e, ERROR_TOO_BIG, 0, "too much to be shown")
		   : cli_write(text_span(&a->out), e);
}

/* The memory that the user names. */
static int
find(struct asked *a, const char *name, struct error *e)
{
	if (memory_locate(&a->m, a->state, name, e) == -1)
		return -1;
	if (memory_exists(&a->m))
		return 0;
	return error_set(e, ERROR_NOT_FOUND, 0,
	    "there is no memory \"%s\"; skep memory lists them", name);
}

/* --- list --- */

static int
count_rollout(const struct memory_entry *entry, void *owner)
{
	struct asked *a = owner;

	a->rollouts +=
	    span_has_suffix(span_of(entry->name), span_of(".jsonl")) != 0;
	return 0;
}

static int
list_one(const struct memory_entry *entry, void *owner)
{
	struct asked *a = owner;
	struct memory m;
	struct error ignored;

	if (!entry->is_folder ||
	    memory_locate(&m, a->state, entry->name, &ignored) == -1)
		return 0;
	a->rollouts = 0;
	memory_each(&m, MEMORY_SESSIONS, count_rollout, a, &ignored);
	if (!a->cli->json) {
		text_printf(&a->out, "%-24s  %8u  %s\n", entry->name,
		    a->rollouts, m.path);
		return 0;
	}
	json_write_init(&a->w, &a->out);
	json_write_object(&a->w);
	json_put_str(&a->w, "name", entry->name);
	json_put_uint(&a->w, "rollouts", a->rollouts);
	json_put_str(&a->w, "path", m.path);
	json_write_end(&a->w);
	text_add_char(&a->out, '\n');
	return 0;
}

static int
list(struct asked *a, struct error *e)
{
	struct memory all;

	if (snprintf(all.path, sizeof all.path, "%s", a->state) >= LIMIT_PATH)
		return error_set(e, ERROR_NOT_FOUND, 0, "the path is too long");
	if (!a->cli->json)
		text_printf(
		    &a->out, "%-24s  %8s  %s\n", "MEMORY", "ROLLOUTS", "PATH");
	if (memory_each(&all, "memory", list_one, a, e) == -1 &&
	    e->code != ERROR_NOT_FOUND)
		return -1;
	return say(a, e);
}

/* --- show --- */

static int
show_rollout(const struct memory_entry *entry, void *owner)
{
	struct asked *a = owner;
	struct span id = span_of(entry->name);
	char at[RESULT_TIME_BYTES];

	if (entry->is_folder || !span_has_suffix(id, span_of(".jsonl")))
		return 0;
	id.n -= 6;
	result_time(entry->mtime_ms, at);
	if (!a->cli->json) {
		text_printf(&a->out, "%.*s  %s  %8llu\n", (int)id.n, id.p, at,
		    (unsigned long long)entry->bytes);
		return 0;
	}
	json_write_object(&a->w);
	json_put_span(&a->w, "rollout_id", id);
	json_put_str(&a->w, "updated_at", at);
	json_put_uint(&a->w, "bytes", entry->bytes);
	json_write_end(&a->w);
	return 0;
}

/* A file as it is, or for a terminal; nothing when it is missing. */
static void
show_file(struct asked *a, const char *path, const char *member)
{
	struct text file, valid;
	struct error ignored;

	text_init(&file, MEMORY_FILE_MAX);
	text_init(&valid, 4 * MEMORY_FILE_MAX);
	(void)memory_load(&a->m, path, &file, &ignored);
	utf8_add_valid(&valid, text_span(&file));
	if (a->cli->json)
		json_put_span(&a->w, member, text_span(&valid));
	else
		terminal_neutral(text_span(&valid), TERMINAL_LINES, &a->out);
	text_release(&file);
	text_release(&valid);
}

static int
show_all(struct asked *a, const char *name, struct error *e)
{
	if (a->cli->json) {
		json_write_init(&a->w, &a->out);
		json_write_object(&a->w);
		json_put_str(&a->w, "name", name);
		json_put_str(&a->w, "path", a->m.path);
		show_file(a, MEMORY_FILES "/" MEMORY_SUMMARY, "summary");
		show_file(a, MEMORY_FILES "/" MEMORY_HANDBOOK, "handbook");
		json_put_array(&a->w, "rollouts");
	} else {
		show_file(a, MEMORY_FILES "/" MEMORY_SUMMARY, NULL);
		text_add_str(&a->out, "\nROLLOUT           UPDATED"
				      "                      BYTES\n");
	}
	if (memory_each(&a->m, MEMORY_SESSIONS, show_rollout, a, e) == -1)
		return -1;
	if (a->cli->json) {
		json_write_end(&a->w);
		json_write_end(&a->w);
		text_add_char(&a->out, '\n');
	}
	return say(a, e);
}

static int
show_one(struct asked *a, const char *id, struct error *e)
{
	char raw[MEMORY_ID_MAX + 64], session[MEMORY_ID_MAX + 64];

	if (!memory_id_is_fine(span_of(id)))
		return error_set(
		    e, ERROR_NOT_FOUND, 0, "\"%.80s\" is no rollout", id);
	snprintf(raw, sizeof raw, MEMORY_RAW "/%s.md", id);
	snprintf(session, sizeof session, MEMORY_SESSIONS "/%s.jsonl", id);
	if (!memory_has(&a->m, raw) && !memory_has(&a->m, session))
		return error_set(
		    e, ERROR_NOT_FOUND, 0, "the memory has no rollout %s", id);
	if (!a->cli->json) {
		show_file(a, raw, NULL);
		show_file(a, session, NULL);
		return say(a, e);
	}
	json_write_init(&a->w, &a->out);
	json_write_object(&a->w);
	json_put_str(&a->w, "rollout_id", id);
	show_file(a, raw, "raw_memory");
	show_file(a, session, "rollout");
	json_write_end(&a->w);
	text_add_char(&a->out, '\n');
	return say(a, e);
}

/* --- forget --- */

/* Only who owns the state may: an engine could be writing. */
static int
forget(struct asked *a, const char *rollout, struct error *e)
{
	struct state_dir dir = {.fd = -1, .lock_fd = -1};
	int status = -1;

	if (state_dir_choose(&dir, a->state, e) == 0 &&
	    state_dir_own(&dir, e) == 0)
		status = memory_forget(&a->m, rollout, e);
	state_dir_close(&dir);
	if (status == 0)
		cli_note(a->cli, "forgotten%s",
		    rollout == NULL ? ""
				    : "; the next run makes handbook and "
				      "summary anew from what is left");
	return status;
}

/* --- which of them --- */

static int
act(struct asked *a, struct error *e)
{
	struct cli *cli = a->cli;
	char **word = cli->operand;
	int n = cli->operands, found;

	if (n == 0 || (n == 1 && strcmp(word[0], "list") == 0))
		return list(a, e);
	if (n < 2)
		return error_set(e, ERROR_USAGE, 0,
		    "say which memory: skep memory lists them");
	if (find(a, word[1], e) == -1)
		return -1;
	if (strcmp(word[0], "show") == 0 && n <= 3)
		return n == 2 ? show_all(a, word[1], e)
			      : show_one(a, word[2], e);
	if (strcmp(word[0], "forget") == 0 && n <= 3)
		return forget(a, n == 2 ? NULL : word[2], e);
	if (strcmp(word[0], "search") != 0 || n < 3)
		return error_set(e, ERROR_USAGE, 0,
		    "give list, show NAME [ROLLOUT], search NAME WORD... or "
		    "forget NAME [ROLLOUT]");
	found = memory_search(cli, &a->m, word + 2, n - 2, e);
	if (found == 0)
		return error_set(e, ERROR_NOT_FOUND, 0, "nothing was found");
	return found == -1 ? -1 : 0;
}

static int
run(struct cli *cli)
{
	struct asked a = {.cli = cli};
	struct error e;
	int status = EXIT_SUCCESS;

	text_init(&a.out, OUT_MAX);
	a.state = cli_state_folder(cli, &e);
	if (a.state == NULL || act(&a, &e) == -1)
		status = cli_fail(cli, &e);
	text_release(&a.out);
	return status;
}

const struct command cmd_memory = {
    .name = "memory",
    .summary = "what agents remember between runs",
    .arguments = "[list | show NAME [ROLLOUT] | search NAME WORD... | forget "
		 "NAME [ROLLOUT]]",
    .text =
	"list (or nothing): the memories of the state directory. show: the "
	"summary that runs are given and the rollouts it was made from, or one "
	"rollout with what was noted of it. search: every line of a memory, "
	"rollouts included, that holds all the words. forget: one rollout with "
	"all that was made of it (handbook and summary are made again from "
	"what is left), or the whole memory.\n"
	"Exit status: 66 when there is nothing such, 75 when an engine owns "
	"the state directory (forget).",
    .options = options_memory,
    .operands_max = -1,
    .run = run,
};
