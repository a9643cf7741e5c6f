/*
 * csv_describe.c - mappings/csv/NAME.json: which file of a set has what, by the elements of the logical model.
 *
 * Read with positions, so that whatever is wrong is told with line and column before any data flows. What
 * each member means: docs/csv.md.
 */
#include "intake/csv.h"

struct reading {
  const struct definitions *definitions;
  const struct intake_routes *routes;
  const struct host *host;
  struct arena *arena;
  struct diag_list *diags;
  struct csv_description *out;
  char decimal;
  size_t faults;
  bool full; /* there was no memory for something */
};

/* A copy; what there was no memory for is told at the end. */
static struct str keep(struct reading *r, struct str text) {
  struct str copy = arena_str(r->arena, text);
  if (!copy.ptr) r->full = true;
  return copy;
}

static void complain(struct reading *r, const struct tree_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct reading *r, const struct tree_node *at, const char *format, ...) {
  struct diag_at where = {.source = &r->out->source, .offset = at ? tree_offset(at) : 0};
  va_list args;
  va_start(args, format);
  struct str message = arena_vprintf(r->arena, format, args);
  va_end(args);
  r->faults++;
  if (!message.ptr) r->full = true;
  diag_error(r->diags, DIAG_CONFIG_INVALID, &where, "%.*s", STR_ARG(message));
}

/* --- reading members --- */

/* Whether all members of an object are among `known`, a list with a NULL at its end. */
static bool check_members(struct reading *r, const struct tree_node *object, const char *const *known) {
  bool fits = object->kind == TREE_OBJECT && !(object->flags & TREE_IN_ARRAY);
  if (!fits) complain(r, object, "an object is wanted here");
  for (const struct tree_node *node = fits ? object->child : NULL; node; node = node->next) {
    size_t i = 0;
    while (known[i] && !str_is(node->name, known[i]))
      i++;
    if (!known[i]) complain(r, node, "unknown member \"%.*s\"", STR_ARG(diag_quote(r->arena, node->name)));
    fits = fits && known[i];
  }
  return fits;
}

static struct str string_of(struct reading *r, const struct tree_node *node) {
  if (node && node->kind == TREE_STRING && !(node->flags & TREE_IN_ARRAY) && node->text.len)
    return keep(r, node->text);
  if (node) complain(r, node, "\"%.*s\" wants a text", STR_ARG(node->name));
  return (struct str){0};
}

static bool boolean_of(struct reading *r, const struct tree_node *node) {
  if (node && node->kind != TREE_BOOLEAN) complain(r, node, "\"%.*s\" is true or false", STR_ARG(node->name));
  return node && str_is(node->text, "true");
}

static size_t count_children(const struct tree_node *node) {
  size_t count = 0;
  for (const struct tree_node *child = node ? node->child : NULL; child; child = child->next)
    count++;
  return count;
}

/* --- elements of the model --- */

/* Steps of a path with dots from a type down; `last` is the type it ends at, NULL when a step is unknown. */
struct steps {
  const struct def_element *steps[CSV_STEPS];
  size_t count;
  const struct def_type *last;
  struct str unknown, near;
};

static struct steps follow(const struct def_type *type, struct str path) {
  struct steps found = {.last = type};
  size_t from = 0;
  while (found.last && from <= path.len) {
    size_t dot = str_find_char(path, '.', from);
    struct str name = str_slice(path, from, dot == SIZE_MAX ? path.len : dot);
    const struct def_element *element = def_type_element_named(found.last, name);
    if (!element || found.count == CSV_STEPS) {
      found.unknown = name;
      found.near = def_type_nearest_element(found.last, name);
      found.last = NULL;
      break;
    }
    found.steps[found.count++] = element;
    found.last = def_element_type(element, 0).type;
    if (dot == SIZE_MAX) break;
    from = dot + 1;
  }
  return found;
}

