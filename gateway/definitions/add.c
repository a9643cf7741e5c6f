/*
 * add.c - a package and what it depends on: found in the user cache, beside the file that needs it or in a
 * node_modules folder, dependencies first. Nothing is fetched.
 */
#include <stdlib.h>
#include <strings.h>
#include "definitions/build.h"

enum { NEEDS_DEPTH = 32, PACKAGES_MAX = 128 };

/* A package that is to be read. */
struct wanted {
  struct str id, version; /* empty: a folder without package.json */
  const char *path;
  struct b_texts needs, needs_versions;
};

struct finder {
  struct builder *b; /* of what is found; its arena holds everything here */
  const struct host *host;
  bool anew; /* what is named by its path is read also when it is there already: it may have changed */
  struct wanted list[PACKAGES_MAX];
  size_t count;
  struct buf missing;
};

/* --- names ----------------------------------------------------------------------------------- */

/* Versions become parts of paths; they may be words: "current". */
static bool is_plain(struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                c == '-' || c == '_' || c == '+';
    if (!fine) return false;
  }
  return text.len && text.ptr[0] != '.';
}

/* "ID#VERSION" or "ID@VERSION" that is no path. */
static bool split(struct str spec, struct str *id, struct str *version) {
  size_t at = str_find_char(spec, '#', 0);
  if (at == SIZE_MAX) at = str_find_char(spec, '@', 1);
  if (at == SIZE_MAX) return false;
  *id = str_slice(spec, 0, at);
  *version = str_slice(spec, at + 1, spec.len);
  return def_is_package_name(*id) && is_plain(*version);
}

static struct str folder_of(struct str path) {
  size_t end = 0;
  for (size_t i = 0; i < path.len; i++)
    if (path.ptr[i] == '/') end = i;
  return end ? str_slice(path, 0, end) : STR(".");
}

/* --- places ---------------------------------------------------------------------------------- */

static bool has_file(struct finder *f, const char *folder, struct str name) {
  struct str *names = NULL;
  size_t count = 0;
  if (!folder || f->host->list_files(f->host->context, folder, name, f->b->arena, &names, &count))
    return false;
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], name)) return true;
  return false;
}

static const char *text(struct finder *f, struct str made) {
  if (!made.ptr) f->b->error = STATUS_NOMEM;
  return made.ptr;
}

#define PRINT(f, ...) text((f), arena_printf((f)->b->arena, __VA_ARGS__))

static const char *package_at(struct finder *f, const char *cache, struct str name) {
  const char *path = PRINT(f, "%s/%.*s", cache, STR_ARG(name));
  const char *inner = path ? PRINT(f, "%s/package", path) : NULL;
  return inner && has_file(f, inner, STR("package.json")) ? path : NULL;
}

/* Some registries have names in capitals, and so has the folder; who needs the package may write it otherwise. */
static const char *in_cache(struct finder *f, struct str id, struct str version) {
  const char *home = getenv("HOME"), *cache = home && *home ? PRINT(f, "%s/.fhir/packages", home) : NULL;
  struct str name = arena_printf(f->b->arena, "%.*s#%.*s", STR_ARG(id), STR_ARG(version)), *names = NULL;
  size_t count = 0;
  if (!cache || !text(f, name)) return NULL;
  const char *path = package_at(f, cache, name);
  if (path || !f->host->list_folders) return path;
  if (f->host->list_folders(f->host->context, cache, f->b->arena, &names, &count) != STATUS_OK) return NULL;
  for (size_t i = 0; i < count && !path; i++)
    if (names[i].len == name.len && strncasecmp(names[i].ptr, name.ptr, name.len) == 0) path = package_at(f, cache, names[i]);
  return path;
}

static const char *in_folder(struct finder *f, struct str folder, struct str id, struct str version) {
  for (const char *mark = "-#"; *mark; mark++) {
    struct str name = arena_printf(f->b->arena, "%.*s%c%.*s.tgz", STR_ARG(id), *mark, STR_ARG(version));
    const char *where = PRINT(f, "%.*s", STR_ARG(folder));
    if (name.ptr && has_file(f, where, name)) return PRINT(f, "%s/%.*s", where, STR_ARG(name));
  }
  return NULL;
}

/* --- package.json ---------------------------------------------------------------------------- */

struct manifest {
  struct builder *b;
  struct wanted *out;
  bool refused;
};

