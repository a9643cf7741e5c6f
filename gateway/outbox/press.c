/* press.c - payloads made smaller before they are sealed (LZ4): of a Bundle a third is left, and of the pages that are written for
   it, in the log and again in the store. */
#include <lz4.h>
#include "outbox/internal.h"

_Static_assert(LIMIT_OUTBOX_PAYLOAD <= LZ4_MAX_INPUT_SIZE, "LZ4 takes a whole payload");

/* Below this there is nothing to win: keys and addresses come once. */
enum { PRESS_MIN = 128 };

enum status outbox_press(struct str text, struct arena *arena, struct str *out) {
  *out = text;
  if (text.len < PRESS_MIN || text.len > LIMIT_OUTBOX_PAYLOAD) return STATUS_OK;
  char *bytes = arena_alloc(arena, text.len);
  if (!bytes) return STATUS_NOMEM;
  /* one byte less than it has: a length tells whether it is pressed */
  int len = LZ4_compress_default(text.ptr, bytes, (int)text.len, (int)text.len - 1);
  arena_shrink(arena, bytes, text.len, len > 0 ? (size_t)len : 0);
  if (len > 0) *out = str_make(bytes, (size_t)len);
  return STATUS_OK;
}

enum status outbox_item_press(struct outbox_item *item, struct arena *arena) {
  size_t bytes = item->payload.len;
  if (item->bytes) return STATUS_OK;
  enum status status = outbox_press(item->payload, arena, &item->payload);
  item->bytes = bytes;
  return status;
}

enum status outbox_unpress(struct str pressed, size_t len, struct arena *arena, struct str *out) {
  if (len > LIMIT_OUTBOX_PAYLOAD || pressed.len >= len) return STATUS_INVALID;
  char *bytes = arena_alloc(arena, len + 1);
  if (!bytes) return STATUS_NOMEM;
  if (LZ4_decompress_safe(pressed.ptr, bytes, (int)pressed.len, (int)len) != (int)len) return STATUS_INVALID;
  bytes[len] = '\0';
  *out = str_make(bytes, len);
  return STATUS_OK;
}
