/*
 * xhtml.c - the narrative's rules (R4 narrative.html): one div in the XHTML namespace, well-formed, only the
 * formatting elements of HTML 4.0, no script, style sheet, form, frame, object or event attribute. A scanner
 * with a stack of names; bounded in depth.
 */
#include "validation/internal.h"

enum { XHTML_DEPTH = 64 };

struct scan {
  struct str text;
  size_t at;
  struct str open[XHTML_DEPTH];
  size_t depth;
  const char *why;
};

/* Chapters 7 to 11 and 15 of HTML 4.0, links and images. */
static const struct str elements[] = {
    {"a", 1},    {"abbr", 4},    {"acronym", 7}, {"b", 1},     {"big", 3},   {"blockquote", 10},
    {"br", 2},   {"caption", 7}, {"cite", 4},    {"code", 4},  {"col", 3},   {"colgroup", 8},
    {"dd", 2},   {"dfn", 3},     {"div", 3},     {"dl", 2},    {"dt", 2},    {"em", 2},
    {"h1", 2},   {"h2", 2},      {"h3", 2},      {"h4", 2},    {"h5", 2},    {"h6", 2},
    {"hr", 2},   {"i", 1},       {"img", 3},     {"li", 2},    {"map", 3},   {"area", 4},
    {"ol", 2},   {"p", 1},       {"pre", 3},     {"q", 1},     {"samp", 4},  {"small", 5},
    {"span", 4}, {"strong", 6},  {"sub", 3},     {"sup", 3},   {"table", 5}, {"tbody", 5},
    {"td", 2},   {"tfoot", 5},   {"th", 2},      {"thead", 5}, {"tr", 2},    {"tt", 2},
    {"ul", 2},   {"var", 3},     {"dir", 3},     {"kbd", 3},   {"bdo", 3},   {"ins", 3},
    {"del", 3},  {"u", 1},       {"center", 6},  {"font", 4}};

static bool fail(struct scan *scan, const char *why) {
  if (!scan->why) scan->why = why;
  return false;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == ':' || c == '.';
}

static bool at_text(const struct scan *scan, struct str what) {
  return str_starts(str_slice(scan->text, scan->at, scan->text.len), what);
}

static void skip_space(struct scan *scan) {
  while (scan->at < scan->text.len && is_space(scan->text.ptr[scan->at]))
    scan->at++;
}

static struct str take_name(struct scan *scan) {
  size_t from = scan->at;
  while (scan->at < scan->text.len && is_name(scan->text.ptr[scan->at]))
    scan->at++;
  return str_slice(scan->text, from, scan->at);
}

static bool is_allowed(struct str name) {
  for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++)
    if (str_eq(name, elements[i])) return true;
  return false;
}

/* `&name;` or `&#1234;` */
static bool take_entity(struct scan *scan) {
  scan->at++;
  if (scan->at < scan->text.len && scan->text.ptr[scan->at] == '#') scan->at++;
  struct str name = take_name(scan);
  if (name.len == 0 || scan->at >= scan->text.len || scan->text.ptr[scan->at] != ';')
    return fail(scan, "an & in the XHTML must begin an entity: write &amp;");
  scan->at++;
  return true;
}

static bool take_value(struct scan *scan, struct str *value) {
  char quote = scan->at < scan->text.len ? scan->text.ptr[scan->at] : 0;
  if (quote != '"' && quote != '\'') return fail(scan, "an attribute of the XHTML has no quoted value");
  size_t from = ++scan->at;
  while (scan->at < scan->text.len && scan->text.ptr[scan->at] != quote) {
    char c = scan->text.ptr[scan->at];
    if (c == '<') return fail(scan, "an attribute of the XHTML holds <");
    if (c != '&')
      scan->at++;
    else if (!take_entity(scan))
      return false;
  }
  if (scan->at >= scan->text.len) return fail(scan, "an attribute of the XHTML is not closed");
  *value = str_slice(scan->text, from, scan->at++);
  return true;
}

