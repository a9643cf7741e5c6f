/* dropped.c - a file of a drop folder: opened without following anything, read whole, its records put into the store. What is large is
   mapped beside the loop, piece by piece. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "relay/folder.h"
#include "relay/mapper.h"

enum {
  NAME_TAKEN_MAX = 220, /* a longer name leaves no room for what is put beside it, or behind it, when it is moved away */
  PIECE_BYTES = 512 << 10 /* of what becomes of a large file, put into the store at a time */
};

/* A large file: mapped beside the loop, piece by piece, each durable before the next one is made. */
struct relay_filing {
  struct relay_task task;
  struct relay_promise promise; /* of a piece */
  struct relay_folder *folder;
  struct relay_dropped *dropped;
  struct arena *arena; /* of its text and the findings */
  struct diag_list diags;
  struct relay_accepted all;
};

/* --- opening what others have put there --- */

int relay_dropped_open(int folder, const char *name) {
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                         .resolve =
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
  return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}

/* The kernel grants a read lease only while nobody writes; where it grants none at all, age has to do. */
bool relay_dropped_is_written(int file) {
  if (fcntl(file, F_SETLEASE, F_RDLCK) == 0) return fcntl(file, F_SETLEASE, F_UNLCK) != 0;
  return errno == EAGAIN;
}

bool relay_dropped_is_as_read(const struct relay_dropped *dropped, const struct stat *now) {
  const struct stat *read = &dropped->read;
  return now->st_ino == read->st_ino && now->st_dev == read->st_dev && now->st_size == read->st_size &&
         now->st_mtim.tv_sec == read->st_mtim.tv_sec && now->st_mtim.tv_nsec == read->st_mtim.tv_nsec;
}

/* NULL: it can be taken. */
static const char *unfit(const struct stat *info, const char *name) {
  if (strlen(name) > NAME_TAKEN_MAX) return "its name is too long";
  if (!S_ISREG(info->st_mode)) return "it is no file";
  if (info->st_nlink != 1) return "it has another name elsewhere";
  return info->st_size > LIMIT_TEXT_BYTES ? "it is too large" : NULL;
}

static enum relay_look look_at(const struct relay_folder *folder, int file, bool renamed, const struct stat *info) {
  int64_t age = relay_now(folder->relay) / 1000 - (int64_t)info->st_mtime;
  /* a time in the future is of another clock: such a file is not left for ever */
  bool old = age >= folder->config->stable_seconds || age < -folder->config->stable_seconds;
  return (renamed || old) && !relay_dropped_is_written(file) ? LOOK_TAKE : LOOK_WAIT;
}

/* --- waiting to be durable --- */

static void wait_to_be_durable(struct relay_dropped *dropped) {
  struct relay_folder *folder = dropped->folder;
  dropped->next = folder->waiting;
  folder->waiting = dropped;
  folder->waiting_count++;
  relay_promise(folder->relay, &dropped->promise);
}

static void wait_no_more(const struct relay_dropped *dropped) {
  struct relay_folder *folder = dropped->folder;
  struct relay_dropped **at = &folder->waiting;
  while (*at != dropped)
    at = &(*at)->next;
  *at = dropped->next;
  folder->waiting_count--;
}

/* As it is, it was taken. */
static bool is_waiting(const struct relay_folder *folder, const char *name, const struct stat *info) {
  for (const struct relay_dropped *dropped = folder->waiting; dropped; dropped = dropped->next)
    if (strcmp(dropped->name, name) == 0 && relay_dropped_is_as_read(dropped, info)) return true;
  return false;
}

static void kept(void *context, enum status status) {
  struct relay_dropped *dropped = context;
  struct relay_folder *folder = dropped->folder;
  wait_no_more(dropped);
  if (status == STATUS_OK) {
    relay_folder_note_scan(folder, STATUS_OK);
    relay_dropped_put_away(dropped);
  } else {
    relay_folder_fall_short(folder, status);
  }
  free(dropped);
  if (folder->waiting || !folder->more) return;
  folder->more = false;
  relay_folder_schedule(folder, 0);
}

/* --- one file --- */

