/*
 * mllp.c - a message in a frame, on a connection that libcurl has made and verified (CURLOPT_CONNECT_ONLY).
 *
 * A byte that has left may have been acted on: from then on only an acknowledgement of this message says what happened. A
 * connection on which anything else came is closed: what comes late for one message shall meet no other.
 */
#include "delivery/talk.h"

enum { READ_BYTES = 4096, REASON_BYTES = 160 };

/* --- what an acknowledgement means --- */

enum { A_NONE = 1 << DELIVERY_ACK_NONE, A_AA = 1 << DELIVERY_ACK_AA, A_AE = 1 << DELIVERY_ACK_AE, A_AR = 1 << DELIVERY_ACK_AR,
       A_CA = 1 << DELIVERY_ACK_CA, A_CE = 1 << DELIVERY_ACK_CE, A_CR = 1 << DELIVERY_ACK_CR, A_ANY = 127 };
enum { M_ORIGINAL = 1 << DELIVERY_ACK_ORIGINAL, M_COMMIT = 1 << DELIVERY_ACK_COMMIT, M_APPLICATION = 1 << DELIVERY_ACK_APPLICATION,
       M_ANY = 7 };
enum { L_MORE = 1, L_LAST = 2, L_ANY = 3 };

static const struct {
  enum delivery_phase phase;
  unsigned acks, modes, last;
  enum delivery_verdict verdict;
  const char *why;
} rows[] = {
    {DELIVERY_BEFORE_CONNECT, A_ANY, M_ANY, L_ANY, DELIVERY_HOLD, "it could not be sent: configuration"},
    {DELIVERY_CONNECT, A_ANY, M_ANY, L_ANY, DELIVERY_RETRY, "no connection: nothing was sent"},
    {DELIVERY_TLS, A_ANY, M_ANY, L_ANY, DELIVERY_HOLD, "the other side is not who it should be: nothing was sent"},
    {DELIVERY_SENDING, A_ANY, M_ANY, L_ANY, DELIVERY_SETTLE, "no acknowledgement: it may have arrived"},
    {DELIVERY_ANSWER, A_AA, M_ANY, L_ANY, DELIVERY_DONE, "processed"},
    {DELIVERY_ANSWER, A_CA, M_ORIGINAL | M_COMMIT, L_ANY, DELIVERY_DONE, "committed: there is no need to send again"},
    {DELIVERY_ANSWER, A_CA, M_APPLICATION, L_ANY, DELIVERY_SETTLE, "committed, and what the application says is not known"},
    {DELIVERY_ANSWER, A_AE | A_CE, M_ANY, L_MORE, DELIVERY_RETRY, "it could not be processed now"},
    {DELIVERY_ANSWER, A_AE | A_CE, M_ANY, L_LAST, DELIVERY_PARK, "it could not be processed, each time"},
    {DELIVERY_ANSWER, A_AR | A_CR, M_ANY, L_ANY, DELIVERY_PARK, "refused"},
};

enum delivery_verdict delivery_ack_classify(enum delivery_phase phase, enum delivery_ack ack, enum delivery_ack_mode mode,
                                            bool last) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].phase == phase && rows[i].acks & 1U << ack && rows[i].modes & 1U << mode &&
        rows[i].last & (last ? L_LAST : L_MORE))
      return rows[i].verdict;
  return DELIVERY_SETTLE; /* an answer without a code is none */
}

static const char *const ack_names[] = {"none", "AA", "AE", "AR", "CA", "CE", "CR"};

const char *delivery_ack_name(enum delivery_ack ack) {
  return ack_names[ack];
}

bool delivery_ack_parse(struct str code, enum delivery_ack *out) {
  for (int i = DELIVERY_ACK_AA; i <= DELIVERY_ACK_CR; i++)
    if (str_is(code, ack_names[i])) return *out = (enum delivery_ack)i, true;
  return false;
}

/* --- the conversation --- */

static int64_t now_ms(const struct delivery_talk *talk) {
  const struct host *host = talk->call.client->host;
  return host->monotonic_ns(host->context) / 1000000;
}

enum status delivery_talk_begin(struct delivery_talk *talk) {
  const struct delivery_destination *destination = &talk->call.client->destination;
  buf_init(&talk->frame, talk->message.bytes.len + MLLP_OVERHEAD);
  mllp_reader_init(&talk->reader, destination->max_response);
  if (!mllp_can_carry(talk->message.bytes)) return STATUS_CONFIG;
  mllp_write(talk->message.bytes, &talk->frame);
  return talk->frame.error == STATUS_OK && !talk->reused ? delivery_call_connect(&talk->call) : talk->frame.error;
}

void delivery_talk_start(struct delivery_talk *talk) {
  int64_t now = now_ms(talk);
  if (!talk->reused) talk->made_at = now;
  talk->deadline = now + talk->call.client->destination.ack_ms;
}

