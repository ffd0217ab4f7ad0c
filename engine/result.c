#include "engine/result.h"

#include <stdio.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/list.h"
#include "engine/base/text.h"
#include "net/json_write.h"
#include "sandbox/changes.h"
#include "sandbox/outputs.h"
#include "sandbox/sandbox.h"

void
result_time(int64_t unix_ms, char out[RESULT_TIME_BYTES])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, RESULT_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(
	    out + n, RESULT_TIME_BYTES - n, ".%03dZ", (int)(unix_ms % 1000));
}

static void
put_time(struct json_writer *w, const char *key, int64_t unix_ms)
{
	char text[RESULT_TIME_BYTES];

	if (unix_ms == 0) {
		json_put_null(w, key);
		return;
	}
	result_time(unix_ms, text);
	json_put_str(w, key, text);
}

static void
put_seconds(struct json_writer *w, const char *key, uint64_t ms)
{
	json_put_fixed(w, key, (double)ms / 1000.0, 3);
}

void
result_put_usage(struct json_writer *w, const struct spending *s)
{
	json_put_uint(w, "turns", s->turns);
	json_put_uint(w, "model_calls", s->model_calls);
	json_put_uint(w, "tool_calls", s->tool_calls);
	json_put_uint(w, "input_tokens", s->input_tokens);
	json_put_uint(w, "cached_tokens", s->cached_tokens);
	json_put_uint(w, "output_tokens", s->output_tokens);
	json_put_uint(w, "reasoning_tokens", s->reasoning_tokens);
	json_put_uint(w, "total_tokens", spending_tokens(s));
	json_put_fixed(w, "usd", s->usd, 6);
}

static void
put_response(struct json_writer *w, const struct result *r)
{
	if (r->status != RUN_FINISHED) {
		json_put_null(w, "response");
		return;
	}
	json_put_object(w, "response");
	json_put_span(w, "output_text", r->output_text);
	if (r->model.n > 0)
		json_put_span(w, "model", r->model);
	json_write_end(w);
}

static void
put_error(struct json_writer *w, const struct result *r)
{
	if (r->error == NULL) {
		json_put_null(w, "error");
		return;
	}
	json_put_object(w, "error");
	json_put_str(w, "code", error_name(r->error->code));
	json_put_str(w, "message", r->error->text);
	if (r->error->code == ERROR_BAD_TASK && r->line != 0)
		json_put_uint(w, "line", r->line);
	json_write_end(w);
}

static void
put_timing(struct json_writer *w, const struct result_timing *t)
{
	json_put_object(w, "timing");
	put_time(w, "queued_at", t->queued_ms);
	put_time(w, "started_at", t->started_ms);
	put_time(w, "finished_at", t->finished_ms);
	put_seconds(w, "wall_seconds", t->wall_ms);
	put_seconds(w, "model_seconds", t->model_ms);
	put_seconds(w, "waited_seconds", t->waited_ms);
	put_seconds(w, "sandbox_seconds", t->sandbox_ms);
	put_seconds(w, "tools_seconds", t->tools_ms);
	json_write_end(w);
}

static void
put_outputs(struct json_writer *w, const struct list *outputs)
{
	struct list_node *n = outputs == NULL ? NULL : list_first(outputs);

	json_put_array(w, "outputs");
	for (; n != NULL; n = list_next(outputs, n)) {
		struct output_file *f =
		    container_of(n, struct output_file, link);
		char hex[HASH_HEX + 1];

		hex_encode(f->digest.byte, HASH_BYTES, hex);
		json_write_object(w);
		json_put_str(w, "path", f->path);
		json_put_uint(w, "bytes", f->bytes);
		json_put_str(w, "sha256", hex);
		json_write_end(w);
	}
	json_write_end(w);
}

static void
put_change(struct json_writer *w, const struct changed_file *f)
{
	char hex[HASH_HEX + 1];

	json_write_object(w);
	json_put_str(w, "path", f->path);
	json_put_str(w, "change", change_name(f->change));
	if (f->change == CHANGE_ADDED || f->change == CHANGE_MODIFIED) {
		json_put_uint(w, "bytes", f->bytes);
		hex_encode(f->digest.byte, HASH_BYTES, hex);
		if (f->has_digest)
			json_put_str(w, "sha256", hex);
		else
			json_put_null(w, "sha256");
	}
	json_write_end(w);
}

static void
put_changes(struct json_writer *w, const struct result *r)
{
	struct list_node *n;

	if (r->changes == NULL) {
		json_put_null(w, "changes");
		return;
	}
	json_put_array(w, "changes");
	for (n = list_first(r->changes); n != NULL;
	     n = list_next(r->changes, n))
		put_change(w, container_of(n, struct changed_file, link));
	json_write_end(w);
	if (r->changes_omitted > 0)
		json_put_uint(w, "changes_omitted", r->changes_omitted);
}

static void
put_sandbox(struct json_writer *w, const struct sandbox_facts *f)
{
	if (f == NULL) {
		json_put_null(w, "sandbox");
		return;
	}
	json_put_object(w, "sandbox");
	json_put_str(w, "profile", f->profile);
	json_put_str(w, "digest", f->digest);
	json_put_str(w, "rootfs", f->rootfs);
	json_put_str(w, "network", f->network);
	json_put_str(w, "cgroup", f->cgroup);
	json_put_str(w, "workspace", f->workspace);
	json_put_bool(w, "seccomp", f->seccomp);
	json_put_int(w, "landlock", f->landlock);
	json_put_bool(w, "user_namespace", f->user_namespace);
	json_write_end(w);
}

/* Which commits the git_repo entries of the manifest came to. */
static void
put_commits(struct json_writer *w, const struct result *r)
{
	json_put_array(w, "repositories");
	for (unsigned i = 0; i < r->commits_n; i++) {
		json_write_object(w);
		json_put_str(w, "path", r->commits[i].path);
		json_put_str(w, "commit", r->commits[i].commit);
		json_write_end(w);
	}
	json_write_end(w);
}

static void
put_evidence(struct json_writer *w, const struct result *r)
{
	json_put_object(w, "evidence");
	json_put_str(w, "agent", r->agent);
	json_put_str(w, "agent_digest", r->agent_digest);
	if (r->handed_to != NULL)
		json_put_str(w, "handed_to", r->handed_to);
	json_put_str(w, "task_digest", r->task_digest);
	json_put_str(w, "profile", r->profile);
	json_put_str(w, "profile_digest", r->profile_digest);
	if (r->request_id.n > 0)
		json_put_span(w, "request_id", r->request_id);
	json_put_uint(w, "attempts", r->attempts);
	put_sandbox(w, r->sandbox);
	if (r->commits_n > 0)
		put_commits(w, r);
	json_write_end(w);
}

void
result_write(const struct result *r, struct text *out)
{
	struct json_writer w;

	CHECK(run_state_is_end(r->status));
	json_write_init(&w, out);
	json_write_object(&w);
	if (r->custom_id.p == NULL)
		json_put_null(&w, "custom_id");
	else
		json_put_span(&w, "custom_id", r->custom_id);
	json_put_str(&w, "run_id", r->run_id);
	json_put_str(&w, "status", run_state_name(r->status));
	put_response(&w, r);
	put_error(&w, r);
	json_put_object(&w, "usage");
	result_put_usage(&w, &r->usage);
	json_write_end(&w);
	put_timing(&w, &r->timing);
	put_outputs(&w, r->outputs);
	put_changes(&w, r);
	put_evidence(&w, r);
	json_write_end(&w);
}
