#include "engine/mock/say.h"

#include "engine/mock/ask.h"
#include "engine/mock/rule.h"
#include "net/json_write.h"

#define PIECE_CHARS 16 /* when the script does not say */

void
mock_event_begin(struct mock_say *s, struct json_writer *w, const char *type)
{
	if (type != NULL) {
		text_add_str(s->body, "event: ");
		text_add_str(s->body, type);
		text_add_char(s->body, '\n');
	}
	text_add_str(s->body, "data: ");
	json_write_init(w, s->body);
	json_write_object(w);
	if (type != NULL)
		json_put_str(w, "type", type);
}

void
mock_event_end(struct mock_say *s, struct json_writer *w)
{
	json_write_end(w);
	text_add_str(s->body, "\n\n");
}

void
mock_pause(struct mock_say *s)
{
	size_t at = s->body->n;

	if (s->parts->rule->timing.chunk_ms > 0)
		text_add(
		    s->pauses, (struct span){(const char *)&at, sizeof at});
}

int64_t
mock_piece_chars(const struct mock_say *s)
{
	int64_t chars = s->parts->rule->timing.chunk_chars;

	return chars > 0 ? chars : PIECE_CHARS;
}

/* What the official clients tell errors apart by. */
static const struct {
	int status;
	const char *type, *code, *messages_type;
} kinds[] = {
    {400, "invalid_request_error", NULL, "invalid_request_error"},
    {401, "invalid_request_error", "invalid_api_key", "authentication_error"},
    {403, "invalid_request_error", NULL, "permission_error"},
    {404, "invalid_request_error", "not_found", "not_found_error"},
    {405, "invalid_request_error", NULL, "invalid_request_error"},
    {413, "invalid_request_error", NULL, "request_too_large"},
    {429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"},
    {500, "server_error", NULL, "api_error"},
    {503, "server_error", NULL, "api_error"},
    {529, "server_error", NULL, "overloaded_error"},
};

void
mock_say_error(const struct mock_ask *ask, int status, const char *message,
    struct text *body)
{
	size_t n = sizeof kinds / sizeof kinds[0], i = 0;
	struct json_writer w;

	while (i < n - 1 && kinds[i].status != status)
		i++;
	if (kinds[i].status != status)
		i = status < 500 ? 0 : 7;
	json_write_init(&w, body);
	json_write_object(&w);
	if (ask != NULL && ask->api == MOCK_MESSAGES) {
		json_put_str(&w, "type", "error");
		json_put_object(&w, "error");
		json_put_str(&w, "type", kinds[i].messages_type);
		json_put_str(&w, "message", message);
	} else {
		json_put_object(&w, "error");
		json_put_str(&w, "message", message);
		json_put_str(&w, "type", kinds[i].type);
		json_put_null(&w, "param");
		json_put_str(&w, "code", kinds[i].code);
	}
	json_write_end(&w);
	json_write_end(&w);
}
