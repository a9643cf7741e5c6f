/*
 * csv_open.c - a folder -> an open set: find its description, map its files, match the headings, and look
 * once through the keys of all rows: are they in order, does each lead somewhere?
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "intake/csv.h"

enum { FORGET_BYTES = 4 << 20 };

void intake_csv_complain(const struct intake_set *set, const struct csv_file *file, struct str row, uint32_t line,
                         size_t cell, enum diag_code code, struct diag_list *diags, const char *format, ...) {
  char delimiter = set->description->delimiter;
  struct source source = {.name = file->path, .text = row, .first_line = line};
  struct diag_at at = {.source = &source, .offset = cell == SIZE_MAX ? 0 : intake_csv_cell_at(row, delimiter, cell)};
  va_list args;
  va_start(args, format);
  struct str message = arena_vprintf(diags->arena, format, args);
  va_end(args);
  diag_error(diags, code, &at, "%.*s", STR_ARG(message));
}

/* About a file as a whole. */
static enum status refuse(const struct intake_set *set, const struct csv_file *file, enum status status, enum diag_code code,
                          struct diag_list *diags, const char *why) {
  struct str path = file->path;
  struct source source = source_make(path, (struct str){0});
  struct diag_at at = {.source = &source};
  (void)set;
  diag_error(diags, code, &at, "%s", why);
  return status;
}

/* --- keys --- */

uint64_t intake_csv_hash(const struct intake_set *set, struct str key) {
  uint64_t hash = set->seed ^ (key.len * 0x9E3779B97F4A7C15u);
  for (size_t i = 0; i < key.len; i++) {
    hash = (hash ^ (unsigned char)key.ptr[i]) * 0x9FB21C651E98DF25u;
    hash ^= hash >> 29;
  }
  hash = (hash ^ (hash >> 32)) * 0xD6E8FEB86659FD93u;
  return hash ^ (hash >> 32);
}

size_t intake_csv_key_place(const struct csv_file *file, bool of_parent) {
  const struct csv_part *part = file->part;
  return file->places[of_parent && part->by_count ? part->by[0] : part->key[0]];
}

static int by_hash(const void *a, const void *b) {
  const struct csv_entry *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return x->at < y->at ? -1 : x->at > y->at;
}

const struct csv_entry *intake_csv_find(const struct csv_file *file, uint64_t hash, size_t *count) {
  size_t low = 0, high = file->index ? file->rows : 0;
  *count = 0;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (file->index[middle].hash < hash)
      low = middle + 1;
    else
      high = middle;
  }
  while (file->index && low + *count < file->rows && file->index[low + *count].hash == hash)
    ++*count;
  return *count ? &file->index[low] : NULL;
}

/* --- headings --- */

/* Bytes of the mark that UTF-8 may begin with. */
enum { MARK_BYTES = 3 };

