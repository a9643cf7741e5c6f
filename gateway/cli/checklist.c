/* checklist.c - the checklist of a record: a table for people, a line of JSON for programs. No value of a patient. */
#include "cli/checklist.h"

enum { KEY_WIDTH = 18, LINE_WIDTH = 110 };

static const char *const signs[] = {
    [PIPELINE_HOLDS] = "✓", [PIPELINE_WARNS] = "!",    [PIPELINE_FAILS] = "✗", [PIPELINE_NOT_APPLICABLE] = "–",
    [PIPELINE_RULE_OFF] = "○", [PIPELINE_NOT_KNOWN] = "?"};

static bool is_of(const struct diag *diag, const struct pipeline_rule *rule) {
  return diag->code == DIAG_CONSTRAINT_FAILED && str_eq(diag->rule, rule->constraint.key);
}

/* --- for people --- */

/* Characters as the eye counts them, nearly: bytes that begin one. */
static size_t width_of(struct str text) {
  size_t width = 0;
  for (size_t i = 0; i < text.len; i++)
    width += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
  return width;
}

/* Words from a column on, in lines that fit. */
static void add_wrapped(struct buf *out, struct str text, size_t indent) {
  size_t at = 0, column = indent;
  while (at < text.len) {
    size_t end = str_find_char(text, ' ', at);
    struct str word = str_slice(text, at, end);
    if (column > indent && column + 1 + width_of(word) > LINE_WIDTH) {
      buf_printf(out, "\n%*s", (int)indent, "");
      column = indent;
    } else if (column > indent) {
      buf_add_char(out, ' ');
      column++;
    }
    buf_add_str(out, word);
    column += width_of(word);
    at = end == SIZE_MAX ? text.len : end + 1;
  }
  buf_add_char(out, '\n');
}

static void add_places(struct buf *out, const struct cli_checklist *checklist, const struct pipeline_rule *rule) {
  for (const struct diag *diag = checklist->diags->first; diag; diag = diag->next) {
    if (!is_of(diag, rule)) continue;
    buf_printf(out, "%*s", KEY_WIDTH + 5, "");
    if (diag->file.len && !str_is(diag->file, checklist->path)) /* a table of a set */
      buf_printf(out, "%.*s, ", STR_ARG(diag->file));
    if (diag->line) buf_printf(out, "line %u, column %u: ", diag->line, diag->col);
    buf_printf(out, "%.*s\n", STR_ARG(diag->path));
  }
}

static void add_row(struct buf *out, const struct cli_checklist *checklist, size_t index) {
  const struct pipeline_rule *rule = &checklist->list->rules->items[index];
  enum pipeline_mark mark = checklist->list->marks[index];
  buf_printf(out, "  %s %-*.*s ", signs[mark], KEY_WIDTH, STR_ARG(rule->constraint.key));
  if (mark == PIPELINE_RULE_OFF) buf_add_text(out, "(off by policy) ");
  add_wrapped(out, rule->constraint.human, KEY_WIDTH + 5);
  add_places(out, checklist, rule);
}

static void add_totals(struct buf *out, const struct cli_checklist *checklist) {
  static const char *const words[] = {"hold", "warn", "fail", "not applicable", "off by policy", "not known"};
  static const enum pipeline_mark order[] = {PIPELINE_FAILS,          PIPELINE_WARNS,    PIPELINE_HOLDS,
                                             PIPELINE_NOT_APPLICABLE, PIPELINE_RULE_OFF, PIPELINE_NOT_KNOWN};
  const char *between = "";
  buf_printf(out, "%.*s: ", STR_ARG(checklist->name));
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
    if (!checklist->list->by_mark[order[i]]) continue;
    buf_printf(out, "%s%zu %s", between, checklist->list->by_mark[order[i]], words[order[i]]);
    between = ", ";
  }
  if (!*between) buf_add_text(out, "its model has no session rules");
  buf_add_char(out, '\n');
}

void cli_checklist_text(const struct cli_checklist *checklist, struct buf *out) {
  const struct pipeline_rules *rules = checklist->list->rules;
  size_t errors = checklist->list->model_errors;
  add_totals(out, checklist);
  if (errors)
    buf_printf(out,
               "The record breaks its model in %zu place%s: what is marked ? is not known until that is mended.\n",
               errors, errors == 1 ? "" : "s");
  for (size_t i = 0; i < rules->count; i++) {
    struct str group = rules->items[i].constraint.group;
    if (i == 0 || !str_eq(group, rules->items[i - 1].constraint.group))
      buf_printf(out, "%.*s\n", STR_ARG(pipeline_group_title(group)));
    add_row(out, checklist, i);
  }
}

/* --- for programs --- */

static void add_text(struct buf *out, const char *name, struct str value) {
  buf_printf(out, "\"%s\":", name);
  buf_add_json(out, value);
}

static void add_json_places(struct buf *out, const struct cli_checklist *checklist,
                            const struct pipeline_rule *rule) {
  const char *between = "";
  buf_add_text(out, ",\"places\":[");
  for (const struct diag *diag = checklist->diags->first; diag; diag = diag->next) {
    if (!is_of(diag, rule)) continue;
    buf_printf(out, "%s{", between);
    add_text(out, "file", diag->file);
    buf_printf(out, ",\"line\":%u,\"column\":%u,", diag->line, diag->col);
    add_text(out, "path", diag->path);
    buf_add_char(out, '}');
    between = ",";
  }
  buf_add_char(out, ']');
}

static void add_json_rule(struct buf *out, const struct cli_checklist *checklist, size_t index) {
  const struct pipeline_rule *rule = &checklist->list->rules->items[index];
  buf_add_text(out, index ? ",{" : "{");
  add_text(out, "key", rule->constraint.key);
  buf_add_char(out, ',');
  add_text(out, "group", rule->constraint.group);
  buf_add_char(out, ',');
  add_text(out, "status", str_of(pipeline_mark_name(checklist->list->marks[index])));
  buf_add_char(out, ',');
  add_text(out, "severity", str_of(pipeline_level_name(rule->level)));
  buf_add_char(out, ',');
  add_text(out, "words", rule->constraint.human);
  add_json_places(out, checklist, rule);
  buf_add_char(out, '}');
}

void cli_checklist_json(const struct cli_checklist *checklist, struct buf *out) {
  const struct pipeline_checklist *list = checklist->list;
  buf_add_char(out, '{');
  add_text(out, "input", str_of(checklist->path));
  buf_printf(out, ",\"line\":%u,\"modelErrors\":%zu,\"rules\":[", checklist->line, list->model_errors);
  for (size_t i = 0; i < list->rules->count; i++)
    add_json_rule(out, checklist, i);
  buf_add_text(out, "]}\n");
}

/* --- the rest --- */

static bool is_of_any(const struct diag *diag, const struct pipeline_rules *rules) {
  for (size_t i = 0; rules && i < rules->count; i++)
    if (is_of(diag, &rules->items[i])) return true;
  return false;
}

bool cli_checklist_others(const struct cli_checklist *checklist, struct arena *arena, struct diag_list *out) {
  diag_list_init(out, arena);
  out->dropped = checklist->diags->dropped;
  for (const struct diag *diag = checklist->diags->first; diag; diag = diag->next) {
    if (is_of_any(diag, checklist->list->rules)) continue;
    struct diag *copy = ARENA_NEW(arena, struct diag);
    if (!copy) return false;
    *copy = *diag;
    copy->next = NULL;
    *(out->last ? &out->last->next : &out->first) = copy;
    out->last = copy;
    out->count++;
  }
  return true;
}
