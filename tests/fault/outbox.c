/*
 * outbox.c - drives a store for the fault tests.
 *
 *   outbox run FOLDER STEPS    makes so many steps of a workload that is the same each time: -1 stands for all of them. Each is
 *                              one group: what it changes is there as a whole, or not at all. Says on stdout what it was
 *                              promised, each line written when it is durable: "did N", at first 0: the store is open;
 *                              "key N": of the store keys only those from N on are needed; "copy N": FOLDER/copy is the
 *                              store as it was after step N, or later; "wrong …"; and "end"
 *   outbox verify              reads lines "FOLDER KEY" from stdin, opens each with the store keys from KEY on, and prints a
 *                              line for each: "ok" and all that it holds and what can be done with it, or what is wrong
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "outbox/outbox.h"

enum { LANES = 3, SUBJECTS = 4, RECORDS = 60, ROWS_MAX = 1000, KEYS = 2, PLACES = 90, FILLER = 5000 };
#define DAY INT64_C(86400000)
#define BEGIN INT64_C(1900000000000) /* no wall clock: the same each time */

struct driver {
  struct outbox *outbox;
  struct outbox_keys keys;
  struct arena *arena;
  struct diag_list diags;
  const char *folder;
  int64_t now;
  int next, step; /* record, step */
  struct outbox_claim claim; /* id 0: none; of its label only the number is kept */
  int claimed, ends;
  struct outbox_backup *copy;
  int copied_from;
};

static void say(const char *what, int number) {
  char line[64];
  int len = snprintf(line, sizeof line, "%s %d\n", what, number);
  if (write(STDOUT_FILENO, line, (size_t)len) != len) _exit(9);
}

/* The store keys from `first` on. */
static void make_keys(struct driver *driver, uint32_t first, uint32_t last) {
  driver->keys.count = 0;
  for (uint32_t id = first; id <= last; id++) {
    memset(driver->keys.keys[driver->keys.count], (int)(6 + id), OUTBOX_KEY_BYTES);
    driver->keys.ids[driver->keys.count++] = id;
  }
}

static enum status open_store(struct driver *driver, const char *folder) {
  /* few pages, so that checkpoints happen in the middle too */
  struct outbox_params params = {.host = host_system(),
                                 .folder = folder,
                                 .keys = &driver->keys,
                                 .accept_restored = true,
                                 .reserve_bytes = 1,
                                 .checkpoint_pages = 60};
  arena_reset(driver->arena);
  diag_list_init(&driver->diags, driver->arena);
  driver->now = BEGIN;
  return outbox_open(&params, &driver->diags, &driver->outbox);
}

static void close_store(struct driver *driver) {
  outbox_close(driver->outbox);
  driver->outbox = NULL;
}

/* --- accepting --- */

/* Every other one is such as nothing makes shorter, and takes pages of its own. */
static void fill(char *filler, int number) {
  uint32_t state = (uint32_t)number;
  memset(filler, 'x', FILLER);
  for (size_t i = 0; number % 2 && i < FILLER; i++)
    filler[i] = (char)((state = state * 1664525 + 1013904223) >> 24);
}

/* Some are parked from the start, some are of a revision that has been passed; which, its number says. */
static enum status accept(struct driver *driver, int number, enum outbox_answer *answer) {
  char filler[FILLER], label[16], lane[16], subject[16];
  fill(filler, number);
  snprintf(label, sizeof label, "%d", number);
  snprintf(lane, sizeof lane, "lane-%d", number % LANES);
  snprintf(subject, sizeof subject, "S-%d", number % SUBJECTS);
  struct outbox_item item = {.destination = STR("ehr"),
                             .lane = str_of(lane),
                             .kind = STR("record"),
                             .label = str_of(label),
                             .subject = number % 2 ? str_of(subject) : STR(""),
                             .revision = number % 5 == 2 ? 1 : number,
                             .parked = number % 11 == 6 ? STR("unmapped") : STR(""),
                             .blocks = number % 2,
                             .payload = str_make(filler, sizeof filler)};
  struct outbox_message message = {.source = STR("test"),
                                   .control = str_of(label),
                                   .content = str_of(label),
                                   .items = &item,
                                   .item_count = 1};
  return outbox_accept(driver->outbox, &message, driver->now, &driver->diags, answer, NULL);
}

