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
 * place meanwhile, leaves it in place: it is taken again, and known by its content. Names are other people's: they are never followed, never shown in logs (a digest is).
 */
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "relay/mapper.h"

/* A longer name leaves no room for what is put beside it, or behind it, when it is moved away. */
enum {
  FILES_A_TURN = 64,
  FILES_WAITING = 256, /* for their records to be durable; no more are taken meanwhile */
  SCAN_MS = 1000,
  NAME_BYTES = 256,
  NAME_TAKEN_MAX = 220,
  TAG_CHARS = 13,
  NAMES_KEPT = 1024,
  NUMBERS = 100, /* of files of one name: 1 to 99, and then the time in milliseconds, or the next that is free */
  NUMBERS_TRIED = 10000,
  PIECE_BYTES = 1 << 20 /* of what becomes of a large file, put into the store at a time */
};

/* The last so many names, as hashes. */
struct names {
  uint64_t hashes[NAMES_KEPT];
  size_t at;
};

struct filing;
struct taken;

struct relay_folder {
  struct relay *relay;
  struct taken *waiting; /* they lie there still, and are not taken again */
  size_t waiting_count;
  bool more;             /* files lie there that nothing was done about, for too many waited */
  struct filing *filing; /* the file that is mapped beside the loop: none is looked at meanwhile, so all keep their order */
  const struct relay_folder_config *config;
  int folder, done, rejected, notify; /* descriptors, or -1 */
  struct event *changed, *scan;
  bool full;            /* nothing more is taken in this scan */
  enum status came;     /* the last scan, with the commit of what it took, to */
  struct relay_tries scans;
  bool told;            /* that the store is full */
  bool stuck;           /* files cannot be moved away: they would be taken again and again */
  bool gone;            /* it is not where it was */
  bool waits;           /* for a file that does not become ready */
  uint64_t awaited;     /* hash of its name; 0: nothing is waited for */
  int64_t awaited_since;
  struct names renamed; /* that came by a rename: whole files, whatever their age */
  struct names refused; /* that were spoken of */
};

/* A file whose records wait to be durable. */
struct taken {
  struct taken *next; /* of those of the folder that wait */
  struct relay_promise promise;
  struct relay_folder *folder;
  char name[NAME_BYTES], tag[TAG_CHARS];
  struct stat read; /* as it was when it was opened */
  bool rejected;
  int tried; /* how often another name was looked for */
  int64_t number; /* of its diagnostics, and so its own */
};

/* A large file: mapped beside the loop, piece by piece, each durable before the next one is made. */
struct filing {
  struct relay_task task;
  struct relay_promise promise; /* of a piece */
  struct relay_folder *folder;
  struct taken *taken;
  struct arena *arena; /* of its text and the findings */
  struct diag_list diags;
  struct relay_accepted all;
};

/* --- names --- */

static void tag_of(const char *name, char tag[TAG_CHARS]) {
  char digest[65];
  sha256_hex(str_of(name), digest);
  snprintf(tag, TAG_CHARS, "%.12s", digest);
}

/* Programs of Windows write in capitals. */
static bool is_wanted(const char *name) {
  static const char *const endings[] = {".json", ".ndjson", ".hl7"};
  size_t len = strlen(name);
  for (size_t i = 0; name[0] != '.' && len < NAME_BYTES && i < sizeof endings / sizeof endings[0]; i++) {
    size_t ending = strlen(endings[i]);
    if (len >= ending && strcasecmp(name + len - ending, endings[i]) == 0) return true;
  }
  return false;
}

static void say(const struct relay_folder *folder, enum relay_level level, const char *event,
                const char *tag) {
  RELAY_LOG(folder->relay, level, event, RELAY_TEXT("folder", folder->config->name),
            RELAY_TEXT("file", str_of(tag)));
}

static bool has_name(const struct names *names, const char *name) {
  uint64_t hash = str_hash(str_of(name));
  for (size_t i = 0; i < NAMES_KEPT; i++)
    if (names->hashes[i] == hash) return true;
  return false;
}

static void keep_name(struct names *names, const char *name) {
  names->hashes[names->at++ % NAMES_KEPT] = str_hash(str_of(name));
}

