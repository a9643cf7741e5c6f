/* test_loop.c - requests on handles and connections that are used again: what goes out, and that nothing goes out twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "delivery/client.h"
#include "delivery/loop.h"

enum { REQUESTS = 8, HEAD_BYTES = 4096, LARGE = 300000 };

/* What the server does with a request. */
enum deed { ANSWER, SAY_NOTHING, ANSWER_AND_LEAVE, ANSWER_OTHERWISE };

struct seen {
  char head[HEAD_BYTES];
  size_t body;
  bool right; /* the body's bytes */
};

struct test {
  enum deed deeds[REQUESTS];
  struct str otherwise[3]; /* what it answers then: a beginning, what is filled up with x to `fill` bytes in lines of this, and an end */
  size_t fill;
  struct seen seen[REQUESTS];
  atomic_int requests, connections;
  int listening, left[2]; /* left: a byte for each connection that the server has closed */
  pthread_t thread;
  struct event_base *base;
  struct delivery_loop *loop;
  struct delivery_client *client;
  struct arena *arena;
  char *body;
  struct delivery_answer answer;
  bool done;
};

/* --- the server: one connection after the other --- */

static char body_byte(size_t i) {
  return (char)('a' + i % 23);
}

static bool read_head(int fd, char *head) {
  for (size_t len = 0; len < HEAD_BYTES - 1; len++) {
    if (recv(fd, head + len, 1, 0) != 1) return false;
    head[len + 1] = '\0';
    if (len >= 3 && strcmp(head + len - 3, "\r\n\r\n") == 0) return true;
  }
  return false;
}

static bool read_request(int fd, struct seen *seen) {
  if (!read_head(fd, seen->head)) return false;
  const char *length = strstr(seen->head, "Content-Length: ");
  size_t left = length ? strtoul(length + 16, NULL, 10) : 0;
  seen->right = true;
  for (char byte; left; left--) {
    if (recv(fd, &byte, 1, 0) != 1) return false;
    seen->right &= byte == body_byte(seen->body++);
  }
  return true;
}

static bool send_str(int fd, struct str text) {
  while (text.len) {
    ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text = str_slice(text, (size_t)sent, text.len);
  }
  return true;
}

/* Until the client has had enough. */
static void answer_otherwise(const struct test *test, int fd) {
  const struct str *parts = test->otherwise;
  bool taken = send_str(fd, parts[0]);
  for (size_t left = test->fill; taken && left;) {
    struct str line = parts[1];
    if (line.len > left) line = str_slice(line, line.len - left, line.len);
    taken = send_str(fd, line);
    left -= line.len;
  }
  if (taken) (void)send_str(fd, parts[2]);
}

static void serve(struct test *test, int fd) {
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nETag: W/\"1\"\r\n"
                               "Content-Length: 26\r\n\r\n{\"resourceType\":\"Patient\"}";
  for (;;) {
    int number = atomic_load(&test->requests);
    if (number == REQUESTS || !read_request(fd, &test->seen[number])) break;
    atomic_fetch_add(&test->requests, 1);
    if (test->deeds[number] == ANSWER_OTHERWISE)
      answer_otherwise(test, fd);
    else if (test->deeds[number] != SAY_NOTHING)
      (void)!send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    if (test->deeds[number] != ANSWER) break;
  }
  close(fd);
  (void)!write(test->left[1], "", 1);
}

static void *receive(void *context) {
  struct test *test = context;
  for (int fd; (fd = accept(test->listening, NULL, NULL)) >= 0;) {
    atomic_fetch_add(&test->connections, 1);
    serve(test, fd);
  }
  return NULL;
}

static int listen_here(char url[64]) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int listening = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(0, bind(listening, (struct sockaddr *)&at, sizeof at));
  assert_int_equal(0, listen(listening, 16));
  assert_int_equal(0, getsockname(listening, (struct sockaddr *)&at, &size));
  snprintf(url, 64, "http://127.0.0.1:%d", ntohs(at.sin_port));
  return listening;
}

/* --- the sender --- */

static void open_test(struct test *test) {
  struct delivery_destination destination;
  struct diag_list diags;
  char url[64];
  test->arena = arena_new(16 << 20);
  diag_list_init(&diags, test->arena);
  test->base = event_base_new();
  test->body = malloc(LARGE);
  for (size_t i = 0; i < LARGE; i++)
    test->body[i] = body_byte(i);
  test->listening = listen_here(url);
  assert_int_equal(0, pipe(test->left));
  assert_null(delivery_hook_make(str_of(url), (struct str){0}, (struct str){0}, &destination));
  assert_int_equal(STATUS_OK, delivery_loop_new(test->base, 8, &test->loop));
  assert_int_equal(STATUS_OK, delivery_client_new(&destination, host_system(), &diags, &test->client));
  assert_int_equal(0, pthread_create(&test->thread, NULL, receive, test));
}

