#ifndef SKEP_ENGINE_VERSION_H
#define SKEP_ENGINE_VERSION_H

/* The version of skep and of every library in it. */

struct text;

#define SKEP_VERSION "0.1.0"

/* Append "skep 0.1.0\n", or one JSON object with all libraries. */
void version_write(int json, struct text *out);

#endif
