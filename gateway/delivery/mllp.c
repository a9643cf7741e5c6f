/*
 * mllp.c - a message in a frame, on a connection that libcurl has made and verified (CURLOPT_CONNECT_ONLY).
 *
 * A byte that has left may have been acted on: from then on only an acknowledgement of this message says what happened. A
 * connection carries one message: what comes late for it can meet nobody else.
 */
#include <poll.h>
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
  return talk->frame.error == STATUS_OK ? delivery_call_connect(&talk->call) : talk->frame.error;
}

void delivery_talk_start(struct delivery_talk *talk) {
  talk->deadline = now_ms(talk) + talk->call.client->destination.ack_ms;
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
  if (!talk->ended && talk->received > talk->call.client->destination.max_response)
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
    if (code == CURLE_AGAIN) return TALK_WRITE;
    if (code != CURLE_OK) return end_sending(talk, code);
  }
  return pull(talk);
}

/* --- what became of it --- */

/* It asked who we are, had no answer, and said nothing. */
static bool wants_certificate(const struct delivery_talk *talk) {
  return talk->call.client->asked && !talk->received;
}

/* With TLS 1.3 the other side speaks of our certificate after our side thinks that all is well: it has read nothing then. */
static enum delivery_phase phase_of(const struct delivery_talk *talk, CURLcode connected) {
  bool plain = talk->call.client->destination.plain;
  if (connected != CURLE_OK) return delivery_phase_of(&talk->call, connected);
  if (talk->ack != DELIVERY_ACK_NONE) return DELIVERY_ANSWER;
  if (!talk->why && !plain && !talk->received && delivery_phase_of(&talk->call, talk->code) == DELIVERY_TLS) return DELIVERY_TLS;
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

/* --- by waiting --- */

static void wait_for(const struct delivery_talk *talk, curl_socket_t socket, enum delivery_talk_wants wants) {
  struct pollfd watched = {.fd = socket, .events = wants == TALK_WRITE ? POLLOUT : POLLIN};
  int64_t left = delivery_talk_left(talk);
  (void)poll(&watched, 1, left < 1 ? 1 : (int)left);
}

static void talk_and_wait(struct delivery_talk *talk) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  delivery_talk_start(talk);
  if (curl_easy_getinfo(talk->call.curl, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD) {
    (void)end(talk, CURLE_COULDNT_CONNECT, NULL);
    return;
  }
  enum delivery_talk_wants wants = delivery_talk_step(talk);
  while (wants != TALK_ENDED) {
    wait_for(talk, socket, wants);
    wants = delivery_talk_step(talk);
    if (wants != TALK_ENDED && !delivery_talk_left(talk)) {
      delivery_talk_give_up(talk);
      return;
    }
  }
}

/* A handle for each: libcurl keeps a connection of this kind as long as its handle. */
static CURL *new_handle(const struct delivery_client *client, char *error) {
  CURL *curl = curl_easy_init();
  if (curl && delivery_handle_set(client, curl, error)) return curl;
  curl_easy_cleanup(curl);
  return NULL;
}

enum status delivery_message_send(struct delivery_client *client, const struct delivery_message *message, struct arena *arena,
                                  struct delivery_answer *out) {
  struct delivery_talk talk = {.message = *message};
  *out = (struct delivery_answer){0};
  talk.call = (struct delivery_call){
      .curl = new_handle(client, client->error), .client = client, .error = client->error, .arena = arena};
  if (!talk.call.curl) return STATUS_NOMEM;
  enum status status = delivery_talk_begin(&talk);
  CURLcode connected = status == STATUS_OK ? curl_easy_perform(talk.call.curl) : CURLE_OK;
  if (status == STATUS_OK && connected == CURLE_OK) talk_and_wait(&talk);
  if (status == STATUS_OK) delivery_talk_end(&talk, connected, out);
  CURL *curl = talk.call.curl;
  delivery_talk_release(&talk);
  curl_easy_cleanup(curl);
  return status == STATUS_OK && !out->reason.ptr ? STATUS_NOMEM : status;
}

enum status delivery_message_probe(struct delivery_client *client, struct arena *arena, struct delivery_probe *out) {
  struct delivery_call call = {
      .curl = new_handle(client, client->error), .client = client, .error = client->error, .arena = arena};
  *out = (struct delivery_probe){0};
  if (!call.curl) return STATUS_NOMEM;
  enum status status = delivery_call_connect(&call);
  if (status == STATUS_OK) {
    delivery_probe_connect(&call, out);
    out->answer.verdict = delivery_ack_classify(out->answer.phase, DELIVERY_ACK_AA, DELIVERY_ACK_ORIGINAL, false);
    out->answer.as_status = delivery_status_of(out->answer.phase, 0, out->answer.verdict);
  }
  CURL *curl = call.curl;
  delivery_call_release(&call);
  curl_easy_cleanup(curl);
  return status;
}
