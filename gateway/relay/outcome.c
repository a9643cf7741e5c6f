/* outcome.c - what a conversation says about its record, and how long to wait for the next one. Pure. */
#include "exchange/exchange.h"
#include "relay/internal.h"

/* What the items of a conversation have come to. */
struct sum {
  size_t open;    /* not settled: failed for a passing cause, or never tried */
  size_t unknown; /* of them: bytes may have arrived */
  size_t bad;     /* refused, fixed, held back, not kept */
  long refused;   /* HTTP status of the first that was refused */
};

static struct sum add_up(const struct exchange_job *job) {
  struct sum sum = {0};
  for (size_t i = 0; job->items && i < job->plan.entry_count; i++) {
    const struct exchange_item *item = &job->items[i];
    bool open =
        item->state == EXCHANGE_FAILED || item->state == EXCHANGE_UNTRIED || item->state == EXCHANGE_WAITING;
    sum.open += open;
    sum.unknown += open && item->look;
    sum.bad += item->state == EXCHANGE_REFUSED || item->state == EXCHANGE_FIXED ||
               item->kept == EXCHANGE_DISCARDED ||
               (item->state == EXCHANGE_HELD_BACK && job->items[item->waits_for].state != EXCHANGE_FAILED);
    if (item->state == EXCHANGE_REFUSED && !sum.refused) sum.refused = item->answer.status;
  }
  return sum;
}

/* Words of the program by the status that ended it. */
static const struct {
  enum status status;
  enum relay_trouble trouble;
  const char *reason;
} endings[] = {
    {STATUS_UNAVAILABLE, RELAY_BUSY, "unreachable"}, {STATUS_RETRY, RELAY_BUSY, "no-answer"},
    {STATUS_NOMEM, RELAY_BUSY, "no-memory"},         {STATUS_DENIED, RELAY_HELD, "credential-refused"},
    {STATUS_CONFIG, RELAY_HELD, "configuration"},
};

struct str relay_http_word(long status) {
  static const struct {
    long status;
    struct str word;
  } words[] = {
#define HTTP(number)                                                                                         \
  {                                                                                                          \
    number, {                                                                                                \
      "http-" #number, 8                                                                                     \
    }                                                                                                        \
  }
      HTTP(400), HTTP(401), HTTP(403), HTTP(404), HTTP(405), HTTP(408), HTTP(409), HTTP(410), HTTP(412),
      HTTP(413), HTTP(415), HTTP(422), HTTP(429), HTTP(500), HTTP(501), HTTP(502), HTTP(503), HTTP(504)};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (words[i].status == status) return words[i].word;
  return status >= 300 && status < 400 ? STR("http-redirect") : STR("http-other");
}

static struct relay_verdict passing(const struct sum *sum, enum status status,
                                    const struct delivery_answer *last, bool unknown_before) {
  struct relay_verdict verdict = {.trouble = RELAY_BUSY, .reason = STR("no-answer")};
  verdict.state = sum->unknown || unknown_before ? OUTBOX_UNKNOWN : OUTBOX_QUEUED;
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    if (endings[i].status != status) continue;
    verdict.trouble = endings[i].trouble;
    verdict.reason = str_of(endings[i].reason);
  }
  if (last->too_large) verdict.reason = STR("answer-too-large");
  if (last->no_token) verdict.reason = STR("no-token");
  if (last->phase == DELIVERY_TLS) verdict.reason = STR("tls");
  if (verdict.trouble == RELAY_BUSY && last->phase == DELIVERY_ANSWER && last->status >= 300)
    verdict.reason = relay_http_word(last->status);
  verdict.http_status = last->phase == DELIVERY_ANSWER ? (int)last->status : 0;
  verdict.own = verdict.trouble == RELAY_HELD && verdict.http_status && !last->no_token;
  return verdict;
}

static struct relay_verdict parked(const struct sum *sum, enum status status) {
  struct relay_verdict verdict = {.state = OUTBOX_PARKED, .http_status = (int)sum->refused};
  verdict.reason = sum->refused                ? relay_http_word(sum->refused)
                   : status == STATUS_CONFLICT ? STR("conflict")
                                               : STR("refused");
  return verdict;
}

