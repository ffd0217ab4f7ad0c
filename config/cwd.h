#ifndef SKEP_CONFIG_CWD_H
#define SKEP_CONFIG_CWD_H

/*
 * "cwd" of an agent or a task: the folder of the workspace in which its tools
 * begin.  Where relative paths start is all that it decides: it confines
 * nothing.  A const char *, NULL for the root; normalised, never ".".
 */

struct field_custom;

extern const struct field_custom cwd_custom;

#endif
