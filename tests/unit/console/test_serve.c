/* test_serve.c - caps, deadlines, places, sockets, and answers that come later. */
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A GET whose head has `len` bytes. */
static int ask_head(struct talk *talk, size_t len) {
  static char head[CONSOLE_HEAD_MAX + 64];
  static const char start[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nA: ";
  memset(head, 'a', len);
  memcpy(head, start, sizeof start - 1);
  memcpy(head + len - 4, "\r\n\r\n", 4);
  return talk_raw(talk, true, head, len);
}

static void head_has_a_cap(void **state) {
  assert_int_equal(ask_head(*state, CONSOLE_HEAD_MAX - 1), 200);
  assert_int_equal(ask_head(*state, CONSOLE_HEAD_MAX), 200);
  assert_int_equal(ask_head(*state, CONSOLE_HEAD_MAX + 1), 431);
}

static int ask_fields(struct talk *talk, size_t count) {
  struct buf text;
  buf_init(&text, 1 << 16);
  buf_add_text(&text, "GET /healthz HTTP/1.1\r\nHost: x\r\n");
  for (size_t i = 1; i < count; i++)
    buf_add_text(&text, "A: b\r\n");
  buf_add_text(&text, "\r\n");
  int status = talk_raw(talk, true, text.ptr, text.len);
  buf_release(&text);
  return status;
}

static void fields_have_a_cap(void **state) {
  assert_int_equal(ask_fields(*state, CONSOLE_FIELDS_MAX - 1), 200);
  assert_int_equal(ask_fields(*state, CONSOLE_FIELDS_MAX), 200);
  assert_int_equal(ask_fields(*state, CONSOLE_FIELDS_MAX + 1), 431);
}

static int ask_target(struct talk *talk, size_t len) {
  char target[CONSOLE_TARGET_MAX + 64];
  memset(target, 'a', len);
  target[0] = '/';
  target[len] = 0;
  return talk_ask(talk, "GET", target, NULL);
}

static void target_has_a_cap(void **state) {
  assert_int_equal(ask_target(*state, CONSOLE_TARGET_MAX - 1), 404);
  assert_int_equal(ask_target(*state, CONSOLE_TARGET_MAX), 404);
  assert_int_equal(ask_target(*state, CONSOLE_TARGET_MAX + 1), 414);
}

static int post_bytes(struct talk *talk, const char *target, size_t len) {
  struct buf body;
  buf_init(&body, 1 << 20);
  while (body.len < len)
    buf_add_char(&body, 'x');
  buf_reserve(&body, 1);
  body.ptr[len] = 0;
  int status = talk_ask(talk, "POST", target, body.ptr);
  buf_release(&body);
  return status;
}

static void body_has_a_cap(void **state) {
  struct talk *talk = *state;
  for (size_t len = talk->params.max_body - 1; len <= talk->params.max_body; len++) {
    assert_int_equal(post_bytes(talk, "/records", len), 200);
    assert_int_equal(talk->body_len, len);
  }
  assert_int_equal(post_bytes(talk, "/records", talk->params.max_body + 1), 413);
  assert_int_equal(talk->posts, 2);
  assert_int_equal(post_bytes(talk, "/queue/1/park", CONSOLE_ORDER_MAX), 400); /* no JSON */
  assert_int_equal(post_bytes(talk, "/queue/1/park", CONSOLE_ORDER_MAX + 1), 413);
}

/* A client that still sends would see its connection break instead of the answer. */
static void refusals_are_heard(void **state) {
  struct talk *talk = *state;
  static const char head[] = "POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                             "Content-Length: 9000000\r\n\r\n";
  static const char more[20000];
  int fd = talk_connect(talk, true);
  talk_send(talk, fd, head, sizeof head - 1);
  talk_turn(talk, 50);
  assert_true(talk_has_bytes(fd));
  for (size_t i = 0; i < 20; i++) {
    assert_true(send(fd, more, sizeof more, MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
    talk_turn(talk, 5);
  }
  assert_int_equal(talk_read(talk, fd, 500), 413);
}

static void request_may_come_byte_by_byte(void **state) {
  struct talk *talk = *state;
  static const char text[] = "POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                             "Content-Length: 9\r\n\r\n{\"a\":\0\xff}\n";
  int fd = talk_connect(talk, true);
  for (size_t i = 0; i < sizeof text - 1; i++) {
    assert_int_equal(talk->posts, 0);
    talk_send(talk, fd, text + i, 1);
    talk_turn(talk, 1);
  }
  assert_int_equal(talk_read(talk, fd, 1000), 200);
  assert_int_equal(talk->body_len, 9);
  assert_memory_equal(talk->body, "{\"a\":\0\xff}\n", 9);
  assert_string_equal(talk->type, "application/json");
  assert_string_equal(talk_body(talk), "{\"accepted\":true}\n");
}

static void body_is_asked_for(void **state) {
  struct talk *talk = *state;
  static const char head[] = "POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                             "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  int fd = talk_connect(talk, true);
  char got[64] = "";
  talk_send(talk, fd, head, sizeof head - 1);
  talk_turn(talk, 50);
  assert_true(recv(fd, got, sizeof got - 1, MSG_DONTWAIT) > 0);
  assert_string_equal(got, "HTTP/1.1 100 Continue\r\n\r\n");
  talk_send(talk, fd, "{}", 2);
  assert_int_equal(talk_read(talk, fd, 1000), 200);
}

/* One byte every 20 ms never lets a connection rest, and does not get more time by that. */
static int drip(struct talk *talk, const char *text, int64_t *took) {
  int64_t begin = host_system()->monotonic_ns(NULL);
  int fd = talk_connect(talk, true);
  for (size_t i = 0; text[i] && !talk_has_bytes(fd); i++) {
    talk_send(talk, fd, text + i, 1);
    talk_turn(talk, 20);
  }
  *took = (host_system()->monotonic_ns(NULL) - begin) / 1000000;
  return talk_read(talk, fd, 4000);
}

static void slow_requests_end(void **state) {
  struct talk *talk = *state;
  static const char head[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  int64_t took = 0;
  talk->params.request_ms = 300;
  talk_reopen(talk);
  assert_int_equal(drip(talk, head, &took), 408);
  assert_true(took >= 250 && took < 2000);
  int fd = talk_connect(talk, true); /* nothing at all: closed without a word */
  assert_int_equal(talk_read(talk, fd, 3000), 0);
  assert_int_equal(talk->answer_len, 0);
}

static void slow_bodies_end(void **state) {
  struct talk *talk = *state;
  static const char head[] = "POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                             "Content-Length: 100\r\n\r\n{";
  talk->params.request_ms = 200;
  talk_reopen(talk);
  int fd = talk_connect(talk, true);
  talk_send(talk, fd, head, sizeof head - 1);
  assert_int_equal(talk_read(talk, fd, 3000), 408);
  assert_int_equal(talk->posts, 0);
}

static void places_are_counted(void **state) {
  struct talk *talk = *state;
  enum { PLACES = 3 };
  int fds[PLACES];
  talk->params.max_connections = PLACES;
  talk_reopen(talk);
  for (size_t i = 0; i < PLACES; i++)
    fds[i] = talk_connect(talk, true);
  talk_turn(talk, 20);
  int more = talk_connect(talk, true);
  assert_int_equal(talk_read(talk, more, 1000), 503);
  assert_true(talk_said(talk, "Retry-After: "));
  close(fds[0]);
  talk_turn(talk, 20);
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200);
  for (size_t i = 1; i < PLACES; i++)
    close(fds[i]);
}

static int ask_with_token(struct talk *talk) {
  static const char text[] = "GET /queue HTTP/1.1\r\nHost: localhost:%u\r\nAuthorization: Bearer " TOKEN "\r\n\r\n";
  struct str request = arena_printf(talk->store->arena, text, (unsigned)console_port(talk->console));
  return talk_raw(talk, false, request.ptr, request.len);
}

/* Connections that show nothing take half of the places, and no more; then the oldest of them gives way. */
static void strangers_keep_nobody_out(void **state) {
  struct talk *talk = *state;
  enum { PLACES = 7, SHARE = 4, MANY = 40 };
  int strangers[MANY], known[PLACES];
  talk->params.max_connections = PLACES;
  talk_reopen(talk);
  for (size_t i = 0; i < MANY; i++) {
    strangers[i] = talk_connect(talk, false);
    talk_turn(talk, 2);
    for (size_t k = 0; k <= i; k++)
      assert_int_equal(talk_has_bytes(strangers[k]), k + SHARE <= i); /* it was closed */
  }
  assert_int_equal(ask_with_token(talk), 200);
  for (size_t i = 0; i < PLACES; i++) /* who is known pushes all of them out */
    known[i] = talk_connect(talk, true);
  talk_turn(talk, 20);
  for (size_t i = 0; i < MANY; i++) {
    assert_true(talk_has_bytes(strangers[i]));
    close(strangers[i]);
  }
  int more = talk_connect(talk, false);
  assert_int_equal(talk_read(talk, more, 1000), 503);
  for (size_t i = 0; i < PLACES; i++) {
    assert_false(talk_has_bytes(known[i]));
    close(known[i]);
  }
  talk_turn(talk, 20);
  assert_int_equal(talk_ask(talk, "GET", "/metrics", NULL), 200);
  assert_true(talk_said(talk, "ketlink_console_pushed_out_total 40\n"));
}

/* Bodies that are announced and do not come must not take all memory. */
static void announced_bodies_are_counted(void **state) {
  struct talk *talk = *state;
  enum { SIZE = CONSOLE_ORDER_MAX };
  int fds[CONSOLE_BODIES];
  struct str head = arena_printf(talk->store->arena,
                                 "POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                 "Content-Length: %d\r\n\r\n",
                                 SIZE);
  talk->params.max_body = SIZE;
  talk_reopen(talk);
  for (size_t i = 0; i < CONSOLE_BODIES; i++) {
    fds[i] = talk_connect(talk, true);
    talk_send(talk, fds[i], head.ptr, head.len);
  }
  talk_turn(talk, 20);
  assert_int_equal(talk_ask(talk, "POST", "/records", "{}"), 503);
  close(fds[0]);
  talk_turn(talk, 20);
  assert_int_equal(talk_ask(talk, "POST", "/records", "{}"), 200);
  for (size_t i = 1; i < CONSOLE_BODIES; i++)
    close(fds[i]);
}

/* --- answers that come later --- */

static int begin_post(struct talk *talk) {
  static const char text[] = "POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                             "Content-Length: 2\r\n\r\n{}";
  int fd = talk_connect(talk, true);
  talk->hold_post = true;
  talk_send(talk, fd, text, sizeof text - 1);
  talk_turn(talk, 30);
  assert_non_null(talk->posted);
  assert_false(talk_has_bytes(fd));
  return fd;
}

static void answer_may_come_later(void **state) {
  struct talk *talk = *state;
  int fd = begin_post(talk);
  console_answer(talk->posted, 503, STR("text/evil\r\nSet-Cookie: a=b"), STR("later"), 7);
  assert_int_equal(talk_read(talk, fd, 1000), 503);
  assert_true(talk_said(talk, "\r\nRetry-After: 7\r\n"));
  assert_false(talk_said(talk, "Set-Cookie"));
  assert_string_equal(talk_body(talk), "later");
}

static void client_may_be_gone(void **state) {
  struct talk *talk = *state;
  close(begin_post(talk));
  talk_turn(talk, 20);
  console_answer(talk->posted, 200, STR("text/plain"), STR("late"), -1);
  talk_turn(talk, 20);
  talk->hold_post = false;
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200);
}

static void close_answers_what_is_owed(void **state) {
  struct talk *talk = *state;
  int fd = begin_post(talk);
  console_close(talk->console);
  talk->console = NULL;
  assert_int_equal(talk_read(talk, fd, 1000), 503);
  console_answer(talk->posted, 200, STR("text/plain"), STR("late"), -1); /* still to be called: it frees */
}

static void large_answers_come_whole(void **state) {
  struct talk *talk = *state;
  enum { SIZE = 900000 };
  struct buf body;
  buf_init(&body, SIZE);
  while (body.len < SIZE)
    buf_add_char(&body, (char)('a' + body.len % 26));
  int fd = begin_post(talk);
  console_answer(talk->posted, 200, STR("text/plain"), buf_str(&body), -1);
  talk_turn(talk, 30); /* nobody reads: what does not fit waits */
  assert_int_equal(talk_read(talk, fd, 3000), 200);
  assert_int_equal(strlen(talk_body(talk)), SIZE);
  assert_memory_equal(talk_body(talk), body.ptr, SIZE);
  buf_release(&body);
}

static void readers_that_stop_are_left(void **state) {
  struct talk *talk = *state;
  talk->params.request_ms = 200;
  talk->params.max_connections = 1;
  talk_reopen(talk);
  struct buf body;
  buf_init(&body, 8 << 20);
  while (body.len < 4 << 20)
    buf_add_text(&body, "0123456789abcdef");
  int fd = begin_post(talk);
  console_answer(talk->posted, 200, STR("text/plain"), buf_str(&body), -1);
  talk_turn(talk, 400);
  talk->hold_post = false;
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200); /* its place is free again */
  close(fd);
  buf_release(&body);
}

/* --- sockets --- */

static void socket_is_for_its_owner(void **state) {
  struct talk *talk = *state;
  struct stat info;
  mode_t before = umask(0);
  talk_reopen(talk);
  assert_int_equal(stat(talk->socket, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  assert_int_equal(umask(before), 0);
  console_close(talk->console);
  talk->console = NULL;
  assert_int_equal(stat(talk->socket, &info), -1);
}

static enum status try_open(struct talk *talk, const struct console_params *params) {
  struct console *console = NULL;
  diag_list_init(&talk->store->diags, talk->store->arena);
  enum status status = console_open(params, &talk->store->diags, &console);
  if (status == STATUS_OK) console_close(console);
  return status;
}

static void stale_sockets_are_replaced(void **state) {
  struct talk *talk = *state;
  struct console_params params = talk->params;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  params.listen_host = NULL;
  assert_int_equal(try_open(talk, &params), STATUS_CONFLICT);
  assert_true(store_said(talk->store, "another process listens"));
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200); /* the first one still has its socket */

  params.socket = store_path(talk->store, "stale");
  snprintf(address.sun_path, sizeof address.sun_path, "%s", params.socket);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  close(fd);
  assert_int_equal(try_open(talk, &params), STATUS_OK);

  params.socket = store_path(talk->store, "file");
  FILE *file = fopen(params.socket, "w");
  fclose(file);
  assert_int_equal(try_open(talk, &params), STATUS_CONFIG);
  assert_int_equal(access(params.socket, F_OK), 0);
  params.socket = store_path(talk->store, "no/such/folder");
  assert_int_equal(try_open(talk, &params), STATUS_CONFIG);
}

/* Also when its folder was: then there is none until that is back. */
static void a_removed_socket_is_made_again(void **state) {
  struct talk *talk = *state;
  struct stat info;
  assert_int_equal(console_look(talk->console, &talk->store->diags), STATUS_OK);
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200);
  assert_int_equal(unlink(talk->socket), 0);
  assert_int_equal(console_look(talk->console, &talk->store->diags), STATUS_OK);
  assert_int_equal(stat(talk->socket, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200);
  assert_int_equal(unlink(talk->socket), 0);
  assert_int_equal(mkdir(talk->socket, 0700), 0); /* something else has its name */
  assert_int_equal(console_look(talk->console, &talk->store->diags), STATUS_CONFIG);
  assert_int_equal(rmdir(talk->socket), 0);
  assert_int_equal(console_look(talk->console, &talk->store->diags), STATUS_OK);
  assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200);
}

static void paths_of_sockets_have_a_cap(void **state) {
  struct talk *talk = *state;
  struct console_params params = talk->params;
  char name[128];
  params.listen_host = NULL;
  for (size_t len = 106; len <= 108; len++) {
    size_t room = len - strlen(talk->store->folder) - 1;
    memset(name, 's', room);
    name[room] = 0;
    params.socket = store_path(talk->store, name);
    assert_int_equal(strlen(params.socket), len);
    assert_int_equal(try_open(talk, &params), len <= 107 ? STATUS_OK : STATUS_CONFIG);
  }
}

static void only_this_machine_is_listened_on(void **state) {
  struct talk *talk = *state;
  static const char *const others[] = {"0.0.0.0", "192.168.1.1", "::", "2001:db8::1", "example.org", ""};
  struct console_params params = talk->params;
  params.socket = NULL;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    params.listen_host = others[i];
    assert_int_equal(try_open(talk, &params), STATUS_CONFIG);
  }
  params.listen_host = "localhost";
  assert_int_equal(try_open(talk, &params), STATUS_OK);
  params.port = console_port(talk->console);
  assert_int_equal(try_open(talk, &params), STATUS_CONFLICT);
  params.port = 0;
  params.token = (struct str){0};
  assert_int_equal(try_open(talk, &params), STATUS_CONFIG);
  assert_true(store_said(talk->store, "token"));
}

/* --- other users --- */

enum { NOBODY = 65534 };

/* Asks as another user, in a child; its exit status is what it saw. */
static pid_t ask_as_nobody(struct talk *talk, const char *text) {
  pid_t child = fork();
  if (child != 0) return child;
  char answer[64] = "";
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  snprintf(path.sun_path, sizeof path.sun_path, "%s", talk->socket);
  if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) _exit(1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&path, sizeof path) != 0) _exit(errno == EACCES ? 2 : 3);
  if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 || recv(fd, answer, sizeof answer - 1, 0) < 12) _exit(4);
  _exit(atoi(answer + 9) - 200);
}

