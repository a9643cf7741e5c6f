/* fn_dtm.c - dates and times as HL7 version 2 writes them (DTM: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ], HL7 v2.8.2
 * chapter 2A) in the form of FHIR. */
#include "fhirpath/internal.h"

/* Hours before or behind UTC that a place on earth can have. */
enum { DTM_OFFSET_MAX = 14 * 60 };

/* `count` digits at `*at`; false when there are fewer. */
static bool digits(struct str text, size_t *at, size_t count, unsigned *out) {
  *out = 0;
  for (size_t i = 0; i < count; i++, (*at)++) {
    if (*at >= text.len || text.ptr[*at] < '0' || text.ptr[*at] > '9') return false;
    *out = *out * 10 + (unsigned)(text.ptr[*at] - '0');
  }
  return true;
}

static bool read_fraction(struct str text, size_t *at, struct datetime *out) {
  uint32_t unit = 100000000;
  for (++*at; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9' && unit; ++*at, unit /= 10) {
    out->nanosecond += (uint32_t)(text.ptr[*at] - '0') * unit;
    out->fraction_digits++;
  }
  if (out->fraction_digits) out->precision = DATETIME_FRACTION;
  return out->fraction_digits != 0;
}

static bool read_offset(struct str text, size_t *at, struct datetime *out) {
  bool west = text.ptr[*at] == '-';
  unsigned hours, minutes;
  ++*at;
  if (!digits(text, at, 2, &hours) || !digits(text, at, 2, &minutes)) return false;
  if (minutes > 59 || hours * 60 + minutes > DTM_OFFSET_MAX) return false;
  out->has_offset = true;
  out->offset = (int16_t)((west ? -1 : 1) * (int)(hours * 60 + minutes));
  return true;
}

static bool is_real(const struct datetime *time) {
  return time->year >= 1 && time->month >= 1 && time->month <= 12 && time->day >= 1 &&
         time->day <= datetime_days_in_month(time->year, time->month) && time->hour <= 23 &&
         time->minute <= 59 && time->second <= 59;
}

bool fhirpath_dtm(struct str text, struct datetime *out) {
  unsigned parts[DATETIME_FRACTION] = {[DATETIME_MONTH - 1] = 1, [DATETIME_DAY - 1] = 1};
  size_t at = 0;
  *out = (struct datetime){.kind = DATETIME_DATETIME};
  text = str_trim(text);
  for (int part = DATETIME_YEAR; part <= DATETIME_SECOND; part++) {
    if (part > DATETIME_YEAR && (at == text.len || text.ptr[at] == '+' || text.ptr[at] == '-')) break;
    if (!digits(text, &at, part == DATETIME_YEAR ? 4 : 2, &parts[part - 1])) return false;
    out->precision = (enum datetime_precision)part;
  }
  out->year = (int16_t)parts[0];
  out->month = (uint8_t)parts[1];
  out->day = (uint8_t)parts[2];
  out->hour = (uint8_t)parts[3];
  out->minute = (uint8_t)parts[4];
  out->second = (uint8_t)parts[5];
  if (at < text.len && text.ptr[at] == '.' && (out->precision != DATETIME_SECOND || !read_fraction(text, &at, out)))
    return false;
  if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-') && !read_offset(text, &at, out)) return false;
  return at == text.len && is_real(out);
}

/* The offset of the time itself, else that of its message, else by the rules of the clinic's zone at that time. A message that was
   sent by those clocks tells times of the other side of summer time by them too: then the rules go first, where they have one answer. */
static const char *place(const struct fp_place *place, struct datetime *time) {
  if (time->has_offset) return NULL;
  bool has_rules = place && place->zone && (place->in_zone || !place->has_offset);
  enum datetime_local found = has_rules ? datetime_zone_resolve(place->zone, time) : DATETIME_LOCAL_NEVER;
  if (has_rules && found == DATETIME_LOCAL_ONE) return NULL;
  if (place && place->has_offset) {
    time->has_offset = true;
    time->offset = place->offset;
    return NULL;
  }
  if (!has_rules) return "and no time zone of the clinic is known (routes.json)";
  return found == DATETIME_LOCAL_NEVER ? "and no clock of the clinic showed it (the hour that summer time skips)"
                                       : "and the clocks of the clinic showed it twice (the end of summer time)";
}

/* FHIR has no time without seconds: they are zero-filled, as R4 allows (datatypes, dateTime). */
static void fill(struct datetime *time) {
  if (time->precision == DATETIME_HOUR || time->precision == DATETIME_MINUTE) time->precision = DATETIME_SECOND;
}

/* The text of FHIR; *warned: something was said of it. False: no memory. */
static bool convert(struct fp_eval *e, const struct fp_ins *call, struct datetime *time, struct str *out, bool *warned) {
  const char *why = time->precision >= DATETIME_HOUR ? place(e->run->place, time) : NULL;
  if (why) {
    fp_warn(e, call, DIAG_TIME_ZONE_UNKNOWN, "the time has no offset, %s: only its date is taken", why);
    time->precision = DATETIME_DAY;
    *warned = true;
  }
  fill(time);
  if (time->precision <= DATETIME_DAY) time->has_offset = false;
  return fp_datetime_text(e, time, out);
}

bool fp_fn_from_dtm(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct fp_known_time *known = e->run->known_time;
  struct str written, text;
  struct datetime time;
  bool has, warned = false;
  if (!fp_input_string(e, call, in, &written, &has)) return false;
  if (!has || str_trim(written).len == 0) return true;
  if (known && str_eq(known->written, written)) return fp_push_string(e, out, known->time);
  if (!fhirpath_dtm(written, &time)) {
    fp_warn(e, call, DIAG_VALUE_FORMAT, "this is no date or time of HL7 version 2: it is left out");
    return true;
  }
  if (!convert(e, call, &time, &text, &warned)) return false;
  if (known && !warned) *known = (struct fp_known_time){written, text};
  return fp_push_string(e, out, text);
}