/* In the middle of a group, as people ask; who gets no answer for want of memory asks again some time. */
static void ask(struct driver *driver) {
  struct outbox_filter filter = {.limit = 4};
  struct outbox_row *rows;
  struct str payload;
  size_t count = 0;
  enum status status = outbox_list(driver->outbox, &filter, driver->arena, &rows, &count);
  if (status == STATUS_OK && count) status = outbox_payload(driver->outbox, rows[count - 1].id, driver->arena, &payload);
  (void)status;
}

static enum status accept_two(struct driver *driver) {
  enum outbox_answer answer;
  enum status status = STATUS_OK;
  for (int i = 0; status == STATUS_OK && i < 2; i++) {
    status = accept(driver, driver->next++, &answer);
    if (status == STATUS_OK) ask(driver);
  }
  return status;
}

/* --- delivering --- */

static enum status claim_one(struct driver *driver) {
  enum status status = outbox_claim(driver->outbox, STR("ehr"), driver->now, driver->arena, &driver->claim);
  driver->claimed = status == STATUS_OK ? atoi(driver->claim.label.ptr) : 0;
  if (status != STATUS_OK) driver->claim.id = 0;
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Of a record, and of its lane: the latter's version is the record that was delivered last. */
static void place_of(int number, bool of_lane, struct arena *arena, struct outbox_placed *out) {
  const char *what = of_lane ? "Patient" : "Encounter";
  *out = (struct outbox_placed){.key = arena_printf(arena, "%s-%d/%s", of_lane ? "P" : "S", number, what),
                                .identifier = arena_printf(arena, "urn:%s:%d", what, number),
                                .place.location = arena_printf(arena, "%s/%d", what, number)};
}

static enum status put_places(struct driver *driver, int number) {
  struct outbox_placed placed[2];
  place_of(number, false, driver->arena, &placed[0]);
  place_of(number % LANES, true, driver->arena, &placed[1]);
  for (int i = 0; i < 2; i++) {
    placed[i].place.etag = arena_printf(driver->arena, "%d", number);
    if (!placed[i].key.ptr || !placed[i].identifier.ptr || !placed[i].place.location.ptr || !placed[i].place.etag.ptr)
      return STATUS_NOMEM;
  }
  return outbox_ledger_put(driver->outbox, STR("ehr"), placed, 2, driver->now);
}

/* How attempts end, one after the other. */
static const struct outbox_outcome ends[] = {
    {.state = OUTBOX_DONE, .http_status = 200},
    {.state = OUTBOX_PARKED, .http_status = 422, .fault = true},
    {.state = OUTBOX_DONE, .http_status = 201},
    {.state = OUTBOX_UNKNOWN},
    {.state = OUTBOX_QUEUED, .http_status = 503, .fault = true},
    {.state = OUTBOX_PARKED, .http_status = 400, .blocks = true},
};

static enum status end_one(struct driver *driver) {
  if (!driver->claim.id) return STATUS_OK;
  struct outbox_outcome outcome = ends[(size_t)driver->ends++ % (sizeof ends / sizeof ends[0])];
  outcome.reason = arena_printf(driver->arena, "http-%d", outcome.http_status);
  if (!outcome.reason.ptr) return STATUS_NOMEM;
  enum status status = outbox_finish(driver->outbox, driver->claim.id, &outcome, driver->now);
  if (status == STATUS_OK && outcome.state == OUTBOX_DONE) status = put_places(driver, driver->claimed);
  driver->claim.id = 0;
  return status;
}

/* As the relay does it: an end, and what takes its place. */
static enum status end_and_claim(struct driver *driver) {
  enum status status = end_one(driver);
  return status == STATUS_OK ? claim_one(driver) : status;
}

/* A family of more places than one row takes. */
static void family_place(int number, struct arena *arena, struct outbox_placed *out) {
  *out = (struct outbox_placed){.key = arena_printf(arena, "F-1/doses/A%d", number),
                                .identifier = arena_printf(arena, "urn:dose:%d", number),
                                .place.location = arena_printf(arena, "Dose/%d", number)};
}

static enum status put_family(struct driver *driver) {
  struct outbox_placed *placed = ARENA_ARRAY(driver->arena, struct outbox_placed, PLACES);
  struct str etag = arena_printf(driver->arena, "%d", driver->step);
  if (!placed || !etag.ptr) return STATUS_NOMEM;
  for (int i = 0; i < PLACES; i++) {
    family_place(i + driver->step, driver->arena, &placed[i]);
    placed[i].place.etag = etag;
    if (!placed[i].key.ptr || !placed[i].identifier.ptr || !placed[i].place.location.ptr) return STATUS_NOMEM;
  }
  return outbox_ledger_put(driver->outbox, STR("ehr"), placed, PLACES, driver->now);
}

/* --- decisions: of all that a filter finds, in one group --- */

static enum status decide(struct driver *driver, const struct outbox_filter *filter, enum outbox_order order) {
  struct outbox_row *rows;
  size_t count = 0;
  enum status status = outbox_list(driver->outbox, filter, driver->arena, &rows, &count);
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    status = outbox_decide(driver->outbox, rows[i].id, order, STR(""), STR("ada"), driver->now);
    if (status == STATUS_CONFLICT) status = STATUS_OK;
  }
  return status;
}

