/* A turn: what a reply leaves in the transcript, and answers in order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/transcript.h"
#include "engine/turn.h"
#include "net/provider.h"

#define MESSAGE(text)                                                 \
	"{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{" \
	"\"type\":\"output_text\",\"text\":\"" text "\"}]}"
#define CALL(id)                                                       \
	"{\"type\":\"function_call\",\"call_id\":\"" id "\",\"name\":" \
	"\"exec_command\",\"arguments\":\"{}\"}"

static struct arena keep, scratch;
static struct transcript transcript;
static struct turn turn;
static struct model_reply reply;
static struct reply_item item[200];
static struct text said;
static struct error e;

static int
set_up(void **state)
{
	(void)state;
	arena_init(&keep, 16 * MIB);
	arena_init(&scratch, 16 * MIB);
	transcript_init(&transcript, &keep);
	memset(&reply, 0, sizeof reply);
	text_init(&reply.bytes, 16 * MIB);
	text_init(&said, MIB);
	reply.item = item;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	text_release(&reply.bytes);
	text_release(&said);
	transcript_release(&transcript);
	arena_release(&keep);
	arena_release(&scratch);
	return 0;
}

static void
add(const char *json)
{
	item[reply.items].at = reply.bytes.n;
	item[reply.items].n = strlen(json);
	text_add_str(&reply.bytes, json);
	reply.items++;
}

static int
take_reply(void)
{
	return turn_take_reply(
	    &turn, &reply, &transcript, &scratch, 3, 99, &said, &e);
}

static void
an_answer_in_several_messages_is_one_text(void **state)
{
	(void)state;
	add("{\"type\":\"reasoning\",\"id\":\"r\",\"summary\":[]}");
	add(MESSAGE("Hello "));
	add(MESSAGE("world"));
	assert_int_equal(take_reply(), 0);
	assert_int_equal(turn.calls, 0);
	assert_string_equal(said.p, "Hello world");
	assert_int_equal(transcript.n, 3);
	assert_int_equal(transcript.entry[2].turn, 3);
}

static void
items_are_kept_byte_for_byte(void **state)
{
	static const char odd[] =
	    "{ \"type\" : \"from_the_future\" , \"x\":[1, 2.50e1 ]}";

	(void)state;
	add(odd);
	assert_int_equal(take_reply(), 0);
	assert_true(span_is(transcript.json[0], odd));
}

static void
answers_follow_in_the_order_of_the_calls(void **state)
{
	(void)state;
	add(CALL("a"));
	add(MESSAGE("meanwhile"));
	add(CALL("b"));
	assert_int_equal(take_reply(), 0);
	assert_int_equal(turn.calls, 2);
	assert_true(span_is(turn.call[1].item.call_id, "b"));
	/* b is answered first */
	turn.call[1].answer = span_of("{\"answer\":\"b\"}");
	turn.call[0].answer = span_of("{\"answer\":\"a\"}");
	turn.answered = 2;
	assert_int_equal(turn_put_answers(&turn, &transcript, 3, 100), 0);
	assert_int_equal(transcript.n, 5);
	assert_true(span_is(transcript.json[3], "{\"answer\":\"a\"}"));
	assert_true(span_is(transcript.json[4], "{\"answer\":\"b\"}"));
}

static void
what_was_kept_survives_the_reply(void **state)
{
	(void)state;
	add(CALL("a"));
	assert_int_equal(take_reply(), 0);
	memset(reply.bytes.p, 'x', reply.bytes.n);
	assert_true(span_is(turn.call[0].item.call_id, "a"));
	assert_true(span_is(transcript.json[0], CALL("a")));
}

static void
too_many_calls_are_the_models_fault(void **state)
{
	(void)state;
	for (int i = 0; i <= LIMIT_TOOL_CALLS_PER_TURN; i++)
		add(CALL("a"));
	assert_int_equal(take_reply(), -1);
	assert_int_equal(e.code, ERROR_MODEL_PROTOCOL);
}

static void
a_call_that_cannot_be_answered_is_refused(void **state)
{
	(void)state;
	add("{\"type\":\"function_call\",\"name\":\"x\"}");
	assert_int_equal(take_reply(), -1);
	assert_int_equal(e.code, ERROR_MODEL_PROTOCOL);
}

static void
a_transcript_grows_and_ends(void **state)
{
	struct arena small;
	struct transcript t;
	int n = 0;

	(void)state;
	arena_init(&small, 64 * KIB);
	transcript_init(&t, &small);
	while (transcript_add(&t, span_of(MESSAGE("x")), 1, 2) == 0)
		n++;
	assert_true(n > 300 && n < 1000);
	assert_int_equal(t.n, n);
	assert_true(span_is(t.json[n - 1], MESSAGE("x")));
	transcript_release(&t);
	arena_release(&small);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Items as one string, for comparing. */
static const char *
all(void)
{
	static char s[256];
	size_t n = 0;

	for (size_t i = 0; i < transcript.n; i++)
		n += (size_t)snprintf(s + n, sizeof s - n, "%.*s@%u ",
		    (int)transcript.json[i].n, transcript.json[i].p,
		    transcript.entry[i].turn);
	return s;
}

static void
what_is_replaced_is_gone_and_what_stays_is_moved(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		char json[2] = {(char)('a' + i), '\0'};

		assert_int_equal(
		    transcript_add(&transcript, span_of(json), i, i), 0);
	}
	transcript.recorded = 5;
	assert_int_equal(transcript_replace(&transcript, 1, 4, span_of("S"),
			     span_of("note"), 4, 9),
	    0);
	assert_string_equal(all(), "a@0 S@4 e@4 ");
	assert_int_equal(transcript.bytes, 3);
	assert_int_equal(transcript.recorded, 3);
	assert_true(span_is(transcript.note, "note"));
	transcript.note.n = 0;

	/* Again, from its own memory; and then without anything instead. */
	assert_int_equal(transcript_replace(&transcript, 0, 2, span_of("T"),
			     span_of("more"), 5, 9),
	    0);
	transcript.note.n = 0;
	assert_int_equal(transcript_add(&transcript, span_of("f"), 6, 9), 0);
	assert_string_equal(all(), "T@5 e@4 f@6 ");
	transcript.recorded = 3;
	transcript.forgotten = 2;
	assert_int_equal(transcript_forget(&transcript), 0);
	assert_string_equal(all(), "f@6 ");
	assert_true(transcript.is_begun_by_server);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    CASE(what_is_replaced_is_gone_and_what_stays_is_moved),
	    CASE(an_answer_in_several_messages_is_one_text),
	    CASE(items_are_kept_byte_for_byte),
	    CASE(answers_follow_in_the_order_of_the_calls),
	    CASE(what_was_kept_survives_the_reply),
	    CASE(too_many_calls_are_the_models_fault),
	    CASE(a_call_that_cannot_be_answered_is_refused),
	    CASE(a_transcript_grows_and_ends),
	};
	int status;

	if (pool_start(GIB, &e) == -1)
		return 1;
	status = cmocka_run_group_tests(cases, NULL, NULL);
	pool_stop();
	return status;
}