static int status_for_nobody(struct talk *talk, const char *text) {
  pid_t child = ask_as_nobody(talk, text);
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0)
    talk_turn(talk, 5);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status) + 200;
}

static void other_users_need_the_token(void **state) {
  struct talk *talk = *state;
  static const char plain[] = "GET /queue HTTP/1.1\r\nHost: x\r\n\r\n";
  static const char with[] = "GET /queue HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n";
  static const char payload[] =
      "GET /queue/1?payload=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n";
  if (geteuid() != 0) skip();
  store_put(talk->store, "ehr", "lane", "one");
  chmod(talk->store->folder, 0755);
  assert_int_equal(status_for_nobody(talk, plain), 202); /* may not even connect */
  chmod(talk->socket, 0666);
  assert_int_equal(status_for_nobody(talk, plain), 401);
  assert_int_equal(status_for_nobody(talk, with), 200);
  assert_int_equal(status_for_nobody(talk, payload), 403);
  talk->params.token = (struct str){0};
  talk->params.listen_host = NULL;
  talk_reopen(talk);
  chmod(talk->socket, 0666);
  assert_int_equal(status_for_nobody(talk, plain), 403);
  chmod(talk->store->folder, 0700);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, talk_setup, talk_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(head_has_a_cap),
      CASE(fields_have_a_cap),
      CASE(target_has_a_cap),
      CASE(body_has_a_cap),
      CASE(refusals_are_heard),
      CASE(request_may_come_byte_by_byte),
      CASE(body_is_asked_for),
      CASE(slow_requests_end),
      CASE(slow_bodies_end),
      CASE(places_are_counted),
      CASE(strangers_keep_nobody_out),
      CASE(announced_bodies_are_counted),
      CASE(answer_may_come_later),
      CASE(client_may_be_gone),
      CASE(close_answers_what_is_owed),
      CASE(large_answers_come_whole),
      CASE(readers_that_stop_are_left),
      CASE(socket_is_for_its_owner),
      CASE(stale_sockets_are_replaced),
      CASE(a_removed_socket_is_made_again),
      CASE(paths_of_sockets_have_a_cap),
      CASE(only_this_machine_is_listened_on),
      CASE(other_users_need_the_token),
  };
  return cmocka_run_group_tests_name("console_serve", tests, NULL, NULL);
}
