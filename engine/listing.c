#include "engine/listing.h"

#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/result.h"
#include "net/json_write.h"

int
listing_open(struct listing *l, struct cli *cli, struct error *e)
{
	const char *folder = cli_state_folder(cli, e);
	char path[LIMIT_PATH];

	*l = (struct listing){.dir = {.fd = -1, .lock_fd = -1}};
	if (folder == NULL || state_dir_choose(&l->dir, folder, e) == -1 ||
	    state_dir_open(&l->dir, e) == -1 ||
	    state_dir_file(&l->dir, "skep.db", path, e) == -1)
		return -1;
	l->owner = state_dir_owner(&l->dir);
	l->store = store_open_reader(path, e);
	return l->store == NULL ? -1 : 0;
}

void
listing_close(struct listing *l)
{
	store_close(l->store);
	state_dir_close(&l->dir);
}

struct store_cursor *
listing_find(struct listing *l, const char *name, struct store_row_run *row,
    struct error *e)
{
	struct store_cursor *c;
	int64_t number;

	if (store_resolve(l->store, span_of(name), &number, e) == -1)
		return NULL;
	c = store_one_run(l->store, number, e);
	if (c == NULL)
		return NULL;
	switch (store_next_run(c, row, e)) {
	case 1:
		return c;
	case 0:
		error_set(e, ERROR_NOT_FOUND, 0, "run %s is gone", name);
	}
	store_cursor_close(c);
	return NULL;
}

const char *
listing_status(const struct listing *l, const struct store_row_run *row)
{
	if (row->state == RUN_NSTATES)
		return "unknown";
	if (run_state_is_end(row->state) || l->owner != 0)
		return run_state_name(row->state);
	return "unfinished";
}

static void
put_time(struct json_writer *w, const char *key, int64_t at_ms)
{
	char text[RESULT_TIME_BYTES];

	if (at_ms == 0) {
		json_put_null(w, key);
		return;
	}
	result_time(at_ms, text);
	json_put_str(w, key, text);
}

void
listing_write(
    const struct listing *l, const struct store_row_run *row, struct text *out)
{
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	json_put_span(&w, "run_id", row->id);
	if (row->custom_id.p == NULL)
		json_put_null(&w, "custom_id");
	else
		json_put_span(&w, "custom_id", row->custom_id);
	json_put_span(&w, "agent", row->agent_name);
	if (row->agent_now.p != NULL)
		json_put_span(&w, "agent_now", row->agent_now);
	if (row->parent.p != NULL) {
		json_put_span(&w, "parent", row->parent);
		json_put_uint(&w, "depth", row->depth);
	}
	json_put_str(&w, "status", listing_status(l, row));
	json_put_uint(&w, "line", row->line);
	json_put_uint(&w, "attempts", row->attempts);
	put_time(&w, "created_at", row->created_ms);
	put_time(&w, "started_at", row->started_ms);
	put_time(&w, "changed_at", row->changed_ms);
	put_time(&w, "finished_at", row->ended_ms);
	json_put_object(&w, "usage");
	result_put_usage(&w, &row->usage);
	json_write_end(&w);
	if (row->error_code.p == NULL) {
		json_put_null(&w, "error");
	} else {
		json_put_object(&w, "error");
		json_put_span(&w, "code", row->error_code);
		json_put_span(&w, "message", row->error_message);
		json_write_end(&w);
	}
	json_put_bool(&w, "written", row->is_written);
	json_write_end(&w);
}

void
listing_age(int64_t at_ms, struct text *out)
{
	int64_t s = (os->wall_ms() - at_ms) / 1000;

	if (s < 0)
		s = 0;
	if (s < 120)
		text_printf(out, "%llds", (long long)s);
	else if (s < 7200)
		text_printf(out, "%lldm", (long long)(s / 60));
	else if (s < 172800)
		text_printf(out, "%lldh", (long long)(s / 3600));
	else
		text_printf(out, "%lldd", (long long)(s / 86400));
}
