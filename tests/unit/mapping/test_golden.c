/*
 * test_golden.c - tests/golden/mapping/<case>/: map.fml or map.json (and other files it needs),
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
  static const char *const names[] = {"map.fml", "map.json", "library.fml", "other.fml", "conceptmap.json"};
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

/* --- the same by way of StructureMap resources ---- */

/* Reads X.json, which is not there, as what X.fml converts to. */
static enum status read_converted(const char *path, bool r5, struct arena *arena, struct str *out) {
  struct str base = str_slice(str_of(path), 0, strlen(path) - strlen(".json"));
  struct str name = arena_str(arena, base), text;
  enum status status = host_system()->read_file(NULL, name.ptr, LIMIT_TEXT_BYTES, arena, &text);
  if (status != STATUS_OK) return status;
  struct diag_list diags;
  struct source source = source_make(name, text);
  struct buf json;
  diag_list_init(&diags, arena);
  buf_init(&json, LIMIT_TEXT_BYTES);
  buf_add_text(&json, "\xef\xbb\xbf"); /* what some tools put before it does no harm */
  status = mapping_convert(&source, r5, arena, &diags, &json);
  if (status == STATUS_OK) *out = buf_take_str(&json, arena);
  buf_release(&json);
  return status;
}

static enum status read_r4(void *context, const char *path, size_t max, struct arena *arena,
                           struct str *out) {
  if (!str_ends(str_of(path), STR(".fml.json")))
    return host_system()->read_file(context, path, max, arena, out);
  return read_converted(path, false, arena, out);
}

static enum status read_r5(void *context, const char *path, size_t max, struct arena *arena,
                           struct str *out) {
  if (!str_ends(str_of(path), STR(".fml.json")))
    return host_system()->read_file(context, path, max, arena, out);
  return read_converted(path, true, arena, out);
}

/* As often as map text: the same target, the same number of findings of each severity. */
static void check_converted(struct golden *golden, const struct map_case *text, bool r5) {
  struct diag_list diags, scratch;
  const char *files[FILES_MAX];
  struct host host = test_host();
  diag_list_init(&diags, golden->arena);
  diag_list_init(&scratch, golden->arena);
  host.read_file = r5 ? read_r5 : read_r4;
  for (size_t i = 0; i < text->file_count; i++) {
    bool fml = str_ends(str_of(text->files[i]), STR(".fml"));
    files[i] = arena_printf(golden->arena, "%s%s", text->files[i], fml ? ".json" : "").ptr;
  }
  struct map_case c = *text;
  c.files = files;
  c.diags = &diags;
  c.host = &host;
  c.target = NULL;
  c.set = NULL;
  for (size_t i = 0; i < c.file_count; i++) { /* what cannot be parsed cannot be converted */
    struct str out;
    if (str_ends(str_of(files[i]), STR(".fml.json")) &&
        read_converted(files[i], r5, golden->arena, &out) == STATUS_INVALID)
      return;
  }
  (void)run_case(&c);
  bool same = c.target && text->target ? tree_equal(c.target, text->target) : c.target == text->target;
  for (size_t i = 0; i < 4; i++)
    same = same && diags.by_severity[i] == text->diags->by_severity[i];
  if (!same) {
    struct str told = diagnostics(&diags, golden->arena);
    printf("%s: another result as StructureMap of R%d\n%.*s", golden->name, r5 ? 5 : 4, STR_ARG(told));
    golden->failures++;
  }
  mapping_free(c.set);
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
  check_converted(golden, &c, false);
  check_converted(golden, &c, true);
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
