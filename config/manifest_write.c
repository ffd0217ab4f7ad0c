/*
 * A manifest as JSON again: the flat entries under their whole paths, which
 * reads back as the same manifest.
 */

#include "config/manifest_private.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/base64.h"
#include "net/json_write.h"
#include "net/utf8.h"

static void
write_mode(struct json_writer *w, uint32_t mode, int is_dir)
{
	json_put_object(w, "permissions");
	json_put_uint(w, "owner", mode >> 6 & 7);
	json_put_uint(w, "group", mode >> 3 & 7);
	json_put_uint(w, "other", mode & 7);
	json_put_bool(w, "directory", is_dir);
	json_write_end(w);
}

static void
write_content(struct json_writer *w, const struct manifest_entry *entry)
{
	struct text t;

	if (!entry->is_base64 &&
	    utf8_check(entry->content) == entry->content.n) {
		json_put_span(w, "content", entry->content);
		return;
	}
	text_init(&t, 2 * LIMIT_CONFIG_FILE);
	base64_encode(entry->content, &t);
	json_put_span(w, "content_base64", text_span(&t));
	text_release(&t);
}

static void
put_or_null(struct json_writer *w, const char *key, const char *value)
{
	if (value != NULL)
		json_put_str(w, key, value);
	else
		json_put_null(w, key);
}

static void
write_git(struct json_writer *w, const struct manifest_git *git)
{
	json_put_str(w, "host", git->host);
	json_put_str(w, "repo", git->repo);
	put_or_null(w, "ref", git->ref);
	put_or_null(w, "subpath", git->subpath);
}

static void
write_archive(struct json_writer *w, const struct manifest_archive *a)
{
	json_put_str(w, "format", archive_format_name(a->format));
	json_put_object(w, "limits");
	json_put_uint(w, "input_bytes", a->limits.input_bytes);
	json_put_uint(w, "extracted_bytes", a->limits.extracted_bytes);
	json_put_uint(w, "members", a->limits.members);
	json_write_end(w);
}

static void
write_entry(struct json_writer *w, const struct manifest_entry *entry)
{
	int is_dir = entry_type_is_folder(entry->type);

	json_write_object(w);
	json_put_str(w, "type", entry_type_name(entry->type));
	if (entry->description != NULL)
		json_put_str(w, "description", entry->description);
	json_put_bool(w, "ephemeral", entry->ephemeral);
	if (entry->group != NULL)
		json_put_str(w, "group", entry->group);
	json_put_bool(w, "is_dir", is_dir);
	write_mode(w, entry->mode, is_dir);
	if (entry->type == ENTRY_FILE)
		write_content(w, entry);
	if (entry->src != NULL)
		json_put_str(w, "src", entry->src);
	if (entry->type == ENTRY_GIT_REPO)
		write_git(w, &entry->git);
	if (entry->type == ENTRY_ARCHIVE)
		write_archive(w, &entry->archive);
	json_write_end(w);
}

void
manifest_entries_write(struct json_writer *w, const char *key, const void *at)
{
	const struct manifest *m = container_of(at, struct manifest, entries);

	json_put_object(w, key);
	for (unsigned i = 0; i < m->entries_n; i++) {
		json_write_key(w, m->entries[i].path);
		write_entry(w, &m->entries[i]);
	}
	json_write_end(w);
}
