/* mllp.c - frames out of bytes, by three states. */
#include "mllp/mllp.h"

void mllp_reader_init(struct mllp_reader *reader, size_t max) {
  *reader = (struct mllp_reader){.state = MLLP_BETWEEN};
  buf_init(&reader->frame, max < MLLP_LARGEST_BYTES ? max : MLLP_LARGEST_BYTES);
}

void mllp_reader_reset(struct mllp_reader *reader) {
  buf_release(&reader->frame);
  reader->state = MLLP_BETWEEN;
  reader->handed_out = false;
}

bool mllp_within(const struct mllp_reader *reader) {
  return reader->state != MLLP_BETWEEN;
}

size_t mllp_held(const struct mllp_reader *reader) {
  return reader->frame.len;
}

uint64_t mllp_skipped(const struct mllp_reader *reader) {
  return reader->skipped;
}

/* --- reading --- */

/* The frame goes to the caller; the next call takes it back. */
static enum mllp_event hand_out(struct mllp_reader *reader, enum mllp_event event, struct str *frame) {
  reader->state = MLLP_BETWEEN;
  reader->handed_out = true;
  *frame = buf_str(&reader->frame);
  return event;
}

static void take_back(struct mllp_reader *reader) {
  if (reader->handed_out) buf_release(&reader->frame);
  reader->handed_out = false;
}

struct buf mllp_keep(struct mllp_reader *reader) {
  struct buf frame = reader->frame;
  if (!reader->handed_out) return (struct buf){.max = frame.max};
  buf_init(&reader->frame, frame.max);
  reader->handed_out = false;
  return frame;
}

/* Up to a frame's begin. */
static size_t skip(struct mllp_reader *reader, struct str bytes) {
  size_t begin = str_find_char(bytes, MLLP_VT, 0), end = begin == SIZE_MAX ? bytes.len : begin;
  for (size_t i = 0; i < end; i++)
    reader->skipped += bytes.ptr[i] != '\r' && bytes.ptr[i] != '\n';
  if (begin == SIZE_MAX) return end;
  reader->state = MLLP_WITHIN;
  return end + 1;
}

/* Up to what ends a frame, or cuts it off, or is more than it may have. The VT is looked for first: so no byte is
   looked at more than twice, however many of them there are. */
static size_t collect(struct mllp_reader *reader, struct str bytes, enum mllp_event *event, struct str *frame) {
  struct str open = str_slice(bytes, 0, str_find_char(bytes, MLLP_VT, 0));
  struct str message = str_slice(open, 0, str_find_char(open, MLLP_FS, 0));
  size_t room = reader->frame.max - reader->frame.len;
  buf_add(&reader->frame, message.ptr, message.len < room ? message.len : room);
  if (message.len > room) {
    *event = hand_out(reader, MLLP_TOO_LARGE, frame);
    return room;
  }
  if (message.len < open.len) {
    reader->state = MLLP_AFTER_FS;
    return message.len + 1;
  }
  if (open.len < bytes.len) *event = hand_out(reader, MLLP_CUT, frame); /* its VT begins the next one */
  return open.len;
}

/* A VT that follows is left for the next frame, anything else for what is passed over. */
static size_t finish(struct mllp_reader *reader, char next, enum mllp_event *event, struct str *frame) {
  bool ends = next == MLLP_CR || next == MLLP_VT;
  *event = hand_out(reader, ends ? MLLP_FRAME : MLLP_UNENDED, frame);
  return next == MLLP_CR;
}

enum status mllp_feed(struct mllp_reader *reader, struct str bytes, size_t *used, enum mllp_event *event,
                      struct str *frame) {
  size_t at = 0;
  *event = MLLP_MORE;
  *frame = (struct str){0};
  take_back(reader);
  while (at < bytes.len && *event == MLLP_MORE && reader->frame.error == STATUS_OK) {
    struct str rest = str_slice(bytes, at, bytes.len);
    if (reader->state == MLLP_BETWEEN)
      at += skip(reader, rest);
    else if (reader->state == MLLP_WITHIN)
      at += collect(reader, rest, event, frame);
    else
      at += finish(reader, rest.ptr[0], event, frame);
  }
  *used = at;
  enum status status = reader->frame.error;
  if (status != STATUS_OK) mllp_reader_reset(reader);
  return status;
}

enum mllp_event mllp_end(struct mllp_reader *reader, struct str *frame) {
  *frame = (struct str){0};
  take_back(reader);
  if (reader->state == MLLP_BETWEEN) return MLLP_MORE;
  return hand_out(reader, reader->state == MLLP_AFTER_FS ? MLLP_FRAME : MLLP_CUT, frame);
}

/* --- writing --- */

bool mllp_can_carry(struct str message) {
  return str_find_char(message, MLLP_VT, 0) == SIZE_MAX && str_find_char(message, MLLP_FS, 0) == SIZE_MAX;
}

void mllp_write(struct str message, struct buf *out) {
  buf_add_char(out, MLLP_VT);
  buf_add_str(out, message);
  buf_add_char(out, MLLP_FS);
  buf_add_char(out, MLLP_CR);
}
