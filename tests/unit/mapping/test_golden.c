/*
 * test_golden.c - tests/golden/mapping/<case>/: map.fml (and other *.fml, *.json it needs in maps/),
 * source.json, expected.json and expected.diagnostics. model.json of a case, or of the folder, is laid over
 * the definitions.
 */
#include "run_map.h"

enum { FILES_MAX = 8 };

static const char *add_file(const struct golden *golden, const char *name) {
  struct str path = golden_path(golden, name);
  struct str text = golden_read(golden, name);
  return text.ptr ? path.ptr : NULL;
}

static size_t list_maps(const struct golden *golden, const char **files) {
  static const char *const names[] = {"map.fml", "library.fml", "other.fml", "conceptmap.json"};
  size_t count = 0;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const char *path = add_file(golden, names[i]);
    if (path) files[count++] = path;
  }
  return count;
}

/* Paths in messages would differ from machine to machine; the file's own name is enough. */
static struct str diagnostics(const struct diag_list *diags, struct arena *arena) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  for (const struct diag *d = diags->first; d; d = d->next) {
    size_t at = d->file.len;
    while (at > 0 && d->file.ptr[at - 1] != '/')
      at--;
    buf_printf(&text, "%s %s %.*s:%u:%u", diag_severity_name(d->severity), diag_code_name(d->code),
               STR_ARG(str_slice(d->file, at, d->file.len)), d->line, d->col);
    if (d->path.len) buf_printf(&text, " [%.*s]", STR_ARG(d->path));
    buf_printf(&text, " %.*s\n", STR_ARG(d->message));
  }
  struct str copy = text.len ? buf_take_str(&text, arena) : STR("");
  buf_release(&text);
  return copy;
}

/* Whatever loads can be dumped. */
static void check_dump(struct golden *golden, const struct mapping_set *set) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  for (size_t i = 0; set && i < mapping_count(set); i++) {
    size_t before = text.len;
    mapping_dump(set, mapping_at(set, i), &text);
    if (text.error != STATUS_OK || str_find(buf_str(&text), STR("\ngroup "), before) == SIZE_MAX) {
      printf("no dump of %.*s\n", STR_ARG(mapping_url(mapping_at(set, i))));
      golden->failures++;
    }
  }
  buf_release(&text);
}

static void run_golden(struct golden *golden) {
  const char *files[FILES_MAX];
  struct diag_list diags;
  struct definitions *definitions = pack_open();
  diag_list_init(&diags, golden->arena);
  struct str source_text = golden_read(golden, "source.json");
  struct source source = source_make(STR("source.json"), source_text);
  const char *model = add_file(golden, "model.json");
  if (!overlay(definitions, SOURCE_DIR "/tests/golden/mapping/model.json", golden->arena, &diags))
    golden->failures++;
  if (model && !overlay(definitions, model, golden->arena, &diags)) golden->failures++;
  struct map_case c = {.definitions = definitions,
                       .files = files,
                       .file_count = list_maps(golden, files),
                       .source = source_text.ptr ? &source : NULL,
                       .arena = golden->arena,
                       .diags = &diags,
                       .report_unread = golden_read(golden, "unread").ptr != NULL};
  enum status status = run_case(&c);
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  struct tree_write writing = {.pretty = true};
  if (c.target) tree_write_json(c.target, &writing, &out);
  if (c.target) buf_add_char(&out, '\n');
  golden_compare(golden, "expected.json", buf_str(&out));
  golden_compare(golden, "expected.diagnostics", diagnostics(&diags, golden->arena));
  if ((status == STATUS_OK) != (diag_errors(&diags) == 0)) {
    printf("status %s with %zu errors\n", status_name(status), diag_errors(&diags));
    golden->failures++;
  }
  check_dump(golden, c.set);
  buf_release(&out);
  mapping_free(c.set);
  definitions_close(definitions);
}

int main(void) {
  struct definitions *definitions = pack_open();
  if (!definitions) return PACK_SKIPPED;
  definitions_close(definitions);
  return golden_run(SOURCE_DIR "/tests/golden/mapping", run_golden) ? 1 : 0;
}
