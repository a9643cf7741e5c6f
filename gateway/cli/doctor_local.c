/* doctor_local.c - checks of this side: definitions, maps, destination files, credentials, packages. */
#include "cli/doctor.h"
#include "relay/config.h"

enum { AUTHORITY_MAX = 1 << 20 };

static const char mend_file[] = "mend the file; its keys: mappings/destinations/README.md";
static const char mend_name[] = "name one that there is, or write its file: mappings/destinations/README.md";

/* --- this machine --- */

static bool check_definitions(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct cli *cli = doctor->cli;
  struct diag_list diags;
  struct str path;
  struct pipeline *pipeline = NULL;
  struct pipeline_params params = {.host = cli->host, .definitions = doctor->definitions};
  diag_list_init(&diags, cli->arena);
  enum status status = pipeline_find_pack(params.definitions, cli->arena, &diags, &path);
  if (status == STATUS_OK) status = pipeline_open(&params, &diags, &pipeline);
  if (status != STATUS_OK)
    return cli_doctor_fail_with(doctor, line, STATUS_CONFIG, "ketlink definitions build", &diags);
  struct def_package core = definitions_package(pipeline_definitions(pipeline), 0);
  cli_doctor_ok(doctor, line, "%.*s: %zu packages, %.*s#%.*s first", STR_ARG(path),
                definitions_package_count(pipeline_definitions(pipeline)), STR_ARG(core.id),
                STR_ARG(core.version));
  pipeline_close(pipeline);
  return true;
}

static bool check_maps(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct cli *cli = doctor->cli;
  struct diag_list diags;
  struct pipeline_params params = {.host = cli->host,
                                   .definitions = doctor->definitions,
                                   .mappings = doctor->mappings,
                                   .maps = PIPELINE_MAPS_ALL};
  diag_list_init(&diags, cli->arena);
  enum status status = pipeline_open(&params, &diags, &doctor->pipeline);
  if (status != STATUS_OK)
    return cli_doctor_fail_with(doctor, line, STATUS_CONFIG, "ketlink map check", &diags);
  const struct mapping_set *maps = pipeline_maps(doctor->pipeline);
  bool other = definitions_has_other_models(pipeline_definitions(doctor->pipeline));
  return cli_doctor_ok(doctor, line, "%.*s: %zu maps, %zu ConceptMaps, %zu routes%s",
                       STR_ARG(pipeline_mappings_folder(doctor->pipeline)), mapping_count(maps),
                       mapping_concept_map_count(maps), pipeline_routes(doctor->pipeline)->count,
                       other ? "; its models are not those of the pack, so each start reads them anew: ketlink definitions build" : "");
}

/* Every file of the folder, each by its three readers: nobody finds a slip of the pen only when sending. */
static enum status read_destination(struct cli_doctor *doctor, const char *path, struct diag_list *diags,
                                    struct delivery_destination *delivery, struct pipeline_policy *policy) {
  struct cli *cli = doctor->cli;
  struct bundle_shape shape;
  struct pipeline_message_policy messages;
  enum status status = delivery_destination_read(path, cli->host, cli->arena, diags, delivery);
  if (status == STATUS_OK && delivery->protocol == DELIVERY_MLLP)
    return pipeline_message_policy_read(path, cli->host, cli->arena, diags, &messages);
  if (status == STATUS_OK) status = bundle_shape_read(path, cli->host, cli->arena, diags, &shape);
  if (status == STATUS_OK)
    status = bundle_shape_check(path, cli->host, pipeline_definitions(doctor->pipeline), diags);
  if (status == STATUS_OK) status = pipeline_policy_read(path, cli->host, cli->arena, diags, policy);
  return status;
}

/* Those that the relay has elsewhere. */
static enum status read_of_relay(struct cli_doctor *doctor, size_t *count, struct diag_list *diags) {
  enum status status = STATUS_OK;
  for (size_t i = 0; doctor->relay && status == STATUS_OK && i < doctor->relay->destination_count; i++) {
    struct delivery_destination delivery;
    struct pipeline_policy policy;
    struct str path = doctor->relay->destinations[i].file;
    if (!path.len) continue;
    status = read_destination(doctor, path.ptr, diags, &delivery, &policy);
    ++*count;
  }
  return status;
}

