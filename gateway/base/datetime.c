/* datetime.c - reading, writing and comparing FHIR dates and times. */
#include "base/datetime.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MINUTES = 60, DAY_MINUTES = 24 * 60 };

struct scan {
  const char *at, *end;
};

static bool take(struct scan *scan, char c) {
  if (scan->at >= scan->end || *scan->at != c) return false;
  scan->at++;
  return true;
}

/* Exactly `count` digits, a value from low to high. */
static bool number(struct scan *scan, int count, int low, int high, int *out) {
  int value = 0;
  if (scan->end - scan->at < count) return false;
  for (int i = 0; i < count; i++) {
    char c = scan->at[i];
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  scan->at += count;
  *out = value;
  return value >= low && value <= high;
}

static bool leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int datetime_days_in_month(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12) return 0;
  return days[month - 1] + (month == 2 && leap(year));
}

/* --- reading --- */

static bool scan_date(struct scan *scan, struct datetime *d) {
  int value;
  if (!number(scan, 4, 1, 9999, &value)) return false;
  d->year = (int16_t)value;
  d->precision = DATETIME_YEAR;
  if (!take(scan, '-')) return true;
  if (!number(scan, 2, 1, 12, &value)) return false;
  d->month = (uint8_t)value;
  d->precision = DATETIME_MONTH;
  if (!take(scan, '-')) return true;
  if (!number(scan, 2, 1, datetime_days_in_month(d->year, d->month), &value)) return false;
  d->day = (uint8_t)value;
  d->precision = DATETIME_DAY;
  return true;
}

static bool scan_fraction(struct scan *scan, struct datetime *d) {
  uint32_t value = 0;
  int count = 0;
  for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++, count++) {
    if (count < 9) value = value * 10 + (uint32_t)(*scan->at - '0');
  }
  for (int i = count; i < 9; i++)
    value *= 10;
  d->nanosecond = value;
  d->fraction_digits = (uint8_t)(count < 255 ? count : 255);
  d->precision = DATETIME_FRACTION;
  return count > 0;
}

/* `least` is the coarsest precision allowed: seconds in FHIR, hours in a FHIRPath literal. */
static bool scan_time(struct scan *scan, enum datetime_precision least, struct datetime *d) {
  int value;
  if (!number(scan, 2, 0, 23, &value)) return false;
  d->hour = (uint8_t)value;
  d->precision = DATETIME_HOUR;
  if (!take(scan, ':')) return least <= DATETIME_HOUR;
  if (!number(scan, 2, 0, 59, &value)) return false;
  d->minute = (uint8_t)value;
  d->precision = DATETIME_MINUTE;
  if (!take(scan, ':')) return least <= DATETIME_MINUTE;
  if (!number(scan, 2, 0, 60, &value)) return false;
  d->second = (uint8_t)value;
  d->precision = DATETIME_SECOND;
  return !take(scan, '.') || scan_fraction(scan, d);
}

/* Z or ±hh:mm up to 14:00. Absent: true, has_offset stays false. */
static bool scan_offset(struct scan *scan, struct datetime *d) {
  int hours, minutes;
  if (take(scan, 'Z')) {
    d->has_offset = true;
    return true;
  }
  bool west = scan->at < scan->end && *scan->at == '-';
  if (!take(scan, west ? '-' : '+')) return true;
  if (!number(scan, 2, 0, 14, &hours) || !take(scan, ':')) return false;
  if (!number(scan, 2, 0, hours == 14 ? 0 : 59, &minutes)) return false;
  int offset = hours * HOUR_MINUTES + minutes;
  d->offset = (int16_t)(west ? -offset : offset);
  d->has_offset = true;
  return true;
}

