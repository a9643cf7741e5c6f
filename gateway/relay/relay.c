/* relay.c - the daemon put together: opened in the order in which its parts need each other, closed in the
 * other. */
#include "relay/relay.h"

#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/crypto.h"
#include "console/console.h"
#include "relay/mapper.h"
#include "relay/watch.h"
#include "relay/wire.h"

enum {
  PRIORITIES = 2, /* what comes in and answers; then the commit */
  CONNECTIONS = 256,
  IDLE_FIBERS = 64,
  UPKEEP_SECONDS = 5,
  SWEEP_ROWS = 2000,
  STOP_SECONDS = 20, /* for what is under way */
  SECURE_HEAP = 1 << 16,
  ACTOR_BYTES = 24
};

/* The relay and what only this file knows of. */
struct whole {
  struct relay relay;
  struct diag_list *diags;
  struct outbox_keys keys;
  struct relay_signals *signals;
  struct event *upkeep, *watchdog, *deadline;
  struct relay_growth growth; /* of all open records */
  struct relay_aside parked[RELAY_DESTINATIONS_MAX];
  struct relay_backup *backup;
  int64_t started_at, started_elapsed; /* by both clocks */
  int64_t ahead;                       /* of the wall clock since then, at the last look */
  int64_t noted;                       /* when the wall clock was far ahead of the store's at the start: the store's; else 0 */
  bool start_judged;
  char stopper[ACTOR_BYTES];           /* who asked to stop, for the trail, and how */
  const char *stopped_by;
  size_t lines_lost; /* of the log */
  struct relay_log_lines lines;
  struct relay_tries upkeeps;
  bool left_told; /* destinations that are not there any more */
};

int64_t relay_now(const struct relay *relay) {
  return relay->host->now_ms(relay->host->context);
}

int64_t relay_elapsed(const struct relay *relay) {
  return relay->host->monotonic_ns(relay->host->context) / 1000000;
}

bool relay_wait_ms(struct event *timer, int64_t ms) {
  struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  return event_add(timer, &when) == 0;
}

void relay_kick(struct relay *relay) {
  relay->due = true;
  relay_group_touch(relay);
}

void relay_claim(struct relay *relay) {
  for (size_t i = 0; i < relay->config->destination_count; i++) {
    if (!relay->senders[i]) continue;
    if (relay->decided)
      relay_sender_probe(relay->senders[i]);
    else
      relay_sender_claim(relay->senders[i]);
  }
  relay->decided = false;
}

/* --- the trail --- */

static void name_user(uint32_t user, char out[ACTOR_BYTES]) {
  (void)snprintf(out, ACTOR_BYTES, "uid=%lu", (unsigned long)user);
}

void relay_note(struct relay *relay, const char *what, const char *actor, const char *reason) {
  enum status status =
      outbox_audit(relay_store(relay), str_of(what), str_of(actor), str_of(reason), relay_now(relay));
  relay_group_touch(relay);
  if (status != STATUS_OK) RELAY_LOG(relay, RELAY_ERROR, "not-in-the-trail", RELAY_TEXT("what", str_of(what)));
}

/* --- what the process must not give away --- */

/* A core would hold patients' data; RLIMIT_CORE alone is ignored when cores go to a pipe (core(5)). */
static void harden(void) {
  struct rlimit none = {0};
  (void)setrlimit(RLIMIT_CORE, &none);
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  umask(0077);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGIO, SIG_IGN); /* a file of a drop folder is opened for writing while its lease is held: that would end the process */
  (void)CRYPTO_secure_malloc_init(SECURE_HEAP, 32);
}

