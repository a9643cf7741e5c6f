/*
 * units_in.c - the UCUM table of npm @lhncbc/ucum-lhc -> struct b_unit.
 *
 * The file has two tables, `prefixes` and `units`, each with the names of its columns (`config`) and its rows
 * (`data`), both arrays of arrays. The tree knows no array in an array: inner ones are first made objects,
 * [[1,2]] -> [{"v":[1,2]}].
 */
#include "definitions/build.h"

enum { COLUMNS_MAX = 64, NESTING_MAX = 16 };

/* --- arrays in arrays ------------------------------------------------------------------------ */

static size_t string_end(struct str text, size_t at) {
  for (at++; at < text.len && text.ptr[at] != '"'; at++)
    if (text.ptr[at] == '\\') at++;
  return at < text.len ? at + 1 : text.len;
}

/* Whether each bracket that is open is an array in an array. What nests deeper is left as it is: the reader
 * refuses it. */
static void wrap_arrays(struct str text, struct buf *out) {
  enum open { OTHER, ARRAY, INNER } open[NESTING_MAX] = {OTHER};
  size_t depth = 0;
  for (size_t at = 0; at < text.len;) {
    char c = text.ptr[at];
    if (c == '"') {
      size_t end = string_end(text, at);
      buf_add_str(out, str_slice(text, at, end));
      at = end;
      continue;
    }
    at++;
    if ((c == '[' || c == '{') && depth + 1 < NESTING_MAX) {
      bool inner = c == '[' && open[depth] != OTHER;
      open[++depth] = c == '{' ? OTHER : inner ? INNER : ARRAY;
      if (inner) buf_add_text(out, "{\"v\":");
      buf_add_char(out, c);
    } else if ((c == ']' || c == '}') && depth) {
      buf_add_char(out, c);
      if (open[depth--] == INNER) buf_add_char(out, '}');
    } else {
      buf_add_char(out, c);
    }
  }
}

/* --- columns --------------------------------------------------------------------------------- */

/* The columns of a table that are asked for, by their names. */
struct columns {
  const char *const *names;
  size_t count;
  size_t at[COLUMNS_MAX]; /* place in the row, SIZE_MAX: absent */
};

static const struct tree_node *inner(const struct tree_node *node) {
  return tree_find(node, "v");
}

/* A column's name stands alone or before others for the same column: ["dim_", "dimVec_"]. */
static struct str column_name(const struct tree_node *node) {
  const struct tree_node *first = node->kind == TREE_OBJECT ? inner(node) : node;
  return first ? first->text : (struct str){0};
}

static bool find_columns(const struct tree_node *table, struct columns *columns) {
  bool complete = true;
  for (size_t i = 0; i < columns->count; i++) {
    size_t place = 0;
    const struct tree_node *at = tree_find(table, "config");
    for (; at && !str_is(column_name(at), columns->names[i]); at = tree_next_same(at))
      place++;
    columns->at[i] = at ? place : SIZE_MAX;
    complete = complete && at;
  }
  return complete;
}

/* cells[i]: the row's value in column i, NULL where there is none. */
static void pick_cells(const struct tree_node *row, const struct columns *columns,
                       const struct tree_node **cells) {
  size_t place = 0;
  for (size_t i = 0; i < columns->count; i++)
    cells[i] = NULL;
  for (const struct tree_node *at = inner(row); at; at = tree_next_same(at), place++)
    for (size_t i = 0; i < columns->count; i++)
      if (columns->at[i] == place && at->kind != TREE_NULL) cells[i] = at;
}

static struct str text_of(const struct tree_node *cell) {
  return cell && cell->kind != TREE_OBJECT ? cell->text : (struct str){0};
}

