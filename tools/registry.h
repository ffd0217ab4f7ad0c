#ifndef SKEP_TOOLS_REGISTRY_H
#define SKEP_TOOLS_REGISTRY_H

/* The table of built-in tools; what the engine may ask of it is in tool.h. */

struct error;
struct item;
struct tool;
struct toolset;

/* Which of an agent's tools a call means; NULL when it has none such. */
const struct tool *toolset_find(
    const struct toolset *set, const struct item *call);

/* Add one that is made for an agent; -1 and *e (CONFIG): its name is taken. */
int toolset_add_tool(
    struct toolset *set, const struct tool *tool, struct error *e);

/* Put another in the place of one, if that is there. */
void toolset_replace(
    struct toolset *set, const struct tool *old, const struct tool *tool);

#endif
