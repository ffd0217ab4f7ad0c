#ifndef SKEP_ENGINE_CMD_MEMORY_PRIVATE_H
#define SKEP_ENGINE_CMD_MEMORY_PRIVATE_H

/* The inside of skep memory: memory*.c. */

#include "engine/cli.h"
#include "engine/memory.h"

struct text;

/*
 * Lines of a memory that hold every one of the words, ASCII case ignored, to
 * standard output; how many, or -1 and *e.
 */
int memory_search(struct cli *cli, const struct memory *m, char **word,
    int words, struct error *e);

#endif
