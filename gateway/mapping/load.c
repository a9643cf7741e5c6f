/* load.c - a mappings folder to a loaded set: files, concept maps, syntax trees, linking. */
#include <stdlib.h>
#include "mapping/internal.h"

enum { SET_BYTES = 256 << 20, FOLDER_DEPTH = 8 };

struct loader {
  struct mapping_set *set;
  struct arena *scratch; /* JSON trees; syntax trees of expressions */
  struct diag_list *diags;
  bool heads; /* of maps no more: roots say which are read to the end */
};

/* --- files -----------------------------------------------------------------------------------------------
 */

static enum status cannot_read(struct loader *l, const char *path, enum status status) {
  if (status == STATUS_NOMEM) return status;
  diag_error(l->diags, DIAG_FILE_UNREADABLE, NULL, "%s: the file cannot be read: %s", path,
             host_why_unread(l->set->host, path, status, l->set->arena));
  return STATUS_OK;
}

static enum status read_text(struct loader *l, const char *path, size_t max, struct source *out, bool *done) {
  struct arena *arena = l->set->arena;
  const struct host *host = l->set->host;
  struct str name = arena_str(arena, str_of(path)), text;
  *done = false;
  if (!name.ptr) return STATUS_NOMEM;
  enum status status = host->read_file(host->context, path, max, arena, &text);
  if (status != STATUS_OK) return cannot_read(l, path, status);
  *out = source_make(name, text);
  *done = true;
  return STATUS_OK;
}

static struct str base_name(struct str path) {
  size_t at = path.len;
  while (at > 0 && path.ptr[at - 1] != '/')
    at--;
  return str_slice(path, at, path.len);
}

static struct mapping_map *add_map(struct mapping_set *set) {
  if (set->map_count == set->map_room) {
    size_t room = set->map_room ? set->map_room * 2 : 32;
    struct mapping_map **maps = ARENA_ARRAY(set->arena, struct mapping_map *, room);
    if (!maps) return NULL;
    if (set->map_count) memcpy(maps, set->maps, set->map_count * sizeof *maps);
    set->maps = maps;
    set->map_room = room;
  }
  struct mapping_map *map = ARENA_NEW(set->arena, struct mapping_map);
  if (map) set->maps[set->map_count++] = map;
  return map;
}

static enum status register_map(struct loader *l, struct mapping_map *map) {
  struct mapping_set *set = l->set;
  struct diag_at at = {.source = &map->source, .offset = map->header_at};
  if (map->url.len == 0) map->url = map->name.len ? map->name : map->file;
  enum status status = map_put(&set->by_url, map->url, map);
  const struct mapping_map *other = status == STATUS_CONFLICT ? map_get(&set->by_url, map->url) : NULL;
  if (other)
    diag_error(l->diags, DIAG_MAP_DUPLICATE, &at, "another map has the URL %.*s: %.*s", STR_ARG(map->url), STR_ARG(other->source.name));
  if (status == STATUS_NOMEM) return status;
  if (map->name.len && map_put(&set->by_name, map->name, map) == STATUS_NOMEM) return STATUS_NOMEM;
  return map_put(&set->by_file, map->file, map) == STATUS_NOMEM ? STATUS_NOMEM : STATUS_OK;
}

bool fml_check_bytes(const struct source *source, struct diag_list *diags) {
  size_t invalid = utf8_invalid_at(source->text), nul = str_find_char(source->text, '\0', 0);
  if (invalid == SIZE_MAX && nul == SIZE_MAX) return true;
  struct diag_at at = {.source = source, .offset = invalid < nul ? invalid : nul};
  diag_error(diags, DIAG_MAP_SYNTAX, &at,
             invalid < nul ? "the text is not UTF-8" : "the character U+0000 is not allowed");
  return false;
}

/* Faults of a head are told when the map is read to the end; without a name it is, and whoever asks for all. */
static enum status load_head(struct loader *l, struct mapping_map *map) {
  struct diag_list unsaid;
  arena_reset(l->scratch);
  diag_list_init(&unsaid, l->scratch);
  return fml_parse_head(l->set, map, &unsaid);
}

