/*
 * xhtml.c - the narrative's rules (R4 narrative.html, txt-1 and txt-2): one div in the XHTML namespace,
 * well-formed, some content, only the formatting elements and attributes of HTML 4.0 that are not deprecated,
 * no script, style sheet, form, frame, object or event attribute, no entities but XML's own. A scanner with a
 * stack of elements; bounded in depth.
 */
#include "validation/internal.h"

enum { XHTML_DEPTH = 64 };

/* What may stand where. */
enum {
  IS_BLOCK = 1,   /* not in a paragraph */
  IS_CONTENT = 2, /* is something to see */
  IN_LIST = 4,
  IN_DEFINITIONS = 8,
  IN_TABLE = 16,
  IN_ROW = 32,
  ONLY_IN = IN_LIST | IN_DEFINITIONS | IN_TABLE | IN_ROW, /* a child of one of these */
  LIST = 64,
  DEFINITIONS = 128,
  TABLE = 256,
  ROW = 512,
  PARAGRAPH = 1024,
  LINK = 2048
};

struct element {
  struct str name;
  unsigned is;
};

struct scan {
  struct str text;
  size_t at;
  const struct element *open[XHTML_DEPTH];
  size_t depth;
  unsigned within; /* PARAGRAPH, LINK */
  bool content;
  const char *why;
};

#define NAME(text)                                                                                           \
  { (text), sizeof(text) - 1 }

/* Chapters 7 to 11 (without 9.4) and 15 of HTML 4.0, images and links. */
static const struct element elements[] = {
    {NAME("td"), IN_ROW},
    {NAME("tr"), IN_TABLE | ROW},
    {NAME("p"), IS_BLOCK | PARAGRAPH},
    {NAME("b"), 0},
    {NAME("a"), LINK},
    {NAME("br"), 0},
    {NAME("div"), IS_BLOCK},
    {NAME("span"), 0},
    {NAME("table"), IS_BLOCK | TABLE},
    {NAME("tbody"), IN_TABLE | TABLE},
    {NAME("thead"), IN_TABLE | TABLE | ROW},
    {NAME("tfoot"), IN_TABLE | TABLE | ROW},
    {NAME("th"), IN_ROW},
    {NAME("ul"), IS_BLOCK | LIST},
    {NAME("ol"), IS_BLOCK | LIST},
    {NAME("li"), IN_LIST},
    {NAME("i"), 0},
    {NAME("em"), 0},
    {NAME("strong"), 0},
    {NAME("h1"), 0},
    {NAME("h2"), 0},
    {NAME("h3"), 0},
    {NAME("h4"), 0},
    {NAME("h5"), 0},
    {NAME("h6"), 0},
    {NAME("hr"), 0},
    {NAME("pre"), 0},
    {NAME("code"), 0},
    {NAME("blockquote"), IS_BLOCK},
    {NAME("dl"), DEFINITIONS},
    {NAME("dt"), IN_DEFINITIONS},
    {NAME("dd"), IN_DEFINITIONS},
    {NAME("img"), IS_CONTENT},
    {NAME("sub"), 0},
    {NAME("sup"), 0},
    {NAME("small"), 0},
    {NAME("big"), 0},
    {NAME("tt"), 0},
    {NAME("abbr"), 0},
    {NAME("acronym"), 0},
    {NAME("address"), 0},
    {NAME("area"), 0},
    {NAME("bdo"), 0},
    {NAME("caption"), IN_TABLE},
    {NAME("cite"), 0},
    {NAME("col"), IN_TABLE},
    {NAME("colgroup"), IN_TABLE | TABLE},
    {NAME("dfn"), 0},
    {NAME("kbd"), 0},
    {NAME("map"), 0},
    {NAME("q"), 0},
    {NAME("samp"), 0},
    {NAME("var"), 0},
};

/* Of any element; those of table cells and columns too, as HL7's validator has it. */
static const struct str attributes[] = {
    NAME("class"),   NAME("style"),   NAME("id"),       NAME("title"),    NAME("lang"),   NAME("xml:lang"),
    NAME("xmlns"),   NAME("dir"),     NAME("colspan"),  NAME("align"),    NAME("valign"), NAME("width"),
    NAME("rowspan"), NAME("headers"), NAME("scope"),    NAME("abbr"),     NAME("axis"),   NAME("span"),
    NAME("char"),    NAME("charoff"), NAME("tabindex"), NAME("accesskey")};