static bool is_true(const struct tree_node *cell) {
  return cell && cell->kind == TREE_BOOLEAN && str_is(cell->text, "true");
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct b_unit *new_row(struct builder *b, struct map *rows, struct str code) {
  struct b_unit *unit = code.len && !map_get(rows, code) ? def_builder_alloc(b, 1, sizeof *unit) : NULL;
  if (!unit) return NULL;
  unit->code = def_builder_str(b, code);
  unit->unit.ratio = (struct def_ratio){1, 1, 0};
  if (!b->error && map_put(rows, unit->code, unit)) b->error = STATUS_NOMEM;
  return b->error ? NULL : unit;
}

enum { PREFIX_CODE, PREFIX_VALUE, PREFIX_COLUMNS };
static const char *const prefix_columns[] = {"code_", "value_"};

static bool read_prefix(struct builder *b, const struct tree_node *const *cells) {
  struct decimal value;
  struct def_ratio ratio;
  if (!decimal_parse(text_of(cells[PREFIX_VALUE]), &value) || !def_ratio_of(value, &ratio)) return false;
  struct b_unit *row = new_row(b, &b->prefixes, text_of(cells[PREFIX_CODE]));
  if (row) row->unit.ratio = ratio;
  return row != NULL;
}

enum {
  UNIT_CODE,
  UNIT_BASE,
  UNIT_MAGNITUDE,
  UNIT_DIMENSION,
  UNIT_METRIC,
  UNIT_FUNCTION,
  UNIT_SPECIAL,
  UNIT_ARBITRARY,
  UNIT_SOURCE,
  UNIT_DEFINITION,
  UNIT_FACTOR,
  UNIT_COLUMNS
};
static const char *const unit_columns[] = {"csCode_",   "isBase_",       "magnitude_",    "dim_",
                                           "isMetric_", "cnv_",          "isSpecial_",    "isArbitrary_",
                                           "source_",   "csUnitString_", "baseFactorStr_"};

static bool read_dimension(const struct tree_node *cell, int8_t *out) {
  size_t count = 0;
  for (const struct tree_node *at = cell ? inner(cell) : NULL; at; at = tree_next_same(at)) {
    struct decimal number;
    int64_t value;
    if (count == DEF_DIMENSIONS || !decimal_parse(at->text, &number) || !decimal_to_int(number, &value) ||
        value < -99 || value > 99)
      return false;
    out[count++] = (int8_t)value;
  }
  return count == DEF_DIMENSIONS;
}

/* Atoms are the rows that come from UCUM itself; the other ones are codes in common use. */
static bool read_unit(struct builder *b, const struct tree_node *const *cells) {
  int8_t dimension[DEF_DIMENSIONS] = {0};
  bool atom = str_is(text_of(cells[UNIT_SOURCE]), "UCUM");
  if (!read_dimension(cells[UNIT_DIMENSION], dimension)) return false;
  struct b_unit *row = new_row(b, &b->units, str_trim(text_of(cells[UNIT_CODE])));
  if (!row) return false;
  row->base = atom && is_true(cells[UNIT_BASE]);
  row->function = def_builder_str(b, text_of(cells[UNIT_FUNCTION]));
  row->factor = def_builder_str(b, text_of(cells[UNIT_FACTOR]));
  row->definition = def_builder_str(b, text_of(cells[UNIT_DEFINITION]));
  row->inverse = str_is(row->function, "inv");
  row->unit.atom = atom;
  row->unit.metric = atom && (row->base || is_true(cells[UNIT_METRIC]));
  row->unit.arbitrary = atom && is_true(cells[UNIT_ARBITRARY]);
  if (is_true(cells[UNIT_SPECIAL])) row->unit.function = row->function;
  row->unit.magnitude = def_builder_str(b, text_of(cells[UNIT_MAGNITUDE]));
  memcpy(row->unit.dimension, dimension, sizeof dimension);
  return true;
}

/* --- the file -------------------------------------------------------------------------------- */

struct table {
  const char *name;
  const char *const *columns;
  size_t column_count;
  bool (*read)(struct builder *b, const struct tree_node *const *cells);
};

static size_t read_table(struct builder *b, const struct tree_node *root, const struct table *table,
                         const struct source *source) {
  const struct tree_node *node = tree_find(root, table->name), *cells[COLUMNS_MAX];
  struct columns columns = {.names = table->columns, .count = table->column_count};
  size_t used = 0, rows = 0;
  if (!node || !find_columns(node, &columns)) {
    diag_error(b->diags, DIAG_PACKAGE_INVALID, &(struct diag_at){.source = source},
               "no table of %s with the columns of @lhncbc/ucum-lhc", table->name);
    return 0;
  }
  for (const struct tree_node *row = tree_find(node, "data"); row && !b->error; row = tree_next_same(row)) {
    pick_cells(row, &columns, cells);
    used += table->read(b, cells);
    rows++;
  }
  if (used < rows)
    diag_warning(b->diags, DIAG_DEFINITION_INVALID, &(struct diag_at){.source = source},
                 "%zu of the %zu %s cannot be used", rows - used, rows, table->name);
  return used;
}

void def_extract_units(struct builder *b, const struct source *source, struct arena *arena) {
  static const struct table tables[] = {{"prefixes", prefix_columns, PREFIX_COLUMNS, read_prefix},
                                        {"units", unit_columns, UNIT_COLUMNS, read_unit}};
  struct buf text;
  struct tree_node *root = NULL;
  buf_init(&text, LIMIT_TEXT_BYTES);
  wrap_arrays(source->text, &text);
  struct source wrapped = source_make(source->name, buf_str(&text));
  enum status status = text.error ? text.error : tree_read_json(&wrapped, NULL, arena, b->diags, &root);
  if (status == STATUS_NOMEM) b->error = status;
  if (!status) {
    (void)read_table(b, root, &tables[0], source);
    size_t units = read_table(b, root, &tables[1], source);
    if (b->last_package) b->last_package->units += units;
  }
  buf_release(&text);
}
