/*
 * rules.c - the rules of care that records' models bring, and mappings/policy.json, where a clinic says how grave
 * it takes them. All of it is read once, when the pipeline is opened.
 */
#include "base/config.h"
#include "pipeline/internal.h"

static const char *const level_names[] = {"off", "warning", "error", NULL};

/* In the order of a session. */
static const struct {
  const char *code, *title;
} groups[] = {{"before", "Before the dose"}, {"dose", "Dose"},   {"monitoring", "Monitoring"},
              {"discharge", "Discharge"},    {"waste", "Waste"}, {"notes", "Notes"},
              {"rems", "REMS"}};
enum { GROUPS = sizeof groups / sizeof groups[0], RULES_MAX = 256 };

static size_t rank_of(struct str group) {
  size_t rank = 0;
  while (rank < GROUPS && !str_is(group, groups[rank].code))
    rank++;
  return rank;
}

struct str pipeline_group_title(struct str group) {
  size_t rank = rank_of(group);
  return rank < GROUPS ? str_of(groups[rank].title) : group;
}

const char *pipeline_level_name(enum validation_level level) {
  return level_names[level];
}

/* --- what a model brings --- */

struct collecting {
  struct map keys;     /* of the rules so far */
  struct map *fixed;   /* keys of what is no rule of care */
  struct pipeline_rule *rules;
  size_t count;
  enum status status;
};

/* A nested part and its type both have the constraints of the part: the first counts. */
static void collect_rule(struct collecting *collecting, struct def_constraint constraint) {
  if (collecting->status != STATUS_OK) return;
  enum status status = map_put(constraint.group.len ? &collecting->keys : collecting->fixed, constraint.key, collecting);
  if (status == STATUS_OK && !constraint.group.len) return;
  if (status == STATUS_CONFLICT) return;
  if (status == STATUS_OK && collecting->count == RULES_MAX) status = STATUS_LIMIT;
  collecting->status = status;
  if (status != STATUS_OK) return;
  enum validation_level usual = constraint.is_error ? VALIDATION_ERROR : VALIDATION_WARNING;
  collecting->rules[collecting->count++] = (struct pipeline_rule){constraint, usual, usual};
}

static void collect_type(struct collecting *collecting, const struct def_type *type) {
  for (size_t i = 0; i < def_type_constraint_count(type); i++)
    collect_rule(collecting, def_type_constraint(type, i));
  for (size_t i = 0; i < def_type_element_count(type); i++) {
    const struct def_element *element = def_type_element_at(type, i);
    const struct def_type *inner =
        def_element_type_count(element) ? def_element_type(element, 0).type : NULL;
    for (size_t k = 0; k < def_element_constraint_count(element); k++)
      collect_rule(collecting, def_element_constraint(element, k));
    if (inner && def_type_kind(inner) == DEF_NESTED) collect_type(collecting, inner);
  }
}

/* A stable sort: within a group as the model has them. */
static void sort_rules(struct pipeline_rule *rules, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct pipeline_rule rule = rules[i];
    size_t at = i, rank = rank_of(rule.constraint.group);
    for (; at > 0 && rank_of(rules[at - 1].constraint.group) > rank; at--)
      rules[at] = rules[at - 1];
    rules[at] = rule;
  }
}

static enum status collect(struct pipeline *pipeline, size_t index, struct map *fixed, struct diag_list *diags) {
  const struct intake_route *route = &pipeline->routes.routes[index];
  struct collecting collecting = {.fixed = fixed};
  collecting.rules = ARENA_ARRAY(pipeline->arena, struct pipeline_rule, RULES_MAX);
  if (!collecting.rules) return STATUS_NOMEM;
  map_init(&collecting.keys, pipeline->arena);
  collect_type(&collecting, route->type);
  if (collecting.status == STATUS_LIMIT)
    diag_error(diags, DIAG_CONFIG_INVALID, NULL, "%.*s has more than %d session rules", STR_ARG(route->model),
               RULES_MAX);
  sort_rules(collecting.rules, collecting.count);
  pipeline->ways[index].rules = (struct pipeline_rules){collecting.rules, collecting.count};
  return collecting.status == STATUS_LIMIT ? STATUS_CONFIG : collecting.status;
}

/* --- the clinic's policy --- */

static struct pipeline_rule *rule_at(const struct pipeline *pipeline, size_t way, size_t index) {
  return (struct pipeline_rule *)(uintptr_t)&pipeline->ways[way].rules.items[index];
}

/* A key for each rule; two models may have the same rule. */
static struct config_key *keys_of(const struct pipeline *pipeline, size_t *count) {
  size_t room = 1;
  for (size_t i = 0; i < pipeline->routes.count; i++)
    room += pipeline->ways[i].rules.count;
  struct config_key *keys = ARENA_ARRAY(pipeline->arena, struct config_key, room);
  *count = 0;
  for (size_t i = 0; keys && i < pipeline->routes.count; i++)
    for (size_t k = 0; k < pipeline->ways[i].rules.count; k++) {
      struct str key = arena_str(pipeline->arena, rule_at(pipeline, i, k)->constraint.key);
      if (!key.ptr) return NULL;
      keys[(*count)++] = (struct config_key){.name = key.ptr, .type = CONFIG_STRING, .words = level_names};
    }
  return keys;
}

static void set_level(struct pipeline_rule *rule, struct str word) {
  for (int level = 0; level_names[level]; level++)
    if (str_is(word, level_names[level])) rule->level = (enum validation_level)level;
}

