/* html.c - htmlChecks(): narrative has only the elements and attributes that FHIR allows, is well formed, and
 * not empty. */
#include "fhirpath/internal.h"

enum { NESTING = 64, NAME_MAX = 32 };

static const char elements[] = " p br div h1 h2 h3 h4 h5 h6 a span b em i strong small big tt dfn q var abbr "
                               "acronym cite blockquote hr address bdo kbd sub sup"
                               " ul ol li dl dt dd pre table caption colgroup col thead tr tfoot tbody th td "
                               "code samp img map area del ins ";
static const char attributes[] =
    " title style class id idref lang xml:lang xml:space dir accesskey tabindex span width height align "
    "valign char charoff abbr axis"
    " headers scope rowspan colspan href name charset type hreflang rel rev shape coords src alt longdesc "
    "usemap ismap cite datetime"
    " summary border frame rules cellspacing cellpadding nowrap nohref start value compact clear xmlns ";

struct scan {
  struct str text;
  size_t at;
  struct str open[NESTING];
  size_t depth;
  bool content; /* something to read */
};

static bool is_word_of(const char *list, struct str word) {
  char padded[NAME_MAX + 3] = " ";
  if (word.len == 0 || word.len > NAME_MAX) return false;
  memcpy(padded + 1, word.ptr, word.len);
  padded[word.len + 1] = ' ';
  return strstr(list, padded) != NULL;
}

static int peek(const struct scan *s) {
  return s->at < s->text.len ? (unsigned char)s->text.ptr[s->at] : -1;
}

static bool is_space(int c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct scan *s) {
  while (is_space(peek(s)))
    s->at++;
}

static struct str name(struct scan *s) {
  size_t from = s->at;
  for (int c = peek(s); c >= 0 && !is_space(c) && !strchr("=/><\"'", c); c = peek(s))
    s->at++;
  return str_slice(s->text, from, s->at);
}

/* name="value" … up to > or />; *closed for />. */
static bool read_attributes(struct scan *s, bool *closed) {
  for (;;) {
    skip_space(s);
    int c = peek(s);
    *closed = c == '/';
    if (c == '/') s->at++;
    if (c == '/' || c == '>') return peek(s) == '>' && (s->at++, true);
    struct str attribute = name(s);
    if (!is_word_of(attributes, attribute)) return false;
    skip_space(s);
    if (peek(s) != '=') return false;
    s->at++;
    skip_space(s);
    int quote = peek(s);
    if (quote != '"' && quote != '\'') return false;
    size_t end = str_find_char(s->text, (char)quote, s->at + 1);
    if (end == SIZE_MAX || str_find_char(str_slice(s->text, s->at, end), '<', 0) != SIZE_MAX) return false;
    s->at = end + 1;
  }
}

static bool end_tag(struct scan *s) {
  s->at++;
  struct str tag = name(s);
  skip_space(s);
  if (peek(s) != '>' || s->depth == 0 || !str_eq(s->open[s->depth - 1], tag)) return false;
  s->at++;
  s->depth--;
  return true;
}

static bool start_tag(struct scan *s) {
  bool closed;
  struct str tag = name(s);
  if (!is_word_of(elements, tag) || !read_attributes(s, &closed)) return false;
  if (str_is(tag, "img")) s->content = true;
  if (closed) return true;
  if (s->depth == NESTING) return false;
  s->open[s->depth++] = tag;
  return true;
}

static bool comment(struct scan *s) {
  size_t end = str_find(s->text, STR("-->"), s->at + 4);
  if (!str_starts(str_slice(s->text, s->at, s->text.len), STR("<!--")) || end == SIZE_MAX) return false;
  s->at = end + 3;
  return true;
}

static bool markup(struct scan *s) {
  if (s->at + 1 < s->text.len && s->text.ptr[s->at + 1] == '!') return comment(s);
  s->at++;
  return peek(s) == '/' ? end_tag(s) : start_tag(s);
}

static bool check(struct scan *s) {
  s->text = str_trim(s->text);
  if (!str_starts(s->text, STR("<div"))) return false;
  while (s->at < s->text.len) {
    if (peek(s) == '<') {
      if (!markup(s)) return false;
      if (s->depth == 0) break;
    } else {
      if (!is_space(peek(s))) s->content = true;
      s->at++;
    }
  }
  return s->depth == 0 && s->at == s->text.len && s->content;
}

bool fp_fn_html_checks(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  struct scan s = {0};
  bool has;
  if (!fp_input_string(e, call, in, &s.text, &has)) return false;
  return !has || fp_push_boolean(e, out, check(&s));
}
