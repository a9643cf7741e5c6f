/* str.c - views of bytes: order, search, hash, edit distance. */
#include "base/str.h"

int str_cmp(struct str a, struct str b) {
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
  if (order) return order < 0 ? -1 : 1;
  return (a.len > b.len) - (a.len < b.len);
}

/* Most texts differ in the first byte: no call for them. */
bool str_starts(struct str s, struct str prefix) {
  if (prefix.len == 0) return true;
  return s.len >= prefix.len && s.ptr[0] == prefix.ptr[0] && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

bool str_ends(struct str s, struct str suffix) {
  return s.len >= suffix.len &&
         (suffix.len == 0 || memcmp(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

size_t str_find(struct str s, struct str needle, size_t from) {
  if (from > s.len || needle.len > s.len - from) return SIZE_MAX;
  if (needle.len == 0) return from;
  const char *hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
  return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

size_t str_find_char(struct str s, char c, size_t from) {
  if (from >= s.len) return SIZE_MAX;
  const char *hit = memchr(s.ptr + from, c, s.len - from);
  return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

struct str str_slice(struct str s, size_t from, size_t to) {
  if (to > s.len) to = s.len;
  if (from > to) from = to;
  return (struct str){s.ptr ? s.ptr + from : NULL, to - from};
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str str_trim_ends(struct str s) {
  while (s.len && is_space(s.ptr[0])) {
    s.ptr++;
    s.len--;
  }
  while (s.len && is_space(s.ptr[s.len - 1]))
    s.len--;
  return s;
}

/* Least significant byte first: the same hash on every machine. */
static uint64_t load64(const char *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

static uint64_t load_tail(const char *bytes, size_t count) {
  uint64_t word = 0;
  for (size_t i = 0; i < count; i++)
    word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
  return word;
}

__extension__ typedef unsigned __int128 wide;

static uint64_t mix(uint64_t a, uint64_t b) {
  wide product = (wide)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t str_hash_keyed(struct str s, uint64_t key) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ key ^ s.len;
  const char *at = s.ptr;
  size_t left = s.len;
  for (; left >= 8; at += 8, left -= 8)
    hash = mix(hash ^ load64(at), 0xd6e8feb86659fd93u);
  if (left) hash = mix(hash ^ load_tail(at, left), 0xa0761d6478bd642fu);
  return mix(hash, 0xe7037ed1a0b428dbu);
}

uint64_t str_hash(struct str s) {
  return str_hash_keyed(s, 0);
}

bool str_to_int64(struct str s, int64_t *out) {
  int64_t value = 0;
  if (s.len == 0) return false;
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_add_overflow(value, s.ptr[i] - '0', &value)) return false;
  }
  *out = value;
  return true;
}

enum { DISTANCE_MAX = 128 };

/* One row of the Levenshtein table; returns the least value in it. */
static unsigned distance_row(struct str b, char c, unsigned row[DISTANCE_MAX + 1]) {
  unsigned diagonal = row[0];
  unsigned least = ++row[0];
  for (size_t j = 1; j <= b.len; j++) {
    unsigned best = diagonal + (c != b.ptr[j - 1]);
    if (row[j] + 1 < best) best = row[j] + 1;
    if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
    diagonal = row[j];
    row[j] = best;
    if (best < least) least = best;
  }
  return least;
}

unsigned str_distance(struct str a, struct str b, unsigned cap) {
  unsigned row[DISTANCE_MAX + 1];
  size_t gap = a.len > b.len ? a.len - b.len : b.len - a.len;
  if (gap > cap || b.len > DISTANCE_MAX || a.len > DISTANCE_MAX) return str_eq(a, b) ? 0 : cap + 1;
  for (size_t j = 0; j <= b.len; j++)
    row[j] = (unsigned)j;
  for (size_t i = 0; i < a.len; i++) {
    if (distance_row(b, a.ptr[i], row) > cap) return cap + 1;
  }
  return row[b.len] > cap ? cap + 1 : row[b.len];
}

enum { NEAR = 3 };

void str_nearest_offer(struct str_nearest *nearest, struct str known) {
  unsigned end = nearest->best.len ? nearest->distance : NEAR + 1;
  unsigned distance = end ? str_distance(known, nearest->word, end - 1) : 0;
  if (distance >= end || distance * 2 >= nearest->word.len) return;
  nearest->distance = distance;
  nearest->best = known;
}
