#ifndef SKEP_TOOLS_IMAGE_H
#define SKEP_TOOLS_IMAGE_H

/* What kind of image some bytes begin. */

#include "engine/base/span.h"

#define IMAGE_HEAD 1024 /* bytes that are enough to tell */

/* "image/png" and the like, or NULL for what no model is shown. */
const char *image_type(struct span head);

#endif