static enum status load_map(struct loader *l, const char *path) {
  struct source source;
  bool done;
  enum status status = read_text(l, path, LIMIT_MAP_BYTES, &source, &done);
  if (status != STATUS_OK || !done) return status;
  struct mapping_map *map = add_map(l->set);
  if (!map) return STATUS_NOMEM;
  map->source = source;
  map->file = base_name(source.name);
  if (!fml_check_bytes(&map->source, l->diags)) return STATUS_OK;
  status = l->heads ? load_head(l, map) : fml_parse(l->set, map, l->diags);
  return status == STATUS_OK ? register_map(l, map) : status;
}

static enum status load_resource(struct loader *l, const struct source *source, struct tree_node *root) {
  struct mapping_map *map = add_map(l->set);
  if (!map) return STATUS_NOMEM;
  map->source = *source;
  map->file = base_name(source->name);
  map->whole = true;
  enum status status = fml_read_resource(l->set, map, root, l->diags);
  return status == STATUS_OK ? register_map(l, map) : status;
}

/* `maps_only`: what is no StructureMap is left alone; it is some other file of the folder. */
static enum status load_json(struct loader *l, const char *path, bool maps_only) {
  struct tree_node *root = NULL;
  bool done;
  struct source *source = ARENA_NEW(l->set->arena, struct source);
  if (!source) return STATUS_NOMEM;
  enum status status = read_text(l, path, LIMIT_TEXT_BYTES, source, &done);
  if (status != STATUS_OK || !done) return status;
  if (str_starts(source->text, STR("\xef\xbb\xbf")))
    source->text = str_slice(source->text, 3, source->text.len);
  if (maps_only && str_find(source->text, STR("\"StructureMap\""), 0) == SIZE_MAX) return STATUS_OK;
  arena_reset(l->scratch);
  status = tree_read_json(source, NULL, l->scratch, l->diags, &root);
  if (status == STATUS_INVALID) return STATUS_OK; /* reported; go on with the next file */
  if (status != STATUS_OK) return status;
  struct diag_at at = {.source = source};
  struct str type = tree_text(root, "resourceType");
  if (str_is(type, "StructureMap")) return load_resource(l, source, root);
  if (maps_only) return STATUS_OK;
  if (str_is(type, "ConceptMap")) return fml_concept_read(l->set, source, root, l->diags);
  diag_error(l->diags, DIAG_INPUT_FORMAT, &at, "this is neither a map nor a ConceptMap");
  return STATUS_OK;
}

static enum status load_file(struct loader *l, const char *path) {
  return str_ends(str_of(path), STR(".json")) ? load_json(l, path, false) : load_map(l, path);
}

/* --- folders ---------------------------------------------------------------------------------------------
 */

static enum status load_suffix(struct loader *l, const char *folder, struct str suffix, bool maps_only) {
  const struct host *host = l->set->host;
  struct str *names = NULL;
  size_t count = 0;
  enum status status = host->list_files(host->context, folder, suffix, l->set->arena, &names, &count);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : cannot_read(l, folder, status);
  for (size_t i = 0; i < count && status == STATUS_OK; i++) {
    struct str path = arena_printf(l->set->arena, "%s/%.*s", folder, STR_ARG(names[i]));
    if (!path.ptr) return STATUS_NOMEM;
    status =
        maps_only && str_ends(names[i], STR(".json")) ? load_json(l, path.ptr, true) : load_file(l, path.ptr);
  }
  return status;
}

