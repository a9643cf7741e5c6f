/*
 * hl7v2-charset.c - fuzz target: the bytes of a message to text by the charset it declares.
 *
 * What must hold: text that is valid UTF-8, or a diagnostic. Encoded it gives bytes that are the same text again; of ASCII,
 * UTF-8 and ISO 8859 the very bytes that came. (Of messages; others are decoded too.)
 */
#include "fuzz.h"
#include "hl7v2/hl7v2.h"

enum { MEMORY = 64 << 20 };

void fuzz_begin(void) {}

static bool is_exact(struct str charset) {
  return str_is(charset, "ASCII") || str_is(charset, "UNICODE UTF-8") || str_starts(charset, STR("8859/"));
}

static void check_back(const struct hl7v2_text *text, struct str input, struct arena *arena, struct diag_list *diags) {
  struct hl7v2_text again;
  struct str bytes = {0};
  enum status status = hl7v2_encode(text, arena, &bytes);
  FUZZ_REQUIRE(status == STATUS_OK || (!is_exact(text->charset) && status == STATUS_INVALID) || fuzz_memory_fails());
  if (status != STATUS_OK) return;
  if (is_exact(text->charset)) FUZZ_REQUIRE(str_eq(bytes, input));
  struct source source = source_make(STR("x"), bytes);
  status = hl7v2_decode(&source, STR("8859/1"), arena, diags, &again);
  if (status == STATUS_OK) FUZZ_REQUIRE(str_eq(again.text, text->text));
}

void fuzz_one(struct str input) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct source source = source_make(STR("x"), input);
  struct hl7v2_text text;
  struct diag_list diags;
  diag_list_init(&diags, arena);
  bool message = hl7v2_is(input); /* of what is none the place of MSH-18 may be another in bytes and in text */
  enum status status = hl7v2_decode(&source, STR("8859/1"), arena, &diags, &text);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  FUZZ_REQUIRE(status == STATUS_NOMEM || (status == STATUS_INVALID) == (diag_errors(&diags) == 1));
  if (status == STATUS_OK) {
    FUZZ_REQUIRE(utf8_invalid_at(text.text) == SIZE_MAX);
    if (message) check_back(&text, input, arena, &diags);
  }
  arena_free(arena);
}
