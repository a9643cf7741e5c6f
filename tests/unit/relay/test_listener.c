/* test_listener.c - who is counted as one peer of a listener, and how it rests when nobody can be accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>
#include "relay/listener.h"

static void place_of(const char *text, in_port_t port, struct sockaddr_storage *out) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_flowinfo = port, .sin6_scope_id = port};
  struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = {(char)port}};
  memset(out, (int)port, sizeof *out);
  if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
    relay_listener_place((struct sockaddr *)&four, out);
  else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
    relay_listener_place((struct sockaddr *)&six, out);
  else
    relay_listener_place((struct sockaddr *)&path, out);
}

static void a_network_of_ipv6_is_one_peer(void **state) {
  static const struct {
    const char *one, *other;
    bool same;
  } cases[] = {
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"2001:db8:0:1::1", "2001:db8:0:1::1", true},
      {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
      {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
      {"2001:db8:0:1::1", "2001:db8:0:0:8000::1", false},
      {"fe80::1", "fe80::2", true},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1", true},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
      {"::ffff:192.0.2.1", "::1", false},
      {"192.0.2.1", "2001:db8::1", false},
      {"a path", "a path", true},
      {"a path", "192.0.2.1", false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct sockaddr_storage one, other;
    place_of(cases[i].one, 1, &one);
    place_of(cases[i].other, 2, &other);
    if ((memcmp(&one, &other, sizeof one) == 0) != cases[i].same) fail_msg("%s and %s", cases[i].one, cases[i].other);
  }
}

/* --- resting; the linker leads calls of these two here --- */

static struct {
  bool timer;         /* none can be set */
  int enables;        /* so many times nobody can be waited for */
  int timers, enabled; /* asked for */
} lacks;

int __real_event_add(struct event *event, const struct timeval *wait);
int __real_evconnlistener_enable(struct evconnlistener *listener);
int __wrap_event_add(struct event *event, const struct timeval *wait);
int __wrap_evconnlistener_enable(struct evconnlistener *listener);

int __wrap_event_add(struct event *event, const struct timeval *wait) {
  lacks.timers += wait != NULL;
  return lacks.timer && wait ? -1 : __real_event_add(event, wait);
}

int __wrap_evconnlistener_enable(struct evconnlistener *listener) {
  lacks.enabled++;
  return lacks.enables-- > 0 ? -1 : __real_evconnlistener_enable(listener);
}

struct bed {
  struct relay relay;
  struct relay_config config;
  struct relay_mllp_config mllp;
  struct relay_listener *listener;
  struct diag_list diags;
  char folder[32], path[64];
};

static void open_bed(struct bed *bed) {
  *bed = (struct bed){.folder = "/tmp/ketlink-listener-XXXXXX"};
  assert_non_null(mkdtemp(bed->folder));
  snprintf(bed->path, sizeof bed->path, "%s/mllp", bed->folder);
  bed->mllp = (struct relay_mllp_config){.name = STR("ward"), .listen = str_of(bed->path), .is_path = true, .max_bytes = 1024,
                                         .frame_seconds = 1, .idle_seconds = 1, .max_connections = 4, .max_per_address = 4};
  bed->relay = (struct relay){.host = host_system(), .config = &bed->config, .arena = arena_new(1 << 20), .base = event_base_new(),
                              .log = {.host = host_system()}};
  assert_int_equal(event_base_priority_init(bed->relay.base, 2), 0);
  diag_list_init(&bed->diags, bed->relay.arena);
  assert_int_equal(relay_listener_new(&bed->relay, &bed->mllp, &bed->diags, &bed->listener), STATUS_OK);
  assert_int_equal(relay_listener_begin(bed->listener, &bed->diags), STATUS_OK);
}

static void close_bed(struct bed *bed) {
  relay_listener_close(bed->listener);
  event_base_free(bed->relay.base);
  arena_free(bed->relay.arena);
  assert_int_equal(rmdir(bed->folder), 0);
}

static int connect_to(const struct bed *bed) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  int peer = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(to.sun_path, sizeof to.sun_path, "%s", bed->path);
  assert_int_equal(connect(peer, (struct sockaddr *)&to, sizeof to), 0);
  return peer;
}

/* No descriptor is left for whoever connects. */
static void take_descriptors(struct rlimit *before) {
  int next = open("/dev/null", O_RDONLY);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
  struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = before->rlim_max};
  close(next);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void turn_until(const struct bed *bed, const int *number, int at_least) {
  for (int i = 0; i < 5000 && *number < at_least; i++) {
    (void)event_base_loop(bed->relay.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    usleep(1000);
  }
  assert_true(*number >= at_least);
}

/* Whatever fails meanwhile, who waits is accepted when there are descriptors again. */
static void a_listener_rests_and_goes_on(void **state) {
  static const struct {
    bool timer;
    int enables;
  } cases[] = {{false, 0}, {false, 3}, {true, 0}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct bed bed;
    struct rlimit before;
    int accepted = 0;
    open_bed(&bed);
    int peer = connect_to(&bed);
    take_descriptors(&before);
    memset(&lacks, 0, sizeof lacks);
    lacks.timer = cases[i].timer;
    lacks.enables = cases[i].enables;
    turn_until(&bed, &lacks.timers, 2); /* once more, since there is still none */
    assert_int_equal(bed.listener->connections, 0);
    lacks.timer = false;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int k = 0; k < 5000 && !accepted; k++) {
      (void)event_base_loop(bed.relay.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
      accepted = (int)bed.listener->connections;
      usleep(1000);
    }
    if (!accepted) fail_msg("case %zu: nobody is accepted", i);
    assert_int_equal(lacks.enabled > cases[i].enables, !cases[i].timer);
    close(peer);
    close_bed(&bed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_network_of_ipv6_is_one_peer),
      cmocka_unit_test(a_listener_rests_and_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