bool datetime_parse(struct str text, enum datetime_kind kind, struct datetime *out) {
  if (text.len == 0) return false;
  struct scan scan = {text.ptr, text.ptr + text.len};
  struct datetime d = {.kind = kind};
  if (kind == DATETIME_TIME) {
    if (!scan_time(&scan, DATETIME_SECOND, &d)) return false;
  } else {
    if (!scan_date(&scan, &d)) return false;
    if (kind != DATETIME_DATE && d.precision == DATETIME_DAY && take(&scan, 'T')) {
      if (!scan_time(&scan, DATETIME_SECOND, &d) || !scan_offset(&scan, &d) || !d.has_offset) return false;
    }
    if (kind == DATETIME_INSTANT && !d.has_offset) return false;
  }
  if (scan.at != scan.end) return false;
  *out = d;
  return true;
}

bool datetime_parse_literal(struct str text, enum datetime_kind kind, struct datetime *out) {
  if (text.len == 0) return false;
  struct scan scan = {text.ptr, text.ptr + text.len};
  struct datetime d = {.kind = kind};
  if (kind == DATETIME_TIME) {
    if (!scan_time(&scan, DATETIME_HOUR, &d)) return false;
  } else {
    if (!scan_date(&scan, &d)) return false;
    if (kind != DATETIME_DATE && take(&scan, 'T') && d.precision == DATETIME_DAY && scan.at != scan.end) {
      if (!scan_time(&scan, DATETIME_HOUR, &d) || !scan_offset(&scan, &d)) return false;
    }
    if (kind == DATETIME_INSTANT && !d.has_offset) return false;
  }
  if (scan.at != scan.end) return false;
  *out = d;
  return true;
}

/* --- the time line --- */

/* Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
 * algorithms"). */
static int64_t days_of(int year, int month, int day) {
  int y = year - (month <= 2);
  int era = (y >= 0 ? y : y - 399) / 400;
  int year_of_era = y - era * 400;
  int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return (int64_t)era * 146097 + day_of_era - 719468;
}

static void set_day(struct datetime *d, int64_t days) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int day_of_era = (int)(days - era * 146097);
  int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int shifted = (5 * day_of_year + 2) / 153;
  int month = shifted + (shifted < 10 ? 3 : -9);
  d->day = (uint8_t)(day_of_year - (153 * shifted + 2) / 5 + 1);
  d->month = (uint8_t)month;
  d->year = (int16_t)(year_of_era + era * 400 + (month <= 2));
}

static int64_t minutes_of(const struct datetime *d) {
  int64_t days =
      d->kind == DATETIME_TIME ? 0 : days_of(d->year, d->month ? d->month : 1, d->day ? d->day : 1);
  return days * DAY_MINUTES + d->hour * HOUR_MINUTES + d->minute;
}

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* 0 … b - 1, at the ends of int64_t too. */
static int64_t floor_mod(int64_t a, int64_t b) {
  return a % b < 0 ? a % b + b : a % b;
}

static void set_minutes(struct datetime *d, int64_t minutes) {
  int64_t days = floor_div(minutes, DAY_MINUTES);
  int rest = (int)(minutes - days * DAY_MINUTES);
  d->hour = (uint8_t)(rest / HOUR_MINUTES);
  d->minute = (uint8_t)(rest % HOUR_MINUTES);
  if (d->kind != DATETIME_TIME) set_day(d, days);
}

int64_t datetime_to_ms(const struct datetime *a, int16_t default_offset) {
  int offset = a->kind == DATETIME_TIME ? 0 : a->has_offset ? a->offset : default_offset;
  return (minutes_of(a) - offset) * MINUTE_MS + a->second * 1000 + a->nanosecond / 1000000;
}

/* Years 1 … 9999 of a clock that shows UTC. */
static const int64_t first_ms = -62135596800000, last_ms = 253402300799999;

struct datetime datetime_from_ms(int64_t ms, int16_t offset) {
  const int64_t first = first_ms - offset * MINUTE_MS, last = last_ms - offset * MINUTE_MS;
  if (ms < first) ms = first;
  if (ms > last) ms = last;
  struct datetime d = {.kind = DATETIME_DATETIME, .precision = DATETIME_FRACTION, .fraction_digits = 3};
  int64_t minutes = floor_div(ms, MINUTE_MS);
  int rest = (int)(ms - minutes * MINUTE_MS);
  d.second = (uint8_t)(rest / 1000);
  d.nanosecond = (uint32_t)(rest % 1000) * 1000000;
  d.has_offset = true;
  d.offset = offset;
  set_minutes(&d, minutes + offset);
  return d;
}