/* Whether the file's bytes can be what the description says. */
static enum status check_charset(const struct intake_set *set, struct csv_file *file, struct diag_list *diags) {
  struct str text = file->text;
  bool marked = str_starts(text, STR("\xef\xbb\xbf"));
  if (str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff")))
    return refuse(set, file, STATUS_INVALID, DIAG_CSV_ENCODING, diags, "the file is UTF-16: save it as UTF-8");
  if (marked && set->description->bytes)
    return refuse(set, file, STATUS_INVALID, DIAG_CSV_ENCODING, diags,
                  "the file begins with the mark of UTF-8, and the description gives another charset");
  if (marked) file->begin = MARK_BYTES;
  return STATUS_OK;
}

static void unknown_heading(const struct intake_set *set, const struct csv_file *file, const struct csv_reader *reader,
                            size_t index, struct diag_list *diags) {
  const struct csv_part *part = file->part;
  struct str row = str_slice(file->text, reader->at, reader->end), heading = intake_csv_cell(reader, index);
  struct str_nearest nearest = {.word = heading};
  for (size_t i = 0; i < part->column_count; i++)
    str_nearest_offer(&nearest, part->columns[i].name);
  struct str near = nearest.best;
  bool alone = reader->count == 1 && part->column_count > 1;
  intake_csv_complain(set, file, row, reader->line, index, DIAG_CSV_COLUMN, diags,
                      "unknown column \"%.*s\"%s%.*s%s%s", STR_ARG(diag_quote(diags->arena, heading)),
                      near.len ? "; did you mean " : "", STR_ARG(near), near.len ? "?" : "",
                      alone ? "; it is the only one: is the delimiter what the description says?" : "");
}

static bool match_heading(const struct intake_set *set, struct csv_file *file, const struct csv_reader *reader, size_t index,
                          struct diag_list *diags) {
  const struct csv_part *part = file->part;
  struct str heading = intake_csv_cell(reader, index);
  for (uint16_t i = 0; i < part->column_count; i++) {
    if (part->columns[i].has_value || !str_eq(part->columns[i].name, heading)) continue;
    if (file->places[i] != CSV_NONE) {
      intake_csv_complain(set, file, str_slice(file->text, reader->at, reader->end), reader->line, index, DIAG_CSV_COLUMN,
                          diags, "two columns \"%.*s\"", STR_ARG(heading));
      return false;
    }
    file->headings[index] = i;
    file->places[i] = (uint16_t)index;
    return true;
  }
  unknown_heading(set, file, reader, index, diags);
  return false;
}

static bool check_missing(const struct intake_set *set, const struct csv_file *file, const struct csv_reader *reader,
                          struct diag_list *diags) {
  bool fits = true;
  for (size_t i = 0; i < file->part->column_count; i++) {
    const struct csv_column *column = &file->part->columns[i];
    if (file->places[i] != CSV_NONE || column->optional || column->has_value) continue;
    intake_csv_complain(set, file, str_slice(file->text, reader->at, reader->end), reader->line, SIZE_MAX, DIAG_CSV_COLUMN,
                        diags, "there is no column \"%.*s\"", STR_ARG(column->name));
    fits = false;
  }
  return fits;
}

static enum status read_headings(struct intake_set *set, struct csv_file *file, struct csv_reader *reader,
                                 struct diag_list *diags) {
  if (!intake_csv_row(reader, file->begin, 1))
    return refuse(set, file, STATUS_INVALID, DIAG_CSV_COLUMN, diags, "the file has no line of headings");
  if (reader->starved) return STATUS_NOMEM;
  if (reader->fault)
    return refuse(set, file, STATUS_INVALID, DIAG_CSV_SYNTAX, diags,
                  reader->fault == CSV_FAULT_RETURN ? "lines end with a carriage return alone: save the file with LF or CR LF"
                                                    : "the line of headings is no CSV");
  file->heading_count = reader->count;
  file->headings = ARENA_ARRAY(set->arena, uint16_t, reader->count + 1);
  file->places = ARENA_ARRAY(set->arena, uint16_t, file->part->column_count + 1);
  if (!file->headings || !file->places) return STATUS_NOMEM;
  for (size_t i = 0; i < file->part->column_count; i++)
    file->places[i] = CSV_NONE;
  bool fits = true;
  for (size_t i = 0; i < reader->count; i++)
    fits = match_heading(set, file, reader, i, diags) && fits;
  fits = check_missing(set, file, reader, diags) && fits;
  file->begin = reader->end;
  file->begin_line = reader->next_line;
  return fits ? STATUS_OK : STATUS_INVALID;
}

/* --- one look through all rows --- */

/* What a row tells from which no other can be read. */
static enum status unreadable(const struct intake_set *set, const struct csv_file *file, const struct csv_reader *reader,
                              struct diag_list *diags) {
  struct str row = str_slice(file->text, reader->at, reader->end);
  if (reader->fault == CSV_FAULT_MEMORY) return STATUS_NOMEM;
  intake_csv_complain(set, file, row, reader->line, 0, reader->fault == CSV_FAULT_LONG ? DIAG_INPUT_TOO_LARGE : DIAG_CSV_SYNTAX,
                      diags,
                      reader->fault == CSV_FAULT_LONG
                          ? "a row that begins here has more than %d bytes: is a quotation mark never closed?"
                          : "a quotation mark in the row that begins here is never closed (a row has at most %d bytes)",
                      LIMIT_SET_ROW_BYTES);
  return STATUS_INVALID;
}

/* Counts the rows, and sees whether their keys ascend. A row without a key among those of one record parts them: they are looked up. */
static enum status look_through(const struct intake_set *set, struct csv_file *file, struct csv_reader *reader,
                                struct diag_list *diags) {
  struct str key, before = {0};
  size_t at = file->begin, forgotten = 0, place = intake_csv_key_place(file, true);
  uint32_t line = file->begin_line;
  struct buf last;
  bool parted = false;
  enum status status = STATUS_OK;
  buf_init(&last, LIMIT_SET_ROW_BYTES);
  file->in_order = true;
  while (status == STATUS_OK && intake_csv_key(reader, at, line, place, &key)) {
    if (reader->fault >= CSV_FAULT_UNCLOSED) status = unreadable(set, file, reader, diags);
    file->rows++;
    if (key.len && before.len && str_cmp(before, key) > (parted ? -1 : 0)) file->in_order = false;
    parted = key.len == 0;
    if (key.len) {
      buf_reset(&last);
      buf_add_str(&last, key);
      before = buf_str(&last);
    }
    at = reader->end;
    line = reader->next_line;
    if (at - forgotten > FORGET_BYTES) forgotten = file_forget(file->text, forgotten, at);
  }
  (void)file_forget(file->text, forgotten, file->text.len);
  if (status == STATUS_OK && (last.error != STATUS_OK || reader->starved)) status = STATUS_NOMEM;
  buf_release(&last);
  return status;
}

static enum status keep_loose(struct intake_set *set, enum csv_loose why, const struct csv_file *file,
                              struct csv_entry entry) {
  if (set->loose_count == set->loose_room) {
    size_t room = set->loose_room ? set->loose_room * 2 : 64;
    struct csv_loose_row *grown = realloc(set->loose, room * sizeof *grown);
    if (!grown) return STATUS_NOMEM;
    set->loose = grown;
    set->loose_room = room;
  }
  set->loose[set->loose_count++] = (struct csv_loose_row){why, (uint16_t)(file - set->files), entry};
  return STATUS_OK;
}

/* The rows of a file by the hash of a key; those without one are put aside. */
static enum status make_index(struct intake_set *set, struct csv_file *file, struct csv_reader *reader, bool of_parent) {
  struct str key;
  size_t at = file->begin, count = 0, forgotten = 0, place = intake_csv_key_place(file, of_parent);
  uint32_t line = file->begin_line;
  enum status status = STATUS_OK;
  file->index = calloc(file->rows + 1, sizeof *file->index);
  if (!file->index) return STATUS_NOMEM;
  while (status == STATUS_OK && count < file->rows && intake_csv_key(reader, at, line, place, &key)) {
    struct csv_entry entry = {intake_csv_hash(set, key), (uint32_t)reader->at, reader->line};
    if (key.len)
      file->index[count++] = entry;
    else if (file != set->files) /* a record's row without a key is told in its turn */
      status = keep_loose(set, CSV_NO_KEY, file, entry);
    at = reader->end;
    line = reader->next_line;
    if (at - forgotten > FORGET_BYTES) forgotten = file_forget(file->text, forgotten, at);
  }
  (void)file_forget(file->text, forgotten, file->text.len);
  if (reader->starved) status = STATUS_NOMEM;
  file->rows = count;
  qsort(file->index, count, sizeof *file->index, by_hash);
  return status;
}

/* --- which files need an index --- */

static bool is_table(const struct csv_file *file) {
  return !file->part->per_record;
}

/* Records out of order: nothing can be read along. */
static void settle_order(struct intake_set *set) {
  bool in_order = set->files[0].in_order, looked_up = !in_order;
  for (size_t i = 1; i < set->description->part_count; i++) {
    struct csv_file *file = &set->files[i];
    if (!in_order || is_table(file)) file->in_order = false;
    looked_up = looked_up || (file->present && !file->in_order && !is_table(file));
  }
  if (looked_up) set->files[0].in_order = false;
}

static enum status check_room(const struct intake_set *set, struct diag_list *diags) {
  size_t rows = 0;
  for (size_t i = 0; i < set->description->part_count; i++) {
    const struct csv_file *file = &set->files[i];
    if (!file->present || file->in_order) continue;
    rows += file->rows;
    if (file->text.len <= UINT32_MAX && rows <= LIMIT_SET_INDEX) continue;
    return refuse(set, file, STATUS_LIMIT, DIAG_INPUT_TOO_MANY, diags,
                  "too many rows to be looked up: sort the files by the record's key, in the order of bytes (LC_ALL=C sort), "
                  "and they are read along");
  }
  return STATUS_OK;
}

/* Each row's parent is there: records for parts that are looked up, rows of a table for what is below it. */
static enum status find_orphans(struct intake_set *set, const struct csv_file *file) {
  enum status status = STATUS_OK;
  if (file->part->parent == CSV_NONE) return STATUS_OK;
  const struct csv_file *above = &set->files[is_table(file) ? file->part->parent : 0];
  for (size_t i = 0; status == STATUS_OK && i < file->rows; i++) {
    size_t count;
    if (!intake_csv_find(above, file->index[i].hash, &count)) status = keep_loose(set, CSV_ORPHAN, file, file->index[i]);
  }
  return status;
}

static enum status find_duplicates(struct intake_set *set, const struct csv_file *file) {
  enum status status = STATUS_OK;
  if (!is_table(file) || file->part->parent != CSV_NONE) return STATUS_OK;
  for (size_t i = 1; status == STATUS_OK && i < file->rows; i++)
    if (file->index[i].hash == file->index[i - 1].hash) status = keep_loose(set, CSV_DUPLICATE, file, file->index[i]);
  return status;
}

static int by_place(const void *a, const void *b) {
  const struct csv_loose_row *x = a, *y = b;
  if (x->file != y->file) return x->file < y->file ? -1 : 1;
  return x->entry.at < y->entry.at ? -1 : x->entry.at > y->entry.at;
}

static enum status make_indexes(struct intake_set *set, struct csv_reader *reader, struct diag_list *diags) {
  settle_order(set);
  enum status status = check_room(set, diags);
  size_t count = set->description->part_count;
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    struct csv_file *file = &set->files[i];
    reader->text = file->text;
    if (file->present && !file->in_order) status = make_index(set, file, reader, true);
  }
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    const struct csv_file *file = &set->files[i];
    if (!file->index) continue;
    status = find_orphans(set, file);
    if (status == STATUS_OK) status = find_duplicates(set, file);
  }
  if (set->loose_count) qsort(set->loose, set->loose_count, sizeof *set->loose, by_place);
  return status;
}