/* As many connections as the system lets it have: the limit that processes begin with is for programs that use select. */
static void raise_descriptors(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* What is written goes to the end of a file, also of one that somebody has made empty: else it would begin with a hole. */
static void append_log(void) {
  struct stat info;
  int flags = fcntl(STDERR_FILENO, F_GETFL);
  if (flags >= 0 && fstat(STDERR_FILENO, &info) == 0 && S_ISREG(info.st_mode))
    (void)fcntl(STDERR_FILENO, F_SETFL, flags | O_APPEND);
}

/* --- upkeep --- */

static void watch_growth(struct whole *whole, size_t open) {
  enum relay_edge edge = relay_growth_look(&whole->growth, open);
  if (edge != RELAY_NO_EDGE) relay_alert(&whole->relay, edge == RELAY_BEGINS ? "queue-grows" : "queue-shrinks", STR("store"));
}

/* Somebody has to look at each of them, and with parked = block its patient waits meanwhile. */
static enum status watch_parked(struct whole *whole) {
  struct relay *relay = &whole->relay;
  for (size_t i = 0; i < relay->config->destination_count; i++) {
    struct outbox_stats stats;
    char count[32];
    struct str name = relay->config->destinations[i].name;
    enum status status = outbox_stats(relay_store(relay), name, &stats);
    if (status != STATUS_OK) return status;
    size_t parked = stats.by_state[OUTBOX_PARKED];
    (void)snprintf(count, sizeof count, "%zu parked", parked);
    enum relay_edge edge = relay_aside_look(&whole->parked[i], parked, relay_elapsed(relay));
    if (edge == RELAY_BEGINS) relay_alert_why(relay, "records-parked", name, str_of(count));
    if (edge == RELAY_ENDS) relay_alert(relay, "records-unparked", name);
  }
  return STATUS_OK;
}

static enum status watch_store(struct whole *whole) {
  struct outbox_stats stats = {0};
  enum status status = outbox_stats(relay_store(&whole->relay), (struct str){0}, &stats);
  if (status != STATUS_OK) return status;
  watch_growth(whole, outbox_open_records(&stats));
  return watch_parked(whole);
}

static enum status commit_or_stop(struct whole *whole, enum status status) {
  /* also what was given up: until then the store refuses everything */
  if (status != STATUS_IO) status = outbox_commit(relay_store(&whole->relay));
  if (status == STATUS_IO) relay_store_failed(&whole->relay);
  return status;
}

/* Due times are of the wall clock, since they outlive this process; one that is set back must not make records wait. */
static enum status watch_clock(struct whole *whole) {
  enum { STEP_MS = 2000 };
  struct relay *relay = &whole->relay;
  int64_t now = relay_now(relay);
  int64_t ahead = now - whole->started_at - (relay_elapsed(relay) - whole->started_elapsed);
  int64_t back = whole->ahead - ahead;
  if (back > -STEP_MS && back < STEP_MS) return STATUS_OK;
  RELAY_LOG(relay, RELAY_WARNING, "clock-stepped", RELAY_NUMBER("ms", -back));
  enum status status = back < 0 ? STATUS_OK : commit_or_stop(whole, outbox_clock_back(relay_store(relay), now, back));
  if (status != STATUS_OK) return status; /* the next time */
  whole->ahead = ahead;
  if (back > 0) relay_kick(relay);
  return STATUS_OK;
}

enum { DAY_MS = 86400000, AWAY_DAYS_MAX = 7 };

/* So long after the last sweep, either the relay did not run, or the clock is wrong: then all that is kept would seem old. */
static void judge_start(struct whole *whole) {
  struct relay *relay = &whole->relay;
  char why[64];
  if (whole->start_judged) return;
  whole->start_judged = true;
  int64_t noted = outbox_clock(relay_store(relay)), days = (whole->started_at - noted) / DAY_MS;
  if (!noted || days < AWAY_DAYS_MAX) return;
  whole->noted = noted;
  (void)snprintf(why, sizeof why, "%lld days", (long long)days);
  relay_alert_why(relay, "clock-ahead", STR("store"), str_of(why));
}

/* It is believed when a server's agrees with it, or when all from before the start has become old while the relay ran. */
static void trust_clock(struct whole *whole) {
  struct relay *relay = &whole->relay;
  int64_t days = relay->config->keep_days > relay->config->dedupe_days ? relay->config->keep_days : relay->config->dedupe_days;
  if (!relay->clock_agrees && relay_elapsed(relay) - whole->started_elapsed < days * DAY_MS) return;
  whole->noted = 0;
  if (relay->clock_agrees) { /* it may have been wrong at the start, and was set since */
    whole->started_at = relay_now(relay);
    whole->started_elapsed = relay_elapsed(relay);
    whole->ahead = 0;
  }
  relay_alert(relay, "clock-agrees", STR("store"));
}

/* Not later than the time of the start, or that of the store when the former is not to be believed, and what has passed since: a clock
 * that jumps ahead must not make everything old. */
static int64_t sober_now(struct whole *whole) {
  if (whole->noted) trust_clock(whole);
  int64_t now = relay_now(&whole->relay);
  int64_t passed = (whole->noted ? whole->noted : whole->started_at) + relay_elapsed(&whole->relay) - whole->started_elapsed;
  return now < passed ? now : passed;
}

static enum status sweep(struct whole *whole) {
  const struct relay_config *config = whole->relay.config;
  struct outbox_swept swept;
  struct outbox_retention retention = {.done_ms = config->keep_days * DAY_MS, .dedupe_ms = config->dedupe_days * DAY_MS};
  judge_start(whole);
  enum status status = outbox_sweep(relay_store(&whole->relay), &retention, sober_now(whole), SWEEP_ROWS, &swept);
  status = commit_or_stop(whole, status);
  if (status != STATUS_OK) return status;
  if (swept.records || swept.keys || swept.events)
    RELAY_LOG(&whole->relay, RELAY_INFO, "swept", RELAY_NUMBER("records", (int64_t)swept.records),
              RELAY_NUMBER("keys", (int64_t)swept.keys), RELAY_NUMBER("events", (int64_t)swept.events));
  return STATUS_OK;
}

/* Once, as soon as it can be. */
static enum status watch_left(struct whole *whole) {
  enum status status = whole->left_told ? STATUS_OK : relay_tell_left(&whole->relay);
  whole->left_told = status == STATUS_OK;
  return status;
}

/* Each of them: what fails is tried again the next time. */
static void keep_up(struct whole *whole) {
  static const struct relay_tries_words words = {"not-kept-up", "what", "upkeep-fails", "upkeep-works"};
  const enum status all[] = {watch_clock(whole), sweep(whole), watch_store(whole), watch_left(whole)};
  enum status worst = STATUS_OK;
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (worst == STATUS_OK) worst = all[i];
  if (whole->relay.fatal == STATUS_OK) relay_note_try(&whole->relay, &whole->upkeeps, &words, STR("store"), worst);
}

static bool is_idle(const struct relay *relay) {
  size_t busy = relay_fiber_pool_busy(relay->fibers);
  return !busy && !relay_group_is_open(relay);
}

static void on_upkeep(evutil_socket_t socket, short what, void *context) {
  struct whole *whole = context;
  struct relay *relay = &whole->relay;
  (void)socket;
  (void)what;
  (void)malloc_trim(0); /* 64 handshakes at a time leave holes that are as large as all that is needed afterwards */
  relay_group_end(relay);
  if (relay->fatal != STATUS_OK || relay_group_is_open(relay)) return; /* the next time */
  keep_up(whole);
  relay_sockets_look(relay);
  relay_backup_look(whole->backup);
  if (is_idle(relay) && outbox_idle(relay_store(relay)) == STATUS_IO) relay_store_failed(relay);
}

/* No ping while one commit takes longer than this: a disk that hangs is a hang, though the loop goes on. */
static void on_watchdog(evutil_socket_t socket, short what, void *context) {
  enum { HANGS_MS = 10000 };
  const struct whole *whole = context;
  (void)socket;
  (void)what;
  if (relay_group_age(&whole->relay) < HANGS_MS) relay_show_life();
}

/* --- signals --- */

static size_t busy(const struct relay *relay) {
  size_t count = 0;
  for (size_t i = 0; i < relay->config->destination_count; i++)
    if (relay->senders[i]) count += relay_sender_busy(relay->senders[i]);
  return count;
}

static bool is_answering(const struct relay *relay) {
  for (size_t i = 0; i < RELAY_MLLP_MAX; i++)
    if (relay_listener_is_busy(relay->listeners[i])) return true;
  return false;
}

/* Nothing is under way, and nobody is owed an answer. */
static bool is_over(const struct relay *relay) {
  return !busy(relay) && !relay_group_is_open(relay) && !is_answering(relay) && !relay_mapper_is_busy(relay->mapper) &&
         !relay_mapper_is_busy(relay->messages);
}

static void on_deadline(evutil_socket_t socket, short what, void *context) {
  struct relay *relay = context;
  (void)socket;
  (void)what;
  if (busy(relay))
    RELAY_LOG(relay, RELAY_WARNING, "stopped-early", RELAY_NUMBER("under-way", (int64_t)busy(relay)));
  event_base_loopbreak(relay->base);
}

/* What is under way may end; what waits stays in the store. */
static void stop(struct whole *whole) {
  struct timeval most = {.tv_sec = STOP_SECONDS};
  if (whole->relay.stopping) event_base_loopbreak(whole->relay.base); /* asked twice */
  whole->relay.stopping = true;
  relay_notify("STOPPING=1");
  for (size_t i = 0; i < whole->relay.config->destination_count; i++)
    if (whole->relay.senders[i]) relay_sender_stop(whole->relay.senders[i]);
  for (size_t i = 0; i < RELAY_MLLP_MAX; i++)
    relay_listener_stop(whole->relay.listeners[i]);
  RELAY_LOG(&whole->relay, RELAY_INFO, "stopping", RELAY_NUMBER("under-way", (int64_t)busy(&whole->relay)));
  event_add(whole->deadline, &most);
}

/* What is read again: all of it, before any of it is used. */
struct fresh {
  const struct outbox_keys *in_use; /* of the store */
  struct relay_ways *ways;
  struct relay_tls *tls[RELAY_MLLP_MAX];
  bool other;       /* the configuration is not the one that it was started with */
  const char *what; /* is wrong, when something is */
};

/* It is used at the start only; but what would not start is told now, and not after the next power failure. */
static enum status read_configuration(const struct relay *relay, struct diag_list *diags, struct fresh *fresh) {
  struct relay_config *config = ARENA_NEW(diags->arena, struct relay_config);
  fresh->what = "configuration";
  if (!config) return STATUS_NOMEM;
  enum status status = relay_config_read(relay->config_path, relay->host, diags->arena, diags, config);
  fresh->other = status == STATUS_OK && !str_eq(config->source.text, relay->config->source.text);
  return status;
}

static bool has_key(const struct outbox_keys *keys, const struct outbox_keys *in_use) {
  size_t newest = in_use->count - 1;
  for (size_t i = 0; i < keys->count; i++)
    if (keys->ids[i] == in_use->ids[newest])
      return CRYPTO_memcmp(keys->keys[i], in_use->keys[newest], OUTBOX_KEY_BYTES) == 0;
  return false;
}

/* The same of the file of the store's key: it may be rotated, but what wraps the store now has to stay in it. */
static enum status check_key(const struct relay *relay, struct diag_list *diags, struct fresh *fresh) {
  struct source source = source_make(relay->config->key, (struct str){0});
  struct outbox_keys keys;
  fresh->what = "store-key";
  enum status status = outbox_keys_read(relay->config->key.ptr, diags->arena, diags, &keys);
  if (status != STATUS_OK) return status;
  bool has = has_key(&keys, fresh->in_use);
  outbox_keys_wipe(&keys);
  if (has) return STATUS_OK;
  diag_error(diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source},
             "the store key that is in use is not in its file any more: put it back, or the store cannot be opened at the next start");
  return STATUS_CONFIG;
}

