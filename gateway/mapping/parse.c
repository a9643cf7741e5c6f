/*
 * parse.c - FML text to syntax tree: metadata, concept maps, uses, imports, constants, groups.
 *
 * After a fault the parser skips to the next `;` or `}` (in rules) or declaration and goes on, so one run
 * reports every fault of a file.
 */
#include <stdio.h>
#include "mapping/parse.h"

void fml_advance(struct fml_parser *p) {
  p->last_end = p->token.end;
  p->token = fml_next(&p->lexer);
  if (p->token.kind != FML_BAD) return;
  fml_syntax(p, "%s", p->lexer.fault);
  while (p->token.kind == FML_BAD)
    p->token = fml_next(&p->lexer);
}

void fml_syntax(struct fml_parser *p, const char *format, ...) {
  if (p->panic) return;
  p->panic = true;
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(p->arena, format, args);
  va_end(args);
  struct diag_at at = {.source = &p->map->source, .offset = p->token.at};
  diag_error(p->diags, DIAG_MAP_SYNTAX, &at, "%.*s", STR_ARG(text));
}

static struct str describe(struct fml_parser *p) {
  if (p->token.kind == FML_END) return STR("the end of the text");
  return arena_printf(p->arena, "'%.*s'", STR_ARG(diag_quote(p->arena, p->token.text)));
}

bool fml_at_symbol(const struct fml_parser *p, unsigned symbol) {
  return p->token.kind == FML_SYMBOL && p->token.symbol == symbol;
}

bool fml_at_word(const struct fml_parser *p, const char *word) {
  return p->token.kind == FML_NAME && str_is(p->token.text, word);
}

bool fml_take_symbol(struct fml_parser *p, unsigned symbol) {
  if (!fml_at_symbol(p, symbol)) return false;
  fml_advance(p);
  return true;
}

bool fml_take_word(struct fml_parser *p, const char *word) {
  if (!fml_at_word(p, word)) return false;
  fml_advance(p);
  return true;
}

void fml_want_symbol(struct fml_parser *p, unsigned symbol, const char *where) {
  if (p->panic || fml_take_symbol(p, symbol)) return;
  char text[3] = {(char)(symbol & 0xff), (char)(symbol >> 8), '\0'};
  fml_syntax(p, "expected '%s' %s, found %.*s", text, where, STR_ARG(describe(p)));
}

struct str fml_plain(struct fml_parser *p, struct str raw) {
  struct str text = fml_unescape(p->arena, raw);
  if (!text.ptr) p->nomem = p->panic = true;
  return text;
}

struct ast_name fml_want_name(struct fml_parser *p, const char *what) {
  struct ast_name name = {.at = p->token.at};
  if (p->panic) return name;
  if (p->token.kind != FML_NAME && p->token.kind != FML_DELIMITED) {
    fml_syntax(p, "expected %s, found %.*s", what, STR_ARG(describe(p)));
    return name;
  }
  name.text = p->token.kind == FML_NAME ? p->token.text : fml_plain(p, p->token.text);
  fml_advance(p);
  return name;
}

struct ast_name fml_want_text(struct fml_parser *p, const char *what) {
  struct ast_name name = {.at = p->token.at};
  if (p->panic) return name;
  if (p->token.kind != FML_STRING && p->token.kind != FML_QUOTED && p->token.kind != FML_DELIMITED) {
    fml_syntax(p, "expected %s in quotes, found %.*s", what, STR_ARG(describe(p)));
    return name;
  }
  name.text = fml_plain(p, p->token.text);
  fml_advance(p);
  return name;
}

void *fml_node(struct fml_parser *p, size_t size) {
  void *node = arena_zalloc(p->arena, size);
  if (!node) p->nomem = p->panic = true;
  return node;
}

/* --- header ----------------------------------------------------------------------------------------------
 */

static struct str meta_value(struct fml_parser *p, struct str text) {
  text = str_trim(text);
  if (text.len >= 6 && str_starts(text, STR("\"\"\""))) return str_trim(str_slice(text, 3, text.len - 3));
  if (text.len < 2 || (text.ptr[0] != '"' && text.ptr[0] != '\'')) return text;
  size_t close = 1;
  while (close < text.len && text.ptr[close] != text.ptr[0])
    close += text.ptr[close] == '\\' ? 2u : 1u;
  return close >= text.len ? text : fml_plain(p, str_slice(text, 1, close));
}

