/* test_queue.c - what is seen of the queue and its trail, and decisions: told when they are durable, never before. */
#include "talk.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The body as JSON; the caller frees it. */
static json_t *body_json(const struct talk *talk) {
  json_error_t error;
  json_t *json = json_loads(talk_body(talk), JSON_REJECT_DUPLICATES, &error);
  if (!json) fail_msg("%s: %s", error.text, talk_body(talk));
  return json;
}

static json_t *ask_json(struct talk *talk, int wanted, const char *method, const char *target, const char *body) {
  int status = talk_ask(talk, method, target, body);
  if (status != wanted) fail_msg("%s %s: %d: %s", method, target, status, talk_body(talk));
  return body_json(talk);
}

static void assert_text(const json_t *object, const char *key, const char *wanted) {
  const char *text = json_string_value(json_object_get(object, key));
  if (!text) fail_msg("no %s", key);
  assert_string_equal(text, wanted);
}

static void assert_number(const json_t *object, const char *key, int64_t wanted) {
  assert_true(json_is_integer(json_object_get(object, key)));
  assert_int_equal(json_integer_value(json_object_get(object, key)), wanted);
}

/* 1 queued, 2 parked, 3 unknown, 4 queued behind 2 */
static void fill(struct talk *talk) {
  struct outbox_claim claim;
  store_put(talk->store, "ehr", "a", "one");
  store_put(talk->store, "ehr", "b", "two");
  store_put(talk->store, "other", "c", "three");
  store_put(talk->store, "ehr", "b", "four");
  assert_int_equal(outbox_decide(talk->store->outbox, 2, OUTBOX_PARK, STR("http-422"), STR("test"), 5),
                   STATUS_OK);
  assert_int_equal(store_claim(talk->store, "other", &claim), STATUS_OK);
  store_finish(talk->store, 3, OUTBOX_UNKNOWN, talk->store->now + 1000);
}

/* --- looking --- */

static void list_shows_records(void **state) {
  struct talk *talk = *state;
  fill(talk);
  json_t *all = ask_json(talk, 200, "GET", "/queue", NULL);
  const json_t *records = json_object_get(all, "records");
  const json_t *parked = json_array_get(records, 1), *unknown = json_array_get(records, 2);
  assert_int_equal(json_array_size(records), 4);
  assert_true(json_is_null(json_object_get(all, "after")));
  assert_number(parked, "id", 2);
  assert_text(parked, "state", "parked");
  assert_text(parked, "destination", "ehr");
  assert_text(parked, "kind", "bundle");
  assert_text(parked, "label", "two");
  assert_text(parked, "reason", "http-422");
  assert_number(parked, "bytes", 3);
  assert_true(json_is_true(json_object_get(parked, "blocks")));
  assert_true(json_is_null(json_object_get(parked, "nextAt")));
  assert_text(parked, "acceptedAt", "1970-01-01T00:16:40.002Z");
  assert_number(unknown, "attempts", 1);
  assert_text(unknown, "nextAt", "1970-01-01T00:16:41.005Z");
  assert_null(json_object_get(parked, "payload"));
  json_decref(all);
}

static void list_is_filtered_and_paged(void **state) {
  struct talk *talk = *state;
  static const struct {
    const char *target;
    int first;
    size_t count;
    int after;
  } cases[] = {
      {"/queue?state=queued", 1, 2, 0},          {"/queue?state=unknown", 3, 1, 0},
      {"/queue?destination=ehr", 1, 3, 0},       {"/queue?destination=ehr&state=parked", 2, 1, 0},
      {"/queue?reason=http-422", 2, 1, 0},       {"/queue?state=done", 0, 0, 0},
      {"/queue?limit=3", 1, 3, 3},               {"/queue?limit=3&after=3", 4, 1, 0},
      {"/queue?limit=4", 1, 4, 0},               {"/queue?after=99", 0, 0, 0},
      {"/queue?destination=ehr&limit=2", 1, 2, 2},
  };
  fill(talk);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *page = ask_json(talk, 200, "GET", cases[i].target, NULL);
    const json_t *records = json_object_get(page, "records");
    assert_int_equal(json_array_size(records), cases[i].count);
    if (cases[i].count) assert_number(json_array_get(records, 0), "id", cases[i].first);
    assert_int_equal(json_integer_value(json_object_get(page, "after")), cases[i].after);
    json_decref(page);
  }
}

