/*
 * csv.c - fuzz target: a set of CSV files to records.
 *
 * Input: sessions.csv; after lines `=== name` further files of the set, or description.json, in place of the
 * usual one. What must hold: opened, or refused with a diagnostic; each record is a tree or has a diagnostic; who
 * passes over the records counts as many as who reads them; what a copy of the cursor reads is the same tree.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuzz.h"
#include "intake/intake.h"

enum { MEMORY = 16 << 20, RECORDS = 5000 };

static struct arena *kept;
static struct definitions *definitions;
static struct intake_route route;
static struct intake_routes routes = {&route, 1};
static struct str usual;
static char folder[64];

static void remove_files(void) {
  DIR *files = opendir(folder);
  for (struct dirent *entry = files ? readdir(files) : NULL; entry; entry = readdir(files))
    if (entry->d_name[0] != '.') (void)unlinkat(dirfd(files), entry->d_name, 0);
  if (files) closedir(files);
}

static void remove_folder(void) {
  remove_files();
  (void)rmdir(folder);
}

void fuzz_begin(void) {
  kept = fuzz_arena(16 << 20);
  definitions = fuzz_pack();
  route = (struct intake_route){.format = {"session-record/1", 16}};
  route.type = definitions_type(definitions, STR("http://ketlink.dev/fhir/StructureDefinition/session-record"));
  FUZZ_REQUIRE(route.type);
  usual = fuzz_read(kept, SOURCE_DIR "/tests/fuzz/usual-set.json");
  /* files are mapped: they have to be files, in memory where there is a file system for that */
  snprintf(folder, sizeof folder, "%s/ketlink-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  FUZZ_REQUIRE(mkdtemp(folder));
  (void)atexit(remove_folder);
}

static bool fit_name(const char *name) {
  for (const char *c = name; *c; c++)
    if (*c == '/' || (*c == '.' && c == name)) return false;
  return name[0] != 0;
}

static void write_files(const struct fuzz_files *files) {
  remove_files();
  for (size_t i = 0; i < files->count; i++) {
    char path[128];
    const struct fuzz_file *file = &files->items[i];
    if (!fit_name(file->name)) continue;
    snprintf(path, sizeof path, "%s/%s", folder, file->name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) continue;
    (void)!write(fd, file->text.ptr, file->text.len);
    close(fd);
  }
}

/* The description comes from the fake machine, everything else from the real one. */
static enum status list_description(void *context, const char *path, struct str suffix, struct arena *arena, struct str **names,
                                    size_t *count) {
  (void)path;
  if (!str_is(suffix, ".json")) return host_system()->list_files(host_system()->context, path, suffix, arena, names, count);
  (void)context;
  *names = ARENA_ARRAY(arena, struct str, 1);
  if (!*names) return STATUS_NOMEM;
  (*names)[0] = STR("set.json");
  *count = 1;
  return STATUS_OK;
}

static enum status read_description(void *context, const char *path, size_t max, struct arena *arena, struct str *out) {
  if (!str_ends(str_of(path), STR("/set.json"))) return host_system()->read_file(host_system()->context, path, max, arena, out);
  *out = arena_str(arena, *(const struct str *)context);
  return out->ptr ? STATUS_OK : STATUS_NOMEM;
}

static enum status no_random(void *context, void *bytes, size_t count) {
  (void)context;
  memset(bytes, 7, count);
  return STATUS_OK;
}

/* Reads the next record twice. */
static enum status read_record(struct intake_input *input) {
  struct intake_input again = *input;
  struct arena *arena = fuzz_arena(MEMORY);
  struct diag_list diags, same;
  struct intake_record record, other;
  diag_list_init(&diags, arena);
  diag_list_init(&same, arena);
  enum status status = intake_next(input, definitions, &routes, arena, &diags, &record);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOT_FOUND || status == STATUS_NOMEM ||
               status == STATUS_LIMIT);
  FUZZ_REQUIRE(status == STATUS_NOMEM || (status == STATUS_INVALID) == (diag_errors(&diags) > 0));
  FUZZ_REQUIRE((status == STATUS_OK) == (record.root != NULL));
  if (!fuzz_memory_fails() && status == STATUS_OK) {
    FUZZ_REQUIRE(intake_next(&again, definitions, &routes, arena, &same, &other) == STATUS_OK);
    FUZZ_REQUIRE(tree_equal(record.root, other.root));
    FUZZ_REQUIRE(again.at == input->at);
  }
  arena_free(arena);
  return status;
}

static void read_set(const struct intake_set *set) {
  struct intake_input input = intake_set_input(set), passed = input;
  size_t read = 0, skipped = 0;
  enum status status = STATUS_OK;
  while (read < RECORDS && status != STATUS_NOT_FOUND) {
    status = read_record(&input);
    if (status == STATUS_NOMEM) return; /* where it stands is not known */
    read += status != STATUS_NOT_FOUND;
  }
  while (skipped < RECORDS && intake_skip(&passed))
    skipped++;
  FUZZ_REQUIRE(fuzz_memory_fails() || read == skipped);
  intake_set_forget(&passed, &input);
}

void fuzz_one(struct str input) {
  struct fuzz_files files;
  fuzz_split(input, "sessions.csv", &files);
  struct str own = fuzz_file(&files, "description.json"), description = own.len ? own : usual;
  struct host host = *host_system();
  host.context = &description;
  host.list_files = list_description;
  host.read_file = read_description;
  host.random = no_random;
  struct arena *arena = fuzz_arena(MEMORY);
  struct diag_list diags;
  struct intake_sets *sets = NULL;
  struct intake_set *set = NULL;
  struct intake_sets_params params = {.folder = "mappings", .host = &host, .definitions = definitions, .routes = &routes};
  diag_list_init(&diags, arena);
  write_files(&files);
  enum status status = intake_sets_read(&params, arena, &diags, &sets);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_CONFIG || status == STATUS_NOMEM);
  FUZZ_REQUIRE(status == STATUS_NOMEM || (status == STATUS_CONFIG) == (diag_errors(&diags) > 0));
  if (status == STATUS_OK) {
    status = intake_set_open(sets, &host, definitions, folder, &diags, &set);
    FUZZ_REQUIRE((status == STATUS_OK) == (set != NULL));
    FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOT_FOUND || status == STATUS_NOMEM || diag_errors(&diags) > 0);
  }
  if (set) read_set(set);
  intake_set_close(set);
  arena_free(arena);
}
