/*
 * folder.c - a drop folder: files become records, and are moved away only when what they hold is durable.
 *
 *   NAME.json, NAME.ndjson, NAME.hl7, also in capitals
 *       taken when renamed into the folder, or when nobody has it open for writing and it is old enough
 *   done/NAME
 *       its records are in the store
 *   rejected/NAME
 *       what it holds cannot be taken; NAME.diagnostics.json beside it says what and where
 *
 * A name that is there already gets a number, NAME.1 to NAME.99 and then the time in milliseconds, and so do its
 * diagnostics, NAME.1.diagnostics.json.
 *
 * A file that cannot be moved, a process that ends before, or somebody who writes into the file or puts another one in its
 * place meanwhile, leaves it in place: it is taken again, and known by its content. Names are other people's: they are never
 * followed, never shown in logs (a digest is). One file's way: dropped.c, moved.c.
 */
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "relay/folder.h"

enum {
  FILES_A_TURN = 64,
  FILES_WAITING = 256 /* for their records to be durable; no more are taken meanwhile */
};

/* --- names --- */

void relay_folder_tag(const char *name, char tag[FOLDER_TAG_CHARS]) {
  char digest[65];
  sha256_hex(str_of(name), digest);
  snprintf(tag, FOLDER_TAG_CHARS, "%.12s", digest);
}

/* Programs of Windows write in capitals. */
static bool is_wanted(const char *name) {
  static const char *const endings[] = {".json", ".ndjson", ".hl7"};
  size_t len = strlen(name);
  for (size_t i = 0; name[0] != '.' && len < FOLDER_NAME_BYTES && i < sizeof endings / sizeof endings[0]; i++) {
    size_t ending = strlen(endings[i]);
    if (len >= ending && strcasecmp(name + len - ending, endings[i]) == 0) return true;
  }
  return false;
}

static bool has_name(const struct relay_file_names *names, const char *name) {
  uint64_t hash = str_hash(str_of(name));
  for (size_t i = 0; i < FOLDER_NAMES_KEPT; i++)
    if (names->hashes[i] == hash) return true;
  return false;
}

static void keep_name(struct relay_file_names *names, const char *name) {
  names->hashes[names->at++ % FOLDER_NAMES_KEPT] = str_hash(str_of(name));
}

void relay_folder_forget_name(struct relay_folder *folder, const char *name) {
  uint64_t hash = str_hash(str_of(name));
  for (size_t i = 0; i < FOLDER_NAMES_KEPT; i++)
    if (folder->renamed.hashes[i] == hash) folder->renamed.hashes[i] = 0;
}

void relay_folder_refuse(struct relay_folder *folder, const char *name, const char *why) {
  char tag[FOLDER_TAG_CHARS];
  if (has_name(&folder->refused, name)) return;
  keep_name(&folder->refused, name);
  relay_folder_tag(name, tag);
  RELAY_LOG(folder->relay, RELAY_WARNING, "file-refused", RELAY_TEXT("folder", folder->config->name),
            RELAY_TEXT("file", str_of(tag)), RELAY_TEXT("why", str_of(why)));
}

/* What is not looked at: links and devices are told of, and files of another kind once they have their name for good. Of the
   first thousand: a folder that is used for something else must not fill the log. */
static void pass_over(struct relay_folder *folder, const char *name, const struct stat *info) {
  enum { FOR_GOOD_SECONDS = 60 };
  bool wanted = is_wanted(name), file = S_ISREG(info->st_mode);
  if (name[0] == '.' || (S_ISDIR(info->st_mode) && !wanted) || folder->refused.at >= FOLDER_NAMES_KEPT) return;
  if (!wanted && relay_now(folder->relay) / 1000 - (int64_t)info->st_mtime < FOR_GOOD_SECONDS) return;
  relay_folder_refuse(folder, name, S_ISLNK(info->st_mode) ? "it is a link" : !file ? "it is no file" : "its name does not end in .json, .ndjson or .hl7");
}

static void set_state(struct relay_folder *folder, bool *state, bool now, const char *begins,
                      const char *ends) {
  relay_alert_edge(folder->relay, state, now, begins, ends, folder->config->name);
}

void relay_folder_set_full(struct relay_folder *folder, bool full) {
  set_state(folder, &folder->told, full, "store-full", "store-takes");
}

void relay_folder_set_stuck(struct relay_folder *folder, bool stuck) {
  set_state(folder, &folder->stuck, stuck, "folder-stuck", "folder-moves");
}

void relay_folder_note_scan(struct relay_folder *folder, enum status status) {
  static const struct relay_tries_words words = {"not-taken", "folder", "folder-fails", "folder-works"};
  relay_note_try(folder->relay, &folder->scans, &words, folder->config->name, status);
}

