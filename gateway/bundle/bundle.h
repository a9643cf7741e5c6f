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

/* How a destination wants it; from mappings/destinations/NAME.json. */
struct bundle_shape {
  enum bundle_submit submit;
  enum bundle_idempotency idempotency;
  size_t max_entries;        /* 0: no cap */
  const struct str *allowed; /* resource types; NULL: all */
  size_t allowed_count;
  bool psychotherapy_notes; /* resources labelled PSYTHPN too; else they are left out */
};
/* Reads the bundle's part of a destination file. STATUS_CONFIG with diagnostics. */
enum status bundle_shape_read(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct bundle_shape *out) MUST_USE;
/* All that the map made, psychotherapy notes too: for maps, not for sending. */
struct bundle_shape bundle_shape_collection(void);
/* By the word that people write: transaction, batch, single, collection, ndjson. False for any other. */
bool bundle_submit_parse(struct str word, enum bundle_submit *out);

struct bundle_params {
  const struct definitions *definitions;
  const struct bundle_shape *shape;
  struct str clinic_id;
  struct arena *arena;
  struct diag_list *diags;
  const struct source *source; /* of the record that the Bundle was made from, for positions; or NULL */
};
/* In place on the map's target Bundle (bound). STATUS_INVALID with diagnostics. Resources of types the
   destination does not take are left out with a warning each (BUNDLE_NOT_ALLOWED), and references to them
   become logical references by identifier. So are psychotherapy notes, unless the shape asks for them
   (BUNDLE_WITHHELD). In a request that is conditional the resource has no id: the
   server gives it one. */
enum status bundle_finish(const struct bundle_params *params, struct tree_node *bundle) MUST_USE;

/* One entry as the sender sees it. */
struct bundle_entry {
  struct tree_node *entry;
  struct str type;        /* resource type */
  struct str key;         /* record key */
  struct str full_url;    /* urn:uuid:… */
  struct str request_url; /* "Patient?identifier=…" */
};
/* The plan of a delivery: parts of at most max_entries, in dependency order; entries that refer to each other
   in a circle are never parted (BUNDLE_CYCLE when they do not fit one part). An entry of a batch stands in a
   later part than all it refers to; single writes have one entry a part. References to entries of the
   same part stay urn:uuid; references to entries of earlier parts are rewritten when those are known
   (bundle_part_make). */
struct bundle_plan {
  struct bundle_entry *entries; /* in order of sending */
  size_t entry_count;
  size_t *part_ends; /* entries [part_ends[i-1], part_ends[i]) are part i */
  size_t part_count;
};
enum status bundle_plan_make(const struct bundle_params *params, struct tree_node *bundle,
                             struct bundle_plan *out) MUST_USE;
/* The Bundle of one part; `locations[i]` is "Type/id" of entry i on the server for entries of earlier parts.
 */
enum status bundle_part_make(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                             const struct str *locations, struct tree_node **out) MUST_USE;

#endif
