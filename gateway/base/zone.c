/* zone.c - time zone files (RFC 8536): the table of transitions, and the rule for the time after it. */
#include "base/zone.h"

enum {
  ZONE_BYTES = 1 << 18,
  HEADER = 44,
  DAY_SECONDS = 86400,
  OFFSET_MAX = 26 * 3600, /* RFC 8536: above what any zone has */
};

/* A day of the year on which clocks change: POSIX TZ. */
struct change {
  enum { CHANGE_JULIAN, CHANGE_DAY, CHANGE_WEEKDAY } kind; /* Jn, n, Mm.w.d */
  int month, week, day;
  int seconds; /* after midnight, local time before the change */
};

struct datetime_zone {
  const unsigned char *times; /* big-endian, 8 bytes each */
  const unsigned char *kinds; /* of the time after each */
  const unsigned char *types; /* 6 bytes each: offset, summer, name */
  uint32_t count, type_count;
  bool has_rule; /* for what comes after the last transition */
  bool has_summer;
  int32_t standard, summer; /* seconds east of UTC */
  struct change begin, end; /* of summer time */
};

/* --- the file --- */

static uint32_t read32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read64(const unsigned char *p) {
  return (int64_t)((uint64_t)read32(p) << 32 | read32(p + 4));
}

struct counts {
  uint32_t utc, standard, leap, times, types, chars;
};

static bool read_header(struct str content, size_t at, struct counts *out) {
  if (at > content.len || content.len - at < HEADER || memcmp(content.ptr + at, "TZif", 4) != 0) return false;
  const unsigned char *p = (const unsigned char *)content.ptr + at + 20;
  *out = (struct counts){read32(p), read32(p + 4), read32(p + 8), read32(p + 12), read32(p + 16), read32(p + 20)};
  return out->utc < ZONE_BYTES && out->standard < ZONE_BYTES && out->leap < ZONE_BYTES && out->times < ZONE_BYTES &&
         out->types > 0 && out->types <= 256 && out->chars < ZONE_BYTES;
}

static size_t block_size(const struct counts *c, size_t time_size) {
  return (size_t)c->times * (time_size + 1) + (size_t)c->types * 6 + c->chars + (size_t)c->leap * (time_size + 4) +
         c->standard + c->utc;
}

/* Whether every transition leads to a type that there is, and no offset is absurd. */
static bool whole(const struct datetime_zone *zone) {
  for (uint32_t i = 0; i < zone->count; i++) {
    if (zone->kinds[i] >= zone->type_count) return false;
    if (i && read64(zone->times + (size_t)8 * i) <= read64(zone->times + (size_t)8 * (i - 1))) return false;
  }
  for (uint32_t i = 0; i < zone->type_count; i++) {
    int32_t offset = (int32_t)read32(zone->types + (size_t)6 * i);
    if (offset < -OFFSET_MAX || offset > OFFSET_MAX) return false;
  }
  return true;
}

/* --- the rule: "CST6CDT,M3.2.0,M11.1.0" --- */

struct scan {
  const char *at, *end;
};

static bool take(struct scan *scan, char c) {
  if (scan->at >= scan->end || *scan->at != c) return false;
  scan->at++;
  return true;
}

static bool number(struct scan *scan, int max, int *out) {
  int value = 0, digits = 0;
  for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' && digits < 4; scan->at++, digits++)
    value = value * 10 + (*scan->at - '0');
  *out = value;
  return digits > 0 && value <= max;
}

static bool skip_name(struct scan *scan) {
  const char *from = scan->at;
  bool quoted = take(scan, '<');
  while (scan->at < scan->end) {
    char c = *scan->at;
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'))) break;
    scan->at++;
  }
  return quoted ? take(scan, '>') : scan->at - from >= 3;
}

/* [+-]h[h][:mm[:ss]] in seconds. */
static bool clock_time(struct scan *scan, int *out) {
  int hours, minutes = 0, seconds = 0;
  bool minus = take(scan, '-');
  if (!minus) (void)take(scan, '+');
  if (!number(scan, 167, &hours)) return false;
  if (take(scan, ':') && !number(scan, 59, &minutes)) return false;
  if (take(scan, ':') && !number(scan, 59, &seconds)) return false;
  *out = (hours * 3600 + minutes * 60 + seconds) * (minus ? -1 : 1);
  return true;
}

static bool read_change(struct scan *scan, struct change *out) {
  *out = (struct change){.kind = CHANGE_DAY, .seconds = 7200};
  bool fits;
  if (take(scan, 'M')) {
    out->kind = CHANGE_WEEKDAY;
    fits = number(scan, 12, &out->month) && out->month >= 1 && take(scan, '.') && number(scan, 5, &out->week) &&
           out->week >= 1 && take(scan, '.') && number(scan, 6, &out->day);
  } else {
    if (take(scan, 'J')) out->kind = CHANGE_JULIAN;
    fits = number(scan, 365, &out->day) && (out->kind == CHANGE_DAY || out->day >= 1);
  }
  return fits && (!take(scan, '/') || clock_time(scan, &out->seconds));
}

static bool read_rule(struct str text, struct datetime_zone *zone) {
  struct scan scan = {text.ptr, text.ptr + text.len};
  int west;
  if (text.len == 0) return true;
  if (!skip_name(&scan) || !clock_time(&scan, &west) || west < -OFFSET_MAX || west > OFFSET_MAX) return false;
  zone->standard = -west;
  zone->has_rule = true;
  if (scan.at == scan.end) return true;
  zone->has_summer = true;
  zone->summer = zone->standard + 3600;
  if (!skip_name(&scan)) return false;
  if (scan.at < scan.end && *scan.at != ',') {
    if (!clock_time(&scan, &west) || west < -OFFSET_MAX || west > OFFSET_MAX) return false;
    zone->summer = -west;
  }
  return take(&scan, ',') && read_change(&scan, &zone->begin) && take(&scan, ',') &&
         read_change(&scan, &zone->end) && scan.at == scan.end;
}