static void show_gives_attempts_and_payload(void **state) {
  struct talk *talk = *state;
  fill(talk);
  json_t *record = ask_json(talk, 200, "GET", "/queue/3", NULL);
  const json_t *attempt = json_array_get(json_object_get(record, "history"), 0);
  assert_text(attempt, "state", "unknown");
  assert_text(attempt, "reason", "http-503");
  assert_number(attempt, "httpStatus", 503);
  assert_number(attempt, "tookMs", 5);
  assert_null(json_object_get(record, "payload"));
  json_decref(record);
  record = ask_json(talk, 200, "GET", "/queue/3?payload=true", NULL);
  assert_text(record, "payload", "three");
  json_decref(record);
  json_decref(ask_json(talk, 404, "GET", "/queue/5", NULL));
}

static void payloads_of_bytes_are_base64(void **state) {
  struct talk *talk = *state;
  store_put(talk->store, "ehr", "a", "\xff\xfe");
  json_t *record = ask_json(talk, 200, "GET", "/queue/1?payload=true", NULL);
  assert_text(record, "payloadBase64", "//4=");
  assert_text(record, "label", "\xef\xbf\xbd\xef\xbf\xbd"); /* U+FFFD: a label cannot break the answer */
  json_decref(record);
}

static void labels_are_escaped(void **state) {
  struct talk *talk = *state;
  static const char label[] = "\"}],<script>alert(1)</script>\r\n\x1b[31m\xe2\x80\xa8";
  store_put(talk->store, "e\"hr", "a", label);
  json_t *page = ask_json(talk, 200, "GET", "/queue", NULL);
  const json_t *record = json_array_get(json_object_get(page, "records"), 0);
  assert_text(record, "label", label);
  assert_text(record, "destination", "e\"hr");
  assert_null(strchr(talk_body(talk), '\r'));
  assert_null(strchr(talk_body(talk), '\x1b'));
  json_decref(page);
}

static void payloads_of_delivered_records_are_gone(void **state) {
  struct talk *talk = *state;
  struct outbox_claim claim;
  store_put(talk->store, "ehr", "a", "one");
  assert_int_equal(store_claim(talk->store, "ehr", &claim), STATUS_OK);
  store_finish(talk->store, 1, OUTBOX_DONE, 0);
  json_t *record = ask_json(talk, 200, "GET", "/queue/1?payload=true", NULL);
  assert_true(json_is_null(json_object_get(record, "payload")));
  json_decref(record);
}

/* --- deciding --- */

static void orders_change_one_record(void **state) {
  struct talk *talk = *state;
  static const struct {
    int status;
    const char *target, *body;
    int id;
    enum outbox_state state;
  } cases[] = {
      {200, "/queue/2/pass", "{\"actor\":\"anna\"}", 2, OUTBOX_PARKED},
      {409, "/queue/2/pass", "{}", 2, OUTBOX_PARKED},
      {200, "/queue/2/retry", "{\"actor\":\"anna\",\"reason\":\"map-mended\"}", 2, OUTBOX_QUEUED},
      {200, "/queue/1/park", "{\"reason\":\"look-first\"}", 1, OUTBOX_PARKED},
      {400, "/queue/1/park", "{}", 1, OUTBOX_PARKED},
      {400, "/queue/1/drop", "{\"reason\":\"test\"}", 1, OUTBOX_PARKED},
      {400, "/queue/1/drop", "{\"reason\":\"test\",\"confirm\":\"2\"}", 1, OUTBOX_PARKED},
      {400, "/queue/1/drop", "{\"reason\":\"test\",\"confirm\":\"01\"}", 1, OUTBOX_PARKED},
      {400, "/queue/1/drop", "{\"confirm\":\"1\"}", 1, OUTBOX_PARKED},
      {200, "/queue/1/drop", "{\"reason\":\"test\",\"confirm\":\"1\"}", 1, OUTBOX_DROPPED},
      {409, "/queue/1/retry", "{}", 1, OUTBOX_DROPPED},
      {404, "/queue/9/retry", "{}", 2, OUTBOX_QUEUED},
  };
  size_t changed = 0;
  fill(talk);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *answer = ask_json(talk, cases[i].status, "POST", cases[i].target, cases[i].body);
    if (cases[i].status == 200) assert_number(answer, "id", cases[i].id);
    changed += cases[i].status == 200;
    assert_int_equal(store_row(talk->store, cases[i].id).state, cases[i].state);
    assert_int_equal(talk->kicks, changed);
    json_decref(answer);
  }
  assert_false(outbox_in_group(talk->store->outbox));
}