static enum status retry_refused(struct driver *driver) {
  struct outbox_filter filter = {.by_state = true, .state = OUTBOX_PARKED, .reason = STR("http-422")};
  return decide(driver, &filter, OUTBOX_RETRY);
}

static enum status retry_all(struct driver *driver) {
  struct outbox_filter filter = {.by_state = true, .state = OUTBOX_PARKED};
  return decide(driver, &filter, OUTBOX_RETRY);
}

static enum status drop_older(struct driver *driver) {
  struct outbox_filter filter = {.by_state = true, .state = OUTBOX_PARKED, .reason = STR(OUTBOX_OLDER)};
  return decide(driver, &filter, OUTBOX_DROP);
}

static enum status park_some(struct driver *driver) {
  struct outbox_filter filter = {.by_state = true, .state = OUTBOX_QUEUED, .limit = 3};
  return decide(driver, &filter, OUTBOX_PARK);
}

static enum status pass_all(struct driver *driver) {
  struct outbox_filter filter = {.by_state = true, .state = OUTBOX_PARKED};
  return decide(driver, &filter, OUTBOX_PASS);
}

static enum status drop_some(struct driver *driver) {
  struct outbox_filter filter = {.by_state = true, .state = OUTBOX_QUEUED, .limit = 3};
  return decide(driver, &filter, OUTBOX_DROP);
}

/* --- upkeep --- */

/* All that is old enough at once: duplicate keys stand by what nobody knows, so which of them are the first is another each time. */
static enum status sweep(struct driver *driver) {
  struct outbox_retention retention = {.done_ms = DAY, .dedupe_ms = 30 * DAY};
  struct outbox_swept swept;
  driver->now += 31 * DAY;
  return outbox_sweep(driver->outbox, &retention, driver->now, ROWS_MAX, &swept);
}

/* Half of what there is of the trail is elsewhere; the next sweep takes it away. */
static enum status shorten(struct driver *driver) {
  struct outbox_event *events;
  size_t count = 0;
  enum status status =
      outbox_audit_read(driver->outbox, 0, ROWS_MAX, driver->arena, &driver->diags, &events, &count);
  if (status != STATUS_OK || !count) return status;
  return outbox_audit_exported(driver->outbox, events[count / 2].number, STR("ada"), driver->now);
}

static enum status idle(struct driver *driver) {
  return outbox_idle(driver->outbox);
}

static enum status set_clock_back(struct driver *driver) {
  driver->now -= 1000;
  enum status status = outbox_clock_back(driver->outbox, driver->now, 1000);
  return status == STATUS_OK ? outbox_audit(driver->outbox, STR("clock-back"), STR("ada"), STR("test"), driver->now) : status;
}