int64_t delivery_talk_left(const struct delivery_talk *talk) {
  int64_t left = talk->deadline - now_ms(talk);
  return left > 0 ? left : 0;
}

static enum delivery_talk_wants end(struct delivery_talk *talk, CURLcode code, const char *why) {
  talk->ended = true;
  talk->code = code;
  talk->why = why;
  return TALK_ENDED;
}

void delivery_talk_give_up(struct delivery_talk *talk) {
  (void)end(talk, CURLE_OPERATION_TIMEDOUT, "no acknowledgement in time (ackTimeoutMs)");
}

/* A frame has come: ours, somebody else's, or what nobody can read. A commit is the end unless the application's word is
   waited for. */
static void take_frame(struct delivery_talk *talk, struct str frame) {
  struct delivery_acknowledgement ack = {0};
  bool waits = talk->call.client->destination.acknowledge == DELIVERY_ACK_APPLICATION;
  if (!talk->message.read(frame, talk->call.arena, &ack)) {
    (void)end(talk, CURLE_OK, "the answer is no acknowledgement");
    return;
  }
  if (!str_eq(ack.control, talk->message.control)) {
    talk->skipped++;
    return;
  }
  if (talk->ack == DELIVERY_ACK_CA && ack.code == DELIVERY_ACK_CA) return; /* the same said twice */
  talk->ack = ack.code;
  if (!(waits && ack.code == DELIVERY_ACK_CA)) (void)end(talk, CURLE_OK, NULL);
}

static void take_event(struct delivery_talk *talk, enum mllp_event event, struct str frame) {
  if (event == MLLP_FRAME)
    take_frame(talk, frame);
  else if (event == MLLP_TOO_LARGE)
    (void)end(talk, CURLE_OK, "the answer is too large (maxResponseBytes)");
  else if (event != MLLP_MORE)
    (void)end(talk, CURLE_OK, "the answer broke off");
}

static void take_bytes(struct delivery_talk *talk, struct str bytes) {
  while (bytes.len && !talk->ended) {
    enum mllp_event event = MLLP_MORE;
    struct str frame = {0};
    size_t used = 0;
    if (mllp_feed(&talk->reader, bytes, &used, &event, &frame) != STATUS_OK) {
      (void)end(talk, CURLE_OUT_OF_MEMORY, "no memory for the answer");
      return;
    }
    bytes = str_slice(bytes, used, bytes.len);
    take_event(talk, event, frame);
  }
  talk->stray |= bytes.len > 0;
  if (!talk->ended && talk->received > talk->call.client->destination.max_response + MLLP_OVERHEAD)
    (void)end(talk, CURLE_OK, "too much came that is no answer (maxResponseBytes)");
}

static enum delivery_talk_wants take_end(struct delivery_talk *talk) {
  struct str frame = {0};
  take_event(talk, mllp_end(&talk->reader, &frame), frame);
  return talk->ended ? TALK_ENDED : end(talk, CURLE_GOT_NOTHING, "the connection was closed without an acknowledgement");
}

static enum delivery_talk_wants pull(struct delivery_talk *talk) {
  char bytes[READ_BYTES];
  while (!talk->ended) {
    size_t count = 0;
    CURLcode code = curl_easy_recv(talk->call.curl, bytes, sizeof bytes, &count);
    if (code == CURLE_AGAIN) return TALK_READ;
    if (code != CURLE_OK) return end(talk, code, NULL);
    if (!count) return take_end(talk);
    talk->received += count;
    take_bytes(talk, str_make(bytes, count));
  }
  return TALK_ENDED;
}

/* Why the other side takes nothing any more may stand in what it has said: an alert of TLS. */
static enum delivery_talk_wants end_sending(struct delivery_talk *talk, CURLcode code) {
  char byte;
  size_t count = 0;
  CURLcode said = curl_easy_recv(talk->call.curl, &byte, sizeof byte, &count);
  return end(talk, said == CURLE_OK || said == CURLE_AGAIN ? code : said, NULL);
}

enum delivery_talk_wants delivery_talk_step(struct delivery_talk *talk) {
  while (talk->sent < talk->frame.len) {
    size_t count = 0;
    CURLcode code = curl_easy_send(talk->call.curl, talk->frame.ptr + talk->sent, talk->frame.len - talk->sent, &count);
    talk->sent += count;
    talk->pressed |= code == CURLE_AGAIN;
    if (code == CURLE_AGAIN) return TALK_WRITE;
    if (code != CURLE_OK) return end_sending(talk, code);
  }
  return pull(talk);
}

/* --- what became of it --- */

/* It asked who we are, had no answer, and said nothing. */
static bool wants_certificate(const struct delivery_talk *talk) {
  return talk->call.client->asked && !talk->received && !talk->reused;
}

