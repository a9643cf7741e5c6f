/* terms.c - the table of unknown words, as text and as JSON. */
#include <stdlib.h>
#include "cli/terms.h"

void cli_terms_begin(struct cli_terms *terms, struct arena *arena) {
  *terms = (struct cli_terms){.arena = arena};
  map_init(&terms->index, arena);
}

static enum status add_new(struct cli_terms *terms, struct str key, const struct cli_term *seen) {
  struct cli_term *term = ARENA_NEW(terms->arena, struct cli_term);
  struct str copy = arena_str(terms->arena, key);
  if (!term || !copy.ptr) return STATUS_NOMEM;
  *term = (struct cli_term){.concept_map = arena_str(terms->arena, seen->concept_map),
                            .system = arena_str(terms->arena, seen->system),
                            .element = arena_str(terms->arena, seen->element),
                            .word = arena_str(terms->arena, seen->word),
                            .file = diag_clean(terms->arena, seen->file),
                            .line = seen->line,
                            .count = 1};
  bool kept = term->concept_map.ptr && term->system.ptr && term->element.ptr && term->word.ptr && term->file.ptr;
  return kept ? map_put(&terms->index, copy, term) : STATUS_NOMEM;
}

enum status cli_terms_add(struct cli_terms *terms, const struct cli_term *seen) {
  struct buf key;
  buf_init(&key, LIMIT_TEXT_BYTES);
  const struct str parts[] = {seen->concept_map, seen->system, seen->element, seen->word};
  for (size_t i = 0; i < 4; i++) {
    buf_add_str(&key, parts[i]);
    buf_add_char(&key, '\0'); /* in no part: no text that was read has it */
  }
  enum status status = key.error;
  struct cli_term *term = status == STATUS_OK ? map_get(&terms->index, buf_str(&key)) : NULL;
  if (term)
    term->count++;
  else if (status == STATUS_OK && terms->index.count == CLI_TERMS_MAX)
    terms->dropped++;
  else if (status == STATUS_OK)
    status = add_new(terms, buf_str(&key), seen);
  buf_release(&key);
  return status;
}

static int by_map_and_count(const void *a, const void *b) {
  const struct cli_term *one = *(const struct cli_term *const *)a, *two = *(const struct cli_term *const *)b;
  int order = str_cmp(one->concept_map, two->concept_map);
  if (!order) order = (one->count < two->count) - (one->count > two->count);
  if (!order) order = str_cmp(one->element, two->element);
  if (!order) order = str_cmp(one->word, two->word);
  return order ? order : str_cmp(one->system, two->system);
}

const struct cli_term **cli_terms_sorted(const struct cli_terms *terms) {
  size_t count = terms->index.count;
  const struct cli_term **sorted = ARENA_ARRAY(terms->arena, const struct cli_term *, count + 1);
  if (!sorted) return NULL;
  for (size_t i = 0; i < count; i++)
    sorted[i] = terms->index.entries[i].value;
  if (count > 1) qsort(sorted, count, sizeof *sorted, by_map_and_count);
  return sorted;
}

struct str cli_terms_known(const struct mapping_set *maps, const struct cli_term *term) {
  for (size_t i = 0; i < term->word.len; i++)
    if (term->word.ptr[i] >= '0' && term->word.ptr[i] <= '9') return STR("");
  return term->word.len ? mapping_nearest_word(maps, term->concept_map, term->word) : STR("");
}

/* --- as text --- */

static struct str shown_word(const struct cli_terms *terms, const struct cli_term *term) {
  struct str word = term->word.len ? diag_clean(terms->arena, term->word) : STR("(text)");
  return word.ptr ? word : STR("?");
}

static void write_line(const struct cli_terms *terms, const struct mapping_set *maps,
                       const struct cli_term *term, struct buf *out) {
  struct str element = term->element.len ? term->element : STR("(made by the map)");
  struct str near = cli_terms_known(maps, term);
  buf_printf(out, "  %6zu  %-28.*s  %-40.*s  %.*s:%u", term->count, STR_ARG(shown_word(terms, term)),
             STR_ARG(element), STR_ARG(term->file), term->line);
  if (near.len) buf_printf(out, "  known: %.*s", STR_ARG(near));
  buf_add_char(out, '\n');
}

void cli_terms_write_text(const struct cli_terms *terms, const struct mapping_set *maps, struct buf *out) {
  const struct cli_term **sorted = cli_terms_sorted(terms);
  for (size_t i = 0; sorted && i < terms->index.count; i++) {
    if (i == 0 || !str_eq(sorted[i]->concept_map, sorted[i - 1]->concept_map))
      buf_printf(out, "%s%.*s\n", i ? "\n" : "", STR_ARG(sorted[i]->concept_map));
    write_line(terms, maps, sorted[i], out);
  }
}

/* --- as JSON --- */

static void member(struct buf *out, const char *name, struct str value) {
  if (!value.len) return;
  buf_printf(out, ",\"%s\":", name);
  buf_add_json(out, value);
}

static void write_object(const struct mapping_set *maps, const struct cli_term *term, struct buf *out) {
  buf_add_text(out, "{\"conceptMap\":");
  buf_add_json(out, term->concept_map);
  member(out, "system", term->system);
  member(out, "element", term->element);
  member(out, "word", term->word);
  buf_printf(out, ",\"count\":%zu,\"file\":", term->count);
  buf_add_json(out, term->file);
  buf_printf(out, ",\"line\":%u", term->line);
  member(out, "known", cli_terms_known(maps, term));
  buf_add_char(out, '}');
}

void cli_terms_write_json(const struct cli_terms *terms, const struct mapping_set *maps, struct buf *out) {
  const struct cli_term **sorted = cli_terms_sorted(terms);
  buf_add_char(out, '[');
  for (size_t i = 0; sorted && i < terms->index.count; i++) {
    buf_add_text(out, i ? ",\n " : "");
    write_object(maps, sorted[i], out);
  }
  buf_add_text(out, "]\n");
}
