/* csv_charset.c - charsets of single bytes as a table: UTF-8 of each byte. Made once, by iconv. */
#include <iconv.h>
#include "intake/csv.h"

/* UTF-8 of one byte into `out`; an empty one where the charset has no such character. False: no such charset. */
static bool translate_byte(iconv_t how, unsigned byte, char out[4]) {
  char in = (char)byte, *from = &in, *to = out;
  size_t in_left = 1, out_left = 4;
  memset(out, 0, 4);
  size_t done = iconv(how, &from, &in_left, &to, &out_left);
  (void)iconv(how, NULL, NULL, NULL, NULL);
  if (done == (size_t)-1 || in_left) memset(out, 0, 4);
  return byte >= 0x80 || (out[0] == (char)byte && out_left == 3);
}

/* Incomplete sequences are what charsets of several bytes have: at least half of the upper bytes must be characters. */
enum status intake_csv_charset(struct str name, struct arena *arena, const char (**out)[4]) {
  char(*table)[4] = arena_calloc(arena, 256, sizeof *table);
  *out = NULL;
  if (!table) return STATUS_NOMEM;
  iconv_t how = iconv_open("UTF-8", name.ptr);
  if (how == (iconv_t)-1) return STATUS_NOT_FOUND;
  bool fits = true;
  size_t characters = 0;
  for (unsigned byte = 0; byte < 256 && fits; byte++) {
    fits = translate_byte(how, byte, table[byte]);
    characters += byte >= 0x80 && (table[byte][0] != 0);
  }
  (void)iconv_close(how);
  if (!fits || characters < 64) return STATUS_NOT_FOUND;
  *out = (const char(*)[4])table;
  return STATUS_OK;
}
