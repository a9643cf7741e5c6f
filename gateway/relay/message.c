/*
 * message.c - a frame becomes a record, and the record an acknowledgement that tells the truth.
 *
 * What is answered is decided by hl7v2_ack_for alone, out of what became of the message (its fate) and of what its
 * MSH-15 and MSH-16 ask for. Here fates are found, and it is seen to that nothing is said before it is so: "stored" is
 * said after the commit, "delivered" after all destinations have it. A message whose MSH cannot be read cannot be
 * answered with a right MSA-2: the connection is closed instead.
 */
#include <stdlib.h>
#include <time.h>
#include "relay/listener.h"
#include "relay/mapper.h"

enum { ANSWER_BYTES = 64 << 10, TAG_CHARS = 13, SOURCE_BYTES = 2 * HL7V2_HEAD_BYTES, WORDS_BYTES = 250 };

enum answer_state { ANSWER_MAPPING, ANSWER_STORING, ANSWER_DELIVERING, ANSWER_READY };

/* What a message is owed. */
struct relay_answer {
  struct relay_answer *next;
  struct relay_listener *listener;
  struct relay_link *link;
  struct relay_task task;
  struct relay_promise promise;
  enum answer_state state;
  enum hl7v2_fate fate;
  struct buf head; /* the MSH segment of the message, as it came */
  struct buf source, frame; /* who gives it; the message, while it is being mapped */
  struct str why;  /* for people, in ASCII; words of the program, or of `words` */
  char words[WORDS_BYTES];
  unsigned condition;       /* of HL7 table 0357; 0: that of the fate */
  struct hl7v2_place place; /* of what is wrong; without a segment: not known */
  int64_t first;   /* its numbers in the store: first, first + 1, … */
  size_t count;
  int64_t until;   /* deliveries are waited for */
  bool accepted;   /* the accept acknowledgement is written */
};

/* --- the header --- */

struct header {
  struct source source;
  struct hl7v2_message message; /* its source is the MSH segment alone */
};

/* The MSH segment byte by byte as it came, whatever its charset: enough to answer. */
static bool read_header(struct str bytes, struct arena *arena, struct header *out) {
  out->source = source_make(STR("message.hl7"), bytes);
  return hl7v2_scan_head(&out->source, arena, &out->message) == STATUS_OK;
}

static struct str head_of(const struct header *header) {
  return header->message.source->text;
}

static struct str value_at(const struct header *header, uint32_t number) {
  return hl7v2_field(&header->message, &header->message.segments[0], number);
}

/* --- what is owed --- */

static void free_answer(struct relay_answer *answer) {
  buf_release(&answer->head);
  buf_release(&answer->source);
  buf_release(&answer->frame);
  free(answer);
}

/* Out of the list, which it leads. */
static void end_first(struct relay_link *link) {
  struct relay_answer *answer = link->owed;
  link->owed = answer->next;
  if (!link->owed) link->owed_end = &link->owed;
  free_answer(answer);
}

void relay_message_forget(struct relay_link *link, bool all) {
  struct relay_answer *next = NULL;
  for (struct relay_answer *answer = link->owed; answer; answer = next) {
    next = answer->next;
    if (answer->state == ANSWER_DELIVERING) link->listener->waiting--;
    if (answer->state > ANSWER_STORING || (all && answer->state == ANSWER_STORING)) free_answer(answer);
  }
  link->owed = NULL;
  link->owed_end = &link->owed;
  if (all) link->promised = 0;
}

int64_t relay_message_until(const struct relay_link *link) {
  int64_t until = INT64_MAX;
  for (const struct relay_answer *answer = link->owed; answer; answer = answer->next)
    if (answer->state == ANSWER_DELIVERING && answer->until < until) until = answer->until;
  return until;
}

/* --- writing --- */

