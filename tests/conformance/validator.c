/*
 * validator.c - runs the validator's public suite: conformance_validator SUITE FOLDER PACK [-v]
 *
 * SUITE is validator or validator-wider, FOLDER holds open.json, wider-open.json and files/, PACK is a
 * definition pack. Of each run the verdict is compared (invalid: an error or fatal finding), and for runs
 * that are rightly invalid the set of element paths of the errors. Prints the disagreements (all runs with
 * -v, and findings), the balanced accuracy of the verdicts, precision and recall of the paths, and one line
 * for the suite; exit status 1 when `validator` is below what docs/conformance.md promises.
 */
#include <stdio.h>
#include <stdlib.h>
#include "findings.h"
#include "validation/validation.h"

enum { MEMORY = 512 << 20, PATHS_MAX = 256, LEAST_ACCURACY = 970, LEAST_EQUAL = 900 /* per mille */ };

struct suite {
  const char *name, *folder, *pack;
  bool verbose;
  size_t runs, agreed;
  size_t total[2], right[2]; /* by expectation: valid, invalid */
  size_t same_paths, wanted_paths, found_paths, common_paths;
};

struct paths {
  struct str items[PATHS_MAX];
  size_t count;
};

struct run {
  struct suite *suite;
  struct arena *arena;
  struct diag_list diags, loading;
  struct definitions *definitions;
  const struct tree_node *test;
  const char *profiles[16];
  size_t profile_count;
};

static struct tree_node *read_tree(struct run *run, struct str file, struct diag_list *diags,
                                   struct source **out) {
  const struct host *host = host_system();
  struct tree_node *root = NULL;
  struct str path = arena_printf(run->arena, "%s/%.*s", run->suite->folder, STR_ARG(file)), text;
  struct source *source = ARENA_NEW(run->arena, struct source);
  if (!path.ptr || !source) abort();
  if (host->read_file(host->context, path.ptr, LIMIT_TEXT_BYTES, run->arena, &text) != STATUS_OK) {
    printf("  cannot read %.*s\n", STR_ARG(path));
    return NULL;
  }
  *source = source_make(file, text);
  if (out) *out = source;
  return tree_read(source, NULL, run->arena, diags, &root) == STATUS_OK ? root : NULL;
}

static struct str files(struct run *run, struct str file) {
  return arena_printf(run->arena, "files/%.*s", STR_ARG(file));
}

/* Profiles and what they need, all at once: they refer to each other. */
static bool load(struct run *run) {
  enum { ROOTS_MAX = 64 };
  static const char *const lists[] = {"supporting", "profiles"};
  struct tree_node *roots[ROOTS_MAX];
  size_t count = 0;
  for (size_t i = 0; i < 2; i++)
    for (const struct tree_node *at = tree_find(run->test, lists[i]); at; at = tree_next_same(at)) {
      if (at->flags & TREE_EMPTY_ARRAY) continue;
      struct tree_node *root = read_tree(run, files(run, at->text), &run->loading, NULL);
      if (!root || count == ROOTS_MAX) return false;
      roots[count++] = root;
      if (i == 1) run->profiles[run->profile_count++] = arena_str(run->arena, tree_text(root, "url")).ptr;
    }
  return count == 0 || definitions_overlay(run->definitions, roots, count, &run->loading) == STATUS_OK;
}

/* What a relative reference of the instance leads to. */
static struct tree_node *resolve(void *context, struct tree_node *from, struct str reference) {
  struct run *run = context;
  struct diag_list ignored;
  struct source *source;
  const struct tree_node *references = tree_find(run->test, "references");
  const struct tree_node *file = references ? tree_find_str(references, reference) : NULL;
  (void)from;
  diag_list_init(&ignored, run->arena);
  struct tree_node *root = file ? read_tree(run, files(run, file->text), &ignored, &source) : NULL;
  bool bound =
      root && definitions_bind(run->definitions, NULL, root, source, run->arena, &ignored) == STATUS_OK;
  return bound ? root : NULL;
}

