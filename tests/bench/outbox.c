/*
 * outbox.c - what it costs to be certain: records of 4 kB accepted one by one and in groups, and passed on,
 * beside what the same disk gives to an append with fdatasync and to SQLite alone, in one run.
 *
 *   bench_outbox [RECORDS [QUEUED [PATIENTS]]]
 *
 * QUEUED records are then left in the store and it is opened again, as after the end of the process. PATIENTS new ones have a session
 * each in a store of their own, in groups as the relay makes them: what comes in, what ends and what is claimed next together; of each
 * fifth of them a line.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* What a phase cost: time that passed, processor time of this process, bytes that it wrote, calls that read. The last three say more
   on a machine that others use at the same time. */
struct cost {
  int64_t from;
  double cpu_us, written, reads;
};

static double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double of_io(const char *name) {
  char line[128];
  double count = 0;
  FILE *file = fopen("/proc/self/io", "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) count = strtod(line + strlen(name), NULL);
  if (file) fclose(file);
  return count;
}

static struct cost begin(void) {
  return (struct cost){.from = bench_now(), .cpu_us = cpu_us(), .written = of_io("wchar: "), .reads = of_io("syscr: ")};
}

struct rate {
  double per_second, cpu_us, kib, reads; /* the last three: of each */
};

static struct rate end(struct cost from, int count) {
  return (struct rate){.per_second = count / ((double)(bench_now() - from.from) / 1e9),
                       .cpu_us = (cpu_us() - from.cpu_us) / count,
                       .kib = (of_io("wchar: ") - from.written) / 1024 / count,
                       .reads = (of_io("syscr: ") - from.reads) / count};
}

static void show(const char *who, struct rate rate) {
  printf(" %s=%.0f/s (%.1f us, %.1f kiB)", who, rate.per_second, rate.cpu_us, rate.kib);
}

/* --- the limits of the machine --- */

static struct rate append(const struct bench *bench, int count) {
  char path[128];
  snprintf(path, sizeof path, "%s/append", bench->folder);
  int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || posix_fallocate(file, 0, (off_t)count * BYTES) != 0) give_up("append");
  struct cost from = begin();
  for (int i = 0; i < count; i++)
    if (pwrite(file, bench->payload, BYTES, (off_t)i * BYTES) != BYTES || fdatasync(file) != 0)
      give_up("append");
  struct rate rate = end(from, count);
  close(file);
  unlink(path);
  return rate;
}