/* Our own MSH-7 and MSH-10. */
static bool make_words(const struct host *host, const struct relay_answer *answer, struct arena *arena,
                       struct hl7v2_ack_text *out) {
  char id[UUID_TEXT];
  time_t now = (time_t)(host->now_ms(host->context) / 1000);
  struct tm parts;
  if (uuid_v4(host, id) != STATUS_OK || !gmtime_r(&now, &parts)) return false;
  out->control = arena_printf(arena, "%.8s%.4s%.4s", id, id + 9, id + 19);
  out->time = arena_printf(arena, "%04d%02d%02d%02d%02d%02d+0000", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                           parts.tm_hour, parts.tm_min, parts.tm_sec);
  out->text = answer->why;
  out->fate = answer->fate;
  out->condition = answer->condition;
  out->place = answer->place;
  return out->control.ptr && out->time.ptr;
}

/* Into the bytes that go out. What cannot be written is not answered: no answer is better than a wrong one. */
static void write_code(struct relay_link *link, const struct relay_answer *answer, const struct header *header,
                       enum hl7v2_ack code, struct arena *arena) {
  struct hl7v2_ack_text words;
  struct buf text;
  if (code == HL7V2_NO_ACK) return;
  buf_init(&text, ANSWER_BYTES);
  bool fine = make_words(link->listener->relay->host, answer, arena, &words);
  if (fine) hl7v2_ack_write(&header->message, code, &words, &text);
  if (fine && text.error == STATUS_OK && mllp_can_carry(buf_str(&text))) {
    mllp_write(buf_str(&text), &link->out);
    link->listener->answers[code]++;
  } else {
    link->closing = true;
  }
  buf_release(&text);
}

enum part { PART_ACCEPT = 1, PART_APPLICATION = 2 };

static void write_parts(struct relay_link *link, struct relay_answer *answer, unsigned parts) {
  struct arena *arena = link->listener->relay->records;
  struct header header;
  arena_reset(arena);
  if (!read_header(buf_str(&answer->head), arena, &header)) {
    link->closing = true; /* it could be read before: there is no memory */
    return;
  }
  struct hl7v2_ack_pair codes = hl7v2_ack_for(&header.message, answer->fate);
  if ((parts & PART_ACCEPT) && !answer->accepted) write_code(link, answer, &header, codes.accept, arena);
  if (parts & PART_APPLICATION) write_code(link, answer, &header, codes.application, arena);
  answer->accepted = answer->accepted || (parts & PART_ACCEPT);
}

/* Those that are ready, in the order of their messages. */
static void write_ready(struct relay_link *link) {
  while (link->owed && link->owed->state == ANSWER_READY) {
    write_parts(link, link->owed, PART_ACCEPT | PART_APPLICATION);
    end_first(link);
  }
}

/* --- waiting for deliveries --- */

enum standing { STANDS_OPEN, STANDS_DONE, STANDS_PARKED, STANDS_DROPPED };

/* A number that is not there any more, or of another destination (the configuration has changed since), is settled. */
static enum standing look_at(struct relay *relay, int64_t id) {
  static const enum standing by_state[OUTBOX_STATES] = {
      [OUTBOX_PARKED] = STANDS_PARKED, [OUTBOX_DONE] = STANDS_DONE, [OUTBOX_DROPPED] = STANDS_DROPPED};
  struct outbox_row row;
  enum status status = outbox_get(relay_store(relay), id, relay->records, &row);
  if (status == STATUS_NOT_FOUND) return STANDS_DONE;
  return status == STATUS_OK ? by_state[row.state] : STANDS_OPEN;
}

/* What is not durable yet is not told: the end of its group looks again. */
static enum standing look_at_all(struct relay *relay, const struct relay_answer *answer) {
  enum standing worst = STANDS_DONE;
  if (relay->settled || relay->decided || relay->group.settled) return STANDS_OPEN;
  arena_reset(relay->records);
  for (size_t i = 0; i < answer->count; i++) {
    enum standing one = look_at(relay, answer->first + (int64_t)i);
    if (one == STANDS_OPEN) return one;
    if (one > worst) worst = one;
  }
  return worst;
}

/* Kept it is, whatever is said here: the sender may come again, and is told how it stands then. */
static const struct {
  enum hl7v2_fate fate;
  const char *why;
} ends[] = {
    [STANDS_OPEN] = {HL7V2_PASSING, "stored, and not yet delivered"},
    [STANDS_DONE] = {HL7V2_ACCEPTED, ""},
    [STANDS_PARKED] = {HL7V2_PASSING, "stored, and set aside: somebody has to look"},
    [STANDS_DROPPED] = {HL7V2_BAD, "given up by a person"},
};

