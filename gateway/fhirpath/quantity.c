/* quantity.c - quantities: FHIR Quantity nodes, texts, calendar words, alignment of units, products. */
#include "fhirpath/internal.h"

/* --- reading */

static const char *const ucum_times[] = {"a", "mo", "wk", "d", "h", "min", "s", "ms"};

static int ucum_time(struct str unit) {
  for (int i = 0; i < 8; i++) {
    if (str_is(unit, ucum_times[i])) return i;
  }
  return -1;
}

bool fp_datetime_unit(const struct fp_quantity *quantity, enum datetime_unit *out, bool *definite) {
  int index = quantity->calendar ? fp_calendar_unit(quantity->unit) : ucum_time(quantity->unit);
  *definite = !quantity->calendar && !quantity->either;
  if (index >= 0) *out = (enum datetime_unit)index;
  return index >= 0;
}

bool fp_quantity_of_node(const struct tree_node *node, struct fp_quantity *out) {
  const struct tree_node *value = fp_child(node, "value"), *code = fp_child(node, "code"),
                         *unit = fp_child(node, "unit");
  const struct tree_node *system = fp_child(node, "system");
  *out = (struct fp_quantity){.unit = STR("1")};
  if (!value || !decimal_parse(value->text, &out->value) || fp_child(node, "comparator")) return false;
  out->text = value->text;
  bool ucum = system && str_is(system->text, "http://unitsofmeasure.org");
  if (code && (ucum || !unit)) {
    out->unit = code->text;
    out->either = ucum && ucum_time(code->text) >= 0;
  } else if (unit) {
    out->unit = unit->text;
  }
  return true;
}

static bool is_word(struct str text) {
  return fp_calendar_unit(text) >= 0;
}

/* 1, 1.5 'mg', 4 days */
bool fp_quantity_parse(struct str text, struct fp_quantity *out) {
  size_t at = 0;
  *out = (struct fp_quantity){.unit = STR("1")};
  if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-')) at++;
  size_t digits = at;
  while (at < text.len &&
         ((text.ptr[at] >= '0' && text.ptr[at] <= '9') || (text.ptr[at] == '.' && at > digits)))
    at++;
  struct str number = str_slice(text, text.len && text.ptr[0] == '+' ? 1 : 0, at);
  if (at == digits || text.ptr[at - 1] == '.' || !decimal_parse(number, &out->value)) return false;
  out->text = number;
  struct str unit = str_trim(str_slice(text, at, text.len));
  if (unit.len == 0) return at == text.len;
  if (unit.len > 2 && unit.ptr[0] == '\'' && unit.ptr[unit.len - 1] == '\'') {
    out->unit = str_slice(unit, 1, unit.len - 1);
    return str_find_char(out->unit, '\'', 0) == SIZE_MAX;
  }
  out->unit = unit;
  out->calendar = true;
  return is_word(unit);
}

void fp_quantity_print(const struct fp_quantity *quantity, struct buf *out) {
  if (quantity->text.len) {
    buf_add_str(out, quantity->text);
  } else {
    decimal_format(quantity->value, out);
  }
  buf_printf(out, quantity->calendar ? " %.*s" : " '%.*s'", STR_ARG(quantity->unit));
}

/* --- units that fit */

/* Calendar words among themselves: 12 months a year, else days of 24 hours, months of 30, years of 365 days.
 */
static bool calendar_convert(struct decimal value, int from, int to, struct decimal *out) {
  static const int64_t ms[] = {31536000000, 2592000000, 604800000, 86400000, 3600000, 60000, 1000, 1};
  int64_t num = ms[from], den = ms[to];
  if (from <= DATETIME_UNIT_MONTH && to <= DATETIME_UNIT_MONTH) {
    num = from == DATETIME_UNIT_YEAR ? 12 : 1;
    den = to == DATETIME_UNIT_YEAR ? 12 : 1;
  }
  if (num == den) {
    *out = value;
    return true;
  }
  if (num % den == 0) return decimal_multiply(value, decimal_from_int(num / den), out);
  return decimal_multiply(value, decimal_from_int(num), &value) &&
         decimal_divide(value, decimal_from_int(den), out);
}

/* Word and UCUM unit mean the same length: weeks and below. */
static bool is_fixed(int unit) {
  return unit >= DATETIME_UNIT_WEEK;
}

static bool to_calendar(const struct fp_quantity *from, int to, struct decimal *out) {
  int unit = from->calendar ? fp_calendar_unit(from->unit) : ucum_time(from->unit);
  if (unit < 0 || to < 0) return false;
  if (!from->calendar && !from->either && (!is_fixed(unit) || !is_fixed(to))) return false;
  return calendar_convert(from->value, unit, to, out);
}

bool fp_quantity_convert(const struct definitions *units, const struct fp_quantity *from, struct str unit,
                         bool calendar, struct decimal *out) {
  struct fp_unit a, b;
  if (calendar) return to_calendar(from, fp_calendar_unit(unit), out);
  if (!from->calendar && str_eq(from->unit, unit)) {
    *out = from->value;
    return true;
  }
  struct str code = from->unit;
  if (from->calendar) {
    int word = fp_calendar_unit(from->unit), target = ucum_time(unit);
    if (!is_fixed(word) || (target >= 0 && !is_fixed(target))) return false;
    code = str_of(ucum_times[word]);
  }
  if (!fp_unit_parse(units, code, &a) || !fp_unit_parse(units, unit, &b)) return false;
  return fp_unit_convert(from->value, &a, &b, out);
}

