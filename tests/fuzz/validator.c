/*
 * validator.c - fuzz target: a resource, Bundle or clinic record (JSON or XML) against its definitions.
 *
 * Input: the resource; then, each after a line `=== name`, up to five further files. One named after a
 * reference (`=== Patient/1`) is what the reference leads to; all others are conformance resources, or
 * Bundles of them, that are laid over the pack; what is a profile among them is checked against.
 *
 * What must hold: the check ends within its caps; the same list is found twice; each finding has a message,
 * all of it is UTF-8, and the list is written as JSON that can be read.
 */
#include <stdlib.h>
#include "fuzz.h"
#include "validation/validation.h"

enum { TREE_BYTES = 16 << 20, RUN_BYTES = 64 << 20, ROOTS = 32, PROFILES = 8, FETCHED = 16 };

/* What is checked against: the pack, or the pack with what an input brings laid over it. */
struct ground {
  struct definitions *definitions;
  struct validation *validation;
  const char *profiles[PROFILES];
  size_t profile_count;
};

struct job {
  struct fuzz_files files;
  struct host host;
  struct arena *arena; /* trees */
  struct ground ground;
  struct source source;
  struct tree_node *root;
  struct diag_list read;
  size_t fetched;
};

static struct ground pack;
static const struct def_type *record;
static const char *pack_path;

static void make_validation(struct ground *ground, struct diag_list *diags) {
  struct validation_params params = {.definitions = ground->definitions, .internal_references = true};
  enum status status = validation_new(&params, diags, &ground->validation);
  FUZZ_REQUIRE(status == STATUS_OK);
}

void fuzz_begin(void) {
  struct arena *arena = fuzz_arena(1 << 20);
  struct diag_list diags;
  diag_list_init(&diags, arena);
  pack.definitions = fuzz_pack();
  make_validation(&pack, &diags);
  record =
      definitions_type(pack.definitions, STR("http://ketlink.dev/fhir/StructureDefinition/session-record"));
  pack_path = getenv("KETLINK_DEFINITIONS");
  if (!pack_path) pack_path = SOURCE_DIR "/build/definitions.pack";
  arena_free(arena);
}

/* --- what an input brings */

static bool is_reference(const char *name) {
  return strchr(name, '/') != NULL;
}

static void add_profile(struct job *job, const struct tree_node *root) {
  struct str url = tree_text(root, "url");
  if (job->ground.profile_count == PROFILES) return;
  if (!str_is(tree_text(root, "resourceType"), "StructureDefinition")) return;
  if (!str_is(tree_text(root, "derivation"), "constraint") || !url.len) return;
  const char *profile = arena_str(job->arena, url).ptr;
  if (profile) job->ground.profiles[job->ground.profile_count++] = profile;
}

static size_t add_root(struct job *job, struct tree_node *root, struct tree_node **roots, size_t count) {
  struct tree_node *entry = tree_find(root, "entry");
  if (!entry && count < ROOTS) {
    add_profile(job, root);
    roots[count++] = root;
  }
  for (; entry && count < ROOTS; entry = tree_next_same(entry)) {
    struct tree_node *resource = tree_find(entry, "resource");
    if (!resource || resource->kind != TREE_OBJECT) continue;
    add_profile(job, resource);
    roots[count++] = resource;
  }
  return count;
}

/* What cannot be laid over leaves the pack. */
static void lay_over(struct job *job) {
  struct tree_node *roots[ROOTS];
  struct diag_list diags;
  size_t count = 0;
  diag_list_init(&diags, job->arena);
  for (size_t i = 1; i < job->files.count; i++) {
    struct source source = source_make(STR("profile.json"), job->files.items[i].text);
    struct tree_node *root = NULL;
    if (!is_reference(job->files.items[i].name) &&
        tree_read(&source, NULL, job->arena, &diags, &root) == STATUS_OK)
      count = add_root(job, root, roots, count);
  }
  if (!count) return;
  if (definitions_open(pack_path, &diags, &job->ground.definitions) != STATUS_OK) {
    FUZZ_REQUIRE(fuzz_memory_fails());
    return;
  }
  size_t errors = diag_errors(&diags);
  enum status status = definitions_overlay(job->ground.definitions, roots, count, &diags);
  FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(&diags) > errors);
  if (status != STATUS_OK) job->ground.profile_count = 0;
}

static void prepare_ground(struct job *job) {
  struct diag_list diags;
  diag_list_init(&diags, job->arena);
  if (job->files.count > 1) lay_over(job);
  if (!job->ground.definitions) {
    job->ground.definitions = pack.definitions;
    job->ground.validation = pack.validation;
    return;
  }
  struct validation_params params = {.definitions = job->ground.definitions};
  enum status status = validation_new(&params, &diags, &job->ground.validation);
  FUZZ_REQUIRE(status == STATUS_OK || fuzz_memory_fails());
}

static void release_ground(struct job *job) {
  if (job->ground.definitions == pack.definitions) return;
  validation_free(job->ground.validation);
  definitions_close(job->ground.definitions);
}

static struct tree_node *read_bound(struct job *job, struct source *source, struct diag_list *diags) {
  struct tree_node *root = NULL;
  if (tree_read(source, NULL, job->arena, diags, &root) != STATUS_OK) return NULL;
  bool is_record = record && root->kind == TREE_OBJECT && tree_find(root, "format") != NULL;
  size_t errors = diag_errors(diags);
  enum status status =
      definitions_bind(job->ground.definitions, is_record ? record : NULL, root, source, job->arena, diags);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM || diag_errors(diags) > errors);
  return status == STATUS_NOMEM ? NULL : root;
}