static int begin_order(struct talk *talk) {
  static const char text[] = "POST /queue/2/retry HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                             "Content-Length: 2\r\n\r\n{}";
  int fd = talk_connect(talk, true);
  talk_send(talk, fd, text, sizeof text - 1);
  talk_turn(talk, 30);
  assert_non_null(talk->done);
  return fd;
}

static void nothing_is_told_before_it_is_durable(void **state) {
  struct talk *talk = *state;
  fill(talk);
  talk->hold_durable = true;
  int fd = begin_order(talk);
  assert_true(outbox_in_group(talk->store->outbox));
  assert_false(talk_has_bytes(fd));
  assert_int_equal(talk->kicks, 0);
  assert_int_equal(outbox_commit(talk->store->outbox), STATUS_OK);
  talk->done(talk->done_context, STATUS_OK);
  assert_int_equal(talk_read(talk, fd, 1000), 200);
  assert_int_equal(talk->kicks, 1);
}

static void a_disk_that_fails_is_told(void **state) {
  static const struct {
    enum status durable;
    const char *said;
  } cases[] = {{STATUS_IO, "could not be written; look at the record"}, {STATUS_LIMIT, "is full: nothing was changed"}};
  struct talk *talk = *state;
  fill(talk);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    talk->durable = cases[i].durable;
    assert_int_equal(talk_ask(talk, "POST", "/queue/2/retry", "{}"), 503);
    assert_non_null(strstr(talk_body(talk), cases[i].said));
    outbox_abandon(talk->store->outbox);
    assert_int_equal(talk->kicks, 0);
    assert_int_equal(store_row(talk->store, 2).state, OUTBOX_PARKED);
  }
}

static void close_while_the_disk_writes(void **state) {
  struct talk *talk = *state;
  fill(talk);
  talk->hold_durable = true;
  int fd = begin_order(talk);
  console_close(talk->console);
  talk->console = NULL;
  assert_int_equal(talk_read(talk, fd, 1000), 503);
  talk->done(talk->done_context, STATUS_OK);
}

static void actors_are_vouched_for(void **state) {
  struct talk *talk = *state;
  static const char over_port[] = "POST /queue/2/retry HTTP/1.1\r\nHost: localhost:%u\r\n"
                                  "Authorization: Bearer " TOKEN "\r\nContent-Type: application/json\r\n"
                                  "Content-Length: 13\r\n\r\n{\"actor\":\"b\"}";
  char uid[32], text[512];
  fill(talk);
  json_decref(ask_json(talk, 200, "POST", "/queue/1/park", "{\"reason\":\"r\",\"actor\":\"anna@clinic\"}"));
  json_decref(ask_json(talk, 200, "POST", "/queue/1/retry", "{}"));
  int length = snprintf(text, sizeof text, over_port, (unsigned)console_port(talk->console));
  assert_int_equal(talk_raw(talk, false, text, (size_t)length), 200);
  json_t *trail = ask_json(talk, 200, "GET", "/audit?limit=1000", NULL);
  const json_t *events = json_object_get(trail, "events");
  size_t count = json_array_size(events);
  snprintf(uid, sizeof uid, "anna@clinic uid=%u", (unsigned)geteuid());
  assert_text(json_array_get(events, count - 3), "actor", uid);
  assert_text(json_array_get(events, count - 3), "what", "parked");
  assert_text(json_array_get(events, count - 3), "reason", "r");
  assert_text(json_array_get(events, count - 2), "actor", uid + strlen("anna@clinic "));
  assert_text(json_array_get(events, count - 1), "actor", "b token");
  json_decref(trail);
}

