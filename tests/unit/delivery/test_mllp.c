/* test_mllp.c - the client of MLLP against a receiver that follows a script, by waiting and on the event loop: which
 * connection a message goes on, what an acknowledgement may look like on its way, and where the caps stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "delivery/client.h"
#include "delivery/loop.h"
#include "mllp/mllp.h"

#define VT "\x0b"
#define END "\x1c\r"
#define ACK(code, control) VT "MSA|" code "|" control "\r" END
enum { ANSWERS = 4, NS_A_MS = 1000000 };

/* What the receiver does when a message has come. */
struct answer {
  const char *bytes;
  size_t length;  /* 0: of the text */
  size_t split;   /* so many bytes go first; 0: all at once */
  bool close;     /* afterwards */
  bool reset;     /* the same, with RST */
  const char *late; /* comes a moment after the acknowledgement */
};

struct test {
  struct arena *arena;
  struct delivery_client *client;
  struct host host;
  int64_t skew_ms; /* of the clock */
  struct event_base *base;
  struct delivery_loop *loop;
  bool on_loop;
  struct delivery_answer answer;
  bool done;
  /* the receiver */
  int listening;
  pthread_t thread;
  struct answer answers[ANSWERS];
  size_t message_bytes; /* of the last one */
  atomic_int connections, messages, settled; /* messages with which it has done all that its script says */
};

/* --- the receiver --- */

static void give(int socket, const struct answer *answer) {
  size_t length = answer->length ? answer->length : strlen(answer->bytes), first = answer->split ? answer->split : length;
  if (send(socket, answer->bytes, first, MSG_NOSIGNAL) < 0 || first == length) return;
  usleep(500); /* two segments, most of the time: it must not matter */
  (void)!send(socket, answer->bytes + first, length - first, MSG_NOSIGNAL);
}

static bool answer_next(struct test *test, int socket) {
  const struct answer *answer = &test->answers[atomic_fetch_add(&test->messages, 1) % ANSWERS];
  struct linger at_once = {.l_onoff = 1};
  if (answer->bytes) give(socket, answer);
  if (answer->late) {
    usleep(2000);
    (void)!send(socket, answer->late, strlen(answer->late), MSG_NOSIGNAL);
  }
  if (answer->reset) (void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  return !answer->close && !answer->reset;
}

/* Messages here have no FS within. */
static void serve(struct test *test, int socket) {
  char bytes[4096];
  size_t held = 0;
  for (;;) {
    ssize_t count = recv(socket, bytes, sizeof bytes, 0);
    if (count <= 0) return;
    held += (size_t)count;
    if (bytes[count - 1] != '\r' || (count > 1 && bytes[count - 2] != '\x1c')) continue;
    test->message_bytes = held;
    held = 0;
    if (!answer_next(test, socket)) return; /* receive() closes, and counts it */
    atomic_fetch_add(&test->settled, 1);
  }
}

static void *receive(void *context) {
  struct test *test = context;
  int socket;
  while ((socket = accept(test->listening, NULL, NULL)) >= 0) {
    atomic_fetch_add(&test->connections, 1);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    serve(test, socket);
    close(socket);
    atomic_fetch_add(&test->settled, 1);
  }
  return NULL;
}

static int listen_here(char address[32]) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int listening = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(0, bind(listening, (struct sockaddr *)&at, sizeof at));
  assert_int_equal(0, listen(listening, 16));
  assert_int_equal(0, getsockname(listening, (struct sockaddr *)&at, &size));
  snprintf(address, 32, "127.0.0.1:%d", ntohs(at.sin_port));
  return listening;
}

/* --- the sender --- */

static int64_t skewed(void *context) {
  const struct test *test = context;
  return host_system()->monotonic_ns(NULL) + test->skew_ms * NS_A_MS;
}

static bool read_ack(struct str frame, struct arena *arena, struct delivery_acknowledgement *out) {
  (void)arena;
  if (frame.len < 7 || !str_starts(frame, STR("MSA|"))) return false;
  size_t end = str_find_char(frame, '\r', 0);
  out->control = str_slice(frame, 7, end == SIZE_MAX ? frame.len : end);
  return delivery_ack_parse(str_slice(frame, 4, 6), &out->code);
}

static void note(void *context, const struct delivery_answer *answer) {
  struct test *test = context;
  test->answer = *answer;
  test->done = true;
}

static const struct delivery_answer *send_text(struct test *test, struct str bytes, const char *control) {
  struct delivery_message message = {.bytes = bytes, .control = str_of(control), .read = read_ack};
  test->done = false;
  if (!test->on_loop) {
    assert_int_equal(STATUS_OK, delivery_message_send(test->client, &message, test->arena, &test->answer));
    return &test->answer;
  }
  assert_int_equal(STATUS_OK, delivery_loop_message(test->loop, test->client, &message, test->arena, note, test));
  assert_false(test->done);
  while (!test->done)
    assert_int_equal(0, event_base_loop(test->base, EVLOOP_ONCE));
  return &test->answer;
}

