/*
 * map-convert.c - fuzz target: a map's text to a StructureMap resource and back.
 *
 * Input: a map, as text or as a resource. What must hold: it is converted or refused with a diagnostic; what
 * was converted is read again.
 */
#include <stdio.h>
#include "fuzz.h"
#include "mapping/mapping.h"

enum { MEMORY = 16 << 20, TEXT = 4 << 20 };

void fuzz_begin(void) {}

/* The other form of a text; without memory nothing. */
static struct str convert(struct str text, bool r5, bool must, struct arena *arena) {
  struct source source = source_make(STR("map"), text);
  struct diag_list diags;
  struct buf out;
  diag_list_init(&diags, arena);
  buf_init(&out, TEXT);
  enum status status = mapping_convert(&source, r5, arena, &diags, &out);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM ||
               status == STATUS_LIMIT);
  FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(&diags) > 0);
  struct str made = status == STATUS_OK ? arena_str(arena, buf_str(&out)) : (struct str){0};
  if (must && status == STATUS_INVALID) {
    fprintf(stderr, "%.*s\n%.*s\n", STR_ARG(diags.first->message), STR_ARG(text));
    fuzz_finding(__FILE__, __LINE__, "what was converted can be read");
  }
  buf_release(&out);
  return made;
}

static void there_and_back(struct str input, bool r5) {
  struct arena *arena = fuzz_arena(MEMORY);
  /* The expressions of a resource are texts that nobody has read yet. */
  size_t unread = str_starts(str_trim(input), STR("{")) ? 2 : 1;
  struct str form = input;
  for (size_t turn = 1; turn < 5 && form.len; turn++)
    form = convert(form, r5, turn > unread, arena);
  arena_free(arena);
}

void fuzz_one(struct str input) {
  there_and_back(input, false);
  there_and_back(input, true);
}