/* With TLS 1.3 the other side speaks of our certificate after our side thinks that all is well: it has read nothing then.
   Whoever has acknowledged a message on this connection has judged us before. */
static enum delivery_phase phase_of(const struct delivery_talk *talk, CURLcode connected) {
  bool plain = talk->call.client->destination.plain, judged = talk->received || talk->reused;
  if (connected != CURLE_OK) return delivery_phase_of(&talk->call, connected);
  if (talk->ack != DELIVERY_ACK_NONE) return DELIVERY_ANSWER;
  if (!talk->why && !plain && !judged && delivery_phase_of(&talk->call, talk->code) == DELIVERY_TLS) return DELIVERY_TLS;
  if (!talk->sent && wants_certificate(talk)) return DELIVERY_TLS;
  return talk->sent ? DELIVERY_SENDING : DELIVERY_CONNECT;
}

static struct str reason_of(const struct delivery_talk *talk, CURLcode connected) {
  struct arena *arena = talk->call.arena;
  if (connected != CURLE_OK) return delivery_reason_of(&talk->call, connected, 0);
  if (talk->ack == DELIVERY_ACK_CA && talk->why) return arena_printf(arena, "committed (CA), then: %s", talk->why);
  if (talk->ack == DELIVERY_ACK_NONE && wants_certificate(talk))
    return arena_printf(arena, "%s; the server asks for a client certificate, and there is none: clientCertFile",
                        talk->why ? talk->why : "the server closed the connection");
  if (talk->why) return talk->skipped ? arena_printf(arena, "%s; %u answers to other messages were passed over", talk->why, talk->skipped)
                                      : arena_str(arena, str_of(talk->why));
  return talk->ack != DELIVERY_ACK_NONE ? arena_printf(arena, "acknowledged: %s", ack_names[talk->ack])
                                        : delivery_reason_of(&talk->call, talk->code, 0);
}

void delivery_talk_end(struct delivery_talk *talk, CURLcode connected, struct delivery_answer *out) {
  const struct delivery_destination *destination = &talk->call.client->destination;
  *out = (struct delivery_answer){.phase = phase_of(talk, connected),
                                  .complete = talk->ack != DELIVERY_ACK_NONE,
                                  .ack = talk->ack,
                                  .skipped = talk->skipped,
                                  .retry_after_ms = -1,
                                  .reason = reason_of(talk, connected)};
  out->verdict = delivery_ack_classify(out->phase, out->ack, destination->acknowledge,
                                       talk->message.errors + 1 >= destination->ack_attempts);
  out->as_status = delivery_status_of(out->phase, 0, out->verdict);
}

void delivery_talk_release(struct delivery_talk *talk) {
  mllp_reader_reset(&talk->reader);
  buf_release(&talk->frame);
  delivery_call_release(&talk->call);
}

/* --- the connection, between two messages --- */

/* In original mode a commit is taken as the answer, and another may follow. */
static bool is_answered_wholly(const struct delivery_talk *talk) {
  bool more = talk->ack == DELIVERY_ACK_CA && talk->call.client->destination.acknowledge == DELIVERY_ACK_ORIGINAL;
  return talk->ended && !talk->why && talk->code == CURLE_OK && talk->ack != DELIVERY_ACK_NONE && !more;
}

static bool is_clean(const struct delivery_talk *talk) {
  return !talk->skipped && !talk->stray && !mllp_skipped(&talk->reader);
}

int64_t delivery_talk_rest_left(const struct delivery_talk *talk) {
  int64_t now = now_ms(talk), life = talk->made_at + DELIVERY_LIFETIME_S * 1000, idle = talk->rests_since + DELIVERY_IDLE_S * 1000;
  int64_t left = (life < idle ? life : idle) - now;
  return left > 0 ? left : 0;
}

bool delivery_talk_rest(struct delivery_talk *talk) {
  bool fine = is_answered_wholly(talk) && is_clean(talk);
  mllp_reader_reset(&talk->reader);
  buf_release(&talk->frame);
  talk->message = (struct delivery_message){0};
  talk->call.arena = NULL;
  talk->rests_since = now_ms(talk);
  return fine && delivery_talk_rest_left(talk);
}

bool delivery_talk_is_alive(struct delivery_talk *talk) {
  char byte;
  size_t count = 0;
  return delivery_talk_rest_left(talk) && curl_easy_recv(talk->call.curl, &byte, sizeof byte, &count) == CURLE_AGAIN;
}

void delivery_talk_again(struct delivery_talk *talk, const struct delivery_message *message, struct arena *arena) {
  struct delivery_call call = talk->call;
  call.arena = arena;
  call.error[0] = 0;
  *talk = (struct delivery_talk){.call = call, .message = *message, .made_at = talk->made_at, .reused = true};
}

bool delivery_talk_is_unsent(const struct delivery_talk *talk) {
  return talk->reused && talk->ended && !talk->sent && !talk->pressed && !talk->received;
}