/* One of them in years or months, one in calendar words: equivalent, not equal. */
static bool align_loosely(const struct fp_quantity *a, const struct fp_quantity *b, struct decimal *left,
                          struct decimal *right) {
  struct fp_quantity x = *a, y = *b;
  x.either = y.either = true;
  int to = y.calendar ? fp_calendar_unit(y.unit) : ucum_time(y.unit);
  *right = y.value;
  return to_calendar(&x, to, left);
}

/* The unit of which more make up the same: its values are the exact ones. */
static bool is_finer(const struct definitions *units, const struct fp_quantity *a,
                     const struct fp_quantity *b) {
  struct fp_quantity unit = *a;
  struct decimal in_b;
  unit.value = decimal_from_int(1);
  return fp_quantity_convert(units, &unit, b->unit, b->calendar, &in_b) &&
         decimal_compare(in_b, decimal_from_int(1)) < 0;
}

/* Two units of UCUM: as below, with each read once. */
static bool align_units(const struct definitions *units, const struct fp_quantity *a,
                        const struct fp_quantity *b, struct decimal *left, struct decimal *right,
                        int *finer) {
  struct fp_unit x, y;
  struct decimal one = decimal_from_int(1), in_y;
  if (!fp_unit_parse(units, a->unit, &x) || !fp_unit_parse(units, b->unit, &y) || !fp_units_fit(&x, &y))
    return false;
  bool a_finer = fp_unit_convert(one, &x, &y, &in_y) && decimal_compare(in_y, one) < 0;
  *finer = !a_finer && fp_unit_convert(a->value, &x, &y, left);
  if (*finer) return true;
  *left = a->value;
  return fp_unit_convert(b->value, &y, &x, right);
}

bool fp_quantity_align(const struct definitions *units, const struct fp_quantity *a,
                       const struct fp_quantity *b, bool equivalence, struct decimal *left,
                       struct decimal *right, int *finer) {
  *left = a->value;
  *right = b->value;
  *finer = 0;
  if (a->calendar == b->calendar && str_eq(a->unit, b->unit)) return true;
  if (!a->calendar && !b->calendar) return align_units(units, a, b, left, right, finer);
  if (is_finer(units, a, b)) return fp_quantity_convert(units, b, a->unit, a->calendar, right);
  *finer = 1;
  if (fp_quantity_convert(units, a, b->unit, b->calendar, left)) return true;
  *left = a->value;
  *finer = 0;
  if (fp_quantity_convert(units, b, a->unit, a->calendar, right)) return true;
  return equivalence && a->calendar != b->calendar && align_loosely(a, b, left, right);
}

/* --- products */

static bool is_compound(struct str unit) {
  return str_find_char(unit, '.', 0) != SIZE_MAX || str_find_char(unit, '/', 0) != SIZE_MAX;
}

static struct str join(struct arena *arena, struct str a, struct str b, bool divide) {
  bool plain_a = str_is(a, "1"), brackets = divide && is_compound(b);
  if (!divide && plain_a) return b;
  return arena_printf(arena, "%.*s%s%s%.*s%s", STR_ARG(a), divide ? "/" : ".", brackets ? "(" : "",
                      STR_ARG(b), brackets ? ")" : "");
}

/* A quantity without dimension is a number: its unit's factor goes into the value. */
static bool as_number(const struct definitions *units, const struct fp_quantity *quantity,
                      struct decimal *out) {
  struct fp_unit unit, none;
  if (quantity->calendar || !fp_unit_parse(units, quantity->unit, &unit) || !fp_unit_is_one(&unit))
    return false;
  return fp_unit_parse(units, STR("1"), &none) && fp_unit_convert(quantity->value, &unit, &none, out);
}

static bool combine(struct decimal a, struct decimal b, bool divide, struct decimal *out) {
  return divide ? decimal_divide(a, b, out) : decimal_multiply(a, b, out);
}

bool fp_quantity_multiply(const struct fp_eval *e, const struct fp_quantity *a, const struct fp_quantity *b,
                          bool divide, struct fp_quantity *out) {
  struct decimal number;
  struct fp_unit x, y;
  const struct definitions *units = e->program->units;
  bool known_a = fp_unit_parse(units, a->unit, &x), known_b = fp_unit_parse(units, b->unit, &y);
  *out = *a;
  out->text = (struct str){0};
  if ((!a->calendar && known_a && x.special) || (!b->calendar && known_b && y.special)) return false;
  if (as_number(units, b, &number)) return combine(a->value, number, divide, &out->value);
  if (!divide && as_number(units, a, &number)) {
    *out = *b;
    out->text = (struct str){0};
    return combine(number, b->value, false, &out->value);
  }
  if (a->calendar || b->calendar || !known_a || !known_b) return false;
  out->either = false;
  out->unit = divide && str_eq(a->unit, b->unit) ? STR("1") : join(e->arena, a->unit, b->unit, divide);
  return out->unit.ptr && combine(a->value, b->value, divide, &out->value);
}
