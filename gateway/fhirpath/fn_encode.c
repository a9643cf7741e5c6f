/* fn_encode.c - encode, decode (hex, base64, urlbase64), escape, unescape (html, json). */
#include "fhirpath/internal.h"

enum { TEXT_MAX = 1 << 20 };

static const char base64_plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* true: done; false: the text is not in that form */
typedef bool code(struct str text, struct buf *out);

/* --- bytes */

static bool to_hex(struct str text, struct buf *out) {
  for (size_t i = 0; i < text.len; i++)
    buf_printf(out, "%02x", (unsigned char)text.ptr[i]);
  return true;
}

static int hex_digit(char c) {
  const char *digits = "0123456789abcdef",
             *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
  return found ? (int)(found - digits) : -1;
}

static bool from_hex(struct str text, struct buf *out) {
  if (text.len % 2) return false;
  for (size_t i = 0; i < text.len; i += 2) {
    int high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);
    if (high < 0 || low < 0) return false;
    buf_add_char(out, (char)(high * 16 + low));
  }
  return true;
}

static bool encode64(struct str text, const char *alphabet, struct buf *out) {
  for (size_t i = 0; i < text.len; i += 3) {
    uint32_t group = 0;
    size_t count = text.len - i < 3 ? text.len - i : 3;
    for (size_t k = 0; k < 3; k++)
      group = group << 8 | (k < count ? (unsigned char)text.ptr[i + k] : 0u);
    for (size_t k = 0; k < 4; k++)
      buf_add_char(out, k <= count ? alphabet[group >> (18 - 6 * k) & 63] : '=');
  }
  return true;
}

static bool decode64(struct str text, const char *alphabet, struct buf *out) {
  uint32_t group = 0;
  int bits = 0;
  while (text.len && text.ptr[text.len - 1] == '=')
    text.len--;
  for (size_t i = 0; i < text.len; i++) {
    const char *found = text.ptr[i] ? strchr(alphabet, text.ptr[i]) : NULL;
    if (!found) return false;
    group = group << 6 | (uint32_t)(found - alphabet);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    buf_add_char(out, (char)(group >> bits & 255));
  }
  return bits < 6;
}

static bool to_base64(struct str text, struct buf *out) {
  return encode64(text, base64_plain, out);
}

static bool from_base64(struct str text, struct buf *out) {
  return decode64(text, base64_plain, out);
}

static bool to_urlbase64(struct str text, struct buf *out) {
  return encode64(text, base64_url, out);
}

static bool from_urlbase64(struct str text, struct buf *out) {
  return decode64(text, base64_url, out);
}

/* --- escapes */

static const struct {
  const char *entity;
  char character;
} entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&#39;", '\''}};

static bool to_html(struct str text, struct buf *out) {
  for (size_t i = 0; i < text.len; i++) {
    const char *entity = NULL;
    for (size_t k = 0; k < sizeof entities / sizeof *entities; k++) {
      if (entities[k].character == text.ptr[i]) entity = entities[k].entity;
    }
    if (entity)
      buf_add_text(out, entity);
    else
      buf_add_char(out, text.ptr[i]);
  }
  return true;
}

static bool from_html(struct str text, struct buf *out) {
  for (size_t i = 0; i < text.len;) {
    size_t used = 0;
    for (size_t k = 0; k < sizeof entities / sizeof *entities && !used; k++) {
      if (!str_starts(str_slice(text, i, text.len), str_of(entities[k].entity))) continue;
      used = strlen(entities[k].entity);
      buf_add_char(out, entities[k].character);
    }
    if (!used) buf_add_char(out, text.ptr[i]);
    i += used ? used : 1;
  }
  return true;
}

static bool to_json(struct str text, struct buf *out) {
  struct buf quoted;
  buf_init(&quoted, TEXT_MAX);
  tree_write_string(text, &quoted);
  if (quoted.len >= 2) buf_add(out, quoted.ptr + 1, quoted.len - 2);
  buf_release(&quoted);
  return true;
}

static bool from_json(struct str text, struct buf *out) {
  static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] != '\\' || i + 1 == text.len) {
      buf_add_char(out, text.ptr[i]);
      continue;
    }
    char c = text.ptr[++i];
    const char *name = c ? strchr(names, c) : NULL;
    uint32_t value = 0;
    if (c == 'u' && i + 4 < text.len) {
      for (size_t k = 1; k <= 4; k++)
        value = value * 16 + (uint32_t)(hex_digit(text.ptr[i + k]) & 15);
      utf8_add(out, value >= 0xD800 && value < 0xE000 ? 0xFFFD : value);
      i += 4;
    } else if (name || strchr("\"\\/", c)) {
      buf_add_char(out, name ? values[name - names] : c);
    } else {
      buf_add_char(out, '\\');
      buf_add_char(out, c);
    }
  }
  return true;
}

/* --- the four functions */

struct row {
  const char *function, *form;
  code *run;
};
static const struct row rows[] = {{"encode", "hex", to_hex},
                                  {"encode", "base64", to_base64},
                                  {"encode", "urlbase64", to_urlbase64},
                                  {"decode", "hex", from_hex},
                                  {"decode", "base64", from_base64},
                                  {"decode", "urlbase64", from_urlbase64},
                                  {"escape", "html", to_html},
                                  {"escape", "json", to_json},
                                  {"unescape", "html", from_html},
                                  {"unescape", "json", from_json}};

static bool recode(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  struct str text, form, result;
  struct buf buf;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  int given = fp_argument_string(e, call, 0, &form);
  if (given <= 0 || !has) return given >= 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (strcmp(rows[i].function, call->function->name) != 0 || !str_is(form, rows[i].form)) continue;
    buf_init(&buf, TEXT_MAX);
    if (rows[i].run(text, &buf) && fp_is_text(buf_str(&buf)))
      return fp_take_buf(e, &buf, &result) && fp_push_string(e, out, result);
    buf_release(&buf);
    return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "the text is not %s", rows[i].form);
  }
  return true;
}

bool fp_fn_encode(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                  struct fp_list *out) {
  return recode(e, call, in, out);
}

bool fp_fn_decode(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                  struct fp_list *out) {
  return recode(e, call, in, out);
}

bool fp_fn_escape(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                  struct fp_list *out) {
  return recode(e, call, in, out);
}

bool fp_fn_unescape(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  return recode(e, call, in, out);
}