static void read_manifest(void *context, struct str name, struct str json, struct arena *arena) {
  struct manifest *manifest = context;
  struct builder *b = manifest->b;
  struct source source = source_make(name, json);
  struct tree_node *root = NULL;
  if (tree_read(&source, NULL, arena, b->diags, &root)) return;
  manifest->refused = !def_builder_identity(b, root, &source, &manifest->out->id, &manifest->out->version);
  def_builder_needs(b, root, &manifest->out->needs, &manifest->out->needs_versions);
}

static enum status describe(struct finder *f, const char *path, struct wanted *out) {
  struct manifest manifest = {f->b, out, false};
  struct source_visit visit = {.each = read_manifest, .context = &manifest, .manifest = true};
  *out = (struct wanted){.path = path};
  enum status status = def_sources_read(f->host, path, f->b->arena, f->b->diags, &visit);
  if (!status && manifest.refused) status = STATUS_INVALID;
  return status ? status : f->b->error;
}

static const char *in_modules(struct finder *f, struct str id, struct str version) {
  const char *folders[4];
  size_t count = def_module_folders(f->b->arena, folders);
  struct wanted found;
  for (size_t i = 0; i < count; i++) {
    const char *path = PRINT(f, "%s/%.*s", folders[i], STR_ARG(id));
    if (!path || !has_file(f, path, STR("package.json"))) continue;
    if (describe(f, path, &found) == STATUS_OK && str_eq(found.version, version)) return path;
  }
  return NULL;
}

static const char *locate(struct finder *f, struct str id, struct str version, struct str beside) {
  if (!def_is_package_name(id) || !is_plain(version)) return NULL;
  const char *path = in_cache(f, id, version);
  if (!path) path = in_folder(f, beside, id, version);
  return path ? path : in_modules(f, id, version);
}

/* --- dependencies ---------------------------------------------------------------------------- */

/* R4 itself is there, whatever package it came in; the core of another release has no place beside it. */
static bool is_core(struct str id) {
  return str_starts(id, STR("hl7.fhir.r")) && str_ends(id, STR(".core"));
}

/* `version` empty: any. */
static bool is_present(const struct finder *f, struct str id, struct str version) {
  const struct definitions *below = f->b->below;
  for (size_t i = 0; i < f->count; i++)
    if (str_eq(f->list[i].id, id) && (!version.len || str_eq(f->list[i].version, version))) return true;
  for (size_t i = 0; i < definitions_package_count(below); i++) {
    struct def_package package = definitions_package(below, i);
    if (str_eq(package.id, id) && (!version.len || str_eq(package.version, version))) return true;
  }
  return false;
}

static enum status want(struct finder *f, const char *path, unsigned depth);

static enum status want_needs(struct finder *f, const struct wanted *from, unsigned depth) {
  struct str beside = folder_of(str_of(from->path));
  enum status status = STATUS_OK;
  for (size_t i = 0; i < from->needs.count && !status; i++) {
    struct str id = from->needs.items[i], version = from->needs_versions.items[i];
    if (is_core(id) || is_present(f, id, version)) continue;
    const char *path = locate(f, id, version, beside);
    if (path && depth < NEEDS_DEPTH)
      status = want(f, path, depth + 1);
    else if (!is_present(f, id, (struct str){0})) /* another version will do */
      buf_printf(&f->missing, "%s%.*s#%.*s", f->missing.len ? ", " : "", STR_ARG(id), STR_ARG(version));
  }
  return status;
}

/* By the rules of FHIR a version of a package does not change. */
static void tell_present(struct finder *f, struct str id, struct str version) {
  diag_information(f->b->diags, DIAG_PACKAGE_PRESENT, NULL,
                   "%.*s#%.*s is there already; if it has changed since, build the pack anew: ketlink definitions build",
                   STR_ARG(id), STR_ARG(version));
}

/* Something that it needs was added after it: what it says about that is understood only when it is read again. */
static bool needs_came_later(const struct finder *f, const struct wanted *package) {
  const struct definitions *below = f->b->below;
  size_t own = 0;
  for (size_t i = 0; i < definitions_package_count(below); i++) {
    struct def_package other = definitions_package(below, i);
    if (str_eq(other.id, package->id) && str_eq(other.version, package->version)) own = def_package_layer(below, i);
  }
  for (size_t i = definitions_package_count(below); i-- > 0 && def_package_layer(below, i) > own;)
    for (size_t k = 0; k < package->needs.count; k++)
      if (str_eq(definitions_package(below, i).id, package->needs.items[k])) return true;
  return false;
}

