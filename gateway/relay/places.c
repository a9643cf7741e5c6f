/* places.c - folders and programs that the configuration names: what is missing is said before anything is started. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "relay/internal.h"

struct looking {
  struct relay *relay;
  struct diag_list *diags;
  enum status worst;
};

static void complain(struct looking *looking, struct str path, const char *what, const char *advice) {
  struct source source = source_make(path, (struct str){0});
  diag_error(looking->diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source}, "%s: %s: %s", what, strerror(errno),
             advice);
  looking->worst = STATUS_CONFIG;
}

/* Folders below /run are made when systemd starts the unit. */
static void look_at_folder(struct looking *looking, struct str path, const char *what) {
  struct stat info;
  if (!path.len || str_starts(path, STR("/run/"))) return;
  bool there = stat(path.ptr, &info) == 0;
  if (there && !S_ISDIR(info.st_mode)) {
    there = false;
    errno = ENOTDIR;
  }
  if (!there)
    complain(looking, path, what, "make it, owned by the relay's user");
  else if (access(path.ptr, R_OK | W_OK | X_OK) != 0)
    complain(looking, path, what, "the relay's user has to read and write there, and under systemd ReadWritePaths= has to name it");
}

static void look_at_folder_of(struct looking *looking, struct str file, const char *what) {
  size_t slash = file.len;
  while (slash > 0 && file.ptr[slash - 1] != '/')
    slash--;
  if (slash < 2) return; /* of the root, or beside us */
  struct str folder = arena_str(looking->relay->arena, str_slice(file, 0, slash - 1));
  if (folder.ptr) look_at_folder(looking, folder, what);
}

static void look_at_program(struct looking *looking, struct str path) {
  if (path.len && access(path.ptr, X_OK) != 0)
    complain(looking, path, "alert", "it is a program that the relay's user may run");
}

/* --- one in the place of another --- */

static void refuse(struct looking *looking, struct str path, const char *why) {
  struct source source = source_make(path, (struct str){0});
  diag_error(looking->diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source}, "%s", why);
  looking->worst = STATUS_CONFIG;
}

static struct str folder_of(struct arena *arena, struct str file) {
  size_t slash = file.len;
  while (slash > 0 && file.ptr[slash - 1] != '/')
    slash--;
  return slash ? arena_str(arena, str_slice(file, 0, slash)) : STR(".");
}

/* By whatever name. */
static bool are_the_same(struct str a, struct str b) {
  struct stat one, other;
  return a.ptr && b.ptr && stat(a.ptr, &one) == 0 && stat(b.ptr, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

/* A copy of a store, by what SQLite and the store write at its beginning; or nothing, yet. */
static bool may_be_replaced(struct str path) {
  static const char magic[16] = "SQLite format 3", application[3] = "KLO";
  enum { HEAD = 100, APPLICATION = 68 };
  char head[HEAD];
  struct stat info;
  int fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno == ENOENT;
  ssize_t got = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? read(fd, head, sizeof head) : -1;
  (void)close(fd);
  return got == 0 || (got == HEAD && memcmp(head, magic, sizeof magic) == 0 &&
                      memcmp(head + APPLICATION, application, sizeof application) == 0);
}

/* They are written beside their place and renamed into it: over the store, if it is there, or over its key. */
static void keep_off_the_store(struct looking *looking) {
  const struct relay_config *config = looking->relay->config;
  if (config->backup.len && are_the_same(folder_of(looking->relay->arena, config->backup), config->state))
    refuse(looking, config->backup, "backup is in the store's own folder: it belongs to another disk, and never over the store");
  else if (config->backup.len && !may_be_replaced(config->backup))
    refuse(looking, config->backup, "backup is there, and is no copy of a store: it would be written over; name a file that is not there");
  size_t slash = folder_of(looking->relay->arena, config->marker).len;
  if (config->marker.len && are_the_same(folder_of(looking->relay->arena, config->marker), config->state) &&
      str_starts(str_slice(config->marker, slash, config->marker.len), STR("outbox.db")))
    refuse(looking, config->marker, "marker is a file of the store: it would be written over it");
  if (config->marker.len && str_eq(config->marker, config->backup))
    refuse(looking, config->marker, "marker and backup are one file: each would be written over the other");
}

static void keep_apart(struct looking *looking) {
  const struct relay_config *config = looking->relay->config;
  for (size_t i = 0; i < config->folder_count; i++)
    for (size_t k = 0; k < i; k++) /* of equal names the configuration itself has told */
      if (!str_eq(config->folders[i].path, config->folders[k].path) && are_the_same(config->folders[i].path, config->folders[k].path))
        refuse(looking, config->folders[i].path, "it is the drop folder of another [folder] by another name: each file would be taken twice");
}

/* --- who may write --- */

/* In a folder like /tmp nobody puts a file in the place of another user's. */
static bool is_everybodys(struct str path) {
  struct stat info;
  return path.ptr && stat(path.ptr, &info) == 0 && (info.st_mode & S_IWOTH) && !(S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX));
}

enum status relay_place_check(struct str path, struct arena *arena, struct diag_list *diags) {
  struct source source = source_make(path, (struct str){0});
  if (!path.len || (!is_everybodys(path) && !is_everybodys(folder_of(arena, path)))) return STATUS_OK;
  diag_error(diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source},
             "everybody on this machine may write it, or put another in its place, and so say where patients' data goes and what is run: "
             "chmod o-w it and its folder");
  return STATUS_CONFIG;
}

static void look_at_writers(struct looking *looking, struct str path) {
  if (relay_place_check(path, looking->relay->arena, looking->diags) != STATUS_OK) looking->worst = STATUS_CONFIG;
}

enum status relay_places_check(struct relay *relay, struct diag_list *diags) {
  const struct relay_config *config = relay->config;
  struct looking looking = {.relay = relay, .diags = diags, .worst = STATUS_OK};
  look_at_folder(&looking, config->state, "the folder of the store");
  if (looking.worst == STATUS_OK && config->state.len) looking.worst = outbox_place_check(config->state.ptr, diags);
  look_at_folder_of(&looking, config->marker, "the folder of the marker");
  look_at_folder_of(&looking, config->backup, "the folder of the backup");
  look_at_folder_of(&looking, config->socket, "the folder of the socket");
  for (size_t i = 0; i < config->folder_count; i++)
    look_at_folder(&looking, config->folders[i].path, "the drop folder");
  for (size_t i = 0; i < config->mllp_count; i++)
    if (config->mllps[i].is_path) look_at_folder_of(&looking, config->mllps[i].listen, "the folder of the socket");
  look_at_program(&looking, config->alert);
  look_at_writers(&looking, config->alert);
  look_at_writers(&looking, str_of(relay->config_path));
  keep_off_the_store(&looking);
  keep_apart(&looking);
  return looking.worst;
}
