/* archive.h - makes package files for a test. */
#ifndef TEST_DEFINITIONS_ARCHIVE_H
#define TEST_DEFINITIONS_ARCHIVE_H

#include <stdio.h>
#include <zlib.h>
#include "small.h"

enum { BLOCK = 512 };

struct entry {
  const char *name;
  char type;
  const char *text;
  size_t size; /* of text, or what the header claims when text is NULL */
};

static inline void add_block(struct buf *tar, const struct entry *entry) {
  unsigned char block[BLOCK] = {0};
  size_t sum = 0;
  memcpy(block, entry->name, strlen(entry->name) < 100 ? strlen(entry->name) : 100);
  snprintf((char *)block + 100, 8, "%07o", 0644u);
  snprintf((char *)block + 124, 12, "%011o", (unsigned)entry->size);
  memset(block + 148, ' ', 8);
  block[156] = (unsigned char)entry->type;
  memcpy(block + 257, "ustar\00000", 8);
  for (int i = 0; i < BLOCK; i++)
    sum += block[i];
  snprintf((char *)block + 148, 8, "%06o", (unsigned)sum);
  buf_add(tar, (const char *)block, BLOCK);
}

static inline void add_entry(struct buf *tar, const struct entry *entry) {
  static const char zeros[BLOCK];
  add_block(tar, entry);
  if (!entry->text) return;
  buf_add(tar, entry->text, entry->size);
  if (entry->size % BLOCK) buf_add(tar, zeros, BLOCK - entry->size % BLOCK);
}

static inline void add_text(struct buf *tar, const char *name, char type, const char *text) {
  add_entry(tar, &(struct entry){name, type, text, strlen(text)});
}

static inline struct buf gzip(const struct buf *tar) {
  struct buf out;
  z_stream z = {0};
  buf_init(&out, 1 << 28);
  assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_true(buf_reserve(&out, deflateBound(&z, tar->len)));
  z.next_in = (unsigned char *)tar->ptr;
  z.avail_in = (unsigned)tar->len;
  z.next_out = (unsigned char *)out.ptr;
  z.avail_out = (unsigned)out.room;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.len = z.total_out;
  deflateEnd(&z);
  return out;
}

#endif