static void unknown_element(struct reading *r, const struct tree_node *at, const struct steps *steps) {
  if (!steps->unknown.len && steps->count) return; /* its type is unknown: the model is told so */
  complain(r, at, "the model has no element \"%.*s\" here%s%.*s%s", STR_ARG(diag_quote(r->arena, steps->unknown)),
           steps->near.len ? "; did you mean " : "", STR_ARG(steps->near), steps->near.len ? "?" : "");
}

/* Of the type of a value; false: it has no cell's type. */
static bool type_of(const struct def_type *type, enum csv_type *out) {
  switch (def_type_primitive(type)) {
  case DEF_P_NONE:
  case DEF_P_BASE64:
  case DEF_P_XHTML:
  case DEF_P_TIME:
    return false;
  case DEF_P_BOOLEAN:
    *out = CSV_BOOLEAN;
    return true;
  case DEF_P_INTEGER:
  case DEF_P_POSITIVE_INT:
  case DEF_P_UNSIGNED_INT:
    *out = CSV_INTEGER;
    return true;
  case DEF_P_DECIMAL:
    *out = CSV_DECIMAL;
    return true;
  case DEF_P_DATE:
    *out = CSV_DATE;
    return true;
  case DEF_P_DATETIME:
  case DEF_P_INSTANT:
    *out = CSV_TIME;
    return true;
  default:
    *out = CSV_TEXT;
    return true;
  }
}

/* The type of a choice's item. */
static const struct def_type *item_type(const struct csv_choice *choice) {
  return choice->count ? def_element_type(choice->steps[choice->count - 1], 0).type : NULL;
}

/* --- columns --- */

static const struct def_type *choice_type(const struct csv_part *part, size_t choice) {
  return part->choice_count ? item_type(&part->choices[choice]) : NULL;
}

static bool find_path(const struct def_type *type, struct str text, struct csv_path *out, struct steps *steps) {
  *steps = (struct steps){.last = type};
  if (!str_is(text, ".")) *steps = follow(type, text);
  if (!steps->last) return false;
  memcpy(out->steps, steps->steps, sizeof out->steps);
  out->count = steps->count;
  out->present = type_of(steps->last, &out->type);
  for (size_t i = 0; i + 1 < steps->count; i++)
    out->present = out->present && !def_element_is_list(steps->steps[i]);
  return out->present;
}

/* The element, in each choice that has it. */
static void read_element(struct reading *r, const struct tree_node *node, const struct csv_part *part,
                         struct csv_column *column) {
  struct str text = string_of(r, node);
  struct steps steps = {0};
  bool any = false, unknown = true;
  if (!text.len) return;
  column->has_element = true;
  if (!part->choice_count) complain(r, node, "the file has no \"element\", so its columns only refer");
  for (size_t i = 0; i < part->choice_count; i++) {
    struct steps here;
    any |= find_path(choice_type(part, i), text, &column->paths[i], &here);
    unknown = unknown && !here.last;
    if (i == 0 || here.near.len) steps = here;
  }
  if (any || !part->choice_count) return;
  if (unknown)
    unknown_element(r, node, &steps);
  else
    complain(r, node, "\"%.*s\" is no single value: a part or a list inside a cell; name what is in it", STR_ARG(text));
}

static bool has_type(const struct csv_part *part, const struct csv_column *column, bool (*fits)(enum csv_type)) {
  for (size_t i = 0; i < part->choice_count; i++)
    if (column->paths[i].present && !fits(column->paths[i].type)) return false;
  return column->has_element;
}

static bool is_time(enum csv_type type) {
  return type == CSV_DATE || type == CSV_TIME;
}

static bool is_date(enum csv_type type) {
  return type == CSV_DATE;
}

static bool is_number(enum csv_type type) {
  return type == CSV_DECIMAL || type == CSV_INTEGER;
}

static bool is_decimal(enum csv_type type) {
  return type == CSV_DECIMAL;
}

static void read_format(struct reading *r, const struct tree_node *node, const struct csv_part *part,
                        struct csv_column *column) {
  if (!node) return;
  column->format = string_of(r, node);
  if (!has_type(part, column, is_time)) {
    complain(r, node, "a format is for dates and times");
    return;
  }
  const char *fault = intake_csv_format_fault(column->format, has_type(part, column, is_date) ? CSV_DATE : CSV_TIME);
  if (fault) complain(r, node, "%s", fault);
}