static enum status read_again(const struct relay *relay, struct diag_list *diags, struct fresh *fresh) {
  enum status status = read_configuration(relay, diags, fresh);
  if (status == STATUS_OK) status = check_key(relay, diags, fresh);
  if (status != STATUS_OK) return status;
  fresh->what = "mappings";
  status = relay_ways_open(relay->config, relay->host, diags, &fresh->ways);
  for (size_t i = 0; status == STATUS_OK && i < relay->config->mllp_count; i++)
    status = relay_listener_read(relay->listeners[i], diags, &fresh->tls[i]);
  return status;
}

static void use(struct relay *relay, const struct fresh *fresh, const char *actor) {
  relay_ways_leave(relay->ways);
  relay->ways = fresh->ways;
  for (size_t i = 0; i < relay->config->mllp_count; i++)
    relay_listener_use(relay->listeners[i], fresh->tls[i]);
  RELAY_LOG(relay, RELAY_INFO, "reloaded", RELAY_NUMBER("destinations", (int64_t)fresh->ways->count));
  if (fresh->other) RELAY_LOG(relay, RELAY_WARNING, "restart-needed", RELAY_TEXT("what", STR("configuration")));
  relay_note(relay, "reloaded", actor, "SIGHUP");
  relay->decided = true;
  relay_kick(relay);
}