static void forget_name(struct names *names, const char *name) {
  uint64_t hash = str_hash(str_of(name));
  for (size_t i = 0; i < NAMES_KEPT; i++)
    if (names->hashes[i] == hash) names->hashes[i] = 0;
}

/* What can never be taken stays where it is, and is spoken of once. */
static void refuse(struct relay_folder *folder, const char *name, const char *why) {
  char tag[TAG_CHARS];
  if (has_name(&folder->refused, name)) return;
  keep_name(&folder->refused, name);
  tag_of(name, tag);
  RELAY_LOG(folder->relay, RELAY_WARNING, "file-refused", RELAY_TEXT("folder", folder->config->name),
            RELAY_TEXT("file", str_of(tag)), RELAY_TEXT("why", str_of(why)));
}

/* What is not looked at: links and devices are told of, and files of another kind once they have their name for good. Of the
   first thousand: a folder that is used for something else must not fill the log. */
static void pass_over(struct relay_folder *folder, const char *name, const struct stat *info) {
  enum { FOR_GOOD_SECONDS = 60 };
  bool wanted = is_wanted(name), file = S_ISREG(info->st_mode);
  if (name[0] == '.' || (S_ISDIR(info->st_mode) && !wanted) || folder->refused.at >= NAMES_KEPT) return;
  if (!wanted && relay_now(folder->relay) / 1000 - (int64_t)info->st_mtime < FOR_GOOD_SECONDS) return;
  refuse(folder, name, S_ISLNK(info->st_mode) ? "it is a link" : !file ? "it is no file" : "its name does not end in .json, .ndjson or .hl7");
}

static void set_state(struct relay_folder *folder, bool *state, bool now, const char *begins,
                      const char *ends) {
  relay_alert_edge(folder->relay, state, now, begins, ends, folder->config->name);
}

static void set_stuck(struct relay_folder *folder, bool stuck) {
  set_state(folder, &folder->stuck, stuck, "folder-stuck", "folder-moves");
}

static void note_scan(struct relay_folder *folder, enum status status) {
  static const struct relay_tries_words words = {"not-taken", "folder", "folder-fails", "folder-works"};
  relay_note_try(folder->relay, &folder->scans, &words, folder->config->name, status);
}

/* No memory, and the like: what is there now waits, and what came after it too. Once a scan. */
static void fall_short(struct relay_folder *folder, enum status status) {
  folder->full = true;
  if (folder->came == STATUS_OK) note_scan(folder, status);
  folder->came = status;
}

/* --- opening what others have put there --- */

/* Below the folder, no link, no device, nothing that makes open() wait. */
static int open_beneath(int folder, const char *name) {
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                         .resolve =
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
  return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}

/* The kernel grants a read lease only while nobody writes; where it grants none at all, age has to do. */
static bool is_being_written(int file) {
  if (fcntl(file, F_SETLEASE, F_RDLCK) == 0) return fcntl(file, F_SETLEASE, F_UNLCK) != 0;
  return errno == EAGAIN;
}

enum look { LOOK_TAKE, LOOK_WAIT, LOOK_REFUSE }; /* of the last nobody is held back */

/* NULL: it can be taken. */
static const char *unfit(const struct stat *info, const char *name) {
  if (strlen(name) > NAME_TAKEN_MAX) return "its name is too long";
  if (!S_ISREG(info->st_mode)) return "it is no file";
  if (info->st_nlink != 1) return "it has another name elsewhere";
  return info->st_size > LIMIT_TEXT_BYTES ? "it is too large" : NULL;
}

static enum look look_at(const struct relay_folder *folder, int file, bool renamed, const struct stat *info) {
  int64_t age = relay_now(folder->relay) / 1000 - (int64_t)info->st_mtime;
  /* a time in the future is of another clock: such a file is not left for ever */
  bool old = age >= folder->config->stable_seconds || age < -folder->config->stable_seconds;
  return (renamed || old) && !is_being_written(file) ? LOOK_TAKE : LOOK_WAIT;
}

/* --- moving away --- */

static void number_name(const char *name, int64_t number, char out[NAME_BYTES + 24]) {
  if (number)
    (void)snprintf(out, NAME_BYTES + 24, "%s.%lld", name, (long long)number);
  else
    (void)snprintf(out, NAME_BYTES + 24, "%s", name);
}

