#ifndef SKEP_TOOLS_ARGS_H
#define SKEP_TOOLS_ARGS_H

/*
 * Arguments of a call against the schema that the model was shown: the same
 * bytes.  Of JSON Schema it knows what our schemas use: type (one or several),
 * properties, required, additionalProperties: false, items, enum, minLength,
 * minItems, maxItems, minimum, maximum.
 */

struct json_doc;
struct text;

/*
 * 0, or -1 with a complaint appended that tells the model what to change.
 * An optional property may be null.
 */
int args_check(const struct json_doc *schema, const struct json_doc *args,
    struct text *complaint);

#endif
