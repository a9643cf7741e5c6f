/*
 * fml.c - runs the public suites of the mapping language: conformance_fml SUITE FOLDER PACK [-v]
 *
 * SUITE is fml-tutorial or fml-manifest, FOLDER holds its index.json, PACK is a definition pack. Models,
 * sources and outputs are JSON or XML. Cases whose map is StructureMap JSON are skipped and named.
 * Prints one line a suite and the ids that failed; exit status 1 when one failed.
 */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include "mapping/mapping.h"

enum { MEMORY = 256 << 20 };

struct suite {
  const char *name, *folder, *pack;
  bool verbose;
  size_t passed, failed, skipped;
};

struct run {
  const struct suite *suite;
  struct arena *arena;
  struct diag_list diags;
  struct definitions *definitions;
  struct mapping_set *set;
  const struct tree_node *test;
  const char *skip; /* why it is not run */
};

static struct str path_of(struct run *run, struct str file) {
  return arena_printf(run->arena, "%s/%.*s", run->suite->folder, STR_ARG(file));
}

static bool read_tree(struct run *run, struct str file, struct source *source, struct tree_node **out) {
  const struct host *host = host_system();
  struct str path = path_of(run, file), text;
  if (!path.ptr || host->read_file(host->context, path.ptr, LIMIT_TEXT_BYTES, run->arena, &text) != STATUS_OK)
    return false;
  *source = source_make(path, text);
  return tree_read(source, NULL, run->arena, &run->diags, out) == STATUS_OK;
}

/* All at once: models may refer to each other. */
static bool load_models(struct run *run) {
  enum { MODELS_MAX = 64 };
  struct tree_node *roots[MODELS_MAX];
  size_t count = 0;
  for (const struct tree_node *m = tree_find(run->test, "models"); m; m = tree_next_same(m)) {
    struct source *source = ARENA_NEW(run->arena, struct source);
    struct tree_node *root = NULL;
    if (m->flags & TREE_EMPTY_ARRAY) continue;
    if (!source || count == MODELS_MAX || !read_tree(run, m->text, source, &root)) return false;
    roots[count++] = root;
  }
  return count == 0 || definitions_overlay(run->definitions, roots, count, &run->diags) == STATUS_OK;
}

static bool has_finding(const struct run *run, enum diag_code code) {
  for (const struct diag *d = run->diags.first; d; d = d->next)
    if (d->code == code) return true;
  return false;
}

static bool load_map(struct run *run) {
  struct str map = tree_text(run->test, "map");
  const char *files[1] = {path_of(run, map).ptr};
  struct mapping_load load = {
      .definitions = run->definitions, .host = host_system(), .files = files, .file_count = 1};
  bool loaded = mapping_load(&load, &run->diags, &run->set) == STATUS_OK && mapping_count(run->set) > 0;
  if (!loaded && str_ends(map, STR(".json")) && has_finding(run, DIAG_INPUT_FORMAT))
    run->skip = "its map is StructureMap JSON";
  return loaded;
}

static struct tree_node *transform(struct run *run) {
  struct source *source = ARENA_NEW(run->arena, struct source);
  struct tree_node *root = NULL, *target = NULL;
  const struct mapping_map *map = mapping_at(run->set, 0);
  const struct def_type *type = mapping_source_type(map);
  if (!source || !read_tree(run, tree_text(run->test, "source"), source, &root)) return NULL;
  if (type && def_type_kind(type) == DEF_RESOURCE) type = NULL;
  struct tree_node *named = tree_find(root, "resourceType");
  if (type && named) named->flags |= TREE_META;
  if (definitions_bind(run->definitions, type, root, source, run->arena, &run->diags) != STATUS_OK)
    return NULL;
  struct mapping_run params = {
      .host = host_system(), .arena = run->arena, .diags = &run->diags, .source = source};
  return mapping_run(run->set, map, &params, root, &target) == STATUS_OK ? target : NULL;
}

/* Member order is free, that of array items is not; numbers as values. */
static bool equal(const struct tree_node *a, const struct tree_node *b);

