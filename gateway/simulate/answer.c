/* answer.c - what an EHR would say: the codes that are asked for, and the text of an acknowledgement. */
#include <time.h>
#include "simulate/internal.h"

enum { PROCESSING = 11, VERSION = 12, ACCEPT = 15, APPLICATION = 16, CHARSET = 18 };

struct str simulate_header(const struct hl7v2_message *message, uint32_t field) {
  return hl7v2_field(message, &message->segments[0], field);
}

static struct str component(const struct hl7v2_message *message, uint16_t field, uint16_t number) {
  struct hl7v2_place place = {.segment = "MSH", .field = field, .component = number};
  return hl7v2_raw(message, &place);
}

struct str simulate_kind(const struct hl7v2_message *message, struct arena *arena) {
  struct str type = component(message, 9, 1), event = component(message, 9, 2);
  return event.len ? arena_printf(arena, "%.*s^%.*s", STR_ARG(type), STR_ARG(event)) : type;
}

/* Table 0155: always, on success, on error, never; empty of one of the two is never. */
static bool wants(struct str when, bool good) {
  return str_is(when, "AL") || str_is(when, good ? "SU" : "ER");
}

size_t simulate_codes(const struct hl7v2_message *message, enum simulate_fault fault,
                      const char *codes[SIMULATE_ANSWERS_MAX]) {
  static const char *const application[] = {"AA", "AE", "AR"}, *const accept[] = {"CA", "CE", "CR"};
  int what = fault == SIMULATE_AE ? 1 : fault == SIMULATE_AR ? 2 : 0;
  struct str asks = simulate_header(message, ACCEPT), waits = simulate_header(message, APPLICATION);
  size_t count = 0;
  if (!asks.len && !waits.len) {
    codes[count++] = application[what];
    return count;
  }
  bool processed = wants(waits, !what); /* then it was taken in first, whatever is said of it */
  if (wants(asks, processed || !what)) codes[count++] = accept[processed ? 0 : what];
  if (processed) codes[count++] = application[what];
  return count;
}

void simulate_answer(const struct hl7v2_message *of, const char *code, struct str control, uint64_t number, int64_t now_ms,
                     struct buf *out) {
  static const uint32_t swapped[] = {5, 6, 3, 4}; /* who received it sends now */
  char stamp[32], f = of->delims.field, c = of->delims.component;
  time_t now = (time_t)(now_ms / 1000);
  struct tm parts;
  struct str event = component(of, 9, 2);
  strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S+0000", gmtime_r(&now, &parts));
  buf_printf(out, "MSH%c%.*s", f, STR_ARG(simulate_header(of, 2)));
  for (size_t i = 0; i < sizeof swapped / sizeof swapped[0]; i++)
    buf_printf(out, "%c%.*s", f, STR_ARG(simulate_header(of, swapped[i])));
  buf_printf(out, "%c%s%c%cACK%c%.*s%cACK%cSIM%llu", f, stamp, f, f, c, STR_ARG(event), c, f, (unsigned long long)number);
  buf_printf(out, "%c%.*s%c%.*s", f, STR_ARG(simulate_header(of, PROCESSING)), f, STR_ARG(simulate_header(of, VERSION)));
  struct str charset = simulate_header(of, CHARSET);
  for (int i = 13; charset.len && i <= CHARSET; i++)
    buf_add_char(out, f);
  buf_printf(out, "%.*s\rMSA%c%s%c%.*s\r", STR_ARG(charset), f, code, f, STR_ARG(control));
}