static void validate(struct run *run) {
  struct source *source;
  struct validation *validation = NULL;
  struct str follow = {0};
  const struct tree_node *options = tree_find(run->test, "options");
  struct tree_node *root = read_tree(run, files(run, tree_text(run->test, "file")), &run->diags, &source);
  struct validation_params params = {.definitions = run->definitions};
  if (options) follow = tree_text(options, "validateReference");
  if (!root) return;
  (void)!definitions_bind(run->definitions, NULL, root, source, run->arena, &run->diags);
  if (validation_new(&params, &run->diags, &validation) != STATUS_OK) abort();
  struct validation_run params_of_run = {.host = host_system(),
                                         .arena = run->arena,
                                         .diags = &run->diags,
                                         .source = source,
                                         .profiles = run->profiles,
                                         .profile_count = run->profile_count,
                                         .resolve = resolve,
                                         .resolve_context = run,
                                         .advice = true,
                                         .vital_signs = true,
                                         .follow = str_is(follow, "CHECK_VALID") ? VALIDATION_FOLLOW_VALID
                                                   : follow.len                  ? VALIDATION_FOLLOW_TYPE
                                                                                 : VALIDATION_FOLLOW_NOT};
  (void)!validation_check(validation, &params_of_run, root);
  validation_free(validation);
}

/* --- paths --- */

/* Without indices, `.ofType(X)`, notes; valueX as value. */
static struct str plain_path(struct run *run, struct str path) {
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  for (size_t i = 0; i < path.len; i++) {
    struct str rest = str_slice(path, i, path.len);
    if (path.ptr[i] == '[')
      while (i + 1 < path.len && path.ptr[i] != ']')
        i++;
    else if (str_starts(rest, STR(".ofType(")))
      while (i + 1 < path.len && path.ptr[i] != ')')
        i++;
    else
      buf_add_char(&out, path.ptr[i]);
    bool value = str_starts(rest, STR("value")) && i > 0 && path.ptr[i - 1] == '.';
    if (!value || rest.len == 5 || rest.ptr[5] < 'A' || rest.ptr[5] > 'Z') continue;
    buf_add_str(&out, STR("alue"));
    for (i += 4; i + 1 < path.len && path.ptr[i + 1] != '.' && path.ptr[i + 1] != '['; i++)
      continue;
  }
  struct str plain = buf_take_str(&out, run->arena);
  buf_release(&out);
  return plain;
}

static bool has_path(const struct paths *paths, struct str path) {
  for (size_t i = 0; i < paths->count; i++)
    if (str_eq(paths->items[i], path)) return true;
  return false;
}

static void add_path(struct run *run, struct paths *paths, struct str path) {
  struct str plain = plain_path(run, path);
  if (!has_path(paths, plain) && paths->count < PATHS_MAX) paths->items[paths->count++] = plain;
}

static void print_paths(const char *title, const struct paths *paths, const struct paths *less) {
  for (size_t i = 0; i < paths->count; i++)
    if (!has_path(less, paths->items[i])) printf("    %s %.*s\n", title, STR_ARG(paths->items[i]));
}

/* True when the sets are equal. */
static bool compare_paths(struct run *run) {
  static struct paths wanted, found;
  size_t common = 0;
  wanted.count = found.count = 0;
  for (const struct tree_node *at = tree_find(run->test, "paths"); at; at = tree_next_same(at))
    if (!(at->flags & TREE_EMPTY_ARRAY)) add_path(run, &wanted, at->text);
  for (const struct diag *d = run->diags.first; d; d = d->next)
    if (d->severity >= DIAG_ERROR) add_path(run, &found, d->path);
  for (size_t i = 0; i < wanted.count; i++)
    common += has_path(&found, wanted.items[i]);
  bool same = common == wanted.count && common == found.count;
  if (!same) printf("  paths   %.*s\n", STR_ARG(tree_text(run->test, "id")));
  print_paths("not found:", &wanted, &found);
  print_paths("too many: ", &found, &wanted);
  run->suite->wanted_paths += wanted.count;
  run->suite->found_paths += found.count;
  run->suite->common_paths += common;
  return same;
}

/* --- runs --- */

