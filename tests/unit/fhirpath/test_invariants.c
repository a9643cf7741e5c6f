/* test_invariants.c - every invariant of the definition pack compiles against the type it stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"
#include "../pack.h"

/*
 * Wrong as published: cid-0 asks for ChargeItemDefinition.name, which R4 does not have; dom-r4b names types
 * of R5; inv-1 of the SubstanceExposureRisk extension begins with a name that is none of its elements.
 */
static const char *const broken[] = {"cid-0", "dom-r4b", "inv-1"};

struct bench {
  struct definitions *definitions;
  struct arena *arena;
  size_t compiled, failed;
};

static bool is_broken(struct str key) {
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    if (str_is(key, broken[i])) return true;
  }
  return false;
}

static void check(struct bench *b, const struct def_type *owner, const struct def_type *input,
                  struct def_constraint c) {
  struct arena_mark mark = arena_mark(b->arena);
  struct source source = source_make(c.key, c.expression);
  struct diag_list diags;
  struct fp_program *program;
  struct fp_compile compile = {
      .definitions = b->definitions, .input = input, .source = &source, .to = c.expression.len};
  diag_list_init(&diags, b->arena);
  if (c.expression.len && fhirpath_compile(&compile, b->arena, &diags, &program, NULL) != STATUS_OK &&
      !is_broken(c.key)) {
    b->failed++;
    printf("%.*s %.*s: %.*s\n  %.*s\n", STR_ARG(def_type_name(owner)), STR_ARG(c.key), STR_ARG(c.expression),
           STR_ARG(diags.first ? diags.first->message : STR("no memory")));
  }
  b->compiled += c.expression.len > 0;
  arena_rewind(b->arena, mark);
}

static void check_type(struct bench *b, const struct def_type *type) {
  for (size_t i = 0; i < def_type_constraint_count(type); i++)
    check(b, type, type, def_type_constraint(type, i));
  for (size_t i = 0; i < def_type_element_count(type); i++) {
    const struct def_element *element = def_type_element_at(type, i);
    size_t types = def_element_type_count(element);
    const struct def_type *input = types == 1 ? def_element_type(element, 0).type : NULL;
    for (size_t k = 0; k < def_element_constraint_count(element); k++)
      check(b, type, input, def_element_constraint(element, k));
    if (input && def_type_kind(input) == DEF_NESTED && input != type && !def_type_is(type, input)) {
      if (str_starts(def_type_name(input), def_type_name(type))) check_type(b, input);
    }
  }
}

static void invariants_compile(void **state) {
  struct bench *b = *state;
  for (size_t i = 0; i < definitions_type_count(b->definitions); i++)
    check_type(b, definitions_type_at(b->definitions, i));
  printf("%zu invariants, %zu failed\n", b->compiled, b->failed);
  assert_true(b->compiled > 1000);
  assert_int_equal(b->failed, 0);
}

int main(void) {
  struct bench bench = {.definitions = pack_open(), .arena = arena_new(64 << 20)};
  if (!bench.definitions || !arena_alloc(bench.arena, 1)) return PACK_SKIPPED;
  const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(invariants_compile, &bench)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(bench.definitions);
  arena_free(bench.arena);
  return failed;
}
