/* words.h - private: texts looked at eight bytes at a time. */
#ifndef KETLINK_VALIDATION_WORDS_H
#define KETLINK_VALIDATION_WORDS_H

#include "base/base.h"

enum { WORD = sizeof(uint64_t) };
static const uint64_t ones = UINT64_MAX / 255;

/* The eighth bit of a byte that is below `limit` (128 at most); above the lowest such byte others may be set too. */
static inline uint64_t below(uint64_t word, unsigned limit) {
  return (word - ones * limit) & ~word & ones << 7;
}

static inline uint64_t word_at(const char *at) {
  uint64_t word;
  memcpy(&word, at, sizeof word);
  return word;
}

/* Less than a word, put twice or more into one. */
static inline uint64_t short_word(struct str text) {
  uint32_t first, last;
  if (text.len < sizeof first)
    return ones * (unsigned char)text.ptr[0] ^ ((uint64_t)(text.ptr[0] ^ text.ptr[text.len / 2]) & 0xFF) << 8 ^
           ((uint64_t)(text.ptr[0] ^ text.ptr[text.len - 1]) & 0xFF) << 16;
  memcpy(&first, text.ptr, sizeof first);
  memcpy(&last, text.ptr + text.len - sizeof last, sizeof last);
  return first | (uint64_t)last << 32;
}

#endif
