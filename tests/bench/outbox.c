/*
 * outbox.c - what it costs to be certain: records of 4 kB accepted one by one and in groups, and passed on,
 * beside what the same disk gives to an append with fdatasync and to SQLite alone, in one run.
 *
 *   bench_outbox [RECORDS [QUEUED]]
 *
 * QUEUED records are then left in the store and it is opened again, as after the end of the process.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>
#include "bench.h"
#include "outbox/outbox.h"

enum { BYTES = 4096, GROUP = 64 };

struct bench {
  char folder[64];
  struct outbox_keys keys;
  struct outbox *outbox;
  struct arena *arena;
  struct diag_list diags;
  char payload[BYTES];
  int next;
};

static void give_up(const char *what) {
  fprintf(stderr, "bench_outbox: %s failed\n", what);
  exit(1);
}

static double per_second(int count, int64_t from) {
  return count / ((double)(bench_now() - from) / 1e9);
}

/* --- the limits of the machine --- */

static double append(const struct bench *bench, int count) {
  char path[128];
  snprintf(path, sizeof path, "%s/append", bench->folder);
  int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || posix_fallocate(file, 0, (off_t)count * BYTES) != 0) give_up("append");
  int64_t from = bench_now();
  for (int i = 0; i < count; i++)
    if (pwrite(file, bench->payload, BYTES, (off_t)i * BYTES) != BYTES || fdatasync(file) != 0)
      give_up("append");
  double rate = per_second(count, from);
  close(file);
  unlink(path);
  return rate;
}

static double sqlite_alone(const struct bench *bench, int count, int group) {
  char path[128];
  sqlite3 *db = NULL;
  sqlite3_stmt *insert = NULL;
  snprintf(path, sizeof path, "%s/alone-%d.db", bench->folder, group);
  if (sqlite3_open(path, &db) != SQLITE_OK ||
      sqlite3_exec(db,
                   "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE "
                   "TABLE t(id INTEGER PRIMARY KEY, b BLOB)",
                   NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_prepare_v2(db, "INSERT INTO t(b) VALUES (?1)", -1, &insert, NULL) != SQLITE_OK)
    give_up("sqlite");
  int64_t from = bench_now();
  for (int i = 0; i < count; i++) {
    if (i % group == 0) sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    sqlite3_bind_blob(insert, 1, bench->payload, BYTES, SQLITE_STATIC);
    if (sqlite3_step(insert) != SQLITE_DONE) give_up("sqlite");
    sqlite3_reset(insert);
    if (i % group == group - 1 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
      give_up("sqlite");
  }
  double rate = per_second(count, from);
  sqlite3_finalize(insert);
  sqlite3_close(db);
  unlink(path);
  return rate;
}

/* --- ours --- */

static void open_store(struct bench *bench) {
  struct outbox_params params = {.host = host_system(), .folder = bench->folder, .keys = &bench->keys};
  diag_list_init(&bench->diags, bench->arena);
  if (outbox_open(&params, &bench->diags, &bench->outbox) != STATUS_OK) give_up("outbox_open");
}

static void accept(struct bench *bench) {
  char name[32], lane[32];
  enum outbox_answer answer;
  snprintf(name, sizeof name, "S-%09d", bench->next);
  snprintf(lane, sizeof lane, "MRN-%d", bench->next++ % 1000);
  memcpy(bench->payload, name, strlen(name));
  struct outbox_item item = {.destination = STR("ehr"),
                             .lane = str_of(lane),
                             .kind = STR("bundle"),
                             .label = str_of(name),
                             .payload = str_make(bench->payload, BYTES)};
  struct outbox_message message = {.source = STR("clinic"),
                                   .control = str_of(name),
                                   .content = item.payload,
                                   .items = &item,
                                   .item_count = 1};
  if (outbox_accept(bench->outbox, &message, 1, &bench->diags, &answer, NULL) != STATUS_OK)
    give_up("outbox_accept");
}

static double accept_many(struct bench *bench, int count, int group) {
  int64_t from = bench_now();
  for (int i = 0; i < count; i++) {
    accept(bench);
    if (i % group == group - 1 && outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  }
  if (outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  return per_second(count, from);
}

/* Groups of claims, committed before anything would be sent, then of outcomes. */
static double pass_on(struct bench *bench, int count) {
  struct outbox_claim claims[GROUP];
  struct outbox_outcome done = {.state = OUTBOX_DONE, .reason = STR("http-200"), .http_status = 200};
  int passed = 0;
  int64_t from = bench_now();
  while (passed < count) {
    int taken = 0;
    arena_reset(bench->arena);
    while (taken < GROUP &&
           outbox_claim(bench->outbox, STR("ehr"), 2, bench->arena, &claims[taken]) == STATUS_OK)
      taken++;
    if (!taken || outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_claim");
    for (int i = 0; i < taken; i++)
      if (outbox_finish(bench->outbox, claims[i].id, &done, 2) != STATUS_OK) give_up("outbox_finish");
    passed += taken;
  }
  if (outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  return per_second(passed, from);
}

static double reopen_ms(struct bench *bench) {
  outbox_close(bench->outbox);
  int64_t from = bench_now();
  struct outbox_claim claim;
  open_store(bench);
  if (outbox_claim(bench->outbox, STR("ehr"), 2, bench->arena, &claim) != STATUS_OK) give_up("outbox_claim");
  return (double)(bench_now() - from) / 1e6;
}

static double peak_mib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024;
}

int main(int count, char **arguments) {
  struct bench bench = {.folder = "bench-outbox-XXXXXX", .arena = arena_new(256 << 20)};
  int records = count > 1 ? atoi(arguments[1]) : 20000, queued = count > 2 ? atoi(arguments[2]) : 0;
  if (!mkdtemp(bench.folder)) give_up("mkdtemp");
  bench.keys = (struct outbox_keys){.count = 1, .ids = {1}};
  for (int i = 0; i < BYTES; i++)
    bench.payload[i] = (char)('a' + i % 26);
  double append_rate = append(&bench, records);
  double alone = sqlite_alone(&bench, records, 1), alone_grouped = sqlite_alone(&bench, records, GROUP);
  open_store(&bench);
  double single = accept_many(&bench, records, 1), grouped = accept_many(&bench, records, GROUP);
  double passed = pass_on(&bench, records * 2);
  printf("bench outbox-accept ours=%.0f/s append=%.0f/s sqlite=%.0f/s\n", single, append_rate, alone);
  printf("bench outbox-accept-grouped ours=%.0f/s sqlite=%.0f/s group=%d\n", grouped, alone_grouped, GROUP);
  printf("bench outbox-pass-on ours=%.0f/s group=%d\n", passed, GROUP);
  if (queued) {
    double filled = accept_many(&bench, queued, GROUP), reopened = reopen_ms(&bench);
    printf("bench outbox-queued records=%d accepted=%.0f/s reopened=%.0fms peak=%.1fMiB\n", queued, filled,
           reopened, peak_mib());
  }
  outbox_close(bench.outbox);
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", bench.folder);
  return system(command);
}
