/* test_token.c - when a token is asked for, by whom, what is believed, and what goes where. The network is a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "delivery/client.h"
#include "delivery/smart.h"
#include "delivery/token.h"

#define WALL INT64_C(1700000000000)
#define GOOD "{\"access_token\":\"abc\",\"token_type\":\"bearer\",\"expires_in\":100}"
#define DISCOVERED "{\"token_endpoint\":\"https://auth.example/token\"}"

/* One answer of the network. */
struct line {
  enum delivery_purpose purpose; /* of the request that must come */
  long status;                   /* 0: no connection */
  const char *body;
  int64_t skew_ms;
};

struct test {
  struct arena *arena;
  struct diag_list diags;
  struct delivery_client *client;
  struct host host;
  int64_t ms; /* of both clocks, since the start */
  const struct line *lines;
  size_t count, at, joined, ended;
  char seen[2][64]; /* credential of the first and last request for FHIR */
  char keys[64];
};

static int64_t wall(void *context) {
  return WALL + ((const struct test *)context)->ms;
}
static int64_t monotonic(void *context) {
  return ((const struct test *)context)->ms * 1000000;
}

static enum status noise(void *context, void *bytes, size_t count) {
  (void)context;
  return host_system()->random(NULL, bytes, count);
}

static int setup(void **state) {
  struct test *test = calloc(1, sizeof *test);
  struct str text;
  test->arena = arena_new(16 << 20);
  diag_list_init(&test->diags, test->arena);
  test->host = (struct host){.context = test, .now_ms = wall, .monotonic_ns = monotonic, .random = noise};
  test->ms = 1000;
  snprintf(test->keys, sizeof test->keys, "/tmp/ketlink-token-XXXXXX");
  close(mkstemp(test->keys));
  assert_int_equal(delivery_smart_keys_add(NULL, SMART_ES384, WALL, WALL, test->arena, &text), STATUS_OK);
  assert_int_equal(host_system()->write_file(NULL, test->keys, text, true), STATUS_OK);
  *state = test;
  return 0;
}

static int teardown(void **state) {
  struct test *test = *state;
  delivery_client_free(test->client);
  unlink(test->keys);
  arena_free(test->arena);
  free(test);
  return 0;
}

static void open_client(struct test *test, const char *token_url) {
  struct delivery_destination destination = {.base = STR("https://ehr.example/fhir"),
                                             .auth = DELIVERY_AUTH_SMART,
                                             .client_id = STR("us"),
                                             .keys_file = str_of(test->keys),
                                             .scope = STR("system/*.crus"),
                                             .token_url = str_of(token_url),
                                             .max_response = 4096};
  assert_int_equal(delivery_client_new(&destination, &test->host, &test->diags, &test->client), STATUS_OK);
}

static void play(struct test *test, const struct line *lines, size_t count) {
  test->lines = lines;
  test->count = count;
  test->at = 0;
}
#define PLAY(test, ...)                                                                                      \
  static const struct line lines[] = {__VA_ARGS__};                                                          \
  play((test), lines, sizeof lines / sizeof lines[0])

static enum status answer_line(void *context, const struct delivery_request *request, struct arena *arena,
                               struct delivery_answer *out) {
  struct test *test = context;
  (void)arena;
  assert_true(test->at < test->count);
  const struct line *line = &test->lines[test->at++];
  assert_int_equal(request->purpose, line->purpose);
  if (request->purpose == DELIVERY_FHIR) {
    const char *header = test->client->authorization ? test->client->authorization : "none";
    snprintf(test->seen[test->seen[0][0] ? 1 : 0], 64, "%s", header);
    assert_int_equal(request->url.len, 0);
  } else {
    assert_int_equal(request->if_none_exist.len, 0);
    assert_true(str_is(request->url, line->purpose == DELIVERY_TOKEN
                                         ? "https://auth.example/token"
                                         : "https://ehr.example/fhir/.well-known/smart-configuration"));
  }
  *out = (struct delivery_answer){.phase = line->status ? DELIVERY_ANSWER : DELIVERY_CONNECT,
                                  .complete = line->status != 0,
                                  .status = line->status,
                                  .body = str_of(line->body),
                                  .server_ms = wall(test) + line->skew_ms,
                                  .retry_after_ms = -1,
                                  .reason = STR("connection refused")};
  return STATUS_OK;
}