static void close_test(struct test *test) {
  delivery_loop_free(test->loop);
  delivery_client_free(test->client);
  shutdown(test->listening, SHUT_RDWR);
  pthread_join(test->thread, NULL);
  close(test->listening);
  close(test->left[0]);
  close(test->left[1]);
  event_base_free(test->base);
  arena_free(test->arena);
  free(test->body);
}

static void note(void *context, const struct delivery_answer *answer) {
  struct test *test = context;
  test->answer = *answer;
  test->done = true;
}

static enum delivery_verdict run(struct test *test, const struct delivery_request *request) {
  test->done = false;
  assert_int_equal(STATUS_OK, delivery_loop_send(test->loop, test->client, request, test->arena, note, test));
  assert_false(test->done);
  while (!test->done)
    assert_int_equal(0, event_base_loop(test->base, EVLOOP_ONCE));
  return test->answer.verdict;
}

static enum delivery_verdict post(struct test *test, size_t size, bool repeatable) {
  struct delivery_request request = {.method = "POST", .body = {test->body, size}, .repeatable = repeatable};
  return run(test, &request);
}

/* --- tests --- */

/* Heads and bodies go out together up to 64 KiB, and apart beyond. */
static void test_bodies_arrive(void **state) {
  static const size_t sizes[] = {1, 5000, 16384, 65535, 65536, 65537, LARGE};
  enum { SIZES = sizeof sizes / sizeof sizes[0] };
  struct test test = {0};
  (void)state;
  open_test(&test);
  for (size_t i = 0; i < SIZES; i++) {
    assert_int_equal(DELIVERY_DONE, post(&test, sizes[i], false));
    assert_int_equal(sizes[i], test.seen[i].body);
    assert_true(test.seen[i].right);
    assert_true(test.answer.root && str_is(tree_text(test.answer.root, "resourceType"), "Patient"));
  }
  assert_int_equal(2, atomic_load(&test.connections)); /* nothing is known of the first; the second is kept */
  close_test(&test);
}

static void test_nothing_stays_of_the_request_before(void **state) {
  struct test test = {0};
  (void)state;
  open_test(&test);
  struct delivery_request first = {.method = "PUT",
                                   .path = STR("/Patient/1"),
                                   .body = {test.body, 100},
                                   .if_match = STR("W/\"7\""),
                                   .if_none_exist = STR("identifier=x")};
  struct delivery_request second = {.method = "GET", .path = STR("/Patient/2")};
  assert_int_equal(DELIVERY_DONE, run(&test, &first));
  assert_int_equal(DELIVERY_DONE, run(&test, &second));
  assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
  const char *head = test.seen[0].head;
  assert_ptr_equal(head, strstr(head, "PUT /Patient/1 HTTP/1.1\r\n"));
  assert_true(strstr(head, "If-Match: W/\"7\"\r\n") && strstr(head, "If-None-Exist: identifier=x\r\n"));
  assert_true(strstr(head, "Prefer: return=minimal\r\n") && !strstr(head, "Expect:"));
  head = test.seen[1].head;
  assert_ptr_equal(head, strstr(head, "GET /Patient/2 HTTP/1.1\r\n"));
  assert_true(!strstr(head, "If-") && !strstr(head, "Prefer") && !strstr(head, "Content-"));
  assert_int_equal(0, test.seen[1].body);
  head = test.seen[2].head;
  assert_ptr_equal(head, strstr(head, "POST / HTTP/1.1\r\n"));
  assert_true(!strstr(head, "If-") && strstr(head, "Content-Length: 10\r\n"));
  close_test(&test);
}

