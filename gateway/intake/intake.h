/*
 * intake.h - what the clinic gives -> bound source trees. Formats are rows of one table; JSON and NDJSON
 * today.
 *
 * A *route* (mappings/routes.json) says for each format which logical model types it and which map translates
 * it.
 */
#ifndef KETLINK_INTAKE_INTAKE_H
#define KETLINK_INTAKE_INTAKE_H

#include "base/base.h"
#include "definitions/definitions.h"
#include "tree/tree.h"

struct intake_route {
  struct str format;    /* value of the record's member `format`: "session-record/1" */
  struct str model;     /* canonical of the logical model */
  struct str map;       /* canonical of the map */
  struct str clinic_id; /* FHIRPath of the clinic's id, the namespace of all ids: "clinic.id" */
  const struct def_type *type;
};
struct intake_routes {
  struct intake_route *routes;
  size_t count;
};
/* Reads and checks routes.json: { "routes": [ { format, model, map, clinicId } ] }. STATUS_CONFIG with
 * diagnostics. */
enum status intake_routes_read(const char *path, const struct host *host,
                               const struct definitions *definitions, struct arena *arena,
                               struct diag_list *diags, struct intake_routes *out) MUST_USE;

struct intake_record {
  struct source source;             /* text of this record; first_line tells its place in an NDJSON file */
  const struct intake_route *route; /* NULL: a FHIR resource (it has resourceType) */
  struct tree_node *root;           /* bound; NULL when it could not be read or has no route */
};

/* An input file: one JSON document, or NDJSON with one record a line (by name .ndjson, or when more text
   follows the first document). intake_next gives one record after the other, each in the caller's arena, in
   constant memory. */
struct intake_input {
  struct str name, text;
  size_t at;
  uint32_t line;
  bool lines;
};
struct intake_input intake_open(struct str name, struct str text);
/* Moves over the next record without reading it; false at the end. Who shares the work among threads gives
   each a copy of the input as it was before. */
bool intake_skip(struct intake_input *input);
/* STATUS_OK; NOT_FOUND at the end; INVALID with diagnostics (the input has moved past the bad record: go on).
 */
enum status intake_next(struct intake_input *input, const struct definitions *definitions,
                        const struct intake_routes *routes, struct arena *arena, struct diag_list *diags,
                        struct intake_record *out) MUST_USE;

#endif