static void end_waiting(struct relay_link *link, struct relay_answer *answer, enum standing standing) {
  answer->state = ANSWER_READY;
  answer->fate = ends[standing].fate;
  answer->why = str_of(ends[standing].why);
  link->listener->waiting--;
}

void relay_message_look(struct relay_link *link) {
  struct relay *relay = link->listener->relay;
  for (struct relay_answer *answer = link->owed; answer; answer = answer->next) {
    if (answer->state != ANSWER_DELIVERING) continue;
    enum standing standing = look_at_all(relay, answer);
    if (standing != STANDS_OPEN || relay->stopping || answer->until <= relay_elapsed(relay))
      end_waiting(link, answer, standing);
  }
  write_ready(link);
}

/* --- after the commit --- */

static bool waits_for_delivery(const struct relay_answer *answer) {
  return answer->link->listener->config->delivered && answer->fate == HL7V2_ACCEPTED && answer->count;
}

static void begin_waiting(struct relay_link *link, struct relay_answer *answer) {
  const struct relay_listener *listener = link->listener;
  answer->state = ANSWER_DELIVERING;
  answer->until = relay_elapsed(listener->relay) + listener->config->delivered_seconds * 1000;
  link->listener->waiting++;
  write_parts(link, answer, PART_ACCEPT);
}

static void kept(void *context, enum status status) {
  struct relay_answer *answer = context;
  struct relay_link *link = answer->link;
  link->promised--;
  if (!link->listener) { /* the connection is gone: it is stored all the same */
    free_answer(answer);
    relay_link_let_go(link);
    return;
  }
  if (status != STATUS_OK && answer->fate != HL7V2_BAD) {
    answer->fate = HL7V2_PASSING;
    answer->why = STR("the store could not keep it");
  }
  answer->state = ANSWER_READY;
  if (waits_for_delivery(answer)) begin_waiting(link, answer);
  if (link->promised) return; /* the last one writes for all */
  relay_message_look(link);
  relay_link_go_on(link);
}

/* --- taking --- */

static void alarm_conflict(struct relay_listener *listener) {
  int64_t now = relay_elapsed(listener->relay);
  relay_listener_count(listener, COUNT_CONFLICTS, 1);
  if (now < listener->no_alert_until) return;
  listener->no_alert_until = now + LISTENER_ALERT_MS;
  relay_alert(listener->relay, "control-id-reused", listener->config->name);
}

/* Control ids and applications are the peer's words: a digest stands for them. */
static void report(const struct relay_listener *listener, struct str control, const struct relay_answer *answer,
                   const struct relay_accepted *accepted) {
  static const char *const words[] = {[HL7V2_ACCEPTED] = "accepted", [HL7V2_BAD] = "refused",
                                      [HL7V2_UNSUPPORTED] = "unsupported", [HL7V2_PASSING] = "not-now",
                                      [HL7V2_CONFLICT] = "conflict"};
  char digest[65], tag[TAG_CHARS];
  sha256_hex(control, digest);
  memcpy(tag, digest, TAG_CHARS - 1);
  tag[TAG_CHARS - 1] = 0;
  RELAY_LOG(listener->relay, answer->fate == HL7V2_ACCEPTED ? RELAY_INFO : RELAY_WARNING, "message",
            RELAY_TEXT("listener", listener->config->name), RELAY_TEXT("control", str_of(tag)),
            RELAY_TEXT("fate", str_of(words[answer->fate])), RELAY_NUMBER("again", (int64_t)accepted->again),
            RELAY_NUMBER("parked", (int64_t)accepted->parked), RELAY_NUMBER("record", accepted->first));
}

/* What refused it, if it was refused. */
static const struct diag *reason_of(const struct diag_list *diags) {
  const struct diag *diag = diags->first;
  while (diag && diag->severity < DIAG_ERROR)
    diag = diag->next;
  return diag;
}

