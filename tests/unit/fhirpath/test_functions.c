/* test_functions.c - the table of functions: consistent rows, and one for every function of FHIRPath 2.0.0
 * and FHIR R4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"

static const char *const specified[] = {
    /* FHIRPath 2.0.0 */
    "empty", "exists", "all", "allTrue", "anyTrue", "allFalse", "anyFalse", "subsetOf", "supersetOf", "count",
    "distinct", "isDistinct", "where", "select", "repeat", "ofType", "single", "first", "last", "tail",
    "skip", "take", "intersect", "exclude", "union", "combine", "iif", "toBoolean", "convertsToBoolean",
    "toInteger", "convertsToInteger", "toDate", "convertsToDate", "toDateTime", "convertsToDateTime",
    "toDecimal", "convertsToDecimal", "toQuantity", "convertsToQuantity", "toString", "convertsToString",
    "toTime", "convertsToTime", "indexOf", "substring", "startsWith", "endsWith", "contains", "upper",
    "lower", "replace", "matches", "replaceMatches", "length", "toChars", "abs", "ceiling", "exp", "floor",
    "ln", "log", "power", "round", "sqrt", "truncate", "children", "descendants", "trace", "now", "timeOfDay",
    "today", "is", "as", "not", "aggregate", "type",
    /* FHIR R4 */
    "extension", "hasValue", "getValue", "resolve", "elementDefinition", "slice", "checkModifiers",
    "conformsTo", "memberOf", "subsumes", "subsumedBy", "htmlChecks"};

static const struct fp_function_info *find(const char *name) {
  static struct fp_function_info row;
  for (size_t i = 0; i < fhirpath_function_count(); i++) {
    row = fhirpath_function(i);
    if (strcmp(row.name, name) == 0) return &row;
  }
  return NULL;
}

static void every_function_has_a_row(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof specified / sizeof *specified; i++) {
    if (!find(specified[i])) fail_msg("no row for %s", specified[i]);
  }
}

static void rows_are_consistent(void **state) {
  (void)state;
  for (size_t i = 0; i < fhirpath_function_count(); i++) {
    struct fp_function_info row = fhirpath_function(i);
    assert_true(row.name[0] >= 'a' && row.name[0] <= 'z');
    assert_true(row.section[0] != 0);
    assert_true(row.min_arguments >= 0 && row.min_arguments <= row.max_arguments);
    assert_true(!row.available || row.result[0] != 0);
    for (size_t k = 0; k < i; k++)
      assert_string_not_equal(row.name, fhirpath_function(k).name);
  }
}

static enum status compile(struct str text, struct diag_list *diags, struct arena *arena) {
  struct source source = source_make(STR("test"), text);
  struct fp_compile options = {.source = &source, .to = text.len};
  struct fp_program *program;
  return fhirpath_compile(&options, arena, diags, &program, NULL);
}

/* name(x, x …) with that many arguments; a type name serves as any argument. */
static struct str call(struct arena *arena, const struct fp_function_info *row, int arguments) {
  struct str text = arena_printf(arena, "a.%s(", row->name);
  for (int i = 0; i < arguments; i++)
    text = arena_concat(arena, text, i ? STR(", System") : STR("System"));
  return arena_concat(arena, text, STR(")"));
}

static void arity_is_checked(void **state) {
  (void)state;
  for (size_t i = 0; i < fhirpath_function_count(); i++) {
    struct fp_function_info row = fhirpath_function(i);
    struct arena *arena = arena_new(1 << 20);
    struct diag_list few, many, none;
    diag_list_init(&few, arena);
    diag_list_init(&many, arena);
    diag_list_init(&none, arena);
    enum status exact = compile(call(arena, &row, row.min_arguments), &none, arena);
    if (row.available != (exact == STATUS_OK)) fail_msg("%s with %d arguments", row.name, row.min_arguments);
    if (!row.available) assert_int_equal(none.first->code, DIAG_FHIRPATH_UNSUPPORTED);
    if (row.available) {
      assert_int_equal(compile(call(arena, &row, row.max_arguments + 1), &many, arena), STATUS_INVALID);
      assert_int_equal(many.first->code, DIAG_FHIRPATH_ARGUMENTS);
    }
    if (row.available && row.min_arguments > 0) {
      assert_int_equal(compile(call(arena, &row, row.min_arguments - 1), &few, arena), STATUS_INVALID);
      assert_int_equal(few.first->code, DIAG_FHIRPATH_ARGUMENTS);
    }
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_function_has_a_row),
                                     cmocka_unit_test(rows_are_consistent),
                                     cmocka_unit_test(arity_is_checked)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
