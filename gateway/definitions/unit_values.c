/*
 * unit_values.c - what the units of the table are in base units, exactly.
 *
 * The table defines an atom as so many of another unit ([lb_av]: 7000 [gr]) and gives the product as a binary
 * double. The definitions are followed; the double tells whether they were understood: where both differ by
 * more than a double's rounding, the double's decimal text is the value. Codes that are made of atoms (mg/dL)
 * are worked out when they are plain, so that finding them needs no parsing later; the rest of them, and all
 * other expressions, are for the stage that computes.
 */
#include "definitions/build.h"

enum { DEPTH_MAX = 24, POWER_MAX = 40, SIGNIFICANT = 28 };

struct amount {
  struct def_ratio ratio;
  int dimension[DEF_DIMENSIONS];
  bool plain; /* neither special nor arbitrary */
};

static bool evaluate(struct builder *b, struct b_unit *unit, int depth);

static bool add_factor(struct amount *amount, const struct amount *by, int power) {
  for (int i = 0; i < (power < 0 ? -power : power); i++)
    if (!(power < 0 ? def_ratio_divide(&amount->ratio, &by->ratio)
                    : def_ratio_multiply(&amount->ratio, &by->ratio)))
      return false;
  for (int i = 0; i < DEF_DIMENSIONS; i++)
    amount->dimension[i] += power * by->dimension[i];
  amount->plain = amount->plain && by->plain;
  return true;
}

/* --- terms ----------------------------------------------------------------------------------- */

static bool take_atom(struct builder *b, struct str code, bool prefixed, int depth, struct amount *out) {
  struct b_unit *unit = map_get(&b->units, code);
  if (!unit || !unit->unit.atom || (prefixed && !unit->unit.metric) || !evaluate(b, unit, depth + 1))
    return false;
  *out =
      (struct amount){.ratio = unit->unit.ratio, .plain = !unit->unit.arbitrary && !unit->unit.function.len};
  for (int i = 0; i < DEF_DIMENSIONS; i++)
    out->dimension[i] = unit->unit.dimension[i];
  return true;
}

static bool take_symbol(struct builder *b, struct str code, int depth, struct amount *out) {
  if (take_atom(b, code, false, depth, out)) return true;
  for (size_t len = 1; len <= 2 && len < code.len; len++) {
    const struct b_unit *prefix = map_get(&b->prefixes, str_slice(code, 0, len));
    if (prefix && take_atom(b, str_slice(code, len, code.len), true, depth, out))
      return def_ratio_multiply(&out->ratio, &prefix->unit.ratio);
  }
  return false;
}

/* Cuts the exponent off: [in_i]2, 10*-3. */
static bool cut_power(struct str *code, int *power) {
  size_t at = code->len;
  int64_t value;
  while (at > 0 && code->ptr[at - 1] >= '0' && code->ptr[at - 1] <= '9')
    at--;
  if (at == 0 || !str_to_int64(str_slice(*code, at, code->len), &value) || value > POWER_MAX) return false;
  char sign = code->ptr[at - 1];
  code->len = sign == '+' || sign == '-' ? at - 1 : at;
  *power = sign == '-' ? -(int)value : (int)value;
  return code->len > 0;
}

static bool take_component(struct builder *b, struct str code, int depth, struct amount *out, int *power) {
  int64_t number;
  *power = 1;
  if (str_to_int64(code, &number) && number > 0) {
    *out = (struct amount){.ratio = {(decimal_coefficient)number, 1, 0}, .plain = true};
    return true;
  }
  if (take_symbol(b, code, depth, out)) return true;
  return cut_power(&code, power) && take_symbol(b, code, depth, out);
}

/* Where the component ends; a point or slash in brackets is none. */
static size_t component_end(struct str text, size_t at) {
  bool bracket = false;
  for (; at < text.len && (bracket || (text.ptr[at] != '.' && text.ptr[at] != '/')); at++)
    bracket = text.ptr[at] == '[' || (bracket && text.ptr[at] != ']');
  return at;
}

/* Without parentheses and annotations, which the table's own definitions do not have. */
static bool take_term(struct builder *b, struct str text, int depth, struct amount *out) {
  struct amount part;
  int power;
  bool divide = text.len && text.ptr[0] == '/';
  *out = (struct amount){.ratio = {1, 1, 0}, .plain = true};
  for (size_t at = divide;;) {
    size_t end = component_end(text, at);
    if (!take_component(b, str_slice(text, at, end), depth, &part, &power) ||
        !add_factor(out, &part, divide ? -power : power))
      return false;
    if (end == text.len) return true;
    divide = text.ptr[end] == '/';
    at = end + 1;
  }
}

