/*
 * hl7v2.c - fuzz target: HL7 v2 messages, in envelopes or not.
 *
 * What must hold: each message is a tree or has a diagnostic. A tree written with its source is the message byte for
 * byte; written without, it is a message again (or no escape character was there), which holds as many segments. Who passes
 * over messages counts as many as who reads them. An answer to any message, readable or not, is a message that says what it
 * should. A position is in a segment or in none.
 */
#include "fuzz.h"
#include "hl7v2/hl7v2.h"
#include "intake/intake.h"

enum { MEMORY = 64 << 20, TEXT = 8 << 20, MESSAGES = 5000 };

static struct definitions *definitions;

void fuzz_begin(void) {
  definitions = fuzz_pack();
}

static void answer(const struct hl7v2_message *message, struct arena *arena, struct diag_list *diags) {
  for (int fate = 0; fate < HL7V2_FATES; fate++) {
    struct hl7v2_ack_pair pair = {HL7V2_NO_ACK, HL7V2_AR};
    struct hl7v2_ack_text text = {.control = STR("k|1"), .time = STR("2024"), .fate = (enum hl7v2_fate)fate, .text = STR("a\\b\r|")};
    struct hl7v2_message back;
    struct buf out;
    if (message) pair = hl7v2_ack_for(message, (enum hl7v2_fate)fate);
    if (pair.application == HL7V2_NO_ACK) continue;
    buf_init(&out, TEXT);
    hl7v2_ack_write(message, pair.application, &text, &out);
    struct source source = source_make(STR("answer"), buf_str(&out));
    enum status status = hl7v2_scan(&source, NULL, arena, diags, &back);
    FUZZ_REQUIRE(status == STATUS_OK || fuzz_memory_fails());
    if (status == STATUS_OK) {
      FUZZ_REQUIRE(fuzz_memory_fails() || hl7v2_value(&back, &(struct hl7v2_place){.segment = "MSA", .field = 1}, arena).len == 2);
      FUZZ_REQUIRE(hl7v2_ack_for(&back, HL7V2_BAD).application == HL7V2_NO_ACK);
    }
    buf_release(&out);
  }
}

static void write_made(const struct tree_node *root, const struct hl7v2_message *message, struct arena *arena, struct diag_list *diags) {
  struct hl7v2_message back;
  struct buf out;
  buf_init(&out, TEXT);
  hl7v2_write(root, NULL, &out);
  if (out.error == STATUS_OK) {
    struct source source = source_make(STR("made"), buf_str(&out));
    enum status status = hl7v2_scan(&source, &(struct hl7v2_limits){.bytes = TEXT}, arena, diags, &back);
    FUZZ_REQUIRE(status == STATUS_OK || fuzz_memory_fails());
    FUZZ_REQUIRE(status != STATUS_OK || back.segment_count == message->segment_count);
  } else {
    FUZZ_REQUIRE(fuzz_memory_fails() || (out.error == STATUS_INVALID && !message->delims.escape));
  }
  buf_release(&out);
}

static void read_message(struct str text) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct source source = source_make(STR("x"), text);
  struct hl7v2_message message;
  struct tree_node *root = NULL;
  struct diag_list diags;
  struct buf out;
  diag_list_init(&diags, arena);
  enum status status = hl7v2_scan(&source, NULL, arena, &diags, &message);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM || (status == STATUS_INVALID && diag_errors(&diags) == 1));
  if (status == STATUS_INVALID) {
    status = hl7v2_scan_head(&source, arena, &message);
    answer(status == STATUS_OK ? &message : NULL, arena, &diags);
    arena_free(arena);
    return;
  }
  if (status == STATUS_OK) status = hl7v2_tree(&message, definitions, arena, &diags, &root);
  FUZZ_REQUIRE(status == STATUS_OK || fuzz_memory_fails());
  if (status == STATUS_OK) {
    buf_init(&out, TEXT);
    hl7v2_write(root, &message, &out);
    FUZZ_REQUIRE(fuzz_memory_fails() || (out.error == STATUS_OK && str_eq(buf_str(&out), text)));
    buf_release(&out);
    write_made(root, &message, arena, &diags);
    answer(&message, arena, &diags);
  }
  arena_free(arena);
}

static size_t read_all(struct str input) {
  struct hl7v2_batch batch = hl7v2_batch_open(input);
  struct arena *arena = fuzz_arena(MEMORY);
  struct diag_list diags;
  struct str message;
  uint32_t line;
  size_t count = 0;
  enum status status;
  diag_list_init(&diags, arena);
  while (count < MESSAGES && (status = hl7v2_batch_next(&batch, STR("x"), &diags, &message, &line)) != STATUS_NOT_FOUND) {
    FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID);
    FUZZ_REQUIRE(fuzz_memory_fails() || status == STATUS_OK || diag_errors(&diags) > 0);
    if (status == STATUS_OK) read_message(str_starts(message, STR("\xEF\xBB\xBF")) ? str_slice(message, 3, message.len) : message);
    count++;
  }
  FUZZ_REQUIRE(count == MESSAGES || batch.at == input.len);
  arena_free(arena);
  return count;
}

void fuzz_one(struct str input) {
  struct intake_input records = intake_open(STR("x"), input);
  size_t skipped = 0, read = read_all(input);
  struct hl7v2_place place;
  while (records.hl7v2 && skipped < MESSAGES && intake_skip(&records))
    skipped++;
  FUZZ_REQUIRE(!records.hl7v2 || skipped == read || fuzz_memory_fails());
  (void)!hl7v2_place_parse(input, &place);
  struct hl7v2_delims usual = {'|', '^', '~', '\\', '&', 0};
  struct source_position position = {1 + (uint32_t)input.len % 7, 1 + (uint32_t)input.len % 50};
  FUZZ_REQUIRE(!hl7v2_place_at(input, &usual, position, &place) || place.occurrence);
  struct hl7v2_look look = hl7v2_look(input);
  FUZZ_REQUIRE(look.messages + look.envelopes + look.acknowledgements <= input.len / 3);
}