void relay_folder_fall_short(struct relay_folder *folder, enum status status) {
  folder->full = true;
  if (folder->came == STATUS_OK) relay_folder_note_scan(folder, status);
  folder->came = status;
}

/* --- many, the oldest first: what was dropped earlier is taken earlier --- */

struct found {
  char *name;
  int64_t written; /* nanoseconds */
};

static int by_age(const void *a, const void *b) {
  const struct found *left = a, *right = b;
  if (left->written != right->written) return left->written < right->written ? -1 : 1;
  return strcmp(left->name, right->name);
}

struct listing {
  struct found *found;
  size_t count, room;
};

static void free_listing(struct listing *listing) {
  for (size_t i = 0; i < listing->count; i++)
    free(listing->found[i].name);
  free(listing->found);
  *listing = (struct listing){0};
}

static bool add_found(struct listing *listing, const char *name, int64_t written) {
  if (listing->count == listing->room) {
    size_t wider = listing->room ? listing->room * 2 : 64;
    struct found *grown = realloc(listing->found, wider * sizeof *grown);
    if (!grown) return false;
    listing->found = grown;
    listing->room = wider;
  }
  char *copy = strdup(name);
  if (copy) listing->found[listing->count++] = (struct found){.name = copy, .written = written};
  return copy;
}

