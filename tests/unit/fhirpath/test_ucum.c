/*
 * test_ucum.c - units of measure: the rows of ucum.tsv, the whole table of the pack, the few units that are
 * known without a pack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "fhirpath/internal.h"
#include "../pack.h"

enum { CELLS = 4 };

struct table {
  struct definitions *definitions;
  size_t conversions, codes, failed;
};

static struct str cut(struct str *text, char at) {
  size_t end = str_find_char(*text, at, 0);
  struct str part = str_slice(*text, 0, end);
  *text = end == SIZE_MAX ? (struct str){0} : str_slice(*text, end + 1, text->len);
  return part;
}

static void fail_row(struct table *t, const struct str *cells, struct str got) {
  t->failed++;
  printf("%.*s %.*s to %.*s: want %.*s, got %.*s\n", STR_ARG(cells[0]), STR_ARG(cells[1]), STR_ARG(cells[2]),
         STR_ARG(cells[3]), STR_ARG(got));
}

/* value, from, to, result */
static void check_conversion(struct table *t, const struct str *cells) {
  struct fp_quantity from = {.unit = cells[1]};
  struct decimal want = {0}, got = {0};
  struct buf text;
  buf_init(&text, 4096);
  t->conversions++;
  assert_true(decimal_parse(cells[0], &from.value));
  bool fits = fp_quantity_convert(t->definitions, &from, cells[2], false, &got);
  if (fits) decimal_format(got, &text);
  if (str_is(cells[3], "-") ? fits : !fits || !decimal_parse(cells[3], &want) || decimal_compare(want, got))
    fail_row(t, cells, fits ? buf_str(&text) : STR("-"));
  buf_release(&text);
}

static void check_code(struct table *t, const struct str *cells) {
  bool valid = fhirpath_ucum_valid(t->definitions, cells[0]);
  t->codes++;
  if (valid == str_is(cells[1], "valid")) return;
  t->failed++;
  printf("%.*s is %.*s\n", STR_ARG(cells[0]), STR_ARG(cells[1]));
}

static void rows_hold(void **state) {
  struct table *t = *state;
  struct arena *arena = arena_new(16 << 20);
  struct str text;
  assert_int_equal(host_system()->read_file(NULL, SOURCE_DIR "/tests/unit/fhirpath/ucum.tsv",
                                            LIMIT_TEXT_BYTES, arena, &text),
                   STATUS_OK);
  while (text.len) {
    struct str line = cut(&text, '\n'), cells[CELLS] = {0};
    size_t count = 0;
    if (!line.len || str_starts(line, STR("# "))) continue;
    for (; line.len && count < CELLS; count++)
      cells[count] = cut(&line, '\t');
    assert_true(count == CELLS || count == 2);
    (count == CELLS ? check_conversion : check_code)(t, cells);
  }
  arena_free(arena);
  printf("%zu conversions, %zu codes, %zu failed\n", t->conversions, t->codes, t->failed);
  assert_true(t->conversions >= 120 && t->codes >= 70);
  assert_int_equal(t->failed, 0);
  assert_false(fhirpath_ucum_valid(t->definitions, (struct str){0}));
}

/* Near enough for a double. */
static bool agrees(struct decimal exact, struct decimal rounded) {
  struct decimal quotient, difference, bound = {.coefficient = 1, .scale = 9};
  return decimal_divide(exact, rounded, &quotient) &&
         decimal_subtract(quotient, decimal_from_int(1), &difference) &&
         decimal_compare(difference, bound) < 0 && decimal_compare(decimal_negate(difference), bound) < 0;
}

static bool magnitude_agrees(const struct fp_unit *unit, struct str magnitude) {
  struct fp_unit one = {.ratio = {1, 1, 0}};
  struct decimal exact, rounded;
  memcpy(one.dimension, unit->dimension, sizeof one.dimension);
  one.arbitrary = unit->arbitrary;
  return decimal_parse(magnitude, &rounded) &&
         fp_unit_convert((struct decimal){.coefficient = 1}, unit, &one, &exact) && agrees(exact, rounded);
}