/* --- one unit -------------------------------------------------------------------------------- */

/* A constant with more digits than a coefficient holds (pi) is rounded to 28 significant ones. */
static bool read_number(struct str text, struct def_ratio *out) {
  struct decimal value;
  if (decimal_parse(text, &value)) return def_ratio_of(value, out);
  size_t point = str_find_char(text, '.', 0);
  if (point >= SIGNIFICANT || !decimal_parse(str_slice(text, 0, SIGNIFICANT + 2), &value)) return false;
  return def_ratio_of(decimal_round(value, (int32_t)(SIGNIFICANT - point)), out);
}

static long double approximate(const struct def_ratio *ratio) {
  long double value = (long double)ratio->num / (long double)ratio->den;
  for (int i = ratio->exponent; i > 0; i--)
    value *= 10;
  for (int i = ratio->exponent; i < 0; i++)
    value /= 10;
  return value;
}

static bool agrees(const struct def_ratio *exact, struct str magnitude) {
  struct def_ratio rounded;
  if (!read_number(magnitude, &rounded)) return false;
  long double quotient = approximate(exact) / approximate(&rounded);
  return quotient > 1 - 1e-9L && quotient < 1 + 1e-9L;
}

static bool follow_definition(struct builder *b, struct b_unit *unit, int depth) {
  struct amount amount;
  struct def_ratio factor;
  if (!unit->definition.len || !take_term(b, unit->definition, depth, &amount) ||
      !read_number(unit->factor, &factor) || !def_ratio_multiply(&amount.ratio, &factor) ||
      !agrees(&amount.ratio, unit->unit.magnitude))
    return false;
  unit->unit.ratio = amount.ratio;
  return true;
}

static void invert(struct def_unit *unit) {
  unit->ratio = (struct def_ratio){unit->ratio.den, unit->ratio.num, -unit->ratio.exponent};
  for (int i = 0; i < DEF_DIMENSIONS; i++)
    unit->dimension[i] = (int8_t)-unit->dimension[i];
}

static bool atom_value(struct builder *b, struct b_unit *unit, int depth) {
  if (unit->base || unit->unit.function.len || unit->unit.arbitrary) return true;
  if (!follow_definition(b, unit, depth) && !read_number(unit->unit.magnitude, &unit->unit.ratio))
    return false;
  if (unit->inverse) invert(&unit->unit);
  return true;
}

static bool code_value(struct builder *b, struct b_unit *unit, int depth) {
  struct amount amount;
  if (unit->function.len || !take_term(b, unit->code, depth, &amount) || !amount.plain ||
      !agrees(&amount.ratio, unit->unit.magnitude))
    return false;
  for (int i = 0; i < DEF_DIMENSIONS; i++)
    if (amount.dimension[i] != unit->unit.dimension[i]) return false;
  unit->unit.ratio = amount.ratio;
  return true;
}

static bool evaluate(struct builder *b, struct b_unit *unit, int depth) {
  if (unit->progress == B_DONE) return unit->unit.exact;
  if (unit->progress == B_RUNNING || depth > DEPTH_MAX) return false; /* defined by itself */
  unit->progress = B_RUNNING;
  unit->unit.exact = unit->unit.atom ? atom_value(b, unit, depth) : code_value(b, unit, depth);
  def_ratio_reduce(&unit->unit.ratio);
  unit->progress = B_DONE;
  return unit->unit.exact;
}

/* [IU] is [iU] by another name. */
static struct str root_of(struct builder *b, const struct b_unit *unit) {
  for (int steps = 0; steps < DEPTH_MAX; steps++) {
    const struct b_unit *next = map_get(&b->units, unit->definition);
    if (!next || !next->unit.arbitrary) break;
    unit = next;
  }
  return unit->code;
}

void def_unit_values(struct builder *b) {
  for (size_t i = 0; i < b->units.count; i++) {
    struct b_unit *unit = b->units.entries[i].value;
    (void)evaluate(b, unit, 0);
    if (unit->unit.arbitrary) unit->unit.root = root_of(b, unit);
  }
}
