/*
 * ucum.c - UCUM unit expressions (UCUM section 2) to a ratio and dimensions. Units and prefixes come from
 * the table of the definition pack.
 */
#include "fhirpath/internal.h"

enum { NESTING = 12, EXPONENT = 40, CODE_BYTES = 256, COMPONENTS = 200 };

struct parser {
  const struct definitions *units;
  size_t components; /* read so far: bounds the work */
};

static bool parse_term(struct parser *p, struct str code, int nesting, struct fp_unit *out);

static struct fp_unit one(void) {
  return (struct fp_unit){.ratio = {1, 1, 0}};
}

static bool is_number(const struct fp_unit *unit) {
  static const int16_t none[DEF_DIMENSIONS];
  return !unit->special && !unit->arbitrary && memcmp(unit->dimension, none, sizeof none) == 0;
}

/* A special unit may be multiplied by a number, and by nothing else. Arbitrary units count by the sum of
 * their hashes, so that [iU]/[iU] is a number. */
static bool multiply(struct fp_unit *unit, const struct fp_unit *by, int sign) {
  if (unit->special && !is_number(by)) return false;
  if (by->special && (sign < 0 || !is_number(unit))) return false;
  if (!(sign > 0 ? def_ratio_multiply(&unit->ratio, &by->ratio) : def_ratio_divide(&unit->ratio, &by->ratio)))
    return false;
  for (int i = 0; i < DEF_DIMENSIONS; i++) {
    int sum = unit->dimension[i] + sign * by->dimension[i];
    if (sum > INT16_MAX || sum < INT16_MIN) return false;
    unit->dimension[i] = (int16_t)sum;
  }
  unit->arbitrary = sign > 0 ? unit->arbitrary + by->arbitrary : unit->arbitrary - by->arbitrary;
  if (by->special) unit->special = by->special;
  return true;
}

/* --- units of the table ---------------------------------------------------------------------- */

static const struct {
  const char *function;
  enum fp_special special;
} scales[] = {{"Cel", FP_SPECIAL_CEL}, {"degF", FP_SPECIAL_DEGF}, {"degRe", FP_SPECIAL_DEGRE}};

static enum fp_special special_of(struct str function) {
  if (!function.len) return FP_SPECIAL_NONE;
  for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
    if (str_is(function, scales[i].function)) return scales[i].special;
  }
  return FP_SPECIAL_OTHER;
}

/* Special units without a linear scale fit only themselves, like arbitrary ones. */
static void take_unit(const struct def_unit *from, struct fp_unit *out) {
  *out = (struct fp_unit){.ratio = from->ratio, .special = special_of(from->function)};
  for (int i = 0; i < DEF_DIMENSIONS; i++)
    out->dimension[i] = from->dimension[i];
  if (from->arbitrary) out->arbitrary = str_hash(from->root);
  if (out->special == FP_SPECIAL_OTHER) out->arbitrary = str_hash(from->code);
}

static bool atom(const struct parser *p, struct str code, bool prefixed, struct fp_unit *out) {
  struct def_unit unit;
  if (!fp_unit_find(p->units, code, &unit) || !unit.atom || !unit.exact || (prefixed && !unit.metric))
    return false;
  take_unit(&unit, out);
  return true;
}

/* A prefix has one or two letters. */
static bool symbol(const struct parser *p, struct str code, struct fp_unit *out) {
  struct def_ratio prefix;
  if (atom(p, code, false, out)) return true;
  for (size_t len = 1; len <= 2 && len < code.len; len++) {
    if (fp_prefix_find(p->units, str_slice(code, 0, len), &prefix) &&
        atom(p, str_slice(code, len, code.len), true, out))
      return def_ratio_multiply(&out->ratio, &prefix);
  }
  return false;
}