static char decimal_of(struct reading *r, const struct tree_node *node, char otherwise) {
  if (!node) return otherwise;
  struct str text = string_of(r, node);
  if (str_is(text, ",") || str_is(text, ".")) return text.ptr[0];
  complain(r, node, "\"decimal\" is \".\" or \",\"");
  return otherwise;
}

static void read_words(struct reading *r, const struct tree_node *node, struct csv_column *column) {
  if (!node) return;
  struct csv_word *words = ARENA_ARRAY(r->arena, struct csv_word, count_children(node) + 1);
  if (!words) {
    r->full = true;
    return;
  }
  if (node->kind != TREE_OBJECT) {
    complain(r, node, "\"words\" wants an object: what stands in the cell, and the record's word");
    return;
  }
  for (const struct tree_node *child = node->child; child; child = child->next)
    words[column->word_count++] = (struct csv_word){keep(r, child->name), string_of(r, child)};
  column->words = words;
}

/* Where the record tells of a conversion: the list `converted` of the item. */
static const struct def_element *converted_of(const struct csv_part *part, const struct csv_column *column) {
  const struct def_type *type = choice_type(part, 0);
  if (part->choice_count != 1 || column->paths[0].count != 1 || !type) return NULL;
  return def_type_element_named(type, STR("converted"));
}

static void read_unit(struct reading *r, const struct tree_node *node, const struct csv_part *part,
                      struct csv_column *column) {
  static const char *const known[] = {"from", "to", "decimals", NULL};
  int64_t decimals = -1;
  if (!node || !check_members(r, node, known)) return;
  struct csv_unit *unit = &column->unit;
  const struct tree_node *places = tree_find(node, "decimals");
  unit->from = string_of(r, tree_find(node, "from"));
  unit->to = string_of(r, tree_find(node, "to"));
  if (!has_type(part, column, is_decimal)) complain(r, node, "only decimals are converted");
  if (!places || places->kind != TREE_NUMBER || !str_to_int64(places->text, &decimals) || decimals > 12)
    complain(r, node, "say how many \"decimals\" remain, 0 to 12");
  unit->decimals = (int32_t)decimals;
  unit->converted = converted_of(part, column);
  if (!unit->converted) {
    complain(r, node, "the record has no place to tell that this was converted: the model's part wants a list \"converted\"");
    return;
  }
  unit->field = def_element_name(column->paths[0].steps[0]);
  if (!unit->from.len || !unit->to.len)
    complain(r, node, "a unit has \"from\" and \"to\", in UCUM");
  else if (!intake_csv_unit(r->definitions, unit))
    complain(r, node, "%.*s cannot be converted to %.*s exactly", STR_ARG(unit->from), STR_ARG(unit->to));
}

static uint16_t find_part(const struct csv_description *d, struct str name) {
  for (size_t i = 0; i < d->part_count; i++)
    if (str_eq(d->parts[i].name, name)) return (uint16_t)i;
  return CSV_NONE;
}

static void read_refers(struct reading *r, const struct tree_node *node, struct csv_column *column) {
  if (!node) return;
  struct str name = string_of(r, node);
  column->refers = find_part(r->out, name);
  column->must_find = !column->has_element;
  if (name.len && column->refers == CSV_NONE) complain(r, node, "the set has no file \"%.*s\"", STR_ARG(name));
}

