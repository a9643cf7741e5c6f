/* test_mllp.c - what a stream of bytes is, however it was split. Streams and what must come of them are written with
   V for VT, F for FS, R for CR, N for LF, 0 for NUL and ~ for 0xFF. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "mllp/mllp.h"

enum { TEXT_MAX = 4096, CAP = 12 };

static struct str bytes_of(const char *text, char out[TEXT_MAX]) {
  static const char from[] = "VFRN0~", to[] = "\x0b\x1c\r\n\0\xff";
  size_t len = strlen(text);
  for (size_t i = 0; i < len; i++) {
    const char *found = strchr(from, text[i]);
    out[i] = found ? to[found - from] : text[i];
  }
  return str_make(out, len);
}

/* Each event as its letter and its bytes in brackets. */
static void feed(struct mllp_reader *reader, struct str bytes, struct buf *out) {
  static const char letters[] = "?=cut";
  enum mllp_event event;
  struct str frame;
  size_t used, at = 0;
  do {
    assert_int_equal(mllp_feed(reader, str_slice(bytes, at, bytes.len), &used, &event, &frame), STATUS_OK);
    at += used;
    if (event != MLLP_MORE) {
      buf_add_char(out, letters[event]);
      buf_add_char(out, '[');
      buf_add_str(out, frame);
      buf_add_char(out, ']');
    }
  } while (event != MLLP_MORE);
  assert_int_equal(at, bytes.len);
}

static void end(struct mllp_reader *reader, struct buf *out) {
  struct str frame;
  enum mllp_event event = mllp_end(reader, &frame);
  if (event == MLLP_MORE) return;
  buf_add_text(out, event == MLLP_FRAME ? "end=[" : "endc[");
  buf_add_str(out, frame);
  buf_add_char(out, ']');
  assert_int_equal(mllp_end(reader, &frame), MLLP_MORE);
}

static void expect(struct buf *got, const char *wanted, const char *stream, size_t first, size_t second) {
  char bytes[TEXT_MAX];
  if (!str_eq(buf_str(got), bytes_of(wanted, bytes)))
    fail_msg("%s, split at %zu and %zu: %.*s, wanted %s", stream, first, second, STR_ARG(buf_str(got)), wanted);
}

/* In three parts; the two splits may be at one place. */
static uint64_t run_split(const char *stream, const char *wanted, size_t first, size_t second) {
  char bytes[TEXT_MAX];
  struct str whole = bytes_of(stream, bytes);
  struct mllp_reader reader;
  struct buf got;
  buf_init(&got, TEXT_MAX);
  mllp_reader_init(&reader, CAP);
  feed(&reader, str_slice(whole, 0, first), &got);
  feed(&reader, str_slice(whole, first, second), &got);
  feed(&reader, str_slice(whole, second, whole.len), &got);
  end(&reader, &got);
  expect(&got, wanted, stream, first, second);
  mllp_reader_reset(&reader);
  buf_release(&got);
  return mllp_skipped(&reader);
}

static void run_bytes(const char *stream, const char *wanted, size_t step, uint64_t skipped) {
  char bytes[TEXT_MAX];
  struct str whole = bytes_of(stream, bytes);
  struct mllp_reader reader;
  struct buf got;
  buf_init(&got, TEXT_MAX);
  mllp_reader_init(&reader, CAP);
  for (size_t at = 0; at < whole.len; at += step)
    feed(&reader, str_slice(whole, at, at + step), &got);
  end(&reader, &got);
  expect(&got, wanted, stream, step, step);
  assert_int_equal(mllp_skipped(&reader), skipped);
  mllp_reader_reset(&reader);
  buf_release(&got);
}