/* --- comparing --- */

static enum datetime_order order_of(int64_t a, int64_t b) {
  return a < b ? DATETIME_LESS : a > b ? DATETIME_GREATER : DATETIME_EQUAL;
}

/* Seconds and fraction are one precision (FHIRPath 2.0.0 section 6.1.1); a leap second is the end of its
 * minute. */
static int64_t nanoseconds(const struct datetime *d) {
  if (d->second == 60) return 59999999999;
  return d->second * (int64_t)1000000000 + d->nanosecond;
}

static int64_t part_of(const struct datetime *d, int precision) {
  switch (precision) {
  case DATETIME_YEAR:
    return d->year;
  case DATETIME_MONTH:
    return d->month;
  case DATETIME_DAY:
    return d->day;
  case DATETIME_HOUR:
    return d->hour;
  case DATETIME_MINUTE:
    return d->minute;
  default:
    return nanoseconds(d);
  }
}

static int coarse(enum datetime_precision precision) {
  return precision == DATETIME_FRACTION ? DATETIME_SECOND : (int)precision;
}

/* Part by part to the common precision. */
static enum datetime_order compare_parts(const struct datetime *a, const struct datetime *b) {
  int a_last = coarse(a->precision), b_last = coarse(b->precision);
  int common = a_last < b_last ? a_last : b_last;
  for (int part = a->kind == DATETIME_TIME ? DATETIME_HOUR : DATETIME_YEAR; part <= common; part++) {
    enum datetime_order order = order_of(part_of(a, part), part_of(b, part));
    if (order != DATETIME_EQUAL) return order;
  }
  return a_last == b_last ? DATETIME_EQUAL : DATETIME_UNKNOWN;
}

static struct datetime in_utc(struct datetime d) {
  set_minutes(&d, minutes_of(&d) - d.offset);
  d.offset = 0;
  return d;
}

enum datetime_order datetime_compare(const struct datetime *a, const struct datetime *b) {
  if ((a->kind == DATETIME_TIME) != (b->kind == DATETIME_TIME)) return DATETIME_UNKNOWN;
  bool both_timed = a->precision >= DATETIME_HOUR && b->precision >= DATETIME_HOUR;
  if (a->kind == DATETIME_TIME || !both_timed) return compare_parts(a, b);
  if (a->has_offset && b->has_offset) {
    struct datetime a_utc = in_utc(*a), b_utc = in_utc(*b);
    return compare_parts(&a_utc, &b_utc);
  }
  if (!a->has_offset && !b->has_offset) return compare_parts(a, b);
  /* One offset is missing: it may be anything from -12 to +14 hours, so only a greater distance is certain.
   */
  int64_t a_minutes = minutes_of(a) - (a->has_offset ? a->offset : 0);
  int64_t b_minutes = minutes_of(b) - (b->has_offset ? b->offset : 0);
  if (a_minutes + 15 * HOUR_MINUTES < b_minutes) return DATETIME_LESS;
  if (b_minutes + 15 * HOUR_MINUTES < a_minutes) return DATETIME_GREATER;
  return DATETIME_UNKNOWN;
}

/* --- computing --- */

/* `amount` cut toward zero: FHIRPath ignores fractions of all but seconds. */
static bool whole(struct decimal amount, int64_t *out) {
  return decimal_to_int(decimal_truncate(amount), out);
}

static bool add_months(struct datetime *d, int64_t count) {
  int64_t months;
  if (__builtin_add_overflow((int64_t)d->year * 12 + (d->month ? d->month - 1 : 0), count, &months))
    return false;
  int64_t year = floor_div(months, 12);
  if (year < 1 || year > 9999) return false;
  d->year = (int16_t)year;
  if (d->month) d->month = (uint8_t)(months - year * 12 + 1);
  int days = datetime_days_in_month(d->year, d->month);
  if (d->day > days) d->day = (uint8_t)days;
  return true;
}

