/* values.c - items and their system values: reading nodes, texts, types, arguments of calls. */
#include "fhirpath/internal.h"

enum { TEXT_MAX = 1 << 20 };

/* --- nodes */

static enum fp_kind json_kind(const struct tree_node *node) {
  switch ((enum tree_kind)node->kind) {
  case TREE_STRING:
    return FP_STRING;
  case TREE_BOOLEAN:
    return FP_BOOLEAN;
  case TREE_NUMBER:
    for (size_t i = 0; i < node->text.len; i++) {
      if (strchr(".eE", node->text.ptr[i])) return FP_DECIMAL;
    }
    return FP_INTEGER;
  default:
    return FP_NODE;
  }
}

bool fp_is_quantity_node(const struct tree_node *node) {
  if (node->kind != TREE_OBJECT) return false;
  for (const struct def_type *type = node_type(node); type; type = def_type_base(type)) {
    if (def_type_kind(type) != DEF_COMPLEX) return false;
    if (str_is(def_type_name(type), "Quantity")) return true;
  }
  return false;
}

/* The kind of a node's value; FP_NODE when it has none. A value in the wrong JSON form counts as what it is.
 */
static enum fp_kind node_kind(const struct tree_node *node) {
  if (node->kind == TREE_NULL) return FP_NODE;
  if (node->kind == TREE_STRING && node->type) {
    enum fp_kind kind = fp_kind_of_type(node_type(node));
    return kind == FP_BOOLEAN || kind == FP_INTEGER || kind == FP_DECIMAL ? FP_STRING : kind;
  }
  if (node->kind == TREE_OBJECT) return fp_is_quantity_node(node) ? FP_QUANTITY : FP_NODE;
  if (!node->type) return json_kind(node);
  if (node->kind == TREE_BOOLEAN) return FP_BOOLEAN;
  enum fp_kind kind = fp_kind_of_type(node_type(node));
  return kind == FP_DECIMAL ? kind : json_kind(node);
}

enum fp_kind fp_kind_of(const struct fp_item *item) {
  return item->kind == FP_NODE ? node_kind(item->node) : item->kind;
}

static void load_node(const struct tree_node *node, struct fp_value *out) {
  out->kind = node_kind(node);
  switch (out->kind) {
  case FP_BOOLEAN:
    out->boolean = str_is(node->text, "true");
    return;
  case FP_INTEGER: {
    struct decimal number;
    if (decimal_parse(node->text, &number) && decimal_to_int(number, &out->integer)) return;
    out->kind = FP_NODE;
    return;
  }
  case FP_DECIMAL:
    if (!decimal_parse(node->text, &out->decimal)) out->kind = FP_NODE;
    return;
  case FP_QUANTITY:
    if (!fp_quantity_of_node(node, &out->quantity)) out->kind = FP_NODE;
    return;
  case FP_NODE:
    return;
  default:
    out->string = node->text;
  }
}

void fp_load(const struct fp_item *item, struct fp_value *out) {
  switch (item->kind) {
  case FP_NODE:
    load_node(item->node, out);
    return;
  case FP_BOOLEAN:
    out->boolean = item->boolean;
    break;
  case FP_INTEGER:
    out->integer = item->integer;
    break;
  case FP_DECIMAL:
    out->decimal = *item->decimal;
    break;
  case FP_QUANTITY:
    out->quantity = *item->quantity;
    break;
  case FP_TYPE:
    out->type = *item->type_info;
    break;
  default:
    out->string = item->string;
  }
  out->kind = item->kind;
}

bool fp_value_decimal(const struct fp_value *value, struct decimal *out) {
  if (value->kind == FP_INTEGER) *out = decimal_from_int(value->integer);
  if (value->kind == FP_DECIMAL) *out = value->decimal;
  return value->kind == FP_INTEGER || value->kind == FP_DECIMAL;
}

bool fp_value_datetime(const struct fp_value *value, struct datetime *out) {
  if (!fp_is_date_kind(value->kind)) return false;
  enum datetime_kind kind = value->kind == FP_DATE   ? DATETIME_DATE
                            : value->kind == FP_TIME ? DATETIME_TIME
                                                     : DATETIME_DATETIME;
  return datetime_parse_literal(value->string, kind, out);
}

bool fp_value_item(struct fp_eval *e, const struct fp_value *value, struct fp_item *out) {
  struct fp_list list = {.items = out, .room = 1};
  switch (value->kind) {
  case FP_DECIMAL:
    return fp_push_decimal(e, &list, value->decimal);
  case FP_QUANTITY:
    return fp_push_quantity(e, &list, &value->quantity);
  case FP_BOOLEAN:
    return fp_push_boolean(e, &list, value->boolean);
  case FP_INTEGER:
    return fp_push_integer(e, &list, value->integer);
  default:
    *out = (struct fp_item){.kind = value->kind, .string = value->string};
    return true;
  }
}

/* --- texts */

void fp_value_print(const struct fp_value *value, struct buf *out) {
  switch (value->kind) {
  case FP_BOOLEAN:
    buf_add_text(out, value->boolean ? "true" : "false");
    return;
  case FP_INTEGER:
    buf_printf(out, "%lld", (long long)value->integer);
    return;
  case FP_DECIMAL:
    decimal_format(value->decimal, out);
    return;
  case FP_QUANTITY:
    fp_quantity_print(&value->quantity, out);
    return;
  case FP_TYPE:
    buf_printf(out, "%.*s.%.*s", STR_ARG(value->type.space), STR_ARG(value->type.name));
    return;
  case FP_NODE:
    return;
  default:
    buf_add_str(out, value->string);
  }
}