static bool check_attribute(struct scan *scan, struct str name, struct str value, bool *in_namespace) {
  if (str_starts(name, STR("on"))) return fail(scan, "the XHTML has an event attribute");
  if (str_starts(str_trim(value), STR("javascript:"))) return fail(scan, "the XHTML has a script");
  if (str_is(name, "xmlns")) *in_namespace = str_is(value, "http://www.w3.org/1999/xhtml");
  return true;
}

static bool take_attributes(struct scan *scan, bool *in_namespace) {
  struct str value = {0};
  for (;;) {
    size_t before = scan->at;
    skip_space(scan);
    struct str name = take_name(scan);
    if (name.len == 0) return true;
    if (scan->at - name.len == before) return fail(scan, "attributes of the XHTML need a space between them");
    skip_space(scan);
    if (scan->at >= scan->text.len || scan->text.ptr[scan->at] != '=')
      return fail(scan, "an attribute of the XHTML has no value");
    scan->at++;
    skip_space(scan);
    if (!take_value(scan, &value) || !check_attribute(scan, name, value, in_namespace)) return false;
  }
}

static bool take_open(struct scan *scan) {
  bool in_namespace = scan->depth > 0;
  scan->at++;
  struct str name = take_name(scan);
  if (name.len == 0) return fail(scan, "a < in the XHTML must begin a tag: write &lt;");
  if (scan->depth == 0 && !str_is(name, "div")) return fail(scan, "the XHTML must be one div");
  if (!is_allowed(name)) return fail(scan, "the XHTML has an element that a narrative may not have");
  if (!take_attributes(scan, &in_namespace)) return false;
  if (!in_namespace) return fail(scan, "the div must have xmlns=\"http://www.w3.org/1999/xhtml\"");
  if (at_text(scan, STR("/>"))) {
    scan->at += 2;
    return true;
  }
  if (!at_text(scan, STR(">"))) return fail(scan, "a tag of the XHTML is not closed");
  scan->at++;
  if (scan->depth == XHTML_DEPTH) return fail(scan, "the XHTML is nested too deeply");
  scan->open[scan->depth++] = name;
  return true;
}

static bool take_close(struct scan *scan) {
  scan->at += 2;
  struct str name = take_name(scan);
  skip_space(scan);
  if (!at_text(scan, STR(">"))) return fail(scan, "an end tag of the XHTML is not closed");
  scan->at++;
  if (scan->depth == 0 || !str_eq(scan->open[scan->depth - 1], name))
    return fail(scan, "an end tag of the XHTML closes what is not open");
  scan->depth--;
  return true;
}

static bool take_comment(struct scan *scan) {
  size_t end = str_find(scan->text, STR("-->"), scan->at + 4);
  if (end == SIZE_MAX) return fail(scan, "a comment of the XHTML is not closed");
  scan->at = end + 3;
  return true;
}

static bool take_one(struct scan *scan) {
  char c = scan->text.ptr[scan->at];
  if (c == '&') return take_entity(scan);
  if (c != '<') {
    while (scan->at < scan->text.len && scan->text.ptr[scan->at] != '<' && scan->text.ptr[scan->at] != '&')
      scan->at++;
    return true;
  }
  if (at_text(scan, STR("<!--"))) return take_comment(scan);
  if (at_text(scan, STR("</"))) return take_close(scan);
  return take_open(scan);
}

bool validation_xhtml(struct str text, const char **why) {
  struct scan scan = {.text = str_trim(text)};
  bool good = at_text(&scan, STR("<div")) || fail(&scan, "the XHTML must be one div");
  good = good && take_one(&scan);
  while (good && scan.depth > 0 && scan.at < scan.text.len)
    good = take_one(&scan);
  if (good && scan.depth > 0) good = fail(&scan, "an element of the XHTML is not closed");
  if (good && scan.at < scan.text.len) good = fail(&scan, "the XHTML has text after its div");
  if (why) *why = scan.why;
  return good;
}