static enum status apply(struct pipeline *pipeline, const json_t *rules, const struct config_key *keys,
                         size_t count) {
  pipeline->settings = ARENA_ARRAY(pipeline->arena, struct validation_setting, count + 1);
  if (!pipeline->settings) return STATUS_NOMEM;
  size_t key = 0;
  for (size_t i = 0; i < pipeline->routes.count; i++)
    for (size_t k = 0; k < pipeline->ways[i].rules.count; k++) {
      struct pipeline_rule *rule = rule_at(pipeline, i, k);
      set_level(rule, config_string(rules, keys[key++].name));
      if (rule->level == rule->usual) continue;
      pipeline->settings[pipeline->setting_count++] =
          (struct validation_setting){rule->constraint.key, rule->level};
    }
  return STATUS_OK;
}

/* What maps rely on is no matter of a clinic's policy; it is told apart from a slip of the pen. */
static void refuse_fixed(const struct config *file, json_t *rules, const struct map *fixed, struct diag_list *diags) {
  const char *key;
  json_t *value;
  void *next;
  json_object_foreach_safe(rules, next, key, value) {
    struct str name = str_of(key);
    if (!map_get(fixed, name)) continue;
    struct diag_at at = config_at(file, "rules", key);
    diag_error(diags, DIAG_CONFIG_INVALID, &at,
               "rules.%.*s is no rule of care: maps rely on it, so that it is always as the model says",
               STR_ARG(diag_quote(diags->arena, name)));
    (void)json_object_del(rules, key);
  }
}

static enum status read_policy(struct pipeline *pipeline, const struct config *file, const struct map *fixed,
                               struct diag_list *diags) {
  static const struct config_key members[] = {{.name = "description", .type = CONFIG_STRING},
                                              {.name = "rules", .type = CONFIG_OBJECT, .required = true}};
  size_t count = 0;
  if (!config_check(file, file->object, "", members, sizeof members / sizeof members[0], diags))
    return STATUS_CONFIG;
  json_t *rules = json_object_get(file->object, "rules");
  struct config_key *keys = keys_of(pipeline, &count);
  size_t before = diag_errors(diags);
  if (!keys) return STATUS_NOMEM;
  refuse_fixed(file, rules, fixed, diags);
  if (!config_check(file, rules, "rules", keys, count, diags)) return STATUS_CONFIG;
  return diag_errors(diags) > before ? STATUS_CONFIG : apply(pipeline, rules, keys, count);
}

static bool is_there(const struct pipeline *pipeline, const char *folder, const char *name) {
  struct str *names = NULL;
  size_t count = 0;
  if (pipeline->host->list_files(pipeline->host->context, folder, str_of(name), pipeline->arena, &names,
                                 &count) != STATUS_OK)
    return false;
  for (size_t i = 0; i < count; i++)
    if (str_is(names[i], name)) return true;
  return false;
}

/* A folder without one has none: all rules are as their models say. */
static enum status open_policy(struct pipeline *pipeline, const struct map *fixed, struct diag_list *diags) {
  struct config file;
  struct str path = arena_concat(pipeline->arena, pipeline->folder, STR("/policy.json"));
  if (!path.ptr) return STATUS_NOMEM;
  if (!is_there(pipeline, pipeline->folder.ptr, "policy.json")) return STATUS_OK;
  enum status status = config_read(pipeline->host, path.ptr, diags, &file);
  if (status == STATUS_OK) status = read_policy(pipeline, &file, fixed, diags);
  config_close(&file);
  return status == STATUS_NOMEM || status == STATUS_OK ? status : STATUS_CONFIG;
}

/* --- which records a rule applies to --- */

static enum status compile_applies(struct pipeline *pipeline, size_t way, struct diag_list *diags) {
  const struct pipeline_rules *rules = &pipeline->ways[way].rules;
  const struct def_type *type = pipeline->routes.routes[way].type;
  enum status status = STATUS_OK;
  struct fp_program **programs = ARENA_ARRAY(pipeline->arena, struct fp_program *, rules->count + 1);
  if (!programs) return STATUS_NOMEM;
  for (size_t i = 0; i < rules->count && status == STATUS_OK; i++) {
    const struct def_constraint *constraint = &rules->items[i].constraint;
    struct source *source = ARENA_NEW(pipeline->arena, struct source);
    if (!source) return STATUS_NOMEM;
    *source = source_make(constraint->key, constraint->applies);
    struct fp_compile compile = {.definitions = pipeline->definitions,
                                 .input = type,
                                 .resource = type,
                                 .source = source,
                                 .to = source->text.len};
    status = fhirpath_compile(&compile, pipeline->arena, diags, &programs[i], NULL);
  }
  pipeline->ways[way].applies = programs;
  return status == STATUS_INVALID ? STATUS_CONFIG : status;
}

/* A model that cannot be taken brings no rule: what is wrong with it says more than a policy that names none. */
static bool has_rules(const struct pipeline *pipeline) {
  for (size_t i = 0; i < pipeline->routes.count; i++)
    if (pipeline->ways[i].rules.count) return true;
  return false;
}

enum status pipeline_rules_open(struct pipeline *pipeline, const struct pipeline_params *params,
                                struct diag_list *diags) {
  enum status status = STATUS_OK;
  struct map fixed;
  map_init(&fixed, pipeline->arena);
  for (size_t i = 0; i < pipeline->routes.count && status == STATUS_OK; i++)
    status = collect(pipeline, i, &fixed, diags);
  if (status == STATUS_OK && (has_rules(pipeline) || !params->mending))
    status = open_policy(pipeline, &fixed, diags);
  if (params->mending && status == STATUS_CONFIG) status = STATUS_OK;
  for (size_t i = 0; params->checklist && i < pipeline->routes.count && status == STATUS_OK; i++)
    status = compile_applies(pipeline, i, diags);
  return status;
}

const struct pipeline_rules *pipeline_rules_of(const struct pipeline *pipeline,
                                               const struct intake_route *route) {
  return &pipeline->ways[route - pipeline->routes.routes].rules;
}