/* Folders of a mappings folder whose JSON other readers read. */
static bool holds_no_maps(struct str name) {
  static const char *const names[] = {"models", "terminology", "destinations", "csv"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (str_is(name, names[i])) return true;
  return false;
}

static enum status load_folder(struct loader *l, const char *folder, unsigned depth, bool json) {
  const struct host *host = l->set->host;
  struct str *names = NULL;
  size_t count = 0;
  enum status status = load_suffix(l, folder, STR(".fml"), true);
  if (status == STATUS_OK && json) status = load_suffix(l, folder, STR(".json"), true);
  if (status != STATUS_OK || depth >= FOLDER_DEPTH || !host->list_folders) return status;
  status = host->list_folders(host->context, folder, l->set->arena, &names, &count);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : cannot_read(l, folder, status);
  for (size_t i = 0; i < count && status == STATUS_OK; i++) {
    struct str path = arena_printf(l->set->arena, "%s/%.*s", folder, STR_ARG(names[i]));
    status = path.ptr ? load_folder(l, path.ptr, depth + 1, json && !(depth == 0 && holds_no_maps(names[i])))
                      : STATUS_NOMEM;
  }
  return status;
}

static enum status load_all(struct loader *l, const struct mapping_load *load) {
  enum status status = STATUS_OK;
  if (load->folder) {
    struct str terms = arena_printf(l->set->arena, "%s/terminology", load->folder);
    if (!terms.ptr) return STATUS_NOMEM;
    status = load_suffix(l, terms.ptr, STR(".json"), false);
    if (status == STATUS_OK) status = load_folder(l, load->folder, 0, true);
  }
  for (size_t i = 0; i < load->file_count && status == STATUS_OK; i++)
    status = load_file(l, load->files[i]);
  return status;
}

/* --- what transforms need of the definitions -------------------------------------------------------------
 */

static bool prepare_kit(struct mapping_set *set) {
  struct fml_kit *kit = &set->kit;
  const struct definitions *d = set->definitions;
  const struct {
    const char *name;
    const struct def_type **type;
  } types[] = {{"Coding", &kit->coding},        {"CodeableConcept", &kit->concept_},
               {"Quantity", &kit->quantity},    {"Identifier", &kit->identifier},
               {"ContactPoint", &kit->contact}, {"string", &kit->string},
               {"Resource", &kit->resource},    {"System.Boolean", &kit->boolean}};
  const struct {
    const struct def_type **type;
    const char *name;
    const struct def_element **element;
  } elements[] = {{&kit->coding, "system", &kit->coding_system},
                  {&kit->coding, "code", &kit->coding_code},
                  {&kit->coding, "display", &kit->coding_display},
                  {&kit->concept_, "coding", &kit->concept_coding},
                  {&kit->concept_, "text", &kit->concept_text},
                  {&kit->quantity, "value", &kit->quantity_value},
                  {&kit->quantity, "comparator", &kit->quantity_comparator},
                  {&kit->quantity, "unit", &kit->quantity_unit},
                  {&kit->quantity, "system", &kit->quantity_system},
                  {&kit->quantity, "code", &kit->quantity_code},
                  {&kit->identifier, "system", &kit->identifier_system},
                  {&kit->identifier, "value", &kit->identifier_value},
                  {&kit->identifier, "type", &kit->identifier_type},
                  {&kit->contact, "system", &kit->contact_system},
                  {&kit->contact, "value", &kit->contact_value}};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    *types[i].type = definitions_type(d, str_of(types[i].name));
  if (!kit->coding || !kit->concept_ || !kit->quantity || !kit->identifier || !kit->contact || !kit->string)
    return false;
  for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
    *elements[i].element = def_type_element_named(*elements[i].type, str_of(elements[i].name));
    if (!*elements[i].element) return false;
  }
  kit->symbol_id = definitions_symbol(d, STR("id"));
  kit->symbol_system = definitions_symbol(d, STR("system"));
  kit->symbol_code = definitions_symbol(d, STR("code"));
  kit->symbol_coding = definitions_symbol(d, STR("coding"));
  kit->symbol_value = definitions_symbol(d, STR("value"));
  return true;
}

/* --- the set ---------------------------------------------------------------------------------------------
 */