static const struct {
  const char *stream, *wanted;
  uint64_t skipped;
} cases[] = {
    {"VoneFRVtwoFRVthreeFR", "=[one]=[two]=[three]", 0},
    {"VoneFRNVtwoFRRNVthreeFRN", "=[one]=[two]=[three]", 0},
    {"xxVoneFRyyVtwoFRzzVthreeFRww", "=[one]=[two]=[three]", 8},
    {"VoneFRtwoFRVthreeFR", "=[one]=[three]", 4},         /* no VT: its bytes are garbage */
    {"twoFR", "", 4},
    {"VoneFVtwoFRVthreeF", "=[one]=[two]end=[three]", 0}, /* no CR */
    {"VoneFRVtwoFVF", "=[one]=[two]end=[]", 0},
    {"VoneRVtwoFR", "c[oneR]=[two]", 0},                  /* CR without FS */
    {"VaVVtwoFR", "c[a]c[]=[two]", 0},                    /* nested VT */
    {"VaFbFRVtwoFR", "u[a]=[two]", 2},                    /* FS within */
    {"VaFFRVtwoFR", "u[a]=[two]", 1},
    {"VaFRbFRVtwoFR", "=[a]=[two]", 2},                   /* FS CR within: the rest is garbage */
    {"VaFNRVtwoFR", "u[a]=[two]", 0},
    {"V0a0~bFRV~FR", "=[0a0~b]=[~]", 0},
    {"VFRVFR", "=[]=[]", 0},
    {"0~xV0FR", "=[0]", 3},
    {"Vone", "endc[one]", 0},
    {"V", "endc[]", 0},
    {"", "", 0},
    {"V12345678901FR", "=[12345678901]", 0},              /* the cap, less one, and more */
    {"V123456789012FR", "=[123456789012]", 0},
    {"V1234567890123FRVtwoFR", "t[123456789012]=[two]", 2},
    {"V1234567890123VtwoFR", "t[123456789012]=[two]", 1},
    {"V123456789012VtwoFR", "c[123456789012]=[two]", 0},
};

static void at_every_split(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t len = strlen(cases[i].stream);
    for (size_t first = 0; first <= len; first++)
      for (size_t second = first; second <= len; second++)
        assert_int_equal(run_split(cases[i].stream, cases[i].wanted, first, second), cases[i].skipped);
    for (size_t step = 1; step <= 3; step++) /* bytes, pairs, threes */
      run_bytes(cases[i].stream, cases[i].wanted, step, cases[i].skipped);
  }
}

/* The frame is the caller's; what comes behind it is read as if it were not. */
static void a_frame_that_is_kept(void **state) {
  char bytes[TEXT_MAX];
  struct str whole = bytes_of("VoneFRVtwoFRVthr", bytes), frame;
  struct mllp_reader reader;
  struct buf kept[2];
  enum mllp_event event;
  size_t used = 0, at = 0;
  (void)state;
  mllp_reader_init(&reader, CAP);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(mllp_feed(&reader, str_slice(whole, at, whole.len), &used, &event, &frame), STATUS_OK);
    assert_int_equal(event, MLLP_FRAME);
    kept[i] = mllp_keep(&reader);
    assert_ptr_equal(kept[i].ptr, frame.ptr);
    at += used;
  }
  assert_null(mllp_keep(&reader).ptr); /* nothing was handed out since */
  assert_int_equal(mllp_feed(&reader, str_slice(whole, at, whole.len), &used, &event, &frame), STATUS_OK);
  assert_int_equal(event, MLLP_MORE);
  assert_int_equal(mllp_held(&reader), 3);
  assert_null(mllp_keep(&reader).ptr); /* not whole */
  assert_int_equal(mllp_end(&reader, &frame), MLLP_CUT);
  assert_true(str_is(buf_str(&kept[0]), "one") && str_is(buf_str(&kept[1]), "two") && str_is(frame, "thr"));
  buf_release(&kept[0]);
  buf_release(&kept[1]);
  mllp_reader_reset(&reader);
}

/* All streams of six out of the bytes that mean something: no message is ever longer than what stands between a VT and
   the next FS or VT, and splits change nothing. */
