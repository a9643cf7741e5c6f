/*
 * bundle.c - what R4 says of Bundles in words (bundle.html, documents.html, messaging.html,
 * http.html#transaction): what each type of Bundle must hold, where a fullUrl must be and agree with its
 * resource.
 */
#include "validation/internal.h"

static bool is_one_of(struct str word, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_is(word, words[i])) return true;
  return false;
}

/* --- fullUrl --- */

/* A REST URL, http(s)://…/Type/id, with any type of R4; out: its type and id. */
static bool is_rest(const struct validation *validation, struct str url, struct str *type, struct str *id) {
  size_t end = url.len, from;
  if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://"))) return false;
  size_t history = str_find(url, STR("/_history/"), 0);
  if (history != SIZE_MAX) end = history;
  for (from = end; from > 0 && url.ptr[from - 1] != '/'; from--)
    continue;
  *id = str_slice(url, from, end);
  end = from ? from - 1 : 0;
  for (from = end; from > 0 && url.ptr[from - 1] != '/'; from--)
    continue;
  *type = str_slice(url, from, end);
  const struct def_type *known = definitions_type(validation->definitions, *type);
  return id->len && known && def_type_kind(known) == DEF_RESOURCE && !def_type_is_profile(known);
}

/* "fullUrl … SHALL NOT disagree with the id in the resource" */
static void check_agreement(struct validation_walk *walk, const struct tree_node *entry, struct str url,
                            const struct tree_node *resource) {
  struct str own = validation_text(resource, walk->validation->known.id), type, id;
  if (!node_type(resource) || !is_rest(walk->validation, url, &type, &id)) return;
  /* what a search found has the addresses that the server gave it */
  bool search = str_is(tree_text(walk->root, "type"), "searchset");
  enum diag_severity severity = search ? DIAG_WARNING : DIAG_ERROR;
  if (!own.len)
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, entry,
                      "the fullUrl is that of a resource with an id, but the resource has none");
  else if (!str_eq(id, own) || !str_eq(type, def_type_name(node_type(resource))))
    validation_report(walk, severity, DIAG_BUNDLE_ENTRY, entry,
                      "the fullUrl does not end in the type and id of the resource");
}

static void check_full_url(struct validation_walk *walk, const struct tree_node *entry, struct str type) {
  static const char *const without[] = {"transaction", "transaction-response", "batch", "batch-response"};
  const struct tree_node *url = validation_child(entry, walk->validation->known.full_url);
  const struct tree_node *resource = validation_child(entry, walk->validation->known.resource);
  if (!url) {
    if (!is_one_of(type, without, sizeof without / sizeof without[0]))
      validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, entry,
                        "an entry must have a fullUrl, but in transactions and batches");
    return;
  }
  if (url->kind != TREE_STRING || !url->text.len) return;
  if (!validation_is_absolute(url->text))
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, entry, "a fullUrl must be absolute");
  else if (resource)
    check_agreement(walk, entry, url->text, resource);
}

/* --- the first entry --- */

static void check_first(struct validation_walk *walk, const struct tree_node *bundle, struct str type) {
  bool document = str_is(type, "document");
  if (!document && !str_is(type, "message")) return;
  const char *wanted = document ? "Composition" : "MessageHeader";
  const struct tree_node *entry = tree_find(bundle, "entry");
  const struct tree_node *resource = entry ? tree_find(entry, "resource") : NULL;
  if (!entry)
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, bundle,
                      "a Bundle of type %.*s must have a first entry", STR_ARG(type));
  else if (!resource)
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, entry,
                      "the first entry must have a resource, a %s", wanted);
  else if (!node_type(resource) || !str_is(def_type_name(node_type(resource)), wanted))
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, resource,
                      "the first resource of a Bundle of type %.*s must be a %s", STR_ARG(type), wanted);
}

/* --- searches --- */

static void check_search_entry(struct validation_walk *walk, const struct tree_node *entry) {
  const struct tree_node *resource = tree_find(entry, "resource"), *search = tree_find(entry, "search");
  struct str mode = search ? tree_text(search, "mode") : (struct str){0};
  if (!resource) {
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, entry,
                      "an entry of a searchset must have a resource");
    return;
  }
  bool outcome = node_type(resource) && str_is(def_type_name(node_type(resource)), "OperationOutcome");
  bool has_id = tree_find(resource, "id") != NULL;
  if (str_is(mode, "outcome") && !outcome)
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, resource,
                      "an entry with the search mode outcome must be an OperationOutcome");
  else if ((str_is(mode, "match") || str_is(mode, "include")) && !has_id)
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, resource,
                      "a resource that was found must have an id");
  else if (!mode.len && !has_id && !outcome)
    validation_report(walk, DIAG_WARNING, DIAG_BUNDLE_ENTRY, resource,
                      "a resource that was found must have an id");
}