static void note_join(void *context) {
  ((struct test *)context)->joined++;
}
static void note_end(void *context) {
  ((struct test *)context)->ended++;
}

static struct delivery_answer go(struct test *test) {
  struct delivery_channel channel = {.context = test, .send = answer_line, .join = note_join, .ended = note_end};
  struct delivery_request request = {.method = "GET", .path = STR("/Patient")};
  struct delivery_answer answer = {0};
  test->seen[0][0] = test->seen[1][0] = 0;
  assert_int_equal(delivery_send_on(test->client, &channel, &request, test->arena, &answer), STATUS_OK);
  assert_int_equal(test->at, test->count);
  return answer;
}

/* --- when --- */

static void test_shared_and_renewed(void **state) {
  struct test *test = *state;
  open_client(test, NULL);
  {
    PLAY(test, {DELIVERY_DISCOVERY, 200, DISCOVERED}, {DELIVERY_TOKEN, 200, GOOD}, {DELIVERY_FHIR, 200, ""});
    assert_int_equal(go(test).status, 200);
    assert_string_equal(test->seen[0], "Authorization: Bearer abc");
  }
  test->ms += 79999; /* of 100 s: not yet */
  {
    PLAY(test, {DELIVERY_FHIR, 200, ""});
    go(test);
  }
  test->ms += 1; /* 80 % */
  {
    PLAY(test, {DELIVERY_TOKEN, 200, "{\"access_token\":\"def\",\"token_type\":\"Bearer\",\"expires_in\":100}"},
         {DELIVERY_FHIR, 200, ""});
    go(test);
    assert_string_equal(test->seen[0], "Authorization: Bearer def");
  }
  assert_int_equal(test->ended, 2);
}

static void test_old_one_serves(void **state) {
  struct test *test = *state;
  open_client(test, "https://auth.example/token");
  {
    PLAY(test, {DELIVERY_TOKEN, 200, GOOD}, {DELIVERY_FHIR, 200, ""});
    go(test);
  }
  test->ms += 85000;
  {
    PLAY(test, {DELIVERY_TOKEN, 503, ""}, {DELIVERY_FHIR, 200, ""});
    assert_int_equal(go(test).status, 200);
  }
  test->ms += 4999; /* not asked again at once */
  {
    PLAY(test, {DELIVERY_FHIR, 200, ""});
    go(test);
  }
  test->ms += 10001; /* it has ended */
  {
    PLAY(test, {DELIVERY_TOKEN, 503, ""});
    struct delivery_answer answer = go(test);
    assert_true(answer.no_token && answer.status == 0);
    assert_int_equal(answer.verdict, DELIVERY_RETRY);
    assert_int_equal(answer.as_status, STATUS_UNAVAILABLE);
  }
}

static void test_refused_token(void **state) {
  struct test *test = *state;
  open_client(test, "https://auth.example/token");
  {
    PLAY(test, {DELIVERY_TOKEN, 200, GOOD}, {DELIVERY_FHIR, 401, ""},
         {DELIVERY_TOKEN, 200, "{\"access_token\":\"new\",\"token_type\":\"bearer\"}"}, {DELIVERY_FHIR, 200, ""});
    assert_int_equal(go(test).status, 200);
    assert_string_equal(test->seen[0], "Authorization: Bearer abc");
    assert_string_equal(test->seen[1], "Authorization: Bearer new");
  }
  { /* one repetition, no more */
    PLAY(test, {DELIVERY_FHIR, 401, ""}, {DELIVERY_TOKEN, 200, GOOD}, {DELIVERY_FHIR, 401, ""});
    assert_int_equal(go(test).status, 401);
  }
}

