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

#endif
