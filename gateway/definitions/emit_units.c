/* emit_units.c - units and prefixes -> image. */
#include "definitions/build.h"

static void put_whole(uint64_t halves[2], decimal_coefficient value) {
  halves[0] = (uint64_t)value;
  halves[1] = (uint64_t)(value >> 64);
}

static void emit_text(struct builder *b, struct image_place unit, size_t field, struct str text) {
  def_image_text(&b->image, def_image_plus(unit, field), PART_HOT, text);
}

static void emit_unit(struct builder *b, struct b_unit *unit, struct image_place place) {
  const struct def_unit *from = &unit->unit;
  struct pack_unit *to = def_image_at(&b->image, place, sizeof *to);
  if (b->image.error) return;
  unit->place = place;
  put_whole(to->num, from->ratio.num);
  put_whole(to->den, from->ratio.den);
  to->exponent = from->ratio.exponent;
  memcpy(to->dimension, from->dimension, sizeof to->dimension);
  to->flags = (uint8_t)((from->exact ? PACK_UNIT_EXACT : 0) | (from->atom ? PACK_UNIT_ATOM : 0) |
                        (from->metric ? PACK_UNIT_METRIC : 0) | (from->arbitrary ? PACK_UNIT_ARBITRARY : 0));
  emit_text(b, place, offsetof(struct pack_unit, code), unit->code);
  emit_text(b, place, offsetof(struct pack_unit, root), from->root);
  emit_text(b, place, offsetof(struct pack_unit, function), from->function);
  emit_text(b, place, offsetof(struct pack_unit, magnitude), from->magnitude);
}

static struct image_place emit_rows(struct builder *b, const struct map *rows, size_t names_field) {
  struct emit_name *names = def_builder_alloc(b, rows->count + 1, sizeof *names);
  struct image_place list = def_image_alloc(&b->image, PART_HOT, rows->count, sizeof(struct pack_unit));
  for (size_t i = 0; names && i < rows->count; i++) {
    struct b_unit *unit = rows->entries[i].value;
    emit_unit(b, unit, def_image_plus(list, i * sizeof(struct pack_unit)));
    names[i] = (struct emit_name){unit->code, unit->place};
  }
  if (names) def_emit_names(b, names_field, names, rows->count);
  return list;
}

void def_emit_units(struct builder *b) {
  struct image_place list = emit_rows(b, &b->units, offsetof(struct pack_header, unit_names));
  def_image_list(&b->image, def_image_header(offsetof(struct pack_header, units)), list, b->units.count);
  emit_rows(b, &b->prefixes, offsetof(struct pack_header, prefix_names));
}