static void read_column_object(struct reading *r, const struct tree_node *node, const struct csv_part *part,
                               struct csv_column *column) {
  static const char *const known[] = {"element", "refers", "format", "decimal",  "words",
                                      "unit",    "value",  "optional", "description", NULL};
  if (!check_members(r, node, known)) return;
  if (tree_find(node, "element")) read_element(r, tree_find(node, "element"), part, column);
  read_refers(r, tree_find(node, "refers"), column);
  read_format(r, tree_find(node, "format"), part, column);
  column->decimal = decimal_of(r, tree_find(node, "decimal"), r->decimal);
  if (tree_find(node, "decimal") && !has_type(part, column, is_number))
    complain(r, tree_find(node, "decimal"), "a decimal sign is for numbers");
  read_words(r, tree_find(node, "words"), column);
  read_unit(r, tree_find(node, "unit"), part, column);
  column->optional = boolean_of(r, tree_find(node, "optional"));
  column->has_value = tree_find(node, "value") != NULL;
  column->value = string_of(r, tree_find(node, "value"));
}

static void read_column(struct reading *r, const struct tree_node *node, const struct csv_part *part,
                        struct csv_column *column) {
  column->name = keep(r, node->name);
  column->refers = CSV_NONE;
  column->decimal = r->decimal;
  if (!column->name.len) complain(r, node, "a column has a heading");
  if (node->kind == TREE_STRING)
    read_element(r, node, part, column);
  else if (node->kind == TREE_OBJECT)
    read_column_object(r, node, part, column);
  else if (node->kind != TREE_NULL || node->flags & TREE_EMPTY_ARRAY)
    complain(r, node, "a column has an element, an object, or null where it is only a key");
}

static void read_columns(struct reading *r, const struct tree_node *node, struct csv_part *part) {
  size_t count = count_children(node);
  if (!node || node->kind != TREE_OBJECT || count == 0 || count > LIMIT_SET_COLUMNS) {
    complain(r, node, "a file has 1 to %d \"columns\"", LIMIT_SET_COLUMNS);
    return;
  }
  part->columns = ARENA_ARRAY(r->arena, struct csv_column, count);
  if (!part->columns) r->full = true;
  for (const struct tree_node *child = node->child; child && part->columns; child = child->next)
    read_column(r, child, part, &part->columns[part->column_count++]);
}

/* --- keys --- */

static uint16_t find_column(const struct csv_part *part, struct str name) {
  for (size_t i = 0; i < part->column_count; i++)
    if (str_eq(part->columns[i].name, name)) return (uint16_t)i;
  return CSV_NONE;
}

/* A list of headings of the part. */
static size_t read_keys(struct reading *r, const struct tree_node *node, struct csv_part *part, struct str name,
                        uint16_t out[CSV_KEY_COLUMNS]) {
  size_t count = 0;
  for (; node && str_eq(node->name, name); node = node->next) {
    uint16_t column = node->kind == TREE_STRING ? find_column(part, node->text) : CSV_NONE;
    if (column == CSV_NONE || part->columns[column].has_value || part->columns[column].optional || count == CSV_KEY_COLUMNS) {
      complain(r, node, "a key is a list of 1 to %d headings of this file, none of them optional", CSV_KEY_COLUMNS);
      return 0;
    }
    part->columns[column].is_key = true;
    out[count++] = column;
  }
  return count;
}

/* "of": { "doses.csv": ["session_id", "dose"] }: the columns that hold the key of a row there. */
static void read_parent(struct reading *r, const struct tree_node *of, struct csv_part *part) {
  part->parent = CSV_NONE;
  part->per_record = part == r->out->parts;
  if (!of) return;
  const struct tree_node *keys = of->child;
  if (of->kind != TREE_OBJECT || !keys) {
    complain(r, of, "\"of\" names one file, and the headings here that hold its key");
    return;
  }
  uint16_t parent = find_part(r->out, keys->name);
  if (parent == CSV_NONE || &r->out->parts[parent] >= part) {
    complain(r, keys, "\"of\" names a file that is described before this one");
    return;
  }
  const struct csv_part *above = &r->out->parts[parent];
  part->parent = parent;
  part->per_record = above->per_record;
  part->by_count = read_keys(r, keys, part, keys->name, part->by);
  if (part->by_count != above->key_count && part->by_count && above->key_count)
    complain(r, keys, "the key of %.*s has %zu columns", STR_ARG(above->name), above->key_count);
}

/* --- files --- */