/* Links, devices and folders are not even opened. */
static enum status read_listing(struct relay_folder *folder, DIR *names, struct listing *listing) {
  struct dirent *entry;
  struct stat info;
  for (errno = 0; (entry = readdir(names)) != NULL; errno = 0) {
    if (fstatat(folder->folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!is_wanted(entry->d_name) || !S_ISREG(info.st_mode))
      pass_over(folder, entry->d_name, &info);
    else if (!add_found(listing, entry->d_name, (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec))
      return STATUS_NOMEM;
  }
  return errno ? STATUS_IO : STATUS_OK;
}

/* All of them or none: of some it would not be known whether they are the oldest. */
static enum status list_files(struct relay_folder *folder, struct listing *listing) {
  int again = openat(folder->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *names = again >= 0 ? fdopendir(again) : NULL;
  enum status status = names ? STATUS_OK : errno == ENOMEM ? STATUS_NOMEM : STATUS_IO;
  if (!names && again >= 0) close(again);
  if (names) status = read_listing(folder, names, listing);
  if (names) closedir(names);
  if (status != STATUS_OK) free_listing(listing);
  if (listing->count) qsort(listing->found, listing->count, sizeof *listing->found, by_age);
  return status;
}

void relay_folder_schedule(struct relay_folder *folder, long ms) {
  (void)relay_wait_ms(folder->scan, ms);
}

/* One that holds the others back for so long is told of: a program may have forgotten to close it. `name` NULL: none. */
static void wait_for(struct relay_folder *folder, const char *name) {
  enum { TIMES = 12 };
  uint64_t hash = name ? str_hash(str_of(name)) : 0;
  int64_t now = relay_elapsed(folder->relay);
  if (hash != folder->awaited) folder->awaited_since = now;
  folder->awaited = hash;
  bool long_ago = hash && now - folder->awaited_since > TIMES * folder->config->stable_seconds * 1000;
  set_state(folder, &folder->waits, long_ago, "folder-waits", "folder-flows");
}

/* One that is too young holds back those that were written after it, for as long as it is too young: they may
   be of the same patient. One that is being written is the youngest of all. */
static size_t take_in_order(struct relay_folder *folder, const struct listing *listing) {
  size_t taken = 0, most = folder->stuck ? 1 : FILES_A_TURN;
  const char *awaited = NULL;
  for (size_t i = 0; i < listing->count && taken < most && !folder->full && !awaited && !folder->filing; i++) {
    const char *name = listing->found[i].name;
    folder->more = folder->waiting_count >= FILES_WAITING;
    if (folder->more) break;
    enum relay_look look = relay_dropped_look(folder, name, has_name(&folder->renamed, name));
    if (look == LOOK_WAIT && !folder->full) awaited = name;
    taken += look == LOOK_TAKE;
  }
  wait_for(folder, awaited);
  return taken;
}

static bool open_descriptors(struct relay_folder *folder);
static bool watch_changes(struct relay_folder *folder);
static void close_descriptors(struct relay_folder *folder);

/* Removed, or another one in its place: a mount that came late, a folder made anew. Also when files cannot be
   moved into the folders below it: those may be others now. */
static bool is_present(struct relay_folder *folder) {
  struct stat named, held;
  const char *path = folder->config->path.ptr;
  bool same = !folder->stuck && stat(path, &named) == 0 && folder->folder >= 0 &&
              fstat(folder->folder, &held) == 0 && named.st_ino == held.st_ino && named.st_dev == held.st_dev;
  if (!same) {
    close_descriptors(folder);
    same = open_descriptors(folder) && watch_changes(folder);
    if (!same) close_descriptors(folder); /* the next scan opens all of them, or none */
  }
  set_state(folder, &folder->gone, !same, "folder-gone", "folder-back");
  return same;
}

static void scan(struct relay_folder *folder) {
  struct listing listing = {0};
  if (folder->filing) return; /* its end looks again */
  folder->full = false;
  folder->came = STATUS_OK;
  enum status status = folder->relay->stopping || !is_present(folder) ? STATUS_OK : list_files(folder, &listing);
  if (status != STATUS_OK) relay_folder_fall_short(folder, status);
  size_t taken = take_in_order(folder, &listing);
  free_listing(&listing);
  if (!taken && !folder->waiting && folder->came == STATUS_OK) relay_folder_note_scan(folder, STATUS_OK); /* else the commit tells */
  if (!folder->filing) relay_folder_schedule(folder, taken == FILES_A_TURN && !folder->more ? 0 : FOLDER_SCAN_MS);
}

static void on_scan(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  scan(context);
}

static void on_change(evutil_socket_t socket, short what, void *context) {
  struct relay_folder *folder = context;
  _Alignas(struct inotify_event) char bytes[8192];
  ssize_t len = read(socket, bytes, sizeof bytes);
  (void)what;
  for (ssize_t at = 0; at < len;) {
    const struct inotify_event *event = (const struct inotify_event *)(const void *)(bytes + at);
    if (event->len && event->mask & IN_MOVED_TO && is_wanted(event->name))
      keep_name(&folder->renamed, event->name);
    at += (ssize_t)(sizeof *event + event->len);
  }
  relay_folder_schedule(folder, 0);
}

/* --- the whole --- */

static int open_below(int folder, const char *name) {
  if (mkdirat(folder, name, 0700) != 0 && errno != EEXIST) return -1;
  return openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static bool open_descriptors(struct relay_folder *folder) {
  folder->folder = open(folder->config->path.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder->folder < 0) return false;
  folder->done = open_below(folder->folder, "done");
  folder->rejected = open_below(folder->folder, "rejected");
  folder->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  return folder->done >= 0 && folder->rejected >= 0 && folder->notify >= 0 &&
         inotify_add_watch(folder->notify, folder->config->path.ptr, IN_MOVED_TO | IN_ONLYDIR) >= 0;
}

static void close_descriptors(struct relay_folder *folder) {
  int *descriptors[] = {&folder->folder, &folder->done, &folder->rejected, &folder->notify};
  if (folder->changed) event_free(folder->changed);
  folder->changed = NULL;
  for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++) {
    if (*descriptors[i] >= 0) close(*descriptors[i]);
    *descriptors[i] = -1;
  }
}

static bool watch_changes(struct relay_folder *folder) {
  folder->changed = event_new(folder->relay->base, folder->notify, EV_READ | EV_PERSIST, on_change, folder);
  return folder->changed && event_add(folder->changed, NULL) == 0;
}

static bool watch(struct relay_folder *folder) {
  folder->scan = event_new(folder->relay->base, -1, 0, on_scan, folder);
  if (!folder->scan || !watch_changes(folder)) return false;
  relay_folder_schedule(folder, 0);
  return true;
}

enum status relay_folder_open(struct relay *relay, const struct relay_folder_config *config,
                              struct diag_list *diags, struct relay_folder **out) {
  struct relay_folder *folder = *out = calloc(1, sizeof *folder);
  if (!folder) return STATUS_NOMEM;
  *folder = (struct relay_folder){
      .relay = relay, .config = config, .folder = -1, .done = -1, .rejected = -1, .notify = -1};
  if (open_descriptors(folder) && watch(folder)) return STATUS_OK;
  if (errno == ENOMEM) {
    relay_folder_close(folder);
    *out = NULL;
    return STATUS_NOMEM;
  }
  struct source source = source_make(config->path, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at,
             "[folder %.*s]: the folder cannot be read and written by the relay: %s", STR_ARG(config->name),
             strerror(errno));
  relay_folder_close(folder);
  *out = NULL;
  return STATUS_CONFIG;
}

void relay_folder_close(struct relay_folder *folder) {
  if (!folder) return;
  relay_dropped_leave(folder); /* the disk failed before a piece was durable */
  if (folder->scan) event_free(folder->scan);
  close_descriptors(folder);
  free(folder);
}