/* `/// key = value`; other lines of three slashes are comments. */
static void parse_meta(struct fml_parser *p) {
  struct str line = p->token.text;
  size_t equals = str_find_char(line, '=', 0);
  if (equals != SIZE_MAX) {
    struct str key = str_trim(str_slice(line, 0, equals));
    struct str value = meta_value(p, str_slice(line, equals + 1, line.len));
    struct mapping_map *map = p->map;
    struct {
      const char *key;
      struct str *to;
    } const known[] = {
        {"url", &map->url}, {"name", &map->name}, {"title", &map->title}, {"status", &map->status}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
      if (str_is(key, known[i].key)) *known[i].to = value;
    if (str_is(key, "url")) map->header_at = p->token.at;
  }
  fml_advance(p);
}

static void parse_map_line(struct fml_parser *p) {
  p->map->header_at = p->token.at;
  fml_advance(p);
  p->map->url = fml_want_text(p, "the map's URL").text;
  fml_want_symbol(p, '=', "after the map's URL");
  if (p->token.kind == FML_NAME)
    p->map->name = fml_want_name(p, "the map's name").text;
  else
    p->map->name = fml_want_text(p, "the map's name").text;
  fml_take_symbol(p, ';');
}

static void parse_uses(struct fml_parser *p) {
  static const char *const modes[] = {"source", "queried", "target", "produced"};
  struct ast_uses *uses = FML_NODE(p, struct ast_uses), **end = &p->map->uses;
  if (!uses) return;
  fml_advance(p);
  uses->url = fml_want_text(p, "the URL of a structure");
  if (fml_take_word(p, "alias")) uses->alias = fml_want_name(p, "an alias");
  if (!p->panic && !fml_take_word(p, "as"))
    fml_syntax(p, "expected 'as source' or 'as target', found %.*s", STR_ARG(describe(p)));
  size_t mode = 0;
  while (mode < 4 && !fml_at_word(p, modes[mode]))
    mode++;
  uses->is_target = mode >= 2;
  uses->is_helper = mode == 1 || mode == 3;
  if (mode < 4)
    fml_advance(p);
  else
    fml_syntax(p, "expected source, target, queried or produced, found %.*s", STR_ARG(describe(p)));
  fml_take_symbol(p, ';');
  while (*end)
    end = &(*end)->next;
  if (!p->panic) *end = uses;
}

static void parse_import(struct fml_parser *p) {
  struct ast_import *import = FML_NODE(p, struct ast_import), **end = &p->map->imports;
  if (!import) return;
  fml_advance(p);
  import->url = fml_want_text(p, "the URL of a map");
  fml_take_symbol(p, ';');
  while (*end)
    end = &(*end)->next;
  if (!p->panic) *end = import;
}

static void parse_let(struct fml_parser *p) {
  struct ast_constant *constant = FML_NODE(p, struct ast_constant), **end = &p->map->constants;
  if (!constant) return;
  fml_advance(p);
  constant->name = fml_want_name(p, "the name of a constant");
  fml_want_symbol(p, '=', "after the name of a constant");
  constant->value = fml_parse_expression(p, "the value of a constant");
  fml_want_symbol(p, ';', "after the value of a constant");
  while (*end)
    end = &(*end)->next;
  if (p->panic) return;
  *end = constant;
  p->map->constant_count++;
}

/* --- inline concept maps ---------------------------------------------------------------------------------
 */

struct prefix {
  struct prefix *next;
  struct str name, url;
};

static struct str want_prefix(struct fml_parser *p, const struct prefix *prefixes) {
  struct ast_name name = fml_want_name(p, "a prefix");
  for (; prefixes; prefixes = prefixes->next)
    if (str_eq(prefixes->name, name.text)) return prefixes->url;
  p->token.at = name.at;
  fml_syntax(p, "no prefix '%.*s' is declared in this concept map", STR_ARG(name.text));
  return STR("");
}

static struct str want_code(struct fml_parser *p) {
  struct ast_name code = {.at = p->token.at};
  if (p->token.kind != FML_NAME && p->token.kind != FML_NUMBER) return fml_want_text(p, "a code").text;
  code.text = p->token.text;
  fml_advance(p);
  return code.text;
}

static struct str want_equivalence(struct fml_parser *p) {
  static const struct {
    unsigned symbol;
    const char *equivalence;
  } rows[] = {{'-', "relatedto"},
              {'~', "relatedto"},
              {FML_PAIR('=', '='), "equivalent"},
              {'=', "equal"},
              {FML_PAIR('!', '='), "disjoint"},
              {FML_PAIR('<', '='), "wider"},
              {FML_PAIR('>', '='), "narrower"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (fml_take_symbol(p, rows[i].symbol)) return str_of(rows[i].equivalence);
  fml_syntax(p, "expected one of - == = != <= >= ~ between two codes, found %.*s", STR_ARG(describe(p)));
  return STR("");
}

static void parse_code_map(struct fml_parser *p, struct concept_map *map, const struct prefix *prefixes) {
  uint32_t at = p->token.at;
  struct str source = want_prefix(p, prefixes);
  fml_want_symbol(p, ':', "after a prefix");
  struct str code = want_code(p);
  struct str equivalence = want_equivalence(p);
  struct str target = want_prefix(p, prefixes);
  fml_want_symbol(p, ':', "after a prefix");
  struct str to = want_code(p);
  fml_take_symbol(p, ';');
  struct concept_target *row = p->panic ? NULL : FML_NODE(p, struct concept_target);
  if (!row) return;
  *row = (struct concept_target){.system = target, .code = to, .equivalence = equivalence};
  struct concept_group *group = fml_concept_group(map, p->arena, source, target);
  if (!group || !fml_concept_add(map, p->arena, group, code, at, row)) p->nomem = p->panic = true;
}

static void parse_unmapped(struct fml_parser *p, struct concept_map *map, const struct prefix *prefixes) {
  uint32_t at = p->token.at;
  fml_advance(p);
  if (!fml_take_word(p, "for")) fml_syntax(p, "expected 'for' after 'unmapped'");
  struct str source = want_prefix(p, prefixes);
  fml_want_symbol(p, '=', "after the prefix");
  if (!fml_take_word(p, "provided")) fml_syntax(p, "only 'provided' is known here");
  fml_take_symbol(p, ';');
  if (p->panic) return;
  struct concept_group *group = fml_concept_group(map, p->arena, source, STR(""));
  if (!group) {
    p->nomem = p->panic = true;
    return;
  }
  group->unmapped = CONCEPT_PROVIDED;
  group->at = at;
}

static void parse_concept_map(struct fml_parser *p) {
  struct prefix *prefixes = NULL;
  fml_advance(p);
  struct ast_name id = fml_want_text(p, "the concept map's id");
  if (str_starts(id.text, STR("#"))) id.text = str_slice(id.text, 1, id.text.len);
  if (p->panic) return;
  struct concept_map *map = fml_concept_new(p->arena, STR(""));
  if (!map) {
    p->nomem = p->panic = true;
    return;
  }
  map->id = id.text;
  map->source = &p->map->source;
  fml_want_symbol(p, '{', "after the concept map's id");
  while (!p->panic && !fml_at_symbol(p, '}') && p->token.kind != FML_END) {
    if (fml_take_word(p, "prefix")) {
      struct prefix *prefix = FML_NODE(p, struct prefix);
      if (!prefix) return;
      prefix->name = fml_want_name(p, "a prefix").text;
      fml_want_symbol(p, '=', "after the prefix");
      prefix->url = fml_want_text(p, "the URL of a code system").text;
      fml_take_symbol(p, ';');
      prefix->next = prefixes;
      prefixes = prefix;
    } else if (fml_at_word(p, "unmapped")) {
      parse_unmapped(p, map, prefixes);
    } else {
      parse_code_map(p, map, prefixes);
    }
  }
  fml_want_symbol(p, '}', "after the last row of a concept map");
  map->next_inline = p->map->concept_maps;
  p->map->concept_maps = map;
}

/* --- groups ----------------------------------------------------------------------------------------------
 */

static void parse_param(struct fml_parser *p, struct ast_group *group) {
  struct ast_param *param = FML_NODE(p, struct ast_param), **end = &group->params;
  if (!param) return;
  param->is_target = fml_at_word(p, "target");
  if (!fml_take_word(p, "target") && !fml_take_word(p, "source"))
    fml_syntax(p, "a parameter begins with source or target, found %.*s", STR_ARG(describe(p)));
  param->name = fml_want_name(p, "the name of a parameter");
  if (fml_take_symbol(p, ':')) {
    param->type.at = p->token.at;
    param->type = p->token.kind == FML_NAME || p->token.kind == FML_DELIMITED ? fml_want_name(p, "a type")
                                                                              : fml_want_text(p, "a type");
  }
  while (*end)
    end = &(*end)->next;
  if (p->panic) return;
  *end = param;
  group->param_count++;
}

static void parse_type_mode(struct fml_parser *p, struct ast_group *group) {
  if (!fml_take_symbol(p, FML_OPEN_TYPES)) return;
  if (fml_take_word(p, "types")) {
    group->type_mode = AST_TYPES;
  } else if (fml_take_word(p, "type")) {
    fml_want_symbol(p, '+', "after 'type'");
    group->type_mode = AST_TYPE_PLUS;
  } else {
    fml_syntax(p, "expected <<types>> or <<type+>>");
  }
  fml_want_symbol(p, FML_CLOSE_TYPES, "after the type mode");
}

static void parse_group(struct fml_parser *p) {
  struct ast_group *group = FML_NODE(p, struct ast_group), **end = &p->map->groups;
  if (!group) return;
  fml_advance(p);
  group->map = p->map;
  group->name = fml_want_name(p, "the name of a group");
  fml_want_symbol(p, '(', "after the group's name");
  do {
    parse_param(p, group);
  } while (!p->panic && fml_take_symbol(p, ','));
  fml_want_symbol(p, ')', "after the parameters");
  if (fml_take_word(p, "extends")) group->parent = fml_want_name(p, "the name of a group");
  parse_type_mode(p, group);
  if (p->panic) return;
  group->rules = fml_parse_rules(p);
  fml_take_symbol(p, ';');
  while (*end)
    end = &(*end)->next;
  if (!p->nomem) *end = group;
}

/* --- whole file ------------------------------------------------------------------------------------------
 */

static const struct {
  const char *word;
  void (*parse)(struct fml_parser *p);
} declarations[] = {{"map", parse_map_line}, {"uses", parse_uses},   {"imports", parse_import},
                    {"let", parse_let},      {"group", parse_group}, {"conceptmap", parse_concept_map}};

static bool at_declaration(const struct fml_parser *p) {
  for (size_t i = 0; i < sizeof declarations / sizeof declarations[0]; i++)
    if (fml_at_word(p, declarations[i].word)) return true;
  return false;
}

/* To the next declaration, after the one that began at `from`, that is not inside braces. */
static void recover(struct fml_parser *p, uint32_t from) {
  unsigned braces = 0;
  p->panic = true; /* no second message for what is skipped */
  while (p->token.kind != FML_END) {
    if (braces == 0 && p->token.at != from && at_declaration(p)) break;
    if (fml_at_symbol(p, '{')) braces++;
    bool end = fml_at_symbol(p, '}') && (braces == 0 || --braces == 0);
    fml_advance(p);
    if (end) break;
  }
  p->panic = false;
}

static void parse_declaration(struct fml_parser *p) {
  if (p->token.kind == FML_META) {
    parse_meta(p);
    return;
  }
  for (size_t i = 0; i < sizeof declarations / sizeof declarations[0]; i++) {
    if (!fml_at_word(p, declarations[i].word)) continue;
    declarations[i].parse(p);
    return;
  }
  fml_syntax(p, "expected map, uses, imports, conceptmap, let or group, found %.*s", STR_ARG(describe(p)));
}

/* `head`: up to its first group. */
static enum status parse(struct mapping_set *set, struct mapping_map *map, struct diag_list *diags, bool head) {
  size_t errors = diag_errors(diags);
  struct fml_parser p = {.set = set, .map = map, .arena = set->arena, .diags = diags};
  p.lexer = (struct fml_lexer){.source = &map->source, .header = true};
  fml_advance(&p);
  while (p.token.kind != FML_END && !p.nomem && !(head && fml_at_word(&p, "group"))) {
    uint32_t from = p.token.at;
    parse_declaration(&p);
    if (p.panic && !p.nomem) recover(&p, from);
  }
  if (p.nomem) return STATUS_NOMEM;
  struct diag_at start = {.source = &map->source};
  if (!map->groups && !head && diag_errors(diags) == errors)
    diag_error(diags, DIAG_MAP_SYNTAX, &start, "the map has no group");
  return STATUS_OK;
}

enum status fml_parse(struct mapping_set *set, struct mapping_map *map, struct diag_list *diags) {
  map->whole = true;
  return parse(set, map, diags, false);
}

enum status fml_parse_head(struct mapping_set *set, struct mapping_map *map, struct diag_list *diags) {
  return parse(set, map, diags, true);
}
