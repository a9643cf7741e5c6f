/* backup.c - once a day a copy of the store that has passed its check is put in place of yesterday's. */
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "relay/internal.h"

enum { STEP_MS = 4, REST_MS = 12 /* a quarter of the time at most */, GROUP_MS = 1, SHORT_MS = 1000 /* of memory, or a thread */ };
#define DAY_MS INT64_C(86400000)

struct relay_backup {
  struct relay *relay;
  struct event *timer;
  struct str beside; /* the copy that is made */
  struct outbox_backup *copy;
  struct relay_tries tries;
  bool made; /* one was begun in this process */
  int64_t begun_at; /* by relay_elapsed: a clock that was years ahead would mean no copies for years */
};

/* A group that is open now is not for long. */
static void rest(struct relay_backup *backup, enum status status, bool in_group) {
  (void)relay_wait_ms(backup->timer, status == STATUS_NOMEM ? SHORT_MS : in_group ? GROUP_MS : REST_MS);
}

/* It waits, and goes on: nothing of it is lost. */
static void note(struct relay_backup *backup, enum status status) {
  static const struct relay_tries_words words = {"not-backed-up", "what", "backup-waits", "backup-goes-on"};
  relay_note_try(backup->relay, &backup->tries, &words, STR("store"), status);
}

static void tell(struct relay_backup *backup, enum status status) {
  struct relay *relay = backup->relay;
  const char *trouble = status == STATUS_INVALID ? "store-damaged" : "backup-failed";
  if (status == STATUS_OK)
    RELAY_LOG(relay, RELAY_INFO, "backed-up", RELAY_NUMBER("ms", relay_elapsed(relay) - backup->begun_at));
  else
    relay_alert(relay, trouble, STR("store"));
  relay_note(relay, status == STATUS_OK ? "backed-up" : trouble, "", "");
}

/* The name is as durable as the copy before anybody is told that it is there. */
static enum status put_in_place(const struct relay_backup *backup) {
  const char *path = backup->relay->config->backup.ptr, *slash = strrchr(path, '/');
  char folder[PATH_MAX];
  if (rename(backup->beside.ptr, path) != 0) return STATUS_IO;
  int length = slash ? snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path) : snprintf(folder, sizeof folder, ".");
  int file = length > 0 && (size_t)length < sizeof folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  bool done = file >= 0 && fsync(file) == 0;
  if (file >= 0) (void)close(file);
  return done ? STATUS_OK : STATUS_IO;
}

static void go_on(struct relay_backup *backup) {
  struct diag_list diags;
  struct arena *arena = arena_new(1 << 16);
  bool in_group = outbox_in_group(relay_store(backup->relay));
  if (arena) diag_list_init(&diags, arena);
  enum status status = arena ? outbox_backup_step(backup->copy, STEP_MS, &diags) : STATUS_NOMEM;
  arena_free(arena);
  note(backup, status == STATUS_NOMEM ? status : STATUS_OK);
  if (status == STATUS_RETRY || status == STATUS_NOMEM) {
    rest(backup, status, in_group);
    return;
  }
  outbox_backup_end(backup->copy);
  backup->copy = NULL;
  if (status == STATUS_OK) status = put_in_place(backup);
  tell(backup, status);
}

static void on_rested(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  go_on(context);
}

/* What a process left that ended meanwhile, with what SQLite may have put beside it. */
static void clear(const struct relay_backup *backup, struct arena *arena) {
  static const char *const beside[] = {"", "-journal", "-wal", "-shm"};
  for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
    struct str path = arena_concat(arena, backup->beside, str_of(beside[i]));
    if (path.ptr) (void)unlink(path.ptr);
  }
}

void relay_backup_look(struct relay_backup *backup) {
  struct relay *relay = backup->relay;
  int64_t now = relay_elapsed(relay);
  struct diag_list diags;
  if (!backup->beside.len || backup->copy || (backup->made && now - backup->begun_at < DAY_MS)) return;
  struct arena *arena = arena_new(1 << 16);
  note(backup, arena ? STATUS_OK : STATUS_NOMEM);
  if (!arena) return; /* the next time */
  backup->made = true; /* also one that fails: it is told once a day */
  backup->begun_at = now;
  diag_list_init(&diags, arena);
  clear(backup, arena);
  enum status status = outbox_backup_begin(relay_store(relay), backup->beside.ptr, &diags, &backup->copy);
  arena_free(arena);
  if (status == STATUS_OK)
    rest(backup, status, false);
  else
    tell(backup, status);
}

enum status relay_backup_open(struct relay *relay, struct relay_backup **out) {
  struct relay_backup *backup = *out = calloc(1, sizeof *backup);
  if (!backup) return STATUS_NOMEM;
  backup->relay = relay;
  backup->timer = event_new(relay->base, -1, 0, on_rested, backup);
  if (!backup->timer) return STATUS_NOMEM;
  if (!relay->config->backup.len) return STATUS_OK;
  backup->beside = arena_concat(relay->arena, relay->config->backup, STR(".new"));
  return backup->beside.ptr ? STATUS_OK : STATUS_NOMEM;
}

void relay_backup_close(struct relay_backup *backup) {
  if (!backup) return;
  (void)relay_store(backup->relay); /* what ended last may be on its way into the store, by the thread that commits */
  outbox_backup_end(backup->copy);
  if (backup->timer) event_free(backup->timer);
  free(backup);
}