static bool check_destinations(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct cli *cli = doctor->cli;
  struct diag_list diags;
  struct str folder =
      arena_concat(cli->arena, pipeline_mappings_folder(doctor->pipeline), STR("/destinations"));
  struct str *names = NULL;
  size_t count = 0;
  diag_list_init(&diags, cli->arena);
  if (!folder.ptr || cli->host->list_files(cli->host->context, folder.ptr, STR(".json"), cli->arena, &names,
                                           &count) != STATUS_OK)
    count = 0;
  for (size_t i = 0; i < count; i++) {
    struct delivery_destination delivery;
    struct pipeline_policy policy;
    struct str path = arena_printf(cli->arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(names[i]));
    enum status status =
        path.ptr ? read_destination(doctor, path.ptr, &diags, &delivery, &policy) : STATUS_NOMEM;
    if (status != STATUS_OK)
      return cli_doctor_fail_with(doctor, line, STATUS_CONFIG, mend_file, &diags);
  }
  enum status status = read_of_relay(doctor, &count, &diags);
  if (status != STATUS_OK) return cli_doctor_fail_with(doctor, line, STATUS_CONFIG, mend_file, &diags);
  return cli_doctor_ok(doctor, line, "%zu files, no faults", count);
}

/* --- one destination, as far as this machine goes --- */

/* The relay may have it elsewhere than among the mappings. */
static enum status find_file(struct cli_doctor *doctor, struct diag_list *diags) {
  const struct relay_destination_config *known =
      doctor->relay ? relay_config_destination(doctor->relay, str_of(doctor->name)) : NULL;
  if (!known || !known->file.len) return cli_find_destination_in(doctor->cli, doctor->mappings, doctor->name, &doctor->path, diags);
  doctor->path = known->file;
  return STATUS_OK;
}

/* A destination that nobody has written is none to mend. */
static bool is_written(const struct cli_doctor *doctor, enum status found) {
  const struct host *host = doctor->cli->host;
  struct str text;
  return found == STATUS_OK &&
         host->read_file(host->context, doctor->path.ptr, LIMIT_TEXT_BYTES, doctor->cli->arena, &text) != STATUS_NOT_FOUND;
}

static bool check_configuration(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct cli *cli = doctor->cli;
  struct diag_list diags;
  diag_list_init(&diags, cli->arena);
  enum status status = find_file(doctor, &diags);
  const char *advice = is_written(doctor, status) ? mend_file : mend_name;
  if (status == STATUS_OK)
    status = read_destination(doctor, doctor->path.ptr, &diags, &doctor->destination, &doctor->policy);
  if (status == STATUS_OK)
    status = destination_read(cli->host, doctor->path.ptr, DESTINATION_ALL, &diags, &doctor->file);
  if (status != STATUS_OK) return cli_doctor_fail_with(doctor, line, STATUS_CONFIG, advice, &diags);
  struct str preset = doctor->file.preset.name;
  return cli_doctor_ok(doctor, line, "%.*s%s%.*s", STR_ARG(doctor->path), preset.len ? " on " : "",
                       STR_ARG(preset));
}

static bool check_authority(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct cli *cli = doctor->cli;
  struct str path = doctor->destination.ca_file, text = {0};
  if (doctor->destination.plain) return cli_doctor_ok(doctor, line, "none needed: in clear, to this machine");
  if (!path.len) return cli_doctor_ok(doctor, line, "the system's authorities");
  enum status status = cli->host->read_file(cli->host->context, path.ptr, AUTHORITY_MAX, cli->arena, &text);
  if (status != STATUS_OK)
    return cli_doctor_fail(doctor, line, STATUS_CONFIG, "check the name and the permissions of caFile",
                           "%.*s cannot be read: %s", STR_ARG(path), status_reason(status));
  if (str_find(text, STR("-----BEGIN CERTIFICATE-----"), 0) == SIZE_MAX)
    return cli_doctor_fail(doctor, line, STATUS_CONFIG, "caFile is a certificate in PEM",
                           "%.*s holds no certificate in PEM", STR_ARG(path));
  return cli_doctor_ok(doctor, line, "%.*s alone is trusted", STR_ARG(path));
}