static void give_up(struct relay *relay, const struct fresh *fresh, const struct diag_list *diags, const char *actor) {
  relay_ways_leave(fresh->ways);
  for (size_t i = 0; i < RELAY_MLLP_MAX; i++)
    relay_tls_close(fresh->tls[i]);
  relay_log_faults(&relay->log, "not-reloaded", diags);
  relay_alert(relay, "reload-refused", str_of(fresh->what));
  relay_note(relay, "reload-refused", actor, "SIGHUP");
}

/* New maps, destinations and certificates, checked first: if anything is wrong with them the old ones stay. */
static void reload(struct whole *whole, const char *actor) {
  struct relay *relay = &whole->relay;
  struct fresh fresh = {.in_use = &whole->keys};
  struct arena *arena = arena_new(16 << 20);
  struct diag_list diags;
  if (!arena) {
    relay_alert(relay, "reload-refused", STR("memory"));
    return;
  }
  relay_notify("RELOADING=1");
  diag_list_init(&diags, arena);
  enum status status = read_again(relay, &diags, &fresh);
  if (status == STATUS_NOMEM) fresh.what = "memory"; /* nothing is known to be wrong */
  if (status == STATUS_OK)
    use(relay, &fresh, actor);
  else
    give_up(relay, &fresh, &diags, actor);
  relay_notify("READY=1");
  arena_free(arena);
}