static void words_have_a_cap(void **state) {
  struct talk *talk = *state;
  char body[512], word[OUTBOX_REASON_MAX + 2];
  fill(talk);
  for (size_t len = OUTBOX_REASON_MAX - 1; len <= OUTBOX_REASON_MAX + 1; len++) {
    memset(word, 'r', len);
    word[len] = 0;
    snprintf(body, sizeof body, "{\"reason\":\"%s\"}", word);
    assert_int_equal(talk_ask(talk, "POST", "/queue/1/park", body), len <= OUTBOX_REASON_MAX ? 200 : 400);
    if (len <= OUTBOX_REASON_MAX) assert_int_equal(talk_ask(talk, "POST", "/queue/1/retry", "{}"), 200);
  }
  for (size_t len = CONSOLE_WORD_MAX - 1; len <= CONSOLE_WORD_MAX + 1; len++) {
    memset(word, 'r', len);
    word[len] = 0;
    snprintf(body, sizeof body, "{\"actor\":\"%s\"}", word);
    assert_int_equal(talk_ask(talk, "POST", "/queue/1/retry", body), len <= CONSOLE_WORD_MAX ? 200 : 400);
  }
}

/* --- many --- */

static void park_many(struct talk *talk, int count, const char *destination) {
  char lane[16], payload[32];
  for (int i = 0; i < count; i++) {
    snprintf(lane, sizeof lane, "%d", i);
    snprintf(payload, sizeof payload, "%s-%d", destination, i);
    int64_t id = store_put(talk->store, destination, lane, payload);
    assert_int_equal(outbox_decide(talk->store->outbox, id, OUTBOX_PARK, STR("http-422"), STR("t"), 5), STATUS_OK);
  }
  assert_int_equal(outbox_commit(talk->store->outbox), STATUS_OK);
}

static void assert_many(struct talk *talk, const char *body, bool dry, int64_t matched, int64_t changed) {
  json_t *answer = ask_json(talk, 200, "POST", "/queue/retry", body);
  assert_true(json_is_true(json_object_get(answer, "dryRun")) == dry);
  assert_number(answer, "matched", matched);
  assert_number(answer, "changed", changed);
  assert_true(json_is_null(json_object_get(answer, "after")));
  json_decref(answer);
}

static void many_are_retried_where(void **state) {
  struct talk *talk = *state;
  park_many(talk, 150, "ehr");
  park_many(talk, 20, "other");
  assert_many(talk, "{\"where\":{\"state\":\"parked\",\"destination\":\"ehr\"},\"dryRun\":true}", true, 150, 0);
  assert_int_equal(store_count(talk->store, OUTBOX_PARKED), 170);
  assert_many(talk, "{\"where\":{\"destination\":\"ehr\",\"reason\":\"other\"}}", false, 0, 0);
  assert_many(talk, "{\"where\":{\"destination\":\"ehr\",\"reason\":\"http-422\"}}", false, 150, 150);
  assert_int_equal(store_count(talk->store, OUTBOX_PARKED), 20);
  assert_many(talk, "{}", false, 20, 20); /* parked ones, when it is not said which */
  assert_int_equal(store_count(talk->store, OUTBOX_QUEUED), 170);
  assert_many(talk, "{\"where\":{\"state\":\"sending\"}}", false, 0, 0);
  json_decref(ask_json(talk, 400, "POST", "/queue/retry", "{\"where\":{\"state\":\"done\"}}")); /* over */
  json_decref(ask_json(talk, 400, "POST", "/queue/park", "{\"where\":{\"state\":\"dropped\"},\"reason\":\"test\"}"));
}

static void put_revision(struct talk *talk, const char *lane, const char *content, int64_t revision) {
  enum outbox_answer answer;
  struct outbox_item item = {.destination = STR("ehr"), .lane = str_of(lane), .kind = STR("bundle"), .label = STR("s"), .payload = str_of(content),
                             .subject = STR("s"), .revision = revision};
  struct outbox_message message = {.source = STR("test"), .content = str_of(content), .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(talk->store->outbox, &message, ++talk->store->now, &talk->store->diags, &answer, NULL), STATUS_OK);
  assert_int_equal(outbox_commit(talk->store->outbox), STATUS_OK);
}

