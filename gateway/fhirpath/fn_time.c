/* fn_time.c - parts of dates and times, boundaries of what a value of that precision may be, precision,
 * comparability. */
#include "fhirpath/internal.h"

/* --- parts */

/* A date, dateTime or time, also from a String in one of these forms. */
static bool read_time(const struct fp_list *in, struct datetime *out) {
  static const enum fp_kind kinds[] = {FP_DATE, FP_DATETIME, FP_TIME};
  struct fp_value value;
  fp_load(&in->items[0], &value);
  if (value.kind != FP_STRING) return fp_value_datetime(&value, out);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    value.kind = kinds[i];
    if (fp_value_datetime(&value, out)) return true;
  }
  return false;
}

static bool push_offset(struct fp_eval *e, const struct datetime *time, struct fp_list *out) {
  struct decimal hours;
  if (!time->has_offset || time->kind == DATETIME_TIME) return true;
  if (!decimal_divide(decimal_from_int(time->offset), decimal_from_int(60), &hours)) return true;
  if (hours.scale == 0)
    hours = (struct decimal){.coefficient = hours.coefficient * 10, .scale = 1, .negative = hours.negative};
  return fp_push_decimal(e, out, hours);
}

bool fp_fn_component(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  static const char *const names[] = {"",       "yearOf",   "monthOf",  "dayOf",
                                      "hourOf", "minuteOf", "secondOf", "millisecondOf"};
  struct datetime t;
  if (!read_time(in, &t)) return true;
  if (strcmp(call->function->name, "timezoneOffsetOf") == 0) return push_offset(e, &t, out);
  const int64_t parts[] = {0, t.year, t.month, t.day, t.hour, t.minute, t.second, t.nanosecond / 1000000};
  for (int i = DATETIME_YEAR; i <= DATETIME_FRACTION; i++) {
    bool present = (int)t.precision >= i && (t.kind != DATETIME_TIME || i >= DATETIME_HOUR);
    if (strcmp(call->function->name, names[i]) == 0) return !present || fp_push_integer(e, out, parts[i]);
  }
  return true;
}

static bool push_time(struct fp_eval *e, enum fp_kind kind, const struct datetime *time,
                      struct fp_list *out) {
  struct str text;
  return fp_datetime_text(e, time, &text) && fp_push(e, out, (struct fp_item){.kind = kind, .string = text});
}

bool fp_fn_date_of(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  struct datetime t;
  (void)call;
  if (!read_time(in, &t) || t.kind == DATETIME_TIME) return true;
  t.kind = DATETIME_DATE;
  t.has_offset = false;
  if (t.precision > DATETIME_DAY) t.precision = DATETIME_DAY;
  return push_time(e, FP_DATE, &t, out);
}

bool fp_fn_time_of(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  struct datetime t;
  (void)call;
  if (!read_time(in, &t) || t.precision < DATETIME_HOUR) return true;
  t.kind = DATETIME_TIME;
  t.has_offset = false;
  return push_time(e, FP_TIME, &t, out);
}

/* --- boundaries */

enum { DECIMAL_PRECISION = 8, DECIMAL_PRECISION_MAX = 31 };

/* Half a unit of the last digit below (or above) the value; the digits beyond `scale` are cut toward zero for
   the boundary nearer to zero, rounded for the other. */
static bool decimal_boundary(struct decimal value, int32_t scale, bool high, struct decimal *out) {
  struct decimal half = {.coefficient = 5, .scale = value.scale + 1}, cut,
                 ten = {.coefficient = 1, .scale = scale};
  if (!(high ? decimal_add(value, half, out) : decimal_subtract(value, half, out))) return false;
  bool outward = out->negative != high;
  if (out->scale > scale && !outward) {
    struct decimal shift = {.coefficient = 1, .scale = 0}, whole;
    for (int32_t i = 0; i < scale; i++)
      shift.coefficient *= 10;
    if (!decimal_multiply(*out, shift, &whole)) return false;
    cut = decimal_truncate(whole);
    return decimal_multiply(cut, ten, out);
  }
  *out = decimal_round(*out, scale);
  if (out->scale >= scale) return true;
  return decimal_add(*out, (struct decimal){.scale = scale}, out);
}

static enum datetime_precision time_precision(int64_t digits, bool time) {
  static const struct {
    int8_t digits, time_digits;
    enum datetime_precision precision;
  } rows[] = {{4, 0, DATETIME_YEAR},     {6, 0, DATETIME_MONTH},   {8, 0, DATETIME_DAY},
              {10, 2, DATETIME_HOUR},    {12, 4, DATETIME_MINUTE}, {14, 6, DATETIME_SECOND},
              {17, 9, DATETIME_FRACTION}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (digits > 0 && digits == (time ? rows[i].time_digits : rows[i].digits)) return rows[i].precision;
  }
  return 0;
}

