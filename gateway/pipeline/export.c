/* export.c - the sentence of the design: record -> checked -> mapped -> finished Bundle -> checked. */
#include "pipeline/internal.h"
#include "report/report.h"

/* One record on its way. */
struct passage {
  const struct pipeline *pipeline;
  const struct intake_record *record;
  const struct pipeline_run *run;
  const struct pipeline_route *way;
  struct bundle_shape shape;
  size_t errors; /* that were there before */
};

static enum status settled(const struct passage *passage, enum status status) {
  if (status != STATUS_OK) return status;
  return diag_errors(passage->run->diags) > passage->errors ? STATUS_INVALID : STATUS_OK;
}

static struct validation_run check_of(const struct passage *passage, struct diag_list *diags) {
  return (struct validation_run){.any_extensions = true,
                                 .host = passage->pipeline->host,
                                 .arena = passage->run->arena,
                                 .diags = diags,
                                 .source = &passage->record->source};
}

/* A message of HL7 v2 is not held to its model, which names what may be read: senders of any version write more than
   that, and all of it is told by place when no rule reads it. */
static bool is_message(const struct intake_record *record) {
  return str_starts(record->route->format, STR("hl7v2/"));
}

static enum status check_record(const struct passage *passage) {
  if (is_message(passage->record)) return STATUS_OK;
  struct validation_run run = check_of(passage, passage->run->diags);
  return settled(passage, validation_check(passage->pipeline->validation, &run, passage->record->root));
}

/* Whether clocks of the zone had this offset then. */
static bool is_of_zone(const struct datetime_zone *zone, const struct datetime *sent) {
  struct datetime local = *sent;
  local.has_offset = false;
  if (!zone || !sent->has_offset || sent->precision < DATETIME_MINUTE) return false;
  /* in the hour that comes twice its offset is one of the two */
  enum datetime_local found = datetime_zone_resolve(zone, &local);
  return found == DATETIME_LOCAL_TWICE || (found == DATETIME_LOCAL_ONE && local.offset == sent->offset);
}

/* Where the times of the record were written that do not say it themselves. */
static struct fp_place place_of(const struct passage *passage) {
  struct arena *arena = passage->run->arena;
  struct fp_place place = {0};
  struct datetime sent;
  if (!passage->way->identities[INTAKE_SENT]) return place;
  struct str id = pipeline_identity(passage->pipeline, passage->record, INTAKE_CLINIC, arena);
  const struct intake_clinic *clinic = intake_clinic_find(&passage->pipeline->routes, id);
  if (clinic) place.zone = clinic->zone;
  if (!fhirpath_dtm(pipeline_identity(passage->pipeline, passage->record, INTAKE_SENT, arena), &sent)) return place;
  place.has_offset = sent.has_offset;
  place.offset = sent.offset;
  place.in_zone = is_of_zone(place.zone, &sent);
  return place;
}

enum status pipeline_check_record(const struct pipeline *pipeline, const struct intake_record *record,
                                  const struct pipeline_run *run) {
  struct passage passage = {pipeline, record, run, .errors = diag_errors(run->diags)};
  return check_record(&passage);
}

static enum status map_record(const struct passage *passage, struct tree_node **bundle) {
  struct fp_place place = place_of(passage);
  struct mapping_run run = {.host = passage->pipeline->host,
                            .arena = passage->run->arena,
                            .diags = passage->run->diags,
                            .source = &passage->record->source,
                            .trace = passage->run->trace,
                            .trace_context = passage->run->trace_context,
                            .place = &place,
                            .unknown = passage->run->unknown,
                            .unknown_context = passage->run->unknown_context};
  enum status status =
      mapping_run(passage->pipeline->maps, passage->way->map, &run, passage->record->root, bundle);
  if (status == STATUS_OK) mapping_report_unread(passage->record->root, &run);
  return settled(passage, status);
}

/* The page of the session, where the destination takes it in place of resources. */
static enum status fill_note(const struct passage *passage, const struct bundle_params *params,
                             struct tree_node *bundle) {
  struct tree_node *note = bundle_session_note(bundle);
  struct report_params page = {.record = passage->record->root,
                               .arena = passage->run->arena,
                               .psychotherapy_notes = passage->shape.psychotherapy_notes,
                               .document = true};
  struct buf html;
  if (!note) return STATUS_OK;
  buf_init(&html, LIMIT_NOTE_BYTES);
  enum status status = report_session_html(&page, &html);
  if (status == STATUS_OK) status = bundle_note_fill(params, note, buf_str(&html));
  buf_release(&html);
  return status;
}

