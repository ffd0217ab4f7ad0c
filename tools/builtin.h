#ifndef SKEP_TOOLS_BUILTIN_H
#define SKEP_TOOLS_BUILTIN_H

/* The built-in tools; one file each, listed in registry.c. */

struct tool;

extern const struct tool tool_exec_command;
extern const struct tool tool_write_stdin;
extern const struct tool tool_shell;
extern const struct tool tool_local_shell;
extern const struct tool tool_apply_patch;
extern const struct tool tool_view_image;
extern const struct tool tool_load_skill;
extern const struct tool tool_spawn_agent;
extern const struct tool tool_wait_agent;
extern const struct tool tool_list_agents;
extern const struct tool tool_cancel_agent;

#endif
