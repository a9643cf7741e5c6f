/* ucum.c - UCUM unit codes to factor and dimensions: the grammar of UCUM section 2, atoms in units.def. */
#include "fhirpath/internal.h"

enum { NESTING = 12, EXPONENT = 40 };

struct atom {
  const char *code;
  bool metric;
  const char *value, *unit;
};
static const struct atom atoms[] = {
#define UNIT(code, metric, value, unit) {code, metric, value, unit},
#include "fhirpath/units.def"
#undef UNIT
};

static const struct {
  const char *code;
  enum fp_dimension dimension;
} bases[] = {{"m", FP_DIM_M}, {"s", FP_DIM_S}, {"g", FP_DIM_G},  {"rad", FP_DIM_RAD},
             {"K", FP_DIM_K}, {"C", FP_DIM_C}, {"cd", FP_DIM_CD}};

static const struct {
  const char *code;
  int exponent;
} prefixes[] = {{"Y", 24}, {"Z", 21},  {"E", 18},  {"P", 15},  {"T", 12},  {"G", 9},  {"M", 6},
                {"k", 3},  {"h", 2},   {"da", 1},  {"d", -1},  {"c", -2},  {"m", -3}, {"u", -6},
                {"n", -9}, {"p", -12}, {"f", -15}, {"a", -18}, {"z", -21}, {"y", -24}};

static const struct {
  const char *code;
  enum fp_special special;
} specials[] = {{"Cel", FP_SPECIAL_CEL},    {"[degF]", FP_SPECIAL_DEGF}, {"B", FP_SPECIAL_LOG},
                {"Np", FP_SPECIAL_LOG},     {"dB", FP_SPECIAL_LOG},      {"[pH]", FP_SPECIAL_LOG},
                {"B[SPL]", FP_SPECIAL_LOG}, {"bit_s", FP_SPECIAL_LOG}};

static bool parse(struct str code, int nesting, struct fp_unit *out);

static const struct fp_unit *one(void) {
  static const struct fp_unit unit = {.num = {.coefficient = 1}, .den = {.coefficient = 1}};
  return &unit;
}

static bool multiply(struct fp_unit *unit, const struct fp_unit *by, int sign) {
  const struct decimal *num = sign > 0 ? &by->num : &by->den, *den = sign > 0 ? &by->den : &by->num;
  if (!decimal_multiply(unit->num, *num, &unit->num) || !decimal_multiply(unit->den, *den, &unit->den))
    return false;
  for (int i = 0; i < FP_DIMENSIONS; i++)
    unit->dimension[i] = (int16_t)(unit->dimension[i] + sign * by->dimension[i]);
  if (by->arbitrary)
    unit->arbitrary = unit->arbitrary && unit->arbitrary != by->arbitrary ? ~by->arbitrary : by->arbitrary;
  if (by->special) unit->special = FP_SPECIAL_LOG; /* cannot be multiplied */
  unit->num = decimal_normalize(unit->num);
  unit->den = decimal_normalize(unit->den);
  return true;
}

static bool scale(struct fp_unit *unit, int exponent) {
  struct fp_unit ten = *one();
  ten.num.coefficient = 10;
  for (int i = 0; i < (exponent < 0 ? -exponent : exponent); i++) {
    if (!multiply(unit, &ten, exponent < 0 ? -1 : 1)) return false;
  }
  return true;
}

/* --- atoms */

static bool special_atom(struct str code, struct fp_unit *out) {
  for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
    if (!str_is(code, specials[i].code)) continue;
    *out = *one();
    out->special = specials[i].special;
    out->dimension[out->special == FP_SPECIAL_LOG ? FP_DIM_ARBITRARY : FP_DIM_K] = 1;
    if (out->special == FP_SPECIAL_LOG) out->arbitrary = str_hash(code);
    return true;
  }
  return false;
}

static bool define(const struct atom *atom, int nesting, struct fp_unit *out) {
  if (strcmp(atom->unit, "?") == 0) {
    *out = *one();
    out->dimension[FP_DIM_ARBITRARY] = 1;
    out->arbitrary = str_hash(str_of(atom->code));
    return true;
  }
  struct fp_unit value = *one();
  if (!parse(str_of(atom->unit), nesting + 1, out) || !decimal_parse(str_of(atom->value), &value.num))
    return false;
  return multiply(out, &value, 1);
}

static bool whole_atom(struct str code, bool prefixed, int nesting, struct fp_unit *out) {
  for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
    if (!str_is(code, bases[i].code)) continue;
    *out = *one();
    out->dimension[bases[i].dimension] = 1;
    return true;
  }
  for (size_t i = 0; i < sizeof atoms / sizeof *atoms; i++) {
    if (str_is(code, atoms[i].code)) return (!prefixed || atoms[i].metric) && define(&atoms[i], nesting, out);
  }
  return !prefixed && special_atom(code, out);
}

static bool symbol(struct str code, int nesting, struct fp_unit *out) {
  if (whole_atom(code, false, nesting, out)) return true;
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    struct str prefix = str_of(prefixes[i].code);
    if (code.len <= prefix.len || !str_starts(code, prefix)) continue;
    if (whole_atom(str_slice(code, prefix.len, code.len), true, nesting, out))
      return scale(out, prefixes[i].exponent);
  }
  return false;
}

/* --- terms */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Where the component that begins at `at` ends: at . or / outside brackets. */
static size_t component_end(struct str code, size_t at) {
  int open = 0;
  for (; at < code.len; at++) {
    char c = code.ptr[at];
    if (c == '(' || c == '[' || c == '{') open++;
    if (c == ')' || c == ']' || c == '}') open--;
    if (open == 0 && (c == '.' || c == '/')) break;
  }
  return at;
}