bool fp_take_buf(struct fp_eval *e, struct buf *buf, struct str *out) {
  *out = buf_take_str(buf, e->arena);
  buf_release(buf);
  return out->ptr || fp_nomem(e);
}

bool fp_value_text(struct fp_eval *e, const struct fp_value *value, struct str *out) {
  if (value->kind == FP_STRING || fp_is_date_kind(value->kind)) {
    *out = value->string;
    return true;
  }
  struct buf buf;
  buf_init(&buf, TEXT_MAX);
  fp_value_print(value, &buf);
  return fp_take_buf(e, &buf, out);
}

bool fp_datetime_text(struct fp_eval *e, const struct datetime *value, struct str *out) {
  char text[DATETIME_TEXT];
  *out = arena_str(e->arena, str_make(text, datetime_write(value, text)));
  return out->ptr || fp_nomem(e);
}

/* --- types */

struct fp_type fp_type_of(const struct fp_item *item) {
  if (item->kind != FP_NODE) return (struct fp_type){STR("System"), str_of(fp_kind_name(item->kind)), NULL};
  const struct def_type *type = node_type(item->node);
  if (type && def_type_kind(type) != DEF_SYSTEM)
    return (struct fp_type){STR("FHIR"), def_type_name(type), type};
  const struct tree_node *resource = type ? NULL : fp_child(item->node, "resourceType");
  if (resource) return (struct fp_type){STR("FHIR"), resource->text, NULL};
  enum fp_kind kind = fp_kind_of(item);
  return (struct fp_type){STR("System"), kind == FP_NODE ? STR("Any") : str_of(fp_kind_name(kind)), NULL};
}

struct str fhirpath_type_name(const struct fp_item *item, struct arena *arena) {
  struct fp_type type = fp_type_of(item);
  return arena_printf(arena, "%.*s.%.*s", STR_ARG(type.space), STR_ARG(type.name));
}

/* --- what other stages see */

struct fp_item fhirpath_value(const struct fp_item *item, struct arena *arena) {
  struct fp_value value;
  struct fp_item out = *item;
  if (item->kind != FP_NODE) return out;
  fp_load(item, &value);
  struct fp_eval e = {.arena = arena};
  if (value.kind == FP_NODE || !fp_value_item(&e, &value, &out)) return *item;
  return out;
}

bool fhirpath_text(const struct fp_item *item, struct arena *arena, struct str *out) {
  struct fp_value value;
  struct fp_eval e = {.arena = arena};
  if (item->kind == FP_NODE) {
    *out = item->node->text;
    return item->node->kind != TREE_OBJECT && item->node->kind != TREE_NULL;
  }
  fp_load(item, &value);
  return fp_value_text(&e, &value, out);
}

void fhirpath_print(const struct fp_item *item, struct buf *out) {
  struct fp_value value;
  if (item->kind == FP_NODE) {
    if (item->node->kind != TREE_OBJECT && item->node->kind != TREE_NULL) {
      buf_add_str(out, item->node->text);
    } else {
      tree_write_json(item->node, &(struct tree_write){.keep_empty = true}, out);
    }
    return;
  }
  fp_load(item, &value);
  fp_value_print(&value, out);
}

/* --- arguments of calls */

int fp_argument(struct fp_eval *e, const struct fp_ins *call, size_t index, struct fp_value *out) {
  struct fp_item item;
  if (index >= call->argument_count) return 0;
  int has = fp_single(e, call->arguments[index], &item);
  if (has > 0) fp_load(&item, out);
  return has > 0 && out->kind == FP_NODE && item.node->kind == TREE_NULL ? 0 : has;
}

int fp_argument_string(struct fp_eval *e, const struct fp_ins *call, size_t index, struct str *out) {
  FP_UNINITIALIZED struct fp_value value;
  int has = fp_argument(e, call, index, &value);
  if (has <= 0) return has;
  *out = value.kind == FP_STRING ? value.string : (struct str){0};
  if (value.kind == FP_STRING) return 1;
  fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "argument %zu of %s() is a String", index + 1,
          call->function->name);
  return -1;
}

int fp_argument_integer(struct fp_eval *e, const struct fp_ins *call, size_t index, int64_t *out) {
  struct fp_value value;
  int has = fp_argument(e, call, index, &value);
  if (has <= 0) return has;
  *out = value.integer;
  if (value.kind == FP_INTEGER) return 1;
  fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "argument %zu of %s() is an Integer", index + 1,
          call->function->name);
  return -1;
}

bool fp_input_other(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct str *out,
                    bool *has) {
  FP_UNINITIALIZED struct fp_value value;
  const struct fp_item *item = &in->items[0];
  fp_load(item, &value);
  *has = value.kind == FP_STRING;
  *out = *has ? value.string : (struct str){0};
  if (*has || (item->kind == FP_NODE && item->node->kind == TREE_NULL)) return true;
  return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "%s() takes a String", call->function->name);
}
