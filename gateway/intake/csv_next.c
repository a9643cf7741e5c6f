/*
 * csv_next.c - the way through a set: what comes next, and how far it reaches.
 *
 * A *unit* is a record with all its rows, or rows that belong to no record. Files in order are read along: the
 * least key that stands next in any of them is the next unit, and where the records' file does not have it,
 * its rows are orphans. What was found loose when the set was opened comes at the end.
 */
#include <stdlib.h>
#include "intake/csv_join.h"

struct intake_input intake_set_input(const struct intake_set *set) {
  struct intake_input input = {.name = set->files[0].path, .line = 1, .lines = true, .set = set};
  for (size_t i = 0; i < set->description->part_count; i++)
    input.places[i] = (struct intake_place){set->files[i].begin, set->files[i].begin_line};
  return input;
}

void intake_set_forget(const struct intake_input *from, const struct intake_input *to) {
  const struct intake_set *set = to->set;
  for (size_t i = 0; i < set->description->part_count; i++) {
    const struct csv_file *file = &set->files[i];
    if (i == 0 || file->in_order)
      (void)file_forget(file->text, from->places[i].at, to->places[i].at);
    else
      (void)file_forget(file->text, 0, file->text.len);
  }
}

/* --- the next unit --- */

bool intake_csv_read_along(const struct intake_set *set, size_t file) {
  return set->files[file].present && (file == 0 || set->files[file].in_order);
}

/* The key of the row that stands next in a file; false at its end. */
static bool head(const struct intake_input *input, struct csv_reader *reader, size_t index, struct str *key) {
  const struct csv_file *file = &input->set->files[index];
  reader->text = file->text;
  return intake_csv_key(reader, input->places[index].at, input->places[index].line, intake_csv_key_place(file, true), key);
}

static void take_least(struct csv_unit_found *unit, size_t file, struct str key) {
  if (key.len == 0) {
    unit->kind = UNIT_NO_KEY;
    unit->file = file;
    return;
  }
  if (unit->kind != UNIT_END && str_cmp(key, buf_str(&unit->key)) >= 0) return;
  unit->kind = file == 0 ? UNIT_RECORD : UNIT_ORPHANS;
  unit->file = file;
  buf_reset(&unit->key);
  buf_add_str(&unit->key, key);
}

void intake_csv_find_unit(const struct intake_input *input, struct csv_reader *reader, struct csv_unit_found *unit) {
  struct str key;
  unit->kind = UNIT_END;
  for (size_t i = 0; unit->kind != UNIT_NO_KEY && i < input->set->description->part_count; i++)
    if (intake_csv_read_along(input->set, i) && head(input, reader, i, &key)) take_least(unit, i, key);
  if (unit->kind == UNIT_END && input->loose < input->set->loose_count) unit->kind = UNIT_LOOSE;
}

void intake_csv_advance(struct intake_input *input, size_t file, const struct csv_reader *reader) {
  input->at += reader->end - input->places[file].at;
  input->places[file] = (struct intake_place){reader->end, reader->next_line};
}

bool intake_csv_at_key(const struct intake_input *input, struct csv_reader *reader, size_t file, struct str key) {
  struct str here;
  return intake_csv_read_along(input->set, file) && head(input, reader, file, &here) && str_eq(here, key);
}

static void pass_unit(struct intake_input *input, struct csv_reader *reader, const struct csv_unit_found *unit) {
  struct str key = buf_str(&unit->key);
  switch (unit->kind) {
  case UNIT_RECORD:
  case UNIT_ORPHANS:
    for (size_t i = 0; i < input->set->description->part_count; i++)
      while (intake_csv_at_key(input, reader, i, key))
        intake_csv_advance(input, i, reader);
    break;
  case UNIT_NO_KEY:
    (void)head(input, reader, unit->file, &key);
    intake_csv_advance(input, unit->file, reader);
    break;
  case UNIT_LOOSE:
    input->loose++;
    break;
  case UNIT_END:
    break;
  }
}

enum status intake_csv_skip(struct intake_input *input) {
  struct csv_reader *reader = calloc(1, sizeof *reader);
  struct csv_unit_found unit = {0};
  if (!reader) return STATUS_NOMEM;
  intake_csv_reader_open(reader, (struct str){0}, input->set->description->delimiter);
  buf_init(&unit.key, LIMIT_SET_ROW_BYTES);
  intake_csv_find_unit(input, reader, &unit);
  if (unit.key.error == STATUS_OK && !reader->starved) pass_unit(input, reader, &unit);
  enum status status = unit.key.error != STATUS_OK || reader->starved ? STATUS_NOMEM
                       : unit.kind == UNIT_END                        ? STATUS_NOT_FOUND
                                                                      : STATUS_OK;
  buf_release(&unit.key);
  intake_csv_reader_close(reader);
  free(reader);
  return status;
}

