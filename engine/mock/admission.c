#include "engine/mock/admission.h"

#include <string.h>

#include "config/mock.h"
#include "engine/base/os.h"
#include "net/json_write.h"

void
admission_init(struct admission *a, const struct mock_script *script)
{
	memset(a, 0, sizeof *a);
	a->script = script;
}

static int64_t
max_of(const struct admission *a, unsigned step)
{
	return step == 0 ? a->script->in_flight_max
			 : a->script->step[step - 1].max;
}

static unsigned
row(unsigned step)
{
	return step < ADMISSION_STEPS_MAX ? step : ADMISSION_STEPS_MAX - 1;
}

int
admission_let_in(struct admission *a, unsigned in_flight)
{
	uint64_t now = os->now_us();
	int64_t max;
	unsigned i;

	while (a->step < a->script->step_n &&
	       a->let_in >= (uint64_t)a->script->step[a->step].after)
		a->step++;
	max = max_of(a, a->step);
	i = row(a->step);
	if (a->count[i].began_us == 0)
		a->count[i].began_us = now;
	a->count[i].ended_us = now;
	if (max > 0 && in_flight > (uint64_t)max) {
		a->count[i].refused++;
		return 0;
	}
	a->let_in++;
	a->count[i].let_in++;
	return 1;
}

void
admission_write(const struct admission *a, struct json_writer *w)
{
	json_put_array(w, "steps");
	for (unsigned i = 0; i <= row(a->step); i++) {
		json_write_object(w);
		json_put_int(w, "max", max_of(a, i));
		json_put_uint(w, "let_in", a->count[i].let_in);
		json_put_uint(w, "refused", a->count[i].refused);
		json_put_uint(w, "ms",
		    (a->count[i].ended_us - a->count[i].began_us) / 1000);
		json_write_end(w);
	}
	json_write_end(w);
}