/* Adds to the time line; a time of day goes round the clock. */
static bool add_minutes(struct datetime *d, int64_t count) {
  int64_t minutes;
  if (__builtin_add_overflow(minutes_of(d), count, &minutes)) return false;
  if (d->kind == DATETIME_TIME) {
    minutes = floor_mod(minutes, DAY_MINUTES);
  } else if (minutes < days_of(1, 1, 1) * DAY_MINUTES || minutes >= days_of(10000, 1, 1) * DAY_MINUTES) {
    return false;
  }
  set_minutes(d, minutes);
  return true;
}

/* Digits after the point that hold it exactly, at least milliseconds. */
static uint8_t needed_digits(uint32_t nanosecond) {
  uint8_t digits = 9;
  for (; digits > 3 && nanosecond % 10 == 0; digits--)
    nanosecond /= 10;
  return digits;
}

static bool add_nanoseconds(struct datetime *d, struct decimal seconds) {
  const int64_t minute = 60000000000;
  struct decimal scaled;
  int64_t count;
  if (!decimal_multiply(seconds, decimal_from_int(1000000000), &scaled) || !whole(scaled, &count))
    return false;
  int64_t total;
  if (__builtin_add_overflow(nanoseconds(d), count, &total)) return false;
  int64_t minutes = floor_div(total, minute);
  int64_t rest = floor_mod(total, minute);
  if (!add_minutes(d, minutes)) return false;
  d->second = (uint8_t)(rest / 1000000000);
  d->nanosecond = (uint32_t)(rest % 1000000000);
  if (d->nanosecond) {
    uint8_t digits = needed_digits(d->nanosecond);
    if (d->fraction_digits < digits) d->fraction_digits = digits;
    d->precision = DATETIME_FRACTION;
  }
  return true;
}

/* FHIRPath 2.0.0 section 6.6.7: a quantity finer than the value is brought to the value's precision, cut. */
static const struct unit_row {
  enum datetime_precision precision;
  int64_t per; /* how many make one of the next coarser row that is used for partial values */
} UNITS[] = {
    [DATETIME_UNIT_YEAR] = {DATETIME_YEAR, 1},      [DATETIME_UNIT_MONTH] = {DATETIME_MONTH, 12},
    [DATETIME_UNIT_WEEK] = {DATETIME_DAY, 0},       [DATETIME_UNIT_DAY] = {DATETIME_DAY, 30},
    [DATETIME_UNIT_HOUR] = {DATETIME_HOUR, 24},     [DATETIME_UNIT_MINUTE] = {DATETIME_MINUTE, 60},
    [DATETIME_UNIT_SECOND] = {DATETIME_SECOND, 60}, [DATETIME_UNIT_MILLISECOND] = {DATETIME_FRACTION, 1000},
};

/* Turns minutes into hours, hours into days and so on until the unit is not finer than `precision`. */
static bool coarsen(struct decimal *amount, enum datetime_unit *unit, int precision) {
  if (*unit == DATETIME_UNIT_WEEK) {
    if (!decimal_multiply(decimal_truncate(*amount), decimal_from_int(7), amount)) return false;
    *unit = DATETIME_UNIT_DAY;
  }
  if (*unit == DATETIME_UNIT_DAY && precision == DATETIME_YEAR) {
    if (!decimal_divide(*amount, decimal_from_int(365), amount)) return false;
    *unit = DATETIME_UNIT_YEAR;
  }
  while (coarse(UNITS[*unit].precision) > precision) {
    if (!decimal_divide(*amount, decimal_from_int(UNITS[*unit].per), amount)) return false;
    *unit = *unit == DATETIME_UNIT_DAY ? DATETIME_UNIT_MONTH : *unit - 1;
    if (*unit == DATETIME_UNIT_DAY) return coarsen(amount, unit, precision);
  }
  return true;
}

