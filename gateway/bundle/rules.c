/*
 * rules.c - what a destination insists on, as one table in the order of enum bundle_rule.
 *
 * A rule puts right what loses nothing, says what it drops (BUNDLE_ADJUSTED), and leaves a resource out when only
 * an invention would help.
 */
#include "bundle/internal.h"
#include "base/destination.h"

struct obeying {
  struct bundle_finishing *finish;
  const struct bundle_item *item;
};

/* False: the resource cannot go. */
typedef bool bundle_rule_check(const struct obeying *obeying);

static void dropped(const struct obeying *obeying, const struct tree_node *node, const char *what) {
  BUNDLE_COMPLAIN(obeying->finish, DIAG_WARNING, DIAG_BUNDLE_ADJUSTED, node, "%.*s (%.*s): %s",
                  STR_ARG(obeying->item->type), STR_ARG(bundle_shown_key(obeying->finish->params->arena, obeying->item->key)), what);
}

/* --- categories --- */

static bool concept_has(const struct tree_node *concept, const char *code) {
  for (const struct tree_node *c = concept ? tree_find(concept, "coding") : NULL; c; c = tree_next_same(c))
    if (str_is(tree_text(c, "code"), code)) return true;
  return false;
}

static bool has_category(const struct tree_node *resource, const char *code) {
  for (const struct tree_node *c = tree_find(resource, "category"); c; c = tree_next_same(c))
    if (concept_has(c, code)) return true;
  return false;
}

/* All but `kept`; a warning when there was another one. */
static void keep_category(const struct obeying *obeying, const struct tree_node *kept) {
  struct tree_node *next;
  bool others = false;
  for (struct tree_node *c = tree_find(obeying->item->resource, "category"); c; c = next) {
    next = tree_next_same(c);
    if (c == kept) continue;
    others = true;
    tree_remove(c);
  }
  if (others) dropped(obeying, kept, "all categories but one are left out: the destination takes one");
}

static bool one_category(const struct obeying *obeying) {
  const struct tree_node *first = tree_find(obeying->item->resource, "category");
  if (first) keep_category(obeying, first);
  return first != NULL;
}

static bool vital_signs_or_laboratory(const struct obeying *obeying) {
  for (struct tree_node *c = tree_find(obeying->item->resource, "category"); c; c = tree_next_same(c)) {
    if (!concept_has(c, "vital-signs") && !concept_has(c, "laboratory")) continue;
    keep_category(obeying, c);
    return true;
  }
  return false;
}

static bool vital_signs_only(const struct obeying *obeying) {
  return has_category(obeying->item->resource, "vital-signs");
}

/* --- times --- */

static bool has_time(struct str text) {
  return str_find_char(text, 'T', 0) != SIZE_MAX;
}

static bool make_effective(const struct obeying *obeying, struct str when) {
  const struct bundle_params *params = obeying->finish->params;
  const struct def_element *element =
      def_type_element_named(node_type(obeying->item->resource), STR("effectiveDateTime"));
  if (!element) element = def_type_element_named(node_type(obeying->item->resource), STR("effective"));
  struct tree_node *node =
      element ? definitions_make(params->definitions, params->arena, obeying->item->resource, element,
                                 definitions_type(params->definitions, STR("dateTime")))
              : NULL;
  if (!node) return false;
  node->kind = TREE_STRING;
  node->text = when;
  return true;
}

static bool effective_date_time(const struct obeying *obeying) {
  struct tree_node *period = tree_find(obeying->item->resource, "effectivePeriod");
  if (tree_find(obeying->item->resource, "effectiveDateTime")) return true;
  struct str begin = period ? tree_text(period, "start") : (struct str){0};
  if (begin.len == 0) return false;
  struct str end = tree_text(period, "end");
  if (end.len && !str_eq(begin, end))
    dropped(obeying, period, "the end of its period is left out: the destination takes one point in time");
  tree_remove(period);
  return make_effective(obeying, begin);
}

static bool effective_time(const struct obeying *obeying) {
  return has_time(tree_text(obeying->item->resource, "effectiveDateTime")) ||
         tree_find(obeying->item->resource, "effectivePeriod") ||
         tree_find(obeying->item->resource, "effectiveInstant");
}