/* There are programs that give all their files the same name, for years. */
static int64_t number_of(const struct relay_folder *folder, int tried) {
  return tried < NUMBERS ? tried : relay_now(folder->relay) + tried - NUMBERS;
}

/* Network file systems do not know RENAME_NOREPLACE; nobody but this process puts files there. */
static int rename_new(int from, const char *name, int to, const char *other) {
  if (syscall(SYS_renameat2, from, name, to, other, 1 /* RENAME_NOREPLACE */) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (faccessat(to, other, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  if (errno != ENOENT) return errno;
  return renameat(from, name, to, other) == 0 ? 0 : errno;
}

/* Nothing is written over: a name that is taken gets a number. */
static bool move_to(const struct taken *taken, int target, char other[NAME_BYTES + 24]) {
  const struct relay_folder *folder = taken->folder;
  int64_t number = taken->number;
  for (int tried = taken->tried; tried < NUMBERS_TRIED; number = number_of(folder, ++tried)) {
    number_name(taken->name, number, other);
    int fault = rename_new(folder->folder, taken->name, target, other);
    if (fault != EEXIST) return fault == 0;
  }
  return false;
}

static bool is_as_read(const struct taken *taken, const struct stat *now) {
  const struct stat *read = &taken->read;
  return now->st_ino == read->st_ino && now->st_dev == read->st_dev && now->st_size == read->st_size &&
         now->st_mtim.tv_sec == read->st_mtim.tv_sec && now->st_mtim.tv_nsec == read->st_mtim.tv_nsec;
}

/* Nobody has put another file there, or has written into this one. */
static bool is_still_there(const struct taken *taken, int folder, const char *name) {
  struct stat info;
  return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && is_as_read(taken, &info);
}

/* What was moved is not what was read. Where its name is taken already it gets one that is taken in its turn too. */
static bool give_back(const struct taken *taken, int target, const char *other) {
  const struct relay_folder *folder = taken->folder;
  char name[NAME_BYTES + 24];
  int fault = rename_new(target, other, folder->folder, taken->name);
  for (int tried = 1; fault == EEXIST && tried < NUMBERS; tried++) {
    (void)snprintf(name, sizeof name, "%d.%s", tried, taken->name);
    fault = rename_new(target, other, folder->folder, name);
  }
  return fault == 0;
}

/* `file`: it, or -1; with a lease where there are leases, so that whoever opens it for writing meanwhile waits, and is known. */
static bool move_away(const struct taken *taken, int file) {
  int target = taken->rejected ? taken->folder->rejected : taken->folder->done;
  char other[NAME_BYTES + 24];
  bool leased = file >= 0 && fcntl(file, F_SETLEASE, F_RDLCK) == 0;
  if (!move_to(taken, target, other)) return false;
  bool same = is_still_there(taken, target, other) && (!leased || fcntl(file, F_GETLEASE) == F_RDLCK);
  return same || give_back(taken, target, other);
}

static void put_away(struct taken *taken) {
  struct relay_folder *folder = taken->folder;
  int file = open_beneath(folder->folder, taken->name);
  if (is_still_there(taken, folder->folder, taken->name) && !(file >= 0 && is_being_written(file))) { /* else it is taken in its turn */
    bool moved = move_away(taken, file);
    if (!moved) say(folder, RELAY_ERROR, "file-not-moved", taken->tag);
    if (moved) forget_name(&folder->renamed, taken->name); /* the next one of this name may be written in place */
    set_stuck(folder, !moved);
  }
  if (file >= 0) close(file);
}

static void schedule(struct relay_folder *folder, long ms);

static void wait_to_be_durable(struct taken *taken) {
  struct relay_folder *folder = taken->folder;
  taken->next = folder->waiting;
  folder->waiting = taken;
  folder->waiting_count++;
  relay_promise(folder->relay, &taken->promise);
}

static void wait_no_more(const struct taken *taken) {
  struct relay_folder *folder = taken->folder;
  struct taken **at = &folder->waiting;
  while (*at != taken)
    at = &(*at)->next;
  *at = taken->next;
  folder->waiting_count--;
}

/* As it is, it was taken. */
static bool is_waiting(const struct relay_folder *folder, const char *name, const struct stat *info) {
  for (const struct taken *taken = folder->waiting; taken; taken = taken->next)
    if (strcmp(taken->name, name) == 0 && is_as_read(taken, info)) return true;
  return false;
}

static void kept(void *context, enum status status) {
  struct taken *taken = context;
  struct relay_folder *folder = taken->folder;
  wait_no_more(taken);
  if (status == STATUS_OK) {
    note_scan(folder, STATUS_OK);
    put_away(taken);
  } else {
    fall_short(folder, status);
  }
  free(taken);
  if (folder->waiting || !folder->more) return;
  folder->more = false;
  schedule(folder, 0);
}

/* --- diagnostics beside --- */

/* What a process wrote that ended before it moved the file is not written twice. */
static bool holds_already(const struct relay_folder *folder, const char *path, struct str text) {
  struct str found = {0};
  int file = open_beneath(folder->rejected, path);
  bool same = file >= 0 && file_read(file, text.len + 1, folder->relay->records, &found) == STATUS_OK &&
              str_eq(found, text);
  if (file >= 0) close(file);
  return same;
}

/* The first number whose name and diagnostics are both free. EEXIST: this one is not. */
static int write_numbered(const struct relay_folder *folder, const struct taken *taken, struct str text) {
  char name[NAME_BYTES + 24], path[NAME_BYTES + 48];
  number_name(taken->name, taken->number, name);
  (void)snprintf(path, sizeof path, "%s.diagnostics.json", name);
  if (faccessat(folder->rejected, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  int file = openat(folder->rejected, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return errno == EEXIST && holds_already(folder, path, text) ? 0 : errno;
  bool done = file_write_synced(file, text) == STATUS_OK;
  close(file);
  if (!done) (void)unlinkat(folder->rejected, path, 0); /* it is tried again, and again */
  return done ? 0 : EIO;
}

static bool write_diagnostics(const struct relay_folder *folder, struct taken *taken, struct diag_list *diags) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  diag_hide_values(diags);
  diag_render_json(diags, &text);
  buf_add_char(&text, '\n');
  int fault = text.error == STATUS_OK ? EEXIST : EIO;
  for (int tried = 0; fault == EEXIST && tried < NUMBERS_TRIED; tried++) {
    taken->tried = tried;
    taken->number = number_of(folder, tried);
    fault = write_numbered(folder, taken, buf_str(&text));
  }
  buf_release(&text);
  return fault == 0;
}

/* --- one file --- */

static struct taken *new_taken(struct relay_folder *folder, const char *name, const struct stat *info) {
  struct taken *taken = calloc(1, sizeof *taken);
  if (!taken) return NULL;
  taken->folder = folder;
  taken->promise = (struct relay_promise){.kept = kept, .context = taken};
  snprintf(taken->name, sizeof taken->name, "%s", name);
  tag_of(name, taken->tag);
  taken->read = *info;
  return taken;
}

/* RETRY: it is another size or time afterwards, so somebody writes after all. */
static enum status read_file(int file, const struct taken *taken, struct arena *arena, struct str *out) {
  size_t size = (size_t)taken->read.st_size;
  struct stat now;
  enum status status = file_read(file, size, arena, out);
  if (status != STATUS_OK) return status;
  return out->len == size && fstat(file, &now) == 0 && is_as_read(taken, &now) ? STATUS_OK : STATUS_RETRY;
}

static void report(const struct relay_folder *folder, const struct taken *taken,
                   const struct relay_accepted *accepted) {
  RELAY_LOG(folder->relay, accepted->bad ? RELAY_WARNING : RELAY_INFO,
            taken->rejected ? "file-rejected" : "file-taken", RELAY_TEXT("folder", folder->config->name),
            RELAY_TEXT("file", str_of(taken->tag)), RELAY_NUMBER("records", (int64_t)accepted->records),
            RELAY_NUMBER("again", (int64_t)accepted->again), RELAY_NUMBER("bad", (int64_t)accepted->bad),
            RELAY_NUMBER("parked", (int64_t)accepted->parked));
}

/* Of a file that could not be opened. No descriptor or no memory passes; what may not be read, or is no file any more,
   holds nobody back. */
static enum look look_at_none(struct relay_folder *folder, const char *name, int error) {
  if (error == EAGAIN) return LOOK_WAIT;
  if (error == EMFILE || error == ENFILE || error == ENOMEM) {
    fall_short(folder, error == ENOMEM ? STATUS_NOMEM : STATUS_IO);
    return LOOK_WAIT;
  }
  if (error != ENOENT) /* else it is gone meanwhile */
    refuse(folder, name, error == EACCES ? "the relay may not read it" : strerror(error));
  return LOOK_REFUSE;
}

/* Of one that could not be read, or given to be mapped. */
static enum look look_at_unread(struct relay_folder *folder, const char *name, enum status status) {
  if (status == STATUS_NOMEM) fall_short(folder, status);
  if (status == STATUS_NOMEM || status == STATUS_RETRY) return LOOK_WAIT;
  refuse(folder, name, "it cannot be read: what does the disk say?");
  return LOOK_REFUSE;
}

/* Full, or out of memory, or nothing can be written beside it: it stays where it is, and is asked for again.
 */
static void leave(struct relay_folder *folder, enum status status) {
  folder->full = true;
  if (status == STATUS_LIMIT)
    set_state(folder, &folder->told, true, "store-full", "store-takes");
  else if (status == STATUS_INVALID)
    set_stuck(folder, true);
  else
    fall_short(folder, status);
}

/* All that it holds is in the group, or cannot be taken: it is moved when that is durable. False: it stays. */
static bool conclude(struct relay_folder *folder, struct taken *taken, const struct relay_accepted *accepted,
                     struct diag_list *diags) {
  taken->rejected = accepted->status == STATUS_INVALID;
  if ((accepted->status != STATUS_OK && !taken->rejected) ||
      (taken->rejected && !write_diagnostics(folder, taken, diags))) {
    leave(folder, accepted->status);
    free(taken);
    return false;
  }
  set_state(folder, &folder->told, false, "store-full", "store-takes");
  report(folder, taken, accepted);
  relay_log_diags(&folder->relay->log, "file-finding", diags);
  wait_to_be_durable(taken);
  return true;
}

static struct relay_input input_of(const struct relay_folder *folder, const struct taken *taken) {
  return (struct relay_input){
      .source = folder->config->name, .name = str_of(taken->name), .to = &folder->config->to};
}

/* Takes `taken` over when it is OK. */
static enum status take_now(struct relay_folder *folder, struct taken *taken, int file) {
  struct relay *relay = folder->relay;
  struct relay_input input = input_of(folder, taken);
  struct diag_list diags;
  arena_reset(relay->records);
  diag_list_init(&diags, relay->records);
  enum status status = read_file(file, taken, relay->records, &input.text);
  if (status != STATUS_OK) return status;
  struct relay_accepted accepted = relay_accept(relay, &input, &diags);
  (void)conclude(folder, taken, &accepted, &diags);
  return STATUS_OK;
}

/* --- a large one --- */

static void free_filing(struct filing *filing) {
  relay_task_release(&filing->task);
  arena_free(filing->arena);
  free(filing);
}

static void end_filing(struct filing *filing, bool taken) {
  struct relay_folder *folder = filing->folder;
  free_filing(filing);
  folder->filing = NULL;
  schedule(folder, taken && !folder->stuck ? 0 : SCAN_MS);
}

/* It stays in place and is taken again: records already stored are recognised by their hash. */
static void give_up(struct filing *filing) {
  free(filing->taken);
  end_filing(filing, false);
}

static void mapped(void *context, struct relay_task *task);

static bool give(struct filing *filing) {
  struct relay_folder *folder = filing->folder;
  struct relay_input input = filing->task.input;
  filing->task = (struct relay_task){.input = input,
                                     .piece = PIECE_BYTES,
                                     .from = filing->task.from,
                                     .findings = &filing->diags,
                                     .done = mapped,
                                     .context = filing};
  return relay_mapper_give(folder->relay->mapper, &filing->task) == STATUS_OK;
}

static void piece_kept(void *context, enum status status) {
  struct filing *filing = context;
  struct relay_folder *folder = filing->folder;
  bool goes_on = status == STATUS_OK && !folder->relay->stopping;
  if (goes_on && give(filing)) return;
  if (!folder->relay->stopping) fall_short(folder, goes_on ? STATUS_NOMEM : status);
  give_up(filing);
}

static void add_up(struct relay_accepted *all, const struct relay_accepted *piece) {
  all->records += piece->records;
  all->again += piece->again;
  all->different += piece->different;
  all->bad += piece->bad;
  all->parked += piece->parked;
}

/* More than may wait in memory: the loop maps it, keeping no more than one record of it. */
static void map_here(struct filing *filing) {
  struct relay *relay = filing->folder->relay;
  diag_list_init(&filing->diags, filing->arena);
  filing->all = relay_accept(relay, &filing->task.input, &filing->diags);
}

static void put_piece(struct filing *filing) {
  struct relay_accepted piece = relay_accept_mapped(filing->folder->relay, &filing->task);
  add_up(&filing->all, &piece);
  bool taken = piece.status == STATUS_OK || piece.status == STATUS_INVALID;
  filing->all.status = !taken ? piece.status : filing->all.bad || !filing->all.records ? STATUS_INVALID : STATUS_OK;
}

static void mapped(void *context, struct relay_task *task) {
  struct filing *filing = context;
  if (task->status == STATUS_UNAVAILABLE) {
    give_up(filing);
    return;
  }
  bool more = task->more && task->status == STATUS_OK;
  if (task->status == STATUS_NOMEM)
    map_here(filing);
  else
    put_piece(filing);
  relay_task_release(task);
  if (more && (filing->all.status == STATUS_OK || filing->all.status == STATUS_INVALID)) {
    filing->promise = (struct relay_promise){.kept = piece_kept, .context = filing};
    relay_promise(filing->folder->relay, &filing->promise);
    return;
  }
  end_filing(filing, conclude(filing->folder, filing->taken, &filing->all, &filing->diags));
}

/* Takes `taken` over when it is OK. */
static enum status take_later(struct relay_folder *folder, struct taken *taken, int file) {
  struct filing *filing = calloc(1, sizeof *filing);
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  enum status status = STATUS_NOMEM;
  if (filing && arena) {
    *filing = (struct filing){.folder = folder, .taken = taken, .arena = arena};
    diag_list_init(&filing->diags, arena);
    filing->task.input = input_of(folder, taken);
    status = read_file(file, taken, arena, &filing->task.input.text);
    if (status == STATUS_OK && !give(filing)) status = STATUS_NOMEM;
  }
  if (status == STATUS_OK) {
    folder->filing = filing;
    return status;
  }
  free(filing);
  arena_free(arena);
  return status;
}

static enum look take(struct relay_folder *folder, const char *name, int file, const struct stat *info) {
  struct taken *taken = new_taken(folder, name, info);
  bool later = relay_mapper_wants(folder->relay->mapper, (size_t)info->st_size);
  enum status status = STATUS_NOMEM;
  if (taken) status = (later ? take_later : take_now)(folder, taken, file);
  if (status == STATUS_OK) return LOOK_TAKE;
  free(taken);
  return look_at_unread(folder, name, status);
}

static enum look look_for(struct relay_folder *folder, const char *name, bool renamed) {
  struct stat info;
  int file = open_beneath(folder->folder, name);
  if (file < 0) return look_at_none(folder, name, errno);
  bool known = fstat(file, &info) == 0;
  const char *why = known ? unfit(&info, name) : NULL;
  enum look look = !known                                   ? LOOK_WAIT
                   : why || is_waiting(folder, name, &info) ? LOOK_REFUSE
                                                            : look_at(folder, file, renamed, &info);
  if (look == LOOK_TAKE) look = take(folder, name, file, &info);
  if (why) refuse(folder, name, why);
  close(file);
  return look;
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

static void schedule(struct relay_folder *folder, long ms) {
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
    enum look look = look_for(folder, name, has_name(&folder->renamed, name));
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
  if (status != STATUS_OK) fall_short(folder, status);
  size_t taken = take_in_order(folder, &listing);
  free_listing(&listing);
  if (!taken && !folder->waiting && folder->came == STATUS_OK) note_scan(folder, STATUS_OK); /* else the commit tells */
  if (!folder->filing) schedule(folder, taken == FILES_A_TURN && !folder->more ? 0 : SCAN_MS);
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
  schedule(folder, 0);
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
  schedule(folder, 0);
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
  if (folder->filing) { /* the disk failed before a piece was durable */
    free(folder->filing->taken);
    free_filing(folder->filing);
  }
  if (folder->scan) event_free(folder->scan);
  close_descriptors(folder);
  free(folder);
}
