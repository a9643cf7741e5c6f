/*
 * intake.h - what the clinic gives -> bound source trees: JSON, NDJSON, HL7 v2 messages, and sets of CSV files.
 *
 * A *route* (mappings/routes.json) says for each format which logical model types it and which map translates
 * it.
 */
#ifndef KETLINK_INTAKE_INTAKE_H
#define KETLINK_INTAKE_INTAKE_H

#include "base/base.h"
#include "definitions/definitions.h"
#include "hl7v2/hl7v2.h"
#include "tree/tree.h"

/* Whose a record is, and which. */
enum intake_identity {
  INTAKE_CLINIC,  /* the namespace of all ids: "clinic.id" */
  INTAKE_PATIENT, /* what keeps its order on the way: "patient.mrn"; may be absent */
  INTAKE_RECORD,  /* by which people find it: "session.id"; may be absent */
  INTAKE_REVISION, /* a whole number that grows with each correction of it: "session.revision"; may be absent */
  INTAKE_SENT,    /* a time of HL7 v2 whose offset holds for all times of the message that have none: "MSH.MSH_7" */
  INTAKE_IDENTITIES
};
struct intake_route {
  struct str format; /* value of the record's member `format`: "session-record/1" */
  struct str model;  /* canonical of the logical model */
  struct str map;    /* canonical of the map */
  struct str identities[INTAKE_IDENTITIES]; /* FHIRPath */
  struct str split; /* FHIRPath of a list; several items: the record goes in as many parts, each with its own patient; may be empty */
  const struct def_type *type;
};
/* What is known of a clinic by its id. */
struct intake_clinic {
  struct str id;
  const struct datetime_zone *zone; /* of times that have no offset */
};
struct intake_routes {
  struct intake_route *routes;
  size_t count;
  struct intake_clinic *clinics;
  size_t clinic_count;
};
/* NULL: routes.json says nothing of it. */
const struct intake_clinic *intake_clinic_find(const struct intake_routes *routes, struct str id);
/* Reads and checks routes.json: { "clinics": [ { id, timeZone } ], "routes": [ { format, model, map, clinicId, patientId,
 * recordId, revision, sentAt, split } ] }; there may be no clinics. STATUS_CONFIG with diagnostics. */
enum status intake_routes_read(const char *path, const struct host *host,
                               const struct definitions *definitions, struct arena *arena,
                               struct diag_list *diags, struct intake_routes *out) MUST_USE;

struct intake_record {
  struct source source;             /* text of this record; first_line tells its place in an NDJSON file */
  const struct intake_route *route; /* NULL: a FHIR resource (it has resourceType) */
  struct tree_node *root;           /* bound; NULL when it could not be read or has no route */
};

struct intake_set;

/* How far a way through a CSV set has come in one of its files. */
struct intake_place {
  size_t at;
  uint32_t line;
};

/* An input file: one JSON document, HL7 v2 messages (the first bytes say so, MSH, FHS or BHS, or the name, .hl7), or NDJSON with one record a line (by name .ndjson, or when more text
   follows the first document). intake_next gives one record after the other, each in the caller's arena, in
   constant memory. */
struct intake_input {
  struct str name, text;
  size_t at;
  uint32_t line;
  bool lines;
  bool hl7v2; /* messages: `batch` says how far, one record each; format is "hl7v2/" and the message structure */
  struct hl7v2_batch batch;
  struct str charset; /* of messages that name none and have bytes above 127; empty: UTF-8. The caller sets it */
  struct str processing; /* MSH-11 of messages that are taken, as hl7v2_check has it; empty: all, with a warning. The caller sets it */
  bool decoded;       /* messages are UTF-8 whatever MSH-18 says: the text of a record that was read before. The caller sets it */
  /* a CSV set: at is the sum of all places */
  const struct intake_set *set;
  size_t loose; /* rows of no record that were reported */
  unsigned starved; /* 1: for want of memory the way to the next record was not found; 2: that was told */
  struct intake_place places[LIMIT_SET_FILES];
};
struct intake_input intake_open(struct str name, struct str text);
/* Moves over the next record without reading it; false at the end. Without memory to find the one after it that one reads as NOMEM and
   is the last: nobody takes it for the end. Who shares the work among threads gives
   each a copy of the input as it was before. */
bool intake_skip(struct intake_input *input);
/* STATUS_OK; NOT_FOUND at the end; INVALID with diagnostics (the input has moved past the bad record: go on).
   `routes` NULL: HL7 v2 messages come without a route, and may be any; else those that cannot be mapped are refused: hl7v2_check,
   an event without a route, no PID. */
enum status intake_next(struct intake_input *input, const struct definitions *definitions,
                        const struct intake_routes *routes, struct arena *arena, struct diag_list *diags,
                        struct intake_record *out) MUST_USE;

/* --- sets of CSV files
 * ------------------------------------------------------------------------------------------------------
 *
 * A set is a folder with a file for the records (sessions.csv) and one for each of their parts, joined by
 * keys. mappings/csv/NAME.json describes it: docs/csv.md. What comes of it is the same tree as that of the
 * record in JSON; offsets of its nodes lead to file, row and column by the record's source.
 *
 * Descriptions are read once, then shared. An open set is immutable and shared by threads; its files are
 * mapped, and nothing of them is copied but what one record takes. A file whose rows are in the order of the
 * record's key is read along with the records' file; of any other, and of tables that records refer to
 * (patients, staff), 16 bytes a row are kept in memory, at most LIMIT_SET_INDEX rows in all.
 *
 * intake_next gives the records in the order of the records' file. Each key without a record is a record of
 * its own that is INVALID, and so is each row that stands twice in a table: nothing is passed over unsaid. */

struct intake_sets;
struct intake_sets_params {
  const char *folder; /* mappings: its folder csv is read; there need not be one */
  const struct host *host;
  const struct definitions *definitions;
  const struct intake_routes *routes; /* must outlive the sets */
};
/* Reads and checks all descriptions against their models. CONFIG with diagnostics. */
enum status intake_sets_read(const struct intake_sets_params *params, struct arena *arena, struct diag_list *diags,
                             struct intake_sets **out) MUST_USE;
/* Whether a folder has the records' file of a description. */
bool intake_set_is(const struct intake_sets *sets, const char *folder);
/* Opens a folder as a set of the description whose records' file it has. NOT_FOUND without a diagnostic: it is
   no set. INVALID with diagnostics: headings, order, or a row after which nothing can be read. LIMIT. */
enum status intake_set_open(const struct intake_sets *sets, const struct host *host,
                            const struct definitions *definitions, const char *folder, struct diag_list *diags,
                            struct intake_set **out) MUST_USE;
void intake_set_close(struct intake_set *set);
/* The way through a set, before its first record. */
struct intake_input intake_set_input(const struct intake_set *set);
/* Gives back the memory of what lies between two places of one way. Copies that stand there still read. */
void intake_set_forget(const struct intake_input *from, const struct intake_input *to);
/* Bytes of all its files, for progress. */
size_t intake_set_bytes(const struct intake_set *set);

#endif