static struct relay_dropped *new_dropped(struct relay_folder *folder, const char *name, const struct stat *info) {
  struct relay_dropped *dropped = calloc(1, sizeof *dropped);
  if (!dropped) return NULL;
  dropped->folder = folder;
  dropped->promise = (struct relay_promise){.kept = kept, .context = dropped};
  snprintf(dropped->name, sizeof dropped->name, "%s", name);
  relay_folder_tag(name, dropped->tag);
  dropped->read = *info;
  return dropped;
}

/* RETRY: it is another size or time afterwards, so somebody writes after all. */
static enum status read_file(int file, const struct relay_dropped *dropped, struct arena *arena, struct str *out) {
  size_t size = (size_t)dropped->read.st_size;
  struct stat now;
  enum status status = file_read(file, size, arena, out);
  if (status != STATUS_OK) return status;
  return out->len == size && fstat(file, &now) == 0 && relay_dropped_is_as_read(dropped, &now) ? STATUS_OK : STATUS_RETRY;
}

static void report(const struct relay_folder *folder, const struct relay_dropped *dropped,
                   const struct relay_accepted *accepted) {
  RELAY_LOG(folder->relay, accepted->bad ? RELAY_WARNING : RELAY_INFO,
            dropped->rejected ? "file-rejected" : "file-taken", RELAY_TEXT("folder", folder->config->name),
            RELAY_TEXT("file", str_of(dropped->tag)), RELAY_NUMBER("records", (int64_t)accepted->records),
            RELAY_NUMBER("again", (int64_t)accepted->again), RELAY_NUMBER("bad", (int64_t)accepted->bad),
            RELAY_NUMBER("parked", (int64_t)accepted->parked));
}

/* Of a file that could not be opened. No descriptor or no memory passes; what may not be read, or is no file any more,
   holds nobody back. */
static enum relay_look look_at_none(struct relay_folder *folder, const char *name, int error) {
  if (error == EAGAIN) return LOOK_WAIT;
  if (error == EMFILE || error == ENFILE || error == ENOMEM) {
    relay_folder_fall_short(folder, error == ENOMEM ? STATUS_NOMEM : STATUS_IO);
    return LOOK_WAIT;
  }
  if (error != ENOENT) /* else it is gone meanwhile */
    relay_folder_refuse(folder, name, error == EACCES ? "the relay may not read it" : strerror(error));
  return LOOK_REFUSE;
}

/* Of one that could not be read, or given to be mapped. */
static enum relay_look look_at_unread(struct relay_folder *folder, const char *name, enum status status) {
  if (status == STATUS_NOMEM) relay_folder_fall_short(folder, status);
  if (status == STATUS_NOMEM || status == STATUS_RETRY) return LOOK_WAIT;
  relay_folder_refuse(folder, name, "it cannot be read: what does the disk say?");
  return LOOK_REFUSE;
}

/* Full, or out of memory, or nothing can be written beside it: it stays where it is, and is asked for again. */
static void leave(struct relay_folder *folder, enum status status) {
  folder->full = true;
  if (status == STATUS_LIMIT)
    relay_folder_set_full(folder, true);
  else if (status == STATUS_INVALID)
    relay_folder_set_stuck(folder, true);
  else
    relay_folder_fall_short(folder, status);
}

/* All that it holds is in the group, or cannot be taken: it is moved when that is durable. False: it stays. */
static bool conclude(struct relay_folder *folder, struct relay_dropped *dropped, const struct relay_accepted *accepted,
                     struct diag_list *diags) {
  dropped->rejected = accepted->status == STATUS_INVALID;
  if ((accepted->status != STATUS_OK && !dropped->rejected) ||
      (dropped->rejected && !relay_dropped_explain(folder, dropped, diags))) {
    leave(folder, accepted->status);
    free(dropped);
    return false;
  }
  relay_folder_set_full(folder, false);
  report(folder, dropped, accepted);
  relay_log_diags(&folder->relay->log, "file-finding", diags);
  wait_to_be_durable(dropped);
  return true;
}

static struct relay_input input_of(const struct relay_folder *folder, const struct relay_dropped *dropped) {
  return (struct relay_input){
      .source = folder->config->name, .name = str_of(dropped->name), .to = &folder->config->to};
}