/* Rows that are wrong in the table: dimensions of units that are one by another, and of U by hours. */
static bool is_wrong_there(struct str code) {
  static const char *const codes[] = {"[mesh_i]", "[diop]", "Bd", "U/(2.h)", "U/(12.h)", "U/(24.h)"};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (str_is(code, codes[i])) return true;
  return false;
}

/* Every code of the table is read by the grammar, and means what the table says. */
static void table_is_understood(void **state) {
  const struct table *t = *state;
  struct def_unit row;
  size_t wrong = 0, count = definitions_unit_count(t->definitions);
  assert_true(count > 700);
  for (size_t i = 0; i < count; i++) {
    struct fp_unit unit;
    bool same = true;
    assert_true(definitions_unit_at(t->definitions, i, &row));
    if (!fp_unit_parse(t->definitions, row.code, &unit)) {
      printf("%.*s is not understood\n", STR_ARG(row.code));
      wrong++;
      continue;
    }
    for (int k = 0; k < DEF_DIMENSIONS; k++)
      same = same && unit.dimension[k] == row.dimension[k];
    if (unit.special || is_wrong_there(row.code)) continue;
    if (!same || !magnitude_agrees(&unit, row.magnitude)) {
      printf("%.*s differs from the table\n", STR_ARG(row.code));
      wrong++;
    }
  }
  assert_int_equal(wrong, 0);
}

static bool same_unit(const struct def_unit *a, const struct def_unit *b) {
  return a->ratio.num == b->ratio.num && a->ratio.den == b->ratio.den &&
         a->ratio.exponent == b->ratio.exponent && a->metric == b->metric &&
         str_eq(a->function, b->function) && memcmp(a->dimension, b->dimension, sizeof a->dimension) == 0;
}

/* What is known without a pack is what the pack says. */
static void common_units_agree(void **state) {
  static const char *const units[] = {
#define PREFIX(code, exponent)
#define UNIT(code, ...) code,
#include "fhirpath/units.def"
#undef UNIT
#undef PREFIX
  };
  static const char *const prefixes[] = {
#define PREFIX(code, exponent) code,
#define UNIT(...)
#include "fhirpath/units.def"
#undef UNIT
#undef PREFIX
  };
  const struct table *t = *state;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    struct def_unit known, row;
    assert_true(fp_unit_find(NULL, str_of(units[i]), &known));
    assert_true(definitions_unit(t->definitions, str_of(units[i]), &row));
    if (!same_unit(&known, &row)) print_message("%s\n", units[i]);
    assert_true(same_unit(&known, &row));
  }
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    struct def_ratio known, row;
    assert_true(fp_prefix_find(NULL, str_of(prefixes[i]), &known));
    assert_true(definitions_prefix(t->definitions, str_of(prefixes[i]), &row));
    assert_true(known.num == row.num && known.den == row.den && known.exponent == row.exponent);
  }
}

static void without_pack(void **state) {
  struct fp_quantity from = {.value = {.coefficient = 5}, .unit = STR("mg")};
  struct decimal got;
  (void)state;
  assert_true(fp_quantity_convert(NULL, &from, STR("g"), false, &got));
  assert_int_equal(decimal_compare(got, (struct decimal){.coefficient = 5, .scale = 3}), 0);
  from.unit = STR("[gr]");
  assert_false(fp_quantity_convert(NULL, &from, STR("g"), false, &got));
  assert_true(fp_quantity_convert(NULL, &from, STR("[gr]"), false, &got));
  assert_true(fhirpath_ucum_valid(NULL, STR("anything")));
}

int main(void) {
  struct table table = {.definitions = pack_open()};
  if (!table.definitions) return PACK_SKIPPED;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(rows_hold, &table), cmocka_unit_test_prestate(table_is_understood, &table),
      cmocka_unit_test_prestate(common_units_agree, &table), cmocka_unit_test(without_pack)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(table.definitions);
  return failed;
}
