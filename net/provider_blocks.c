#include "net/provider_private.h"

#include <string.h>

#include "engine/base/pool.h"

void
reply_drop_blocks(struct model_reply *r)
{
	(void)r;
}