enum status datetime_zone_of(struct str content, struct arena *arena, const struct datetime_zone **out) {
  struct counts old, counts;
  struct datetime_zone *zone = ARENA_NEW(arena, struct datetime_zone);
  *out = NULL;
  if (!zone) return STATUS_NOMEM;
  if (!read_header(content, 0, &old) || content.ptr[4] < '2') return STATUS_INVALID;
  size_t second = HEADER + block_size(&old, 4);
  if (!read_header(content, second, &counts)) return STATUS_INVALID;
  size_t block = second + HEADER, size = block_size(&counts, 8);
  if (size > content.len - block) return STATUS_INVALID;
  zone->count = counts.times;
  zone->type_count = counts.types;
  zone->times = (const unsigned char *)content.ptr + block;
  zone->kinds = zone->times + (size_t)8 * counts.times;
  zone->types = zone->kinds + counts.times;
  struct str rule = str_slice(content, block + size, SIZE_MAX);
  if (rule.len < 2 || rule.ptr[0] != '\n' || rule.ptr[rule.len - 1] != '\n') return STATUS_INVALID;
  if (!whole(zone) || !read_rule(str_slice(rule, 1, rule.len - 1), zone)) return STATUS_INVALID;
  *out = zone;
  return STATUS_OK;
}

/* Letters, digits, _, + and -, between slashes: no way out of the folder. */
static bool fit_name(struct str name) {
  for (size_t i = 0; i < name.len; i++) {
    char c = name.ptr[i];
    bool inner = i > 0 && i + 1 < name.len && name.ptr[i - 1] != '/';
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-')
      continue;
    if (c != '/' || !inner) return false;
  }
  return name.len > 0 && name.len <= 64;
}

enum status datetime_zone_read(const struct host *host, struct str name, struct arena *arena,
                               const struct datetime_zone **out) {
  struct str content;
  *out = NULL;
  if (!fit_name(name)) return STATUS_NOT_FOUND;
  struct str path = arena_printf(arena, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
  if (!path.ptr) return STATUS_NOMEM;
  enum status status = host->read_file(host->context, path.ptr, ZONE_BYTES, arena, &content);
  return status == STATUS_OK ? datetime_zone_of(content, arena, out) : status;
}

/* --- looking up --- */

static int64_t days_of(int year, int month, int day) {
  struct datetime date = {.kind = DATETIME_DATE,
                          .precision = DATETIME_DAY,
                          .year = (int16_t)year,
                          .month = (uint8_t)month,
                          .day = (uint8_t)day};
  return datetime_to_ms(&date, 0) / 1000 / DAY_SECONDS;
}

/* Of the week: 0 is Sunday; 1970-01-01 was a Thursday. */
static int weekday(int64_t days) {
  return (int)(((days % 7) + 11) % 7);
}

/* Local seconds since 1970 at which the clocks change in that year. */
static int64_t change_at(const struct change *change, int year) {
  int64_t days;
  if (change->kind == CHANGE_WEEKDAY) {
    days = days_of(year, change->month, 1);
    days += (change->day - weekday(days) + 7) % 7 + 7 * (change->week - 1);
    if (days - days_of(year, change->month, 1) >= datetime_days_in_month(year, change->month)) days -= 7;
  } else {
    days = days_of(year, 1, 1) + change->day;
    if (change->kind == CHANGE_JULIAN) days -= datetime_days_in_month(year, 2) == 28 || change->day < 60;
  }
  return days * DAY_SECONDS + change->seconds;
}

static int32_t by_rule(const struct datetime_zone *zone, int64_t when) {
  if (!zone->has_summer) return zone->standard;
  int year = datetime_from_ms((when + zone->standard) * 1000, 0).year;
  int64_t begin = change_at(&zone->begin, year) - zone->standard, end = change_at(&zone->end, year) - zone->summer;
  bool summer = begin < end ? when >= begin && when < end : when >= begin || when < end;
  return summer ? zone->summer : zone->standard;
}

/* Seconds east of UTC at an instant. */
static int32_t offset_at(const struct datetime_zone *zone, int64_t when) {
  uint32_t low = 0, high = zone->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (read64(zone->times + (size_t)8 * middle) <= when)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == zone->count && zone->has_rule) return by_rule(zone, when);
  uint32_t type = low ? zone->kinds[low - 1] : 0;
  return (int32_t)read32(zone->types + (size_t)6 * type);
}

enum datetime_local datetime_zone_resolve(const struct datetime_zone *zone, struct datetime *local) {
  struct datetime as_utc = *local;
  as_utc.has_offset = true;
  as_utc.offset = 0;
  int64_t seconds = datetime_to_ms(&as_utc, 0) / 1000;
  /* what held the day before and what holds the day after are the two offsets that it could have */
  int32_t before = offset_at(zone, seconds - DAY_SECONDS), after = offset_at(zone, seconds + DAY_SECONDS);
  bool first = offset_at(zone, seconds - before) == before, second = offset_at(zone, seconds - after) == after;
  if (first && second && before != after) return DATETIME_LOCAL_TWICE;
  int32_t offset = first ? before : after;
  if ((!first && !second) || offset % 60 != 0) return DATETIME_LOCAL_NEVER;
  local->has_offset = true;
  local->offset = (int16_t)(offset / 60);
  return DATETIME_LOCAL_ONE;
}