/* Whether the server has acted on it nobody knows: it is ours to find out, not libcurl's to repeat. */
static void test_lost_on_a_kept_connection(void **state) {
  (void)state;
  for (int repeatable = 0; repeatable <= 1; repeatable++) {
    for (size_t size = 10; size <= LARGE; size += LARGE - 10) {
      struct test test = {.deeds = {[2] = SAY_NOTHING}};
      open_test(&test);
      assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
      assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
      assert_int_equal(repeatable ? DELIVERY_RETRY : DELIVERY_SETTLE, post(&test, size, repeatable));
      assert_int_equal(DELIVERY_SENDING, test.answer.phase);
      assert_true(str_is(test.answer.reason, "the server closed the connection without an answer"));
      assert_int_equal(3, atomic_load(&test.requests));
      assert_int_equal(2, atomic_load(&test.connections));
      assert_int_equal(DELIVERY_DONE, post(&test, 10, false)); /* on a fresh one */
      assert_int_equal(3, atomic_load(&test.connections));
      close_test(&test);
    }
  }
}

/* What only reads, libcurl may repeat. */
static void test_lost_get(void **state) {
  struct test test = {.deeds = {[2] = SAY_NOTHING}};
  struct delivery_request request = {.method = "GET", .path = STR("/Patient/2")};
  (void)state;
  open_test(&test);
  for (int i = 0; i < 3; i++)
    assert_int_equal(DELIVERY_DONE, run(&test, &request));
  assert_int_equal(4, atomic_load(&test.requests));
  close_test(&test);
}

/* A connection that the server has closed meanwhile is not used. */
static void test_closed_meanwhile(void **state) {
  struct test test = {.deeds = {[1] = ANSWER_AND_LEAVE}};
  char byte;
  (void)state;
  open_test(&test);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
    assert_int_equal(1, read(test.left[0], &byte, 1));
  }
  assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
  assert_int_equal(3, atomic_load(&test.requests));
  assert_int_equal(3, atomic_load(&test.connections));
  close_test(&test);
}

/* The event of a kept connection stays for the next request. Of one that the server ends while nobody uses it libcurl hears nothing: it
   must not be told again and again. */
static void test_kept_ones_are_watched_until_they_end(void **state) {
  struct test test = {.deeds = {[2] = ANSWER_AND_LEAVE}};
  char byte;
  (void)state;
  open_test(&test);
  assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
  int before = event_base_get_num_events(test.base, EVENT_BASE_COUNT_ADDED);
  assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
  assert_int_equal(before + 1, event_base_get_num_events(test.base, EVENT_BASE_COUNT_ADDED));
  assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
  for (int i = 0; i < 2; i++)
    assert_int_equal(1, read(test.left[0], &byte, 1));
  assert_int_equal(0, event_base_loop(test.base, EVLOOP_ONCE));
  assert_int_equal(before, event_base_get_num_events(test.base, EVENT_BASE_COUNT_ADDED));
  for (int i = 0; i < 2; i++)
    assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
  assert_int_equal(3, atomic_load(&test.connections));
  assert_int_equal(before + 1, event_base_get_num_events(test.base, EVENT_BASE_COUNT_ADDED));
  close_test(&test);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define FIELD "X-Field: 0123456789012345678901234567890123456789012\r\n"

/* What was sent may have been acted on, whatever it is that comes back. */
static void test_no_answer_of_http(void **state) {
  static const struct {
    struct str text, line;
    size_t fill;
    const char *reason;
  } cases[] = {
      {STR("Bad gateway\n"), STR(""), 0, "the answer is not of HTTP"},
      {STR("HTTP/7.1 200 OK\r\n\r\n"), STR(""), 0, "the answer is not of HTTP"},
      {STR("HTTP/1.1 200 OK\r\nX: "), STR("0123456789"), 200000, "no memory for the answer, or a line of its head is too long"},
      {STR("HTTP/1.1 200 OK\r\n"), STR(FIELD), SIZE_MAX, "the head of the answer, or what stands behind its body, is larger than 262144 bytes"},
      {STR(""), STR("HTTP/1.1 103 Early Hints\r\n" FIELD "\r\n"), SIZE_MAX,
       "the head of the answer, or what stands behind its body, is larger than 262144 bytes"},
      {STR(CHUNKED "2\r\n{}\r\n0\r\n"), STR(FIELD), SIZE_MAX,
       "the head of the answer, or what stands behind its body, is larger than 262144 bytes"},
  };
  (void)state;
  for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
    bool repeatable = i % 2;
    struct test test = {.deeds = {ANSWER_OTHERWISE}, .otherwise = {cases[i / 2].text, cases[i / 2].line}, .fill = cases[i / 2].fill};
    open_test(&test);
    assert_int_equal(repeatable ? DELIVERY_RETRY : DELIVERY_SETTLE, post(&test, 10, repeatable));
    assert_int_equal(DELIVERY_SENDING, test.answer.phase);
    assert_string_equal(cases[i / 2].reason, test.answer.reason.ptr);
    assert_int_equal(1, atomic_load(&test.requests));
    close_test(&test);
  }
}

