/* transform.c - transforms that give a primitive, or a value that exists already. */
#include "mapping/internal.h"

/* --- arguments -------------------------------------------------------------------------------------------
 */

bool fml_item_text(struct fml_run *run, const struct fp_item *item, struct str *text) {
  switch (item->kind) {
  case FP_NODE:
    *text = item->node->text;
    return item->node->kind != TREE_OBJECT;
  case FP_STRING:
  case FP_DATE:
  case FP_DATETIME:
  case FP_TIME:
    *text = item->string;
    return true;
  case FP_QUANTITY:
  case FP_TYPE:
    return fhirpath_text(item, run->arena, text);
  default: /* numbers and Booleans always have a text */
    if (fhirpath_text(item, run->arena, text)) return true;
    run->nomem = true;
    return false;
  }
}

bool fml_argument(struct fml_run *run, const struct fml_frame *frame, const struct prog_arg *arg,
                  struct str *text, struct tree_node **origin) {
  if (arg->slot < 0) {
    *text = arg->text;
    return true;
  }
  if (frame->lists[arg->slot].count == 0) return false;
  const struct fp_item *item = &frame->items[arg->slot];
  if (item->kind != FP_NODE) return fml_item_text(run, item, text);
  if (item->node->kind == TREE_OBJECT || item->node->kind == TREE_NULL) return false;
  item->node->flags |= TREE_READ;
  if (origin && !*origin) *origin = item->node;
  *text = item->node->text;
  return true;
}

static void give_text(struct fml_run *run, struct fml_value *out, struct str text, struct tree_node *origin) {
  (void)run;
  out->present = text.ptr != NULL;
  out->item = (struct fp_item){.kind = FP_STRING, .string = text};
  out->origin = origin;
}

/* --- strings ---------------------------------------------------------------------------------------------
 */

static enum status append(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                          struct fml_value *out) {
  struct tree_node *origin = NULL;
  struct str few[8], *parts = few;
  size_t len = 0, count = target->arg_count;
  if (count > sizeof few / sizeof *few) parts = ARENA_ARRAY(run->arena, struct str, count);
  if (!parts) return STATUS_NOMEM;
  for (size_t i = 0; i < count; i++) {
    if (!fml_argument(run, frame, &target->args[i], &parts[i], &origin)) return STATUS_OK; /* nothing to append */
    len += parts[i].len;
  }
  char *text = arena_alloc(run->arena, len + 1);
  if (!text) return STATUS_NOMEM;
  len = 0;
  for (size_t i = 0; i < count; i++) {
    if (parts[i].len) memcpy(text + len, parts[i].ptr, parts[i].len);
    len += parts[i].len;
  }
  give_text(run, out, str_make(text, len), origin);
  return STATUS_OK;
}

static enum status truncate_text(struct fml_run *run, struct fml_frame *frame,
                                 const struct prog_target *target, struct fml_value *out) {
  struct tree_node *origin = NULL;
  struct str text, length;
  int64_t count = 0;
  if (!fml_argument(run, frame, &target->args[0], &text, &origin) ||
      !fml_argument(run, frame, &target->args[1], &length, NULL))
    return STATUS_OK;
  if (!str_to_int64(length, &count)) {
    fml_failed(run, DIAG_MAP_ARGUMENTS, origin, "the length is not a whole number");
    return STATUS_OK;
  }
  size_t at = 0;
  while (at < text.len && count-- > 0)
    utf8_next(text, &at);
  give_text(run, out, str_slice(text, 0, at), origin);
  return STATUS_OK;
}

/* --- escape ----------------------------------------------------------------------------------------------
 */

static const struct {
  char plain;
  const char *xml;
} entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}};

static void xml_escape(struct str text, struct buf *out) {
  for (size_t i = 0; i < text.len; i++) {
    const char *xml = NULL;
    for (size_t k = 0; k < sizeof entities / sizeof entities[0]; k++)
      if (text.ptr[i] == entities[k].plain) xml = entities[k].xml;
    if (xml)
      buf_add_text(out, xml);
    else
      buf_add_char(out, text.ptr[i]);
  }
}

static void xml_unescape(struct str text, struct buf *out) {
  for (size_t i = 0; i < text.len;) {
    size_t step = 0;
    for (size_t k = 0; k < sizeof entities / sizeof entities[0] && !step; k++) {
      struct str xml = str_of(entities[k].xml);
      if (!str_starts(str_slice(text, i, text.len), xml)) continue;
      buf_add_char(out, entities[k].plain);
      step = xml.len;
    }
    if (!step) buf_add_char(out, text.ptr[i]);
    i += step ? step : 1;
  }
}

