/* ucum_common.c - where units and prefixes are looked up: the pack's table, or without one units.def. */
#include "fhirpath/internal.h"

static const struct common {
  const char *code;
  bool metric;
  const char *function;
  uint64_t num;
  int32_t exponent;
  int8_t dimension[DEF_DIMENSIONS];
} commons[] = {
#define PREFIX(code, exponent)
#define UNIT(code, metric, function, num, exponent, m, s, g, rad, k, c, cd)                                  \
  {code, metric, function, num, exponent, {m, s, g, rad, k, c, cd}},
#include "fhirpath/units.def"
#undef UNIT
#undef PREFIX
};

static const struct {
  const char *code;
  int32_t exponent;
} prefixes[] = {
#define PREFIX(code, exponent) {code, exponent},
#define UNIT(...)
#include "fhirpath/units.def"
#undef UNIT
#undef PREFIX
};

static bool has_table(const struct definitions *units) {
  return units && definitions_unit_count(units) > 0;
}

bool fp_unit_find(const struct definitions *units, struct str code, struct def_unit *out) {
  if (has_table(units)) return definitions_unit(units, code, out);
  for (size_t i = 0; i < sizeof commons / sizeof *commons; i++) {
    const struct common *unit = &commons[i];
    if (!str_is(code, unit->code)) continue;
    *out = (struct def_unit){.code = str_of(unit->code),
                             .ratio = {unit->num, 1, unit->exponent},
                             .exact = true,
                             .atom = true,
                             .metric = unit->metric,
                             .function = str_of(unit->function)};
    memcpy(out->dimension, unit->dimension, sizeof out->dimension);
    return true;
  }
  return false;
}

bool fp_prefix_find(const struct definitions *units, struct str code, struct def_ratio *out) {
  if (has_table(units)) return definitions_prefix(units, code, out);
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    if (!str_is(code, prefixes[i].code)) continue;
    *out = (struct def_ratio){1, 1, prefixes[i].exponent};
    return true;
  }
  return false;
}