static struct str describe_credential(const struct cli_doctor *doctor) {
  const struct delivery_destination *destination = &doctor->destination;
  struct arena *arena = doctor->cli->arena;
  const char *more = destination->cert_file.len ? ", and a client certificate" : "";
  switch (destination->auth) {
  case DELIVERY_AUTH_BEARER:
    return arena_printf(arena, "%.*s, readable by its owner only%s", STR_ARG(destination->token_file), more);
  case DELIVERY_AUTH_BASIC:
    return arena_printf(arena, "user and password%s", more);
  case DELIVERY_AUTH_SMART:
    return arena_printf(arena, "key set %.*s for client %.*s%s", STR_ARG(destination->keys_file),
                        STR_ARG(destination->client_id), more);
  default:
    return destination->cert_file.len ? STR("a client certificate") : STR("none: the server is open");
  }
}

/* Making the client reads the credential: its files, their modes, their form. Without a good one the server
 * is looked at all the same, by a client that has none. */
static bool check_credential(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  const struct host *host = doctor->cli->host;
  struct diag_list diags;
  diag_list_init(&diags, doctor->cli->arena);
  enum status status = delivery_client_new(&doctor->destination, host, &diags, &doctor->client);
  if (status == STATUS_OK) {
    struct str what = describe_credential(doctor);
    return cli_doctor_ok(doctor, line, "%.*s", STR_ARG(what));
  }
  (void)cli_doctor_fail_with(doctor, line, STATUS_CONFIG,
                             "a secret is a file that is there, and that only its owner can read: chmod 600", &diags);
  struct delivery_destination open = doctor->destination;
  open.auth = DELIVERY_AUTH_NONE;
  open.cert_file = open.key_file = (struct str){0};
  doctor->no_credential = true;
  return delivery_client_new(&open, host, &diags, &doctor->client) == STATUS_OK;
}

static bool check_profiles(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct cli *cli = doctor->cli;
  struct diag_list diags;
  struct pipeline *pipeline = NULL;
  struct pipeline_params params = {.host = cli->host,
                                   .packages = doctor->policy.packages,
                                   .package_count = doctor->policy.package_count,
                                   .definitions = doctor->definitions,
                                   .mappings = doctor->mappings};
  if (!doctor->policy.package_count && !doctor->policy.profile_count)
    return cli_doctor_ok(doctor, line, "none asked for besides FHIR R4");
  diag_list_init(&diags, cli->arena);
  enum status status = pipeline_open(&params, &diags, &pipeline);
  if (status == STATUS_OK) status = pipeline_policy_check(pipeline, &doctor->policy, &diags);
  pipeline_close(pipeline);
  if (status != STATUS_OK)
    return cli_doctor_fail_with(doctor, line, STATUS_CONFIG, "name the package that has it in packages",
                                &diags) ||
           true;
  return cli_doctor_ok(doctor, line, "%zu profiles, %zu packages", doctor->policy.profile_count,
                       doctor->policy.package_count);
}

const struct cli_doctor_check cli_doctor_local[] = {
    {"definitions", DOCTOR_ALWAYS, check_definitions},
    {"maps", DOCTOR_ALWAYS, check_maps},
    {"destinations", DOCTOR_WITHOUT, check_destinations},
    {"configuration", DOCTOR_WITH_DESTINATION, check_configuration},
    {"profiles", DOCTOR_WITH_DESTINATION, check_profiles},
    {"authority", DOCTOR_WITH_DESTINATION, check_authority},
    {"credential", DOCTOR_WITH_DESTINATION, check_credential},
};
const size_t cli_doctor_local_count = sizeof cli_doctor_local / sizeof cli_doctor_local[0];