static void json_escape(struct str text, struct buf *out) {
  size_t from = out->len;
  tree_write_string(text, out);
  if (out->error || out->len < from + 2) return;
  memmove(out->ptr + from, out->ptr + from + 1, out->len - from - 2); /* without the quotes */
  out->len -= 2;
}

static enum status escape(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                          struct fml_value *out) {
  struct tree_node *origin = NULL;
  struct str text, from = STR("plain"), to;
  if (!fml_argument(run, frame, &target->args[0], &text, &origin) ||
      !fml_argument(run, frame, &target->args[target->arg_count - 1], &to, NULL))
    return STATUS_OK;
  if (target->arg_count == 3 && !fml_argument(run, frame, &target->args[1], &from, NULL)) return STATUS_OK;
  struct buf buf;
  buf_init(&buf, LIMIT_RECORD_BYTES);
  if (str_is(from, "xml") || str_is(from, "html")) {
    xml_unescape(text, &buf);
    text = buf_take_str(&buf, run->arena);
    buf_reset(&buf);
  } else if (str_is(from, "json") || str_is(from, "java")) {
    text = fml_unescape(run->arena, text);
  }
  if (!text.ptr) buf.error = STATUS_NOMEM;
  if (str_is(to, "xml") || str_is(to, "html"))
    xml_escape(text, &buf);
  else if (str_is(to, "json") || str_is(to, "java"))
    json_escape(text, &buf);
  else
    buf_add_str(&buf, text);
  text = buf_take_str(&buf, run->arena);
  buf_release(&buf);
  if (!text.ptr) return STATUS_NOMEM;
  give_text(run, out, text, origin);
  return STATUS_OK;
}

/* --- cast and dates --------------------------------------------------------------------------------------
 */

static enum status cast(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                        struct fml_value *out) {
  struct tree_node *origin = NULL;
  struct str text;
  const struct def_type *type = target->cast ? target->cast : target->type;
  if (!fml_argument(run, frame, &target->args[0], &text, &origin) || !type) return STATUS_OK;
  enum def_primitive primitive = fml_primitive_of(type);
  size_t t = str_find_char(text, 'T', 0);
  if (primitive == DEF_P_DATE && t == 10 && fml_lexical(DEF_P_DATETIME, text)) text = str_slice(text, 0, t);
  if (!fml_lexical(primitive, text)) {
    fml_failed(run, DIAG_VALUE_FORMAT, origin, "the value is no %.*s", STR_ARG(def_type_name(type)));
    return STATUS_OK;
  }
  give_text(run, out, text, origin);
  out->type = type;
  return STATUS_OK;
}

static bool parse_moment(struct str text, struct datetime *out) {
  return datetime_parse(text, DATETIME_DATE, out) || datetime_parse(text, DATETIME_INSTANT, out) ||
         datetime_parse(text, DATETIME_DATETIME, out) || datetime_parse(text, DATETIME_TIME, out);
}

static enum status date_op(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                           struct fml_value *out) {
  struct tree_node *origin = NULL;
  struct str text, amount, word;
  struct datetime moment;
  struct decimal number;
  enum datetime_unit unit;
  if (!fml_argument(run, frame, &target->args[0], &text, &origin) ||
      !fml_argument(run, frame, &target->args[1], &amount, NULL) ||
      !fml_argument(run, frame, &target->args[2], &word, NULL))
    return STATUS_OK;
  if (!parse_moment(text, &moment) || !decimal_parse(amount, &number) || !fml_unit(word, &unit) ||
      !datetime_add(&moment, number, unit, &moment)) {
    fml_failed(run, DIAG_MAP_EXECUTION, origin, "the date cannot be moved by that amount");
    return STATUS_OK;
  }
  char moved[DATETIME_TEXT];
  text = arena_str(run->arena, str_make(moved, datetime_write(&moment, moved)));
  if (!text.ptr) return STATUS_NOMEM;
  give_text(run, out, text, origin);
  return STATUS_OK;
}

/* --- references ------------------------------------------------------------------------------------------
 */

static enum status new_uuid(struct fml_run *run, struct str *out) {
  char text[UUID_TEXT];
  enum status status = uuid_v4(run->params->host, text);
  if (status != STATUS_OK) return status;
  *out = arena_str(run->arena, str_of(text));
  return out->ptr ? STATUS_OK : STATUS_NOMEM;
}

