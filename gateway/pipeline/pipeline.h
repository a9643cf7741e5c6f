/*
 * pipeline.h - one record through all stages: text -> source tree -> map -> resources -> Bundle -> validated.
 *
 * The command line and the relay both call this. A pipeline is opened once (definition pack, routes, maps,
 * validators) and is then immutable; each record has its own arena.
 */
#ifndef KETLINK_PIPELINE_PIPELINE_H
#define KETLINK_PIPELINE_PIPELINE_H

#include "base/base.h"
#include "bundle/bundle.h"
#include "definitions/definitions.h"
#include "intake/intake.h"
#include "mapping/mapping.h"
#include "validation/validation.h"

struct pipeline;

/* Which maps are loaded, and with it checked: those that the routes and mappings/hl7v2/out.json name, and what these import. */
enum {
  PIPELINE_MAPS_RECORDS = 1,  /* of records of the clinic: routes whose format is not of HL7 v2 */
  PIPELINE_MAPS_INCOMING = 2, /* of messages of HL7 v2 that come */
  PIPELINE_MAPS_OUTGOING = 4, /* of messages that records become */
  PIPELINE_MAPS_ALL = 7       /* all that the folder has, also those that nothing names */
};

struct pipeline_params {
  const struct host *host;
  const char *definitions;     /* pack file, or NULL: the documented places */
  const char *mappings;        /* folder, or NULL: the documented places */
  const char *const *packages; /* laid over the pack: FILE.tgz, a folder, ID#VERSION */
  size_t package_count;
  unsigned maps;   /* PIPELINE_MAPS_…; 0: definitions only (validate, fhirpath) */
  bool check_maps; /* all are checked first, also those that are not kept then */
  bool checklist; /* pipeline_check will be called */
  bool mending;   /* map check: faults of policy.json are told, and the pipeline opens all the same */
};
/* NOT_FOUND, CONFIG, INVALID with diagnostics. */
enum status pipeline_open(const struct pipeline_params *params, struct diag_list *diags,
                          struct pipeline **out) MUST_USE;
void pipeline_close(struct pipeline *pipeline);
/* The pack file: the first of the documented places that exists; NOT_FOUND with a diagnostic that lists them.
 */
enum status pipeline_find_pack(const char *given, struct arena *arena, struct diag_list *diags,
                               struct str *out) MUST_USE;

/* The same for the mappings folder; diags NULL: no complaint. */
enum status pipeline_find_mappings(const char *given, struct arena *arena, struct diag_list *diags,
                                   struct str *out) MUST_USE;

const struct definitions *pipeline_definitions(const struct pipeline *pipeline);
const struct mapping_set *pipeline_maps(const struct pipeline *pipeline);
const struct intake_routes *pipeline_routes(const struct pipeline *pipeline);
const struct validation *pipeline_validation(const struct pipeline *pipeline);
/* Whether a folder is a set of CSV files that a description of mappings/csv fits, and opening it: see
   intake_set_open. It is closed before the pipeline. */
bool pipeline_is_set(const struct pipeline *pipeline, const char *folder);
enum status pipeline_set_open(const struct pipeline *pipeline, const char *folder, struct diag_list *diags,
                              struct intake_set **out) MUST_USE;
/* Every fault of the descriptions in mappings/csv. */
enum status pipeline_check_sets(const struct pipeline *pipeline, struct arena *arena,
                                struct diag_list *diags) MUST_USE;
/* Every fault of the rows of mappings/hl7v2/out.json; the maps are those of the set. */
enum status pipeline_check_messages(const struct pipeline *pipeline, struct mapping_set *maps, struct arena *arena,
                                    struct diag_list *diags) MUST_USE;
struct str pipeline_mappings_folder(const struct pipeline *pipeline);

/* --- rules of care --- */

/* A rule of care of a record's model, and how grave this clinic takes it: mappings/policy.json says so,
   { "rules": { "bp-before": "error", "was-witnessed": "off" } }, for each rule that it names; the others are as
   the model says. Only rules of care can be named there: what maps rely on cannot be turned off. */
struct pipeline_rule {
  struct def_constraint constraint;
  enum validation_level usual, level; /* of the model, of this clinic */
};
struct pipeline_rules {
  const struct pipeline_rule *items; /* in the order of a session: by group, then as the model has them */
  size_t count;
};
/* Of the records of a route; none where its model has none. */
const struct pipeline_rules *pipeline_rules_of(const struct pipeline *pipeline, const struct intake_route *route);
/* The groups in the order of a session; what people call one. A group of the clinic's own has its code. */
struct str pipeline_group_title(struct str group);
/* "off", "warning", "error". */
const char *pipeline_level_name(enum validation_level level);

enum pipeline_mark {
  PIPELINE_HOLDS,
  PIPELINE_WARNS, /* it does not hold: a warning */
  PIPELINE_FAILS, /* it does not hold: an error */
  PIPELINE_NOT_APPLICABLE,
  PIPELINE_RULE_OFF,  /* by policy: not looked at */
  PIPELINE_NOT_KNOWN, /* the record breaks its model: a rule that seems to hold may have had nothing to see */
  PIPELINE_MARKS
};
/* "ok", "warning", "error", "not-applicable", "off", "not-known". */
const char *pipeline_mark_name(enum pipeline_mark mark);

struct pipeline_checklist {
  const struct pipeline_rules *rules;
  enum pipeline_mark *marks; /* by the index of a rule */
  size_t by_mark[PIPELINE_MARKS];
  size_t model_errors; /* errors that are not of a rule of care */
};
/* A record against its model, rule by rule. What was found stands in `diags`, of a rule with its key. The
   pipeline was opened for checklists. INVALID: it is a FHIR resource, no record; NOMEM, LIMIT. */
