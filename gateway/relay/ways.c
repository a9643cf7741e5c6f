/* ways.c - maps and destinations as the configuration names them, read as a whole. A reload makes new ones;
   what is under way keeps the old until it has ended. */
#include <stdlib.h>
#include "relay/internal.h"

enum { WAYS_BYTES = 16 << 20 };

/* What of a destination file is about Bundles. */
static enum status read_bundle_way(struct relay_way *way, const char *path, struct arena *arena, const struct host *host,
                                   struct diag_list *diags) {
  enum status status = pipeline_policy_read(path, host, arena, diags, &way->policy);
  return status == STATUS_OK ? bundle_shape_read(path, host, arena, diags, &way->shape) : status;
}

static enum status read_way(struct relay_ways *ways, const struct relay_config *config, size_t index,
                            const struct host *host, struct str folder, struct diag_list *diags) {
  struct relay_way *way = &ways->ways[index];
  const struct relay_destination_config *given = way->config = &config->destinations[index];
  struct str path = given->file;
  if (!path.len)
    path = arena_printf(ways->arena, "%.*s/destinations/%.*s.json", STR_ARG(folder), STR_ARG(given->name));
  if (!path.ptr) return STATUS_NOMEM;
  enum status status = delivery_destination_read(path.ptr, host, ways->arena, diags, &way->destination);
  if (status == STATUS_NOT_FOUND || status == STATUS_IO) return STATUS_CONFIG; /* no disk is at fault */
  if (status == STATUS_OK) status = relay_place_check(path, ways->arena, diags);
  if (status != STATUS_OK) return status;
  status = way->destination.protocol == DELIVERY_MLLP
               ? pipeline_message_policy_read(path.ptr, host, ways->arena, diags, &way->messages)
               : read_bundle_way(way, path.ptr, ways->arena, host, diags);
  way->destination.retries = 0; /* the store is patient: a record that failed goes back to it */
  if (status == STATUS_OK) status = delivery_client_new(&way->destination, host, diags, &way->client);
  return status;
}

static enum status read_ways(struct relay_ways *ways, const struct relay_config *config,
                             const struct host *host, struct diag_list *diags) {
  struct str folder;
  enum status worst = pipeline_find_mappings(config->mappings.ptr, ways->arena, diags, &folder);
  for (size_t i = 0; worst != STATUS_NOMEM && i < config->destination_count; i++) {
    enum status status = read_way(ways, config, i, host, folder, diags);
    if (worst == STATUS_OK) worst = status;
    ways->count = i + 1;
  }
  return worst;
}

/* The packages that any destination asks for. */
static enum status gather_packages(const struct relay_ways *ways, struct pipeline_params *params) {
  size_t count = 0;
  for (size_t i = 0; i < ways->count; i++)
    count += ways->ways[i].policy.package_count;
  const char **packages = ARENA_ARRAY(ways->arena, const char *, count + 1);
  if (!packages) return STATUS_NOMEM;
  for (size_t i = 0; i < ways->count; i++)
    for (size_t p = 0; p < ways->ways[i].policy.package_count; p++) {
      const char *package = ways->ways[i].policy.packages[p];
      bool known = false;
      for (size_t k = 0; k < params->package_count; k++)
        known |= strcmp(packages[k], package) == 0;
      if (!known) packages[params->package_count++] = package;
    }
  params->packages = packages;
  return STATUS_OK;
}

/* By what the destinations take: whatever comes, by post, in a folder or from the store, is mapped for these. */
static unsigned wanted_maps(const struct relay_ways *ways) {
  unsigned maps = 0;
  for (size_t i = 0; i < ways->count; i++)
    maps |= ways->ways[i].destination.protocol == DELIVERY_MLLP ? PIPELINE_MAPS_OUTGOING
                                                                : PIPELINE_MAPS_RECORDS | PIPELINE_MAPS_INCOMING;
  return maps ? maps : PIPELINE_MAPS_ALL;
}

static enum status open_pipeline(struct relay_ways *ways, const struct relay_config *config,
                                 const struct host *host, struct diag_list *diags) {
  struct pipeline_params params = {.host = host,
                                   .definitions = config->definitions.ptr,
                                   .mappings = config->mappings.ptr,
                                   .maps = wanted_maps(ways),
                                   .check_maps = true};
  enum status status = gather_packages(ways, &params);
  if (status == STATUS_OK) status = pipeline_open(&params, diags, &ways->pipeline);
  for (size_t i = 0; status == STATUS_OK && i < ways->count; i++)
    status = pipeline_policy_check(ways->pipeline, &ways->ways[i].policy, diags);
  return status;
}

enum status relay_ways_open(const struct relay_config *config, const struct host *host,
                            struct diag_list *diags, struct relay_ways **out) {
  struct relay_ways *ways = *out = calloc(1, sizeof *ways);
  if (!ways) return STATUS_NOMEM;
  ways->users = 1;
  ways->arena = arena_new(WAYS_BYTES);
  enum status status = ways->arena ? read_ways(ways, config, host, diags) : STATUS_NOMEM;
  if (status == STATUS_OK) status = open_pipeline(ways, config, host, diags);
  if (status == STATUS_OK) return status;
  relay_ways_leave(ways);
  *out = NULL;
  return status;
}

void relay_ways_leave(struct relay_ways *ways) {
  if (!ways || --ways->users) return;
  for (size_t i = 0; i < ways->count; i++)
    delivery_client_free(ways->ways[i].client);
  pipeline_close(ways->pipeline);
  arena_free(ways->arena);
  free(ways);
}
