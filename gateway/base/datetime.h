/*
 * datetime.h - FHIR date, dateTime, instant and time with partial precision and UTC offset.
 *
 * Text is never rewritten by reading: a node keeps its text, this is for checking, comparing and computing.
 * Comparison follows FHIRPath 2.0.0 section 6.2: when the precisions differ and the common part is equal, the
 * answer is unknown. Formats: FHIR R4 datatypes (http://hl7.org/fhir/R4/datatypes.html); 24:00 is refused;
 * second 60 is allowed in instant and dateTime (leap second), compared as :59.999….
 */
#ifndef KETLINK_BASE_DATETIME_H
#define KETLINK_BASE_DATETIME_H

#include "base/buf.h"
#include "base/decimal.h"
#include "base/str.h"

enum datetime_kind { DATETIME_DATE, DATETIME_DATETIME, DATETIME_INSTANT, DATETIME_TIME };
enum datetime_precision {
  DATETIME_YEAR = 1,
  DATETIME_MONTH,
  DATETIME_DAY,
  DATETIME_HOUR,
  DATETIME_MINUTE,
  DATETIME_SECOND,
  DATETIME_FRACTION
};
enum datetime_order { DATETIME_LESS = -1, DATETIME_EQUAL = 0, DATETIME_GREATER = 1, DATETIME_UNKNOWN = 2 };
enum datetime_unit {
  DATETIME_UNIT_YEAR,
  DATETIME_UNIT_MONTH,
  DATETIME_UNIT_WEEK,
  DATETIME_UNIT_DAY,
  DATETIME_UNIT_HOUR,
  DATETIME_UNIT_MINUTE,
  DATETIME_UNIT_SECOND,
  DATETIME_UNIT_MILLISECOND
};

struct datetime {
  enum datetime_kind kind;
  enum datetime_precision precision;
  int16_t year; /* 1 … 9999 */
  uint8_t month, day, hour, minute, second;
  uint8_t fraction_digits; /* as written, at most 9 are significant */
  uint32_t nanosecond;
  bool has_offset;
  int16_t offset; /* minutes east of UTC */
};

/* Strict FHIR R4 lexical form of the kind. The whole view must be used. */
bool datetime_parse(struct str text, enum datetime_kind kind, struct datetime *out) MUST_USE;
/* FHIRPath literal without the leading @ (and T for times): also hours or minutes as last part, and no
 * offset. */
bool datetime_parse_literal(struct str text, enum datetime_kind kind, struct datetime *out) MUST_USE;
enum datetime_order datetime_compare(const struct datetime *a, const struct datetime *b);
/* Calendar arithmetic: 2026-01-31 + 1 month = 2026-02-28. `amount` may be fractional only for seconds and
   below. False when the result leaves year 1 … 9999 or the unit does not fit a time. */
bool datetime_add(const struct datetime *a, struct decimal amount, enum datetime_unit unit,
                  struct datetime *out) MUST_USE;
/* Milliseconds since 1970-01-01T00:00Z; missing parts count as their least value, a missing offset as
 * `default_offset`. */
int64_t datetime_to_ms(const struct datetime *a, int16_t default_offset);
/* From milliseconds since 1970 in UTC, precision to the millisecond. What is in no year of 1 … 9999 there is the nearest that is. */
struct datetime datetime_from_ms(int64_t ms, int16_t offset);
/* As FHIR writes it; how many bytes. */
enum { DATETIME_TEXT = 40 };
size_t datetime_write(const struct datetime *a, char out[DATETIME_TEXT]);
/* "2026-03-02T10:00:00.000Z" of milliseconds since 1970, as logs and answers have instants; 0: it is in no year of 1 … 9999. Allocates
   nothing. */
size_t datetime_write_ms(int64_t ms, char out[DATETIME_TEXT]);
void datetime_format(const struct datetime *a, struct buf *out);
int datetime_days_in_month(int year, int month);

#endif
