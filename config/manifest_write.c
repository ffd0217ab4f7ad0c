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
write_entry(struct json_writer *w, const struct manifest_entry *entry)
{
	int is_dir = entry->type == ENTRY_DIR || entry->type == ENTRY_LOCAL_DIR;

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
