/*
 * The canonical form: every effective member in the table's order.
 */

#include "config/secret_ref.h"
#include "config/table_private.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json_write.h"

/* An escaped byte takes six, and several files make one agent. */
#define CANONICAL_BYTES (8 * LIMIT_CONFIG_FILE - 1)

static void
write_texts(struct json_writer *w, const char *key, const struct text_list *l)
{
	json_put_array(w, key);
	for (unsigned i = 0; i < l->n; i++)
		json_write_str(w, l->at[i]);
	json_write_end(w);
}

static void
write_named(struct json_writer *w, const char *key, const struct named_list *l)
{
	json_put_object(w, key);
	for (unsigned i = 0; i < l->n; i++)
		json_put_span(w, l->at[i].name, l->at[i].value);
	json_write_end(w);
}

static void
write_flags(struct json_writer *w, const struct field *f, unsigned flags)
{
	json_put_array(w, f->name);
	for (int i = 0; f->names[i] != NULL; i++)
		if (flags & 1u << i)
			json_write_str(w, f->names[i]);
	json_write_end(w);
}

static void
write_list(struct json_writer *w, const struct field *f, const char *base,
    unsigned flags)
{
	const char *items =
	    *(const char *const *)(const void *)(base + f->offset);
	unsigned n = *(const unsigned *)(const void *)(base + f->offset_n);

	json_put_array(w, f->name);
	for (unsigned i = 0; i < n; i++) {
		json_write_object(w);
		table_write(f->table, items + i * f->table->bytes, flags, w);
		json_write_end(w);
	}
	json_write_end(w);
}

/* What is not there is not written: absent and empty differ for texts. */
static void
write_text(struct json_writer *w, const char *key, const char *s)
{
	if (s != NULL)
		json_put_str(w, key, s);
}

static void
write_secret(
    struct json_writer *w, const char *key, const struct secret_ref *ref)
{
	if (ref->kind == SECRET_NOWHERE)
		return;
	json_write_key(w, key);
	secret_ref_write(ref, w);
}

static void
write_object(struct json_writer *w, const struct field *f, const void *at,
    unsigned flags)
{
	json_put_object(w, f->name);
	table_write(f->table, at, flags, w);
	json_write_end(w);
}

static void
write_field(struct json_writer *w, const struct field *f, const char *base,
    unsigned flags)
{
	const void *at = base + f->offset;
	const struct span *s = at;

	switch (f->type) {
	case FIELD_BOOL:
		json_put_bool(w, f->name, *(const int *)at);
		break;
	case FIELD_INT:
		json_put_int(w, f->name, *(const int64_t *)at);
		break;
	case FIELD_REAL:
		json_put_real(w, f->name, *(const double *)at);
		break;
	case FIELD_COUNT:
	case FIELD_SIZE:
		json_put_uint(w, f->name, *(const uint64_t *)at);
		break;
	case FIELD_TIME:
		json_put_real(w, f->name, (double)*(const uint64_t *)at / 1000);
		break;
	case FIELD_CHOICE:
		json_put_str(w, f->name, f->names[*(const int *)at]);
		break;
	case FIELD_FLAGS:
		write_flags(w, f, *(const unsigned *)at);
		break;
	case FIELD_TEXT:
	case FIELD_PATH:
		write_text(w, f->name, *(const char *const *)at);
		break;
	case FIELD_BYTES:
		if (s->p != NULL)
			json_put_span(w, f->name, *s);
		break;
	case FIELD_JSON:
		if (s->n > 0)
			json_put_raw(w, f->name, *s);
		break;
	case FIELD_TEXTS:
		write_texts(w, f->name, at);
		break;
	case FIELD_NAMED:
		write_named(w, f->name, at);
		break;
	case FIELD_SECRET:
		write_secret(w, f->name, at);
		break;
	case FIELD_OBJECT:
		write_object(w, f, at, flags);
		break;
	case FIELD_LIST:
		write_list(w, f, base, flags);
		break;
	case FIELD_CUSTOM:
		if (f->custom->write != NULL)
			f->custom->write(w, f->name, at);
		break;
	case FIELD_NOTHING:
		break;
	}
}

void
table_write(const struct table *t, const void *at, unsigned flags,
    struct json_writer *w)
{
	for (const struct field *f = t->fields; f->name != NULL; f++)
		if (flags & TABLE_ALL || !(f->flags & FIELD_ASIDE))
			write_field(w, f, at, flags);
}

void
table_put(const struct table *t, const void *at, unsigned flags,
    struct json_writer *w)
{
	json_write_object(w);
	table_write(t, at, flags, w);
	json_write_end(w);
}

int
table_digest(const struct table *t, const void *at, char out[HASH_TEXT_MAX])
{
	struct json_writer w;
	struct digest digest;
	struct text form;
	int status;

	text_init(&form, CANONICAL_BYTES);
	json_write_init(&w, &form);
	table_put(t, at, 0, &w);
	status = json_write_done(&w);
	hash_of(text_span(&form), &digest);
	digest_text(&digest, out);
	text_release(&form);
	return status;
}