/* What a correction has passed is parked again, and not told as queued. */
static void many_but_those_that_were_corrected(void **state) {
  struct talk *talk = *state;
  put_revision(talk, "a", "first", 1);
  assert_int_equal(outbox_decide(talk->store->outbox, 1, OUTBOX_PARK, STR("http-422"), STR("test"), 5), STATUS_OK);
  put_revision(talk, "b", "second", 2); /* it does not wait for the first */
  park_many(talk, 2, "ehr");
  json_t *answer = ask_json(talk, 200, "POST", "/queue/retry", "{}");
  assert_number(answer, "matched", 3);
  assert_number(answer, "changed", 2);
  assert_number(answer, "overtaken", 1);
  json_decref(answer);
  assert_int_equal(store_count(talk->store, OUTBOX_PARKED), 1);
}

static void many_are_parked_or_dropped_where(void **state) {
  static const struct {
    const char *target, *body;
    int status;
    size_t queued, parked, dropped; /* afterwards */
  } steps[] = {
      {"/queue/park", "{}", 400, 0, 6, 0}, /* no reason */
      {"/queue/park", "{\"dryRun\":true}", 200, 0, 6, 0},
      {"/queue/park", "{\"reason\":\"r\"}", 200, 0, 6, 0}, /* of those that wait */
      {"/queue/retry", "{\"where\":{\"destination\":\"ehr\"}}", 200, 4, 2, 0},
      {"/queue/park", "{\"reason\":\"r\",\"through\":2}", 200, 2, 4, 0},
      {"/queue/park", "{\"reason\":\"r\",\"confirm\":1}", 400, 2, 4, 0},
      {"/queue/drop", "{\"confirm\":\"9\"}", 400, 2, 4, 0},
      {"/queue/drop", "{\"reason\":\"r\"}", 400, 2, 4, 0},
      {"/queue/drop", "{\"reason\":\"r\",\"confirm\":\"x\"}", 409, 2, 4, 0},
      {"/queue/drop", "{\"reason\":\"r\",\"confirm\":\"3\"}", 409, 2, 4, 0}, /* one more than was seen */
      {"/queue/drop", "{\"reason\":\"r\",\"confirm\":\"-1\"}", 409, 2, 4, 0},
      {"/queue/drop", "{\"dryRun\":true}", 200, 2, 4, 0},
      {"/queue/drop", "{\"reason\":\"r\",\"confirm\":\"2\",\"through\":2}", 200, 2, 2, 2},
      {"/queue/drop", "{\"reason\":\"r\",\"confirm\":\"9\",\"after\":2,\"where\":{\"destination\":\"other\"}}", 200, 2, 0, 4},
      {"/queue/drop", "{\"reason\":\"r\",\"confirm\":\"2\",\"where\":{\"state\":\"queued\"}}", 200, 0, 0, 6},
  };
  struct talk *talk = *state;
  park_many(talk, 4, "ehr");
  park_many(talk, 2, "other");
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    print_message("%s %s\n", steps[i].target, steps[i].body);
    assert_int_equal(talk_ask(talk, "POST", steps[i].target, steps[i].body), steps[i].status);
    assert_int_equal(store_count(talk->store, OUTBOX_QUEUED), steps[i].queued);
    assert_int_equal(store_count(talk->store, OUTBOX_PARKED), steps[i].parked);
    assert_int_equal(store_count(talk->store, OUTBOX_DROPPED), steps[i].dropped);
  }
}

/* Of what is to be dropped a correction that was passed is no exception, and a destination that is gone none. */
static void all_that_match_are_dropped(void **state) {
  static const struct str destinations[] = {{"ehr", 3}, {"gone", 4}};
  struct talk *talk = *state;
  talk->params.destinations = destinations;
  talk->params.missing_count = 1;
  talk_reopen(talk);
  park_many(talk, 2, "gone");
  int64_t id = store_put(talk->store, "ehr", "a", "older");
  assert_int_equal(outbox_decide(talk->store->outbox, id, OUTBOX_PARK, STR(OUTBOX_OLDER), STR("test"), 5), STATUS_OK);
  json_t *answer = ask_json(talk, 200, "POST", "/queue/drop", "{\"reason\":\"r\",\"confirm\":\"3\"}");
  assert_number(answer, "matched", 3);
  assert_number(answer, "changed", 3);
  assert_number(answer, "missing", 0);
  assert_number(answer, "last", 3);
  json_decref(answer);
}