static void fill(struct datetime *t, bool high) {
  if (t->precision < DATETIME_MONTH) t->month = high ? 12 : 1;
  if (t->precision < DATETIME_DAY && t->kind != DATETIME_TIME)
    t->day = high ? (uint8_t)datetime_days_in_month(t->year, t->month) : 1;
  if (t->precision < DATETIME_HOUR) t->hour = high ? 23 : 0;
  if (t->precision < DATETIME_MINUTE) t->minute = high ? 59 : 0;
  if (t->precision < DATETIME_SECOND) t->second = high ? 59 : 0;
  if (t->precision < DATETIME_FRACTION) t->nanosecond = high ? 999000000 : 0;
  t->fraction_digits = 3;
}

static bool time_boundary(struct fp_eval *e, const struct fp_value *value, int64_t digits, bool high,
                          struct fp_list *out) {
  struct datetime t;
  if (!fp_value_datetime(value, &t)) return true;
  enum datetime_precision precision = time_precision(digits, value->kind == FP_TIME);
  if (!precision || (value->kind == FP_DATE && precision > DATETIME_DAY)) return true;
  fill(&t, high);
  t.precision = precision;
  if (precision < DATETIME_HOUR) {
    t.has_offset = false;
  } else if (value->kind == FP_DATETIME && !t.has_offset) {
    t.has_offset = true;
    t.offset = (int16_t)(high ? -12 * 60 : 14 * 60);
  }
  return push_time(e, value->kind, &t, out);
}

static bool boundary(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, bool high,
                     struct fp_list *out) {
  struct fp_value value;
  int64_t digits = -1;
  fp_load(&in->items[0], &value);
  if (value.kind == FP_NODE) return true;
  int given = fp_argument_integer(e, call, 0, &digits);
  if (given < 0) return false;
  if (fp_is_date_kind(value.kind)) {
    static const int8_t full[] = {[FP_DATE] = 8, [FP_DATETIME] = 17, [FP_TIME] = 9};
    return time_boundary(e, &value, given ? digits : full[value.kind], high, out);
  }
  if (!given) digits = DECIMAL_PRECISION;
  struct decimal exact, result;
  bool quantity = value.kind == FP_QUANTITY;
  if (digits < 0 || digits > DECIMAL_PRECISION_MAX) return true;
  if (quantity)
    exact = value.quantity.value;
  else if (!fp_value_decimal(&value, &exact))
    return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "%s() takes a number, a quantity or a date",
                   call->function->name);
  if (!decimal_boundary(exact, (int32_t)digits, high, &result)) return true;
  if (!quantity) return fp_push_decimal(e, out, result);
  value.quantity.value = result;
  value.quantity.text = (struct str){0};
  return fp_push_quantity(e, out, &value.quantity);
}

bool fp_fn_low_boundary(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                        struct fp_list *out) {
  return boundary(e, call, in, false, out);
}

bool fp_fn_high_boundary(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                         struct fp_list *out) {
  return boundary(e, call, in, true, out);
}

/* --- precision, comparable */

bool fp_fn_precision(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  static const int8_t digits[] = {0, 4, 6, 8, 10, 12, 14, 17}, time_digits[] = {0, 0, 0, 0, 2, 4, 6, 9};
  struct fp_value value;
  struct datetime t;
  fp_load(&in->items[0], &value);
  if (value.kind == FP_INTEGER) return fp_push_integer(e, out, 0);
  if (value.kind == FP_DECIMAL) return fp_push_integer(e, out, value.decimal.scale);
  if (fp_value_datetime(&value, &t))
    return fp_push_integer(e, out, value.kind == FP_TIME ? time_digits[t.precision] : digits[t.precision]);
  if (value.kind == FP_NODE || fp_is_date_kind(value.kind)) return true;
  return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "precision() takes a number, a date or a time");
}

static bool as_quantity(const struct fp_value *value, struct fp_quantity *out) {
  *out = (struct fp_quantity){.unit = STR("1")};
  if (value->kind == FP_QUANTITY) *out = value->quantity;
  return value->kind == FP_QUANTITY || fp_value_decimal(value, &out->value);
}

bool fp_fn_comparable(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                      struct fp_list *out) {
  struct fp_value left, right;
  struct fp_quantity a, b;
  struct decimal x, y;
  int finer;
  fp_load(&in->items[0], &left);
  int given = fp_argument(e, call, 0, &right);
  if (given <= 0) return given == 0;
  bool both = as_quantity(&left, &a) && as_quantity(&right, &b);
  return fp_push_boolean(e, out, both && fp_quantity_align(e->program->units, &a, &b, false, &x, &y, &finer));
}
