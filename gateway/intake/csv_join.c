/*
 * csv_join.c - a record put together: its own row, the rows of tables that this refers to, the rows of each
 * part below the item with their parent's key, and the tables' rows that they refer to.
 */
#include <stdlib.h>
#include "intake/csv_join.h"

static struct source_place find_place(const struct source_map *map, size_t offset) {
  const struct csv_places *places = (const struct csv_places *)(const void *)map;
  struct source_place found = {0};
  if (offset >= places->count) return found;
  const struct csv_place *place = &places->items[offset];
  const struct csv_file *file = &places->set->files[place->file];
  struct source row = {.name = file->path,
                       .text = str_slice(file->text, place->at, place->at + place->len),
                       .first_line = place->line};
  bool named = place->cell < file->heading_count;
  size_t cell = named ? intake_csv_cell_at(row.text, places->set->description->delimiter, place->cell) : 0;
  found.file = file->path;
  found.position = source_locate(&row, cell);
  if (named) found.column = file->part->columns[file->headings[place->cell]].name;
  return found;
}

enum status intake_csv_join_begin(struct csv_join *join) {
  struct csv_places *places = ARENA_NEW(join->arena, struct csv_places);
  *join->out = (struct intake_record){0};
  if (!places) return STATUS_NOMEM;
  places->map.find = find_place;
  places->set = join->set;
  join->places = places;
  join->out->source = (struct source){.name = join->set->files[0].path, .map = &places->map};
  return STATUS_OK;
}

/* --- the parent of a row --- */

static bool is_below(const struct csv_join *join, const struct csv_item *item, const struct csv_item *parent) {
  const struct csv_part *part = join->set->files[item->place.file].part;
  const struct csv_part *above = join->set->files[parent->place.file].part;
  for (size_t i = 0; i < part->by_count; i++)
    if (!str_eq(item->cells[part->by[i]], parent->cells[above->key[i]])) return false;
  return true;
}

/* Rows of one parent mostly stand together. */
static struct csv_item *find_parent(struct csv_join *join, const struct csv_item *item) {
  uint16_t file = item->place.file, above = join->set->files[file].part->parent;
  struct csv_item *last = join->files[file].parent;
  if (last && is_below(join, item, last)) return last;
  struct csv_item *parent = join->files[above].first;
  while (parent && !is_below(join, item, parent))
    parent = parent->next;
  join->files[file].parent = parent;
  return parent;
}

static bool find_choice(struct csv_join *join, struct csv_item *item) {
  const struct csv_file *file = &join->set->files[item->place.file];
  const struct csv_part *part = file->part;
  if (part->choose == CSV_NONE) return true;
  for (; item->choice < part->choice_count; item->choice++)
    if (str_eq(part->choices[item->choice].word, item->cells[part->choose])) return true;
  intake_csv_complain_item(join, item, file->places[part->choose], DIAG_CSV_ROW,
                           "none of the words that say what kind of row this is");
  return false;
}

static bool has_keys(struct csv_join *join, const struct csv_item *item) {
  const struct csv_file *file = &join->set->files[item->place.file];
  for (size_t i = 0; i < file->part->key_count; i++) {
    if (item->cells[file->part->key[i]].len) continue;
    intake_csv_complain_item(join, item, file->places[file->part->key[i]], DIAG_CSV_ROW, "the key of the row is empty");
    return false;
  }
  return true;
}

static void append(struct csv_join *join, struct csv_item *item) {
  size_t file = item->place.file;
  if (join->files[file].last)
    join->files[file].last->next = item;
  else
    join->files[file].first = item;
  join->files[file].last = item;
  join->files[file].count++;
}

/* Puts an item in its place in the record. */
static enum status place_item(struct csv_join *join, struct csv_item *item) {
  const struct csv_file *file = &join->set->files[item->place.file];
  const struct csv_part *part = file->part;
  struct tree_node *above = join->out->root;
  size_t skip = 0;
  if (!has_keys(join, item) || !find_choice(join, item)) return STATUS_OK;
  append(join, item);
  if (part->parent != CSV_NONE) {
    struct csv_item *parent = find_parent(join, item);
    if (!parent) {
      intake_csv_complain_item(join, item, file->places[part->by[part->by_count - 1]], DIAG_CSV_ORPHAN,
                               "no row of %.*s has this key", STR_ARG(join->set->description->parts[part->parent].name));
      return STATUS_OK;
    }
    if (part->parent != 0 && parent->node) {
      above = parent->node;
      skip = join->set->description->parts[part->parent].choices[0].count;
    }
  }
  return part->choice_count ? intake_csv_make_item(join, item, above, skip) : STATUS_OK;
}