/* --- files --- */

static enum status open_file(struct intake_set *set, const char *folder, size_t index, struct csv_reader *reader,
                             struct diag_list *diags) {
  struct csv_file *file = &set->files[index];
  struct stat info;
  bool slash = folder[0] && folder[strlen(folder) - 1] == '/';
  file->part = &set->description->parts[index];
  file->path = arena_printf(set->arena, "%s%s%.*s", folder, slash ? "" : "/", STR_ARG(file->part->name));
  if (!file->path.ptr) return STATUS_NOMEM;
  if (stat(file->path.ptr, &info) != 0) return STATUS_OK;
  enum status status = S_ISREG(info.st_mode) ? file_map(file->path.ptr, &file->text) : STATUS_IO;
  if (status != STATUS_OK) return refuse(set, file, status, DIAG_FILE_UNREADABLE, diags, "the file cannot be read");
  file->present = true;
  set->bytes += file->text.len;
  intake_csv_reader_open(reader, file->text, set->description->delimiter);
  status = check_charset(set, file, diags);
  if (status == STATUS_OK) status = read_headings(set, file, reader, diags);
  if (status == STATUS_OK) status = look_through(set, file, reader, diags);
  intake_csv_reader_close(reader);
  return status;
}

/* A table that nothing describes would be left out unsaid. */
static enum status check_strangers(const struct intake_set *set, const char *folder, struct diag_list *diags) {
  struct str *names = NULL, first = set->description->parts[0].name;
  size_t count = 0, dot = first.len;
  while (dot > 0 && first.ptr[dot - 1] != '.')
    dot--;
  struct str suffix = str_slice(first, dot ? dot - 1 : first.len, SIZE_MAX);
  enum status status = set->host->list_files(set->host->context, folder, suffix, set->arena, &names, &count);
  bool fits = true;
  for (size_t i = 0; status == STATUS_OK && suffix.len && i < count; i++) {
    bool known = false;
    for (size_t k = 0; !known && k < set->description->part_count; k++)
      known = str_eq(set->description->parts[k].name, names[i]);
    if (known || names[i].ptr[0] == '.') continue;
    struct csv_file stranger = {.path = arena_printf(set->arena, "%s/%.*s", folder, STR_ARG(names[i]))};
    (void)refuse(set, &stranger, STATUS_INVALID, DIAG_CSV_FILE, diags, "the description has no such file: its rows would be left out");
    fits = false;
  }
  return status != STATUS_OK ? status : fits ? STATUS_OK : STATUS_INVALID;
}

