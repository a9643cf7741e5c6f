/*
 * test_suppose.c - what an expression must give when it is known what its focus has and lacks: told where it is certain, and not where the
 * evaluator might fail or say something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../pack.h"
#include "fhirpath/fhirpath.h"

static const struct definitions *definitions;

/* On a Patient; one name each, NULL: nothing is known. */
static const struct row {
  const char *expression, *absent, *present;
  bool holds;
} rows[] = {
    {"name.empty()", "name", NULL, true},
    {"name.empty()", NULL, NULL, false},
    {"name.exists()", NULL, "name", true},
    {"name.exists()", "name", NULL, false},
    {"name.given.exists()", NULL, "name", false},
    {"name.exists() or telecom.exists()", NULL, "telecom", true},
    {"name.exists() and telecom.exists()", NULL, "telecom", false},
    {"name.exists() implies telecom.exists()", "name", NULL, true},
    {"name.exists() implies telecom.exists()", NULL, "telecom", true},
    {"(identifier.count() + name.count()) > 0", NULL, "name", true},
    {"(identifier.count() + name.count()) > 0", "identifier", NULL, false},
    {"(identifier.count() + name.count()) >= 0", NULL, NULL, true},
    {"name.count() < 1", "name", NULL, true},
    {"name.all(family.exists())", "name", NULL, true},
    {"name.all(family.exists())", NULL, "name", false},
    {"name.where(use = 'old').empty()", "name", NULL, true},
    {"where(gender = 'male').empty()", "gender", NULL, true},
    {"where(gender.exists() and active.empty()).empty()", NULL, "active", true},
    {"where(gender = 'male').empty()", NULL, "gender", false},
    {"gender = 'male'", "gender", NULL, false},
    {"(gender = 'male').not()", "gender", NULL, false},
    {"birthDate.hasValue().not() or birthDate <= today()", "birthDate", NULL, true},
    {"name.isDistinct()", "name", NULL, true},
    {"birthDate.matches('x') or true", "birthDate", NULL, true},
    {"name.family.matches('x') or true", NULL, NULL, false}, /* it fails when there are several */
    {"name.where(use = 'old').exists() or telecom.empty()", "telecom", NULL, true},
    {"name.where(given.startsWith('x')).exists() or telecom.empty()", "telecom", NULL, false}, /* the same */
    {"gender in ('male' | 'female') implies true", "gender", NULL, true},
    {"contact.name.exists().not()", "contact", NULL, true},
    {"%resource.name.empty()", "name", NULL, false}, /* said of the focus */
};

static struct fp_program *compile(struct str text, bool unfused, struct source *source, struct arena *arena) {
  struct diag_list diags;
  struct fp_program *program = NULL;
  const struct def_type *patient = definitions_type(definitions, STR("Patient"));
  diag_list_init(&diags, arena);
  *source = source_make(STR("rule"), text);
  struct fp_compile params = {
      .definitions = definitions, .input = patient, .resource = patient, .source = source, .to = text.len, .unfused = unfused};
  assert_int_equal(fhirpath_compile(&params, arena, &diags, &program, NULL), STATUS_OK);
  return program;
}

static bool holds(const struct row *row, bool unfused, struct arena *arena) {
  struct source source;
  uint32_t absent = row->absent ? definitions_symbol(definitions, str_of(row->absent)) : 0;
  uint32_t present = row->present ? definitions_symbol(definitions, str_of(row->present)) : 0;
  struct fp_supposed supposed = {.absent = &absent, .absent_count = absent != 0, .present = &present, .present_count = present != 0};
  return fhirpath_must_hold(compile(str_of(row->expression), unfused, &source, arena), &supposed);
}

static void tells_what_is_certain(void **state) {
  struct arena *arena = arena_new(4 << 20);
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (int unfused = 0; unfused < 2; unfused++)
      if (holds(&rows[i], unfused, arena) != rows[i].holds) fail_msg("%s (unfused %d)", rows[i].expression, unfused);
  arena_free(arena);
}

/* Of one child that is another text than it is compared with. */
static void tells_of_another_text(void **state) {
  static const struct {
    const char *expression, *name, *text;
    bool holds;
  } cases[] = {
      {"gender = 'male' implies name.exists()", "gender", "male", true},
      {"gender = 'male' implies name.exists()", "gender", "female", false},
      {"where(gender = 'male' and name.empty()).empty()", "gender", "male", true},
      {"(gender = 'male').not()", "gender", "male", true},
      {"gender = 'male' or gender = 'female'", "gender", "male", false},
  };
  struct arena *arena = arena_new(1 << 20);
  struct source source;
  struct fp_child_text texts[2];
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fp_program *program = compile(str_of(cases[i].expression), false, &source, arena);
    struct fp_supposed supposed = {.other = {definitions_symbol(definitions, str_of(cases[i].name)), str_of(cases[i].text)}};
    assert_int_equal(fhirpath_must_hold(program, &supposed), cases[i].holds);
  }
  struct fp_program *program = compile(str_of(cases[4].expression), false, &source, arena);
  assert_int_equal(fhirpath_first_texts(program, texts, 2), 2);
  assert_true(str_is(texts[0].text, "male") && str_is(texts[1].text, "female"));
  assert_int_equal(fhirpath_first_texts(program, texts, 1), 1);
  arena_free(arena);
}

static void tells_first_names(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct source source;
  uint32_t names[3];
  (void)state;
  struct fp_program *program = compile(STR("name.given.exists() or where(gender = 'male').exists() or %resource.active or name.empty()"),
                                       false, &source, arena);
  assert_int_equal(fhirpath_first_names(program, false, names, 3), 2);
  assert_int_equal(names[0], definitions_symbol(definitions, STR("name")));
  assert_int_equal(names[1], definitions_symbol(definitions, STR("gender")));
  assert_int_equal(fhirpath_first_names(program, false, names, 1), 1); /* no more than there is room for */
  assert_int_equal(fhirpath_first_names(program, true, names, 3), 1);
  assert_int_equal(names[0], definitions_symbol(definitions, STR("active")));
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tells_what_is_certain), cmocka_unit_test(tells_of_another_text),
                                     cmocka_unit_test(tells_first_names)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return result;
}