struct relay_verdict relay_judge_memory(const struct arena *arena, bool unknown_before) {
  if (arena_is_capped(arena)) return (struct relay_verdict){.state = OUTBOX_PARKED, .reason = STR("too-large"), .unasked = true};
  return (struct relay_verdict){.state = unknown_before ? OUTBOX_UNKNOWN : OUTBOX_QUEUED,
                                .trouble = RELAY_BUSY,
                                .reason = STR("no-memory")};
}

struct relay_verdict relay_judge(const struct exchange_job *job, enum status status,
                                 const struct delivery_answer *last, bool unknown_before) {
  struct sum sum = add_up(job);
  if (status == STATUS_NOMEM && job->arena && arena_is_capped(job->arena))
    return relay_judge_memory(job->arena, unknown_before);
  if (sum.open) return passing(&sum, status, last, unknown_before);
  if (sum.bad) return parked(&sum, status);
  /* it ended before there was anything to settle: no memory, or a Bundle that makes no plan */
  if (!job->items || !job->plan.entry_count)
    return status == STATUS_OK || status == STATUS_NOMEM
               ? passing(&sum, STATUS_NOMEM, last, unknown_before)
               : (struct relay_verdict){.state = OUTBOX_PARKED, .reason = STR("no-plan"), .unasked = true};
  return (struct relay_verdict){
      .state = OUTBOX_DONE, .reason = STR("delivered"), .http_status = (int)last->status, .unasked = !last->status};
}

/* Words by the acknowledgement that came. */
static const char *const ack_reasons[] = {
    [DELIVERY_ACK_NONE] = "no-answer", [DELIVERY_ACK_AA] = "delivered", [DELIVERY_ACK_AE] = "ack-AE",
    [DELIVERY_ACK_AR] = "ack-AR",      [DELIVERY_ACK_CA] = "ack-CA",    [DELIVERY_ACK_CE] = "ack-CE",
    [DELIVERY_ACK_CR] = "ack-CR",
};

struct relay_verdict relay_judge_message(const struct delivery_answer *answer, bool unknown_before) {
  struct str said = str_of(ack_reasons[answer->ack]);
  enum outbox_state again = unknown_before ? OUTBOX_UNKNOWN : OUTBOX_QUEUED;
  switch (answer->verdict) {
  case DELIVERY_DONE:
    return (struct relay_verdict){.state = OUTBOX_DONE, .reason = STR("delivered")};
  case DELIVERY_PARK:
    return (struct relay_verdict){.state = OUTBOX_PARKED, .reason = said};
  case DELIVERY_RETRY: /* no connection; or the receiver could not, which is about this message alone */
    if (answer->phase != DELIVERY_ANSWER)
      return (struct relay_verdict){.state = again, .trouble = RELAY_BUSY, .reason = STR("unreachable")};
    return (struct relay_verdict){.state = OUTBOX_QUEUED, .reason = said};
  case DELIVERY_HOLD:
    return (struct relay_verdict){.state = again,
                                  .trouble = RELAY_HELD,
                                  .reason = answer->phase == DELIVERY_TLS ? STR("tls") : STR("configuration")};
  default:
    return (struct relay_verdict){.state = OUTBOX_UNKNOWN, .trouble = RELAY_BUSY, .reason = said};
  }
}

int64_t relay_back_off(const struct relay_destination_config *config, unsigned attempts,
                       int64_t retry_after_ms, uint32_t random) {
  enum { LEAST_MS = 100 };
  int64_t ceiling = config->retry_seconds * 1000, most = config->retry_max_seconds * 1000;
  for (unsigned i = 0; i < attempts && ceiling < most; i++)
    ceiling *= 2;
  if (ceiling > most) ceiling = most;
  int64_t wait = LEAST_MS + (int64_t)((double)random / UINT32_MAX * (double)(ceiling - LEAST_MS));
  return retry_after_ms > wait ? retry_after_ms : wait;
}