/* The id of a resource; one without gets a new one, as in the reference engine. */
static enum status resource_id(struct fml_run *run, struct tree_node *node, struct str *id) {
  uint32_t symbol = run->set->kit.symbol_id;
  for (struct tree_node *child = node->child; child; child = child->next) {
    if (child->symbol != symbol || child->text.len == 0) continue;
    child->flags |= TREE_READ;
    *id = child->text;
    return STATUS_OK;
  }
  enum status status = new_uuid(run, id);
  const struct def_element *element = def_type_element(node_type(node), symbol);
  if (status != STATUS_OK || !element || node == run->source) return status;
  if (fml_is_source(run, node)) run->lookups.first = NULL; /* it changes after all */
  return fml_set_text(run, node, element, *id, NULL) ? STATUS_OK : STATUS_NOMEM;
}

static enum status reference(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                             struct fml_value *out) {
  int slot = target->args[0].slot;
  struct tree_node *node = NULL;
  if (slot >= 0 && frame->lists[slot].count == 0) return STATUS_OK;
  if (slot >= 0 && frame->items[slot].kind == FP_NODE) node = frame->items[slot].node;
  if (!node || !node_type(node) ||
      (def_type_kind(node_type(node)) != DEF_RESOURCE && def_type_kind(node_type(node)) != DEF_LOGICAL)) {
    fml_failed(run, DIAG_MAP_EXECUTION, node, "only a resource can be referred to");
    return STATUS_OK;
  }
  struct str id = STR("");
  enum status status = resource_id(run, node, &id);
  if (status != STATUS_OK) return status;
  struct str head = target->op == PROG_POINTER ? STR("urn:uuid:") : def_type_name(node_type(node));
  if (target->op != PROG_POINTER) head = arena_concat(run->arena, head, STR("/"));
  struct str text = arena_concat(run->arena, head, id);
  if (!text.ptr) return STATUS_NOMEM;
  give_text(run, out, text, NULL);
  return STATUS_OK;
}

static enum status make_uuid(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                             struct fml_value *out) {
  struct str text = STR("");
  (void)frame;
  (void)target;
  enum status status = new_uuid(run, &text);
  if (status == STATUS_OK) give_text(run, out, text, NULL);
  return status;
}

/* --- translate -------------------------------------------------------------------------------------------
 */

const struct concept_map *fml_concept_map(struct fml_run *run, struct fml_frame *frame,
                                          const struct prog_target *target) {
  struct str url;
  if (target->concept_map) return target->concept_map;
  if (!fml_argument(run, frame, &target->args[1], &url, NULL)) return NULL;
  const struct concept_map *map = map_get(&run->set->concept_maps, url);
  if (!map)
    fml_failed(run, DIAG_MAP_UNKNOWN_CONCEPTMAP, NULL, "no ConceptMap '%.*s' is loaded",
               STR_ARG(diag_value(run->arena, url)));
  return map;
}

static struct str child_text(const struct tree_node *node, uint32_t symbol, struct tree_node **found) {
  for (struct tree_node *child = node->child; child; child = child->next) {
    if (child->symbol != symbol || child->kind == TREE_OBJECT) continue;
    child->flags |= TREE_READ;
    if (found) *found = child;
    return child->text;
  }
  return STR("");
}

static const struct concept_target *find_code(const struct fml_run *run, const struct concept_map *map,
                                              struct concept_lookup *lookup) {
  const struct concept_target *found = fml_concept_find(run->set, map, lookup);
  if (lookup->known) fml_hit(run, lookup->mark);
  return found;
}

static void tell_unknown(struct fml_run *run, const struct concept_map *map, const struct concept_lookup *lookup,
                         struct tree_node *origin) {
  struct mapping_unknown unknown = {.concept_map = map->url.len ? map->url : map->id,
                                    .system = lookup->system,
                                    .word = lookup->code,
                                    .node = origin && fml_is_source(run, origin) ? origin : NULL};
  fml_warn(run, DIAG_UNMAPPED_CODE, origin, "no row of %.*s for '%.*s'", STR_ARG(unknown.concept_map),
           STR_ARG(diag_value(run->arena, lookup->code)));
  if (run->params->unknown) run->params->unknown(run->params->unknown_context, &unknown);
}

static const struct concept_target *look_up(struct fml_run *run, const struct concept_map *map,
                                            struct concept_lookup *lookup, struct tree_node *origin) {
  if (lookup->code.len == 0) return NULL;
  const struct concept_target *found = find_code(run, map, lookup);
  if (!found && !lookup->known) tell_unknown(run, map, lookup, origin);
  return found;
}

