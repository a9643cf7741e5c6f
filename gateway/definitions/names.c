/*
 * names.c - who holds a name: types, value sets and code systems by their URL, in the builder and below it.
 *
 * Versions of one package stand side by side: a URL alone means the latest, or the one that the referring
 * package has or depends on; the others are found as "url|version", and as "url#version of the package". Of
 * two different packages, and of what comes from no package, the later wins.
 */
#include "definitions/build.h"

/* --- versions -------------------------------------------------------------------------------- */

static uint64_t number_at(struct str text, size_t *at) {
  uint64_t value = 0;
  for (; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9' && value < UINT64_MAX / 16; (*at)++)
    value = value * 10 + (uint64_t)(text.ptr[*at] - '0');
  return value;
}

/* "6.1.0" < "6.10.0"; a label ("7.0.0-ballot") stands before the version itself. */
int def_version_compare(struct str a, struct str b) {
  size_t i = 0, k = 0;
  for (;;) {
    uint64_t x = number_at(a, &i), y = number_at(b, &k);
    if (x != y) return x < y ? -1 : 1;
    if (i >= a.len || k >= b.len || a.ptr[i] != '.' || b.ptr[k] != '.') break;
    i++;
    k++;
  }
  bool more_a = i < a.len, more_b = k < b.len;
  if (more_a && more_b) return str_cmp(str_slice(a, i, a.len), str_slice(b, k, b.len));
  if (more_a) return a.ptr[i] == '-' ? -1 : 1;
  if (more_b) return b.ptr[k] == '-' ? 1 : -1;
  return 0;
}

/* --- claims ---------------------------------------------------------------------------------- */

static struct str with(struct builder *b, struct str url, char mark, struct str version) {
  struct str key = arena_printf(b->arena, "%.*s%c%.*s", STR_ARG(url), mark, STR_ARG(version));
  if (!key.ptr) b->error = STATUS_NOMEM;
  return key;
}

static void put(struct builder *b, enum def_names kind, struct str key, const struct b_name *name) {
  struct b_name *known = b->error ? NULL : map_get(&b->names[kind], key);
  if (known) {
    *known = *name;
    return;
  }
  known = def_builder_alloc(b, 1, sizeof *known);
  if (!known) return;
  *known = *name;
  if (map_put(&b->names[kind], key, known)) b->error = STATUS_NOMEM;
}

static void put_beside(struct builder *b, enum def_names kind, struct str url, const struct b_name *name) {
  put(b, kind, with(b, url, '|', name->version), name);
  put(b, kind, with(b, url, '#', name->package->version), name);
}

/* Negative or positive: versions of one package, the first older or newer; 0: one takes the other's place. */
static int compare(struct str id, struct str version, struct str other_id, struct str other_version) {
  if (!id.len || !version.len || !other_version.len || !str_eq(id, other_id)) return 0;
  return def_version_compare(version, other_version);
}

static int compare_below(struct builder *b, enum def_names kind, struct str url, const struct b_name *name) {
  const void *below = b->below && name->package ? def_find(b->below, kind, url) : NULL;
  struct def_package package;
  if (!below || !def_origin(b->below, kind, below, &package)) return 0;
  return compare(name->package->id, name->package->version, package.id, package.version);
}

/* `name` gets the URL, and *replaced what loses it for good (NULL: nothing). False: an older version of the
   same package, which is found by its version only. */
static bool claim(struct builder *b, enum def_names kind, struct str url, const struct b_name *name,
                  void **replaced) {
  struct b_name *known = map_get(&b->names[kind], url);
  const struct b_package *mine = name->package, *other = known ? known->package : NULL;
  int order = mine && other ? compare(mine->id, mine->version, other->id, other->version) : 0;
  *replaced = NULL;
  if (!known) order = compare_below(b, kind, url, name);
  if (known && !order) *replaced = known->what;
  if (order < 0) {
    put_beside(b, kind, url, name);
    return false;
  }
  if (known && order > 0) put_beside(b, kind, url, known);
  put(b, kind, url, name);
  return true;
}

void def_builder_name(struct builder *b, struct str key, struct b_type *type, unsigned rank) {
  struct b_name *known = key.len ? map_get(&b->names[DEF_TYPES], key) : NULL;
  if (!key.len || (known && rank < known->rank)) return;
  struct b_name name = {.what = type, .version = type->version, .package = type->package, .rank = rank};
  put(b, DEF_TYPES, key, &name);
}

struct str def_last_part(struct str url) {
  size_t from = 0;
  for (size_t i = 0; i < url.len; i++)
    if (url.ptr[i] == '/') from = i + 1;
  return str_slice(url, from, url.len);
}

/* A profile called Patient does not hide the type of that name, here or below. */
static void name_profile(struct builder *b, struct str name, struct b_type *type, unsigned rank) {
  const struct def_type *below = b->below ? definitions_type(b->below, name) : NULL;
  if (!below || def_type_is_profile(below)) def_builder_name(b, name, type, rank);
}

static void claim_type(struct builder *b, struct b_type *type) {
  struct b_name name = {.what = type, .version = type->version, .package = type->package, .rank = 3};
  void *gone;
  bool first = claim(b, DEF_TYPES, type->url, &name, &gone);
  if (gone && str_eq(((struct b_type *)gone)->url, type->url)) ((struct b_type *)gone)->replaced = true;
  if (!first) return;
  if (type->profile) {
    name_profile(b, type->name, type, 1);
    name_profile(b, def_last_part(type->url), type, 0);
    return;
  }
  def_builder_name(b, type->name, type, 3);
  if (type->kind != DEF_LOGICAL) return;
  def_builder_name(b, def_last_part(type->url), type, 2);
  def_builder_name(b, def_last_part(type->fhir_type), type, 2);
  if (type->root) def_builder_name(b, type->root->path, type, 2);
}

/* A stub without codes does not take the place of a system that has them. */
static bool is_stub(struct builder *b, const struct b_system *system) {
  const struct b_name *known = map_get(&b->names[DEF_SYSTEMS], system->url);
  const struct def_code_system *below = b->below ? definitions_code_system(b->below, system->url) : NULL;
  if (system->complete || system->count) return false;
  return known ? ((const struct b_system *)known->what)->count > 0 : below && def_code_system_size(below) > 0;
}

static void claim_system(struct builder *b, struct b_system *system) {
  struct b_name name = {.what = system, .version = system->version, .package = system->package};
  void *gone = NULL;
  if (is_stub(b, system))
    system->replaced = true;
  else
    (void)claim(b, DEF_SYSTEMS, system->url, &name, &gone);
  if (gone) ((struct b_system *)gone)->replaced = true;
}

static void claim_set(struct builder *b, struct b_set *set) {
  struct b_name name = {.what = set, .version = set->version, .package = set->package};
  void *gone;
  (void)claim(b, DEF_SETS, set->url, &name, &gone);
  if (gone) ((struct b_set *)gone)->replaced = true;
}

void def_claim_names(struct builder *b) {
  for (struct b_type *type = b->types; type && !b->error; type = type->next)
    if (type->kind != DEF_SYSTEM) claim_type(b, type);
  for (struct b_system *system = b->first_system; system && !b->error; system = system->next)
    claim_system(b, system);
  for (struct b_set *set = b->first_set; set && !b->error; set = set->next)
    claim_set(b, set);
}

/* --- look-up --------------------------------------------------------------------------------- */

static struct def_package package_of(struct builder *b, enum def_names kind, const struct b_name *name,
                                     const void *below) {
  struct def_package found = {0};
  if (name && name->package)
    return (struct def_package){.id = name->package->id, .version = name->package->version};
  if (!name && below) (void)def_origin(b->below, kind, below, &found);
  return found;
}

/* The version of package `id` that the package in hand wants; empty: any. */
static struct str wanted(const struct b_package *from, struct str id) {
  if (!from || !id.len) return (struct str){0};
  if (str_eq(from->id, id)) return from->version;
  for (size_t i = 0; i < from->needs.count; i++)
    if (str_eq(from->needs.items[i], id)) return from->needs_versions.items[i];
  return (struct str){0};
}

static void *found(struct b_name *name, const void *below, const void **frozen) {
  *frozen = name ? NULL : below;
  return name ? name->what : NULL;
}

static void *look_up_version(struct builder *b, enum def_names kind, struct str url, struct str plain,
                             const void **frozen) {
  struct b_name *name = map_get(&b->names[kind], plain);
  struct str version = str_slice(url, plain.len + 1, url.len);
  if (name && str_eq(name->version, version)) return found(name, NULL, frozen);
  struct b_name *exact = map_get(&b->names[kind], url);
  if (exact) return found(exact, NULL, frozen);
  const void *below = b->below ? def_find(b->below, kind, url) : NULL;
  bool same = below && str_eq(def_version_of(kind, below), version);
  return found(same ? NULL : name, below, frozen);
}

void *def_look_up(struct builder *b, enum def_names kind, struct str url, const void **frozen) {
  struct str plain = def_canonical(url);
  if (plain.len < url.len) return look_up_version(b, kind, url, plain, frozen);
  struct b_name *name = map_get(&b->names[kind], url);
  const void *below = !name && b->below ? def_find(b->below, kind, url) : NULL;
  struct def_package package = package_of(b, kind, name, below);
  struct str want = wanted(b->from, package.id);
  if (!want.len || str_eq(want, package.version)) return found(name, below, frozen);
  struct str key = with(b, url, '#', want);
  struct b_name *other = key.ptr ? map_get(&b->names[kind], key) : NULL;
  if (other) return found(other, NULL, frozen);
  const void *older = b->below ? def_find_in(b->below, kind, url, package.id, want) : NULL;
  return older ? found(NULL, older, frozen) : found(name, below, frozen);
}

struct b_type *def_builder_type(struct builder *b, struct str name) {
  if (!name.len) return NULL;
  const void *below;
  struct b_type *type = def_look_up(b, DEF_TYPES, name, &below);
  return type ? type : def_thaw(b, below);
}