static const struct tree_node *partner(const struct tree_node *parent, const struct tree_node *item,
                                       const struct tree_node *from) {
  size_t index = 0;
  for (const struct tree_node *n = tree_find_str(from, item->name); n && n != item; n = tree_next_same(n))
    index++;
  const struct tree_node *node = tree_find_str(parent, item->name);
  while (node && index-- > 0)
    node = tree_next_same(node);
  return node;
}

static bool covers(const struct tree_node *a, const struct tree_node *b) {
  for (const struct tree_node *child = a->child; child; child = child->next) {
    const struct tree_node *other = partner(b, child, a);
    if (!other || !equal(child, other)) return false;
  }
  return true;
}

static bool equal(const struct tree_node *a, const struct tree_node *b) {
  struct decimal x, y;
  if (a->kind != b->kind || ((a->flags ^ b->flags) & TREE_IN_ARRAY)) return false;
  if (a->kind == TREE_NUMBER && decimal_parse(a->text, &x) && decimal_parse(b->text, &y))
    return decimal_compare(x, y) == 0;
  return str_eq(a->text, b->text) && covers(a, b) && covers(b, a);
}

static void show(struct run *run, struct str text) {
  if (run->suite->verbose) printf("%.*s\n", STR_ARG(text));
}

static bool matches_json(struct run *run, const struct tree_node *target, struct tree_node *want) {
  struct source source = {.name = STR("output")};
  struct tree_write writing = {.pretty = true};
  struct tree_node *got = NULL;
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  tree_write_json(target, &writing, &text);
  source = source_make(STR("output"), buf_take_str(&text, run->arena));
  buf_release(&text);
  bool same = tree_read_json(&source, NULL, run->arena, &run->diags, &got) == STATUS_OK && equal(want, got);
  if (!same) show(run, source.text);
  return same;
}

/* --- canonical XML --- */

struct canon {
  struct buf *out;
  struct buf text; /* since the last tag */
};

static void put_escaped(struct buf *out, struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '&' || c == '<' || c == '"' || c == '\r' || c == '\n' || c == '\t')
      buf_printf(out, "&#%d;", c);
    else
      buf_add_char(out, c);
  }
}

/* Text between tags; blanks alone say nothing. */
static void flush(struct canon *canon) {
  if (str_trim(buf_str(&canon->text)).len) put_escaped(canon->out, buf_str(&canon->text));
  buf_reset(&canon->text);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const XML_Char *const *)a, *(const XML_Char *const *)b);
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes) {
  struct canon *canon = context;
  size_t count = 0;
  flush(canon);
  while (attributes[count * 2])
    count++;
  qsort(attributes, count, 2 * sizeof *attributes, by_name);
  buf_printf(canon->out, "<%s", name);
  for (size_t i = 0; i < count; i++) {
    buf_printf(canon->out, " %s=\"", attributes[2 * i]);
    put_escaped(canon->out, str_of(attributes[2 * i + 1]));
    buf_add_char(canon->out, '"');
  }
  buf_add_char(canon->out, '>');
}

static void XMLCALL on_end(void *context, const XML_Char *name) {
  struct canon *canon = context;
  flush(canon);
  buf_printf(canon->out, "</%s>", name);
}

static void XMLCALL on_text(void *context, const XML_Char *text, int len) {
  struct canon *canon = context;
  buf_add(&canon->text, text, (size_t)len);
}

/* As C14N has it: names by namespace, attributes in order, without the blanks between elements. */
static bool canonical(struct str text, struct buf *out) {
  struct canon canon = {.out = out};
  XML_Parser parser = XML_ParserCreateNS(NULL, ' ');
  if (!parser) return false;
  buf_init(&canon.text, LIMIT_TEXT_BYTES);
  XML_SetUserData(parser, &canon);
  XML_SetElementHandler(parser, on_start, on_end);
  XML_SetCharacterDataHandler(parser, on_text);
  bool read = XML_Parse(parser, text.ptr, (int)text.len, 1) == XML_STATUS_OK;
  XML_ParserFree(parser);
  buf_release(&canon.text);
  return read && out->error == STATUS_OK;
}

