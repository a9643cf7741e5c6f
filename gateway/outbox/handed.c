/*
 * handed.c - records that came a moment ago, in memory: who claims one need not read, open and unpress what was just sealed.
 *
 * Here is what the row of a queued record says that was never tried. Whatever changes it takes it from here, and so does a group that is
 * given up; then, and when there is no room, it is read from the store as ever. What is claimed is durable no sooner for it: the claim
 * is, with its record or behind it. The texts are wiped when they go, at the latest when the store has nothing to do.
 */
#include <openssl/crypto.h>
#include "outbox/internal.h"

enum { HANDED_BYTES = 1 << 20, HANDED_ONE_BYTES = 64 << 10 };
/* What lies longer waits for its destination, or behind others of its lane, and leaves its place to the next. */
enum { HANDED_MS = 5000 };

/* Numbers follow each other: the place of one is free when so many have come and gone. */
static struct outbox_handed *slot_of(struct outbox *outbox, int64_t id) {
  return &outbox->handed.slots[(uint64_t)id % HANDED_MAX];
}

static void forget(struct outbox *outbox, struct outbox_handed *handed) {
  outbox->handed.bytes -= handed->len;
  OPENSSL_clear_free(handed->text, handed->len);
  OPENSSL_cleanse(handed, sizeof *handed);
}

void outbox_handed_forget(struct outbox *outbox, int64_t id) {
  struct outbox_handed *handed = slot_of(outbox, id);
  if (handed->id == id) forget(outbox, handed);
}

void outbox_handed_forget_all(struct outbox *outbox) {
  for (size_t i = 0; outbox->handed.bytes && i < HANDED_MAX; i++)
    if (outbox->handed.slots[i].id) forget(outbox, &outbox->handed.slots[i]);
}

static char *put(char *at, struct str text) {
  if (text.len) memcpy(at, text.ptr, text.len);
  return at + text.len;
}

void outbox_hand_over(struct outbox *outbox, const struct outbox_handed *of, struct str kind, struct str label, struct str pressed) {
  struct outbox_handed *handed = slot_of(outbox, of->id);
  bool old = handed->id && (of->accepted_at < handed->accepted_at || of->accepted_at - handed->accepted_at > HANDED_MS);
  size_t len = kind.len + label.len + pressed.len;
  if (old) forget(outbox, handed);
  if (handed->id || len > HANDED_ONE_BYTES || outbox->handed.bytes + len > HANDED_BYTES) return;
  char *text = OPENSSL_malloc(len);
  if (!text) return;
  (void)put(put(put(text, kind), label), pressed);
  *handed = *of;
  handed->text = text;
  handed->len = len;
  handed->kind = str_make(text, kind.len);
  handed->label = str_make(text + kind.len, label.len);
  handed->pressed = str_make(text + kind.len + label.len, pressed.len);
  outbox->handed.bytes += len;
}

const struct outbox_handed *outbox_handed_of(struct outbox *outbox, int64_t id) {
  const struct outbox_handed *handed = slot_of(outbox, id);
  return handed->id == id ? handed : NULL;
}

enum status outbox_handed_read(const struct outbox_handed *handed, struct arena *arena, struct outbox_claim *out) {
  enum status status = STATUS_OK;
  if (handed->pressed.len < handed->bytes)
    status = outbox_unpress(handed->pressed, handed->bytes, arena, &out->payload);
  else
    out->payload = arena_str(arena, handed->pressed);
  out->kind = arena_str(arena, handed->kind);
  out->label = arena_str(arena, handed->label);
  return status == STATUS_OK && !(out->payload.ptr && out->kind.ptr && out->label.ptr) ? STATUS_NOMEM : status;
}