static void on_signal(void *context, int number, uint32_t user) {
  struct whole *whole = context;
  char actor[ACTOR_BYTES];
  name_user(user, actor);
  if (number == SIGHUP) {
    reload(whole, actor);
    return;
  }
  memcpy(whole->stopper, actor, sizeof actor);
  whole->stopped_by = number == SIGTERM ? "SIGTERM" : "SIGINT";
  stop(whole);
}

/* --- opening --- */

static void free_event(struct event *event) {
  if (event) event_free(event);
}

static bool add_timer(struct whole *whole, struct event **out, event_callback_fn call, int64_t ms,
                      bool again) {
  *out = event_new(whole->relay.base, -1, again ? EV_PERSIST : 0, call, whole);
  return *out && (!ms || relay_wait_ms(*out, ms));
}

static bool add_events(struct whole *whole) {
  bool fine = add_timer(whole, &whole->upkeep, on_upkeep, UPKEEP_SECONDS * 1000, true);
  fine = fine && add_timer(whole, &whole->deadline, on_deadline, 0, false);
  int64_t alive = relay_watchdog_ms();
  return fine && (!alive || add_timer(whole, &whole->watchdog, on_watchdog, alive, true));
}

static size_t most_timers(const struct relay_config *config) {
  enum { OWN = 16 + RELAY_PROGRAMS_MAX, A_CONNECTION = 2, A_FOLDER = 1, A_LISTENER = 1, A_LINK = 1 };
  size_t most = OWN + A_CONNECTION * (size_t)config->max_connections + A_FOLDER * config->folder_count;
  for (size_t i = 0; i < config->mllp_count; i++)
    most += A_LISTENER + A_LINK * (size_t)config->mllps[i].max_connections;
  for (size_t i = 0; i < config->destination_count; i++)
    most += 1 + 2 * (size_t)config->destinations[i].in_flight; /* some under way, some ending */
  return most;
}

