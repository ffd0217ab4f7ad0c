#ifndef SKEP_TOOLS_REGISTRY_H
#define SKEP_TOOLS_REGISTRY_H

/* The table of built-in tools; what the engine may ask of it is in tool.h. */

struct item;
struct tool;
struct toolset;

/* Which of an agent's tools a call means; NULL when it has none such. */
const struct tool *toolset_find(
    const struct toolset *set, const struct item *call);

#endif
