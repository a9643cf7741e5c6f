/* A merge of several records is as many parts, each with its own patient and its own Bundle; whose a message is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passage.h"

static const struct pipeline *pipeline;

/* Groups are parted by '/', old numbers by blanks: "A B/C". */
static struct str merge_of(const char *olds, struct arena *arena) {
  struct buf text;
  unsigned group = 0;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_add_text(&text, "MSH|^~\\&|EHR|RIVERSIDE|||20260311100500-0500||ADT^A40^ADT_A39|M1|P|2.5.1\rEVN|A40|20260311100500-0500\r");
  for (struct str rest = str_of(olds); rest.len || !group; group++) {
    size_t end = str_find_char(rest, '/', 0);
    struct str numbers = str_slice(rest, 0, end);
    buf_printf(&text, "PID|1||NEW%u^^^RIVERSIDE^MR||Doe^Jordan||19840229|F\rMRG|", group);
    for (size_t at = 0, i = 0; at < numbers.len; i++) {
      size_t blank = str_find_char(numbers, ' ', at);
      struct str number = str_slice(numbers, at, blank);
      buf_printf(&text, "%s%.*s^^^RIVERSIDE^MR", i ? "~" : "", STR_ARG(number));
      at += number.len + 1;
    }
    buf_add_text(&text, "\r");
    rest = end == SIZE_MAX ? (struct str){0} : str_slice(rest, end + 1, rest.len);
  }
  struct str copy = buf_take_str(&text, arena);
  buf_release(&text);
  return copy;
}

struct merge {
  struct arena *arena;
  struct diag_list diags;
  struct intake_record record;
  struct pipeline_parts parts;
};

static enum status part(struct merge *merge, const char *olds) {
  *merge = (struct merge){.arena = arena_new(LIMIT_ARENA_BYTES)};
  diag_list_init(&merge->diags, merge->arena);
  struct intake_input input = intake_open(STR("merge.hl7"), merge_of(olds, merge->arena));
  assert_int_equal(intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline), merge->arena, &merge->diags,
                               &merge->record),
                   STATUS_OK);
  return pipeline_parts(pipeline, &merge->record, merge->arena, &merge->diags, &merge->parts);
}

/* Patient and fates of the Patients of its Bundle: "OLD: +NEW -OLD". */
static struct str told(struct merge *merge) {
  struct pipeline_run run = {.arena = merge->arena, .diags = &merge->diags, .validate = true};
  struct tree_node *bundle = NULL;
  struct str patient = pipeline_identity(pipeline, &merge->record, INTAKE_PATIENT, merge->arena);
  struct str text = arena_printf(merge->arena, "%.*s:", STR_ARG(patient));
  assert_int_equal(pipeline_export(pipeline, &merge->record, &run, &bundle), STATUS_OK);
  for (const struct tree_node *entry = bundle->child; entry; entry = entry->next) {
    const struct tree_node *resource = str_is(entry->name, "entry") ? tree_find(entry, "resource") : NULL;
    const struct tree_node *identifier = resource ? tree_find(resource, "identifier") : NULL;
    if (!identifier) continue;
    text = arena_printf(merge->arena, "%.*s %s%.*s", STR_ARG(text), tree_find(resource, "active") ? "-" : "+",
                        STR_ARG(tree_find(identifier, "value")->text));
  }
  return text;
}

static void each_old_number_is_a_part(void **state) {
  static const struct {
    const char *olds;
    const char *told[4]; /* of each part; of the whole where there is none */
    size_t parts;
  } rows[] = {
      {"A", {"RIVERSIDE/A: +NEW0 -A"}, 0},
      {"A B", {"RIVERSIDE/A: +NEW0 -A", "RIVERSIDE/B: +NEW0 -B"}, 2},
      {"A/B", {"RIVERSIDE/A: +NEW0 -A", "RIVERSIDE/B: +NEW1 -B"}, 2},
      {"A B/C", {"RIVERSIDE/A: +NEW0 -A", "RIVERSIDE/B: +NEW0 -B", "RIVERSIDE/C: +NEW1 -C"}, 3},
      {"A/B C", {"RIVERSIDE/A: +NEW0 -A", "RIVERSIDE/B: +NEW1 -B", "RIVERSIDE/C: +NEW1 -C"}, 3},
      {"A NEW0", {"RIVERSIDE/A: +NEW0 -A", "RIVERSIDE/NEW0: +NEW0"}, 2},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct merge merge;
    assert_int_equal(part(&merge, rows[i].olds), STATUS_OK);
    assert_int_equal(merge.parts.count, rows[i].parts);
    for (size_t p = 0; p < rows[i].parts || !p; p++) {
      if (merge.parts.count) pipeline_show_part(&merge.parts, p);
      struct str got = told(&merge);
      if (!str_is(got, rows[i].told[p])) fail_msg("%s, part %zu: %.*s", rows[i].olds, p, STR_ARG(got));
    }
    arena_free(merge.arena);
  }
}

