/* csv_item.c - a row -> an item of the record: its cells decoded, checked, and put under their elements. */
#include "intake/csv_join.h"

static enum status add_place(struct csv_join *join, struct csv_place place, uint32_t *offset) {
  struct csv_places *places = join->places;
  if (places->count == places->room) {
    size_t room = places->room ? places->room * 2 : 256;
    struct csv_place *grown = ARENA_ARRAY(join->arena, struct csv_place, room);
    if (!grown) return STATUS_NOMEM;
    if (places->count) memcpy(grown, places->items, places->count * sizeof *grown);
    places->items = grown;
    places->room = room;
  }
  places->items[places->count++] = place;
  *offset = (uint32_t)places->count;
  return STATUS_OK;
}

static void complain_at(struct csv_join *join, struct csv_place place, enum diag_code code, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

static void complain_at(struct csv_join *join, struct csv_place place, enum diag_code code, const char *format,
                        va_list args) {
  uint32_t offset = 0;
  struct diag_at at = {.source = &join->out->source};
  struct str message = arena_vprintf(join->arena, format, args);
  join->failed = true;
  if (add_place(join, place, &offset) == STATUS_OK) at.offset = offset - 1;
  diag_error(join->diags, code, &at, "%.*s", STR_ARG(message));
}

void intake_csv_complain_item(struct csv_join *join, const struct csv_item *item, size_t cell, enum diag_code code,
                              const char *format, ...) {
  struct csv_place place = item->place;
  va_list args;
  place.cell = (uint16_t)cell;
  va_start(args, format);
  complain_at(join, place, code, format, args);
  va_end(args);
}

static struct csv_place row_place(const struct csv_join *join, size_t file, size_t cell) {
  const struct csv_reader *reader = join->reader;
  return (struct csv_place){.at = reader->at,
                            .len = (uint32_t)(reader->end - reader->at),
                            .line = reader->line,
                            .file = (uint16_t)file,
                            .cell = (uint16_t)cell};
}

void intake_csv_complain_row(struct csv_join *join, size_t file, size_t cell, enum diag_code code, const char *format, ...) {
  va_list args;
  struct csv_place place = row_place(join, file, cell);
  if (!join->out->source.first_line) {
    join->out->source.name = join->set->files[file].path;
    join->out->source.first_line = place.line;
  }
  va_start(args, format);
  complain_at(join, place, code, format, args);
  va_end(args);
}

/* --- decoding --- */

/* A cell in a charset of single bytes; ptr NULL: a byte that it does not have (or no memory, which is told by
 * the arena's next use). */
static struct str decode_bytes(const char (*bytes)[4], struct str raw, struct arena *arena) {
  char *out = arena_alloc(arena, raw.len * 3 + 1);
  size_t len = 0;
  for (size_t i = 0; out && i < raw.len; i++) {
    const char *from = bytes[(unsigned char)raw.ptr[i]];
    size_t size = from[0] ? strnlen(from, 4) : 0;
    if (size == 0) return (struct str){0};
    for (size_t k = 0; k < size; k++)
      out[len + k] = from[k];
    len += size;
  }
  return (struct str){out, len};
}

static bool is_ascii(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.ptr[i] >= 0x80) return false;
  return true;
}

static struct str decode(struct csv_join *join, size_t file, size_t cell, struct str raw) {
  const struct csv_description *description = join->set->description;
  bool utf8 = utf8_invalid_at(raw) == SIZE_MAX;
  if (is_ascii(raw) || (!description->bytes && utf8)) return arena_str(join->arena, raw);
  if (!description->bytes) {
    intake_csv_complain_row(join, file, cell, DIAG_CSV_ENCODING,
                            "the cell is not UTF-8: save the file as UTF-8, or give its \"charset\" in the description");
    return (struct str){0};
  }
  struct str text = decode_bytes(description->bytes, raw, join->arena);
  if (utf8)
    intake_csv_complain_row(join, file, cell, DIAG_CSV_ENCODING, "the cell is UTF-8, and the description says %.*s",
                            STR_ARG(description->charset));
  else if (!text.ptr)
    intake_csv_complain_row(join, file, cell, DIAG_CSV_ENCODING, "the cell has a byte that is no character of %.*s",
                            STR_ARG(description->charset));
  return text;
}

bool intake_csv_usable(struct csv_join *join, size_t file) {
  static const char *const faults[] = {
      [CSV_FAULT_QUOTE] = "a quotation mark in a cell that does not begin with one, or text after the closing one",
      [CSV_FAULT_RETURN] = "a carriage return that ends no line: quote the cell, or end lines with LF or CR LF",
      [CSV_FAULT_NUL] = "the row has a NUL byte",
      [CSV_FAULT_COLUMNS] = "the row has more cells than a file may have",
      [CSV_FAULT_UNCLOSED] = "a quotation mark is never closed",
      [CSV_FAULT_LONG] = "the row is too long",
      [CSV_FAULT_MEMORY] = "the row is too long"};
  const struct csv_reader *reader = join->reader;
  size_t wanted = join->set->files[file].heading_count;
  if (reader->fault) {
    intake_csv_complain_row(join, file, reader->fault == CSV_FAULT_QUOTE ? reader->count : 0, DIAG_CSV_SYNTAX, "%s", faults[reader->fault]);
    return false;
  }
  if (reader->count == wanted) return true;
  intake_csv_complain_row(join, file, reader->count < wanted ? reader->count : wanted, DIAG_CSV_ROW,
                          "the row has %zu cells, the line of headings %zu", reader->count, wanted);
  return false;
}

