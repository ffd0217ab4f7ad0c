/*
 * JSON: whole and in pieces the same verdict; what is accepted has the same
 * tree by tokens and by peeking, can be walked, unescaped and written again,
 * and reads back the same.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_shape.h"
#include "net/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int
in_pieces(struct span s, size_t step, unsigned flags)
{
	struct json_guard g;
	struct error e;

	json_guard_init(&g, s.n, flags);
	for (size_t at = 0; at < s.n; at += step)
		if (json_guard_feed(&g, span_slice(s, at, at + step), &e) == -1)
			return -1;
	return json_guard_end(&g, &e);
}

/* Visit everything; write each string and number again. */
static void
walk(struct json_doc *d, struct text *again)
{
	struct json_writer w;
	struct span inner;
	char path[200];
	int64_t whole;
	double real;

	json_write_init(&w, again);
	json_write_array(&w);
	for (int v = 0; v < d->tokens; v++) {
		inner = json_inner(d, v);
		json_path(d, v, path, sizeof(path));
		json_get(d, v, "a");
		for (int k = json_first(d, v); k != -1; k = json_next(d, v, k))
			CHECK(k > v && d->token[k].start < d->token[v].end);
		if (json_int(d, v, INT64_MIN, INT64_MAX, &whole) == 0)
			json_write_int(&w, whole);
		if (json_real(d, v, &real) == 0)
			json_write_real(&w, real);
		if (json_type(d, v) != JSON_STRING)
			continue;
		json_write_string_begin(&w);
		json_write_string_add_escaped(&w, inner);
		json_write_string_end(&w);
	}
	json_write_end(&w);
}

/* The document again, from first and next alone. */
static void
rebuild(const struct json_doc *d, int v, struct text *t)
{
	int object = json_type(d, v) == JSON_OBJECT, members = 0;

	if (!object && json_type(d, v) != JSON_ARRAY) {
		text_add(t, json_raw(d, v));
		return;
	}
	text_add_char(t, object ? '{' : '[');
	for (int k = json_first(d, v); k != -1; k = json_next(d, v, k)) {
		if (members++ > 0)
			text_add_char(t, ',');
		if (object) {
			text_add(t, json_raw(d, k));
			text_add_char(t, ':');
		}
		rebuild(d, object ? json_value(d, k) : k, t);
	}
	text_add_char(t, object ? '}' : ']');
	CHECK(members == json_size(d, v));
}

/* The text without the white space between its tokens. */
static void
minify(struct span s, struct text *t)
{
	int inside = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (inside && c == '\\') {
			text_add_char(t, c);
			c = s.p[++i];
		} else if (c == '"') {
			inside = !inside;
		} else if (!inside &&
			   (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
			continue;
		}
		text_add_char(t, c);
	}
}

static void
same_tree(const struct json_doc *d, struct span s)
{
	struct text rebuilt, minified;

	text_init(&rebuilt, s.n);
	text_init(&minified, s.n);
	rebuild(d, 0, &rebuilt);
	minify(s, &minified);
	CHECK(span_eq(text_span(&rebuilt), text_span(&minified)));
	text_release(&rebuilt);
	text_release(&minified);
}

/*
 * What fits the shape of a document is a document with the same structure,
 * and its leaves are where the shape says.  The other is s with one of its
 * bytes turned into another: nearly always in a leaf, or no JSON at all.
 */
static void
same_shape(const struct json_doc *d, struct span s)
{
	struct json_shape shape;
	struct json_doc other;
	struct json_fit fit;
	struct text t;
	struct error e;
	int leaf, fits;

	json_shape_init(&shape);
	json_doc_init(&other);
	text_init(&t, s.n);
	json_shape_learn(&shape, d);
	if (shape.leaves > 0)
		CHECK(json_shape_fits(&shape, s, 0, &fit) && fit.changed == 0);
	text_add(&t, s);
	for (size_t i = 0; i < s.n && i < 64 && shape.leaves > 0; i++) {
		t.p[i] = s.p[s.n - 1 - i];
		fits = json_shape_fits(&shape, text_span(&t), 0, &fit);
		if (json_parse(&other, text_span(&t), 0, &e) == -1) {
			CHECK(!fits);
		} else if (fits) {
			CHECK(other.tokens == d->tokens);
			for (int v = 0; v < d->tokens; v++) {
				CHECK(d->token[v].parent ==
				      other.token[v].parent);
				leaf = json_shape_leaf(&shape, d, v);
				if (leaf == 0)
					CHECK(span_eq(
					    fit.leaf, json_raw(&other, v)));
				if (leaf != -1 &&
				    (fit.changed >> leaf & 1) == 0)
					CHECK(span_eq(json_raw(d, v),
					    json_raw(&other, v)));
			}
		}
		t.p[i] = s.p[i];
	}
	text_release(&t);
	json_doc_release(&other);
	json_shape_release(&shape);
}

static void
accepted(struct json_doc *d, struct span s)
{
	struct text again, plain;
	struct json_doc back;
	struct json_writer w;
	struct error e;

	text_init(&again, s.n * 64 + 4096);
	text_init(&plain, s.n + 4096);
	json_doc_init(&back);
	same_tree(d, s);
	same_shape(d, s);
	walk(d, &again);
	CHECK(!text_overflowed(&again));
	CHECK(json_parse(&back, text_span(&again), 0, &e) == 0);

	/* A string unescaped, escaped and unescaped again is the same. */
	for (int v = 0; v < d->tokens; v++) {
		text_clear(&plain);
		text_clear(&again);
		json_string_add(d, v, &plain);
		json_write_init(&w, &again);
		json_write_span(&w, text_span(&plain));
		CHECK(json_parse(&back, text_span(&again), JSON_UNICODE, &e) ==
		      0);
		CHECK(json_is_span(&back, 0, text_span(&plain)));
	}
	json_unique(d, &e);
	json_doc_release(&back);
	text_release(&again);
	text_release(&plain);
}

static void
relaxed(struct span s)
{
	char *copy = malloc(s.n + 1);
	struct json_doc d;
	struct error e;
	size_t at;

	memcpy(copy, s.p, s.n);
	json_doc_init(&d);
	if (json_relax(copy, s.n, &at, &e) == 0)
		json_parse(&d, (struct span){copy, s.n}, JSON_UNIQUE, &e);
	else
		CHECK(at < s.n);
	json_doc_release(&d);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	struct json_doc d;
	struct error e;
	int verdict;

	if (n > 65536)
		return 0;
	json_doc_init(&d);
	verdict = json_parse(&d, s, 0, &e);
	CHECK(d.fault.offset <= n);
	for (size_t step = 1; step < 10; step += 3)
		CHECK(in_pieces(s, step, 0) == verdict);
	CHECK(in_pieces(s, 3, JSON_UNICODE) ==
	      in_pieces(s, n > 0 ? n : 1, JSON_UNICODE));
	if (verdict == 0 && n < 4096)
		accepted(&d, s);
	json_doc_release(&d);
	relaxed(s);
	return 0;
}
