#ifndef SKEP_ENGINE_CODE_MODE_H
#define SKEP_ENGINE_CODE_MODE_H

/*
 * What a workspace has for programs that call tools (tools/program.h): a
 * module for Python and a command for shells, in .skep, which is read-only
 * inside, and the variables by which both are found.  A manifest that gives
 * one of these itself keeps its own.
 */

struct arena;
struct error;
struct manifest;

/* m (or NULL) with all that below it, in arena; NULL and *e (MANIFEST). */
const struct manifest *code_mode_manifest(
    struct arena *arena, const struct manifest *m, struct error *e);

#endif