/* --- terms ----------------------------------------------------------------------------------- */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Where the component that begins at `at` ends: at . or / outside brackets and annotations. */
static size_t component_end(struct str code, size_t at) {
  size_t open = 0;
  char closing = 0;
  for (; at < code.len; at++) {
    char c = code.ptr[at];
    if (closing) {
      if (c == closing) closing = 0;
    } else if (c == '[' || c == '{') {
      closing = c == '[' ? ']' : '}';
    } else if (c == '(') {
      open++;
    } else if (c == ')' && open) {
      open--;
    } else if (open == 0 && (c == '.' || c == '/')) {
      break;
    }
  }
  return at;
}

/* Cuts the exponent off the end: m2, s-1, 10*-3. */
static bool split_exponent(struct str *code, int *exponent) {
  size_t at = code->len;
  *exponent = 1;
  while (at > 0 && is_digit(code->ptr[at - 1]))
    at--;
  if (at == code->len || at == 0) return false;
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
  *out = one();
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
  struct decimal value;
  for (size_t i = 0; i < code.len; i++) {
    if (!is_digit(code.ptr[i])) return false;
  }
  *out = one();
  return code.len > 0 && decimal_parse(code, &value) && def_ratio_of(value, &out->ratio);
}

/* Cuts the annotation {…} off the end; false when braces stand elsewhere. */
static bool cut_annotation(struct str *code) {
  size_t open = str_find_char(*code, '{', 0), close = str_find_char(*code, '}', 0);
  if (open == SIZE_MAX && close == SIZE_MAX) return true;
  if (open == SIZE_MAX || close != code->len - 1 || str_find_char(*code, '{', open + 1) != SIZE_MAX)
    return false;
  code->len = open;
  return true;
}

static bool component(struct parser *p, struct str code, int nesting, struct fp_unit *out) {
  struct fp_unit unit;
  int exponent;
  if (code.len == 0 || ++p->components > COMPONENTS) return false;
  if (code.len > 2 && code.ptr[0] == '(' && code.ptr[code.len - 1] == ')')
    return parse_term(p, str_slice(code, 1, code.len - 1), nesting + 1, out);
  if (!cut_annotation(&code)) return false;
  if (code.len == 0) {
    *out = one();
    return true;
  }
  if (number(code, out) || symbol(p, code, out)) return true;
  return split_exponent(&code, &exponent) && symbol(p, code, &unit) && power(&unit, exponent, out);
}

static bool parse_term(struct parser *p, struct str code, int nesting, struct fp_unit *out) {
  struct fp_unit unit;
  size_t at = code.len && code.ptr[0] == '/';
  int sign = at ? -1 : 1;
  *out = one();
  if (nesting > NESTING) return false;
  for (;;) {
    size_t end = component_end(code, at);
    if (!component(p, str_slice(code, at, end), nesting, &unit) || !multiply(out, &unit, sign)) return false;
    if (end >= code.len) return true;
    sign = code.ptr[end] == '/' ? -1 : 1;
    at = end + 1;
  }
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool is_printable(struct str code) {
  for (size_t i = 0; i < code.len; i++) {
    if (code.ptr[i] < '!' || code.ptr[i] > '~') return false;
  }
  return code.len > 0 && code.len <= CODE_BYTES;
}

/* Most codes stand in the table as they are. */
bool fp_unit_parse(const struct definitions *units, struct str code, struct fp_unit *out) {
  struct parser parser = {.units = units};
  struct def_unit unit;
  if (str_is(code, "1")) {
    *out = one();
    return true;
  }
  if (!is_printable(code)) return false;
  if (fp_unit_find(units, code, &unit) && unit.exact) {
    take_unit(&unit, out);
    return true;
  }
  return parse_term(&parser, code, 0, out);
}

bool fp_units_fit(const struct fp_unit *a, const struct fp_unit *b) {
  return memcmp(a->dimension, b->dimension, sizeof a->dimension) == 0 && a->arbitrary == b->arbitrary;
}

bool fp_unit_is_one(const struct fp_unit *unit) {
  return is_number(unit);
}

bool fhirpath_ucum_valid(const struct definitions *definitions, struct str code) {
  struct fp_unit unit;
  if (!definitions || definitions_unit_count(definitions) == 0) return true;
  return fp_unit_parse(definitions, code, &unit);
}