static struct tree_node *resolve(void *context, struct tree_node *from, struct str reference) {
  struct job *job = context;
  (void)from;
  for (size_t i = 1; i < job->files.count && job->fetched < FETCHED; i++) {
    const struct fuzz_file *file = &job->files.items[i];
    struct source *source = NULL;
    struct diag_list ignored;
    if (!is_reference(file->name) || !str_is(reference, file->name)) continue;
    if (!(source = ARENA_NEW(job->arena, struct source))) return NULL;
    diag_list_init(&ignored, job->arena);
    *source = source_make(STR("fetched.json"), file->text);
    job->fetched++;
    struct tree_node *root = read_bound(job, source, &ignored);
    return root && node_type(root) ? root : NULL;
  }
  return NULL;
}

/* --- a run and what it found */

struct found {
  struct arena *arena;
  struct diag_list diags;
  enum status status;
};

static void run(struct job *job, struct validation_run how, struct found *found) {
  how.host = &job->host;
  how.arena = found->arena;
  how.diags = &found->diags;
  how.source = &job->source;
  how.resolve = resolve;
  how.resolve_context = job;
  job->fetched = 0;
  diag_list_init(&found->diags, found->arena);
  found->status = validation_check(job->ground.validation, &how, job->root);
  FUZZ_REQUIRE(found->status == STATUS_OK || found->status == STATUS_NOT_FOUND ||
               found->status == STATUS_NOMEM || found->status == STATUS_LIMIT);
}

static void check_finding(const struct job *job, const struct diag *diag) {
  const struct str texts[] = {diag->message, diag->path, diag->expression, diag->profile, diag->rule};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    FUZZ_REQUIRE(utf8_invalid_at(texts[i]) == SIZE_MAX);
  FUZZ_REQUIRE(diag->message.len > 0 || fuzz_memory_fails());
  FUZZ_REQUIRE(diag->severity <= DIAG_FATAL && diag->code < DIAG_CODE_COUNT);
  FUZZ_REQUIRE(diag->line <= job->source.text.len + 1);
}

static void check_found(const struct job *job, const struct found *found) {
  size_t count = 0;
  const struct diag *last = NULL;
  for (const struct diag *diag = found->diags.first; diag; last = diag, diag = diag->next, count++)
    check_finding(job, diag);
  FUZZ_REQUIRE(count == found->diags.count && last == found->diags.last && count <= 2 * DIAG_LIST_MAX);
}

static void check_same(const struct found *a, const struct found *b) {
  if (fuzz_memory_fails()) return;
  const struct diag *first = a->diags.first, *second = b->diags.first;
  FUZZ_REQUIRE(a->status == b->status && a->diags.dropped == b->diags.dropped);
  for (; first && second; first = first->next, second = second->next) {
    FUZZ_REQUIRE(str_eq(first->message, second->message) && str_eq(first->path, second->path));
    FUZZ_REQUIRE(first->code == second->code && first->severity == second->severity);
    FUZZ_REQUIRE(first->line == second->line && first->col == second->col);
    FUZZ_REQUIRE(str_eq(first->profile, second->profile) && str_eq(first->rule, second->rule));
  }
  FUZZ_REQUIRE(!first && !second);
}

static void check_outcome(const struct found *found) {
  struct diag_list diags;
  struct tree_node *root = NULL;
  struct buf text;
  diag_list_init(&diags, found->arena);
  buf_init(&text, RUN_BYTES);
  diag_render_outcome(&found->diags, STR("input.json"), &text);
  struct source source = source_make(STR("outcome"), buf_str(&text));
  if (!text.error && !fuzz_memory_fails())
    FUZZ_REQUIRE(tree_read_json(&source, NULL, found->arena, &diags, &root) != STATUS_INVALID);
  buf_release(&text);
}

/* Everything that can be asked for, twice; then what a receiver asks for. */
static void check_all(struct job *job, struct found *first, struct found *second) {
  struct validation_run all = {.profiles = job->ground.profiles,
                               .profile_count = job->ground.profile_count,
                               .follow = VALIDATION_FOLLOW_VALID,
                               .advice = true,
                               .vital_signs = true,
                               .best_practice = true};
  struct validation_run wanted = {.wanted = job->ground.profiles,
                                  .wanted_count = job->ground.profile_count,
                                  .follow = VALIDATION_FOLLOW_TYPE,
                                  .any_extensions = true};
  run(job, all, first);
  check_found(job, first);
  run(job, all, second);
  check_found(job, second);
  check_same(first, second);
  if (job->ground.profile_count) {
    run(job, wanted, second);
    check_found(job, second);
  }
  if (first->diags.count) check_outcome(first);
}

void fuzz_one(struct str input) {
  struct job job = {.arena = fuzz_arena(TREE_BYTES)};
  struct found first = {.arena = fuzz_arena(RUN_BYTES)}, second = {.arena = fuzz_arena(RUN_BYTES)};
  fuzz_split(input, "input.json", &job.files);
  job.host = fuzz_host(&job.files);
  job.source = source_make(STR("input.json"), job.files.items[0].text);
  diag_list_init(&job.read, job.arena);
  prepare_ground(&job);
  if (job.ground.validation) job.root = read_bound(&job, &job.source, &job.read);
  FUZZ_REQUIRE(job.root || diag_errors(&job.read) > 0 || fuzz_memory_fails());
  if (job.root) check_all(&job, &first, &second);
  release_ground(&job);
  arena_free(second.arena);
  arena_free(first.arena);
  arena_free(job.arena);
}