/* Of one element. */
static const struct {
  struct str element, attribute;
} own_attributes[] = {{NAME("a"), NAME("href")},
                      {NAME("a"), NAME("name")},
                      {NAME("a"), NAME("charset")},
                      {NAME("a"), NAME("type")},
                      {NAME("a"), NAME("hreflang")},
                      {NAME("a"), NAME("rel")},
                      {NAME("a"), NAME("rev")},
                      {NAME("a"), NAME("shape")},
                      {NAME("a"), NAME("coords")},
                      {NAME("img"), NAME("src")},
                      {NAME("img"), NAME("alt")},
                      {NAME("img"), NAME("longdesc")},
                      {NAME("img"), NAME("height")},
                      {NAME("img"), NAME("border")},
                      {NAME("img"), NAME("usemap")},
                      {NAME("img"), NAME("ismap")},
                      {NAME("table"), NAME("border")},
                      {NAME("table"), NAME("frame")},
                      {NAME("table"), NAME("rules")},
                      {NAME("table"), NAME("summary")},
                      {NAME("table"), NAME("cellspacing")},
                      {NAME("table"), NAME("cellpadding")},
                      {NAME("td"), NAME("nowrap")},
                      {NAME("pre"), NAME("space")},
                      {NAME("pre"), NAME("xml:space")},
                      {NAME("map"), NAME("name")},
                      {NAME("area"), NAME("shape")},
                      {NAME("area"), NAME("coords")},
                      {NAME("area"), NAME("href")},
                      {NAME("area"), NAME("nohref")},
                      {NAME("area"), NAME("alt")},
                      {NAME("q"), NAME("cite")},
                      {NAME("blockquote"), NAME("cite")}};

static bool fail(struct scan *scan, const char *why) {
  if (!scan->why) scan->why = why;
  return false;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c) {
  static const bool names[256] = {['a'... 'z'] = true, ['A'... 'Z'] = true, ['0'... '9'] = true, ['-'] = true,
                                  ['_'] = true,        [':'] = true,        ['.'] = true};
  return names[(unsigned char)c];
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

static bool same(struct str a, struct str b) {
  return a.len == b.len && a.ptr[0] == b.ptr[0] && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static const struct element *find_element(struct str name) {
  for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++)
    if (same(name, elements[i].name)) return &elements[i];
  return NULL;
}

static bool has_attribute(struct str element, struct str name) {
  for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
    if (same(name, attributes[i])) return true;
  for (size_t i = 0; i < sizeof own_attributes / sizeof own_attributes[0]; i++)
    if (same(name, own_attributes[i].attribute) && same(element, own_attributes[i].element)) return true;
  return str_starts(name, STR("xmlns:"));
}

/* The entities of XML itself, and numbers of characters. */
static bool is_entity(struct str name) {
  bool hex = str_starts(name, STR("#x"));
  size_t from = hex ? 2 : 1;
  if (name.len == 0) return false;
  if (name.ptr[0] != '#')
    return str_is(name, "amp") || str_is(name, "lt") || str_is(name, "gt") || str_is(name, "quot") ||
           str_is(name, "apos");
  for (size_t i = from; i < name.len; i++) {
    char c = name.ptr[i];
    bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!((c >= '0' && c <= '9') || (hex && letter))) return false;
  }
  return name.len > from;
}

/* `&name;` or `&#1234;` */
static bool take_entity(struct scan *scan) {
  size_t from = ++scan->at;
  if (scan->at < scan->text.len && scan->text.ptr[scan->at] == '#') scan->at++;
  take_name(scan);
  struct str name = str_slice(scan->text, from, scan->at);
  if (name.len == 0 || scan->at >= scan->text.len || scan->text.ptr[scan->at] != ';')
    return fail(scan, "an & in the XHTML must begin an entity: write &amp;");
  scan->at++;
  return is_entity(name) || fail(scan, "the XHTML has an entity that XML does not have: write the character");
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

static bool check_attribute(struct scan *scan, struct str element, struct str name, struct str value,
                            bool *in_namespace) {
  if (str_starts(name, STR("on"))) return fail(scan, "the XHTML has an event attribute");
  if (!has_attribute(element, name))
    return fail(scan, "the XHTML has an attribute that a narrative may not have");
  if (str_starts(str_trim(value), STR("javascript:"))) return fail(scan, "the XHTML has a script");
  if (str_is(name, "xmlns")) *in_namespace = str_is(value, "http://www.w3.org/1999/xhtml");
  return true;
}

static bool take_attributes(struct scan *scan, struct str element, bool *in_namespace) {
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
    if (!take_value(scan, &value)) return false;
    if (!check_attribute(scan, element, name, value, in_namespace)) return false;
  }
}

/* Which of the elements around bear on what may come. */
static unsigned around(const struct scan *scan) {
  unsigned within = 0;
  for (size_t i = 0; i < scan->depth; i++)
    within |= scan->open[i]->is & (PARAGRAPH | LINK);
  return within;
}

