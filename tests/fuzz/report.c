/*
 * report.c - fuzz target: any JSON as a record that is shown as a page.
 *
 * Input: the record's text; it need not conform to its model. What must hold: a page or a status; the page is UTF-8 without
 * control characters, what is opened in it is closed, nothing of the record has become markup, and the same record gives the
 * same bytes.
 */
#include "fuzz.h"
#include "report/report.h"

enum { MEMORY = 64 << 20, PAGE = 16 << 20 };

void fuzz_begin(void) {
}

static size_t count_of(struct str text, const char *part) {
  size_t count = 0;
  for (size_t at = 0; (at = str_find(text, str_of(part), at)) != SIZE_MAX; at++)
    count++;
  return count;
}

static void check_markup(struct str page) {
  static const char *const pairs[][2] = {
      {"<table>", "</table>"}, {"<tr>", "</tr>"},   {"<td", "</td>"},     {"<dl", "</dl>"}, {"<div", "</div>"},
      {"<svg ", "</svg>"},     {"<g>", "</g>"},     {"<text ", "</text>"}, {"<bdi", "</bdi>"},
      {"<h2 ", "</h2>"},       {"<time ", "</time>"}, {"<main>", "</main>"}, {"<span ", "</span>"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    FUZZ_REQUIRE(count_of(page, pairs[i][0]) == count_of(page, pairs[i][1]));
  FUZZ_REQUIRE(count_of(page, "<script") == 0);
  FUZZ_REQUIRE(count_of(page, "<img") == 0);
  FUZZ_REQUIRE(utf8_invalid_at(page) == SIZE_MAX);
  for (size_t i = 0; i < page.len; i++)
    FUZZ_REQUIRE((unsigned char)page.ptr[i] >= ' ' || page.ptr[i] == '\n' || page.ptr[i] == '\t');
}

static enum status make_page(const struct tree_node *root, bool all, struct arena *arena, struct buf *out) {
  static const struct report_sent sent = {.type = {"Patient", 7}, .key = {"<img>", 5}};
  struct report_params params = {.record = root,
                                 .arena = arena,
                                 .sent = &sent,
                                 .sent_count = all ? 1 : 0,
                                 .psychotherapy_notes = all,
                                 .document = !all};
  return report_session_html(&params, out);
}

void fuzz_one(struct str input) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct source source = source_make(STR("record.json"), input);
  struct diag_list diags;
  struct tree_node *root = NULL;
  struct buf pages[2];
  diag_list_init(&diags, arena);
  for (int i = 0; i < 2; i++)
    buf_init(&pages[i], PAGE);
  if (tree_read_json(&source, NULL, arena, &diags, &root) == STATUS_OK) {
    enum status status = make_page(root, true, arena, &pages[0]);
    if (status == STATUS_OK) check_markup(buf_str(&pages[0]));
    enum status again = make_page(root, true, arena, &pages[1]);
    if (!fuzz_memory_fails()) {
      FUZZ_REQUIRE(again == status);
      FUZZ_REQUIRE(status != STATUS_OK || str_eq(buf_str(&pages[0]), buf_str(&pages[1])));
    }
    buf_reset(&pages[1]);
    if (make_page(root, false, arena, &pages[1]) == STATUS_OK) check_markup(buf_str(&pages[1]));
  }
  for (int i = 0; i < 2; i++)
    buf_release(&pages[i]);
  arena_free(arena);
}
