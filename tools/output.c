#include "tools/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "net/utf8.h"
#include "sandbox/sandbox.h"
#include "tools/truncate.h"

#define FOLDER ".skep/outputs/"
#define PATH_MAX_USED 64
#define KEPT_FIRST 4096

/* Bytes after which a file is begun: what is shown by default. */
#define FILE_AFTER ((uint64_t)OUTPUT_TOKENS * TRUNCATE_TOKEN_BYTES)

_Static_assert(FILE_AFTER < OUTPUT_HEAD, "a file can begin at the beginning");
_Static_assert(OUTPUT_RING >= 2 * SANDBOX_SLICE, "the ring holds a slice");

static void
new_chunk(struct output *o)
{
	unsigned char random[3];

	CHECK(os->random(random, sizeof random) == 0);
	hex_encode(random, sizeof random, o->id);
	o->bytes = o->newlines = o->written = 0;
	o->frozen = 0;
	o->file = OUTPUT_NO_FILE;
}

void
output_init(struct output *o, struct sandbox *sandbox, const char *suffix,
    void (*room)(struct output *o), void (*settled)(struct output *o),
    void *owner)
{
	CHECK(strlen(suffix) < sizeof o->suffix);
	*o = (struct output){.sandbox = sandbox,
	    .room = room,
	    .settled = settled,
	    .owner = owner};
	memcpy(o->suffix, suffix, strlen(suffix) + 1);
	new_chunk(o);
}

static unsigned
puts_in_flight(const struct output *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < OUTPUT_PUTS; i++)
		n += o->put[i] != NULL;
	return n;
}

static void
cancel_puts(struct output *o)
{
	for (unsigned i = 0; i < OUTPUT_PUTS; i++) {
		if (o->put[i] != NULL)
			file_op_cancel(o->put[i]);
		o->put[i] = NULL;
	}
}

void
output_release(struct output *o)
{
	cancel_puts(o);
	pool_give(o->kept);
	o->kept = NULL;
	o->size = 0;
	o->room = o->settled = NULL;
}

/* --- the kept bytes --- */

/* Where byte number at is kept. */
static size_t
place(uint64_t at)
{
	if (at < OUTPUT_HEAD)
		return (size_t)at;
	return OUTPUT_HEAD + (size_t)((at - OUTPUT_HEAD) % OUTPUT_RING);
}

/* How many bytes from number at lie together, at most n. */
static size_t
together(uint64_t at, size_t n)
{
	size_t to_end = at < OUTPUT_HEAD ? OUTPUT_HEAD - place(at)
					 : LIMIT_OUTPUT_KEPT - place(at);

	return n < to_end ? n : to_end;
}

/* The first byte of the tail; what lies before it and behind the head is gone.
 */
static uint64_t
tail_start(const struct output *o)
{
	if (o->bytes <= LIMIT_OUTPUT_KEPT)
		return o->bytes < OUTPUT_HEAD ? o->bytes : OUTPUT_HEAD;
	return o->bytes - OUTPUT_RING;
}

/* Room in the block for bytes up to number end; -1 when memory is out. */
static int
make_room(struct output *o, uint64_t end)
{
	size_t want = o->size > 0 ? o->size : KEPT_FIRST, got;
	char *p;

	if (end > LIMIT_OUTPUT_KEPT)
		end = LIMIT_OUTPUT_KEPT;
	if (o->size >= end)
		return 0;
	while (want < end)
		want *= 2;
	p = pool_take(want, &got);
	if (p == NULL)
		return -1;
	if (o->bytes > 0)
		memcpy(p, o->kept, (size_t)o->bytes);
	pool_give(o->kept);
	o->kept = p;
	o->size = got;
	return 0;
}

/* Bytes that can be taken without losing one that the file still needs. */
static uint64_t
room_left(const struct output *o)
{
	uint64_t safe;

	if (o->frozen)
		return 0;
	if (o->file != OUTPUT_FILE || o->written >= OUTPUT_FILE_MAX)
		return UINT64_MAX;
	safe = o->written < OUTPUT_HEAD ? OUTPUT_HEAD : o->written;
	return safe + OUTPUT_RING - o->bytes;
}