enum status pipeline_check(const struct pipeline *pipeline, const struct intake_record *record,
                           struct arena *arena, struct diag_list *diags,
                           struct pipeline_checklist *out) MUST_USE;

/* --- destinations --- */

/* What a destination asks of Bundles besides FHIR R4, and what is done with one in which the check finds
   errors; from mappings/destinations/NAME.json. */
enum pipeline_verdict {
  PIPELINE_REFUSE, /* bad data, as a record is that breaks its model */
  PIPELINE_PARK,   /* set aside: somebody has to look; others go on */
  PIPELINE_WARN    /* it goes its way, the errors become warnings */
};
struct pipeline_policy {
  const char *path; /* of the file */
  enum pipeline_verdict verdict;
  const char *const
      *profiles; /* canonicals: each resource conforms to one of those for its type, if there are any */
  size_t profile_count;
  const char *const *packages; /* that have them, for pipeline_params */
  size_t package_count;
};
/* Reads the pipeline's part of a destination file. STATUS_CONFIG with diagnostics. */
enum status pipeline_policy_read(const char *path, const struct host *host, struct arena *arena,
                                 struct diag_list *diags, struct pipeline_policy *out) MUST_USE;
/* Whether the pipeline's definitions have all the profiles; STATUS_CONFIG with diagnostics. */
enum status pipeline_policy_check(const struct pipeline *pipeline, const struct pipeline_policy *policy,
                                  struct diag_list *diags) MUST_USE;

struct pipeline_run {
  struct arena *arena;
  struct diag_list *diags;
  const struct bundle_shape *shape;     /* NULL: collection */
  struct bundle_report *report;         /* what does not go to the destination; or NULL */
  bool validate;                        /* the Bundle against its definitions (the record always is) */
  const struct pipeline_policy *policy; /* NULL: no profiles; refuse */
  bool quiet; /* messages: what none of them carries is not told */
  bool *parked; /* set when the status is INVALID because the policy parks the Bundle; may be NULL */
  void (*trace)(void *context, const struct mapping_trace *trace);
  void *trace_context;
  void (*unknown)(void *context, const struct mapping_unknown *unknown); /* words that no ConceptMap knows */
  void *unknown_context;
};
/* A read record -> finished Bundle. STATUS_INVALID when any error was added: *bundle must then not be used.
 */
enum status pipeline_export(const struct pipeline *pipeline, const struct intake_record *record,
                            const struct pipeline_run *run, struct tree_node **bundle) MUST_USE;

/* --- HL7 v2 --- */

/* Messages in the order in which they are sent; that of destination_message_words. */
enum { PIPELINE_MESSAGE_KINDS = 10 };

/* What a destination of protocol mllp wants, from its file. The texts stand in MSH as they are. */
struct pipeline_message_policy {
  unsigned kinds; /* bits, by the index of destination_message_words */
  struct str version, charset, processing;
  struct str sending_application, sending_facility, receiving_application, receiving_facility;
  struct str accept_ack, application_ack; /* MSH-15 and MSH-16; both empty: original mode */
  bool psychotherapy_notes;               /* these too; else they stay at the clinic */
};
/* Without a destination: all messages, version 2.5.1, UTF-8. */
struct pipeline_message_policy pipeline_message_policy_usual(void);
/* STATUS_CONFIG with diagnostics. */
enum status pipeline_message_policy_read(const char *path, const struct host *host, struct arena *arena,
                                         struct diag_list *diags, struct pipeline_message_policy *out) MUST_USE;

struct pipeline_message {
  struct str kind;    /* "ORU_R01" */
  struct str control; /* MSH-10: a digest of the message, so that the same content has the same */
  struct str text;    /* UTF-8; segments end with CR */
  struct str bytes;   /* in the destination's charset */
  struct tree_node *tree; /* as the map made it */
};
/* A read record -> its messages, in the run's arena, in the order of mappings/hl7v2/out.json. The record is checked first, as for
   a Bundle; of the run, shape, report, policy and validate mean nothing here. Values that no message carries are
   informations, unless it is quiet. INVALID with diagnostics, also of a message above LIMIT_RECORD_BYTES; the record's tree is as it was. */
enum status pipeline_messages(const struct pipeline *pipeline, const struct intake_record *record,
                              const struct pipeline_run *run, const struct pipeline_message_policy *policy,
                              struct pipeline_message **out, size_t *count) MUST_USE;

/* --- records that are several --- */

/* An ADT^A40 may tell of several records that go, each of which has an order of its own to keep (`split` of its route). Each part
   is the record with one of them, without the others. */
enum { PIPELINE_PARTS_MAX = 64 };
struct pipeline_children {
  struct tree_node **items;
  size_t count;
};
struct pipeline_part {
  struct tree_node *item;
  struct pipeline_children siblings; /* of the item, and the item */
};
struct pipeline_parts {
  struct tree_node *root;
  struct pipeline_children children; /* of the root */
  struct pipeline_part *parts;
  size_t count; /* 0: the record goes as a whole */
};
/* Before anything is shown. In the arena, which must outlive its use. INVALID with a diagnostic: more than PIPELINE_PARTS_MAX. */
enum status pipeline_parts(const struct pipeline *pipeline, const struct intake_record *record, struct arena *arena,
                           struct diag_list *diags, struct pipeline_parts *out) MUST_USE;
/* The record's tree becomes that of the part; the other parts can be shown after it. */
void pipeline_show_part(const struct pipeline_parts *parts, size_t index);

/* Whose a record is; empty when that is absent, or its route does not say. */
struct str pipeline_identity(const struct pipeline *pipeline, const struct intake_record *record,
                             enum intake_identity which, struct arena *arena);

#endif
