/*
 * mllp.c - fuzz target: framing. The first byte of an input is the cap, the second how the rest is split.
 *
 * What must hold: frames and what was passed over do not depend on the splits; no frame has a VT or an FS in it or is
 * larger than the cap; who keeps a frame changes nothing of this; the frames, one after the other, are pieces of the input in its order; what has been read and is
 * written is read again.
 */
#include "mllp/mllp.h"
#include "fuzz.h"

enum { TOLD_MAX = 1 << 21 };

void fuzz_begin(void) {}

struct run {
  struct buf told; /* events and frames */
  uint64_t skipped;
};

static void tell(struct run *run, struct str input, size_t *at, enum mllp_event event, struct str frame) {
  size_t found = str_find(input, frame, *at);
  FUZZ_REQUIRE(found != SIZE_MAX);
  *at = found + frame.len;
  FUZZ_REQUIRE(mllp_can_carry(frame));
  buf_printf(&run->told, "%d:%zu:", (int)event, frame.len);
  buf_add_str(&run->told, frame);
}

/* Who keeps a frame has what was handed out, and the reader goes on as if nobody had; there is nothing to keep where none was. */
static void keep(struct mllp_reader *reader, enum mllp_event event, struct str frame) {
  struct buf kept = mllp_keep(reader);
  FUZZ_REQUIRE(event != MLLP_MORE ? kept.ptr == frame.ptr && kept.len == frame.len : !kept.ptr && !kept.len);
  buf_release(&kept);
}

static void run_split(struct str input, size_t max, size_t step, bool keeps, struct run *run) {
  struct mllp_reader reader;
  struct str frame;
  enum mllp_event event = MLLP_MORE;
  size_t place = 0;
  buf_init(&run->told, TOLD_MAX);
  mllp_reader_init(&reader, max);
  for (size_t at = 0; at < input.len;) {
    size_t used = 0;
    struct str part = str_slice(input, at, at + step);
    FUZZ_REQUIRE(mllp_feed(&reader, part, &used, &event, &frame) == STATUS_OK);
    FUZZ_REQUIRE(used <= part.len && (used == part.len || event != MLLP_MORE));
    at += used;
    if (event != MLLP_MORE) tell(run, input, &place, event, frame);
    if (keeps) keep(&reader, event, frame);
    FUZZ_REQUIRE(event == MLLP_TOO_LARGE ? frame.len == max : frame.len <= max);
    FUZZ_REQUIRE(mllp_held(&reader) <= max);
    FUZZ_REQUIRE(event == MLLP_MORE || !mllp_within(&reader));
    FUZZ_REQUIRE(event != MLLP_MORE || !mllp_held(&reader) || mllp_within(&reader));
  }
  bool within = mllp_within(&reader);
  event = mllp_end(&reader, &frame);
  FUZZ_REQUIRE((event != MLLP_MORE) == within && !mllp_within(&reader));
  if (event != MLLP_MORE) tell(run, input, &place, event, frame);
  run->skipped = mllp_skipped(&reader);
  mllp_reader_reset(&reader);
}

static void write_and_read(struct str message) {
  struct buf out;
  struct mllp_reader reader;
  enum mllp_event event = MLLP_MORE;
  struct str frame;
  size_t used = 0;
  if (!mllp_can_carry(message)) return;
  buf_init(&out, message.len + MLLP_OVERHEAD);
  mllp_write(message, &out);
  mllp_reader_init(&reader, message.len);
  FUZZ_REQUIRE(mllp_feed(&reader, buf_str(&out), &used, &event, &frame) == STATUS_OK);
  FUZZ_REQUIRE(event == MLLP_FRAME && used == out.len && str_eq(frame, message));
  mllp_reader_reset(&reader);
  buf_release(&out);
}

void fuzz_one(struct str input) {
  struct run whole, split;
  if (input.len < 2 || input.len > TOLD_MAX / 8) return;
  size_t max = (unsigned char)input.ptr[0], step = (unsigned char)input.ptr[1] % 7 + 1;
  struct str bytes = str_slice(input, 2, input.len);
  run_split(bytes, max, SIZE_MAX / 2, false, &whole);
  run_split(bytes, max, step, true, &split);
  FUZZ_REQUIRE(str_eq(buf_str(&whole.told), buf_str(&split.told)) && whole.skipped == split.skipped);
  buf_release(&whole.told);
  buf_release(&split.told);
  write_and_read(bytes);
}