static void many_go_in_portions(void **state) {
  struct talk *talk = *state;
  park_many(talk, CONSOLE_LIST_MAX + 1, "ehr");
  json_t *answer = ask_json(talk, 200, "POST", "/queue/retry", "{}");
  assert_number(answer, "changed", CONSOLE_LIST_MAX);
  assert_number(answer, "after", CONSOLE_LIST_MAX);
  json_decref(answer);
  json_decref(ask_json(talk, 409, "POST", "/queue/drop", "{\"reason\":\"r\",\"confirm\":\"0\",\"after\":1000}"));
  answer = ask_json(talk, 200, "POST", "/queue/drop", "{\"dryRun\":true,\"through\":1000}");
  assert_true(json_is_null(json_object_get(answer, "after")));
  json_decref(answer);
  assert_many(talk, "{\"after\":1000}", false, 1, 1);
  assert_int_equal(store_count(talk->store, OUTBOX_PARKED), 0);
}

/* Queued they would wait for ever; parked they are seen. */
static void what_has_no_destination_stays_parked(void **state) {
  static const struct str destinations[] = {{"ehr", 3}, {"gone", 4}};
  struct talk *talk = *state;
  talk->params.destinations = destinations;
  talk->params.missing_count = 1;
  talk_reopen(talk);
  park_many(talk, 3, "gone");
  park_many(talk, 2, "ehr");
  assert_int_equal(talk_ask(talk, "POST", "/queue/1/retry", "{}"), 409);
  assert_true(talk_said(talk, "no [destination gone]"));
  json_t *answer = ask_json(talk, 200, "POST", "/queue/retry", "{}");
  assert_number(answer, "matched", 5);
  assert_number(answer, "changed", 2);
  assert_number(answer, "missing", 3);
  json_decref(answer);
  assert_int_equal(store_count(talk->store, OUTBOX_PARKED), 3);
  assert_int_equal(talk_ask(talk, "POST", "/queue/1/pass", "{}"), 200);
  assert_int_equal(talk_ask(talk, "POST", "/queue/1/drop", "{\"reason\":\"r\",\"confirm\":\"1\"}"), 200);
}

static void records_on_their_way_stay_there(void **state) {
  struct talk *talk = *state;
  struct outbox_claim claim;
  store_put(talk->store, "ehr", "a", "one");
  assert_int_equal(store_claim(talk->store, "ehr", &claim), STATUS_OK);
  assert_many(talk, "{\"where\":{\"state\":\"sending\"}}", false, 1, 0);
  assert_int_equal(talk_ask(talk, "POST", "/queue/1/drop", "{\"reason\":\"r\",\"confirm\":\"1\"}"), 409);
  assert_int_equal(store_row(talk->store, 1).state, OUTBOX_SENDING);
}

/* --- the trail --- */

static void trail_is_paged(void **state) {
  struct talk *talk = *state;
  fill(talk);
  json_t *trail = ask_json(talk, 200, "GET", "/audit?limit=2", NULL);
  assert_int_equal(json_array_size(json_object_get(trail, "events")), 2);
  assert_number(trail, "after", 2);
  assert_int_equal(json_string_length(json_object_get(trail, "store")), 32); /* whose trail it is */
  json_decref(trail);
  trail = ask_json(talk, 200, "GET", "/audit?after=2&limit=1", NULL);
  assert_number(json_array_get(json_object_get(trail, "events"), 0), "number", 3);
  json_decref(trail);
  json_decref(ask_json(talk, 404, "GET", "/audit?after=999", NULL));
}

