/* fn_convert.c - conversions between system types (FHIRPath 2.0.0 section 5.5): toX() and convertsToX(). */
#include "fhirpath/internal.h"

/* true: converted */
typedef bool convert(struct fp_eval *e, const struct fp_value *from, struct fp_value *out);

static bool text_in(struct str text, const char *const *words) {
  for (; *words; words++) {
    size_t len = strlen(*words), i = 0;
    if (len != text.len) continue;
    while (i < len && ((text.ptr[i] | 0x20) == (*words)[i] || text.ptr[i] == (*words)[i]))
      i++;
    if (i == len) return true;
  }
  return false;
}

static bool to_boolean(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  static const char *const yes[] = {"true", "t", "yes", "y", "1", "1.0", NULL};
  static const char *const no[] = {"false", "f", "no", "n", "0", "0.0", NULL};
  struct decimal number;
  (void)e;
  out->kind = FP_BOOLEAN;
  if (from->kind == FP_BOOLEAN) {
    out->boolean = from->boolean;
    return true;
  }
  if (from->kind == FP_STRING) {
    out->boolean = text_in(from->string, yes);
    return out->boolean || text_in(from->string, no);
  }
  if (!fp_value_decimal(from, &number)) return false;
  out->boolean = decimal_compare(number, decimal_from_int(1)) == 0;
  return out->boolean || decimal_is_zero(number);
}

static bool integer_text(struct str text, int64_t *out) {
  bool negative = text.len && text.ptr[0] == '-';
  if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+')) text = str_slice(text, 1, text.len);
  if (text.len == 0 || !str_to_int64(text, out)) return false;
  if (negative) *out = -*out;
  return true;
}

static bool to_long(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  (void)e;
  int64_t value = from->kind == FP_BOOLEAN ? from->boolean : from->kind == FP_INTEGER ? from->integer : 0;
  out->kind = FP_INTEGER;
  if (from->kind == FP_STRING && !integer_text(from->string, &value)) return false;
  out->integer = value;
  return from->kind == FP_BOOLEAN || from->kind == FP_INTEGER || from->kind == FP_STRING;
}

static bool to_integer(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  return to_long(e, from, out) && out->integer >= INT32_MIN && out->integer <= INT32_MAX;
}

/* (+|-)?\d+(\.\d+)? */
static bool decimal_text(struct str text, struct decimal *out) {
  size_t at = 0;
  bool plus = text.len && text.ptr[0] == '+';
  if (plus) text = str_slice(text, 1, text.len);
  if (text.len && text.ptr[0] == '-') at++;
  if (plus && at) return false;
  while (text.len > at + 1 && text.ptr[at] == '0' && text.ptr[at + 1] >= '0' && text.ptr[at + 1] <= '9') {
    if (at) return false; /* -007 has no shorter view */
    text = str_slice(text, 1, text.len);
  }
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == 'e' || text.ptr[i] == 'E') return false;
  }
  return decimal_parse(text, out);
}

static bool to_decimal(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  (void)e;
  out->kind = FP_DECIMAL;
  if (from->kind == FP_STRING) return decimal_text(from->string, &out->decimal);
  if (from->kind != FP_BOOLEAN) return fp_value_decimal(from, &out->decimal);
  out->decimal = (struct decimal){.coefficient = from->boolean ? 10 : 0, .scale = 1};
  return true;
}

static bool to_quantity(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  struct fp_value number;
  out->kind = FP_QUANTITY;
  if (from->kind == FP_QUANTITY) {
    out->quantity = from->quantity;
    return true;
  }
  if (from->kind == FP_STRING) return fp_quantity_parse(from->string, &out->quantity);
  out->quantity = (struct fp_quantity){.unit = STR("1")};
  if (!to_decimal(e, from, &number)) return false;
  out->quantity.value = number.decimal;
  return true;
}

static bool to_string(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  struct str text;
  if (from->kind == FP_NODE || from->kind == FP_TYPE || !fp_value_text(e, from, &text)) return false;
  out->kind = FP_STRING;
  out->string = text;
  return true;
}