static bool check_place(struct scan *scan, const struct element *element) {
  unsigned only = element->is & ONLY_IN;
  unsigned parent = scan->depth ? scan->open[scan->depth - 1]->is : 0;
  if (element->is & IS_BLOCK && scan->within & PARAGRAPH)
    return fail(scan, "the XHTML has a block inside of a paragraph");
  if (element->is & LINK && scan->within & LINK) return fail(scan, "the XHTML has a link inside of a link");
  if (only && !(parent / LIST * IN_LIST & only)) /* LIST … lie as far from IN_LIST … as ROW from IN_ROW */
    return fail(scan, "the XHTML has part of a list or table outside of one");
  return true;
}

static bool push(struct scan *scan, const struct element *element) {
  if (scan->depth == XHTML_DEPTH) return fail(scan, "the XHTML is nested too deeply");
  scan->open[scan->depth++] = element;
  scan->within |= element->is & (PARAGRAPH | LINK);
  return true;
}

static bool take_open(struct scan *scan) {
  bool in_namespace = scan->depth > 0;
  scan->at++;
  struct str name = take_name(scan);
  if (name.len == 0) return fail(scan, "a < in the XHTML must begin a tag: write &lt;");
  if (scan->depth == 0 && !str_is(name, "div")) return fail(scan, "the XHTML must be one div");
  const struct element *element = find_element(name);
  if (!element) return fail(scan, "the XHTML has an element that a narrative may not have");
  if (!check_place(scan, element) || !take_attributes(scan, name, &in_namespace)) return false;
  if (!in_namespace) return fail(scan, "the div must have xmlns=\"http://www.w3.org/1999/xhtml\"");
  scan->content |= (element->is & IS_CONTENT) != 0;
  if (at_text(scan, STR("/>"))) {
    scan->at += 2;
    return true;
  }
  if (!at_text(scan, STR(">"))) return fail(scan, "a tag of the XHTML is not closed");
  scan->at++;
  return push(scan, element);
}

static bool take_close(struct scan *scan) {
  scan->at += 2;
  struct str name = take_name(scan);
  skip_space(scan);
  if (scan->at >= scan->text.len || scan->text.ptr[scan->at] != '>')
    return fail(scan, "an end tag of the XHTML is not closed");
  scan->at++;
  if (scan->depth == 0 || !str_eq(scan->open[scan->depth - 1]->name, name))
    return fail(scan, "an end tag of the XHTML closes what is not open");
  scan->depth--;
  if (scan->open[scan->depth]->is & (PARAGRAPH | LINK)) scan->within = around(scan);
  return true;
}

static bool take_comment(struct scan *scan) {
  size_t end = str_find(scan->text, STR("-->"), scan->at + 4);
  if (end == SIZE_MAX) return fail(scan, "a comment of the XHTML is not closed");
  scan->at = end + 3;
  return true;
}

/* To the next tag or entity; what is to be seen is looked for once. */
static void take_text(struct scan *scan) {
  const char *from = scan->text.ptr + scan->at;
  size_t len = scan->text.len - scan->at;
  const char *tag = memchr(from, '<', len);
  if (tag) len = (size_t)(tag - from);
  const char *entity = memchr(from, '&', len);
  if (entity) len = (size_t)(entity - from);
  for (size_t i = 0; i < len && !scan->content; i++)
    scan->content = !is_space(from[i]);
  scan->at += len;
}

static bool take_one(struct scan *scan) {
  char c = scan->text.ptr[scan->at];
  if (c == '&') {
    scan->content = true;
    return take_entity(scan);
  }
  if (c != '<') {
    take_text(scan);
    return true;
  }
  char next = scan->at + 1 < scan->text.len ? scan->text.ptr[scan->at + 1] : 0;
  if (next == '/') return take_close(scan);
  return next == '!' && at_text(scan, STR("<!--")) ? take_comment(scan) : take_open(scan);
}

bool validation_xhtml(struct str text, const char **why) {
  struct scan scan = {.text = str_trim(text)};
  bool good = at_text(&scan, STR("<div")) || fail(&scan, "the XHTML must be one div");
  good = good && take_one(&scan);
  while (good && scan.depth > 0 && scan.at < scan.text.len)
    good = take_one(&scan);
  if (good && scan.depth > 0) good = fail(&scan, "an element of the XHTML is not closed");
  if (good && scan.at < scan.text.len) good = fail(&scan, "the XHTML has text after its div");
  if (good && !scan.content)
    good = fail(&scan, "the narrative must have some content that is not white space");
  if (why) *why = scan.why;
  return good;
}
