/* internal.h - private to pipeline. */
#ifndef KETLINK_PIPELINE_INTERNAL_H
#define KETLINK_PIPELINE_INTERNAL_H

#include "pipeline/pipeline.h"

/* What a route needs beyond its names, by the route's index. */
struct pipeline_route {
  const struct mapping_map *map;
  struct fp_program *clinic_id;
};

struct pipeline {
  const struct host *host;
  struct arena *arena;
  struct definitions *definitions;
  struct str folder; /* mappings; empty when there is none */
  struct intake_routes routes;
  struct pipeline_route *ways;
  struct mapping_set *maps;
  struct validation *validation;
};

/* Like pipeline_find_pack for the mappings folder; diags NULL: no complaint. */
enum status pipeline_find_mappings(const char *given, struct arena *arena, struct diag_list *diags,
                                   struct str *out) MUST_USE;

#endif
