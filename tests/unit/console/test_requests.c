/* test_requests.c - requests.tsv: raw bytes, and the status that they must have. */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 8192, REQUEST_MAX = 32768 };

struct request {
  int status;
  bool local;
  char bytes[REQUEST_MAX];
  size_t len;
};

static void add(struct request *request, const char *bytes, size_t len) {
  assert_true(request->len + len <= sizeof request->bytes);
  memcpy(request->bytes + request->len, bytes, len);
  request->len += len;
}

/* {port}, {token}, {json}, {aN}; any other brace stands for itself. */
static size_t add_braces(struct request *request, const char *text, unsigned port) {
  static const char json[] = "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n";
  char number[16];
  int count = 0;
  if (strncmp(text, "{port}", 6) == 0) {
    add(request, number, (size_t)snprintf(number, sizeof number, "%u", port));
    return 6;
  }
  if (strncmp(text, "{token}", 7) == 0) {
    add(request, TOKEN, strlen(TOKEN));
    return 7;
  }
  if (strncmp(text, "{json}", 6) == 0) {
    add(request, json, strlen(json));
    return 6;
  }
  if (sscanf(text, "{a%d}", &count) == 1) {
    while (count--)
      add(request, "a", 1);
    return (size_t)(strchr(text, '}') - text) + 1;
  }
  add(request, text, 1);
  return 1;
}

static size_t add_escape(struct request *request, const char *text) {
  static const char *const plain = "rnt0\\", *const meaning = "\r\n\t\0\\";
  const char *at = strchr(plain, text[1]);
  if (at) {
    add(request, meaning + (at - plain), 1);
    return 2;
  }
  char hex[3] = {text[2], text[3], 0};
  char byte = (char)strtol(hex, NULL, 16);
  assert_int_equal(text[1], 'x');
  add(request, &byte, 1);
  return 4;
}

static void parse(char *line, unsigned port, struct request *out) {
  char *over = strchr(line, '\t'), *text = over ? strchr(over + 1, '\t') : NULL;
  assert_non_null(text);
  out->status = atoi(line);
  out->local = strncmp(over + 1, "unix\t", 5) == 0;
  out->len = 0;
  for (text++; *text && *text != '\n';)
    text += *text == '\\' ? add_escape(out, text) : *text == '{' ? add_braces(out, text, port) : (add(out, text, 1), (size_t)1);
}

/* Whatever is said: a browser does not take it for a page, does not keep it, and it does not repeat what came. */
static const char *fault_of(const struct talk *talk, int got, int wanted) {
  static const char *const fields[] = {
      "\r\nX-Content-Type-Options: nosniff\r\n", "\r\nCache-Control: no-store\r\n",
      "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
      "\r\nConnection: close\r\n", "\r\nContent-Length: "};
  if (got != wanted) return "another status";
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    if (!talk_said(talk, fields[i])) return fields[i];
  if (strstr(talk->answer + 9, "HTTP/1.1 2")) return "two answers";
  if (talk_said(talk, "evil") || talk_said(talk, "script") || talk_said(talk, TOKEN)) return "it repeats what came";
  if (got == 405 && !talk_said(talk, "\r\nAllow: ")) return "no Allow";
  if (got == 401 && !talk_said(talk, "\r\nWWW-Authenticate: Bearer\r\n")) return "no WWW-Authenticate";
  if (got >= 400 && !talk_said(talk, "\r\nContent-Type: application/problem+json\r\n")) return "no problem";
  return NULL;
}

static void every_request_has_its_status(void **state) {
  struct talk *talk = *state;
  static struct request request;
  static char line[LINE_MAX_BYTES];
  FILE *file = fopen(SOURCE_DIR "/tests/unit/console/requests.tsv", "r");
  size_t number = 0, faults = 0, cases = 0;
  assert_non_null(file);
  store_put(talk->store, "ehr", "lane", "one");
  while (fgets(line, sizeof line, file)) {
    number++;
    if (line[0] == '#') continue;
    parse(line, console_port(talk->console), &request);
    int got = talk_raw(talk, request.local, request.bytes, request.len);
    const char *fault = fault_of(talk, got, request.status);
    if (fault) print_error("requests.tsv:%zu: %d instead of %d: %s\n", number, got, request.status, fault);
    faults += fault != NULL;
    cases++;
  }
  fclose(file);
  assert_true(cases > 100);
  assert_int_equal(faults, 0);
  assert_int_equal(store_row(talk->store, 1).state, OUTBOX_QUEUED); /* nobody has changed anything */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_request_has_its_status, talk_setup, talk_teardown),
  };
  return cmocka_run_group_tests_name("console_requests", tests, NULL, NULL);
}
