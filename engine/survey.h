#ifndef SKEP_ENGINE_SURVEY_H
#define SKEP_ENGINE_SURVEY_H

/* What the prompt learns from a run's workspace before its first turn. */

#include "engine/base/span.h"

struct survey_found {
	struct span tree; /* the file system, as text */
};

#endif