/* The reader's row. */
static enum status add_row(struct csv_join *join, size_t file, struct csv_item **out) {
  enum status status = STATUS_OK;
  *out = NULL;
  if (join->bytes > LIMIT_RECORD_BYTES || join->files[file].count >= LIMIT_SET_ROWS) {
    if (!join->failed)
      intake_csv_complain_row(join, file, 0, DIAG_INPUT_TOO_LARGE,
                              "a record has at most %d rows of a file, and %d bytes in all", LIMIT_SET_ROWS,
                              LIMIT_RECORD_BYTES);
    return STATUS_OK;
  }
  status = intake_csv_take_row(join, file, out);
  return status;
}

/* --- tables --- */

static bool is_guest(const struct csv_join *join, size_t file, const struct csv_entry *entry) {
  for (size_t i = 0; i < join->guest_count; i++)
    if (join->guests[i].file == file && join->guests[i].entry.at == entry->at) return true;
  return false;
}

static enum status invite(struct csv_join *join, size_t file, const struct csv_entry *entry) {
  if (is_guest(join, file, entry)) return STATUS_OK;
  if (join->guest_count == join->guest_room) {
    size_t room = join->guest_room ? join->guest_room * 2 : 16;
    struct csv_guest *grown = ARENA_ARRAY(join->arena, struct csv_guest, room);
    if (!grown) return STATUS_NOMEM;
    if (join->guest_count) memcpy(grown, join->guests, join->guest_count * sizeof *grown);
    join->guests = grown;
    join->guest_room = room;
  }
  join->guests[join->guest_count++] = (struct csv_guest){(uint16_t)file, *entry, false};
  return STATUS_OK;
}

/* Whether an entry's row really has the key; the reader has read it then. */
static bool has_key(struct csv_join *join, size_t file, const struct csv_entry *entry, struct str key) {
  const struct csv_file *from = &join->set->files[file];
  join->reader->text = from->text;
  if (!intake_csv_row(join->reader, entry->at, entry->line)) return false;
  return str_eq(intake_csv_cell(join->reader, intake_csv_key_place(from, true)), key);
}

/* The row of a table that a cell refers to comes along. */
static enum status follow_reference(struct csv_join *join, const struct csv_item *item, size_t column_index) {
  const struct csv_file *from = &join->set->files[item->place.file];
  const struct csv_column *column = &from->part->columns[column_index];
  const struct csv_file *to = &join->set->files[column->refers];
  size_t count = 0, found = 0;
  const struct csv_entry *entry =
      intake_csv_find(to, intake_csv_hash(join->set, item->cells[column_index]), &count);
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < count && found < 2; i++) {
    if (!has_key(join, column->refers, &entry[i], item->cells[column_index])) continue;
    if (++found == 1) status = invite(join, column->refers, &entry[i]);
  }
  if (found == 0 && column->must_find)
    intake_csv_complain_item(join, item, from->places[column_index], DIAG_CSV_ORPHAN, "no row of %.*s has this key",
                             STR_ARG(to->part->name));
  if (found > 1)
    intake_csv_complain_item(join, item, from->places[column_index], DIAG_CSV_DUPLICATE,
                             "two rows of %.*s have this key: which is meant is not guessed", STR_ARG(to->part->name));
  return status;
}

/* Those that must be found, or the others. */
static enum status follow_references(struct csv_join *join, const struct csv_item *item, bool must) {
  const struct csv_part *part = join->set->files[item->place.file].part;
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < part->column_count; i++)
    if (part->columns[i].refers != CSV_NONE && item->cells[i].len && part->columns[i].must_find == must)
      status = follow_reference(join, item, i);
  return status;
}

/* What stands below a row of a table: the contacts of a patient. */
static enum status add_below(struct csv_join *join, const struct csv_item *above, size_t file) {
  const struct csv_file *from = &join->set->files[file];
  struct str key = above->cells[join->set->files[above->place.file].part->key[0]];
  size_t count = 0;
  const struct csv_entry *entry = intake_csv_find(from, intake_csv_hash(join->set, key), &count);
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    struct csv_item *item = NULL;
    if (has_key(join, file, &entry[i], key)) status = add_row(join, file, &item);
    if (status == STATUS_OK && item) status = place_item(join, item);
  }
  return status;
}