/* --- the file --- */

static void write_file(struct output *o, int everything);

static void
put_done(struct file_op *op, const struct file_result *r, void *owner)
{
	struct output *o = owner;

	for (unsigned i = 0; i < OUTPUT_PUTS; i++)
		if (o->put[i] == op)
			o->put[i] = NULL;
	if (r->error != NULL && o->file == OUTPUT_FILE) {
		o->file = OUTPUT_FILE_FAILED;
		o->file_error = *r->error;
	}
	write_file(o, o->frozen);
	if (o->full && room_left(o) > 0) {
		o->full = 0;
		if (o->room != NULL)
			o->room(o);
		return; /* o may be gone */
	}
	if (o->frozen && puts_in_flight(o) == 0 && o->settled != NULL)
		o->settled(o);
}

/* The path of the chunk's file, below the workspace. */
static void
file_path(const struct output *o, char out[PATH_MAX_USED])
{
	snprintf(out, PATH_MAX_USED, FOLDER "%s%s", o->id, o->suffix);
}

static int
put_slice(struct output *o, size_t n)
{
	unsigned flags = FILE_CREATE | FILE_PARENTS | FILE_NOFOLLOW | FILE_OURS,
		 i = 0;
	char path[PATH_MAX_USED];

	while (o->put[i] != NULL)
		i++;
	if (o->written == 0)
		flags |= FILE_TRUNCATE;
	file_path(o, path);
	o->put[i] = sandbox_put(o->sandbox, path, 0644, o->written, flags,
	    (struct span){o->kept + place(o->written), n}, put_done, o,
	    &o->file_error);
	if (o->put[i] != NULL) {
		o->written += n;
		return 0;
	}
	/* With verbs of ours in flight there will be room; else it failed. */
	if (o->file_error.code != ERROR_FULL || puts_in_flight(o) == 0)
		o->file = OUTPUT_FILE_FAILED;
	return -1;
}

/* Hand on whole slices, or everything there is. */
static void
write_file(struct output *o, int everything)
{
	uint64_t end = o->bytes < OUTPUT_FILE_MAX ? o->bytes : OUTPUT_FILE_MAX;

	while (o->file == OUTPUT_FILE && puts_in_flight(o) < OUTPUT_PUTS &&
	       o->written < end) {
		uint64_t left = end - o->written;
		size_t n = together(o->written, SANDBOX_SLICE);

		if (left < n && !everything)
			return;
		if (left < n)
			n = (size_t)left;
		if (put_slice(o, n) == -1)
			return;
	}
}

/* In pieces no longer than a slice, so that a file can begin in between. */
size_t
output_add(struct output *o, struct span s)
{
	size_t taken = 0, n;

	while (taken < s.n) {
		uint64_t room = room_left(o);

		n = together(o->bytes, s.n - taken);
		if (n > SANDBOX_SLICE)
			n = SANDBOX_SLICE;
		if (n > room)
			n = (size_t)room;
		if (n == 0 || make_room(o, o->bytes + n) == -1) {
			o->full = 1;
			break;
		}
		memcpy(o->kept + place(o->bytes), s.p + taken, n);
		o->bytes += n;
		taken += n;
		if (o->file == OUTPUT_NO_FILE && o->bytes > FILE_AFTER)
			o->file = OUTPUT_FILE;
		write_file(o, 0);
	}
	s.n = taken;
	for (size_t at = 0; (at = span_find(s, '\n', at)) < s.n; at++)
		o->newlines++;
	return taken;
}

/* --- telling --- */

static char
byte_at(const struct output *o, uint64_t at)
{
	return o->kept[place(at)];
}

/* Bytes at the end that begin a character: 0..3. */
static size_t
half_character(const struct output *o)
{
	char last[3];
	size_t n = o->bytes < 3 ? (size_t)o->bytes : 3;

	for (size_t i = 0; i < n; i++)
		last[i] = byte_at(o, o->bytes - n + i);
	return utf8_tail((struct span){last, n});
}

