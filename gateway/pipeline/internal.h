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
/* The rows of mappings/hl7v2/out.json. Maps are loaded. CONFIG, NOMEM. */
enum status pipeline_messages_open(struct pipeline *pipeline, struct diag_list *diags) MUST_USE;

/* The rules of the models of all routes, and what the clinic's policy.json makes of them. Routes and folder are
   known. CONFIG, NOMEM. */
enum status pipeline_rules_open(struct pipeline *pipeline, const struct pipeline_params *params,
                                struct diag_list *diags) MUST_USE;

#endif