/* Takes `dropped` over when it is OK. */
static enum status take_now(struct relay_folder *folder, struct relay_dropped *dropped, int file) {
  struct relay *relay = folder->relay;
  struct relay_input input = input_of(folder, dropped);
  struct diag_list diags;
  arena_reset(relay->records);
  diag_list_init(&diags, relay->records);
  enum status status = read_file(file, dropped, relay->records, &input.text);
  if (status != STATUS_OK) return status;
  struct relay_accepted accepted = relay_accept(relay, &input, &diags);
  (void)conclude(folder, dropped, &accepted, &diags);
  return STATUS_OK;
}

/* --- a large one --- */

static void free_filing(struct relay_filing *filing) {
  relay_task_release(&filing->task);
  arena_free(filing->arena);
  free(filing);
}

static void end_filing(struct relay_filing *filing, bool taken) {
  struct relay_folder *folder = filing->folder;
  free_filing(filing);
  folder->filing = NULL;
  relay_folder_schedule(folder, taken && !folder->stuck ? 0 : FOLDER_SCAN_MS);
}

/* It stays in place and is taken again: records already stored are recognised by their hash. */
static void give_up(struct relay_filing *filing) {
  free(filing->dropped);
  end_filing(filing, false);
}

void relay_dropped_leave(struct relay_folder *folder) {
  if (!folder->filing) return;
  free(folder->filing->dropped);
  free_filing(folder->filing);
  folder->filing = NULL;
}

static void mapped(void *context, struct relay_task *task);

static bool give(struct relay_filing *filing) {
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
  struct relay_filing *filing = context;
  struct relay_folder *folder = filing->folder;
  bool goes_on = status == STATUS_OK && !folder->relay->stopping;
  if (goes_on && give(filing)) return;
  if (!folder->relay->stopping) relay_folder_fall_short(folder, goes_on ? STATUS_NOMEM : status);
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
static void map_here(struct relay_filing *filing) {
  struct relay *relay = filing->folder->relay;
  diag_list_init(&filing->diags, filing->arena);
  filing->all = relay_accept(relay, &filing->task.input, &filing->diags);
}

static void put_piece(struct relay_filing *filing) {
  struct relay_accepted piece = relay_accept_mapped(filing->folder->relay, &filing->task);
  add_up(&filing->all, &piece);
  bool taken = piece.status == STATUS_OK || piece.status == STATUS_INVALID;
  filing->all.status = !taken ? piece.status : filing->all.bad || !filing->all.records ? STATUS_INVALID : STATUS_OK;
}

static void mapped(void *context, struct relay_task *task) {
  struct relay_filing *filing = context;
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
  end_filing(filing, conclude(filing->folder, filing->dropped, &filing->all, &filing->diags));
}

/* Takes `dropped` over when it is OK. */
static enum status take_later(struct relay_folder *folder, struct relay_dropped *dropped, int file) {
  struct relay_filing *filing = calloc(1, sizeof *filing);
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  enum status status = STATUS_NOMEM;
  if (filing && arena) {
    *filing = (struct relay_filing){.folder = folder, .dropped = dropped, .arena = arena};
    diag_list_init(&filing->diags, arena);
    filing->task.input = input_of(folder, dropped);
    status = read_file(file, dropped, arena, &filing->task.input.text);
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

static enum relay_look take(struct relay_folder *folder, const char *name, int file, const struct stat *info) {
  struct relay_dropped *dropped = new_dropped(folder, name, info);
  bool later = relay_mapper_wants(folder->relay->mapper, (size_t)info->st_size);
  enum status status = STATUS_NOMEM;
  if (dropped) status = (later ? take_later : take_now)(folder, dropped, file);
  if (status == STATUS_OK) return LOOK_TAKE;
  free(dropped);
  return look_at_unread(folder, name, status);
}

enum relay_look relay_dropped_look(struct relay_folder *folder, const char *name, bool renamed) {
  struct stat info;
  int file = relay_dropped_open(folder->folder, name);
  if (file < 0) return look_at_none(folder, name, errno);
  bool known = fstat(file, &info) == 0;
  const char *why = known ? unfit(&info, name) : NULL;
  enum relay_look look = !known                                   ? LOOK_WAIT
                         : why || is_waiting(folder, name, &info) ? LOOK_REFUSE
                                                                  : look_at(folder, file, renamed, &info);
  if (look == LOOK_TAKE) look = take(folder, name, file, &info);
  if (why) relay_folder_refuse(folder, name, why);
  close(file);
  return look;
}
