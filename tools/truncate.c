#include "tools/truncate.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/text.h"
#include "net/utf8.h"

/* "…K tokens truncated…" and "Total output lines: L\n\n" */
#define ELLIPSIS "\xe2\x80\xa6"
#define MARKER_MAX (sizeof ELLIPSIS " tokens truncated" ELLIPSIS + 20)
#define PREFIX_MAX (sizeof "Total output lines: \n\n" + 20)

uint64_t
truncate_lines(struct span text)
{
	uint64_t lines = 0;
	size_t at = 0;

	if (text.n == 0)
		return 0;
	while ((at = span_find(text, '\n', at)) < text.n)
		lines++, at++;
	return lines + (text.p[text.n - 1] != '\n');
}

uint64_t
truncate_tokens(uint64_t bytes)
{
	return bytes / TRUNCATE_TOKEN_BYTES +
	       (bytes % TRUNCATE_TOKEN_BYTES > 0);
}

static size_t
marker(char out[MARKER_MAX], uint64_t tokens)
{
	return (size_t)snprintf(out, MARKER_MAX,
	    ELLIPSIS "%" PRIu64 " tokens truncated" ELLIPSIS, tokens);
}

/* The most whole characters at the end of s within bytes_max bytes. */
static struct span
utf8_end(struct span s, size_t bytes_max)
{
	size_t from = s.n > bytes_max ? s.n - bytes_max : 0;

	while (from < s.n && ((unsigned char)s.p[from] & 0xc0) == 0x80)
		from++;
	return span_slice(s, from, s.n);
}

int
truncate_add(struct text *out, const struct truncate_source *source,
    uint64_t tokens_max, uint64_t *tokens)
{
	uint64_t total = source->text.n + source->gap_bytes, removed;
	char mark[MARKER_MAX], prefix[PREFIX_MAX];
	struct span first = source->text, last = source->text;
	size_t budget, mark_n, prefix_n, left;

	if (tokens_max >= truncate_tokens(total) && source->gap_bytes == 0) {
		text_add(out, source->text);
		return 0;
	}
	*tokens = truncate_tokens(total);
	if (tokens_max > SIZE_MAX / TRUNCATE_TOKEN_BYTES)
		tokens_max = SIZE_MAX / TRUNCATE_TOKEN_BYTES;
	budget = (size_t)tokens_max * TRUNCATE_TOKEN_BYTES;
	mark_n = marker(mark, *tokens);
	prefix_n = (size_t)snprintf(prefix, sizeof prefix,
	    "Total output lines: %" PRIu64 "\n\n", source->lines);
	if (prefix_n + mark_n > budget)
		prefix_n = 0;
	if (mark_n > budget) {
		text_add(
		    out, (struct span){mark,
			     utf8_floor((struct span){mark, mark_n}, budget)});
		return 1;
	}
	left = (budget - prefix_n - mark_n) / 2;
	if (source->gap_bytes > 0) {
		first.n = source->gap_at;
		last = span_slice(last, source->gap_at, last.n);
	}
	first.n = utf8_floor(first, left);
	last = utf8_end(last, budget - prefix_n - mark_n - left);
	CHECK(first.n + last.n <= total);
	removed = total - first.n - last.n;
	mark_n = marker(mark, truncate_tokens(removed));
	text_add(out, (struct span){prefix, prefix_n});
	text_add(out, first);
	text_add(out, (struct span){mark, mark_n});
	text_add(out, last);
	return 1;
}