static enum delivery_verdict send_one(struct test *test, const char *control) {
  return send_text(test, STR("MSH|^~\\&|\r"), control)->verdict;
}

static void open_client(struct test *test, const struct delivery_destination *with) {
  struct delivery_destination destination = *with;
  struct diag_list diags;
  char address[32];
  diag_list_init(&diags, test->arena);
  test->listening = listen_here(address);
  destination.protocol = DELIVERY_MLLP;
  destination.name = STR("receiver");
  destination.base = str_of(address);
  destination.plain = true;
  destination.connect_ms = destination.total_ms = 5000;
  if (!destination.ack_ms) destination.ack_ms = 5000;
  if (!destination.max_response) destination.max_response = 4096;
  if (!destination.ack_attempts) destination.ack_attempts = 3;
  assert_int_equal(STATUS_OK, delivery_client_new(&destination, &test->host, &diags, &test->client));
  assert_int_equal(0, pthread_create(&test->thread, NULL, receive, test));
}

static struct test *open_test(const struct delivery_destination *destination, bool on_loop, const struct answer *answers, size_t count) {
  struct test *test = calloc(1, sizeof *test);
  test->arena = arena_new(16 << 20);
  test->host = *host_system();
  test->host.context = test;
  test->host.monotonic_ns = skewed;
  test->on_loop = on_loop;
  test->base = event_base_new();
  assert_int_equal(STATUS_OK, delivery_loop_new(test->base, 8, &test->loop));
  for (size_t i = 0; i < ANSWERS; i++)
    test->answers[i] = answers[i < count ? i : count - 1];
  open_client(test, destination);
  return test;
}

static void close_test(struct test *test, bool loop_first) {
  if (loop_first) delivery_loop_free(test->loop);
  delivery_client_free(test->client);
  if (!loop_first) delivery_loop_free(test->loop);
  shutdown(test->listening, SHUT_RDWR);
  pthread_join(test->thread, NULL);
  close(test->listening);
  event_base_free(test->base);
  arena_free(test->arena);
  free(test);
}

/* --- which connection --- */