/* libevent takes room for timers as they come. Without memory one could not be set, and what waits for it
   would wait for ever, so the room is taken at the start; it is never given back. */
static bool reserve_timers(struct relay *relay) {
  struct timeval never_reached = {.tv_sec = 3600};
  size_t count = most_timers(relay->config);
  struct event **timers = calloc(count, sizeof *timers);
  bool fine = timers;
  for (size_t i = 0; fine && i < count; i++) {
    timers[i] = evtimer_new(relay->base, on_watchdog, NULL);
    fine = timers[i] && event_add(timers[i], &never_reached) == 0;
  }
  for (size_t i = 0; timers && i < count; i++)
    free_event(timers[i]);
  free(timers);
  return fine;
}

static enum status open_loop(struct whole *whole) {
  struct relay *relay = &whole->relay;
  relay->base = event_base_new();
  relay->records = arena_new(LIMIT_ARENA_BYTES);
  relay->record = arena_new(LIMIT_ARENA_BYTES);
  if (!relay->base || !relay->records || !relay->record || event_base_priority_init(relay->base, PRIORITIES) != 0 ||
      !reserve_timers(relay))
    return STATUS_NOMEM;
  enum status status = relay_signals_open(relay->base, on_signal, whole, &whole->signals);
  if (status == STATUS_OK) status = relay_group_open(relay);
  if (status == STATUS_OK) status = relay_fiber_pool_new(IDLE_FIBERS, &relay->fibers);
  if (status == STATUS_OK) status = delivery_loop_new(relay->base, CONNECTIONS, &relay->loop);
  if (status == STATUS_OK) status = relay_mapper_open(relay, &relay->mapper);
  if (status == STATUS_OK && relay->config->mllp_count) status = relay_mapper_open(relay, &relay->messages);
  if (status == STATUS_OK) status = relay_backup_open(relay, &whole->backup);
  return status == STATUS_OK && !add_events(whole) ? STATUS_NOMEM : status;
}

static struct outbox_params params_of(const struct whole *whole, bool accept_restored) {
  const struct relay_config *config = whole->relay.config;
  return (struct outbox_params){.host = whole->relay.host,
                                .folder = config->state.ptr,
                                .keys = &whole->keys,
                                .marker = config->marker.ptr,
                                .accept_restored = accept_restored,
                                .max_records = (size_t)config->max_records,
                                .reserve_bytes = (uint64_t)config->reserve_mib << 20};
}

static enum status open_store(struct whole *whole, bool accept_restored) {
  struct outbox_params params = params_of(whole, accept_restored);
  return outbox_open(&params, whole->diags, &whole->relay.outbox);
}

/* A socket or port that another process has is free again when that one ends, and no copy of a store. */
static enum status of_places(enum status status) {
  return status == STATUS_CONFLICT ? STATUS_RETRY : status;
}

static enum status open_ends(struct whole *whole) {
  struct relay *relay = &whole->relay;
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < relay->config->destination_count; i++)
    status = relay_sender_open(relay, i, &relay->senders[i]);
  for (size_t i = 0; status == STATUS_OK && i < relay->config->folder_count; i++)
    status = relay_folder_open(relay, &relay->config->folders[i], whole->diags, &relay->folders[i]);
  for (size_t i = 0; status == STATUS_OK && i < relay->config->mllp_count; i++)
    status = of_places(relay_listener_begin(relay->listeners[i], whole->diags));
  return status == STATUS_OK ? of_places(relay_http_open(relay, whole->diags)) : status;
}

