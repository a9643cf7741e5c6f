/* Numbers of HL7 version 2, what each becomes; and which texts are units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"

/* 38 digits, the most that a decimal has; 26 zeros before them make the 64 characters that are read. */
#define DIGITS_38 "12345678901234567890123456789012345678"
#define ZEROS_26 "00000000000000000000000000"

static const struct {
  const char *text, *result; /* NULL: none */
} rows[] = {
    {"120", "120"},     {"+120", "120"},   {"079", "79"},      {"000", "0"},      {"0", "0"},           {"-0.50", "-0.50"},
    {".5", "0.5"},      {"-.5", "-0.5"},   {"+.50", "0.50"},   {"5.", "5"},       {"0037.500", "37.500"}, {" 98.6 ", "98.6"},
    {"-007", "-7"},     {"00.10", "0.10"}, {DIGITS_38, DIGITS_38},
    {ZEROS_26 DIGITS_38, DIGITS_38},
    {"", NULL},         {" ", NULL},       {".", NULL},        {"-", NULL},       {"+.", NULL},         {"1e2", NULL},
    {"37,5", NULL},     {"1 000", NULL},   {"--1", NULL},      {"+-1", NULL},     {"1.2.3", NULL},      {"<5", NULL},
    {"12 mg", NULL},    {"NaN", NULL},     {"0x10", NULL},     {DIGITS_38 "9", NULL},
    {DIGITS_38 ".9", NULL}, {"0" ZEROS_26 DIGITS_38, NULL},
};

static bool run_one(struct str text, struct arena *arena, struct fp_list *out) {
  struct diag_list diags;
  struct source source = source_make(STR("test"), text);
  struct fp_compile compile = {.source = &source, .to = text.len};
  struct fp_program *program;
  diag_list_init(&diags, arena);
  if (fhirpath_compile(&compile, arena, &diags, &program, NULL) != STATUS_OK) return false;
  struct fp_run run = {.host = host_system(), .arena = arena, .diags = &diags};
  return fhirpath_eval(program, &run, (struct fp_list){0}, out) == STATUS_OK && diags.count == 0;
}

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct fp_list out = {0};
    struct str result = {0};
    assert_true(run_one(arena_printf(arena, "'%s'.fromNm()", rows[i].text), arena, &out));
    if (out.count != (rows[i].result != NULL)) fail_msg("%s: %zu results", rows[i].text, out.count);
    if (out.count) assert_true(fhirpath_text(&out.items[0], arena, &result));
    if (rows[i].result && !str_is(result, rows[i].result)) fail_msg("%s: %.*s", rows[i].text, STR_ARG(result));
    arena_free(arena);
  }
}

static void test_nothing(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct fp_list out = {0};
  assert_true(run_one(STR("{}.fromNm()"), arena, &out));
  assert_int_equal(out.count, 0);
  assert_true(run_one(STR("{}.isUcum()"), arena, &out));
  assert_int_equal(out.count, 0);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