static enum status seat(struct csv_join *join, struct csv_guest *guest) {
  struct csv_item *item = NULL;
  guest->placed = true;
  join->reader->text = join->set->files[guest->file].text;
  if (!intake_csv_row(join->reader, guest->entry.at, guest->entry.line)) return STATUS_OK;
  enum status status = add_row(join, guest->file, &item);
  if (status == STATUS_OK && item) status = place_item(join, item);
  for (size_t i = 0; item && status == STATUS_OK && i < join->set->description->part_count; i++)
    if (!join->set->files[i].part->per_record && join->set->files[i].part->parent == guest->file)
      status = add_below(join, item, i);
  return status;
}

static int by_place(const void *a, const void *b) {
  const struct csv_guest *x = a, *y = b;
  if (x->file != y->file) return x->file < y->file ? -1 : 1;
  return x->entry.at < y->entry.at ? -1 : x->entry.at > y->entry.at;
}

/* In the order of the tables, not of who refers to them. */
static enum status seat_guests(struct csv_join *join) {
  enum status status = STATUS_OK;
  if (join->guest_count > 1) qsort(join->guests, join->guest_count, sizeof *join->guests, by_place);
  for (size_t i = 0; status == STATUS_OK && i < join->guest_count; i++)
    if (!join->guests[i].placed) status = seat(join, &join->guests[i]);
  return status;
}

/* --- the record's own row --- */

static enum status find_zone(struct csv_join *join) {
  const struct csv_description *description = join->set->description;
  const struct tree_node *node = join->out->root;
  join->zone = description->zone;
  if (join->zone || !description->zone_steps) return STATUS_OK;
  for (size_t i = 0; node && i < description->zone_steps; i++)
    node = tree_find_str(node, description->zone_path[i]);
  if (!node) return STATUS_OK;
  enum status status = datetime_zone_read(join->set->host, node->text, join->arena, &join->zone);
  if (status == STATUS_NOMEM) return status;
  if (status == STATUS_OK) return status;
  struct diag_at at = {.source = &join->out->source, .offset = tree_offset(node)};
  diag_error(join->diags, DIAG_VALUE_FORMAT, &at, "no such time zone on this machine (IANA names, such as America/Chicago)");
  join->failed = true;
  return STATUS_OK;
}

static enum status add_format(struct csv_join *join) {
  const struct intake_route *route = join->set->description->route;
  const struct def_element *element = def_type_element_named(route->type, STR("format"));
  if (!element) return STATUS_OK;
  struct tree_node *node = definitions_make(join->set->definitions, join->arena, join->out->root, element,
                                            def_element_type(element, 0).type);
  if (!node) return STATUS_NOMEM;
  node->kind = TREE_STRING;
  node->text = route->format;
  node->offset = 1; /* the first place is that of the record's key */
  return STATUS_OK;
}

/* Other rows with the record's key: they have to be told, and none of them is the record. */
static enum status tell_duplicates(struct csv_join *join, struct str key) {
  const struct csv_file *file = &join->set->files[0];
  size_t count = 0;
  while (intake_csv_at_key(join->input, join->reader, 0, key)) {
    intake_csv_complain_row(join, 0, intake_csv_key_place(file, true), DIAG_CSV_DUPLICATE,
                            "another row has this key: none of them is taken");
    intake_csv_advance(join->input, 0, join->reader);
  }
  if (join->failed || !file->index) return STATUS_OK;
  const struct csv_entry *entries = intake_csv_find(file, intake_csv_hash(join->set, key), &count);
  for (size_t i = 0; count > 1 && i < count && i < 2; i++) {
    if (entries[i].line == join->out->source.first_line) continue;
    if (!has_key(join, 0, &entries[i], key)) continue;
    struct str path = file->path;
    struct source source = {.name = path, .text = STR(" "), .first_line = join->out->source.first_line};
    struct diag_at at = {.source = &source};
    diag_error(join->diags, DIAG_CSV_DUPLICATE, &at, "line %u has the same key: neither of them is taken", entries[i].line);
    join->failed = true;
    break;
  }
  return STATUS_OK;
}