/* Steps of the item below its parent's. */
static void read_choice(struct reading *r, const struct tree_node *node, const struct csv_part *part,
                        struct csv_choice *out) {
  struct str text = string_of(r, node);
  struct steps steps = follow(r->out->route->type, text);
  if (!text.len) return;
  if (!steps.last) {
    unknown_element(r, node, &steps);
    return;
  }
  const struct csv_part *above = part->parent == CSV_NONE ? NULL : &r->out->parts[part->parent];
  const struct csv_choice *base = above && above->choice_count ? &above->choices[0] : NULL;
  size_t skip = part->parent == 0 ? 0 : base ? base->count : 0;
  bool below = steps.count > skip && (!above || part->parent == 0 || above->choice_count == 1);
  for (size_t i = 0; below && i < skip; i++)
    below = steps.steps[i] == base->steps[i];
  for (size_t i = skip; below && i + 1 < steps.count; i++)
    below = !def_element_is_list(steps.steps[i]);
  if (!below) {
    complain(r, node, "\"%.*s\" is no part of what %.*s holds", STR_ARG(text),
             STR_ARG(above ? above->name : STR("a record")));
    return;
  }
  out->word = node->name;
  out->count = steps.count;
  memcpy(out->steps, steps.steps, sizeof out->steps);
}

/* "element": "doses", or { word: element … } with "choose": the column that has the word. */
static void read_part_element(struct reading *r, const struct tree_node *node, struct csv_part *part) {
  if (!node) return;
  if (node->kind == TREE_STRING) {
    part->choice_count = 1;
    read_choice(r, node, part, &part->choices[0]);
    return;
  }
  if (node->kind != TREE_OBJECT || count_children(node) == 0 || count_children(node) > CSV_CHOICES) {
    complain(r, node, "\"element\" is a path, or an object of 1 to %d of them by the word in \"choose\"", CSV_CHOICES);
    return;
  }
  for (const struct tree_node *child = node->child; child; child = child->next)
    read_choice(r, child, part, &part->choices[part->choice_count++]);
}

static void read_choose(struct reading *r, const struct tree_node *file, struct csv_part *part) {
  const struct tree_node *choose = tree_find(file, "choose"), *element = tree_find(file, "element");
  bool wanted = element && element->kind == TREE_OBJECT;
  part->choose = choose ? find_column(part, string_of(r, choose)) : CSV_NONE;
  if (wanted && part->choose == CSV_NONE) complain(r, file, "\"choose\" names the column that has the word of \"element\"");
  if (!wanted && choose) complain(r, choose, "\"choose\" goes with several elements");
  if (part->choose != CSV_NONE && part->columns) part->columns[part->choose].is_key = true;
}

/* The parent comes first: the element is below its own. */
static void find_parent_early(struct reading *r, const struct tree_node *file, struct csv_part *part) {
  const struct tree_node *of = tree_find(file, "of");
  part->parent = of && of->child ? find_part(r->out, of->child->name) : CSV_NONE;
  if (part->parent != CSV_NONE && &r->out->parts[part->parent] >= part) part->parent = CSV_NONE;
}

static void check_columns(struct reading *r, const struct tree_node *file, const struct csv_part *part) {
  for (size_t i = 0; i < part->column_count; i++) {
    const struct csv_column *column = &part->columns[i];
    if (column->has_element || column->is_key || column->refers != CSV_NONE) continue;
    complain(r, file, "column \"%.*s\" leads nowhere: it has no element, and is no key", STR_ARG(column->name));
  }
}

static void read_file(struct reading *r, const struct tree_node *file, struct csv_part *part) {
  static const char *const known[] = {"element", "choose", "key", "of", "columns", "description", NULL};
  if (!check_members(r, file, known)) return;
  find_parent_early(r, file, part);
  size_t before = r->faults;
  read_part_element(r, tree_find(file, "element"), part);
  if (r->faults != before) return; /* its columns would be told to lead nowhere */
  read_columns(r, tree_find(file, "columns"), part);
  part->key_count = read_keys(r, tree_find(file, "key"), part, STR("key"), part->key);
  read_parent(r, tree_find(file, "of"), part);
  read_choose(r, file, part);
  if (!part->key_count) complain(r, file, "a file has a \"key\"");
  /* records are read along by their key: it stands first in all their files */
  bool led = part == r->out->parts ? part->key_count == 1
                                   : !part->per_record || (part->by_count && part->key[0] == part->by[0]);
  if (!led) complain(r, file, "the key begins with the column of the record's key, alone in the first file");
  check_columns(r, file, part);
}

