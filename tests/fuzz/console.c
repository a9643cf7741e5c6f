/*
 * console.c - fuzz target: the head of a request to the relay's console, and its query.
 *
 * What must hold: where a head ends does not depend on how its bytes were split; what is taken has a method, a path, a
 * Host and no control character, each field once, and its parts are parts of it; a refusal has a status and a reason;
 * decoded values are UTF-8 without control characters.
 */
#include "console/console.h"
#include "console/head.h"
#include "fuzz.h"

enum { MEMORY = 1 << 20 };

void fuzz_begin(void) {}

static bool inside(struct str part, struct str whole) {
  return !part.ptr || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static bool has_control(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.ptr[i] < ' ' && text.ptr[i] != '\t') return true;
  return false;
}

static int end_at_once(struct str input, size_t *end) {
  const char *fault = NULL;
  size_t from = 0;
  int status = console_head_end(input, &from, end, &fault);
  FUZZ_REQUIRE((status != 0) == (fault != NULL));
  FUZZ_REQUIRE(*end <= input.len && *end <= CONSOLE_HEAD_MAX && (status == 0 || *end == 0));
  return status;
}

static void check_split(struct str input, int status, size_t end) {
  const char *fault = NULL;
  size_t from = 0, found = 0;
  int got = 0;
  for (size_t len = 1; got == 0 && found == 0 && len <= input.len; len++)
    got = console_head_end(str_slice(input, 0, len), &from, &found, &fault);
  FUZZ_REQUIRE(got == status && found == end);
}

static void check_query(struct str query, struct arena *arena) {
  struct console_query parsed;
  const char *fault = NULL;
  int status = console_query_parse(query, "state destination reason after limit a", arena, &parsed, &fault);
  FUZZ_REQUIRE((status != 0) == (fault != NULL));
  for (size_t i = 0; status == 0 && i < parsed.count; i++) {
    FUZZ_REQUIRE(utf8_invalid_at(parsed.values[i]) == SIZE_MAX && !has_control(parsed.values[i]));
    FUZZ_REQUIRE(!memchr(parsed.values[i].ptr, '\t', parsed.values[i].len));
    for (size_t k = 0; k < i; k++)
      FUZZ_REQUIRE(!str_eq(parsed.names[i], parsed.names[k]));
  }
}

static void check_taken(struct str text, const struct console_head *head) {
  FUZZ_REQUIRE(head->method.len > 0 && head->path.len > 0 && head->path.ptr[0] == '/');
  FUZZ_REQUIRE(head->path.len + head->query.len <= CONSOLE_TARGET_MAX);
  FUZZ_REQUIRE(inside(head->method, text) && inside(head->path, text) && inside(head->query, text));
  FUZZ_REQUIRE(head->fields[FIELD_HOST].ptr && !head->fields[FIELD_TRANSFER_ENCODING].ptr);
  FUZZ_REQUIRE(head->length >= -1 && (head->length >= 0) == (head->fields[FIELD_CONTENT_LENGTH].ptr != NULL));
  for (size_t i = 0; i < CONSOLE_FIELDS; i++)
    FUZZ_REQUIRE(inside(head->fields[i], text) && !has_control(head->fields[i]));
}

void fuzz_one(struct str input) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct console_head head;
  size_t end = 0;
  int status = end_at_once(input, &end);
  check_split(input, status, end);
  if (end) {
    struct str text = str_slice(input, 0, end);
    status = console_head_parse(text, &head);
    FUZZ_REQUIRE((status != 0) == (head.fault != NULL) && (status == 0 || (status >= 400 && status < 600)));
    if (status == 0) check_taken(text, &head);
    if (status == 0) check_query(head.query, arena);
    (void)console_type_is(head.fields[FIELD_CONTENT_TYPE], "application/json");
  }
  check_query(input, arena);
  arena_free(arena);
}
