/* test_response.c - a transaction response is read strictly: all entries, in order, or the outcome is
 * unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "delivery/delivery.h"

#define HEAD "{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\",\"entry\":["
#define TAIL "]}"
#define BASE STR("https://ehr.example/fhir")

static struct arena *arena;
static struct diag_list diags;

static int setup(void **state) {
  (void)state;
  arena = arena_new(1 << 20);
  diag_list_init(&diags, arena);
  return arena ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

static struct tree_node *read_tree(const char *body) {
  struct source source = source_make(STR("answer"), str_of(body));
  struct tree_node *root = NULL;
  return tree_read_json(&source, NULL, arena, &diags, &root) == STATUS_OK ? root : NULL;
}

static enum status read_body(const char *body, size_t expected, struct delivery_entry *entries) {
  return delivery_read_response(read_tree(body), BASE, expected, arena, entries) ? STATUS_INVALID : STATUS_OK;
}

#define assert_str(expected, got) assert_true(str_is((got), (expected)))

static void test_locations(void **state) {
  (void)state;
  struct delivery_entry e[4];
  const char *body =
      HEAD "{\"response\":{\"status\":\"201\",\"location\":\"Patient/1/_history/2\"}},"
           "{\"response\":{\"status\":\"200 OK\",\"location\":\"https://ehr.example/fhir/Encounter/a-b.c\","
           "\"etag\":\"W/\\\"7\\\"\"}},"
           "{\"response\":{\"status\":\"204\"}},"
           "{\"response\":{\"status\":\"201\",\"location\":\"Patient/../../x?y\"}}" TAIL;
  assert_int_equal(STATUS_OK, read_body(body, 4, e));
  assert_str("Patient/1", e[0].location);
  assert_str("2", e[0].version);
  assert_str("Encounter/a-b.c", e[1].location);
  assert_str("7", e[1].version);
  assert_int_equal(0, e[2].location.len);
  assert_int_equal(0, e[3].location.len); /* hostile: never becomes part of a later request */
}

static void test_entry_refused_inside_success(void **state) {
  (void)state;
  struct delivery_entry e[1];
  const char *body =
      HEAD "{\"response\":{\"status\":\"422 "
           "Unprocessable\",\"outcome\":{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"
           "\"error\",\"code\":\"required\",\"diagnostics\":\"Alex Sample is "
           "missing\",\"expression\":[\"Patient.name\"]}]}}}" TAIL;
  assert_int_equal(STATUS_OK, read_body(body, 1, e));
  assert_int_equal(DELIVERY_PARK, e[0].verdict);
  assert_str("error required at Patient.name", e[0].outcome); /* codes, never the server's diagnostics */
}

static void test_not_an_answer(void **state) {
  (void)state;
  struct delivery_entry e[2];
  static const char *const bodies[] = {
      "",
      "null",
      "[]",
      "<html></html>",
      "{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\",\"entr",
      "{\"resourceType\":\"OperationOutcome\"}",
      "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[{},{}]}",
      HEAD TAIL,
      HEAD "{\"response\":{\"status\":\"201\"}}" TAIL,
      HEAD "{\"response\":{\"status\":\"201\"}},{\"response\":{\"status\":\"201\"}},{\"response\":{"
           "\"status\":\"201\"}}" TAIL,
      HEAD "{\"response\":{\"status\":\"201\"}},{}" TAIL,
      HEAD "{\"response\":{\"status\":\"201\"}},{\"response\":[{\"status\":\"201\"}]}" TAIL,
      HEAD "{\"response\":{\"status\":\"201\"}},{\"response\":{\"status\":201}}" TAIL,
      HEAD "{\"response\":{\"status\":\"201\"}},{\"response\":{\"status\":\"201\",\"status\":\"201\"}}" TAIL,
      HEAD "{\"response\":{\"status\":\"201\"}},{\"response\":{\"status\":\"2x1\"}}" TAIL};
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
    assert_int_equal(STATUS_INVALID, read_body(bodies[i], 2, e));
}

/* One entry that stands where a list belongs is no list of one. */
static void test_no_list(void **state) {
  (void)state;
  struct delivery_entry e[1];
  assert_int_equal(STATUS_INVALID, read_body("{\"resourceType\":\"Bundle\",\"type\":\"batch-response\",\"entry\":"
                                             "{\"response\":{\"status\":\"201\"}}}",
                                             1, e));
}

static void test_outcome_text_is_printable(void **state) {
  (void)state;
  struct str text = delivery_outcome_text(STR("{\"resourceType\":\"OperationOutcome\",\"issue\":[{"
                                              "\"severity\":\"error\",\"code\":\"in\\u001bvalid\"}]}"),
                                          arena);
  assert_str("error in?valid", text);
}

static void test_single(void **state) {
  (void)state;
  struct delivery_entry e;
  struct delivery_answer answer = {.status = 201, .verdict = DELIVERY_DONE};
  answer.location = STR("https://ehr.example/fhir/Observation/9/_history/4");
  delivery_read_single(&answer, BASE, STR("Observation"), arena, &e);
  assert_str("Observation/9", e.location);
  assert_str("4", e.version);
  answer = (struct delivery_answer){.status = 200, .verdict = DELIVERY_DONE, .etag = STR("W/\"3\"")};
  answer.root = read_tree("{\"resourceType\":\"Observation\",\"id\":\"8\"}");
  delivery_read_single(&answer, BASE, STR("Observation?identifier=x"), arena, &e);
  assert_str("Observation/8", e.location);
  assert_str("3", e.version);
  answer = (struct delivery_answer){.status = 200, .verdict = DELIVERY_DONE};
  delivery_read_single(&answer, BASE, STR("Observation/7"), arena, &e);
  assert_str("Observation/7", e.location);
  delivery_read_single(&answer, BASE, STR("Observation?identifier=x"), arena, &e);
  assert_int_equal(0, e.location.len);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_single, setup, teardown),

      cmocka_unit_test_setup_teardown(test_locations, setup, teardown),
      cmocka_unit_test_setup_teardown(test_entry_refused_inside_success, setup, teardown),
      cmocka_unit_test_setup_teardown(test_not_an_answer, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_list, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outcome_text_is_printable, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