static const struct {
  const char *what;
  struct answer first;
  enum delivery_ack_mode mode;
  enum delivery_verdict verdict; /* of the first */
  int connections;               /* for two messages */
} rows[] = {
    {"accepted", {.bytes = ACK("AA", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 1},
    {"could not", {.bytes = ACK("AE", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_RETRY, 1},
    {"refused", {.bytes = ACK("AR", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_PARK, 1},
    {"committed", {.bytes = ACK("CA", "1")}, DELIVERY_ACK_COMMIT, DELIVERY_DONE, 1},
    {"both", {.bytes = ACK("CA", "1") ACK("AA", "1")}, DELIVERY_ACK_APPLICATION, DELIVERY_DONE, 1},
    {"a commit where one answer is wanted", {.bytes = ACK("CA", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"a foreign one before", {.bytes = ACK("AA", "0") ACK("AA", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"twice", {.bytes = ACK("AA", "1") ACK("AA", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"a byte behind", {.bytes = ACK("AA", "1") "x"}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"a byte before", {.bytes = "x" ACK("AA", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"a byte later", {.bytes = ACK("AA", "1"), .late = "x"}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"again later", {.bytes = ACK("AA", "1"), .late = ACK("AA", "1")}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"closed", {.bytes = ACK("AA", "1"), .close = true}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"reset", {.bytes = ACK("AA", "1"), .late = "", .reset = true}, DELIVERY_ACK_ORIGINAL, DELIVERY_DONE, 2},
    {"no answer", {.bytes = "", .close = true}, DELIVERY_ACK_ORIGINAL, DELIVERY_SETTLE, 2},
    {"no acknowledgement", {.bytes = VT "hello" END}, DELIVERY_ACK_ORIGINAL, DELIVERY_SETTLE, 2},
    {"cut", {.bytes = VT "MSA|AA|1", .close = true}, DELIVERY_ACK_ORIGINAL, DELIVERY_SETTLE, 2},
    {"committed, and no more", {.bytes = ACK("CA", "1"), .close = true}, DELIVERY_ACK_APPLICATION, DELIVERY_SETTLE, 2},
};

/* All that the receiver does of itself is done; on the loop, `looked_after`: and seen. */
static void let_settle(struct test *test, bool looked_after) {
  while (!atomic_load(&test->settled))
    usleep(100);
  if (test->on_loop && looked_after) assert_true(event_base_loop(test->base, EVLOOP_NONBLOCK) >= 0);
}

static void check_row(size_t row, bool on_loop, bool looked_after) {
  const char *second = rows[row].mode == DELIVERY_ACK_COMMIT ? ACK("CA", "2") : ACK("AA", "2");
  struct answer answers[] = {rows[row].first, {.bytes = second}};
  struct delivery_destination destination = {.acknowledge = rows[row].mode};
  struct test *test = open_test(&destination, on_loop, answers, 2);
  enum delivery_verdict first = send_one(test, "1");
  let_settle(test, looked_after);
  enum delivery_verdict next = send_one(test, "2");
  int connections = atomic_load(&test->connections);
  close_test(test, on_loop);
  if (first != rows[row].verdict || next != DELIVERY_DONE || connections != rows[row].connections)
    fail_msg("%s%s: %s, then %s, %d connections", rows[row].what, on_loop ? " (loop)" : "", delivery_verdict_name(first),
             delivery_verdict_name(next), connections);
}

static void test_which_connection(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    check_row(i, false, false);
    check_row(i, true, false);
    check_row(i, true, true);
  }
}

/* Milliseconds between three messages; connections. */
static const struct {
  int64_t between[2];
  int connections;
} ages[] = {{{29000, 29000}, 1}, {{29000, 30000}, 2}, {{31000, 0}, 2}, {{30000, 30001}, 3}};

static void check_age(size_t row, bool on_loop) {
  static const char *const controls[] = {"1", "2", "3"};
  struct answer answers[] = {{.bytes = ACK("AA", "1")}, {.bytes = ACK("AA", "2")}, {.bytes = ACK("AA", "3")}};
  struct delivery_destination destination = {0};
  struct test *test = open_test(&destination, on_loop, answers, 3);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(DELIVERY_DONE, send_one(test, controls[i]));
    if (i < 2) test->skew_ms += ages[row].between[i];
  }
  assert_int_equal(ages[row].connections, atomic_load(&test->connections));
  close_test(test, !on_loop);
}

static void test_ages(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++) {
    check_age(i, false);
    check_age(i, true);
  }
}

/* One connection at a time is served, in their order: the second message's is waiting while the first one's rests. */
static void test_one_at_a_time(void **state) {
  (void)state;
  static const char *const controls[] = {"1", "2"};
  struct answer answers[] = {{.bytes = ACK("AA", "1")}, {.bytes = ACK("AA", "2")}};
  struct delivery_destination destination = {0};
  struct test *test = open_test(&destination, true, answers, 2), other = {0};
  struct test *const tests[] = {test, &other};
  for (size_t i = 0; i < 2; i++) {
    struct delivery_message message = {.bytes = STR("MSH|\r"), .control = str_of(controls[i]), .read = read_ack};
    assert_int_equal(STATUS_OK, delivery_loop_message(test->loop, test->client, &message, test->arena, note, tests[i]));
  }
  while (!test->done || !other.done)
    assert_int_equal(0, event_base_loop(test->base, EVLOOP_ONCE));
  assert_int_equal(DELIVERY_DONE, test->answer.verdict);
  assert_int_equal(DELIVERY_DONE, other.answer.verdict);
  close_test(test, true);
}

/* --- on its way --- */

static void test_every_split(void **state) {
  (void)state;
  static const char both[] = ACK("CA", "1") ACK("AA", "1");
  for (size_t split = 1; split + 1 < sizeof both; split++)
    for (int on_loop = 0; on_loop < 2; on_loop++) {
      struct answer answers[] = {{.bytes = both, .split = split}};
      struct delivery_destination destination = {.acknowledge = DELIVERY_ACK_APPLICATION};
      struct test *test = open_test(&destination, on_loop != 0, answers, 1);
      assert_int_equal(DELIVERY_DONE, send_one(test, "1"));
      assert_int_equal(DELIVERY_DONE, send_one(test, "1"));
      assert_int_equal(DELIVERY_ACK_AA, test->answer.ack);
      assert_int_equal(1, atomic_load(&test->connections));
      close_test(test, true);
    }
}

/* --- caps --- */

enum { CAP = 1024 };

/* A frame of `length` bytes; or, without its end, noise of that length. */
static char *make_answer(size_t length, bool frame, size_t *total) {
  char *bytes = malloc(length + 3);
  memset(bytes, 'x', length + 3);
  *total = length;
  if (!frame) return bytes;
  memcpy(bytes, VT "MSA|AA|1\r", 10);
  memcpy(bytes + 1 + length, END, 2);
  *total = length + 3;
  return bytes;
}

/* RETRY, which no answer means here: it was waited for until the time was over. */
static enum delivery_verdict answer_of(size_t length, bool frame, size_t split, bool on_loop) {
  bool waits = !frame && length <= CAP + MLLP_OVERHEAD;
  struct delivery_destination destination = {.max_response = CAP, .ack_ms = waits ? 300 : 20000};
  struct answer answer = {.split = split};
  char *bytes = make_answer(length, frame, &answer.length);
  answer.bytes = bytes;
  struct test *test = open_test(&destination, on_loop, &answer, 1);
  int64_t from = host_system()->monotonic_ns(NULL);
  enum delivery_verdict verdict = send_one(test, "1");
  bool in_time = host_system()->monotonic_ns(NULL) - from < (destination.ack_ms - 1) * NS_A_MS;
  close_test(test, true);
  free(bytes);
  return verdict == DELIVERY_DONE || in_time ? verdict : DELIVERY_RETRY;
}

static void test_cap_of_the_answer(void **state) {
  (void)state;
  for (int on_loop = 0; on_loop < 2; on_loop++)
    for (size_t split = 0; split <= CAP + 1; split += CAP + 1) { /* without its last byte, too */
      assert_int_equal(DELIVERY_DONE, answer_of(CAP - 1, true, split, on_loop));
      assert_int_equal(DELIVERY_DONE, answer_of(CAP, true, split, on_loop));
      assert_int_equal(DELIVERY_SETTLE, answer_of(CAP + 1, true, split, on_loop));
    }
  assert_int_equal(DELIVERY_SETTLE, answer_of(CAP + MLLP_OVERHEAD + 1, false, 0, false));
  assert_int_equal(DELIVERY_RETRY, answer_of(CAP + MLLP_OVERHEAD, false, 0, false));
}

/* As large as may come: pieces of it, while the receiver takes its time. */
static void test_large_message(void **state) {
  (void)state;
  enum { LARGE = 8 << 20 };
  char *bytes = malloc(LARGE);
  memset(bytes, 'x', LARGE);
  for (int on_loop = 0; on_loop < 2; on_loop++) {
    struct answer answers[] = {{.bytes = ACK("AA", "1")}};
    struct delivery_destination destination = {0};
    struct test *test = open_test(&destination, on_loop != 0, answers, 1);
    for (int i = 0; i < 2; i++) {
      assert_int_equal(DELIVERY_DONE, send_text(test, str_make(bytes, LARGE), "1")->verdict);
      assert_int_equal(LARGE + MLLP_OVERHEAD, test->message_bytes);
    }
    assert_int_equal(1, atomic_load(&test->connections));
    close_test(test, true);
  }
  free(bytes);
}

/* Nothing of one that would not arrive as it is. */
static void test_cannot_be_framed(void **state) {
  (void)state;
  struct answer answers[] = {{.bytes = ACK("AA", "1")}};
  struct delivery_destination destination = {0};
  struct test *test = open_test(&destination, false, answers, 1);
  struct delivery_message message = {.bytes = STR("MSH|\x1c|"), .control = STR("1"), .read = read_ack};
  for (int after = 0; after < 2; after++) {
    assert_int_equal(STATUS_CONFIG, delivery_message_send(test->client, &message, test->arena, &test->answer));
    assert_int_equal(STATUS_CONFIG, delivery_loop_message(test->loop, test->client, &message, test->arena, note, test));
    assert_int_equal(DELIVERY_DONE, send_one(test, "1"));
  }
  assert_int_equal(2, atomic_load(&test->messages));
  close_test(test, true);
}

/* The clock says when it is over, in whole milliseconds: what is left of the first one is not waited for. */
static void test_time_of_the_answer(void **state) {
  (void)state;
  struct answer answers[] = {{.bytes = ""}};
  struct delivery_destination destination = {.ack_ms = 100};
  for (int on_loop = 0; on_loop < 2; on_loop++) {
    struct test *test = open_test(&destination, on_loop != 0, answers, 1);
    int64_t from = host_system()->monotonic_ns(NULL);
    assert_int_equal(DELIVERY_SETTLE, send_one(test, "1"));
    int64_t ms = (host_system()->monotonic_ns(NULL) - from) / NS_A_MS;
    assert_true(ms >= 99 && ms < 20000);
    assert_int_equal(DELIVERY_SENDING, test->answer.phase);
    close_test(test, true);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_which_connection), cmocka_unit_test(test_ages),           cmocka_unit_test(test_one_at_a_time),
      cmocka_unit_test(test_every_split),      cmocka_unit_test(test_cap_of_the_answer), cmocka_unit_test(test_large_message),
      cmocka_unit_test(test_cannot_be_framed), cmocka_unit_test(test_time_of_the_answer)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