/* A package is listed before its needs are looked at, so that a circle ends, and read after them. */
static enum status want(struct finder *f, const char *path, unsigned depth) {
  struct wanted found;
  enum status status = describe(f, path, &found);
  bool present = !status && found.id.len && is_present(f, found.id, found.version);
  if (status || (depth && present)) return status;
  if (f->count == PACKAGES_MAX) return STATUS_LIMIT;
  size_t mine = f->count++;
  f->list[mine] = found;
  status = want_needs(f, &found, depth);
  found = f->list[mine];
  memmove(&f->list[mine], &f->list[mine + 1], (f->count - mine - 1) * sizeof found);
  f->list[f->count - 1] = found;
  if (status || !present || f->anew || f->count > mine + 1 || needs_came_later(f, &found)) return status;
  tell_present(f, found.id, found.version);
  f->count--;
  return status;
}

/* As it was written, and as tools that fold names write it. */
static const char *locate_written(struct finder *f, struct str written, struct str id, struct str version) {
  const char *path = locate(f, written, version, STR("."));
  return path || str_eq(written, id) ? path : locate(f, id, version, STR("."));
}

static enum status want_spec(struct finder *f, const char *spec) {
  struct str written, id = {0}, version;
  const char *path = spec;
  struct source source = source_make(str_of(spec), (struct str){0});
  bool named = split(str_of(spec), &written, &version);
  if (named) id = def_package_name(f->b, written);
  bool present = named && is_present(f, id, version);
  if (named) path = present && f->anew ? NULL : locate_written(f, written, id, version);
  if (path) return want(f, path, 0);
  if (present && !f->anew) tell_present(f, id, version);
  if (present) return STATUS_OK;
  diag_error(
      f->b->diags, DIAG_PACKAGE_INVALID, &(struct diag_at){.source = &source},
      "No such package in ~/.fhir/packages, in this folder (%.*s-%.*s.tgz) or in a node_modules folder",
      STR_ARG(id), STR_ARG(version));
  return STATUS_NOT_FOUND;
}

/* --- public ---------------------------------------------------------------------------------- */

/* Reads the packages into the builder. */
static enum status collect(struct finder *f, const char *const *specs, size_t count) {
  enum status status = STATUS_OK;
  for (size_t i = 0; i < count && !status; i++)
    status = want_spec(f, specs[i]);
  for (size_t i = 0; i < f->count && !status; i++)
    status = def_builder_read_package(f->b, f->host, f->list[i].path);
  if (f->missing.len && !status)
    diag_warning(f->b->diags, DIAG_PACKAGE_INVALID, NULL,
                 "Not present, so that nothing is known of what they define: %.*s",
                 STR_ARG(buf_str(&f->missing)));
  return status;
}

static enum status gather(struct builder *b, const struct host *host, const char *const *specs,
                          size_t count, bool anew) {
  struct finder *f = def_builder_alloc(b, 1, sizeof *f);
  size_t errors = diag_errors(b->diags);
  if (!f) return STATUS_NOMEM;
  f->b = b;
  f->host = host;
  f->anew = anew;
  buf_init(&f->missing, 1 << 16);
  enum status status = collect(f, specs, count);
  buf_release(&f->missing);
  if (!status && diag_errors(b->diags) > errors) status = STATUS_INVALID;
  return status;
}

enum status definitions_add_package(struct definitions *definitions, const struct host *host,
                                    const char *spec, struct diag_list *diags) {
  struct builder b;
  struct str id = {0}, version = {0};
  enum status status = def_builder_init(&b, definitions, diags);
  if (!status) status = gather(&b, host, &spec, 1, true);
  const struct b_package *last = b.last_package;
  if (!status && last) status = def_builder_lay_over(definitions, &b);
  bool named = split(str_of(spec), &id, &version);
  if (named)
    id = def_package_name(&b, id);
  else if (last) {
    id = last->id;
    version = last->version;
  }
  if (!status && version.len) status = definitions_prefer(definitions, id, version);
  def_builder_release(&b);
  return status;
}

enum status definitions_extend(struct definitions *definitions, const struct host *host,
                               const char *const *specs, size_t count, struct diag_list *diags,
                               struct buf *file) {
  struct builder b;
  struct str pack = definitions->layers[0].mapped;
  enum status status = def_builder_init(&b, definitions, diags);
  if (!status && !pack.len) status = STATUS_INVALID;
  if (!status) status = gather(&b, host, specs, count, false);
  if (!status && b.packages && definitions->layer_count >= LIMIT_PACK_IMAGES) {
    diag_error(
        diags, DIAG_INPUT_TOO_MANY, NULL,
        "Packages were added %d times: build the pack anew with all of them: ketlink definitions build",
        LIMIT_PACK_IMAGES - 1);
    status = STATUS_LIMIT;
  }
  if (!status && b.packages) status = def_builder_append(&b, pack, file);
  def_builder_release(&b);
  return status;
}