static void trail_is_shortened(void **state) {
  static const struct {
    const char *body;
    int status;
  } cases[] = {{"{\"through\":2,\"actor\":\"ada\"}", 200}, {"{\"through\":2}", 409}, {"{\"through\":1}", 409}, {"{\"through\":999}", 404},
               {"{\"through\":0}", 400},  {"{\"through\":\"3\"}", 400}, {"{}", 400}, {"[3]", 400}, {"{\"through\":3,\"reason\":\"x\"}", 400},
               {"{\"through\":3}", 200}};
  struct talk *talk = *state;
  fill(talk);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *answer = ask_json(talk, cases[i].status, "POST", "/audit/exported", cases[i].body);
    if (i == 0) assert_number(answer, "through", 2);
    json_decref(answer);
  }
  json_t *trail = ask_json(talk, 200, "GET", "/audit?limit=1", NULL);
  assert_number(json_array_get(json_object_get(trail, "events"), 0), "number", 4);
  json_decref(trail);
}

static void trail_is_given_as_fhir(void **state) {
  struct talk *talk = *state;
  fill(talk);
  json_t *bundle = ask_json(talk, 200, "GET", "/audit?format=fhir", NULL);
  const json_t *entries = json_object_get(bundle, "entry");
  size_t accepted = 0, index;
  json_t *entry;
  assert_true(talk_said(talk, "Content-Type: application/fhir+json\r\n"));
  assert_text(bundle, "resourceType", "Bundle");
  json_array_foreach(entries, index, entry) {
    const json_t *event = json_object_get(entry, "resource");
    const json_t *type = json_object_get(event, "type");
    const char *code = json_string_value(json_object_get(type, "code"));
    assert_text(event, "resourceType", "AuditEvent");
    assert_non_null(json_string_value(json_object_get(event, "recorded")));
    assert_non_null(json_string_value(json_object_get(type, "display")));
    assert_true(!code == !json_object_get(type, "system"));
    accepted += code && strcmp(code, "receive") == 0;
  }
  assert_int_equal(accepted, 4);
  json_decref(bundle);
  assert_int_equal(talk_ask(talk, "GET", "/audit?format=ndjson&limit=3", NULL), 200);
  size_t lines = 0;
  for (const char *at = talk_body(talk); *at; at++)
    lines += *at == '\n';
  assert_int_equal(lines, 3);
}

static void broken_trail_is_told(void **state) {
  struct talk *talk = *state;
  fill(talk);
  console_close(talk->console);
  talk->console = NULL;
  store_close(talk->store);
  store_sql(talk->store, "UPDATE audit SET actor = 'somebody' WHERE number = 3");
  store_reopen(talk->store);
  talk->params.outbox = talk->store->outbox;
  talk_reopen(talk);
  json_decref(ask_json(talk, 500, "GET", "/audit?format=fhir", NULL));
  assert_true(talk_said(talk, "changed by other hands after event 2"));
}

/* --- numbers --- */

static void metrics_count_records(void **state) {
  struct talk *talk = *state;
  static const char *const lines[] = {
      "\nketlink_outbox_records{destination=\"ehr\",state=\"queued\"} 2\n",
      "\nketlink_outbox_records{destination=\"ehr\",state=\"parked\"} 1\n",
      "\nketlink_outbox_records{destination=\"a\\\"b\\\\c\\nd\",state=\"parked\"} 0\n",
      "\n# TYPE ketlink_outbox_records gauge\n",
      "\nketlink_outbox_accepted_total 4\n",
      "\nketlink_outbox_duplicates_total 0\n",
      "\nketlink_outbox_free_bytes ",
      "\nketlink_outbox_oldest_seconds{destination=\"ehr\"} ",
      "\nketlink_outbox_oldest_seconds{destination=\"a\\\"b\\\\c\\nd\"} 0\n",
      "\nketlink_outbox_full 0\n",
      "\nketlink_outbox_log_pages ",
      "\nketlink_outbox_generation ",
      "\nketlink_console_connections 1\n",
      "\nketlink_console_answers_total{class=\"4xx\"} 1\n",
      "\nketlink_relay_up 1\n",
      "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
  };
  fill(talk);
  assert_int_equal(talk_ask(talk, "GET", "/nothing", NULL), 404);
  assert_int_equal(talk_ask(talk, "GET", "/metrics", NULL), 200);
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
    if (!talk_said(talk, lines[i])) fail_msg("no %s in %s", lines[i], talk->answer);
  assert_false(talk_said(talk, "three")); /* labels of records are patients' data, labels of metrics are not */
}