static struct mapping_set *new_set(struct arena *arena, const struct mapping_load *load) {
  struct mapping_set *set = ARENA_NEW(arena, struct mapping_set);
  if (!set) return NULL;
  set->arena = arena;
  set->definitions = load->definitions;
  set->host = load->host;
  set->unfused = load->unfused;
  map_init(&set->by_url, arena);
  map_init(&set->by_name, arena);
  map_init(&set->by_file, arena);
  map_init(&set->concept_maps, arena);
  return set;
}

enum status fml_load(struct arena *arena, const struct mapping_load *load, struct diag_list *diags,
                     struct mapping_set **out) {
  size_t errors = diag_errors(diags);
  struct mapping_set *set = new_set(arena, load);
  if (!set) return STATUS_NOMEM;
  struct loader l = {set, arena_new(LIMIT_ARENA_BYTES), diags, load->roots != NULL};
  enum status status = l.scratch ? STATUS_OK : STATUS_NOMEM;
  if (status == STATUS_OK && !prepare_kit(set)) {
    diag_error(diags, DIAG_PACK_INVALID, NULL, "the definitions lack the data types of FHIR");
    status = STATUS_INVALID;
  }
  if (status == STATUS_OK) status = load_all(&l, load);
  if (status == STATUS_OK && l.heads) status = fml_reach(set, load, diags);
  if (status == STATUS_OK) status = fml_concept_supplement(set, diags);
  if (status == STATUS_OK) fml_concept_check(set, diags);
  if (status == STATUS_OK) status = fml_link(set, l.scratch, diags);
  if (status == STATUS_OK) fml_number(set);
  if (status == STATUS_OK && diag_errors(diags) > errors) status = STATUS_INVALID;
  if (status == STATUS_OK) *out = set;
  arena_free(l.scratch);
  return status;
}

enum status mapping_load(const struct mapping_load *load, struct diag_list *diags, struct mapping_set **out) {
  *out = NULL;
  struct arena *arena = arena_new_plain(SET_BYTES);
  enum status status = arena ? fml_load(arena, load, diags, out) : STATUS_NOMEM;
  if (status != STATUS_OK) arena_free(arena);
  return status;
}

void mapping_free(struct mapping_set *set) {
  if (set) arena_free(set->arena);
}

size_t mapping_count(const struct mapping_set *set) {
  return set->map_count;
}

size_t mapping_concept_map_count(const struct mapping_set *set) {
  return set->concept_maps.count;
}

const struct mapping_map *mapping_at(const struct mapping_set *set, size_t index) {
  return set->maps[index];
}

struct mapping_map *fml_find_named(const struct mapping_set *set, struct str name) {
  struct mapping_map *map = map_get(&set->by_url, name);
  if (!map) map = map_get(&set->by_name, name);
  return map ? map : map_get(&set->by_file, base_name(name));
}

const struct mapping_map *mapping_find(const struct mapping_set *set, struct str url_or_name) {
  const struct mapping_map *map = fml_find_named(set, url_or_name);
  return map && map->whole ? map : NULL; /* of the others only the head was read */
}

struct str mapping_nearest(const struct mapping_set *set, struct str url_or_name) {
  struct str nearest = map_nearest(&set->by_name, url_or_name);
  if (!nearest.len) nearest = map_nearest(&set->by_url, url_or_name);
  return nearest;
}

struct str mapping_url(const struct mapping_map *map) {
  return map->url;
}

struct str mapping_name(const struct mapping_map *map) {
  return map->name;
}

struct str mapping_path(const struct mapping_map *map) {
  return map->source.name;
}

static const struct def_type *entry_type(const struct mapping_map *map, bool is_target) {
  size_t i = 0;
  if (!map->entry) return NULL;
  for (const struct ast_param *param = map->entry->ast->params; param; param = param->next, i++)
    if (param->is_target == is_target) return map->entry->params[i].type;
  return NULL;
}

const struct def_type *mapping_source_type(const struct mapping_map *map) {
  return entry_type(map, false);
}

const struct def_type *mapping_target_type(const struct mapping_map *map) {
  return entry_type(map, true);
}