/* --- rows of no record --- */

static void complain_orphan(struct csv_join *join, size_t index) {
  const struct csv_file *file = &join->set->files[index];
  const struct csv_part *part = file->part;
  const struct csv_part *above = &join->set->description->parts[part->per_record ? 0 : part->parent];
  intake_csv_complain_row(join, index, intake_csv_key_place(file, true), DIAG_CSV_ORPHAN,
                   "no row of %.*s has this key: the row belongs to no record", STR_ARG(above->name));
}

static enum status tell_orphans(struct csv_join *join, const struct csv_unit_found *unit) {
  for (size_t i = 1; i < join->set->description->part_count; i++)
    while (intake_csv_at_key(join->input, join->reader, i, buf_str(&unit->key))) {
      complain_orphan(join, i);
      intake_csv_advance(join->input, i, join->reader);
    }
  return STATUS_INVALID;
}

static enum status tell_no_key(struct csv_join *join, size_t index) {
  struct str key;
  (void)head(join->input, join->reader, index, &key);
  if (!join->reader->fault || intake_csv_usable(join, index))
    intake_csv_complain_row(join, index, intake_csv_key_place(&join->set->files[index], true), DIAG_CSV_ORPHAN,
                            "the row has no key: it belongs to no record");
  intake_csv_advance(join->input, index, join->reader);
  return STATUS_INVALID;
}

static enum status tell_loose(struct csv_join *join) {
  const struct csv_loose_row *loose = &join->set->loose[join->input->loose++];
  const struct csv_file *file = &join->set->files[loose->file];
  struct str key;
  join->reader->text = file->text;
  (void)intake_csv_key(join->reader, loose->entry.at, loose->entry.line, intake_csv_key_place(file, true), &key);
  if (loose->why == CSV_ORPHAN)
    complain_orphan(join, loose->file);
  else if (loose->why == CSV_NO_KEY)
    intake_csv_complain_row(join, loose->file, intake_csv_key_place(file, true), DIAG_CSV_ORPHAN,
                     "the row has no key: it belongs to no record");
  else
    intake_csv_complain_row(join, loose->file, intake_csv_key_place(file, true), DIAG_CSV_DUPLICATE,
                     "another row of %.*s has this key", STR_ARG(file->part->name));
  return STATUS_INVALID;
}

/* --- the whole --- */

static enum status settle(struct csv_join *join, enum status status) {
  if (status == STATUS_OK && join->failed) status = STATUS_INVALID;
  if (status != STATUS_OK) join->out->root = NULL;
  return status;
}

static enum status tell_unit(struct csv_join *join, const struct csv_unit_found *unit) {
  switch (unit->kind) {
  case UNIT_RECORD:
    return settle(join, intake_csv_join_record(join, buf_str(&unit->key)));
  case UNIT_ORPHANS:
    return tell_orphans(join, unit);
  case UNIT_NO_KEY:
    return tell_no_key(join, unit->file);
  case UNIT_LOOSE:
    return tell_loose(join);
  case UNIT_END:
    break;
  }
  return STATUS_NOT_FOUND;
}

enum status intake_csv_next(struct intake_input *input, struct arena *arena,
                            struct diag_list *diags, struct intake_record *out) {
  struct csv_reader *reader = calloc(1, sizeof *reader);
  struct csv_unit_found unit = {0};
  struct csv_join join = {.set = input->set, .input = input, .arena = arena, .diags = diags, .out = out, .reader = reader};
  if (!reader) return STATUS_NOMEM;
  intake_csv_reader_open(reader, (struct str){0}, input->set->description->delimiter);
  buf_init(&unit.key, LIMIT_SET_ROW_BYTES);
  enum status status = intake_csv_join_begin(&join);
  if (status == STATUS_OK) {
    intake_csv_find_unit(input, reader, &unit);
    status = unit.key.error != STATUS_OK || reader->starved ? STATUS_NOMEM : tell_unit(&join, &unit);
  }
  if (reader->starved) { /* a row may be missing that nobody asks for again */
    status = STATUS_NOMEM;
    out->root = NULL;
  }
  buf_release(&unit.key);
  intake_csv_reader_close(reader);
  free(reader);
  return status;
}
