#include "tools/mcp_auth.h"

#include "tools/mcp_private.h"

const struct secret *
mcp_auth_token(const struct mcp_auth *a)
{
	(void)a;
	return NULL;
}

void
mcp_auth_refused(struct mcp_request *q)
{
	struct error e;

	error_set(&e, ERROR_DENIED, 0,
	    "the server wants a login (HTTP status %d)", q->status);
	request_fail(q, &e);
}
