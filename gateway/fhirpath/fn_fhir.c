/* fn_fhir.c - functions that FHIR R4 adds (http://hl7.org/fhir/R4/fhirpath.html). */
#include "fhirpath/internal.h"

/* --- extensions and values */

bool fp_fn_extension(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct str url;
  int has = fp_argument_string(e, call, 0, &url);
  if (has <= 0) return has == 0;
  for (size_t i = 0; i < in->count; i++) {
    if (in->items[i].kind != FP_NODE) continue;
    for (struct tree_node *child = in->items[i].node->child; child; child = child->next) {
      if (!fp_count(e, 1)) return false;
      if (!str_is(child->name, "extension") || !str_eq(tree_text(child, "url"), url)) continue;
      if (e->mark_read) child->flags |= TREE_READ;
      if (!fp_push_node(e, out, child)) return false;
    }
  }
  return true;
}

/* Is the modifier one of those that the arguments name? */
static int is_known_modifier(struct fp_eval *e, const struct fp_ins *call, struct str url) {
  for (size_t i = 0; i < call->argument_count; i++) {
    struct str known;
    int has = fp_argument_string(e, call, i, &known);
    if (has < 0) return -1;
    if (has && str_eq(known, url)) return 1;
  }
  return 0;
}

bool fp_fn_check_modifiers(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                           struct fp_list *out) {
  for (size_t i = 0; i < in->count; i++) {
    const struct tree_node *child = in->items[i].kind == FP_NODE ? in->items[i].node->child : NULL;
    for (; child; child = child->next) {
      if (!fp_count(e, 1)) return false;
      if (!str_is(child->name, "modifierExtension")) continue;
      int known = is_known_modifier(e, call, tree_text(child, "url"));
      if (known < 0) return false;
      if (!known)
        return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION,
                       "checkModifiers(): a modifier that is not expected");
    }
  }
  return fp_push_all(e, out, in);
}

static bool has_value(const struct fp_item *item) {
  return item->kind != FP_NODE || (item->node->kind != TREE_OBJECT && item->node->kind != TREE_NULL);
}

bool fp_fn_has_value(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  (void)call;
  return fp_push_boolean(e, out, in->count == 1 && has_value(&in->items[0]));
}

bool fp_fn_get_value(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct fp_value value;
  struct fp_item item;
  (void)call;
  if (in->count != 1 || !has_value(&in->items[0])) return true;
  fp_load(&in->items[0], &value);
  return value.kind == FP_NODE || (fp_value_item(e, &value, &item) && fp_push(e, out, item));
}

/* --- resolve: inside the container and the Bundle around the focus */

static struct tree_node *find_contained(struct fp_eval *e, struct tree_node *from, struct str id) {
  for (struct tree_node *node = from; node; node = node->parent) {
    for (struct tree_node *child = node->child; child; child = child->next) {
      e->steps++;
      if (str_is(child->name, "contained") && str_eq(tree_text(child, "id"), id)) return child;
    }
  }
  return NULL;
}

static bool is_bundle(const struct tree_node *node) {
  const struct tree_node *type = fp_child(node, "resourceType");
  return type && str_is(type->text, "Bundle");
}

/* Type/id without a version. */
static struct str without_version(struct str reference) {
  size_t at = str_find(reference, STR("/_history/"), 0);
  return at == SIZE_MAX ? reference : str_slice(reference, 0, at);
}

static bool ends_with_reference(struct str url, struct str reference) {
  if (!str_ends(url, reference) || url.len <= reference.len) return false;
  return url.ptr[url.len - reference.len - 1] == '/';
}

static bool entry_matches(const struct tree_node *entry, const struct tree_node *resource,
                          struct str reference) {
  struct str url = tree_text(entry, "fullUrl");
  if (str_eq(url, reference) || (url.len && ends_with_reference(url, reference))) return true;
  struct str type = tree_text(resource, "resourceType"), id = tree_text(resource, "id");
  if (!type.len || !id.len || reference.len != type.len + 1 + id.len) return false;
  return str_starts(reference, type) && reference.ptr[type.len] == '/' && str_ends(reference, id);
}

static struct tree_node *find_in_bundle(struct fp_eval *e, const struct tree_node *bundle,
                                        struct str reference) {
  reference = without_version(reference);
  for (const struct tree_node *entry = bundle->child; entry; entry = entry->next) {
    e->steps++;
    struct tree_node *resource = str_is(entry->name, "entry") ? fp_child(entry, "resource") : NULL;
    if (resource && entry_matches(entry, resource, reference)) return resource;
  }
  return NULL;
}

static struct tree_node *root_of(struct tree_node *node) {
  while (node && node->parent)
    node = node->parent;
  return node;
}

