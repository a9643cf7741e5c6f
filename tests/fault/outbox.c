/*
 * outbox.c - drives a store for the fault tests.
 *
 *   outbox run FOLDER COUNT    accepts COUNT records in groups, delivers some; says on stdout what it was
 * promised, each line written when outbox_commit has returned: "ack N", "done N", and "end" outbox verify
 * reads folders from stdin, opens each, and prints a line for each: "ok N:state …", or what is wrong with it
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "outbox/outbox.h"

enum { LANES = 3, GROUP = 2, ROWS_MAX = 1000 };

struct driver {
  struct outbox *outbox;
  struct outbox_keys keys;
  struct arena *arena;
  struct diag_list diags;
  int64_t now;
};

static void say(const char *what, int number) {
  char line[64];
  int len = snprintf(line, sizeof line, "%s %d\n", what, number);
  if (write(STDOUT_FILENO, line, (size_t)len) != len) _exit(9);
}

static enum status open_store(struct driver *driver, const char *folder) {
  driver->keys.count = 1;
  driver->keys.ids[0] = 1;
  memset(driver->keys.keys[0], 7, OUTBOX_KEY_BYTES);
  /* few pages, so that checkpoints happen in the middle too */
  struct outbox_params params = {.host = host_system(),
                                 .folder = folder,
                                 .keys = &driver->keys,
                                 .reserve_bytes = 1,
                                 .checkpoint_pages = 60};
  arena_reset(driver->arena);
  diag_list_init(&driver->diags, driver->arena);
  driver->now = host_system()->now_ms(NULL);
  return outbox_open(&params, &driver->diags, &driver->outbox);
}

/* --- run --- */

/* Every other one is such as nothing makes shorter, and takes pages of its own. */
static void fill(char *filler, size_t size, int number) {
  uint32_t state = (uint32_t)number;
  memset(filler, 'x', size);
  for (size_t i = 0; number % 2 && i < size; i++)
    filler[i] = (char)((state = state * 1664525 + 1013904223) >> 24);
}

static enum status accept(struct driver *driver, int number) {
  char filler[5000];
  enum outbox_answer answer;
  char label[16], lane[16];
  fill(filler, sizeof filler, number);
  snprintf(label, sizeof label, "%d", number);
  snprintf(lane, sizeof lane, "lane-%d", number % LANES);
  struct outbox_item item = {.destination = STR("ehr"),
                             .lane = str_of(lane),
                             .kind = STR("bundle"),
                             .label = str_of(label),
                             .payload = str_make(filler, sizeof filler)};
  struct outbox_message message = {.source = STR("test"),
                                   .control = str_of(label),
                                   .content = str_of(label),
                                   .items = &item,
                                   .item_count = 1};
  return outbox_accept(driver->outbox, &message, driver->now, &driver->diags, &answer, NULL);
}

static enum status deliver_one(struct driver *driver) {
  struct outbox_claim claim;
  struct outbox_outcome outcome = {.state = OUTBOX_DONE, .reason = STR("http-200"), .http_status = 200};
  enum status status = outbox_claim(driver->outbox, STR("ehr"), driver->now, driver->arena, &claim);
  if (status == STATUS_NOT_FOUND) return outbox_commit(driver->outbox);
  int number = status == STATUS_OK ? atoi(claim.label.ptr) : 0;
  if (status == STATUS_OK) status = outbox_commit(driver->outbox);
  if (status == STATUS_OK) status = outbox_finish(driver->outbox, claim.id, &outcome, driver->now);
  if (status == STATUS_OK) status = outbox_commit(driver->outbox);
  if (status == STATUS_OK) say("done", number);
  return status;
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

static enum status accept_group(struct driver *driver, int from, int to) {
  enum status status = STATUS_OK;
  for (int i = from; status == STATUS_OK && i < to; i++) {
    status = accept(driver, i);
    if (status == STATUS_OK) ask(driver);
  }
  if (status == STATUS_OK) status = outbox_commit(driver->outbox);
  for (int i = from; status == STATUS_OK && i < to; i++)
    say("ack", i);
  return status;
}

static int run(struct driver *driver, const char *folder, int count) {
  enum status status = open_store(driver, folder);
  for (int i = 0; status == STATUS_OK && i < count; i += GROUP) {
    status = accept_group(driver, i, i + GROUP < count ? i + GROUP : count);
    if (status == STATUS_OK && i % 3 == 0) status = deliver_one(driver);
    if (status == STATUS_OK && i % 10 == 8) status = outbox_idle(driver->outbox);
  }
  if (status == STATUS_OK) say("end", count);
  outbox_close(driver->outbox);
  return status == STATUS_OK ? 0 : 10 + (int)status;
}

/* --- verify --- */

static void print_rows(const struct outbox_row *rows, size_t count) {
  printf("ok");
  for (size_t i = 0; i < count; i++)
    printf(" %.*s:%s", STR_ARG(rows[i].label), outbox_state_name(rows[i].state));
  printf("\n");
}

static const char *verify_open(struct driver *driver) {
  struct outbox_filter filter = {.limit = ROWS_MAX};
  struct outbox_row *rows;
  struct outbox_event *events;
  struct str payload;
  size_t count, event_count;
  if (outbox_list(driver->outbox, &filter, driver->arena, &rows, &count) != STATUS_OK)
    return "cannot be listed";
  if (outbox_audit_read(driver->outbox, 0, ROWS_MAX, driver->arena, &driver->diags, &events, &event_count) !=
      STATUS_OK)
    return "the trail is broken";
  for (size_t i = 0; i < count; i++)
    if (rows[i].state < OUTBOX_DONE &&
        outbox_payload(driver->outbox, rows[i].id, driver->arena, &payload) != STATUS_OK)
      return "a payload does not open";
  print_rows(rows, count);
  return NULL;
}

static void verify(struct driver *driver, const char *folder) {
  enum status status = open_store(driver, folder);
  const char *fault = NULL;
  if (status == STATUS_OK) fault = verify_open(driver);
  if (status != STATUS_OK)
    printf("cannot be opened: %s %.*s\n", status_name(status),
           STR_ARG(driver->diags.first ? driver->diags.first->message : STR("")));
  if (fault) printf("%s\n", fault);
  outbox_close(driver->outbox);
  driver->outbox = NULL;
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
      line[strcspn(line, "\n")] = '\0';
      verify(&driver, line);
    }
  } else {
    result = 2;
  }
  arena_free(driver.arena);
  return result;
}
