/* internal.h - private to pipeline. */
#ifndef KETLINK_PIPELINE_INTERNAL_H
#define KETLINK_PIPELINE_INTERNAL_H

#include "pipeline/pipeline.h"

/* What a route needs beyond its names, by the route's index. */
struct pipeline_route {
  const struct mapping_map *map;
  struct fp_program *identities[INTAKE_IDENTITIES]; /* NULL: the route does not say */
  struct fp_program *split; /* NULL: its records go as a whole */
  struct pipeline_rules rules;
  struct fp_program **applies; /* by the index of a rule; NULL: checklists are not wanted */
};

/* A row of mappings/hl7v2/out.json. */
struct pipeline_outgoing {
  unsigned kind;
  const struct mapping_map *map;
  struct fp_program *when, *withhold; /* NULL: always, never */
  struct str each;                    /* the list of which each item has a message; empty: the record has one */
};

struct pipeline {
  const struct host *host;
  struct arena *arena;
  struct definitions *definitions;
  struct str folder; /* mappings; empty when there is none */
  struct intake_routes routes;
  struct intake_sets *sets; /* descriptions of CSV sets; NULL: no mappings folder */
  bool sets_broken;
  struct pipeline_route *ways;
  struct mapping_set *maps;
  unsigned loaded; /* PIPELINE_MAPS_…; 0: none */
  struct pipeline_outgoing *outgoing;
  size_t outgoing_count;
  struct validation_setting *settings; /* of all routes */
  size_t setting_count;
  struct validation *validation;
};

/* INVALID, with a diagnostic: it has a resourceType. */
enum status pipeline_refuse_resource(const struct intake_record *record, struct diag_list *diags) MUST_USE;

/* Against its model. INVALID when an error was added. */
enum status pipeline_check_record(const struct pipeline *pipeline, const struct intake_record *record,
                                  const struct pipeline_run *run) MUST_USE;
/* The maps of a record's route, or of messages, are among what is loaded; else INVALID with a diagnostic. */
enum status pipeline_is_loaded(const struct pipeline *pipeline, const struct intake_record *record, unsigned maps,
                               struct diag_list *diags) MUST_USE;
/* PIPELINE_MAPS_INCOMING or _RECORDS. */
unsigned pipeline_maps_of(const struct intake_route *route);

enum { PIPELINE_ROWS_MAX = 64 };
/* Maps that the rows of mappings/hl7v2/out.json name, added to the list; faults are not told. NOMEM. */
enum status pipeline_messages_roots(const struct pipeline *pipeline, struct str *roots, size_t *count) MUST_USE;
/* The rows of mappings/hl7v2/out.json. Maps are loaded. CONFIG, NOMEM. */
enum status pipeline_messages_open(struct pipeline *pipeline, struct diag_list *diags) MUST_USE;

/* The rules of the models of all routes, and what the clinic's policy.json makes of them. Routes and folder are
   known. CONFIG, NOMEM. */
enum status pipeline_rules_open(struct pipeline *pipeline, const struct pipeline_params *params,
                                struct diag_list *diags) MUST_USE;

#endif