/* Other files are looked up by one column; those of records by the record's key. */
static void check_tables(struct reading *r, const struct tree_node *files) {
  struct csv_description *d = r->out;
  const struct tree_node *file = files->child;
  for (size_t i = 0; i < d->part_count; i++, file = file->next) {
    const struct csv_part *part = &d->parts[i];
    if (!part->per_record && part->parent == CSV_NONE && part->key_count != 1)
      complain(r, file, "a table that rows refer to has a key of one column");
    for (size_t k = 0; k < part->column_count; k++) {
      uint16_t to = part->columns[k].refers;
      if (to != CSV_NONE && (d->parts[to].per_record || d->parts[to].parent != CSV_NONE || !part->per_record))
        complain(r, file, "column \"%.*s\" refers to what is no table of its own", STR_ARG(part->columns[k].name));
    }
    if (part->parent != CSV_NONE && !part->per_record && d->parts[part->parent].parent != CSV_NONE)
      complain(r, file, "a table that rows refer to has files below it, and these have none");
  }
}

static void read_files(struct reading *r, const struct tree_node *files) {
  size_t count = count_children(files);
  struct csv_description *d = r->out;
  if (!files || files->kind != TREE_OBJECT || count == 0 || count > LIMIT_SET_FILES) {
    complain(r, files, "a description has 1 to %d \"files\"", LIMIT_SET_FILES);
    return;
  }
  d->parts = ARENA_ARRAY(r->arena, struct csv_part, count);
  if (!d->parts) r->full = true;
  if (!d->parts) return;
  for (const struct tree_node *file = files->child; file; file = file->next) {
    struct csv_part *part = &d->parts[d->part_count++];
    *part = (struct csv_part){.name = keep(r, file->name), .at = tree_offset(file), .parent = CSV_NONE, .choose = CSV_NONE};
    if (str_find_char(part->name, '/', 0) != SIZE_MAX || part->name.len > 100 || part->name.len == 0 || part->name.ptr[0] == '.')
      complain(r, file, "a file has a name, without a folder");
  }
  size_t i = 0;
  for (const struct tree_node *file = files->child; file && i < d->part_count; file = file->next)
    read_file(r, file, &d->parts[i++]);
  if (!r->faults) check_tables(r, files);
}

/* --- the whole --- */

static void read_delimiter(struct reading *r, const struct tree_node *node) {
  static const char *const known[] = {",", ";", "|", "\t", NULL};
  r->out->delimiter = ',';
  if (!node) return;
  struct str text = string_of(r, node);
  for (size_t i = 0; known[i]; i++)
    if (str_is(text, known[i])) {
      r->out->delimiter = known[i][0];
      return;
    }
  complain(r, node, "the delimiter is , ; | or a tab");
}

static void read_charset(struct reading *r, const struct tree_node *node) {
  r->out->charset = node ? string_of(r, node) : STR("UTF-8");
  if (!r->out->charset.len || str_is(r->out->charset, "UTF-8")) return;
  enum status status = intake_csv_charset(r->out->charset, r->arena, &r->out->bytes);
  if (status == STATUS_NOMEM) r->full = true;
  if (status == STATUS_NOT_FOUND)
    complain(r, node, "the charset is UTF-8, or one whose characters are single bytes (ISO-8859-1, windows-1252)");
}

