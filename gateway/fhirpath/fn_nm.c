/* fn_nm.c - numbers as HL7 version 2 writes them (NM: [+|-]digits[.digits], HL7 v2.8.2 chapter 2A) in the form of FHIR, and units that
 * may be none of UCUM. */
#include "fhirpath/internal.h"

enum { NM_BYTES = 64 /* more than any amount has; HL7 says 16 */ };

static size_t count_digits(struct str text, size_t at) {
  size_t from = at;
  while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
    at++;
  return at - from;
}

/* The sign, the digits before the point without leading zeros, those behind it as they are: 0.50 stays 0.50. Gives the length of what is
 * written to `out`; 0: it is no number, or one with more digits than a decimal has. */
static size_t read_number(struct str text, char out[NM_BYTES + 1]) {
  size_t first = text.len && (text.ptr[0] == '+' || text.ptr[0] == '-'), whole = count_digits(text, first), used = first + whole;
  bool has_point = used < text.len && text.ptr[used] == '.';
  size_t fraction = has_point ? count_digits(text, used + 1) : 0, length = 0;
  if (used + has_point + fraction != text.len || whole + fraction == 0 || text.len > NM_BYTES) return 0;
  while (whole > 1 && text.ptr[first] == '0')
    first++, whole--;
  if (whole + fraction > DECIMAL_DIGITS) return 0;
  if (text.ptr[0] == '-') out[length++] = '-';
  if (!whole) out[length++] = '0';
  size_t rest = fraction ? whole + 1 + fraction : whole;
  memcpy(out + length, text.ptr + first, rest);
  return length + rest;
}

bool fp_fn_from_nm(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct str text;
  bool has;
  char number[NM_BYTES + 1];
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  size_t length = has ? read_number(str_trim(text), number) : 0;
  if (!length) return true;
  text = arena_str(e->arena, str_make(number, length));
  return text.ptr ? fp_push_string(e, out, text) : fp_nomem(e);
}

bool fp_fn_is_ucum(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct str text;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  return !has || fp_push_boolean(e, out, fhirpath_ucum_valid(e->program->units, text));
}
