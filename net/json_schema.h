#ifndef SKEP_NET_JSON_SCHEMA_H
#define SKEP_NET_JSON_SCHEMA_H

/*
 * Whether a document fits a JSON Schema: the subset that model APIs take for
 * structured answers.
 *
 * Enforced: type (also a list), properties, required, additionalProperties,
 * items, enum, const, anyOf, allOf, $ref to "#" and "#/...", minimum,
 * maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength,
 * maxLength, minItems, maxItems, minProperties, maxProperties, true, false.
 * Not enforced, as the APIs do it themselves: pattern, format.  Any other
 * keyword that would constrain (not, oneOf, if, patternProperties ...) is an
 * error of the schema, never passed over.  enum and const compare objects
 * with their members in the same order.
 *
 * There is no recursion: goals wait on a stack with a ceiling, and an anyOf
 * is a place to come back to when a goal above it fails.
 */

struct error;
struct json_doc;

/*
 * Value root of schema is a schema that we can enforce: 0; else -1 with the
 * fault in schema and *e (CONFIG).
 */
int json_schema_check(struct json_doc *schema, int root, struct error *e);

/*
 * Value v of doc fits the schema, which json_schema_check() has passed: 0;
 * else -1 with the fault in doc and *e: SYNTAX ("items[2].name: expected a
 * string, found null"), or TOO_BIG when it takes too long to find out.
 */
int json_schema_fits(const struct json_doc *schema, int root,
    struct json_doc *doc, int v, struct error *e);

#endif