static enum status check_listeners(struct whole *whole) {
  struct relay *relay = &whole->relay;
  enum status worst = STATUS_OK;
  for (size_t i = 0; i < relay->config->mllp_count; i++) {
    enum status status =
        relay_listener_new(relay, &relay->config->mllps[i], whole->diags, &relay->listeners[i]);
    if (worst == STATUS_OK) worst = status;
  }
  return worst;
}

/* Everything that can be wrong before anything is opened for writing; of a faulty configuration what could be read of it. */
static enum status check(struct whole *whole) {
  struct relay *relay = &whole->relay;
  enum status config = relay_config_read(relay->config_path, relay->host, relay->arena, whole->diags, relay->config);
  if (config == STATUS_NOMEM || !relay->config->source.text.len) return config;
  relay->log = (struct relay_log){.host = relay->host, .json = relay->config->json_log, .journal = relay_log_is_journal(), .lost = &whole->lines_lost};
  enum status keys =
      relay->config->key.len ? outbox_keys_read(relay->config->key.ptr, relay->arena, whole->diags, &whole->keys) : STATUS_CONFIG;
  enum status webhook = relay_webhook_open(relay, whole->diags, &relay->webhook);
  enum status ways = relay_ways_open(relay->config, relay->host, whole->diags, &relay->ways);
  if (ways == STATUS_INVALID)
    ways = STATUS_CONFIG; /* what is not JSON or no map is configuration here, not data */
  enum status listeners = check_listeners(whole);
  enum status places = relay_places_check(relay, whole->diags);
  enum status http = relay_http_check(relay, whole->diags);
  const enum status all[] = {config, keys, places, http, webhook, listeners, ways};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i] != STATUS_OK) return all[i];
  return STATUS_OK;
}

/* They would be told at the start, and wait: nothing is lost by it. */
static void warn_of_left(const struct whole *whole, const struct str *waiting, size_t count) {
  const struct relay *relay = &whole->relay;
  for (size_t i = 0; i < count; i++)
    if (!relay_config_destination(relay->config, waiting[i]))
      diag_warning(whole->diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &relay->config->source},
                   "the store has records for %.*s, and there is no [destination] of that name: they wait until it is there again, or somebody drops them",
                   STR_ARG(diag_quote(whole->diags->arena, waiting[i])));
}

/* The store too, with whatever else is wrong: a relay may have it open. */
static enum status look_at_store(struct whole *whole, enum status status) {
  const struct relay_config *config = whole->relay.config;
  struct outbox_params params = params_of(whole, false);
  if (!config->state.len || !whole->keys.count) return status;
  struct str *waiting = NULL;
  size_t count = 0;
  enum status store = outbox_look(&params, whole->diags, &waiting, &count);
  if (config->destination_count) warn_of_left(whole, waiting, count);
  return status == STATUS_OK ? store : status;
}

static enum status open_all(struct whole *whole) {
  enum status status = open_store(whole, false);
  if (status == STATUS_OK) status = open_loop(whole);
  return status == STATUS_OK ? open_ends(whole) : status;
}

/* --- closing --- */

static void close_ends(struct relay *relay) {
  console_close(relay->console);
  for (size_t i = 0; i < RELAY_FOLDERS_MAX; i++)
    relay_folder_close(relay->folders[i]);
  for (size_t i = 0; i < RELAY_MLLP_MAX; i++)
    relay_listener_close(relay->listeners[i]);
  for (size_t i = 0; i < RELAY_DESTINATIONS_MAX; i++)
    relay_sender_close(relay->senders[i]);
}