static enum status open_all(struct intake_set *set, const char *folder, struct diag_list *diags) {
  size_t count = set->description->part_count;
  struct csv_reader *reader = calloc(1, sizeof *reader);
  set->files = ARENA_ARRAY(set->arena, struct csv_file, count);
  enum status worst = set->files && reader ? check_strangers(set, folder, diags) : STATUS_NOMEM;
  (void)set->host->random(set->host->context, &set->seed, sizeof set->seed);
  for (size_t i = 0; set->files && reader && i < count; i++) {
    enum status status = open_file(set, folder, i, reader, diags);
    if (worst == STATUS_OK) worst = status;
  }
  if (worst == STATUS_OK) {
    intake_csv_reader_open(reader, (struct str){0}, set->description->delimiter);
    worst = make_indexes(set, reader, diags);
    intake_csv_reader_close(reader);
  }
  free(reader);
  return worst;
}

/* --- which description --- */

static bool has_file(const char *folder, struct str name) {
  char path[4096];
  struct stat info;
  int len = snprintf(path, sizeof path, "%s/%.*s", folder, STR_ARG(name));
  return len > 0 && (size_t)len < sizeof path && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* How many headings of the records' file a description knows; to tell two of the same file name apart. */
static size_t known_headings(const struct csv_description *description, const char *folder) {
  struct csv_reader *reader = calloc(1, sizeof *reader);
  char path[4096];
  struct str text = {0};
  size_t known = 0;
  snprintf(path, sizeof path, "%s/%.*s", folder, STR_ARG(description->parts[0].name));
  if (!reader || file_map(path, &text) != STATUS_OK) {
    free(reader);
    return 0;
  }
  intake_csv_reader_open(reader, text, description->delimiter);
  size_t begin = str_starts(text, STR("\xef\xbb\xbf")) ? MARK_BYTES : 0;
  if (intake_csv_row(reader, begin, 1) && !reader->fault)
    for (size_t i = 0; i < reader->count; i++)
      for (size_t k = 0; k < description->parts[0].column_count; k++)
        known += str_eq(description->parts[0].columns[k].name, intake_csv_cell(reader, i));
  intake_csv_reader_close(reader);
  free(reader);
  file_unmap(text);
  return known;
}

static enum status choose(const struct intake_sets *sets, const char *folder, struct diag_list *diags,
                          const struct csv_description **out) {
  const struct csv_description *best = NULL, *second = NULL;
  size_t most = 0;
  for (size_t i = 0; i < sets->count; i++) {
    const struct csv_description *description = &sets->descriptions[i];
    if (!has_file(folder, description->parts[0].name)) continue;
    size_t known = known_headings(description, folder);
    if (best && known == most) second = description;
    if (best && known <= most) continue;
    best = description;
    second = NULL;
    most = known;
  }
  *out = best;
  if (!second) return best ? STATUS_OK : STATUS_NOT_FOUND;
  struct source source = source_make(str_of(folder), (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CSV_FILE, &at, "two descriptions fit this set as well: %.*s and %.*s", STR_ARG(best->name),
             STR_ARG(second->name));
  return STATUS_CONFIG;
}

bool intake_set_is(const struct intake_sets *sets, const char *folder) {
  for (size_t i = 0; sets && i < sets->count; i++)
    if (has_file(folder, sets->descriptions[i].parts[0].name)) return true;
  return false;
}

enum status intake_set_open(const struct intake_sets *sets, const struct host *host, const struct definitions *definitions,
                            const char *folder, struct diag_list *diags, struct intake_set **out) {
  const struct csv_description *description = NULL;
  *out = NULL;
  if (!sets || !sets->count) return STATUS_NOT_FOUND;
  enum status status = choose(sets, folder, diags, &description);
  if (status != STATUS_OK) return status;
  struct intake_set *set = calloc(1, sizeof *set);
  if (!set) return STATUS_NOMEM;
  *set = (struct intake_set){.description = description, .host = host, .definitions = definitions, .arena = arena_new(16 << 20)};
  status = set->arena ? open_all(set, folder, diags) : STATUS_NOMEM;
  if (status == STATUS_OK)
    *out = set;
  else
    intake_set_close(set);
  return status;
}

void intake_set_close(struct intake_set *set) {
  if (!set) return;
  for (size_t i = 0; set->files && i < set->description->part_count; i++) {
    free(set->files[i].index);
    if (set->files[i].text.ptr) file_unmap(set->files[i].text);
  }
  free(set->loose);
  arena_free(set->arena);
  free(set);
}

size_t intake_set_bytes(const struct intake_set *set) {
  return set->bytes;
}