static enum hl7v2_fate fate_of(const struct relay_accepted *accepted, unsigned condition) {
  if (accepted->different) return HL7V2_CONFLICT;
  if (accepted->status == STATUS_OK) return HL7V2_ACCEPTED;
  if (accepted->status != STATUS_INVALID) return HL7V2_PASSING;
  return condition >= 200 && condition <= 203 ? HL7V2_UNSUPPORTED : HL7V2_BAD;
}

static struct str why_of(const struct relay_accepted *accepted) {
  if (accepted->different) return STR("this control id has come with other content");
  if (accepted->status == STATUS_OK) return STR("");
  if (accepted->status == STATUS_INVALID) return STR("the message is not valid here");
  return accepted->status == STATUS_LIMIT ? STR("the store is full") : STR("it cannot be taken now");
}

/* --- what is wrong, and where --- */

/* A message as its findings count lines and columns. What cannot be decoded is counted by bytes. */
static struct str text_of(const struct relay_answer *answer, struct arena *arena) {
  struct source bytes = source_make(answer->task.input.name, answer->task.input.text);
  struct hl7v2_text text;
  struct diag_list quiet;
  diag_list_init(&quiet, arena);
  struct str charset = answer->task.input.charset.len ? answer->task.input.charset : STR("UNICODE UTF-8");
  return hl7v2_decode(&bytes, charset, arena, &quiet, &text) == STATUS_OK ? text.text : bytes.text;
}

static bool find_place(const struct diag *diag, struct str text, const struct hl7v2_delims *delims, struct hl7v2_place *out) {
  struct source_position position = {diag->line, diag->col};
  if (diag->path.len == 3) { /* a segment that is missing */
    *out = (struct hl7v2_place){.occurrence = 1};
    memcpy(out->segment, diag->path.ptr, 3);
    return true;
  }
  return hl7v2_place_parse(diag->path, out) || hl7v2_place_at(text, delims, position, out);
}

/* Fields of the message for its findings, where those are graver than information. */
static void name_places(struct relay_answer *answer, const struct hl7v2_delims *delims, struct diag_list *diags) {
  enum { MOST = 50 };
  size_t count = 0;
  struct str text = text_of(answer, diags->arena);
  for (struct diag *diag = diags->first; diag && count < MOST; diag = diag->next) {
    struct hl7v2_place place;
    struct buf name;
    if (diag->severity == DIAG_INFORMATION || !find_place(diag, text, delims, &place)) continue;
    buf_init(&name, 64);
    hl7v2_place_write(&place, &name);
    diag->column = buf_take_str(&name, diags->arena);
    buf_release(&name);
    count++;
  }
}

/* The words of a finding, without what it quotes. An answer is in the charset of its message, which may be ASCII. */
static void explain(struct relay_answer *answer, const struct hl7v2_delims *delims, const struct diag *reason, struct arena *arena) {
  size_t len = 0;
  for (size_t at = 0; at < reason->bare.len && len < sizeof answer->words - 4;) {
    uint32_t c = utf8_next(reason->bare, &at);
    const char plain[] = {c < 0x80 ? (char)c : '.', 0};
    const char *as = c < 0x80 ? plain : c == 0x2026 ? "..." : "?";
    memcpy(answer->words + len, as, strlen(as));
    len += strlen(as);
  }
  answer->why = str_make(answer->words, len);
  answer->condition = hl7v2_condition(reason->code);
  if (!find_place(reason, text_of(answer, arena), delims, &answer->place)) answer->place = (struct hl7v2_place){0};
}

static void find_reason(struct relay_answer *answer, struct diag_list *diags) {
  struct header header;
  const struct diag *reason = reason_of(diags);
  if (answer->fate != HL7V2_BAD && diags->count == diags->by_severity[DIAG_INFORMATION]) return;
  if (!read_header(buf_str(&answer->head), diags->arena, &header)) return;
  name_places(answer, &header.message.delims, diags);
  if (answer->fate == HL7V2_BAD && reason) explain(answer, &header.message.delims, reason, diags->arena);
  if (answer->fate == HL7V2_BAD) answer->fate = fate_of(&(struct relay_accepted){.status = STATUS_INVALID}, answer->condition);
}