/* --- references of the first entry that must lead into the Bundle --- */

static void must_be_inside(struct validation_walk *walk, struct tree_node *reference) {
  struct str text = tree_text(reference, "reference");
  if (!text.len || text.ptr[0] == '#') return;
  if (!validation_find_linked(walk, reference, text))
    validation_report(walk, DIAG_ERROR, DIAG_REFERENCE_UNRESOLVED, reference,
                      "this reference must lead to a resource of the Bundle");
}

static void each_inside(struct validation_walk *walk, const struct tree_node *node, const char *name) {
  for (struct tree_node *child = tree_find(node, name); child; child = tree_next_same(child))
    must_be_inside(walk, child);
}

static void check_section(struct validation_walk *walk, const struct tree_node *section, size_t depth) {
  each_inside(walk, section, "author");
  each_inside(walk, section, "focus");
  each_inside(walk, section, "entry");
  if (depth > LIMIT_DEPTH) return;
  for (const struct tree_node *inner = tree_find(section, "section"); inner; inner = tree_next_same(inner))
    check_section(walk, inner, depth + 1);
}

static void check_composition(struct validation_walk *walk, const struct tree_node *composition) {
  static const char *const names[] = {"subject", "author", "encounter", "custodian"};
  static const char *const parts[][2] = {{"attester", "party"}, {"event", "detail"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    each_inside(walk, composition, names[i]);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    for (const struct tree_node *at = tree_find(composition, parts[i][0]); at; at = tree_next_same(at))
      each_inside(walk, at, parts[i][1]);
  for (const struct tree_node *at = tree_find(composition, "section"); at; at = tree_next_same(at))
    check_section(walk, at, 0);
}

static void check_first_references(struct validation_walk *walk, const struct tree_node *bundle) {
  const struct tree_node *entry = tree_find(bundle, "entry");
  const struct tree_node *first = entry ? tree_find(entry, "resource") : NULL;
  if (!first || !node_type(first) || bundle != walk->root) return;
  if (str_is(def_type_name(node_type(first)), "Composition"))
    check_composition(walk, first);
  else if (str_is(def_type_name(node_type(first)), "MessageHeader"))
    each_inside(walk, first, "focus");
}

/* --- links --- */

static bool said_before(const struct tree_node *link, struct str relation) {
  for (const struct tree_node *other = tree_find(link->parent, "link"); other && other != link;
       other = tree_next_same(other))
    if (str_eq(tree_text(other, "relation"), relation)) return true;
  return false;
}

static void check_link(struct validation_walk *walk, const struct tree_node *link, bool search) {
  static const char *const pages[] = {"first", "previous", "next", "last"};
  struct str relation = tree_text(link, "relation");
  bool page = is_one_of(relation, pages, sizeof pages / sizeof pages[0]), self = str_is(relation, "self");
  if (page && !search)
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, tree_find(link, "relation"),
                      "only searchsets and histories have pages to link to");
  else if ((self || page) && said_before(link, relation))
    validation_report(walk, DIAG_ERROR, DIAG_BUNDLE_ENTRY, search ? link : tree_find(link, "relation"),
                      "a relation may be linked once");
}

/* --- the whole --- */

void validation_check_bundle(struct validation_walk *walk, struct tree_node *bundle) {
  struct str type = tree_text(bundle, "type");
  bool search = str_is(type, "searchset");
  check_first(walk, bundle, type);
  if (str_is(type, "document") || str_is(type, "message")) {
    check_first_references(walk, bundle);
    validation_check_linked(walk, bundle, str_is(type, "document"));
  }
  for (const struct tree_node *link = tree_find(bundle, "link"); link; link = tree_next_same(link))
    check_link(walk, link, search || str_is(type, "history"));
  for (const struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry)) {
    if (entry->kind != TREE_OBJECT) continue;
    check_full_url(walk, entry, type);
    if (search) check_search_entry(walk, entry);
  }
}