static struct tree_node *resolve(struct fp_eval *e, struct tree_node *from, struct str reference) {
  if (e->run->resolve) {
    struct tree_node *known = e->run->resolve(e->run->resolve_context, from, reference);
    if (known) return known;
  }
  struct tree_node *given = e->run->resource, *container = e->run->root_resource;
  struct tree_node *starts[] = {from, given, container};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    struct tree_node *found = NULL, *root = root_of(starts[i]);
    if (!root) continue;
    if (reference.len && reference.ptr[0] == '#') {
      struct tree_node *self = reference.len == 1 ? fp_resource_of(starts[i]) : NULL;
      found = self ? self : find_contained(e, starts[i], str_slice(reference, 1, reference.len));
    } else if (is_bundle(root)) {
      found = find_in_bundle(e, root, reference);
    }
    if (found) return found;
  }
  return NULL;
}

static struct tree_node *focus_of(const struct fp_eval *e) {
  for (size_t i = 0; i < e->outermost.count; i++) {
    if (e->outermost.items[i].kind == FP_NODE) return e->outermost.items[i].node;
  }
  return NULL;
}

bool fp_fn_resolve(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  (void)call;
  for (size_t i = 0; i < in->count; i++) {
    struct fp_value value;
    struct tree_node *from = in->items[i].kind == FP_NODE ? in->items[i].node : focus_of(e);
    struct str reference = {0};
    fp_load(&in->items[i], &value);
    if (value.kind == FP_STRING)
      reference = value.string;
    else if (in->items[i].kind == FP_NODE)
      reference = tree_text(from, "reference");
    struct tree_node *found = reference.len && from ? resolve(e, from, reference) : NULL;
    if (!fp_count(e, 1) || (found && !fp_push_node(e, out, found))) return false;
  }
  return true;
}

/* --- terminology and profiles */

static enum def_membership coding_membership(const struct def_value_set *set,
                                             const struct tree_node *coding) {
  return def_value_set_has(set, tree_text(coding, "system"), tree_text(coding, "code"), NULL);
}

/* A CodeableConcept is a member when one of its codings is. */
static enum def_membership membership(const struct def_value_set *set, const struct fp_item *item,
                                      const struct fp_value *value) {
  enum def_membership result = DEF_NOT_MEMBER;
  if (value->kind == FP_STRING) return def_value_set_has(set, (struct str){0}, value->string, NULL);
  if (item->kind != FP_NODE) return DEF_NOT_MEMBER;
  if (fp_child(item->node, "code")) return coding_membership(set, item->node);
  for (const struct tree_node *child = item->node->child; child; child = child->next) {
    if (!str_is(child->name, "coding")) continue;
    enum def_membership one = coding_membership(set, child);
    if (one == DEF_MEMBER) return one;
    if (one == DEF_MEMBER_UNKNOWN) result = one;
  }
  return result;
}

bool fp_fn_member_of(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct fp_value value;
  struct str url;
  int has = fp_argument_string(e, call, 0, &url);
  if (has <= 0) return has == 0;
  const struct definitions *definitions = e->program->definitions;
  const struct def_value_set *set = definitions ? definitions_value_set(definitions, url) : NULL;
  if (!set) return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "memberOf(): the value set is not present");
  fp_load(&in->items[0], &value);
  enum def_membership result = membership(set, &in->items[0], &value);
  return result == DEF_MEMBER_UNKNOWN || fp_push_boolean(e, out, result == DEF_MEMBER);
}

bool fp_fn_conforms_to(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  struct str url;
  int has = fp_argument_string(e, call, 0, &url);
  if (has <= 0) return has == 0;
  const struct definitions *definitions = e->program->definitions;
  const struct def_type *wanted = definitions ? definitions_type(definitions, url) : NULL;
  if (!wanted)
    return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "conformsTo(): the definition is not present");
  const struct fp_item *item = &in->items[0];
  const struct def_type *type = item->kind == FP_NODE ? node_type(item->node) : NULL;
  if (!type || !def_type_is(type, def_type_constrained(wanted))) return fp_push_boolean(e, out, false);
  if (!def_type_is_profile(wanted)) return fp_push_boolean(e, out, true);
  enum { STEPS = 32 }; /* what it costs to look up an answer that is known */
  if (!fp_count(e, STEPS)) return false;
  int answer = e->run->conforms ? e->run->conforms(e->run->conforms_context, item->node, wanted) : -1;
  if (e->run->steps && e->steps > *e->run->steps) return fp_limit(e); /* others have taken them */
  if (answer < 0)
    return fp_fail(e, call, DIAG_FHIRPATH_UNSUPPORTED, "conformsTo(): profiles cannot be checked here");
  return fp_push_boolean(e, out, answer > 0);
}