static void all_short_streams(void **state) {
  static const char letters[] = "VFRa";
  enum { LENGTH = 6, COUNT = 4096 };
  (void)state;
  for (unsigned number = 0; number < COUNT; number++) {
    char stream[LENGTH + 1] = "", wanted[TEXT_MAX] = "", bytes[TEXT_MAX];
    for (unsigned i = 0, rest = number; i < LENGTH; i++, rest /= 4)
      stream[i] = letters[rest % 4];
    struct mllp_reader reader;
    struct buf got;
    buf_init(&got, TEXT_MAX);
    mllp_reader_init(&reader, CAP);
    feed(&reader, bytes_of(stream, bytes), &got);
    end(&reader, &got);
    memcpy(wanted, got.ptr ? got.ptr : "", got.len);
    assert_true(memchr(wanted, MLLP_VT, got.len) == NULL && memchr(wanted, MLLP_FS, got.len) == NULL);
    for (size_t i = 0; i < got.len; i++)
      if (wanted[i] == '\r') wanted[i] = 'R';
    uint64_t skipped = mllp_skipped(&reader);
    mllp_reader_reset(&reader);
    buf_release(&got);
    for (size_t first = 0; first <= LENGTH; first++)
      assert_int_equal(run_split(stream, wanted, first, first), skipped);
  }
}

static void what_is_written_is_read(void **state) {
  struct mllp_reader reader;
  struct buf out, got;
  (void)state;
  buf_init(&out, TEXT_MAX);
  buf_init(&got, TEXT_MAX);
  mllp_reader_init(&reader, CAP);
  mllp_write(STR("one"), &out);
  mllp_write(STR(""), &out);
  assert_int_equal(out.len, 3 + 2 * MLLP_OVERHEAD);
  feed(&reader, buf_str(&out), &got);
  expect(&got, "=[one]=[]", "written", 0, 0);
  assert_true(mllp_can_carry(STR("a\r\n\xff")));
  assert_false(mllp_can_carry(STR("a\x0b")));
  assert_false(mllp_can_carry(STR("a\x1c\r")));
  mllp_reader_reset(&reader);
  buf_release(&got);
  buf_release(&out);
}

/* A connection that only waits holds no memory, and the caps hold at their usual and largest sizes. */
static void memory_is_held_only_within_a_frame(void **state) {
  struct mllp_reader reader;
  enum mllp_event event;
  struct str frame;
  size_t used;
  (void)state;
  mllp_reader_init(&reader, MLLP_USUAL_BYTES);
  assert_int_equal(mllp_feed(&reader, STR("xyz\x0b"), &used, &event, &frame), STATUS_OK);
  assert_true(mllp_within(&reader) && reader.frame.ptr == NULL);
  assert_int_equal(mllp_feed(&reader, STR("abc\x1c\r"), &used, &event, &frame), STATUS_OK);
  assert_int_equal(event, MLLP_FRAME);
  assert_int_equal(mllp_held(&reader), 3);
  assert_int_equal(mllp_feed(&reader, STR(""), &used, &event, &frame), STATUS_OK);
  assert_true(!mllp_within(&reader) && reader.frame.ptr == NULL);
  mllp_reader_init(&reader, SIZE_MAX);
  assert_int_equal(reader.frame.max, MLLP_LARGEST_BYTES);
}

static void caps_hold(void **state) {
  (void)state;
  char *text = malloc(MLLP_USUAL_BYTES + 4);
  assert_non_null(text);
  for (size_t len = MLLP_USUAL_BYTES - 1; len <= MLLP_USUAL_BYTES + 1; len++) {
    struct mllp_reader reader;
    enum mllp_event event;
    struct str frame;
    size_t used;
    memset(text, 'x', len + 3);
    text[0] = MLLP_VT;
    text[len + 1] = MLLP_FS;
    text[len + 2] = MLLP_CR;
    mllp_reader_init(&reader, MLLP_USUAL_BYTES);
    assert_int_equal(mllp_feed(&reader, str_make(text, len + 3), &used, &event, &frame), STATUS_OK);
    assert_int_equal(event, len <= MLLP_USUAL_BYTES ? MLLP_FRAME : MLLP_TOO_LARGE);
    assert_int_equal(frame.len, len <= MLLP_USUAL_BYTES ? len : MLLP_USUAL_BYTES);
    mllp_reader_reset(&reader);
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(at_every_split), cmocka_unit_test(a_frame_that_is_kept),
      cmocka_unit_test(all_short_streams),
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(memory_is_held_only_within_a_frame),
      cmocka_unit_test(caps_hold),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
