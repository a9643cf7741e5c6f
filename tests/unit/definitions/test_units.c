/* test_units.c - the UCUM table: how its definitions become ratios, and what becomes of bad rows. */
#include "definitions/build.h"
#include "small.h"

static int open_units(void **state) {
  struct small *small = calloc(1, sizeof *small);
  const char *packages[] = {DATA "/small", DATA "/units"};
  struct definitions_build build = {.host = host_system(), .packages = packages, .package_count = 2};
  *state = small;
  *small = (struct small){.arena = arena_new((size_t)64 << 20)};
  diag_list_init(&small->diags, small->arena);
  buf_init(&small->image, 1 << 26);
  return definitions_build(&build, &small->diags, &small->image) ||
         definitions_open_image(buf_str(&small->image), &small->diags, &small->definitions);
}

static void test_rows(void **state) {
  static const struct {
    const char *code;
    uint64_t num, den;
    int exponent;
    const char *flags; /* exact, atom, metric, arbitrary */
    const char *function, *root;
    int8_t metres, seconds;
  } rows[] = {
      {"m", 1, 1, 0, "eam", "", "", 1, 0},
      {"[in]", 254, 1, -4, "ea", "", "", 1, 0},
      {"[ft]", 3048, 1, -4, "ea", "", "", 1, 0}, /* by its definition, not by the double */
      {"10*", 1, 1, 1, "ea", "", "", 0, 0},
      {"[third]", 1, 3, 0, "eam", "", "", 1, 0},
      {"Bd", 1, 1, 0, "eam", "", "", 0, -1},
      {"[loop]", 5, 1, 0, "ea", "", "", 1, 0}, /* defined by itself: the double */
      {"[pool]", 5, 1, 0, "ea", "", "", 1, 0},
      {"[odd]", 7, 1, -2, "ea", "", "", 1, 0}, /* its definition says 1 */
      {"Cel", 1, 1, 0, "eam", "Cel", "", 0, 0},
      {"[iU]", 1, 1, 0, "eamr", "", "[iU]", 0, 0},
      {"[IU]", 1, 1, 0, "eamr", "", "[iU]", 0, 0},
      {"km/s2", 1, 1, 3, "e", "", "", 1, -2},
      {"m/(2.s)", 1, 1, 0, "", "", "", 1, -1},
      {"m/s", 1, 1, 0, "", "", "", 1, -1}, /* the double says 4 */
      {"m.s", 1, 1, 0, "", "", "", 1, 2},  /* the dimensions are others */
      {"[iU]/m", 1, 1, 0, "", "", "", -1, 0},
  };
  const struct small *small = *state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct def_unit unit;
    print_message("%s\n", rows[i].code);
    assert_true(definitions_unit(small->definitions, str_of(rows[i].code), &unit));
    assert_text(unit.code, rows[i].code);
    assert_true(unit.ratio.num == rows[i].num && unit.ratio.den == rows[i].den);
    assert_int_equal(unit.ratio.exponent, rows[i].exponent);
    assert_int_equal(unit.exact, strchr(rows[i].flags, 'e') != NULL);
    assert_int_equal(unit.atom, strchr(rows[i].flags, 'a') != NULL);
    assert_int_equal(unit.metric, strchr(rows[i].flags, 'm') != NULL);
    assert_int_equal(unit.arbitrary, strchr(rows[i].flags, 'r') != NULL);
    assert_text(unit.function, rows[i].function);
    assert_text(unit.root, rows[i].root);
    assert_int_equal(unit.dimension[0], rows[i].metres);
    assert_int_equal(unit.dimension[1], rows[i].seconds);
  }
}

static void test_pi(void **state) {
  const struct small *small = *state;
  struct decimal digits;
  struct def_unit unit;
  assert_true(decimal_parse(STR("3141592653589793238462643383"), &digits));
  assert_true(definitions_unit(small->definitions, STR("[pi]"), &unit));
  assert_true(unit.ratio.num == digits.coefficient && unit.ratio.den == 1);
  assert_int_equal(unit.ratio.exponent, -27);
  assert_text(unit.magnitude, "3.141592653589793");
}

static void test_prefixes(void **state) {
  const struct small *small = *state;
  struct def_ratio ratio;
  assert_true(definitions_prefix(small->definitions, STR("k"), &ratio));
  assert_true(ratio.num == 1 && ratio.den == 1 && ratio.exponent == 3);
  assert_true(definitions_prefix(small->definitions, STR("Ki"), &ratio));
  assert_true(ratio.num == 1024 && ratio.den == 1 && ratio.exponent == 0);
  assert_true(definitions_prefix(small->definitions, STR("m"), &ratio));
  assert_int_equal(ratio.exponent, -3);
  assert_false(definitions_prefix(small->definitions, STR("z"), &ratio));
  assert_false(definitions_prefix(small->definitions, STR(""), &ratio));
}