static struct rate sqlite_alone(const struct bench *bench, int count, int group) {
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
  struct cost from = begin();
  for (int i = 0; i < count; i++) {
    if (i % group == 0) sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    sqlite3_bind_blob(insert, 1, bench->payload, BYTES, SQLITE_STATIC);
    if (sqlite3_step(insert) != SQLITE_DONE) give_up("sqlite");
    sqlite3_reset(insert);
    if (i % group == group - 1 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
      give_up("sqlite");
  }
  struct rate rate = end(from, count);
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

static void accept_of(struct bench *bench, int patient, bool is_session) {
  char name[32], lane[32];
  enum outbox_answer answer;
  snprintf(name, sizeof name, "S-%09d", bench->next++);
  snprintf(lane, sizeof lane, "MRN-%d", patient);
  memcpy(bench->payload + BYTES - 32, name, strlen(name));
  struct outbox_item item = {.destination = STR("ehr"),
                             .lane = str_of(lane),
                             .kind = STR("bundle"),
                             .label = str_of(name),
                             .payload = str_make(bench->payload, BYTES)};
  if (is_session) item.subject = item.label;
  struct outbox_message message = {.source = STR("clinic"),
                                   .control = str_of(name),
                                   .content = item.payload,
                                   .items = &item,
                                   .item_count = 1};
  if (outbox_accept(bench->outbox, &message, 1, &bench->diags, &answer, NULL) != STATUS_OK)
    give_up("outbox_accept");
}

static void accept(struct bench *bench) {
  accept_of(bench, bench->next % 1000, false);
}

static struct rate accept_many(struct bench *bench, int count, int group) {
  struct cost from = begin();
  for (int i = 0; i < count; i++) {
    accept(bench);
    if (i % group == group - 1 && outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  }
  if (outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  return end(from, count);
}

static void send_places(struct bench *bench, int record);

/* Groups of claims, committed before anything would be sent, then of outcomes. */
static struct rate pass_on(struct bench *bench, int count, bool with_places) {
  struct outbox_claim claims[GROUP];
  struct outbox_outcome done = {.state = OUTBOX_DONE, .reason = STR("http-200"), .http_status = 200};
  int passed = 0;
  struct cost from = begin();
  while (passed < count) {
    int taken = 0;
    arena_reset(bench->arena);
    while (taken < GROUP &&
           outbox_claim(bench->outbox, STR("ehr"), 2, bench->arena, &claims[taken]) == STATUS_OK)
      taken++;
    if (!taken || outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_claim");
    for (int i = 0; with_places && i < taken; i++)
      send_places(bench, (int)claims[i].id);
    for (int i = 0; i < taken; i++)
      if (outbox_finish(bench->outbox, claims[i].id, &done, 2) != STATUS_OK) give_up("outbox_finish");
    passed += taken;
  }
  if (outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  return end(from, passed);
}

/* --- with the ledger, as the relay delivers --- */

enum { PLACES = 7 };

/* Of the resources of a record: two that all have in common, its patient, and what is of the session alone. */
static void name_place(int record, int at, char key[64], char identifier[64]) {
  static const char *const parts[PLACES] = {"clinic/riverside", "staff/1987654328", "", "session", "diagnoses/D1", "doses/A1", "vitals/V1/hr"};
  uint64_t number = (uint64_t)(at < 2 ? at : record * PLACES + at) * 0x9E3779B97F4A7C15u;
  if (at < 2)
    snprintf(key, 64, "%s", parts[at]);
  else if (at == 2)
    snprintf(key, 64, "patient/MRN-%d", record);
  else
    snprintf(key, 64, "S-%09d/%s", record, parts[at]);
  snprintf(identifier, 64, "urn:uuid:%016llx-%019llu", (unsigned long long)number, (unsigned long long)number >> 1);
}

/* What is not known to be there is sent, and then known. */
static void send_places(struct bench *bench, int record) {
  static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  struct outbox_place known[PLACES] = {{{0}}};
  struct outbox_placed placed[PLACES];
  char keys[PLACES][64], identifiers[PLACES][64], locations[PLACES][96];
  size_t count = 0;
  for (int i = 0; i < PLACES; i++) {
    name_place(record, i, keys[i], identifiers[i]);
    enum status status =
        outbox_ledger_get(bench->outbox, STR("ehr"), str_of(keys[i]), str_of(identifiers[i]), bench->arena, &known[i]);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) give_up("outbox_ledger_get");
  }
  for (int i = 0; i < PLACES; i++) {
    if (known[i].location.len) continue;
    snprintf(locations[i], sizeof locations[i], "Observation/%.50s", identifiers[i] + 9);
    placed[count++] = (struct outbox_placed){.key = str_of(keys[i]),
                                             .identifier = str_of(identifiers[i]),
                                             .place = {.location = str_of(locations[i]), .etag = STR("1"), .digest = str_of(digest)}};
  }
  if (outbox_ledger_put(bench->outbox, STR("ehr"), placed, count, 2) != STATUS_OK) give_up("outbox_ledger_put");
}

/* Each group is passed on when it has come, as where nothing waits. */
static struct rate pass_through(struct bench *bench, int count) {
  struct cost from = begin();
  for (int i = 0; i < count; i += GROUP) {
    (void)accept_many(bench, GROUP, GROUP);
    (void)pass_on(bench, GROUP, false);
  }
  return end(from, (count + GROUP - 1) / GROUP * GROUP);
}

/* --- as the relay goes on, with more and more patients --- */

enum { TOGETHER = 32 };

static int claim_some(struct bench *bench, struct outbox_claim claims[TOGETHER]) {
  int count = 0;
  while (count < TOGETHER && outbox_claim(bench->outbox, STR("ehr"), 2, bench->arena, &claims[count]) == STATUS_OK)
    count++;
  return count;
}

/* Those that were claimed in the group before. */
static void end_some(struct bench *bench, const struct outbox_claim *claims, int count) {
  struct outbox_outcome done = {.state = OUTBOX_DONE, .reason = STR("http-200"), .http_status = 200};
  for (int i = 0; i < count; i++) {
    send_places(bench, (int)claims[i].id);
    if (outbox_finish(bench->outbox, claims[i].id, &done, 2) != STATUS_OK) give_up("outbox_finish");
  }
}

static struct rate live(struct bench *bench, int patients) {
  struct outbox_claim claims[TOGETHER];
  int claimed = 0;
  struct cost from = begin();
  for (int i = 0; i < patients; i += TOGETHER) {
    for (int j = 0; j < TOGETHER; j++)
      accept_of(bench, bench->next, true);
    end_some(bench, claims, claimed);
    arena_reset(bench->arena);
    claimed = claim_some(bench, claims);
    if (outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  }
  end_some(bench, claims, claimed);
  if (outbox_commit(bench->outbox) != STATUS_OK) give_up("outbox_commit");
  return end(from, patients);
}

static void live_on(struct bench *bench, int patients) {
  enum { PARTS = 5 };
  for (int i = 1; i <= PARTS; i++) {
    struct rate rate = live(bench, patients / PARTS);
    printf("bench outbox-lives patients=%d", patients / PARTS * i);
    show("ours", rate);
    printf(" reads=%.1f group=%d\n", rate.reads, TOGETHER);
  }
}

/* Of a Bundle as the relay makes it of fixtures/clinic/minimal: text that can be made as much shorter as such text can. */
static void read_payload(struct bench *bench) {
  FILE *file = fopen(BENCH_BUNDLE, "r");
  if (!file || fread(bench->payload, 1, BYTES, file) != BYTES) give_up(BENCH_BUNDLE);
  fclose(file);
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

static void remove_folder(const struct bench *bench) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", bench->folder);
  if (system(command) != 0) give_up("rm");
}

/* A store that nothing has come into yet. */
static void begin_anew(struct bench *bench) {
  outbox_close(bench->outbox);
  remove_folder(bench);
  if (mkdir(bench->folder, 0700) != 0) give_up("mkdir");
  bench->next = 1;
  open_store(bench);
}

int main(int count, char **arguments) {
  struct bench bench = {.folder = "bench-outbox-XXXXXX", .arena = arena_new(256 << 20)};
  int records = count > 1 ? atoi(arguments[1]) : 20000, queued = count > 2 ? atoi(arguments[2]) : 0;
  int patients = count > 3 ? atoi(arguments[3]) : 0;
  if (!mkdtemp(bench.folder)) give_up("mkdtemp");
  bench.keys = (struct outbox_keys){.count = 1, .ids = {1}};
  read_payload(&bench);
  struct rate appended = append(&bench, records);
  struct rate alone = sqlite_alone(&bench, records, 1), alone_grouped = sqlite_alone(&bench, records, GROUP);
  open_store(&bench);
  printf("bench outbox-accept");
  show("ours", accept_many(&bench, records, 1));
  show("append", appended);
  show("sqlite", alone);
  printf("\nbench outbox-accept-grouped");
  show("ours", accept_many(&bench, records, GROUP));
  show("sqlite", alone_grouped);
  printf(" group=%d\nbench outbox-pass-on", GROUP);
  show("ours", pass_on(&bench, records * 2, false));
  printf(" group=%d\n", GROUP);
  accept_many(&bench, records, GROUP);
  printf("bench outbox-deliver");
  show("ours", pass_on(&bench, records, true));
  printf(" places=%d group=%d\n", PLACES, GROUP);
  printf("bench outbox-through");
  show("ours", pass_through(&bench, records));
  printf(" group=%d\n", GROUP);
  if (queued) {
    double filled = accept_many(&bench, queued, GROUP).per_second, reopened = reopen_ms(&bench);
    printf("bench outbox-queued records=%d accepted=%.0f/s reopened=%.0fms peak=%.1fMiB\n", queued, filled,
           reopened, peak_mib());
  }
  if (patients) {
    begin_anew(&bench);
    live_on(&bench, patients);
  }
  outbox_close(bench.outbox);
  remove_folder(&bench);
  return 0;
}
