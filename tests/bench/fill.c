/*
 * fill.c - a store of the relay with many records waiting, faster than the relay itself would take them in.
 *
 *   bench_fill FOLDER KEY-FILE DESTINATION RECORD FROM COUNT
 *
 * Session records as those that are mapped again when they are sent (kind "record"), filled up to 4 kB, each
 * of a patient of its own. @SERIAL@ in RECORD is its number.
 */
#include "bench.h"
#include "outbox/outbox.h"

enum { BYTES = 4096, GROUP = 256 };

struct fill {
  struct outbox *outbox;
  struct arena *arena;
  struct diag_list diags;
  struct str destination, record;
};

static void give_up(const char *what) {
  fprintf(stderr, "bench_fill: %s failed\n", what);
  exit(1);
}

/* "9:riverside", the record, spaces. */
static struct str make_payload(const struct fill *fill, long serial, char *out) {
  static const char mark[] = "@SERIAL@";
  struct str rest = fill->record;
  size_t len = (size_t)sprintf(out, "9:riverside"), at;
  while ((at = str_find(rest, str_of(mark), 0)) != SIZE_MAX) {
    memcpy(out + len, rest.ptr, at);
    len += at;
    len += (size_t)sprintf(out + len, "%09ld", serial);
    rest = str_slice(rest, at + sizeof mark - 1, rest.len);
  }
  memcpy(out + len, rest.ptr, rest.len);
  memset(out + len + rest.len, ' ', BYTES - len - rest.len);
  return str_make(out, BYTES);
}

static void put(struct fill *fill, long serial) {
  char payload[BYTES], name[32], lane[48];
  enum outbox_answer answer;
  snprintf(name, sizeof name, "S-B%09ld", serial);
  snprintf(lane, sizeof lane, "riverside\nMRN-%09ld", serial);
  struct outbox_item item = {.destination = fill->destination,
                             .lane = str_of(lane),
                             .kind = STR("record"),
                             .label = str_of(name),
                             .payload = make_payload(fill, serial, payload)};
  struct outbox_message message = {.source = STR("http"),
                                   .control = str_of(name),
                                   .content = item.payload,
                                   .items = &item,
                                   .item_count = 1};
  if (outbox_accept(fill->outbox, &message, host_system()->now_ms(NULL), &fill->diags, &answer, NULL) !=
      STATUS_OK)
    give_up("outbox_accept");
}

int main(int count, char **arguments) {
  struct fill fill = {.arena = arena_new(1 << 20)};
  struct outbox_keys keys;
  if (count != 7) return 2;
  diag_list_init(&fill.diags, fill.arena);
  struct outbox_params params = {.host = host_system(), .folder = arguments[1], .keys = &keys};
  if (outbox_keys_read(arguments[2], fill.arena, &fill.diags, &keys) != STATUS_OK ||
      outbox_open(&params, &fill.diags, &fill.outbox) != STATUS_OK)
    give_up("outbox_open");
  fill.destination = str_of(arguments[3]);
  if (host_system()->read_file(NULL, arguments[4], BYTES / 2, fill.arena, &fill.record) != STATUS_OK)
    give_up(arguments[4]);
  long from = atol(arguments[5]), to = from + atol(arguments[6]);
  int64_t began = bench_now();
  for (long serial = from; serial < to; serial++) {
    put(&fill, serial);
    bool end = (serial - from) % GROUP == GROUP - 1 || serial == to - 1;
    if (end && outbox_commit(fill.outbox) != STATUS_OK) give_up("outbox_commit");
  }
  printf("%.0f\n", (double)(to - from) / ((double)(bench_now() - began) / 1e9));
  outbox_close(fill.outbox);
  arena_free(fill.arena);
  return 0;
}