/* What became of it is known; it is true when the disk has it. */
static void settle(struct relay_answer *answer, const struct relay_accepted *accepted, struct diag_list *diags) {
  struct relay_listener *listener = answer->listener;
  answer->fate = fate_of(accepted, 0);
  answer->why = why_of(accepted);
  find_reason(answer, diags);
  answer->first = accepted->first;
  answer->count = accepted->first ? accepted->items : 0;
  relay_listener_count(listener, COUNT_AGAIN, accepted->again);
  if (accepted->different && !accepted->again) alarm_conflict(listener);
  relay_alert_full(listener->relay, &listener->full, accepted, listener->config->name);
  report(listener, answer->task.input.control, answer, accepted);
  relay_log_diags(&listener->relay->log, "message-finding", diags);
}

static void promise(struct relay_answer *answer) {
  answer->state = ANSWER_STORING;
  answer->link->promised++;
  relay_promise(answer->listener->relay, &answer->promise);
}

/* By the loop. */
static void take_now(struct relay_answer *answer) {
  struct relay *relay = answer->listener->relay;
  struct diag_list diags;
  arena_reset(relay->records);
  diag_list_init(&diags, relay->records);
  struct relay_accepted accepted = relay_accept(relay, &answer->task.input, &diags);
  settle(answer, &accepted, &diags);
}

static void not_now(struct relay_answer *answer, struct str why) {
  answer->fate = HL7V2_PASSING;
  answer->why = why;
}

static void mapped(void *context, struct relay_task *task) {
  struct relay_answer *answer = context;
  struct relay_link *link = answer->link;
  size_t bytes = answer->frame.len;
  link->mapping--;
  link->mapping_bytes -= bytes;
  answer->listener->mapping -= bytes;
  if (task->status == STATUS_UNAVAILABLE) {
    not_now(answer, STR("the relay is stopping"));
  } else if (task->status == STATUS_NOMEM) {
    take_now(answer);
  } else {
    struct relay_accepted accepted = relay_accept_mapped(answer->listener->relay, task);
    settle(answer, &accepted, &task->diags);
  }
  relay_task_release(task);
  buf_release(&answer->frame);
  promise(answer);
}

/* In the order in which they came: what comes behind one that is being mapped waits for it. */
static bool goes_to_thread(const struct relay_answer *answer) {
  const struct relay_listener *listener = answer->listener;
  size_t bytes = answer->task.input.text.len;
  if (!relay_mapper_has_thread(listener->relay->messages)) return false;
  return answer->link->mapping || !listener->mapping || listener->mapping + bytes <= LISTENER_MAPPING_BYTES;
}

/* OK: it is being mapped. */
static enum status take_later(struct relay_answer *answer) {
  struct relay_link *link = answer->link;
  struct relay_task *task = &answer->task;
  answer->frame = mllp_keep(&link->reader);
  task->input.text = buf_str(&answer->frame);
  task->room = task->input.text.len <= MAPPER_SMALL_BYTES ? MAPPER_SMALL_ROOM : 0;
  enum status status = relay_mapper_give(answer->listener->relay->messages, task);
  if (status != STATUS_OK) return status;
  link->mapping++;
  link->mapping_bytes += task->input.text.len;
  answer->listener->mapping += task->input.text.len;
  return STATUS_OK;
}

static void accept_message(struct relay_answer *answer) {
  if (goes_to_thread(answer) && take_later(answer) == STATUS_OK) return;
  if (answer->link->mapping)
    not_now(answer, STR("no memory"));
  else
    take_now(answer);
  promise(answer);
}

static void name_input(struct relay_answer *answer, const struct header *header, struct str bytes) {
  const struct relay_mllp_config *config = answer->listener->config;
  struct str control = value_at(header, 10), application = value_at(header, 3), facility = value_at(header, 4);
  buf_printf(&answer->source, "%.*s|%.*s|%.*s", STR_ARG(config->name), STR_ARG(application), STR_ARG(facility));
  if (control.len) control.ptr = answer->head.ptr + (control.ptr - head_of(header).ptr);
  answer->task = (struct relay_task){.done = mapped,
                                     .context = answer,
                                     .input = {.source = buf_str(&answer->source),
                                               .control = control,
                                               .name = STR("message.hl7"),
                                               .text = bytes,
                                               .charset = config->charset,
                                               .processing = config->processing,
                                               .to = &config->to}};
}

