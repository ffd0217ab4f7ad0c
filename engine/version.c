#include "engine/version.h"

#include "engine/base/text.h"
#include "net/json_write.h"

void
version_write(int json, struct text *out)
{
	struct json_writer w;

	if (!json) {
		text_add_str(out, "skep " SKEP_VERSION "\n");
		return;
	}
	json_write_init(&w, out);
	json_write_object(&w);
	json_put_str(&w, "skep", SKEP_VERSION);
	json_write_end(&w);
	text_add_char(out, '\n');
}