/* The raw bytes from number at to end; both kept. */
static void
add_bytes(const struct output *o, uint64_t at, uint64_t end, struct text *out)
{
	while (at < end) {
		size_t n = together(at, (size_t)(end - at));

		text_add(out, (struct span){o->kept + place(at), n});
		at += n;
	}
}

/* Head and tail as valid UTF-8 in valid; *s says what they are. */
static void
gather(const struct output *o, int is_last, struct text *valid,
    struct truncate_source *s)
{
	uint64_t end = o->bytes - (is_last ? 0 : half_character(o));
	uint64_t tail = tail_start(o), head = tail;
	struct text raw;

	text_init(&raw, LIMIT_OUTPUT_KEPT);
	*s = (struct truncate_source){.gap_bytes = 0};
	if (tail > OUTPUT_HEAD) {
		head = OUTPUT_HEAD;
		while (tail < end && (byte_at(o, tail) & 0xc0) == 0x80)
			tail++;
	} else
		head = end;
	add_bytes(o, 0, head, &raw);
	if (tail > OUTPUT_HEAD)
		raw.n -= utf8_tail(text_span(&raw));
	utf8_add_valid(valid, text_span(&raw));
	s->gap_at = valid->n;
	if (tail > OUTPUT_HEAD) {
		s->gap_bytes = tail - raw.n;
		text_clear(&raw);
		add_bytes(o, tail, end, &raw);
		utf8_add_valid(valid, text_span(&raw));
	}
	text_release(&raw);
	s->text = text_span(valid);
	s->lines = o->newlines;
	if (end > 0 && byte_at(o, end - 1) != '\n')
		s->lines++;
}

int
output_tell(struct output *o, uint64_t tokens_max, int is_last,
    struct text *out, uint64_t *tokens)
{
	struct truncate_source s;
	struct text valid;
	int cut;

	text_init(&valid, 3 * LIMIT_OUTPUT_KEPT);
	gather(o, is_last, &valid, &s);
	cut = truncate_add(out, &s, tokens_max, tokens);
	text_release(&valid);
	return cut;
}

/* The same question as output_tell() asks, without the answer. */
static int
would_be_cut(struct output *o, uint64_t tokens_max, int is_last)
{
	uint64_t tokens;
	struct text out;
	int cut;

	if (truncate_tokens(o->bytes) > tokens_max)
		return 1;
	if (truncate_tokens(3 * o->bytes) <= tokens_max)
		return 0;
	text_init(&out, 3 * LIMIT_OUTPUT_KEPT);
	cut = output_tell(o, tokens_max, is_last, &out, &tokens);
	text_release(&out);
	return cut;
}

int
output_settle(struct output *o, uint64_t tokens_max, int is_last)
{
	o->frozen = 1;
	if (o->file == OUTPUT_NO_FILE && would_be_cut(o, tokens_max, is_last))
		o->file = OUTPUT_FILE;
	write_file(o, 1);
	return puts_in_flight(o) == 0;
}

void
output_tell_file(const struct output *o, struct text *out)
{
	char path[PATH_MAX_USED];

	file_path(o, path);
	if (o->file == OUTPUT_FILE_FAILED)
		text_printf(out, "not kept: %s", o->file_error.text);
	else if (o->bytes > o->written)
		text_printf(out,
		    "%s (the first %" PRIu64 " of %" PRIu64 " bytes)", path,
		    o->written, o->bytes);
	else
		text_printf(out, "%s (%" PRIu64 " bytes)", path, o->bytes);
}

void
output_thaw(struct output *o)
{
	if (!o->frozen)
		return;
	o->frozen = 0;
	if (o->full && room_left(o) > 0) {
		o->full = 0;
		if (o->room != NULL)
			o->room(o);
	}
}

void
output_next(struct output *o)
{
	size_t half = half_character(o);
	char carried[3];

	for (size_t i = 0; i < half; i++)
		carried[i] = byte_at(o, o->bytes - half + i);
	cancel_puts(o);
	pool_give(o->kept);
	o->kept = NULL;
	o->size = 0;
	o->full = 0;
	new_chunk(o);
	if (half > 0)
		(void)output_add(o, (struct span){carried, half});
}