/* "America/Chicago", or { "element": "clinic.timeZone" }: what the record says. */
static void read_zone(struct reading *r, const struct tree_node *node) {
  static const char *const known[] = {"element", NULL};
  if (!node) return;
  if (node->kind == TREE_STRING) {
    enum status status = datetime_zone_read(r->host, node->text, r->arena, &r->out->zone);
    if (status == STATUS_NOMEM) r->full = true;
    if (status != STATUS_OK && !r->full)
      complain(r, node, "no time zone \"%.*s\" on this machine (IANA names, such as America/Chicago; Debian: package tzdata)",
               STR_ARG(diag_quote(r->arena, node->text)));
    return;
  }
  if (!check_members(r, node, known)) return;
  struct steps steps = follow(r->out->route->type, string_of(r, tree_find(node, "element")));
  if (!steps.last) unknown_element(r, node, &steps);
  for (size_t i = 0; i < steps.count; i++)
    r->out->zone_path[i] = def_element_name(steps.steps[i]);
  r->out->zone_steps = steps.count;
}

static enum status read_all(struct reading *r, const struct tree_node *root) {
  static const char *const known[] = {"format", "description", "delimiter", "charset", "decimal", "timeZone", "files", NULL};
  const struct tree_node *format = tree_find(root, "format");
  if (!check_members(r, root, known)) return STATUS_CONFIG;
  r->out->route = intake_route_find(r->routes, string_of(r, format));
  if (r->full) return STATUS_NOMEM;
  if (!r->out->route) {
    complain(r, format ? format : root, "\"format\" names a format of routes.json");
    return STATUS_CONFIG;
  }
  r->decimal = decimal_of(r, tree_find(root, "decimal"), '.');
  read_delimiter(r, tree_find(root, "delimiter"));
  read_charset(r, tree_find(root, "charset"));
  read_zone(r, tree_find(root, "timeZone"));
  read_files(r, tree_find(root, "files"));
  if (r->decimal == r->out->delimiter) complain(r, root, "the decimal sign cannot be the delimiter too");
  return r->full ? STATUS_NOMEM : r->faults ? STATUS_CONFIG : STATUS_OK;
}

static enum status read_description(struct reading *r, struct str path) {
  struct str text;
  struct tree_node *root = NULL;
  enum status status = r->host->read_file(r->host->context, path.ptr, LIMIT_MAP_BYTES, r->arena, &text);
  r->out->source = source_make(path, status == STATUS_OK ? text : (struct str){0});
  if (status == STATUS_NOMEM) return status;
  if (status != STATUS_OK) {
    struct diag_at at = {.source = &r->out->source};
    diag_error(r->diags, DIAG_FILE_UNREADABLE, &at, "the description cannot be read");
    return status;
  }
  status = tree_read_json(&r->out->source, NULL, r->arena, r->diags, &root);
  return status == STATUS_OK ? read_all(r, root) : status == STATUS_NOMEM ? status : STATUS_CONFIG;
}

enum status intake_sets_read(const struct intake_sets_params *params, struct arena *arena, struct diag_list *diags,
                             struct intake_sets **out) {
  struct str *names = NULL;
  size_t count = 0;
  const struct host *host = params->host;
  struct intake_sets *sets = *out = ARENA_NEW(arena, struct intake_sets);
  struct str folder = arena_printf(arena, "%s/csv", params->folder);
  if (!folder.ptr || !sets) return STATUS_NOMEM;
  enum status status = host->list_files(host->context, folder.ptr, STR(".json"), arena, &names, &count);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
  sets->descriptions = ARENA_ARRAY(arena, struct csv_description, count + 1);
  if (!sets->descriptions) return STATUS_NOMEM;
  enum status worst = STATUS_OK;
  for (size_t i = 0; i < count; i++) {
    struct reading r = {params->definitions, params->routes, host, arena, diags, &sets->descriptions[sets->count++]};
    struct str path = arena_printf(arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(names[i]));
    r.out->name = names[i];
    status = path.ptr ? read_description(&r, path) : STATUS_NOMEM;
    if (status == STATUS_OK) continue;
    worst = status == STATUS_NOMEM ? status : STATUS_CONFIG;
    sets->count--;
  }
  return worst;
}