/* The store key is another when the store is opened again. */
static enum status rotate(struct driver *driver) {
  int64_t now = driver->now;
  close_store(driver);
  make_keys(driver, 1, 2);
  enum status status = open_store(driver, driver->folder);
  driver->now = now;
  if (status == STATUS_OK) say("key", 2);
  return status;
}

/* What a group has changed is as it was when the group is given up. */
static enum status give_up(struct driver *driver) {
  driver->claim.id = 0;
  int next = driver->next, ended = driver->ends;
  enum status status = claim_one(driver);
  if (status == STATUS_OK) status = end_one(driver);
  if (status == STATUS_OK) status = accept_two(driver);
  if (status == STATUS_OK) status = put_family(driver);
  if (status == STATUS_OK) status = put_places(driver, 1);
  if (status == STATUS_OK) status = retry_all(driver);
  outbox_abandon(driver->outbox);
  driver->claim.id = 0;
  driver->next = next;
  driver->ends = ended;
  return status;
}

static const char *path_of(struct driver *driver, const char *name) {
  return arena_printf(driver->arena, "%s/%s", driver->folder, name).ptr;
}

static enum status copy_begin(struct driver *driver) {
  const char *path = path_of(driver, "copy");
  driver->copied_from = driver->step;
  return path ? outbox_backup_begin(driver->outbox, path, &driver->diags, &driver->copy) : STATUS_NOMEM;
}

static enum status copy_step(struct driver *driver) {
  enum status status = outbox_backup_step(driver->copy, 0, &driver->diags);
  return status == STATUS_RETRY ? STATUS_OK : status;
}

