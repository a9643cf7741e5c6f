/* internal.h - private to intake. */
#ifndef KETLINK_INTAKE_INTERNAL_H
#define KETLINK_INTAKE_INTERNAL_H

#include "intake/intake.h"

/* Whether a text is NDJSON: one JSON document a line, rather than one document that may span lines. Looks at
   brackets and strings only; a text that is neither is left to the reader to refuse. */
bool intake_is_lines(struct str name, struct str text);
/* The route of a format, or NULL. */
const struct intake_route *intake_route_find(const struct intake_routes *routes, struct str format);
/* The format a route has that is nearest to what was written; empty view if none is near. */
struct str intake_route_nearest(const struct intake_routes *routes, struct str format);

/* The next message of an input that has some, as intake_next. */
enum status intake_hl7v2_next(struct intake_input *input, const struct definitions *definitions, const struct intake_routes *routes,
                              struct arena *arena, struct diag_list *diags, struct intake_record *out) MUST_USE;
/* Moves over one; NOT_FOUND at the end, NOMEM when where the next one begins is not known. */
enum status intake_hl7v2_skip(struct intake_input *input) MUST_USE;

#endif
