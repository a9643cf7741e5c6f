/* convert.c - map text to a StructureMap resource and back, by way of the syntax tree. */
#include "mapping/write.h"

/* --- expressions -----------------------------------------------------------------------------------------
 */

/* Where the bracket or quote that opens at `from` closes. */
static size_t closing(struct str text, size_t from) {
  size_t depth = 0;
  for (size_t at = from; at < text.len; at++) {
    char c = text.ptr[at];
    if (c == '\'' || c == '"' || c == '`') {
      for (at++; at < text.len && text.ptr[at] != c; at++)
        at += text.ptr[at] == '\\';
      if (depth == 0) return at;
    }
    if (c == '(') depth++;
    if (c == ')' && --depth == 0) return at;
  }
  return SIZE_MAX;
}

struct str fml_write_expression(const struct fml_writer *w, struct ast_range range) {
  struct str text = str_trim(str_slice(w->map->source.text, range.from, range.to));
  while (text.len > 2 && text.ptr[0] == '(' && closing(text, 0) == text.len - 1)
    text = str_trim(str_slice(text, 1, text.len - 1));
  return text;
}

bool fml_write_is_text(const struct fml_writer *w, struct ast_range range, struct str *value) {
  struct str text = fml_write_expression(w, range);
  bool quoted = text.len >= 2 && (text.ptr[0] == '\'' || text.ptr[0] == '"');
  if (!quoted || closing(text, 0) != text.len - 1) return false;
  *value = fml_unescape(w->arena, str_slice(text, 1, text.len - 1));
  return value->ptr != NULL;
}

bool fml_write_is_number(struct str text) {
  struct decimal number;
  return decimal_parse(text, &number);
}

void fml_write_warn(const struct fml_writer *w, uint32_t at, const char *what) {
  struct diag_at place = {.source = &w->map->source, .offset = at};
  diag_warning(w->diags, DIAG_MAP_SYNTAX, &place, "%s", what);
}

/* --- both ways -------------------------------------------------------------------------------------------
 */

static bool is_json(struct str text) {
  size_t at = str_starts(text, STR("\xef\xbb\xbf")) ? 3 : 0;
  struct str rest = str_trim(str_slice(text, at, text.len));
  return rest.len && rest.ptr[0] == '{';
}

static enum status read_json(struct mapping_set *set, struct mapping_map *map, struct diag_list *diags) {
  struct tree_node *root = NULL;
  if (str_starts(map->source.text, STR("\xef\xbb\xbf")))
    map->source.text = str_slice(map->source.text, 3, map->source.text.len);
  enum status status = tree_read_json(&map->source, NULL, set->arena, diags, &root);
  if (status != STATUS_OK) return status;
  if (str_is(tree_text(root, "resourceType"), "StructureMap"))
    return fml_read_resource(set, map, root, diags);
  struct diag_at at = {.source = &map->source};
  diag_error(diags, DIAG_INPUT_FORMAT, &at, "this is no StructureMap");
  return STATUS_INVALID;
}

static enum status write_json(struct fml_writer *w, struct buf *out) {
  struct tree_write writing = {.pretty = true};
  struct tree_node *root = fml_write_resource(w);
  if (!root || w->nomem) return STATUS_NOMEM;
  tree_write_json(root, &writing, out);
  buf_add_char(out, '\n');
  return out->error;
}

static enum status write_fml(struct fml_writer *w, struct buf *out) {
  fml_write_text(w, out);
  return w->nomem ? STATUS_NOMEM : out->error;
}

enum status mapping_convert(const struct source *source, bool r5, struct arena *arena,
                            struct diag_list *diags, struct buf *out) {
  struct mapping_set set = {.arena = arena};
  struct mapping_map map = {.source = *source};
  struct fml_writer w = {.map = &map, .arena = arena, .diags = diags, .r5 = r5};
  bool json = is_json(source->text);
  size_t errors = diag_errors(diags);
  if (!fml_check_bytes(source, diags)) return STATUS_INVALID;
  enum status status = json ? read_json(&set, &map, diags) : fml_parse(&set, &map, diags);
  if (status == STATUS_OK && diag_errors(diags) > errors) status = STATUS_INVALID;
  if (status != STATUS_OK) return status;
  return json ? write_fml(&w, out) : write_json(&w, out);
}
