#ifndef SKEP_CONFIG_AGENT_PRIVATE_H
#define SKEP_CONFIG_AGENT_PRIVATE_H

/* The inside of agents: agent.c, agent_table.c, agent_members.c. */

#include "config/agent.h"
#include "config/table.h"

/* agent_members.c */
extern const struct field_custom agent_headers_custom, agent_key_custom,
    agent_instructions_custom, agent_base_custom, agent_manifest_custom,
    agent_outputs_custom, agent_profile_custom;

/* agent_code_mode.c */
extern const struct field_custom agent_code_mode_custom;

/* agent_links.c */
extern const struct field_custom agent_links_custom, agent_handoffs_custom;

/* agent_model.c */
int agent_model_check(struct table_reader *r, int v, void *at);

struct agent_header;

/* Of one header that was read; and the schema of an object of them. */
int agent_header_check(
    struct table_reader *r, int key, const struct agent_header *h);
void agent_headers_schema(struct json_writer *w);

/* agent.c: what no single member can tell. */
int agent_check(struct table_reader *r, int v, void *at);

#endif