/* The cap on heads and what is behind a body, at N and N + 1. */
static void test_as_many_fields_as_may_be(void **state) {
  (void)state;
  for (size_t more = 0; more <= 1; more++) {
    struct test test = {.deeds = {ANSWER_OTHERWISE},
                        .otherwise = {STR(CHUNKED "2\r\n{}\r\n0\r\nX: "), STR("0123456789\r\nX: "), STR("\r\n\r\n")},
                        .fill = LIMIT_RESPONSE_HEADS - (sizeof CHUNKED - 1) - 5 + more};
    open_test(&test);
    (void)post(&test, 10, false);
    assert_int_equal(more == 0, test.answer.complete);
    close_test(&test);
  }
}

/* --- want of memory --- */

/* Of libevent's or libcurl's allocations: how many there are until one fails; below 0: none does. */
static int left_of_events = -1, left_of_curl = -1;
static bool one_failed;

static bool fails(int *left) {
  bool one = *left >= 0 && (*left)-- == 0;
  one_failed = one_failed || one;
  return one;
}

static void *event_malloc(size_t size) {
  return fails(&left_of_events) ? NULL : malloc(size);
}

static void *event_realloc(void *at, size_t size) {
  return fails(&left_of_events) ? NULL : realloc(at, size);
}

static void *curl_malloc(size_t size) {
  return fails(&left_of_curl) ? NULL : malloc(size);
}

static void *curl_calloc(size_t count, size_t size) {
  return fails(&left_of_curl) ? NULL : calloc(count, size);
}

static void *curl_realloc(void *at, size_t size) {
  return fails(&left_of_curl) ? NULL : realloc(at, size);
}

static char *curl_strdup(const char *text) {
  return fails(&left_of_curl) ? NULL : strdup(text);
}

/* False: nothing was begun. */
static bool try_post(struct test *test) {
  struct delivery_request request = {.method = "POST", .body = {test->body, 10}};
  test->done = false;
  if (delivery_loop_send(test->loop, test->client, &request, test->arena, note, test) != STATUS_OK) return false;
  while (!test->done && event_base_loop(test->base, EVLOOP_ONCE) == 0)
    ;
  if (!test->done) fail_msg("nobody would ever call libcurl again");
  return true;
}

/* Each in its turn: that it is told does not wait for the deadline of the transfer, and the next one goes. What the server has got
   is never told as if nothing had left, and nobody's configuration is to blame. */
static void try_without(int *left) {
  one_failed = true;
  for (int at = 0; one_failed; at++) {
    struct test test = {0};
    open_test(&test);
    time_t before = time(NULL);
    one_failed = false;
    *left = at;
    bool begun = try_post(&test);
    *left = -1;
    bool arrived = atomic_load(&test.requests) > 0;
    enum delivery_verdict verdict = begun ? test.answer.verdict : DELIVERY_RETRY;
    if (verdict != DELIVERY_DONE && verdict != DELIVERY_SETTLE && (arrived || verdict != DELIVERY_RETRY))
      fail_msg("allocation %d: it %s, and the verdict is %s", at, arrived ? "arrived" : "did not arrive", delivery_verdict_name(verdict));
    if (time(NULL) - before > 10) fail_msg("allocation %d: it is told late", at);
    assert_int_equal(DELIVERY_DONE, post(&test, 10, false));
    close_test(&test);
  }
}

static void test_without_memory_for_events(void **state) {
  (void)state;
  try_without(&left_of_events);
}

static void test_without_memory_for_libcurl(void **state) {
  (void)state;
  try_without(&left_of_curl);
}

int main(void) {
  event_set_mem_functions(event_malloc, event_realloc, free);
  if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc, curl_strdup, curl_calloc) != CURLE_OK) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bodies_arrive),
      cmocka_unit_test(test_nothing_stays_of_the_request_before),
      cmocka_unit_test(test_lost_on_a_kept_connection),
      cmocka_unit_test(test_lost_get),
      cmocka_unit_test(test_closed_meanwhile),
      cmocka_unit_test(test_kept_ones_are_watched_until_they_end),
      cmocka_unit_test(test_no_answer_of_http),
      cmocka_unit_test(test_as_many_fields_as_may_be),
      cmocka_unit_test(test_without_memory_for_events),
      cmocka_unit_test(test_without_memory_for_libcurl),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
