#include "engine/cmd/memory_private.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/terminal.h"
#include "net/json_write.h"
#include "net/utf8.h"

/*
 * Theory of operation
 *
 * The texts are few and small, so they are read, file after file, and every
 * line is looked at; an index would be one more thing that must be forgotten.
 * What was written for reading comes before the rollouts it was made from.
 */

#define SNIPPET 200 /* characters of a long line that are shown */
#define PATH_BELOW_MAX 512
#define DEPTH_MAX 8

struct search {
	struct cli *cli;
	const struct memory *m;
	char **word;
	int words;
	const char *folder;
	unsigned depth;
	struct text file, out;
	int found;
	struct error *error;
	int failed;
};

/* Where word begins in line, ASCII case ignored; line.n: nowhere. */
static size_t
position(struct span line, const char *word)
{
	size_t n = strlen(word);

	for (size_t at = 0; n <= line.n && at <= line.n - n; at++)
		if (span_is_nocase(span_slice(line, at, at + n), word))
			return at;
	return line.n;
}

/* All words are there: where the first of them is; else line.n. */
static size_t
match(const struct search *s, struct span line)
{
	size_t first = line.n;

	for (int i = 0; i < s->words; i++) {
		size_t at = position(line, s->word[i]);

		if (at == line.n)
			return line.n;
		if (i == 0)
			first = at;
	}
	return first;
}

/* The part of a line around what was found, whole characters. */
static struct span
snippet(struct span line, size_t at)
{
	size_t from = at > SNIPPET / 2 ? at - SNIPPET / 2 : 0;

	while (from > 0 && ((unsigned char)line.p[from] & 0xc0) == 0x80)
		from--;
	line = span_slice(line, from, line.n);
	line.n = utf8_floor(line, SNIPPET);
	return line;
}

static void
tell(struct search *s, const char *path, unsigned number, struct span line)
{
	struct json_writer w;
	struct text valid, name;

	/* Models chose both. */
	text_clear(&s->out);
	text_init(&name, 4 * PATH_BELOW_MAX);
	text_init(&valid, 8 * SNIPPET);
	utf8_add_valid(&name, span_of(path));
	utf8_add_valid(&valid, line);
	if (s->cli->json) {
		json_write_init(&w, &s->out);
		json_write_object(&w);
		json_put_span(&w, "file", text_span(&name));
		json_put_uint(&w, "line", number);
		json_put_span(&w, "text", text_span(&valid));
		json_write_end(&w);
	} else {
		terminal_neutral(text_span(&name), 0, &s->out);
		text_printf(&s->out, ":%u: ", number);
		terminal_neutral(text_span(&valid), 0, &s->out);
	}
	text_add_char(&s->out, '\n');
	text_release(&valid);
	text_release(&name);
	s->failed = cli_write(text_span(&s->out), s->error) == -1;
	s->found++;
}

static void
search_file(struct search *s, const char *path)
{
	struct span rest, line;
	struct error ignored;
	unsigned number = 0;

	text_clear(&s->file);
	/* What is longer than a file may be is searched as far as that goes. */
	(void)memory_load(s->m, path, &s->file, &ignored);
	rest = text_span(&s->file);
	if (s->file.n == 0)
		return;
	while (rest.p != NULL && !s->failed) {
		size_t at;

		line = span_trim(span_cut(&rest, '\n'));
		number++;
		at = match(s, line);
		if (at < line.n)
			tell(s, path, number, snippet(line, at));
	}
}

static int
visit(const struct memory_entry *entry, void *owner)
{
	struct search *s = owner;
	const char *outer = s->folder;
	char path[PATH_BELOW_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", outer, entry->name);
	struct error ignored;

	if (n < 0 || (size_t)n >= sizeof path)
		return 0;
	if (!entry->is_folder) {
		search_file(s, path);
	} else if (s->depth < DEPTH_MAX) {
		s->folder = path;
		s->depth++;
		memory_each(s->m, path, visit, s, &ignored);
		s->depth--;
		s->folder = outer;
	}
	return s->failed;
}

int
memory_search(struct cli *cli, const struct memory *m, char **word, int words,
    struct error *e)
{
	static const char *const folders[] = {MEMORY_FILES, MEMORY_SESSIONS};
	struct search s = {
	    .cli = cli, .m = m, .word = word, .words = words, .error = e};

	text_init(&s.file, 2 * MEMORY_FILE_MAX);
	text_init(&s.out, 64 * KIB);
	for (size_t i = 0; i < 2 && !s.failed; i++) {
		s.folder = folders[i];
		if (memory_each(m, folders[i], visit, &s, e) == -1)
			s.failed = 1;
	}
	text_release(&s.file);
	text_release(&s.out);
	return s.failed ? -1 : s.found;
}