static enum status add_own_row(struct csv_join *join, struct str key) {
  struct csv_item *item = NULL;
  const struct intake_route *route = join->set->description->route;
  (void)intake_csv_at_key(join->input, join->reader, 0, key);
  (void)intake_csv_row(join->reader, join->input->places[0].at, join->input->places[0].line);
  intake_csv_advance(join->input, 0, join->reader);
  join->out->source.first_line = join->reader->line;
  join->out->route = route;
  join->out->root = definitions_make_root(join->set->definitions, join->arena, route->type);
  if (!join->out->root) return STATUS_NOMEM;
  enum status status = add_row(join, 0, &item);
  if (status == STATUS_OK) status = tell_duplicates(join, key);
  if (status == STATUS_OK && item) status = follow_references(join, item, true);
  if (status == STATUS_OK) status = seat_guests(join);
  if (status == STATUS_OK) status = find_zone(join);
  if (status == STATUS_OK && item) status = place_item(join, item);
  if (status == STATUS_OK && item) status = follow_references(join, item, false);
  return status == STATUS_OK ? add_format(join) : status;
}

/* --- parts --- */

static enum status add_part_row(struct csv_join *join, size_t file) {
  struct csv_item *item = NULL;
  enum status status = add_row(join, file, &item);
  if (status != STATUS_OK || !item) return status;
  status = follow_references(join, item, true);
  if (status == STATUS_OK) status = follow_references(join, item, false);
  return status == STATUS_OK ? place_item(join, item) : status;
}

static enum status read_part_along(struct csv_join *join, size_t file, struct str key) {
  enum status status = STATUS_OK;
  while (status == STATUS_OK && intake_csv_at_key(join->input, join->reader, file, key)) {
    (void)intake_csv_row(join->reader, join->input->places[file].at, join->input->places[file].line);
    intake_csv_advance(join->input, file, join->reader);
    status = add_part_row(join, file);
  }
  return status;
}

static enum status look_part_up(struct csv_join *join, size_t file, struct str key) {
  const struct csv_file *from = &join->set->files[file];
  size_t count = 0;
  const struct csv_entry *entry = intake_csv_find(from, intake_csv_hash(join->set, key), &count);
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    if (has_key(join, file, &entry[i], key)) status = add_part_row(join, file);
  return status;
}

struct keyed {
  uint64_t hash;
  const struct csv_item *item;
};

static int by_key(const void *a, const void *b) {
  const struct keyed *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  const struct csv_place *p = &x->item->place, *q = &y->item->place;
  return p->at < q->at ? -1 : p->at > q->at;
}

static uint64_t key_hash(const struct csv_join *join, const struct csv_item *item) {
  const struct csv_part *part = join->set->files[item->place.file].part;
  uint64_t hash = 0;
  for (size_t i = 0; i < part->key_count; i++)
    hash = hash * 0x9E3779B97F4A7C15u + intake_csv_hash(join->set, item->cells[part->key[i]]);
  return hash;
}

static enum status find_twins(struct csv_join *join, size_t file) {
  size_t count = join->files[file].count, at = 0;
  if (count < 2) return STATUS_OK;
  struct keyed *keyed = ARENA_ARRAY(join->arena, struct keyed, count);
  if (!keyed) return STATUS_NOMEM;
  for (const struct csv_item *item = join->files[file].first; item; item = item->next)
    keyed[at++] = (struct keyed){key_hash(join, item), item};
  qsort(keyed, count, sizeof *keyed, by_key);
  const struct csv_file *from = &join->set->files[file];
  for (size_t i = 1; i < count; i++)
    if (keyed[i].hash == keyed[i - 1].hash)
      intake_csv_complain_item(join, keyed[i].item, from->places[from->part->key[from->part->key_count - 1]],
                               DIAG_CSV_DUPLICATE, "another row of this record has the same key, in line %u",
                               keyed[i - 1].item->place.line);
  return STATUS_OK;
}

enum status intake_csv_join_record(struct csv_join *join, struct str key) {
  enum status status = add_own_row(join, key);
  for (size_t i = 1; status == STATUS_OK && i < join->set->description->part_count; i++) {
    const struct csv_file *file = &join->set->files[i];
    if (!file->present || !file->part->per_record) continue;
    status = file->in_order ? read_part_along(join, i, key) : look_part_up(join, i, key);
  }
  if (status == STATUS_OK) status = seat_guests(join);
  for (size_t i = 1; status == STATUS_OK && i < join->set->description->part_count; i++)
    status = find_twins(join, i);
  return status;
}