bool datetime_add(const struct datetime *a, struct decimal amount, enum datetime_unit unit,
                  struct datetime *out) {
  static const int64_t minutes[] = {
      [DATETIME_UNIT_DAY] = DAY_MINUTES, [DATETIME_UNIT_HOUR] = HOUR_MINUTES, [DATETIME_UNIT_MINUTE] = 1};
  struct datetime d = *a;
  int64_t count = 0, total;
  bool done = false;
  if (d.kind == DATETIME_TIME && UNITS[unit].precision < DATETIME_HOUR) return false;
  if (!coarsen(&amount, &unit, coarse(d.precision))) return false;
  if (unit < DATETIME_UNIT_SECOND && !whole(amount, &count)) return false;
  switch (unit) {
  case DATETIME_UNIT_YEAR:
    done = !__builtin_mul_overflow(count, 12, &total) && add_months(&d, total);
    break;
  case DATETIME_UNIT_MONTH:
    done = add_months(&d, count);
    break;
  case DATETIME_UNIT_WEEK:
    break; /* became days */
  case DATETIME_UNIT_DAY:
  case DATETIME_UNIT_HOUR:
  case DATETIME_UNIT_MINUTE:
    done = !__builtin_mul_overflow(count, minutes[unit], &total) && add_minutes(&d, total);
    break;
  case DATETIME_UNIT_MILLISECOND:
    amount.scale += 3;
    done = add_nanoseconds(&d, amount);
    break;
  case DATETIME_UNIT_SECOND:
    done = add_nanoseconds(&d, amount);
    break;
  }
  if (done) *out = d;
  return done;
}

/* --- writing --- */

/* The sign before a number of so many digits, then the number; where it ends. */
static char *put(char *at, char sign, unsigned number, int digits) {
  if (sign) *at++ = sign;
  for (int i = digits - 1; i >= 0; i--, number /= 10)
    at[i] = (char)('0' + number % 10);
  return at + digits;
}

static char *put_offset(const struct datetime *a, char *at) {
  unsigned offset = (unsigned)(a->offset < 0 ? -a->offset : a->offset);
  if (!a->has_offset) return at;
  if (offset == 0) {
    *at++ = 'Z';
    return at;
  }
  at = put(at, a->offset < 0 ? '-' : '+', offset / HOUR_MINUTES, 2);
  return put(at, ':', offset % HOUR_MINUTES, 2);
}

static char *put_time(const struct datetime *a, char *at) {
  at = put(at, 0, a->hour, 2);
  if (a->precision >= DATETIME_MINUTE) at = put(at, ':', a->minute, 2);
  if (a->precision >= DATETIME_SECOND) at = put(at, ':', a->second, 2);
  if (a->precision < DATETIME_FRACTION) return at;
  size_t count = a->fraction_digits < 9 ? a->fraction_digits : 9;
  put(at, '.', a->nanosecond, 9);
  return at + 1 + (count ? count : 3);
}

size_t datetime_write(const struct datetime *a, char out[DATETIME_TEXT]) {
  char *at = out;
  if (a->kind == DATETIME_TIME) return (size_t)(put_time(a, at) - out);
  at = put(at, 0, (unsigned)a->year, 4);
  if (a->precision >= DATETIME_MONTH) at = put(at, '-', a->month, 2);
  if (a->precision >= DATETIME_DAY) at = put(at, '-', a->day, 2);
  if (a->precision >= DATETIME_HOUR) {
    *at++ = 'T';
    at = put_offset(a, put_time(a, at));
  }
  return (size_t)(at - out);
}

size_t datetime_write_ms(int64_t ms, char out[DATETIME_TEXT]) {
  struct datetime instant = datetime_from_ms(ms, 0);
  return ms < first_ms || ms > last_ms ? 0 : datetime_write(&instant, out);
}

void datetime_format(const struct datetime *a, struct buf *out) {
  char text[DATETIME_TEXT];
  buf_add(out, text, datetime_write(a, text));
}
