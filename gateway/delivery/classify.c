/*
 * classify.c - what an outcome means, as one pure table: the first row that fits decides.
 *
 * The rule behind it: before a byte of the request has left, nothing happened; once it has, a lost or
 * unreadable answer is neither success nor failure. Nor does a 503 say that the server had not begun: proxies answer so
 * when the server behind them broke off. A request that may be repeated safely (conditional
 * update, GET) is retried where another one would have to be settled first.
 */
#include "delivery/internal.h"

enum { ANY_STATUS_MIN = 0, ANY_STATUS_MAX = 999 };
enum body_mask { B_EMPTY = 1, B_FHIR = 2, B_OTHER = 4, B_TRUNCATED = 8, B_ANY = 15 };
enum safety_mask { S_UNSAFE = 1, S_SAFE = 2, S_ANY = 3 };

struct row {
  enum delivery_phase phase;
  long from, to; /* HTTP status, inclusive */
  unsigned bodies, safety;
  enum delivery_verdict verdict;
  const char *why;
};

static const struct row rows[] = {
    {DELIVERY_BEFORE_CONNECT, 0, 999, B_ANY, S_ANY, DELIVERY_HOLD,
     "the request could not be made: configuration"},
    {DELIVERY_CONNECT, 0, 999, B_ANY, S_ANY, DELIVERY_RETRY, "no connection: nothing was sent"},
    {DELIVERY_TLS, 0, 999, B_ANY, S_ANY, DELIVERY_HOLD,
     "the server is not who it should be: nothing was sent"},
    {DELIVERY_SENDING, 0, 999, B_ANY, S_SAFE, DELIVERY_RETRY, "lost on the way; repeating does no harm"},
    {DELIVERY_SENDING, 0, 999, B_ANY, S_UNSAFE, DELIVERY_SETTLE, "lost on the way: it may have arrived"},
    {DELIVERY_ANSWER, 200, 299, B_FHIR, S_ANY, DELIVERY_DONE, "done"},
    {DELIVERY_ANSWER, 200, 299, B_EMPTY, S_ANY, DELIVERY_DONE, "done; identity by Location and ETag"},
    {DELIVERY_ANSWER, 200, 299, B_ANY, S_ANY, DELIVERY_SETTLE, "success claimed, but not in FHIR"},
    {DELIVERY_ANSWER, 300, 399, B_ANY, S_ANY, DELIVERY_HOLD,
     "redirects are never followed with patients' data"},
    {DELIVERY_ANSWER, 400, 400, B_ANY, S_ANY, DELIVERY_PARK, "refused"},
    {DELIVERY_ANSWER, 401, 401, B_ANY, S_ANY, DELIVERY_HOLD, "credential refused"},
    {DELIVERY_ANSWER, 403, 403, B_ANY, S_ANY, DELIVERY_HOLD, "not permitted"},
    {DELIVERY_ANSWER, 404, 405, B_ANY, S_ANY, DELIVERY_HOLD, "no FHIR service at this address"},
    {DELIVERY_ANSWER, 406, 406, B_EMPTY, S_ANY, DELIVERY_SETTLE,
     "it may have been stored, and only its answer could not be given"},
    {DELIVERY_ANSWER, 407, 407, B_ANY, S_ANY, DELIVERY_HOLD, "a proxy asks for credentials"},
    {DELIVERY_ANSWER, 408, 408, B_ANY, S_SAFE, DELIVERY_RETRY, "something gave up waiting; repeating does no harm"},
    {DELIVERY_ANSWER, 408, 408, B_ANY, S_UNSAFE, DELIVERY_SETTLE, "something gave up waiting: it may have been stored"},
    {DELIVERY_ANSWER, 409, 409, B_ANY, S_ANY, DELIVERY_COMPARE, "version conflict"},
    {DELIVERY_ANSWER, 410, 410, B_ANY, S_ANY, DELIVERY_HOLD, "the address is gone"},
    {DELIVERY_ANSWER, 412, 412, B_ANY, S_ANY, DELIVERY_COMPARE,
     "several matches, or a condition that does not hold"},
    {DELIVERY_ANSWER, 413, 413, B_ANY, S_ANY, DELIVERY_PARK, "too large for the server"},
    {DELIVERY_ANSWER, 425, 425, B_ANY, S_ANY, DELIVERY_RETRY, "too early"},
    {DELIVERY_ANSWER, 429, 429, B_ANY, S_ANY, DELIVERY_RETRY, "too many requests"},
    {DELIVERY_ANSWER, 400, 499, B_ANY, S_ANY, DELIVERY_PARK, "refused"},
    {DELIVERY_ANSWER, 501, 501, B_ANY, S_ANY, DELIVERY_HOLD, "the server does not do this"},
    {DELIVERY_ANSWER, 500, 599, B_ANY, S_SAFE, DELIVERY_RETRY, "the server failed; repeating does no harm"},
    {DELIVERY_ANSWER, 500, 599, B_ANY, S_UNSAFE, DELIVERY_SETTLE,
     "the server failed on the way: it may have stored it"},
    {DELIVERY_ANSWER, 0, 999, B_ANY, S_SAFE, DELIVERY_RETRY, "no usable answer"},
    {DELIVERY_ANSWER, 0, 999, B_ANY, S_UNSAFE, DELIVERY_SETTLE, "no usable answer"},
};

enum delivery_verdict delivery_classify(enum delivery_phase phase, long status, enum delivery_body body,
                                        bool safe_to_repeat) {
  unsigned body_bit = 1U << body;
  unsigned safety_bit = safe_to_repeat ? S_SAFE : S_UNSAFE;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const struct row *row = &rows[i];
    if (row->phase == phase && status >= row->from && status <= row->to && (row->bodies & body_bit) &&
        (row->safety & safety_bit))
      return row->verdict;
  }
  return DELIVERY_SETTLE; /* a status beyond 999: nothing is known */
}

/* Statuses by which something before the server tells that it waits no longer. */
static bool is_given_up(long status) {
  return status == 408 || (status >= 502 && status <= 504);
}

bool delivery_may_be_at_work(const struct delivery_answer *answer) {
  if (answer->phase == DELIVERY_SENDING) return true;
  if (answer->ack != DELIVERY_ACK_NONE) return answer->verdict == DELIVERY_SETTLE; /* committed, and no word of the application */
  return answer->phase == DELIVERY_ANSWER && (!answer->complete || is_given_up(answer->status));
}

const char *delivery_verdict_name(enum delivery_verdict verdict) {
  static const char *const names[] = {"done", "retry", "settle", "compare", "park", "hold"};
  return names[verdict];
}

enum status delivery_status_of(enum delivery_phase phase, long status, enum delivery_verdict verdict) {
  if (verdict == DELIVERY_DONE) return STATUS_OK;
  if (phase == DELIVERY_CONNECT) return STATUS_UNAVAILABLE;
  if (status == 401 || status == 403 || status == 407) return STATUS_DENIED;
  if (verdict == DELIVERY_HOLD) return STATUS_CONFIG;
  if (verdict == DELIVERY_PARK) return STATUS_INVALID;
  return verdict == DELIVERY_COMPARE ? STATUS_CONFLICT : STATUS_RETRY;
}