/* Cuts the exponent off the end: m2, s-1, 10*-3. */
static bool split_exponent(struct str *code, int *exponent) {
  size_t at = code->len;
  *exponent = 1;
  while (at > 0 && is_digit(code->ptr[at - 1]))
    at--;
  if (at == code->len || at == 0) return true;
  int value = 0;
  for (size_t i = at; i < code->len; i++) {
    value = value * 10 + (code->ptr[i] - '0');
    if (value > EXPONENT) return false;
  }
  char sign = code->ptr[at - 1];
  if (sign == '+' || sign == '-') at--;
  *exponent = sign == '-' ? -value : value;
  code->len = at;
  return at > 0;
}

static bool power(const struct fp_unit *unit, int exponent, struct fp_unit *out) {
  *out = *one();
  if (unit->special) {
    *out = *unit;
    return exponent == 1;
  }
  for (int i = 0; i < (exponent < 0 ? -exponent : exponent); i++) {
    if (!multiply(out, unit, exponent < 0 ? -1 : 1)) return false;
  }
  return true;
}

static bool number(struct str code, struct fp_unit *out) {
  for (size_t i = 0; i < code.len; i++) {
    if (!is_digit(code.ptr[i])) return false;
  }
  *out = *one();
  return code.len > 0 && decimal_parse(code, &out->num) && !decimal_is_zero(out->num);
}

static bool component(struct str code, int nesting, struct fp_unit *out) {
  struct fp_unit unit;
  int exponent;
  if (code.len && code.ptr[code.len - 1] == '}') {
    size_t open = str_find_char(code, '{', 0);
    if (open == SIZE_MAX) return false;
    code.len = open;
    if (open == 0) {
      *out = *one();
      return true;
    }
  }
  if (code.len > 1 && code.ptr[0] == '(' && code.ptr[code.len - 1] == ')')
    return parse(str_slice(code, 1, code.len - 1), nesting + 1, out);
  if (number(code, out)) return true;
  if (symbol(code, nesting, &unit)) return power(&unit, 1, out);
  if (!split_exponent(&code, &exponent)) return false;
  if (code.len > 1 && code.ptr[0] == '(') return false;
  return symbol(code, nesting, &unit) && power(&unit, exponent, out);
}

static bool parse(struct str code, int nesting, struct fp_unit *out) {
  struct fp_unit unit;
  int sign = 1;
  size_t at = 0;
  *out = *one();
  if (nesting > NESTING || code.len == 0 || code.len > 256) return false;
  if (code.ptr[0] == '/') {
    sign = -1;
    at = 1;
  }
  for (bool first = true;; first = false) {
    size_t end = component_end(code, at);
    if (!component(str_slice(code, at, end), nesting, &unit)) return false;
    if (first && sign > 0 && end == code.len) {
      *out = unit;
      return true;
    }
    if (unit.special || !multiply(out, &unit, sign)) return false;
    if (end == code.len) return true;
    sign = code.ptr[end] == '/' ? -1 : 1;
    at = end + 1;
  }
}

bool fp_unit_parse(struct str code, struct fp_unit *out) {
  return parse(code, 0, out);
}

bool fp_units_fit(const struct fp_unit *a, const struct fp_unit *b) {
  return memcmp(a->dimension, b->dimension, sizeof a->dimension) == 0 && a->arbitrary == b->arbitrary;
}

bool fp_unit_is_one(const struct fp_unit *unit) {
  return !unit->special && !unit->arbitrary && fp_units_fit(unit, one());
}

/* --- conversion */

static bool constant(const char *text, struct decimal *out) {
  return decimal_parse(str_of(text), out);
}

static bool to_kelvin(struct decimal value, const struct fp_unit *unit, struct decimal *out) {
  struct decimal offset, nine, five;
  if (!constant("273.15", &offset) || !constant("9", &nine) || !constant("5", &five)) return false;
  if (unit->special == FP_SPECIAL_CEL) return decimal_add(value, offset, out);
  if (!constant("459.67", &offset)) return false;
  return decimal_add(value, offset, &value) && decimal_multiply(value, five, &value) &&
         decimal_divide(value, nine, out);
}

static bool from_kelvin(struct decimal value, const struct fp_unit *unit, struct decimal *out) {
  struct decimal offset, nine, five;
  if (!constant("273.15", &offset) || !constant("9", &nine) || !constant("5", &five)) return false;
  if (unit->special == FP_SPECIAL_CEL) return decimal_subtract(value, offset, out);
  if (!constant("459.67", &offset)) return false;
  return decimal_multiply(value, nine, &value) && decimal_divide(value, five, &value) &&
         decimal_subtract(value, offset, out);
}

bool fp_unit_convert(struct decimal value, const struct fp_unit *from, const struct fp_unit *to,
                     struct decimal *out) {
  struct decimal num, den;
  if (!fp_units_fit(from, to)) return false;
  if (from->special && from->special == to->special) {
    *out = value;
    return true;
  }
  if (from->special == FP_SPECIAL_LOG || to->special == FP_SPECIAL_LOG) return false;
  if (from->special && !to_kelvin(value, from, &value)) return false;
  if (!decimal_multiply(from->num, to->den, &num) || !decimal_multiply(from->den, to->num, &den))
    return false;
  num = decimal_normalize(num);
  den = decimal_normalize(den);
  if (decimal_compare(num, den) != 0 &&
      (!decimal_multiply(value, num, &value) || !decimal_divide(value, den, &value)))
    return false;
  if (to->special) return from_kelvin(value, to, out);
  *out = value;
  return true;
}