static void parts_have_a_cap(void **state) {
  (void)state;
  for (size_t count = PIPELINE_PARTS_MAX - 1; count <= PIPELINE_PARTS_MAX + 1; count++) {
    struct merge merge;
    char olds[PIPELINE_PARTS_MAX * 4 + 8];
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
      len += (size_t)snprintf(olds + len, sizeof olds - len, "%sN%zu", i ? " " : "", i);
    assert_int_equal(part(&merge, olds), count <= PIPELINE_PARTS_MAX ? STATUS_OK : STATUS_INVALID);
    assert_int_equal(diag_errors(&merge.diags), count > PIPELINE_PARTS_MAX);
    assert_int_equal(merge.parts.count, count <= PIPELINE_PARTS_MAX ? count : 0);
    arena_free(merge.arena);
  }
}

/* What the relay keeps the order by, of a message with these numbers in PID-3. */
static struct str patient_of(const char *kind, const char *numbers, struct arena *arena) {
  struct str text = arena_printf(arena, "MSH|^~\\&|EHR|RIVERSIDE|||20260311100500-0500||%s|M1|P|2.5.1\rPID|1||%s||Doe^Jordan\r", kind, numbers);
  struct intake_input input = intake_open(STR("message.hl7"), text);
  struct intake_record record = {0};
  struct diag_list diags;
  diag_list_init(&diags, arena);
  assert_int_equal(intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline), arena, &diags, &record), STATUS_OK);
  return pipeline_identity(pipeline, &record, INTAKE_PATIENT, arena);
}

static void a_patient_is_one_in_whatever_order_the_numbers_stand(void **state) {
  static const char *kinds[] = {"ADT^A01", "ADT^A03", "ADT^A05", "ADT^A11", "ADT^A38", "ADT^A27", "ORU^R01", "RAS^O17", "SIU^S12", "MDM^T02", "MDM^T11"};
  static const char *rows[][2] = {
      {"H7^^^GENERAL^MR~M4^^^RIVERSIDE^MR", "RIVERSIDE/M4"},
      {"M4^^^RIVERSIDE^MR~H7^^^GENERAL^MR", "RIVERSIDE/M4"},
      {"A1^^^AAA^PI~M4^^^RIVERSIDE^MR", "RIVERSIDE/M4"},
      {"Z1^^^ZION^MR~H7^^^GENERAL^MR", "GENERAL/H7"},
      {"H7^^^GENERAL^MR~Z1^^^ZION^MR", "GENERAL/H7"},
      {"M1^^^RIVERSIDE^MR^^^20250101~M4^^^RIVERSIDE^MR", "RIVERSIDE/M4"},
      {"M1^^^RIVERSIDE^MR~M4^^^RIVERSIDE^MR", "RIVERSIDE/M1"},
      {"M4", "M4"},
  };
  (void)state;
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
      struct str got = patient_of(kinds[k], rows[i][0], arena);
      if (!str_is(got, rows[i][1])) fail_msg("%s, %s: %.*s", kinds[k], rows[i][0], STR_ARG(got));
    }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_old_number_is_a_part),
      cmocka_unit_test(parts_have_a_cap),
      cmocka_unit_test(a_patient_is_one_in_whatever_order_the_numbers_stand),
  };
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct pipeline *opened = passage_open(arena);
  if (!opened) return 1;
  pipeline = opened;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  pipeline_close(opened);
  arena_free(arena);
  return failed;
}
