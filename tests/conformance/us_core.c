/*
 * us_core.c - validates the examples of US Core against their profiles: conformance_us_core FOLDER PACK [-v]
 *
 * FOLDER holds us-core-examples-open.json and the packages hl7.fhir.us.core-VERSION.tgz, PACK is a definition
 * pack of R4. Each version is laid over the pack. An example that its publisher records as free of errors
 * must give no error; examples without a record (3.1.1) are run and told apart. Prints the findings, one line
 * a version, and one for the suite; exit status 1 when one that counts failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include "findings.h"
#include "validation/validation.h"

enum { MEMORY = 256 << 20, PACKAGE_MAX = 256 << 20, BLOCK = 512, SKIPPED = 77 };

struct version {
  struct str name;
  size_t passed, failed;           /* those that count */
  size_t told_passed, told_failed; /* those without a record */
};

struct suite {
  const char *folder, *pack;
  bool verbose;
  struct arena *arena; /* of the index and the package in hand */
  struct str tar;
  struct definitions *definitions;
  struct validation *validation;
};

/* --- the package ----------------------------------------------------------------------------- */

static struct str unpack(const char *path) {
  gzFile file = gzopen(path, "rb");
  struct buf out;
  char chunk[65536];
  int got;
  buf_init(&out, PACKAGE_MAX);
  while (file && (got = gzread(file, chunk, sizeof chunk)) > 0)
    buf_add(&out, chunk, (size_t)got);
  if (file) gzclose(file);
  return buf_str(&out); /* until the end of the program */
}

/* A file of a plain tar, as npm makes them. */
static struct str find_file(struct str tar, struct str name) {
  for (size_t at = 0; at + BLOCK <= tar.len && tar.ptr[at];) {
    size_t size = strtoul(tar.ptr + at + 124, NULL, 8);
    char path[155 + 1 + 100 + 1];
    snprintf(path, sizeof path, "%.155s%s%.100s", tar.ptr + at + 345, tar.ptr[at + 345] ? "/" : "",
             tar.ptr + at);
    if (str_eq(str_of(path), name)) return str_slice(tar, at + BLOCK, at + BLOCK + size);
    at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
  }
  return (struct str){0};
}

static bool open_version(struct suite *suite, struct str version, struct diag_list *diags) {
  char path[4096];
  struct validation_params params = {0};
  snprintf(path, sizeof path, "%s/hl7.fhir.us.core-%.*s.tgz", suite->folder, STR_ARG(version));
  suite->tar = unpack(path);
  if (definitions_open(suite->pack, diags, &suite->definitions) != STATUS_OK) return false;
  if (definitions_add_package(suite->definitions, host_system(), path, diags) != STATUS_OK) return false;
  params.definitions = suite->definitions;
  return validation_new(&params, diags, &suite->validation) == STATUS_OK;
}

/* --- examples -------------------------------------------------------------------------------- */

static bool check(const struct suite *suite, const struct tree_node *example, struct arena *arena,
                  struct diag_list *diags) {
  struct source source =
      source_make(tree_text(example, "id"), find_file(suite->tar, tree_text(example, "file")));
  struct tree_node *root = NULL;
  const char *profiles[16];
  size_t count = 0;
  for (const struct tree_node *at = tree_find(example, "profiles"); at; at = tree_next_same(at))
    if (definitions_type(suite->definitions, at->text) &&
        count < 16) /* some are of packages that are not there */
      profiles[count++] = arena_str(arena, at->text).ptr;
  if (tree_read(&source, NULL, arena, diags, &root) != STATUS_OK) return false;
  (void)!definitions_bind(suite->definitions, NULL, root, &source, arena, diags);
  struct validation_run run = {.host = host_system(),
                               .arena = arena,
                               .diags = diags,
                               .source = &source,
                               .profiles = profiles,
                               .profile_count = count,
                               .advice = suite->verbose};
  return validation_check(suite->validation, &run, root) == STATUS_OK && !diag_failed(diags);
}

static void run_example(const struct suite *suite, const struct tree_node *example, struct version *version) {
  struct arena *arena = arena_new(MEMORY);
  struct diag_list diags;
  struct str errors = tree_text(example, "errors");
  if (!arena) abort();
  diag_list_init(&diags, arena);
  bool fine = check(suite, example, arena, &diags), counts = str_is(errors, "0");
  if (counts) {
    version->passed += fine;
    version->failed += !fine;
  } else if (!errors.len) {
    version->told_passed += fine;
    version->told_failed += !fine;
  }
  if (!fine && (counts || !errors.len || suite->verbose)) {
    printf("  %s %.*s %.*s\n", counts ? "FAILED" : "errors", STR_ARG(version->name),
           STR_ARG(tree_text(example, "id")));
    show_findings(&diags, suite->verbose ? DIAG_INFORMATION : DIAG_ERROR);
  }
  arena_free(arena);
}

static bool run_version(struct suite *suite, const struct tree_node *first, struct version *version) {
  struct diag_list diags;
  diag_list_init(&diags, suite->arena);
  bool opened = open_version(suite, version->name, &diags);
  if (suite->verbose || !opened) show_findings(&diags, DIAG_INFORMATION);
  for (const struct tree_node *at = opened ? first : NULL; at; at = tree_next_same(at))
    run_example(suite, at, version);
  printf("  %.*s: %zu of %zu without an error as recorded, %zu of %zu without a record have none\n",
         STR_ARG(version->name), version->passed, version->passed + version->failed, version->told_passed,
         version->told_passed + version->told_failed);
  if (suite->validation) validation_free(suite->validation);
  definitions_close(suite->definitions);
  suite->validation = NULL;
  suite->definitions = NULL;
  return opened;
}

static bool read_index(struct suite *suite, struct tree_node **index) {
  const struct host *host = host_system();
  struct diag_list diags;
  struct str text, path = arena_printf(suite->arena, "%s/us-core-examples-open.json", suite->folder);
  diag_list_init(&diags, suite->arena);
  if (!path.ptr || host->read_file(host->context, path.ptr, LIMIT_TEXT_BYTES, suite->arena, &text))
    return false;
  struct source source = source_make(path, text);
  return tree_read(&source, NULL, suite->arena, &diags, index) == STATUS_OK;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  struct suite suite = {.folder = argv[1], .pack = argv[2], .verbose = argc > 3, .arena = arena_new(MEMORY)};
  struct tree_node *index = NULL;
  size_t passed = 0, failed = 0;
  bool fine = true;
  if (!suite.arena) return 1;
  if (!read_index(&suite, &index)) {
    printf("us-core: skipped (no us-core-examples-open.json in %s)\n", suite.folder);
    return SKIPPED;
  }
  for (const struct tree_node *at = tree_first(index); at;) {
    struct version version = {.name = at->name};
    fine &= run_version(&suite, at, &version);
    passed += version.passed;
    failed += version.failed;
    while (at && str_eq(at->name, version.name))
      at = tree_next(at);
  }
  printf("us-core: %zu passed, %zu failed, 0 skipped\n", passed, failed);
  arena_free(suite.arena);
  return fine && failed == 0 ? 0 : 1;
}
