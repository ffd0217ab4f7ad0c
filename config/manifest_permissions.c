/*
 * Permissions of an entry: {owner, group, other, directory}, or as `ls -l`
 * prints them.
 */

#include <string.h>

#include "config/manifest_private.h"
#include "net/json.h"
#include "net/json_write.h"

/* --- permissions as `ls -l` prints them --- */

/* One letter of three; special is s or t in the place of x. */
static int
letter(char c, char wanted, const char *special, uint32_t bit, uint32_t *mode)
{
	if (c == '-')
		return 0;
	if (c == wanted || (c != '\0' && strchr(special, c) != NULL)) {
		/* S and T are set without x. */
		if (c != 'S' && c != 'T')
			*mode |= bit;
		return 0;
	}
	return -1;
}

int
manifest_mode_from_ls(struct span s, uint32_t *mode)
{
	uint32_t bits = 0;

	/* A mark of access lists or labels may follow. */
	if (s.n > 9 && strchr("+@.", s.p[s.n - 1]) != NULL)
		s.n--;
	if (s.n == 10 && strchr("-dlbcps", s.p[0]) != NULL)
		s = span_slice(s, 1, s.n);
	if (s.n != 9)
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		const char *three = s.p + 3 * i;
		unsigned shift = 6 - 3 * i;

		if (letter(three[0], 'r', "", 4u << shift, &bits) == -1 ||
		    letter(three[1], 'w', "", 2u << shift, &bits) == -1 ||
		    letter(three[2], 'x', i < 2 ? "sS" : "tT", 1u << shift,
			&bits) == -1)
			return -1;
	}
	*mode = bits;
	return 0;
}

/* --- the member --- */

struct permissions {
	int64_t owner, group, other;
	int directory;
};

#define BITS(name_, preset_)                                             \
	{                                                                \
		.name = #name_, .type = FIELD_INT,                       \
		.offset = offsetof(struct permissions, name_), .max = 7, \
		.preset = preset_, .doc = "4 read, 2 write, 1 execute"   \
	}

static const struct field permission_fields[] = {
    BITS(owner, 7),
    BITS(group, 0),
    BITS(other, 0),
    {"directory", FIELD_BOOL, .offset = offsetof(struct permissions, directory),
	.doc = "whether they are a folder's"},
    {.name = NULL},
};

static const struct table permission_table = {
    .name = "permissions",
    .doc = "Who may do what.",
    .bytes = sizeof(struct permissions),
    .fields = permission_fields,
};

static int
mode_read(struct table_reader *r, int v, void *at)
{
	uint32_t *mode = at;
	struct permissions p;
	const char *text;

	if (json_type(r->doc, v) == JSON_STRING) {
		if (table_text(r, v, &text) == -1)
			return -1;
		if (manifest_mode_from_ls(span_of(text), mode) == -1)
			return table_complain(r, v,
			    "not permissions as `ls -l` prints them, such as "
			    "\"-rwxr-x---\"");
		return 0;
	}
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v,
		    "{\"owner\": 7, \"group\": 5, \"other\": 5} or "
		    "\"-rwxr-xr-x\"");
	if (table_read(r, &permission_table, v, &p) == -1)
		return -1;
	*mode = (uint32_t)(p.owner << 6 | p.group << 3 | p.other);
	return 0;
}

static void
mode_schema(struct json_writer *w)
{
	json_put_array(w, "oneOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_object(w);
	table_schema_of(&permission_table, w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom manifest_mode_custom = {mode_read, NULL, mode_schema};
