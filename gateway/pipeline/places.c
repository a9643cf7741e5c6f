/* places.c - where the definition pack and the mappings folder are looked for. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pipeline/internal.h"

/* A place: beside the program, below a variable's folder, in the current folder, or as it stands. */
struct place {
  enum { PLACE_VARIABLE, PLACE_PROGRAM, PLACE_BELOW, PLACE_HERE, PLACE_PATH } kind;
  const char *base; /* name of a variable; here: a file that a folder of ours has */
  const char *tail;
};

static const struct place pack_places[] = {
    {PLACE_VARIABLE, "KETLINK_DEFINITIONS", NULL},
    {PLACE_PROGRAM, NULL, "/definitions.pack"},
    {PLACE_PROGRAM, NULL, "/../definitions.pack"},
    {PLACE_BELOW, "XDG_CACHE_HOME", "/ketlink/definitions.pack"},
    {PLACE_BELOW, "HOME", "/.cache/ketlink/definitions.pack"},
    {PLACE_PATH, NULL, "/var/lib/ketlink/definitions.pack"},
    {PLACE_PROGRAM, NULL, "/../share/ketlink/definitions.pack"}, /* as it was installed */
};
static const struct place mappings_places[] = {
    {PLACE_VARIABLE, "KETLINK_MAPPINGS", NULL},
    {PLACE_HERE, "routes.json", "mappings"},
    {PLACE_PROGRAM, NULL, "/../../mappings"},
    {PLACE_PATH, NULL, "/etc/ketlink/mappings"},
    {PLACE_PROGRAM, NULL, "/../share/ketlink/mappings"}, /* as it was installed */
};

static struct str program_folder(struct arena *arena) {
  char path[4096];
  ssize_t len = readlink("/proc/self/exe", path, sizeof path);
  while (len > 0 && path[len - 1] != '/')
    len--;
  return len > 1 ? arena_str(arena, str_make(path, (size_t)len - 1)) : STR("");
}

/* Empty when the place's variable is not set; ptr NULL: no memory. */
static struct str path_of(const struct place *place, struct arena *arena) {
  const char *value = place->base && place->kind != PLACE_HERE ? getenv(place->base) : NULL;
  struct str base = STR("");
  switch (place->kind) {
  case PLACE_HERE:
  case PLACE_PATH:
    return str_of(place->tail);
  case PLACE_VARIABLE:
    return value ? arena_str(arena, str_of(value)) : base;
  case PLACE_BELOW:
    base = value && value[0] == '/' ? str_of(value) : base;
    break;
  case PLACE_PROGRAM:
    base = program_folder(arena);
    break;
  }
  return base.len ? arena_concat(arena, base, str_of(place->tail)) : base;
}

/* Who lays down a folder where all may, such as /tmp, must not say where patients' data goes. */
static bool is_strangers(const char *path) {
  struct stat here, found;
  if (stat(".", &here) != 0 || stat(path, &found) != 0) return true;
  return (here.st_mode & S_ISVTX) && (here.st_mode & S_IWOTH) && found.st_uid != geteuid() && found.st_uid != here.st_uid;
}

/* Another program may have a folder of this name. */
static bool is_there(const struct place *place, const char *path, struct arena *arena) {
  if (place->kind != PLACE_HERE) return access(path, R_OK) == 0;
  struct str mark = arena_printf(arena, "%s/%s", path, place->base);
  return mark.ptr && access(mark.ptr, R_OK) == 0 && !is_strangers(path);
}

struct search {
  const char *option; /* "--definitions" */
  const char *what, *help;
  const struct place *places;
  size_t count;
};

static enum status find(const struct search *search, const char *given, struct arena *arena,
                        struct diag_list *diags, struct str *out) {
  struct buf looked;
  enum status status = STATUS_OK;
  buf_init(&looked, 1 << 16);
  *out = given ? str_of(given) : (struct str){0};
  bool found = given && access(given, R_OK) == 0;
  if (given) buf_printf(&looked, "%s%s", given, !found && errno == EACCES ? " (not permitted)" : "");
  for (size_t i = 0; status == STATUS_OK && !given && !found && i < search->count; i++) {
    struct str path = path_of(&search->places[i], arena);
    if (!path.ptr) status = STATUS_NOMEM; /* another place is not the one that was meant */
    if (path.len == 0) continue;
    found = is_there(&search->places[i], path.ptr, arena);
    if (found) *out = path;
    buf_printf(&looked, "%s%.*s", looked.len ? ", " : "", STR_ARG(path));
    if (search->places[i].kind == PLACE_VARIABLE) break; /* who names a place means that place */
  }
  if (status == STATUS_OK) status = looked.error;
  if (status == STATUS_OK && !found && diags)
    diag_error(diags, DIAG_FILE_UNREADABLE, NULL, "no %s (%s); looked at: %.*s; %s", search->what,
               search->option, STR_ARG(buf_str(&looked)), search->help);
  buf_release(&looked);
  if (found) return STATUS_OK;
  return status == STATUS_OK ? STATUS_NOT_FOUND : status;
}

enum status pipeline_find_pack(const char *given, struct arena *arena, struct diag_list *diags,
                               struct str *out) {
  static const struct search search = {"--definitions FILE", "definition pack",
                                       "scripts/setup makes one, or: ketlink definitions build", pack_places,
                                       sizeof pack_places / sizeof pack_places[0]};
  return find(&search, given, arena, diags, out);
}

enum status pipeline_find_mappings(const char *given, struct arena *arena, struct diag_list *diags,
                                   struct str *out) {
  static const struct search search = {"--mappings DIR", "mappings folder",
                                       "name it, or set KETLINK_MAPPINGS", mappings_places,
                                       sizeof mappings_places / sizeof mappings_places[0]};
  return find(&search, given, arena, diags, out);
}