static bool document_time(const struct obeying *obeying) {
  return has_time(tree_text(obeying->item->resource, "date"));
}

/* --- who --- */

static bool vital_signs_performer(const struct obeying *obeying) {
  struct tree_node *resource = obeying->item->resource, *next;
  const struct tree_node *found = NULL;
  bool others = false;
  if (!has_category(resource, "vital-signs")) return true;
  for (const struct tree_node *who = tree_find(resource, "performer"); who; who = tree_next_same(who))
    if (str_starts(tree_text(who, "reference"), STR("Practitioner/"))) found = who;
  for (struct tree_node *who = found ? tree_find(resource, "performer") : NULL; who; who = next) {
    next = tree_next_same(who);
    if (str_starts(tree_text(who, "reference"), STR("Practitioner/"))) continue;
    others = true;
    tree_remove(who);
  }
  if (others) dropped(obeying, found, "performers who are no Practitioner are left out");
  return found != NULL;
}

/* --- content --- */

static bool components_bp_spo2(const struct obeying *obeying) {
  static const char *const codes[] = {"85354-9", "59408-5", "2708-6"}; /* blood pressure, pulse oximetry */
  const struct tree_node *code = tree_find(obeying->item->resource, "code");
  if (!tree_find(obeying->item->resource, "component")) return true;
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (concept_has(code, codes[i])) return true;
  return false;
}

static bool no_modifier_extension(const struct obeying *obeying) {
  const struct tree_node *root = obeying->item->resource;
  for (const struct tree_node *node = root; node; node = tree_following(root, node))
    if (str_is(node->name, "modifierExtension")) return false;
  return true;
}

static bool is_known_type(struct str type) {
  static const char *const types[] = {"application/pdf", "text/plain",      "text/rtf",        "application/rtf",
                                      "text/html",       "text/xml",        "application/xml", "application/xhtml+xml"};
  size_t end = str_find_char(type, ';', 0);
  struct str media = str_trim(str_slice(type, 0, end == SIZE_MAX ? type.len : end));
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (str_is(media, types[i])) return true;
  return false;
}

/* The note's own page is made later, and is one of these. */
static bool attachment_types(const struct obeying *obeying) {
  const struct tree_node *content = tree_find(obeying->item->resource, "content");
  if (obeying->item->note) return true;
  for (const struct tree_node *c = content; c; c = tree_next_same(c)) {
    const struct tree_node *file = tree_find(c, "attachment");
    if (!file || !is_known_type(tree_text(file, "contentType"))) return false;
    if (!tree_find(file, "data") && !tree_find(file, "url")) return false;
  }
  return content != NULL;
}

static const struct {
  const char *type; /* NULL: any */
  bundle_rule_check *check;
} rules[] = {
    [BUNDLE_ONE_CATEGORY] = {"Observation", one_category},
    [BUNDLE_VITAL_SIGNS_OR_LABORATORY] = {"Observation", vital_signs_or_laboratory},
    [BUNDLE_VITAL_SIGNS_ONLY] = {"Observation", vital_signs_only},
    [BUNDLE_EFFECTIVE_DATE_TIME] = {"Observation", effective_date_time},
    [BUNDLE_EFFECTIVE_TIME] = {"Observation", effective_time},
    [BUNDLE_VITAL_SIGNS_PERFORMER] = {"Observation", vital_signs_performer},
    [BUNDLE_COMPONENTS_BP_SPO2] = {"Observation", components_bp_spo2},
    [BUNDLE_NO_MODIFIER_EXTENSION] = {NULL, no_modifier_extension},
    [BUNDLE_ATTACHMENT_TYPES] = {"DocumentReference", attachment_types},
    [BUNDLE_DOCUMENT_TIME] = {"DocumentReference", document_time},
};

const char *bundle_obey(struct bundle_finishing *finish, const struct bundle_item *item) {
  const struct obeying obeying = {finish, item};
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    if (!finish->params->shape->require[i]) continue;
    if (rules[i].type && !str_is(item->type, rules[i].type)) continue;
    if (!rules[i].check(&obeying)) return destination_require_words[i];
  }
  return NULL;
}