static void health_is_the_relays(void **state) {
  struct talk *talk = *state;
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200);
  assert_string_equal(talk_body(talk), "ok\n");
  talk->sick = true;
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 503);
  assert_string_equal(talk_body(talk), "the disk is full\n");
}

static void trouble(void *context, size_t destination, struct console_trouble *out) {
  (void)context;
  *out = (struct console_trouble){0};
  if (destination == 0) *out = (struct console_trouble){.word = "held", .since = 1772445600000, .reason = STR("tls")};
}

static int ask_health(struct talk *talk, bool port, const char *fields) {
  char host[32];
  snprintf(host, sizeof host, "localhost:%u", (unsigned)console_port(talk->console));
  struct str text = arena_printf(talk->store->arena, "GET /healthz HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, fields);
  return talk_raw(talk, !port, text.ptr, text.len);
}

/* By Accept; to strangers nothing but the word. */
static void health_is_told_as_json(void **state) {
  static const struct {
    const char *fields;
    bool port, json, all;
  } cases[] = {
      {"", false, false, false},
      {"Accept: */*\r\n", false, false, false},
      {"Accept: application/jsonl\r\n", false, false, false},
      {"Accept:\r\n", false, false, false},
      {"Accept: application/json\r\n", false, true, true},
      {"Accept: text/html, Application/JSON;q=0.5\r\n", false, true, true},
      {"Accept: application/json\r\nAccept: text/plain\r\n", false, true, true},
      {"Accept: application/json\r\n", true, true, false},
      {"Accept: application/json\r\nAuthorization: Bearer " TOKEN "\r\n", true, true, true},
  };
  struct talk *talk = *state;
  fill(talk);
  talk->params.hooks.trouble = trouble;
  talk_reopen(talk);
  for (int sick = 0; sick <= 1; sick++) {
    talk->sick = sick;
    const char *word = sick ? "the disk is full" : "ok";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      char wanted[400];
      assert_int_equal(ask_health(talk, cases[i].port, cases[i].fields), sick ? 503 : 200);
      if (cases[i].all)
        snprintf(wanted, sizeof wanted,
                 "{\"status\":\"%s\",\"full\":\"\",\"open\":4,\"parked\":1,\"destinations\":[{\"name\":\"ehr\",\"trouble\":\"held\","
                 "\"since\":\"2026-03-02T10:00:00.000Z\",\"reason\":\"tls\"}]}\n",
                 word);
      else
        snprintf(wanted, sizeof wanted, cases[i].json ? "{\"status\":\"%s\"}\n" : "%s\n", word);
      assert_string_equal(talk_body(talk), wanted);
      assert_true(talk_said(talk, cases[i].json ? "\r\nContent-Type: application/json\r\n" : "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    }
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, talk_setup, talk_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(list_shows_records),
      CASE(list_is_filtered_and_paged),
      CASE(show_gives_attempts_and_payload),
      CASE(payloads_of_bytes_are_base64),
      CASE(labels_are_escaped),
      CASE(payloads_of_delivered_records_are_gone),
      CASE(orders_change_one_record),
      CASE(nothing_is_told_before_it_is_durable),
      CASE(a_disk_that_fails_is_told),
      CASE(close_while_the_disk_writes),
      CASE(actors_are_vouched_for),
      CASE(words_have_a_cap),
      CASE(many_are_retried_where),
      CASE(many_but_those_that_were_corrected),
      CASE(many_are_parked_or_dropped_where),
      CASE(all_that_match_are_dropped),
      CASE(many_go_in_portions),
      CASE(what_has_no_destination_stays_parked),
      CASE(records_on_their_way_stay_there),
      CASE(trail_is_paged),
      CASE(trail_is_shortened),
      CASE(trail_is_given_as_fhir),
      CASE(broken_trail_is_told),
      CASE(metrics_count_records),
      CASE(health_is_the_relays),
      CASE(health_is_told_as_json),
  };
  return cmocka_run_group_tests_name("console_queue", tests, NULL, NULL);
}
