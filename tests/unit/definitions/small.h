/* small.h - opens the made-up package of data/small for a test. */
#ifndef TEST_DEFINITIONS_SMALL_H
#define TEST_DEFINITIONS_SMALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "definitions/definitions.h"

#define DATA SOURCE_DIR "/tests/unit/definitions/data"
#define EXAMPLE "http://example.org/fhir/"

struct small {
  struct arena *arena;
  struct diag_list diags;
  struct buf image;
  struct definitions *definitions;
};

static inline void print_diags(const struct diag_list *diags) {
  struct buf line;
  buf_init(&line, 1 << 16);
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    buf_reset(&line);
    diag_render_text(diag, &line);
    print_message("%.*s\n", STR_ARG(buf_str(&line)));
  }
  buf_release(&line);
}

static inline enum status small_build(struct small *small, const char *models) {
  const char *packages[] = {DATA "/small"};
  struct definitions_build build = {
      .host = host_system(), .packages = packages, .package_count = 1, .models = models};
  *small = (struct small){.arena = arena_new((size_t)64 << 20)};
  diag_list_init(&small->diags, small->arena);
  buf_init(&small->image, 1 << 26);
  return definitions_build(&build, &small->diags, &small->image);
}

static inline int small_open(void **state) {
  struct small *small = calloc(1, sizeof *small);
  *state = small;
  if (small_build(small, DATA "/mappings/models") ||
      definitions_open_image(buf_str(&small->image), &small->diags, &small->definitions)) {
    print_diags(&small->diags);
    return -1;
  }
  return 0;
}

static inline int small_close(void **state) {
  struct small *small = *state;
  definitions_close(small->definitions);
  buf_release(&small->image);
  arena_free(small->arena);
  free(small);
  return 0;
}

#define assert_text(actual, expected)                                                                        \
  do {                                                                                                       \
    struct str text_ = (actual);                                                                             \
    if (!str_is(text_, (expected))) print_message("have: %.*s\n", STR_ARG(text_));                           \
    assert_true(str_is(text_, (expected)));                                                                  \
  } while (0)

static inline const struct def_type *need_type(const struct small *small, const char *name) {
  const struct def_type *type = definitions_type(small->definitions, str_of(name));
  if (!type) print_message("no type %s\n", name);
  assert_non_null(type);
  return type;
}

static inline const struct def_element *need_element(const struct def_type *type, const char *name) {
  const struct def_element *element = def_type_element_named(type, str_of(name));
  if (!element) print_message("no element %s\n", name);
  assert_non_null(element);
  return element;
}

#endif