static enum status finish_bundle(const struct passage *passage, struct tree_node *bundle) {
  struct bundle_params params = {
      .definitions = passage->pipeline->definitions,
      .shape = &passage->shape,
      .clinic_id = pipeline_identity(passage->pipeline, passage->record, INTAKE_CLINIC, passage->run->arena),
      .arena = passage->run->arena,
      .diags = passage->run->diags,
      .source = &passage->record->source,
      .report = passage->run->report};
  enum status status = settled(passage, bundle_finish(&params, bundle));
  return status == STATUS_OK ? fill_note(passage, &params, bundle) : status;
}

/* What is done with a Bundle in which errors were found. */
static enum status judge(const struct passage *passage, struct diag_list *found) {
  const struct pipeline_policy *policy = passage->run->policy;
  enum pipeline_verdict verdict = policy ? policy->verdict : PIPELINE_REFUSE;
  bool failed = diag_failed(found);
  diag_take(passage->run->diags, found, verdict == PIPELINE_WARN ? DIAG_WARNING : DIAG_FATAL);
  if (failed && verdict == PIPELINE_PARK && passage->run->parked) *passage->run->parked = true;
  return failed && verdict != PIPELINE_WARN ? STATUS_INVALID : STATUS_OK;
}

/* What a map made knows the place in the record that it came from. */
static enum status check_bundle(const struct passage *passage, struct tree_node *bundle) {
  const struct pipeline_policy *policy = passage->run->policy;
  struct diag_list found;
  if (!passage->run->validate) return STATUS_OK;
  diag_list_init(&found, passage->run->diags->arena);
  struct validation_run run = check_of(passage, &found);
  if (policy) {
    run.wanted = policy->profiles;
    run.wanted_count = policy->profile_count;
  }
  enum status status = validation_check(passage->pipeline->validation, &run, bundle);
  enum status judged = judge(passage, &found);
  return status != STATUS_OK ? status : judged;
}

enum status pipeline_refuse_resource(const struct intake_record *record, struct diag_list *diags) {
  struct diag_at at = {.source = &record->source, .offset = tree_offset(record->root)};
  diag_error(diags, DIAG_INPUT_FORMAT, &at, "this is a FHIR resource already; a clinic record is wanted");
  return STATUS_INVALID;
}

enum status pipeline_export(const struct pipeline *pipeline, const struct intake_record *record,
                            const struct pipeline_run *run, struct tree_node **bundle) {
  struct passage passage = {pipeline, record, run, .errors = diag_errors(run->diags)};
  passage.shape = run->shape ? *run->shape : bundle_shape_collection();
  if (!record->route) return pipeline_refuse_resource(record, run->diags);
  passage.way = &pipeline->ways[record->route - pipeline->routes.routes];
  enum status status = pipeline_is_loaded(pipeline, record, pipeline_maps_of(record->route), run->diags);
  if (status == STATUS_OK) status = check_record(&passage);
  if (status == STATUS_OK) status = map_record(&passage, bundle);
  if (status == STATUS_OK) status = finish_bundle(&passage, *bundle);
  if (status == STATUS_OK) status = check_bundle(&passage, *bundle);
  return status;
}

struct str pipeline_identity(const struct pipeline *pipeline, const struct intake_record *record,
                             enum intake_identity which, struct arena *arena) {
  struct fp_item slot;
  struct fp_list found = {0};
  struct diag_list diags;
  struct str id = {0};
  if (!record->route) return id;
  diag_list_init(&diags, arena);
  struct fp_run run = {.host = pipeline->host, .arena = arena, .diags = &diags, .resource = record->root};
  const struct fp_program *program = pipeline->ways[record->route - pipeline->routes.routes].identities[which];
  if (!program) return id;
  if (fhirpath_eval(program, &run, fp_one_node(&slot, record->root), &found) != STATUS_OK) return id;
  if (found.count != 1 || !fhirpath_text(&found.items[0], arena, &id)) return (struct str){0};
  return id;
}