/* The name is as durable as the copy before anybody is told. */
static enum status copy_end(struct driver *driver) {
  enum status status;
  while ((status = outbox_backup_step(driver->copy, 4, &driver->diags)) == STATUS_RETRY)
    usleep(200);
  outbox_backup_end(driver->copy);
  driver->copy = NULL;
  int folder = status == STATUS_OK ? open(driver->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (folder < 0) return status == STATUS_OK ? STATUS_IO : status;
  if (fsync(folder) != 0) status = STATUS_IO;
  close(folder);
  if (status == STATUS_OK) say("copy", driver->copied_from);
  return status;
}

/* --- run --- */

static enum status (*const workload[])(struct driver *driver) = {
    accept_two, accept_two, claim_one,   end_and_claim, accept_two,     end_and_claim, park_some,     retry_refused,
    put_family, end_and_claim, accept_two, end_and_claim, rotate,       claim_one,     pass_all,      end_and_claim,
    give_up,    accept_two, idle,        claim_one,     end_and_claim,  drop_older,    copy_begin,    end_one,
    copy_step,  put_family, accept_two,  claim_one,     copy_end,       shorten,       end_and_claim, set_clock_back,
    retry_all,  sweep,      end_and_claim, accept_two,  end_and_claim,  drop_some,     sweep,         end_one,
    put_family, give_up,    accept_two,  claim_one,     shorten,        sweep,         end_one,       idle,
};
enum { STEPS = sizeof workload / sizeof workload[0] };

/* The store counts its records as it changes them: they must be as many as there are. */
static bool counts_right(struct driver *driver) {
  struct outbox_filter filter = {.limit = ROWS_MAX};
  struct outbox_row *rows;
  struct outbox_stats stats;
  size_t count = 0;
  if (outbox_list(driver->outbox, &filter, driver->arena, &rows, &count) != STATUS_OK) return true; /* nothing is known */
  if (outbox_stats(driver->outbox, (struct str){0}, &stats) != STATUS_OK) return true;
  for (size_t i = 0; i < count; i++)
    stats.by_state[rows[i].state]--;
  for (size_t state = 0; state < OUTBOX_STATES; state++)
    if (stats.by_state[state]) return false;
  return true;
}

/* Every other group as the relay does it: the store is asked before the disk is waited for. */
static enum status make_durable(struct driver *driver) {
  if (driver->step % 2) return outbox_commit(driver->outbox);
  enum status status = outbox_write(driver->outbox);
  if (status != STATUS_OK) return status;
  ask(driver);
  return outbox_sync(driver->outbox);
}

/* Without room nothing of the group counts: it is made once more, and stands as if that had not been. */
static enum status make_group(struct driver *driver) {
  struct driver before = *driver;
  enum status status = workload[driver->step - 1](driver);
  if (status == STATUS_OK) status = make_durable(driver);
  bool again = status == STATUS_LIMIT && driver->copy == before.copy;
  if (!again) return status;
  say("full", driver->step);
  *driver = before;
  status = workload[driver->step - 1](driver);
  return status == STATUS_OK ? make_durable(driver) : status;
}

static enum status take_step(struct driver *driver) {
  arena_reset(driver->arena);
  diag_list_init(&driver->diags, driver->arena);
  driver->now += 1000;
  enum status status = make_group(driver);
  if (status == STATUS_OK) say("did", driver->step);
  if (status == STATUS_OK && !counts_right(driver)) say("wrong counts", driver->step);
  return status;
}

static int run(struct driver *driver, const char *folder, int steps) {
  make_keys(driver, 1, 1);
  driver->folder = folder;
  enum status status = open_store(driver, folder);
  if (status == STATUS_OK) say("did", 0);
  if (steps < 0 || steps > STEPS) steps = STEPS;
  for (driver->step = 1; status == STATUS_OK && driver->step <= steps; driver->step++)
    status = take_step(driver);
  if (status == STATUS_OK) say("end", driver->step - 1);
  outbox_backup_end(driver->copy);
  close_store(driver);
  return status == STATUS_OK ? 0 : 10 + (int)status;
}

/* --- verify --- */

static uint64_t digest(uint64_t digest, struct str text) {
  for (size_t i = 0; i < text.len; i++)
    digest = (digest ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
  return (digest ^ text.len) * UINT64_C(1099511628211);
}

static const char *print_rows(struct driver *driver) {
  struct outbox_filter filter = {.limit = ROWS_MAX};
  struct outbox_row *rows;
  struct outbox_attempt *attempts;
  size_t count, ended;
  if (outbox_list(driver->outbox, &filter, driver->arena, &rows, &count) != STATUS_OK) return "cannot be listed";
  for (size_t i = 0; i < count; i++) {
    const struct outbox_row *row = &rows[i];
    if (outbox_attempts(driver->outbox, row->id, driver->arena, &attempts, &ended) != STATUS_OK) return "attempts cannot be read";
    printf(" %lld/%.*s:%s:%.*s:%u+%zu:%u%s", (long long)row->id, STR_ARG(row->label), outbox_state_name(row->state),
           STR_ARG(row->reason), row->attempts, ended, row->faults, row->blocks ? ":blocks" : "");
  }
  return counts_right(driver) ? NULL : "it does not count right";
}

/* NULL: read, or not there. */
static const char *print_place(struct driver *driver, const struct outbox_placed *placed, uint64_t *all) {
  struct outbox_place got;
  enum status status = outbox_ledger_get(driver->outbox, STR("ehr"), placed->key, placed->identifier, driver->arena, &got);
  if (status == STATUS_NOT_FOUND) return NULL;
  if (status != STATUS_OK) return "a place does not open";
  if (!str_eq(got.location, placed->place.location)) return "a place is another's";
  if (!all) printf(" %.*s=%.*s", STR_ARG(got.location), STR_ARG(got.etag));
  if (all) *all = digest(digest(*all, got.location), got.etag);
  return NULL;
}

static const char *print_ledger(struct driver *driver) {
  struct outbox_placed placed;
  const char *fault = NULL;
  uint64_t family = 0;
  for (int i = 0; !fault && i < RECORDS + LANES; i++) {
    place_of(i < RECORDS ? i : i - RECORDS, i >= RECORDS, driver->arena, &placed);
    fault = print_place(driver, &placed, NULL);
  }
  for (int i = 0; !fault && i < PLACES + STEPS; i++) {
    family_place(i, driver->arena, &placed);
    fault = print_place(driver, &placed, &family);
  }
  printf(" family=%llx", (unsigned long long)family);
  return fault;
}

/* Its words, not its times. */
static const char *print_trail(struct driver *driver) {
  struct outbox_event *events;
  size_t count;
  uint64_t words = 0;
  if (outbox_audit_read(driver->outbox, 0, ROWS_MAX, driver->arena, &driver->diags, &events, &count) != STATUS_OK)
    return "the trail is broken";
  for (size_t i = 0; i < count; i++) {
    struct str record = arena_printf(driver->arena, "%lld", (long long)events[i].record);
    words = digest(digest(digest(digest(words, record), events[i].what), events[i].actor), events[i].reason);
  }
  printf(" trail=%lld-%lld:%llx", count ? (long long)events[0].number : 0, count ? (long long)events[count - 1].number : 0,
         (unsigned long long)words);
  return NULL;
}

static bool is_as_accepted(const struct outbox_claim *claim) {
  char filler[FILLER];
  if (!str_is(claim->kind, "record")) return true; /* of a store that was made by other hands */
  fill(filler, atoi(claim->label.ptr));
  return str_eq(claim->payload, str_make(filler, sizeof filler));
}

/* Everything that can be delivered is, in its order: what is left must stand behind something. In a group that is given up. */
static const char *print_drained(struct driver *driver) {
  struct outbox_outcome outcome = {.state = OUTBOX_DONE, .reason = STR("http-200"), .http_status = 200};
  struct outbox_claim claim;
  enum status status;
  size_t left = 0;
  int64_t later = BEGIN + 10000 * DAY;
  printf(" drained=");
  while ((status = outbox_claim(driver->outbox, STR("ehr"), later, driver->arena, &claim)) == STATUS_OK) {
    bool aside = claim.set_aside && strcmp(claim.set_aside_why, OUTBOX_OLDER) != 0;
    if (aside || !is_as_accepted(&claim)) return "a payload is not what was accepted";
    printf("%.*s%s,", STR_ARG(claim.label), claim.unknown ? "?" : "");
    if (outbox_finish(driver->outbox, claim.id, &outcome, later) != STATUS_OK) return "a record cannot be ended";
  }
  if (status != STATUS_NOT_FOUND || outbox_waiting(driver->outbox, STR("ehr"), &left) != STATUS_OK) return "nothing can be claimed";
  printf(" left=%zu", left);
  return counts_right(driver) ? NULL : "it does not count right";
}

/* Which messages it knows. */
static const char *print_known(struct driver *driver) {
  printf(" known=");
  for (int number = 0; number < RECORDS; number++) {
    enum outbox_answer answer;
    if (accept(driver, number, &answer) != STATUS_OK) return "nothing is accepted";
    printf("%d", answer == OUTBOX_AGAIN);
  }
  return NULL;
}

static const char *verify_open(struct driver *driver) {
  static const char *(*const looks[])(struct driver *driver) = {print_rows, print_ledger, print_trail, print_drained, print_known};
  const char *fault = NULL;
  printf("ok");
  for (size_t i = 0; !fault && i < sizeof looks / sizeof looks[0]; i++)
    fault = looks[i](driver);
  outbox_abandon(driver->outbox);
  return fault;
}

static void verify(struct driver *driver, const char *folder, uint32_t key) {
  make_keys(driver, key, KEYS);
  enum status status = open_store(driver, folder);
  const char *fault = NULL;
  if (status == STATUS_OK) fault = verify_open(driver);
  if (status != STATUS_OK)
    printf("cannot be opened: %s %.*s", status_name(status), STR_ARG(driver->diags.first ? driver->diags.first->message : STR("")));
  printf("%s%s\n", fault ? " but " : "", fault ? fault : "");
  close_store(driver);
  fflush(stdout);
}

int main(int count, char **arguments) {
  struct driver driver = {.arena = arena_new(64 << 20)};
  char line[512];
  int result = 0;
  if (!driver.arena) return 3;
  if (count == 4 && strcmp(arguments[1], "run") == 0) {
    result = run(&driver, arguments[2], atoi(arguments[3]));
  } else if (count == 2 && strcmp(arguments[1], "verify") == 0) {
    while (fgets(line, sizeof line, stdin)) {
      char *gap = strchr(line, ' ');
      if (gap) *gap = '\0';
      verify(&driver, line, gap ? (uint32_t)atoi(gap + 1) : 1);
    }
  } else {
    result = 2;
  }
  arena_free(driver.arena);
  return result;
}
