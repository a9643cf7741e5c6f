/* units.c - units and prefixes of the UCUM table in an open pack. */
#include "definitions/internal.h"

static decimal_coefficient whole(const uint64_t halves[2]) {
  return (decimal_coefficient)halves[1] << 64 | halves[0];
}

static struct def_ratio ratio_of(const struct pack_unit *unit) {
  struct def_ratio ratio = {whole(unit->num), whole(unit->den), unit->exponent};
  return ratio.num && ratio.den ? ratio : (struct def_ratio){1, 1, 0};
}

static void unpack(const struct pack_unit *unit, struct def_unit *out) {
  *out = (struct def_unit){.code = rel_text(&unit->code),
                           .ratio = ratio_of(unit),
                           .exact = unit->flags & PACK_UNIT_EXACT,
                           .atom = unit->flags & PACK_UNIT_ATOM,
                           .metric = unit->flags & PACK_UNIT_METRIC,
                           .arbitrary = unit->flags & PACK_UNIT_ARBITRARY,
                           .root = rel_text(&unit->root),
                           .function = rel_text(&unit->function),
                           .magnitude = rel_text(&unit->magnitude)};
  memcpy(out->dimension, unit->dimension, sizeof out->dimension);
}

bool definitions_unit(const struct definitions *definitions, struct str code, struct def_unit *out) {
  for (size_t i = definitions->layer_count; i-- > 0;) {
    const struct pack_unit *found = def_name_find(&definitions->layers[i].header->unit_names, code);
    if (!found) continue;
    unpack(found, out);
    return true;
  }
  return false;
}

bool definitions_prefix(const struct definitions *definitions, struct str code, struct def_ratio *out) {
  for (size_t i = definitions->layer_count; i-- > 0;) {
    const struct pack_unit *found = def_name_find(&definitions->layers[i].header->prefix_names, code);
    if (!found) continue;
    *out = ratio_of(found);
    return true;
  }
  return false;
}

size_t definitions_unit_count(const struct definitions *definitions) {
  size_t count = 0;
  for (size_t i = 0; i < definitions->layer_count; i++)
    count += definitions->layers[i].header->units.count;
  return count;
}

bool definitions_unit_at(const struct definitions *definitions, size_t index, struct def_unit *out) {
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct rel_list *units = &definitions->layers[i].header->units;
    if (index < units->count) {
      unpack((const struct pack_unit *)rel_items(units) + index, out);
      return true;
    }
    index -= units->count;
  }
  return false;
}