static void score(struct run *run, bool loaded) {
  struct suite *suite = run->suite;
  struct str id = tree_text(run->test, "id");
  bool invalid = str_is(tree_text(run->test, "invalid"), "true"), failed = diag_failed(&run->diags);
  bool right = invalid == failed;
  suite->runs++;
  suite->total[invalid]++;
  suite->right[invalid] += right;
  if (!loaded) printf("  not all was loaded: %.*s\n", STR_ARG(id));
  if (!right)
    printf("  VERDICT %.*s: we say %s\n", STR_ARG(id), failed ? "invalid" : "valid");
  else if (suite->verbose)
    printf("  agreed  %.*s: %s\n", STR_ARG(id), failed ? "invalid" : "valid");
  bool same = right && (!invalid || compare_paths(run));
  suite->same_paths += same && invalid;
  suite->agreed += same;
  for (const struct tree_node *at = tree_find(run->test, "paths"); at && !right; at = tree_next_same(at))
    if (invalid) printf("    wanted: %.*s\n", STR_ARG(at->text));
  if (suite->verbose || !same) show_findings(&run->loading, DIAG_INFORMATION);
  if (suite->verbose || !same) show_findings(&run->diags, suite->verbose ? DIAG_INFORMATION : DIAG_ERROR);
}

static void run_test(struct suite *suite, const struct tree_node *test) {
  struct run run = {.suite = suite, .test = test, .arena = arena_new(MEMORY)};
  if (!run.arena) abort();
  diag_list_init(&run.diags, run.arena);
  diag_list_init(&run.loading, run.arena);
  if (definitions_open(suite->pack, &run.loading, &run.definitions) != STATUS_OK) abort();
  bool loaded = load(&run);
  validate(&run);
  score(&run, loaded);
  definitions_close(run.definitions);
  arena_free(run.arena);
}

static double percent(size_t part, size_t whole) {
  return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

/* True when it is as good as docs/conformance.md says. */
static bool summarize(const struct suite *suite) {
  double valid = percent(suite->right[0], suite->total[0]),
         invalid = percent(suite->right[1], suite->total[1]);
  double accuracy = (valid + invalid) / 2, equal = percent(suite->same_paths, suite->total[1]);
  printf("  verdicts: %zu of %zu valid, %zu of %zu invalid, balanced accuracy %.1f %%\n", suite->right[0],
         suite->total[0], suite->right[1], suite->total[1], accuracy);
  printf("  paths of errors: equal in %zu of %zu (%.1f %%), precision %.1f %%, recall %.1f %%\n",
         suite->same_paths, suite->total[1], equal, percent(suite->common_paths, suite->found_paths),
         percent(suite->common_paths, suite->wanted_paths));
  printf("%s: %zu passed, %zu failed, 0 skipped\n", suite->name, suite->agreed, suite->runs - suite->agreed);
  bool must = str_is(str_of(suite->name), "validator");
  return !must || (accuracy * 10 >= LEAST_ACCURACY && equal * 10 >= LEAST_EQUAL);
}

int main(int argc, char **argv) {
  enum { SKIPPED = 77 };
  if (argc < 4) return 2;
  struct suite suite = {.name = argv[1], .folder = argv[2], .pack = argv[3], .verbose = argc > 4};
  struct run run = {.suite = &suite, .arena = arena_new(MEMORY)};
  bool wider = str_is(str_of(suite.name), "validator-wider");
  struct source *source;
  if (!run.arena) return 1;
  diag_list_init(&run.diags, run.arena);
  bool pack = definitions_open(suite.pack, &run.diags, &run.definitions) == STATUS_OK;
  if (pack) definitions_close(run.definitions);
  const struct tree_node *index =
      pack ? read_tree(&run, wider ? STR("wider-open.json") : STR("open.json"), &run.diags, &source) : NULL;
  if (!index) {
    printf("%s: skipped, %s\n", suite.name, pack ? "the data is not there" : "there is no definition pack");
    arena_free(run.arena);
    return SKIPPED;
  }
  for (const struct tree_node *test = tree_first(index); test; test = tree_next(test))
    run_test(&suite, test);
  bool good = summarize(&suite);
  arena_free(run.arena);
  return good ? 0 : 1;
}