/* --- together --- */

/* While the first waits for the token, a second comes; it joins, and has what came of it. */
static void join_late(void *context) {
  struct test *test = context;
  test->joined++;
  test->client->token.fetching = false; /* as if the other had ended, with a failure */
  test->client->token.failure =
      (struct delivery_token_failure){.failed = true, .status = STATUS_DENIED, .reason = "no access token: x"};
}

static enum status slow_token(void *context, const struct delivery_request *request, struct arena *arena,
                              struct delivery_answer *out) {
  (void)context, (void)request, (void)arena, (void)out;
  fail_msg("who joined a fetch must not ask again");
  return STATUS_NOMEM;
}

static void test_one_fetch(void **state) {
  struct test *test = *state;
  struct delivery_channel channel = {.context = test, .send = slow_token, .join = join_late};
  struct delivery_request request = {.method = "GET", .path = STR("/Patient")};
  struct delivery_answer answer;
  open_client(test, "https://auth.example/token");
  test->client->token.fetching = true;
  assert_int_equal(delivery_send_on(test->client, &channel, &request, test->arena, &answer), STATUS_OK);
  assert_int_equal(test->joined, 1);
  assert_true(answer.no_token && answer.as_status == STATUS_DENIED);
}

/* --- what is believed --- */

static void test_failures(void **state) {
  static const struct {
    struct line line;
    enum status status;
    const char *said;
  } rows[] = {
      {{DELIVERY_TOKEN, 0, ""}, STATUS_UNAVAILABLE, "connection refused"},
      {{DELIVERY_TOKEN, 500, "<html>"}, STATUS_UNAVAILABLE, "HTTP status 500"},
      {{DELIVERY_TOKEN, 429, ""}, STATUS_UNAVAILABLE, "HTTP status 429"},
      {{DELIVERY_TOKEN, 302, ""}, STATUS_CONFIG, "redirects are never followed"},
      {{DELIVERY_TOKEN, 404, ""}, STATUS_CONFIG, "is this its address"},
      {{DELIVERY_TOKEN, 400, "{\"error\":\"invalid_client\"}"}, STATUS_DENIED, "ketlink keys jwks"},
      {{DELIVERY_TOKEN, 401, "{\"error\":\"invalid_scope\"}"}, STATUS_DENIED, "auth.scope"},
      {{DELIVERY_TOKEN, 400, "{\"error\":\"server_error\"}"}, STATUS_UNAVAILABLE, "it failed"},
      {{DELIVERY_TOKEN, 400, "{\"error\":\"Max Mustermann\"}"}, STATUS_DENIED, "without an error code"},
      {{DELIVERY_TOKEN, 400, "<html>"}, STATUS_DENIED, "without an error code"},
      {{DELIVERY_TOKEN, 200, "<html>"}, STATUS_CONFIG, "not a JSON object"},
      {{DELIVERY_TOKEN, 200, ""}, STATUS_CONFIG, "not a JSON object"},
      {{DELIVERY_TOKEN, 200, "[]"}, STATUS_CONFIG, "not a JSON object"},
      {{DELIVERY_TOKEN, 200, "{\"access_token\":\"a\\r\\nX: 1\",\"token_type\":\"bearer\",\"expires_in\":9}"},
       STATUS_CONFIG, "printable characters"},
      {{DELIVERY_TOKEN, 200, "{\"access_token\":\"a\",\"token_type\":\"mac\",\"expires_in\":9}"}, STATUS_CONFIG, "token_type"},
      {{DELIVERY_TOKEN, 200, "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":0}"}, STATUS_CONFIG, "expires_in"},
      {{DELIVERY_TOKEN, 200, "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":-5}"}, STATUS_CONFIG, "expires_in"},
      {{DELIVERY_TOKEN, 200, "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":\"60\"}"}, STATUS_CONFIG, "expires_in"},
      {{DELIVERY_TOKEN, 200, GOOD, 60001}, STATUS_CONFIG, "60 s behind the server's"},
      {{DELIVERY_TOKEN, 400, "{\"error\":\"invalid_client\"}", -120000}, STATUS_CONFIG, "120 s ahead of the server's"},
  };
  struct test *test = *state;
  open_client(test, "https://auth.example/token");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    play(test, &rows[i].line, 1);
    struct delivery_answer answer = go(test);
    if (!answer.no_token || answer.as_status != rows[i].status ||
        str_find(answer.reason, str_of(rows[i].said), 0) == SIZE_MAX)
      fail_msg("row %zu: %.*s (%s)", i, STR_ARG(answer.reason), status_name(answer.as_status));
    assert_true(str_find(answer.reason, STR("Mustermann"), 0) == SIZE_MAX);
    assert_int_equal(answer.verdict, rows[i].status == STATUS_UNAVAILABLE ? DELIVERY_RETRY : DELIVERY_HOLD);
    assert_true(answer.phase < DELIVERY_SENDING); /* nothing of a record was sent */
  }
  { /* a clock at the limit, a life beyond an hour */
    PLAY(test, {DELIVERY_TOKEN, 200, "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":1e300}", 60000},
         {DELIVERY_FHIR, 200, ""});
    assert_int_equal(go(test).status, 200);
  }
  test->ms += 3600000;
  {
    PLAY(test, {DELIVERY_TOKEN, 200, GOOD}, {DELIVERY_FHIR, 200, ""});
    go(test);
  }
}

static void test_discovery(void **state) {
  static const struct {
    struct line line;
    const char *said;
  } rows[] = {
      {{DELIVERY_DISCOVERY, 404, ""}, "smart-configuration: HTTP status 404"},
      {{DELIVERY_DISCOVERY, 200, "{\"token_endpoint\":\"http://auth.example/token\"}"}, "no https token_endpoint"},
      {{DELIVERY_DISCOVERY, 200, "{\"token_endpoint\":\"https://ehr.example@evil.example/\"}"}, "no address"},
      {{DELIVERY_DISCOVERY, 200, "{}"}, "no https token_endpoint"},
      {{DELIVERY_DISCOVERY, 200,
        "{\"token_endpoint\":\"https://a.example\",\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\"]}"},
       "private_key_jwt"},
  };
  struct test *test = *state;
  open_client(test, NULL);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    play(test, &rows[i].line, 1);
    struct delivery_answer answer = go(test);
    if (!answer.no_token || str_find(answer.reason, str_of(rows[i].said), 0) == SIZE_MAX)
      fail_msg("row %zu: %.*s", i, STR_ARG(answer.reason));
  }
}

/* The set is read for each token: what became of it meanwhile counts. */
static void test_keys_in_mid_life(void **state) {
  struct test *test = *state;
  open_client(test, "https://auth.example/token");
  assert_int_equal(chmod(test->keys, 0644), 0);
  play(test, NULL, 0);
  struct delivery_answer answer = go(test);
  assert_int_equal(answer.as_status, STATUS_CONFIG);
  assert_true(str_find(answer.reason, STR("chmod 600"), 0) != SIZE_MAX);
  assert_int_equal(chmod(test->keys, 0600), 0);
  PLAY(test, {DELIVERY_TOKEN, 200, GOOD}, {DELIVERY_FHIR, 200, ""});
  assert_int_equal(go(test).status, 200);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(test_shared_and_renewed), TEST(test_old_one_serves), TEST(test_refused_token),
                                     TEST(test_one_fetch),          TEST(test_failures),       TEST(test_discovery),
                                     TEST(test_keys_in_mid_life)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
