/* places.c - folders and programs that the configuration names: what is missing is said before anything is started. */
#include <errno.h>
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

enum status relay_places_check(struct relay *relay, struct diag_list *diags) {
  const struct relay_config *config = relay->config;
  struct looking looking = {.relay = relay, .diags = diags, .worst = STATUS_OK};
  look_at_folder(&looking, config->state, "the folder of the store");
  look_at_folder_of(&looking, config->marker, "the folder of the marker");
  look_at_folder_of(&looking, config->backup, "the folder of the backup");
  look_at_folder_of(&looking, config->socket, "the folder of the socket");
  for (size_t i = 0; i < config->folder_count; i++)
    look_at_folder(&looking, config->folders[i].path, "the drop folder");
  for (size_t i = 0; i < config->mllp_count; i++)
    if (config->mllps[i].is_path) look_at_folder_of(&looking, config->mllps[i].listen, "the folder of the socket");
  look_at_program(&looking, config->alert);
  return looking.worst;
}