/* Of a CodeableConcept the first coding that has a row. */
static const struct concept_target *look_up_node(struct fml_run *run, const struct concept_map *map,
                                                 struct tree_node *node, struct tree_node **origin,
                                                 struct concept_lookup *lookup) {
  const struct fml_kit *kit = &run->set->kit;
  struct tree_node *first = node, *last = NULL;
  if (node_type(node) == kit->concept_) {
    first = node->child;
    while (first && first->symbol != kit->symbol_coding)
      first = first->next;
    for (last = first; last && last->next && last->next->symbol == kit->symbol_coding;)
      last = last->next;
  }
  for (struct tree_node *c = first; c; c = c == last || c == node ? NULL : c->next) {
    lookup->system = child_text(c, kit->symbol_system, NULL);
    lookup->code = child_text(c, kit->symbol_code, origin);
    const struct concept_target *found =
        c == last || c == node ? look_up(run, map, lookup, *origin) : find_code(run, map, lookup);
    if (found) return found;
  }
  return NULL;
}

const struct concept_target *fml_translate(struct fml_run *run, struct fml_frame *frame,
                                           const struct prog_target *target, struct tree_node **origin,
                                           struct concept_lookup *lookup) {
  const struct prog_arg *arg = &target->args[0];
  const struct concept_map *map = fml_concept_map(run, frame, target);
  if (!map || (arg->slot >= 0 && frame->lists[arg->slot].count == 0)) return NULL;
  if (arg->slot >= 0 && frame->items[arg->slot].kind == FP_NODE) {
    struct tree_node *node = frame->items[arg->slot].node;
    if (node->kind == TREE_OBJECT) return look_up_node(run, map, node, origin, lookup);
  }
  if (!fml_argument(run, frame, arg, &lookup->code, origin)) return NULL;
  return look_up(run, map, lookup, *origin);
}

static enum status translate(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                             struct fml_value *out) {
  struct tree_node *origin = NULL;
  struct concept_lookup lookup = {0};
  const struct concept_target *found = fml_translate(run, frame, target, &origin, &lookup);
  if (!found) return STATUS_OK;
  struct str text = found->code;
  if (target->output == OUTPUT_SYSTEM) text = found->system;
  if (target->output == OUTPUT_DISPLAY) text = found->display;
  if (text.len) give_text(run, out, text, origin);
  return STATUS_OK;
}

/* --- existing values -------------------------------------------------------------------------------------
 */

static enum status copy(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                        struct fml_value *out) {
  int slot = target->args[0].slot;
  (void)run;
  if (slot < 0 || frame->lists[slot].count == 0) return STATUS_OK;
  out->present = true;
  out->item = frame->items[slot];
  if (out->item.kind == FP_NODE && out->item.node->kind != TREE_OBJECT) out->item.node->flags |= TREE_READ;
  return STATUS_OK;
}

static enum status literal(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                           struct fml_value *out) {
  (void)frame;
  give_text(run, out, target->args[0].text, NULL);
  out->type = target->type;
  return STATUS_OK;
}

static enum status FML_SELDOM too_many(struct fml_run *run, const struct prog_target *target, size_t *count) {
  fml_failed(run, DIAG_MAP_EXECUTION, NULL, "the expression gives %zu values where one is wanted: %.*s",
             *count, STR_ARG(target->expr->text));
  *count = 0;
  return STATUS_OK;
}

enum status fml_evaluate(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target, struct fp_item *out, size_t *count) {
  const struct fp_item *focus = NULL;
  *count = 0;
  if (target->focus >= 0) {
    if (frame->lists[target->focus].count == 0) return STATUS_OK;
    focus = &frame->items[target->focus];
  }
  enum status status = fml_eval_one(run, frame, target->expr, focus, out, count);
  if (status != STATUS_OK) *count = 0;
  if (*count > 1) return too_many(run, target, count);
  return status == STATUS_INVALID ? STATUS_OK : status;
}

typedef enum status transform_function(struct fml_run *run, struct fml_frame *frame,
                                       const struct prog_target *target, struct fml_value *out);

enum status fml_transform(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                          struct fml_value *out) {
  static transform_function *const functions[] = {[PROG_AUTO] = copy,
                                                  [PROG_COPY] = copy,
                                                  [PROG_LITERAL] = literal,
                                                  [PROG_TRUNCATE] = truncate_text,
                                                  [PROG_ESCAPE] = escape,
                                                  [PROG_CAST] = cast,
                                                  [PROG_APPEND] = append,
                                                  [PROG_TRANSLATE] = translate,
                                                  [PROG_REFERENCE] = reference,
                                                  [PROG_DATEOP] = date_op,
                                                  [PROG_UUID] = make_uuid,
                                                  [PROG_POINTER] = reference};
  return functions[target->op](run, frame, target, out);
}
