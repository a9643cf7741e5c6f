/*
 * bundle.h - resources -> Bundle: stable ids, references, request entries, the shape each destination wants.
 *
 * A map writes a *record key* into Resource.id ("S-000412/doses/A1") and refers by `Type/<key>`.
 * bundle_finish turns keys into UUIDv5 ids of the clinic's namespace, so the same record always gives the
 * same Bundle: namespace = UUIDv5(6ba7b811-9dad-11d1-80b4-00c04fd430c8 (URL),
 * "http://ketlink.dev/fhir/clinic/<clinic id>") id        = UUIDv5(namespace, "<Type>/<key>") fullUrl is
 * urn:uuid:<id>; references become urn:uuid:<id>. Each resource gets the *record identifier* {system
 * "http://ketlink.dev/fhir/clinic/<clinic id>/record", value key} as its last identifier, or, where R4 has no
 * search by identifier for the type, the same pair as meta.tag; conditional requests match on it. Entries are
 * in dependency order: what is referred to stands before what refers, ties in the order of the map.
 * References between resources that do not exist are errors, as are missing or duplicate keys.
 *
 * A map that only mentions what others know better (the patient of a laboratory result) marks the resource
 * *create-only*: meta.tag {"http://ketlink.dev/fhir/CodeSystem/local", "create-only"}. The tag is taken out;
 * such a resource is made where there is none, and referred to, never updated, where there is one.
 */
#ifndef KETLINK_BUNDLE_BUNDLE_H
#define KETLINK_BUNDLE_BUNDLE_H

#include "base/base.h"
#include "definitions/definitions.h"
#include "tree/tree.h"

enum bundle_submit {
  BUNDLE_TRANSACTION,
  BUNDLE_BATCH,
  BUNDLE_SINGLE,
  BUNDLE_COLLECTION,
  BUNDLE_RESOURCES /* for NDJSON files: ids, references `Type/id` */
};
enum bundle_idempotency { BUNDLE_CONDITIONAL_UPDATE, BUNDLE_CONDITIONAL_CREATE, BUNDLE_SEARCH_FIRST };
/* What may be done with resources of a type. READ alone: they are looked up, referred to, never written. */
enum bundle_may { BUNDLE_CREATE = 1, BUNDLE_UPDATE = 2, BUNDLE_READ = 4 };
enum bundle_note { BUNDLE_NOTE_NEVER, BUNDLE_NOTE_REPLACED, BUNDLE_NOTE_ALWAYS };
/* What a destination insists on; in the order of destination_require_words. */
enum bundle_rule {
  BUNDLE_ONE_CATEGORY,
  BUNDLE_VITAL_SIGNS_OR_LABORATORY,
  BUNDLE_VITAL_SIGNS_ONLY,
  BUNDLE_EFFECTIVE_DATE_TIME,
  BUNDLE_EFFECTIVE_TIME,
  BUNDLE_VITAL_SIGNS_PERFORMER,
  BUNDLE_COMPONENTS_BP_SPO2,
  BUNDLE_NO_MODIFIER_EXTENSION,
  BUNDLE_ATTACHMENT_TYPES,
  BUNDLE_DOCUMENT_TIME,
  BUNDLE_PATIENT_ON_SERVER, /* the sender sees to it */
  BUNDLE_RULE_COUNT
};

struct bundle_type {
  struct str type;
  unsigned may; /* enum bundle_may */
};
/* By which identifiers a server knows what it holds already. */
struct bundle_lookup {
  struct str type;
  const struct str *systems;
  size_t system_count;
};

/* How a destination wants it; from mappings/destinations/NAME.json. */
struct bundle_shape {
  enum bundle_submit submit;
  enum bundle_idempotency idempotency;
  bool look_first;                /* find what is there before anything is sent */
  size_t max_entries;             /* 0: no cap */
  size_t max_conditional;         /* the same for parts with a conditional request */
  const struct bundle_type *types; /* NULL: all types, created and updated */
  size_t type_count;
  const struct bundle_lookup *lookups;
  size_t lookup_count;
  bool resolved_references; /* no logical references: they are left out */
  bool require[BUNDLE_RULE_COUNT];
  enum bundle_note session_note;
  bool psychotherapy_notes; /* resources labelled PSYTHPN too; else they are left out */
};
/* 0: the destination does not take the type. */
unsigned bundle_shape_may(const struct bundle_shape *shape, struct str type);
/* Reads the bundle's part of a destination file. STATUS_CONFIG with diagnostics. */
enum status bundle_shape_read(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct bundle_shape *out) MUST_USE;
/* Whether the types that the file names are resources. STATUS_CONFIG with diagnostics. */
enum status bundle_shape_check(const char *path, const struct host *host, const struct definitions *definitions,
                               struct diag_list *diags) MUST_USE;
/* All that the map made, psychotherapy notes too: for maps, not for sending. */
struct bundle_shape bundle_shape_collection(void);
/* By the word that people write: transaction, batch, single, collection, ndjson. False for any other. */
bool bundle_submit_parse(struct str word, enum bundle_submit *out);

/* What does not go to this destination, and why. */
struct bundle_left_out {
  struct str type, key;
  struct str reason; /* "type", "read-only", "psychotherapy-note", or the word of a rule */
};
struct bundle_report {
  struct bundle_left_out *left_out;
  size_t left_out_count;
  bool session_note; /* the note is in the Bundle: what was left out travels in it */
};