static bool matches_xml(struct run *run, struct tree_node *target, struct str expected) {
  struct buf text, want, got;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_init(&want, LIMIT_TEXT_BYTES);
  buf_init(&got, LIMIT_TEXT_BYTES);
  definitions_write_xml(target, true, &text);
  bool same = text.error == STATUS_OK && canonical(buf_str(&text), &got) && canonical(expected, &want) &&
              str_eq(buf_str(&got), buf_str(&want));
  if (!same) show(run, buf_str(&text));
  buf_release(&text);
  buf_release(&want);
  buf_release(&got);
  return same;
}

static bool matches(struct run *run, struct tree_node *target, struct str expected) {
  struct source *source = ARENA_NEW(run->arena, struct source);
  struct tree_node *want = NULL;
  if (!source || !read_tree(run, expected, source, &want)) return false;
  return tree_is_xml(source->text) ? matches_xml(run, target, source->text) : matches_json(run, target, want);
}

static bool passes(struct run *run) {
  struct str expected = tree_text(run->test, "expected");
  const struct tree_node *error = tree_find(run->test, "error");
  bool wants_error = error && error->kind != TREE_NULL;
  if (!load_models(run)) return false;
  if (!load_map(run)) return wants_error && !run->skip;
  struct tree_node *target = transform(run);
  return wants_error ? target == NULL : target && matches(run, target, expected);
}

static void show_findings(const struct run *run) {
  struct buf line;
  buf_init(&line, LIMIT_TEXT_BYTES);
  for (const struct diag *d = run->diags.first; d; d = d->next) {
    buf_reset(&line);
    diag_render_text(d, &line);
    printf("    %.*s\n", STR_ARG(buf_str(&line)));
  }
  buf_release(&line);
}

static void run_test(struct suite *suite, const struct tree_node *test) {
  struct run run = {.suite = suite, .test = test, .arena = arena_new(MEMORY)};
  struct str id = tree_text(test, "id");
  if (!run.arena) abort();
  diag_list_init(&run.diags, run.arena);
  bool opened = definitions_open(suite->pack, &run.diags, &run.definitions) == STATUS_OK;
  bool passed = opened && passes(&run);
  if (run.skip)
    printf("  skipped %.*s: %s\n", STR_ARG(id), run.skip);
  else if (!passed || suite->verbose)
    printf("  %s %.*s\n", passed ? "passed" : "FAILED", STR_ARG(id));
  if ((!passed && !run.skip) || suite->verbose) show_findings(&run);
  suite->skipped += run.skip != NULL;
  suite->passed += !run.skip && passed;
  suite->failed += !run.skip && !passed;
  mapping_free(run.set);
  if (opened) definitions_close(run.definitions);
  arena_free(run.arena);
}

int main(int argc, char **argv) {
  enum { SKIPPED = 77 };
  if (argc < 4) return 2;
  struct suite suite = {.name = argv[1], .folder = argv[2], .pack = argv[3], .verbose = argc > 4};
  struct run run = {.suite = &suite, .arena = arena_new(MEMORY)};
  struct source source;
  struct tree_node *index = NULL;
  if (!run.arena) return 1;
  diag_list_init(&run.diags, run.arena);
  bool pack = definitions_open(suite.pack, &run.diags, &run.definitions) == STATUS_OK;
  if (pack) definitions_close(run.definitions);
  if (!pack || !read_tree(&run, STR("index.json"), &source, &index)) {
    printf("%s: skipped, %s\n", suite.name, pack ? "the data is not there" : "there is no definition pack");
    arena_free(run.arena);
    return SKIPPED;
  }
  for (const struct tree_node *test = tree_first(index); test; test = tree_next(test))
    run_test(&suite, test);
  printf("%s: %zu passed, %zu failed, %zu skipped\n", suite.name, suite.passed, suite.failed, suite.skipped);
  arena_free(run.arena);
  return suite.failed ? 1 : 0;
}