static struct relay_answer *new_answer(struct relay_link *link, const struct header *header, struct str bytes) {
  struct relay_answer *answer = calloc(1, sizeof *answer);
  if (!answer) return NULL;
  answer->listener = link->listener;
  answer->link = link;
  answer->promise = (struct relay_promise){.kept = kept, .context = answer};
  buf_init(&answer->head, HL7V2_HEAD_BYTES);
  buf_init(&answer->source, SOURCE_BYTES);
  buf_add_str(&answer->head, head_of(header));
  if (answer->head.error == STATUS_OK) name_input(answer, header, bytes);
  if (answer->head.error == STATUS_OK && answer->source.error == STATUS_OK) return answer;
  free_answer(answer);
  return NULL;
}

static void give_up(struct relay_link *link, const char *why) {
  relay_listener_count(link->listener, COUNT_GIVEN_UP, 1);
  relay_listener_say(link->listener, "mllp-given-up", str_of(why));
}

/* Frames that are answered without being taken. A damaged one may be whole when it comes again. */
enum fault { FAULT_NONE, FAULT_DAMAGED, FAULT_TOO_LARGE, FAULT_SEVERAL };
static const struct {
  const char *why;
  enum hl7v2_fate fate;
  unsigned condition;
  bool closes;
} faults[] = {[FAULT_DAMAGED] = {"the frame is damaged: it has FS within", HL7V2_PASSING, 0, false},
              [FAULT_TOO_LARGE] = {"the message has more bytes than max-bytes of this listener", HL7V2_BAD, 0, true},
              [FAULT_SEVERAL] = {"a frame has one message, without an envelope", HL7V2_BAD, 100, false}};

static enum fault fault_of(enum mllp_event event, const struct hl7v2_look *look) {
  if (event == MLLP_UNENDED) return FAULT_DAMAGED;
  if (event == MLLP_TOO_LARGE) return FAULT_TOO_LARGE;
  return look->messages > 1 || look->envelopes ? FAULT_SEVERAL : FAULT_NONE;
}

static void refuse_frame(struct relay_answer *answer, enum fault fault) {
  answer->fate = faults[fault].fate;
  answer->why = str_of(faults[fault].why);
  answer->condition = faults[fault].condition;
  answer->link->closing = faults[fault].closes;
  give_up(answer->link, faults[fault].why);
  promise(answer);
}

static void owe(struct relay_link *link, const struct header *header, enum fault fault, struct str bytes) {
  struct relay_answer *answer = new_answer(link, header, bytes);
  if (!answer) {
    give_up(link, "no memory");
    link->closing = true;
    return;
  }
  *link->owed_end = answer;
  link->owed_end = &answer->next;
  if (fault) {
    refuse_frame(answer, fault);
  } else if (link->listener->relay->stopping) {
    not_now(answer, STR("the relay is stopping"));
    promise(answer);
  } else {
    accept_message(answer);
  }
}

void relay_message_take(struct relay_link *link, enum mllp_event event, struct str bytes) {
  struct arena *arena = link->listener->relay->records;
  struct hl7v2_look look = hl7v2_look(bytes);
  struct header header;
  arena_reset(arena);
  relay_listener_count(link->listener, COUNT_MESSAGES, 1);
  if (event == MLLP_CUT) { /* its sender began again */
    give_up(link, "a message was cut off");
  } else if (!read_header(bytes, arena, &header)) {
    give_up(link, look.envelopes ? "an envelope (FHS, BHS): a frame has one message" : "no MSH that can be read");
    link->closing = true;
  } else if (look.acknowledgements || hl7v2_is_answer(&header.message)) {
    give_up(link, "an acknowledgement came in");
  } else {
    owe(link, &header, fault_of(event, &look), bytes);
  }
}