static void test_bad_rows(void **state) {
  static const char *const absent[] = {"[short]", "[long]", "[half]", "[nothing]", "km/s2 ", "M", ""};
  const struct small *small = *state;
  struct def_unit unit;
  for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
    assert_false(definitions_unit(small->definitions, str_of(absent[i]), &unit));
  assert_true(definitions_unit(small->definitions, STR("[none]"), &unit));
  assert_false(unit.exact);
  assert_int_equal(small->diags.count, 2);
  assert_true(str_find(small->diags.first->message, STR("2 of the 5 prefixes"), 0) != SIZE_MAX);
  assert_true(str_find(small->diags.first->next->message, STR("6 of the 26 units"), 0) != SIZE_MAX);
}

static void test_package(void **state) {
  const struct small *small = *state;
  struct def_package package = definitions_package(small->definitions, 1);
  struct def_unit unit;
  assert_text(package.id, "made-up-units");
  assert_int_equal(package.units, 20);
  assert_int_equal(definitions_unit_count(small->definitions), 20);
  assert_true(definitions_unit_at(small->definitions, 19, &unit));
  assert_false(definitions_unit_at(small->definitions, 20, &unit));
  assert_true(definitions_verify(small->definitions));
}

/* An overlay without units leaves those of the pack; one with units wins. */
static void test_layers(void **state) {
  struct small *small = *state;
  struct small over = {.arena = small->arena};
  struct def_unit unit;
  diag_list_init(&over.diags, over.arena);
  assert_int_equal(definitions_open_image(buf_str(&small->image), &over.diags, &over.definitions), STATUS_OK);
  assert_int_equal(definitions_overlay(over.definitions, NULL, 0, &over.diags), STATUS_OK);
  assert_int_equal(definitions_unit_count(over.definitions), 20);
  assert_int_equal(definitions_add_package(over.definitions, host_system(), DATA "/units", &over.diags),
                   STATUS_OK);
  assert_int_equal(definitions_unit_count(over.definitions), 40);
  assert_true(definitions_unit(over.definitions, STR("[ft]"), &unit));
  assert_true(unit.ratio.num == 3048);
  definitions_close(over.definitions);
}

/* Texts that are no table: a diagnostic, nothing else. */
static void test_no_table(void **state) {
  static const char *const texts[] = {
      "",
      "[",
      "{}",
      "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]",
      "{\"units\":1,\"prefixes\":[]}",
      "{\"units\":{\"config\":[[[[]]]],\"data\":[[[]]]},\"prefixes\":{\"config\":[\"code_\"],\"data\":[1]}}",
      "]}\"\\"};
  struct small *small = *state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct builder b;
    struct diag_list diags;
    struct source source = source_make(STR("x/" DEF_UNIT_TABLE), str_of(texts[i]));
    diag_list_init(&diags, small->arena);
    assert_int_equal(def_builder_init(&b, NULL, &diags), STATUS_OK);
    def_extract_units(&b, &source, small->arena);
    assert_true(diag_errors(&diags) > 0);
    assert_int_equal(b.units.count, 0);
    def_builder_release(&b);
  }
}

static void test_ratio(void **state) {
  struct def_ratio ratio, big = {((decimal_coefficient)1 << 120) + 1, 1, 0}, small = {3, 7, 2};
  (void)state;
  assert_false(def_ratio_of((struct decimal){0}, &ratio));
  assert_false(def_ratio_of((struct decimal){.coefficient = 1, .negative = true}, &ratio));
  ratio = small;
  assert_true(def_ratio_multiply(&ratio, &small) && ratio.num == 9 && ratio.den == 49 && ratio.exponent == 4);
  assert_true(def_ratio_divide(&ratio, &small) && def_ratio_divide(&ratio, &small));
  def_ratio_reduce(&ratio);
  assert_true(ratio.num == 1 && ratio.den == 1 && ratio.exponent == 0);
  ratio = big;
  assert_false(def_ratio_multiply(&ratio, &big));
  assert_true(ratio.num == big.num); /* as it was */
  assert_true(def_ratio_divide(&ratio, &big) && ratio.num == ratio.den);
  ratio = (struct def_ratio){1, 16, 0};
  def_ratio_reduce(&ratio);
  assert_true(ratio.num == 625 && ratio.den == 1 && ratio.exponent == -4);
  ratio = (struct def_ratio){1, 1, 500};
  assert_false(def_ratio_multiply(&ratio, &(struct def_ratio){1, 1, 500}));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),     cmocka_unit_test(test_pi),
                                     cmocka_unit_test(test_prefixes), cmocka_unit_test(test_bad_rows),
                                     cmocka_unit_test(test_package),  cmocka_unit_test(test_layers),
                                     cmocka_unit_test(test_no_table), cmocka_unit_test(test_ratio)};
  return cmocka_run_group_tests(tests, open_units, small_close);
}
