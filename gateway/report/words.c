/* words.c - words of the record, "c-ssrs-screener", as people write them: "C-SSRS screener". */
#include "report/internal.h"

/* Parts of words that are abbreviations. */
static const char *const capitals[] = {
    "iv",  "im",   "sc",    "ect",  "tms",  "cbt", "rems", "phq",  "gad",  "pcl", "madrs", "qids",
    "ymrs", "bpi", "nrs",   "c",    "ssrs", "cadss", "moca", "mmse", "mdq", "ham", "d17",  "audit",
    "dast", "ii",   "ptsd", "ocd",  "rn",   "pmhnp", "crna", "pa",  "lcsw", "maoi",
};

/* Parts whose hyphen stays, with the part that follows (NULL: any). */
static const struct {
  const char *first, *second;
} joined[] = {
    {"non", NULL}, {"phq", NULL}, {"gad", NULL},    {"pcl", NULL},   {"audit", NULL}, {"dast", NULL},
    {"ham", NULL}, {"c", "ssrs"}, {"follow", "up"}, {"off", "label"}, {"self", NULL}, {"long", "term"},
};

static bool is_word(struct str word) {
  for (size_t i = 0; i < word.len; i++) {
    char c = word.ptr[i];
    bool edge = i == 0 || i + 1 == word.len;
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !edge))) return false;
  }
  return word.len != 0;
}

static bool keeps_hyphen(struct str first, struct str second) {
  for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++)
    if (str_is(first, joined[i].first) && (!joined[i].second || str_is(second, joined[i].second)))
      return true;
  return false;
}

static void add_part(struct buf *out, struct str part) {
  bool upper = false;
  for (size_t i = 0; !upper && i < sizeof capitals / sizeof capitals[0]; i++)
    upper = str_is(part, capitals[i]);
  for (size_t i = 0; i < part.len; i++) {
    char c = part.ptr[i];
    buf_add_char(out, upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
  }
}

static struct str next_part(struct str word, size_t from) {
  size_t end = str_find_char(word, '-', from);
  return str_slice(word, from, end == SIZE_MAX ? word.len : end);
}

void report_word_plain(struct buf *out, struct str word) {
  if (!is_word(word)) {
    buf_add_str(out, word);
    return;
  }
  for (size_t at = 0; at < word.len;) {
    struct str part = next_part(word, at);
    add_part(out, part);
    at += part.len + 1;
    if (at < word.len) buf_add_char(out, keeps_hyphen(part, next_part(word, at)) ? '-' : ' ');
  }
}

enum { LONGEST = 64 }; /* what is longer is no word of a clinic: it may have to be broken */

void report_word(struct buf *out, struct str word) {
  if (is_word(word) && word.len <= LONGEST)
    report_word_plain(out, word);
  else
    report_isolate(out, word);
}
