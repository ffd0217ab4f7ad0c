#include "net/json_write.h"

void
json_put_object(struct json_writer *w, const char *key)
{
	json_write_key(w, key);
	json_write_object(w);
}

void
json_put_array(struct json_writer *w, const char *key)
{
	json_write_key(w, key);
	json_write_array(w);
}

void
json_put_str(struct json_writer *w, const char *key, const char *s)
{
	json_write_key(w, key);
	json_write_str(w, s);
}

void
json_put_span(struct json_writer *w, const char *key, struct span s)
{
	json_write_key(w, key);
	json_write_span(w, s);
}

void
json_put_int(struct json_writer *w, const char *key, int64_t v)
{
	json_write_key(w, key);
	json_write_int(w, v);
}

void
json_put_uint(struct json_writer *w, const char *key, uint64_t v)
{
	json_write_key(w, key);
	json_write_uint(w, v);
}

void
json_put_real(struct json_writer *w, const char *key, double v)
{
	json_write_key(w, key);
	json_write_real(w, v);
}

void
json_put_fixed(struct json_writer *w, const char *key, double v, int decimals)
{
	json_write_key(w, key);
	json_write_fixed(w, v, decimals);
}

void
json_put_bool(struct json_writer *w, const char *key, int v)
{
	json_write_key(w, key);
	json_write_bool(w, v);
}

void
json_put_null(struct json_writer *w, const char *key)
{
	json_write_key(w, key);
	json_write_null(w);
}

void
json_put_raw(struct json_writer *w, const char *key, struct span json)
{
	json_write_key(w, key);
	json_write_raw(w, json);
}
