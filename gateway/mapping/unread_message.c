/*
 * unread_message.c - what no rule read of a message of HL7 version 2: by place (PID-10, PID-3.2, or PD1 when nothing of
 * a segment was read), once in a message however often it repeats.
 *
 * Most of it is information: a sender fills what it has, and much of that is nothing that FHIR or this clinic asks for. A value, an
 * amount, a substance or a text that nobody reads may be what the message was sent for: that is a warning.
 */
#include "mapping/internal.h"

enum { SEGMENT_NAME = 3, PLACE_DEPTH = 3 /* field, component, subcomponent */ };

struct message {
  const struct mapping_run *run;
  struct map places; /* place -> struct fml_unread */
  bool nomem;
};

static void note(struct message *message, struct str place, const struct tree_node *node, size_t values) {
  struct fml_unread *unread = place.ptr ? map_get(&message->places, place) : NULL;
  if (place.ptr && !unread) {
    unread = ARENA_NEW(message->run->arena, struct fml_unread);
    if (unread) *unread = (struct fml_unread){.path = place, .first = node};
    if (!unread || map_put(&message->places, place, unread) != STATUS_OK) unread = NULL;
  }
  if (unread)
    unread->count += values;
  else
    message->nomem = true;
}

/* The way to a node: what it is part of, up to its segment. */
struct trail {
  const struct trail *above; /* NULL: the segment */
  const struct tree_node *node;
  unsigned depth; /* 0: a field */
};

/* PID_3 below PID: "PID-3"; CX_2 below that: "PID-3.2". Written when it is told of, as most parts are read. */
static struct str place_of(const struct message *message, const struct trail *trail) {
  if (!trail->above) return trail->node->name;
  struct str above = place_of(message, trail->above), name = trail->node->name;
  if (!above.ptr) return above;
  size_t at = name.len;
  while (at > 0 && name.ptr[at - 1] != '_')
    at--;
  return arena_join(message->run->arena, above, trail->depth ? '.' : '-', str_slice(name, at, SIZE_MAX));
}

/* A part of which nothing was read is told whole. */
static void visit(struct message *message, const struct trail *above, const struct tree_node *node, unsigned depth) {
  struct trail trail = {above, node, depth};
  if (tree_is_meta(node) || message->nomem) return;
  if (!fml_any_read(node)) {
    size_t values = fml_count_leaves(node);
    if (values) note(message, place_of(message, &trail), node, values);
    return;
  }
  for (const struct tree_node *child = node->child; child && depth + 1 < PLACE_DEPTH; child = child->next)
    visit(message, &trail, child, depth + 1);
}

static void visit_segments(struct message *message, const struct tree_node *group) {
  for (const struct tree_node *node = group->child; node && !message->nomem; node = node->next) {
    struct trail trail = {.node = node};
    if (tree_is_meta(node)) continue;
    if (node->name.len != SEGMENT_NAME) {
      visit_segments(message, node);
      continue;
    }
    if (!fml_any_read(node)) {
      size_t values = fml_count_leaves(node);
      if (values) note(message, node->name, node, values);
      continue;
    }
    for (const struct tree_node *field = node->child; field; field = field->next)
      visit(message, &trail, field, 0);
  }
}

bool fml_is_message(const struct tree_node *source) {
  const struct def_type *type = node_type(source);
  return type && str_starts(def_type_name(type), STR("V2_"));
}

/* What stands behind a subcomponent separator within a word that has none: "hives & rash" of AL1-3.2. */
static bool is_cut_off(struct str place) {
  static const char *const fields[] = {"OBX-5.", "RXA-5.", "RXA-9.", "AL1-3.", "DG1-3."};
  const char *component = place.len ? memchr(place.ptr, '.', place.len) : NULL;
  size_t at = component ? (size_t)(component + 1 - place.ptr) : place.len;
  if (at == place.len || !memchr(place.ptr + at, '.', place.len - at)) return false;
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    if (str_starts(place, str_of(fields[i]))) return true;
  return false;
}

/* Whole fields, and segments of which nothing was read. */
static bool matters(struct str place) {
  static const char *const places[] = {"OBX",   "OBX-5", "OBX-5.2", "OBX-5.5", "OBX-6", "RXA",   "RXA-5", "RXA-6", "RXA-7",
                                       "RXA-9", "RXR",   "AL1",     "AL1-3", "AL1-5", "DG1",   "DG1-3", "TXA-25"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (str_is(place, places[i])) return true;
  return is_cut_off(place);
}

static void tell(const struct mapping_run *run, const struct fml_unread *unread) {
  enum diag_severity severity = matters(unread->path) ? DIAG_WARNING : DIAG_INFORMATION;
  struct diag_at at = {.path = unread->path};
  if (unread->first->offset) {
    at.source = run->source;
    at.offset = tree_offset(unread->first);
  }
  if (unread->count > 1)
    diag_add(run->diags, severity, DIAG_UNREAD_VALUE, &at, "no rule of the map reads it (%zu values)", unread->count);
  else
    diag_add(run->diags, severity, DIAG_UNREAD_VALUE, &at, "no rule of the map reads it");
}

void fml_report_message(const struct tree_node *source, const struct mapping_run *run) {
  struct message message = {.run = run};
  map_init(&message.places, run->arena);
  visit_segments(&message, source);
  for (size_t i = 0; i < message.places.count; i++)
    tell(run, message.places.entries[i].value);
}