enum status intake_csv_take_row(struct csv_join *join, size_t file, struct csv_item **out) {
  const struct csv_file *from = &join->set->files[file];
  *out = NULL;
  join->bytes += join->reader->end - join->reader->at;
  if (!intake_csv_usable(join, file)) return STATUS_OK;
  struct csv_item *item = ARENA_NEW(join->arena, struct csv_item);
  struct str *cells = ARENA_ARRAY(join->arena, struct str, from->part->column_count + 1);
  if (!item || !cells) return STATUS_NOMEM;
  item->place = row_place(join, file, 0);
  item->cells = cells;
  for (size_t i = 0; i < from->part->column_count; i++)
    if (from->part->columns[i].has_value) cells[i] = from->part->columns[i].value;
  for (size_t i = 0; i < from->heading_count; i++) {
    struct str raw = intake_csv_cell(join->reader, i);
    if (raw.len) cells[from->headings[i]] = decode(join, file, i, raw);
    if (raw.len && !cells[from->headings[i]].ptr && !join->failed) return STATUS_NOMEM;
  }
  *out = item;
  return STATUS_OK;
}

/* --- elements --- */

/* A child for one element: the one that is there, unless a new one is wanted. */
static struct tree_node *step(struct csv_join *join, struct tree_node *above, const struct def_element *element, bool anew,
                              uint32_t offset) {
  for (struct tree_node *node = anew ? NULL : above->child; node; node = node->next)
    if (node->element == element) return node;
  struct tree_node *made =
      definitions_make(join->set->definitions, join->arena, above, element, def_element_type(element, 0).type);
  if (made) made->offset = offset;
  return made;
}

static struct tree_node *walk(struct csv_join *join, struct tree_node *above, const struct def_element *const *steps,
                              size_t count, uint32_t offset) {
  for (size_t i = 0; above && i < count; i++)
    above = step(join, above, steps[i], i + 1 == count, offset);
  return above;
}

static struct tree_node *add_member(struct csv_join *join, struct tree_node *above, const char *name, struct str text,
                                    enum tree_kind kind, uint32_t offset) {
  const struct def_element *element = def_type_element_named(node_type(above), str_of(name));
  struct tree_node *node = element ? step(join, above, element, true, offset) : NULL;
  if (!node) return NULL;
  node->text = text;
  node->kind = (uint8_t)kind;
  return node;
}

/* What stood in the cell before it was converted. */
static enum status tell_conversion(struct csv_join *join, struct tree_node *item, const struct csv_unit *unit,
                                   struct str original, uint32_t offset) {
  struct tree_node *told = step(join, item, unit->converted, true, offset);
  if (!told || !add_member(join, told, "field", unit->field, TREE_STRING, offset) ||
      !add_member(join, told, "value", original, TREE_NUMBER, offset) ||
      !add_member(join, told, "unit", unit->from, TREE_STRING, offset))
    return STATUS_NOMEM;
  return STATUS_OK;
}

static enum status add_value(struct csv_join *join, struct csv_item *item, size_t column_index) {
  const struct csv_file *file = &join->set->files[item->place.file];
  const struct csv_column *column = &file->part->columns[column_index];
  const struct csv_path *path = &column->paths[item->choice];
  struct csv_place place = item->place;
  struct csv_value value;
  uint32_t offset = 0;
  place.cell = file->places[column_index];
  if (!path->present) {
    intake_csv_complain_item(join, item, place.cell, DIAG_CSV_ROW, "such a row has no value in this column");
    return STATUS_OK;
  }
  struct csv_cell cell = {column, path->type, item->cells[column_index], join->zone};
  enum status status = intake_csv_value(&cell, join->arena, &value);
  if (status == STATUS_OK) status = add_place(join, place, &offset);
  if (status != STATUS_OK) return status;
  if (value.why) {
    intake_csv_complain_item(join, item, place.cell, value.code, "%s", value.why);
    return STATUS_OK;
  }
  struct tree_node *node = path->count ? walk(join, item->node, path->steps, path->count, offset) : item->node;
  if (!node) return STATUS_NOMEM;
  node->kind = value.kind;
  node->text = value.text;
  node->offset = offset;
  return column->unit.from.len ? tell_conversion(join, item->node, &column->unit, value.original, offset) : STATUS_OK;
}

enum status intake_csv_make_item(struct csv_join *join, struct csv_item *item, struct tree_node *above, size_t skip) {
  const struct csv_file *file = &join->set->files[item->place.file];
  const struct csv_choice *choice = &file->part->choices[item->choice];
  uint32_t offset = 0;
  struct csv_place place = item->place;
  place.cell = file->places[file->part->key[file->part->key_count - 1]];
  enum status status = add_place(join, place, &offset);
  if (status == STATUS_OK) item->node = walk(join, above, choice->steps + skip, choice->count - skip, offset);
  if (!item->node) return STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < file->part->column_count; i++)
    if (item->cells[i].len && file->part->columns[i].has_element) status = add_value(join, item, i);
  return status;
}