static bool is_date_text(struct str text, enum datetime_kind kind) {
  struct datetime value;
  return datetime_parse_literal(text, kind, &value);
}

static bool to_date(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  (void)e;
  struct str text = from->string;
  if (from->kind != FP_STRING && from->kind != FP_DATE && from->kind != FP_DATETIME) return false;
  size_t end = str_find_char(text, 'T', 0);
  if (from->kind == FP_DATETIME || end != SIZE_MAX) {
    if (!is_date_text(text, DATETIME_DATETIME)) return false;
    text = str_slice(text, 0, end == SIZE_MAX ? text.len : end);
  }
  *out = (struct fp_value){.kind = FP_DATE, .string = text};
  return is_date_text(text, DATETIME_DATE);
}

static bool to_datetime(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  (void)e;
  struct str text = from->string;
  if (from->kind != FP_STRING && from->kind != FP_DATE && from->kind != FP_DATETIME) return false;
  if (text.len && text.ptr[text.len - 1] == 'T') text.len--;
  *out = (struct fp_value){.kind = FP_DATETIME, .string = text};
  return is_date_text(text, DATETIME_DATETIME);
}

static bool to_time(struct fp_eval *e, const struct fp_value *from, struct fp_value *out) {
  (void)e;
  struct str text = from->string;
  if (from->kind != FP_STRING && from->kind != FP_TIME) return false;
  if (text.len && text.ptr[0] == 'T') text = str_slice(text, 1, text.len);
  *out = (struct fp_value){.kind = FP_TIME, .string = text};
  return is_date_text(text, DATETIME_TIME);
}

/* By the name behind "to" or "convertsTo", whose letters tell it apart. */
static convert *conversion(const char *name) {
  const char *target = name + strlen(name[0] == 'c' ? "convertsTo" : "to");
  switch (target[0]) {
  case 'B':
    return to_boolean;
  case 'I':
    return to_integer;
  case 'L':
    return to_long;
  case 'Q':
    return to_quantity;
  case 'S':
    return to_string;
  case 'T':
    return to_time;
  default: /* Decimal, Date, DateTime */
    return target[1] == 'e' ? to_decimal : target[4] ? to_datetime : to_date;
  }
}

/* The unit that toQuantity(unit) asks for: a calendar word or a UCUM code. 1, 0 no argument, -1 failed. */
static int to_unit(struct fp_eval *e, const struct fp_ins *call, struct fp_value *value, bool *fits) {
  struct str unit;
  struct decimal converted;
  int has = fp_argument_string(e, call, 0, &unit);
  *fits = true;
  if (has <= 0) return has;
  if (unit.len > 2 && unit.ptr[0] == '\'') unit = str_slice(unit, 1, unit.len - 1);
  bool calendar = fp_calendar_unit(unit) >= 0;
  *fits = fp_quantity_convert(e->program->units, &value->quantity, unit, calendar, &converted);
  if (!*fits) return 1;
  value->quantity =
      (struct fp_quantity){.value = decimal_normalize(converted), .unit = unit, .calendar = calendar};
  return 1;
}

static bool apply(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                  struct fp_value *out, bool *has) {
  struct fp_value from;
  convert *function = conversion(call->function->name);
  fp_load(&in->items[0], &from);
  *has = from.kind != FP_NODE && function(e, &from, out);
  if (e->status != STATUS_OK) return false;
  if (*has && call->argument_count == 1) return to_unit(e, call, out, has) >= 0;
  return true;
}

bool fp_fn_convert(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  struct fp_value value;
  struct fp_item item;
  bool has;
  if (!apply(e, call, in, &value, &has)) return false;
  return !has || (fp_value_item(e, &value, &item) && fp_push(e, out, item));
}

bool fp_fn_converts(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  struct fp_value value;
  bool has;
  return apply(e, call, in, &value, &has) && fp_push_boolean(e, out, has);
}