/* A delivery that is still under way keeps its stack and memory: the process ends with it. */
static void close_all(struct whole *whole) {
  struct relay *relay = &whole->relay;
  relay->closing = true;
  if (relay->base && relay->commit) relay_group_end(relay); /* nobody waits for the store any more */
  relay_backup_close(whole->backup);
  relay_mapper_close(relay->mapper);
  relay_mapper_close(relay->messages);
  if (relay->base && relay->commit) relay_group_close(relay);
  bool under_way = relay->fibers && relay_fiber_pool_busy(relay->fibers);
  if (!under_way) close_ends(relay);
  relay_signals_close(whole->signals);
  free_event(whole->upkeep);
  free_event(whole->watchdog);
  free_event(whole->deadline);
  outbox_close(relay->outbox);
  outbox_keys_wipe(&whole->keys);
  if (under_way) {
    relay_webhook_close(relay->webhook); /* what was not taken is told all the same; the loop turns no more */
    return;
  }
  delivery_loop_free(relay->loop);
  relay_webhook_close(relay->webhook);
  relay_programs_close(relay);
  relay_fiber_pool_free(relay->fibers);
  if (relay->base) event_base_free(relay->base);
  relay_ways_leave(relay->ways);
  arena_free(relay->records);
  arena_free(relay->record);
}

/* --- running --- */

static void note_start(struct relay *relay) {
  char actor[ACTOR_BYTES];
  name_user(getuid(), actor);
  relay_note(relay, "started", actor, "");
}

/* It delivers nothing: what it does after this is the service's, in its sandbox. */
static enum status accept_copy(struct whole *whole) {
  struct relay *relay = &whole->relay;
  char actor[ACTOR_BYTES];
  harden();
  name_user(getuid(), actor);
  enum status status = open_store(whole, true);
  if (status == STATUS_OK)
    status = outbox_audit(relay->outbox, STR("started"), str_of(actor), STR("accept-restored"), relay_now(relay));
  return status == STATUS_OK ? outbox_commit(relay->outbox) : status;
}

static enum status run(struct whole *whole) {
  struct relay *relay = &whole->relay;
  harden();
  raise_descriptors();
  append_log();
  enum status status = open_all(whole);
  if (status != STATUS_OK) return status;
  relay->due = true; /* not before everything is open: what is claimed is to go */
  note_start(relay);
  RELAY_LOG(relay, RELAY_INFO, "started", RELAY_NUMBER("destinations", (int64_t)relay->ways->count),
            RELAY_NUMBER("folders", (int64_t)relay->config->folder_count),
            RELAY_NUMBER("listeners", (int64_t)relay->config->mllp_count));
  (void)watch_left(whole); /* else with the upkeep */
  relay_notify("READY=1");
  relay->log.gathered = &whole->lines;
  while (relay->fatal == STATUS_OK && !(relay->stopping && is_over(relay))) {
    int turned = event_base_loop(relay->base, EVLOOP_ONCE);
    relay_log_flush(&relay->log);
    if (turned != 0 || event_base_got_break(relay->base)) break;
  }
  relay->log.gathered = NULL;
  if (relay->fatal == STATUS_OK) relay_note(relay, "stopped", whole->stopper, whole->stopped_by ? whole->stopped_by : "");
  RELAY_LOG(relay, RELAY_INFO, "stopped", RELAY_TEXT("status", str_of(status_name(relay->fatal))));
  return relay->fatal;
}

enum status relay_run(const struct relay_params *params, struct diag_list *diags) {
  struct whole *whole = calloc(1, sizeof *whole);
  if (!whole) return STATUS_NOMEM;
  struct relay *relay = &whole->relay;
  whole->diags = diags;
  relay->host = params->host;
  relay->config_path = params->config;
  whole->started_at = relay_now(relay);
  whole->started_elapsed = relay_elapsed(relay);
  relay->arena = arena_new(16 << 20);
  relay->config = relay->arena ? ARENA_NEW(relay->arena, struct relay_config) : NULL;
  enum status status = relay->config ? base_crypto_begin() : STATUS_NOMEM;
  if (status == STATUS_OK) status = check(whole);
  if (params->check && status != STATUS_NOMEM) status = look_at_store(whole, status);
  if (status == STATUS_OK && !params->check) status = params->accept_restored ? accept_copy(whole) : run(whole);
  close_all(whole);
  arena_free(relay->arena);
  free(whole);
  return status;
}