struct bundle_params {
  const struct definitions *definitions;
  const struct bundle_shape *shape;
  struct str clinic_id;
  struct arena *arena;
  struct diag_list *diags;
  const struct source *source; /* of the record that the Bundle was made from, for positions; or NULL */
  struct bundle_report *report; /* filled by bundle_finish; or NULL */
  struct str text; /* from which the Bundle was read, as tree_write_text wrote it: what a part has of it is copied. Empty: none */
};
/* In place on the map's target Bundle (bound). STATUS_INVALID with diagnostics. Resources of types the
   destination does not take are left out with a warning each (BUNDLE_NOT_ALLOWED), and references to them
   become logical references by identifier, or go where the destination takes none. So are psychotherapy
   notes, unless the shape asks for them (BUNDLE_WITHHELD), and what breaks a rule of the destination
   (BUNDLE_REQUIRED); what a rule drops is a warning (BUNDLE_ADJUSTED). Types that are only read stay as
   `GET` entries when something refers to them. The session note, which the map always makes, stays only
   where the shape wants it. In a request the resource has no id: the server gives it one. */
enum status bundle_finish(const struct bundle_params *params, struct tree_node *bundle) MUST_USE;
/* For readers other than bundle_plan_make: takes out what only that reads. The requests stay. */
void bundle_take_marks(struct tree_node *bundle);
/* The DocumentReference that stands for the whole session, by its tag. */
bool bundle_is_session_note(const struct tree_node *resource);
/* The session note of a finished Bundle, or NULL. */
struct tree_node *bundle_session_note(const struct tree_node *bundle);
/* Puts the page into it: data, size and hash of its attachment. */
enum status bundle_note_fill(const struct bundle_params *params, struct tree_node *note, struct str page) MUST_USE;

/* A way to find a resource on the server. */
struct bundle_search {
  struct str system, value;
  bool by_tag; /* the pair stands in meta.tag, else in an identifier */
  bool own;    /* it is the record identifier: what is found was written by us */
};
/* One entry as the sender sees it. */
struct bundle_entry {
  struct tree_node *entry; /* NULL: see bundle_plan_trees */
  size_t index;           /* in the Bundle */
  struct str type;        /* resource type */
  struct str key;         /* record key */
  struct str full_url;    /* urn:uuid:… */
  unsigned may;           /* enum bundle_may */
  bool mentioned;         /* create-only: what is there stays as it is, and is no fault */
  bool look;              /* to be looked for before it is sent */
  bool died;              /* a Patient who has */
  bool silent;            /* a Patient of whom it says neither that nor the contrary, nor that another record is theirs */
  const struct bundle_search *searches; /* the record's own first */
  size_t search_count;
  const uint32_t *targets; /* the entries of the plan that it refers to */
  size_t target_count;
  struct str text;         /* the entry as it was read; empty: it was not */
  struct str resource;     /* its resource, likewise */
  const uint32_t *places;  /* of each target: where in `text` the reference stands, with its quotes */
};
/* "Patient?identifier=…"; ptr NULL: no memory. */
struct str bundle_search_url(const struct bundle_entry *entry, const struct bundle_search *search, struct arena *arena);
/* The plan of a delivery. First stand the entries that are only looked up; then parts of at most max_entries
   (max_conditional), in dependency order; entries that refer to each other in a circle are never parted
   (BUNDLE_CYCLE when they do not fit one part). An entry of a batch stands in a later part than all it refers
   to; single writes have one entry a part. */
struct bundle_plan {
  struct bundle_entry *entries; /* in order of sending */
  size_t entry_count;
  size_t lookup_count; /* entries [0, lookup_count) are never written */
  size_t *part_ends;   /* entries [part_ends[i-1] or lookup_count, part_ends[i]) are part i */
  size_t part_count;
};
/* `bundle` NULL: from params->text, most often without a tree. INVALID: also when that is none of bundle_finish. */
enum status bundle_plan_make(const struct bundle_params *params, struct tree_node *bundle,
                             struct bundle_plan *out) MUST_USE;
/* params->text as a tree. STATUS_INVALID with diagnostics. */
enum status bundle_read(const struct bundle_params *params, struct tree_node **out) MUST_USE;
/* Of a plan that was made without a tree, reads one for its entries: for parts as trees, and whatever goes otherwise than it stands in
   the text. What makes parts asks for it. Nothing when they have one. */
enum status bundle_plan_trees(const struct bundle_params *params, const struct bundle_plan *plan) MUST_USE;
static inline size_t bundle_part_begin(const struct bundle_plan *plan, size_t part) {
  return part ? plan->part_ends[part - 1] : plan->lookup_count;
}

/* What the sender knows of an entry when a part is made. */
struct bundle_known {
  struct str location; /* "Type/id" on the server, or empty */
  struct str version;  /* of what is there, for ifMatch; or empty */
  bool leave;          /* not in this Bundle: it is there already, or it must wait */
  bool absent;         /* only read, and not found: named by identifier */
};
/* The Bundle of one part. References to entries of the part stay urn:uuid; where a location is known they
   carry it; of absent ones they become logical, or go (STATUS_CONFLICT: FHIR wants that reference, and the
   destination takes no logical one). An entry whose location is known becomes an update by id. */
enum status bundle_part_make(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                             const struct bundle_known *known, struct tree_node **out) MUST_USE;

/* The same as its text, for a part that has something to send. */
enum status bundle_part_write(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                              const struct bundle_known *known, struct str *out) MUST_USE;

/* Compares what was sent with what a server holds: names of the elements that it lacks or has otherwise, at
   most `max` of them; with `extra` also those that it has and we do not. Numbers and times are compared by
   value, references without their base; ids, meta but its labels, narrative and display texts are the
   server's own. Both are bound. */
size_t bundle_compare(const struct tree_node *ours, const struct tree_node *theirs, bool extra, struct str *names,
                      size_t max);

#endif
