/* cmd_keys.c - ketlink keys: the key sets by which EHRs know us, and the key of the relay's store. */
#include "base/secret.h"
#include "cli/keys_row.h"
#include "delivery/smart.h"
#include "outbox/outbox.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000, OVERLAP_DAYS = 2, OVERLAP_MOST = 365 };

static int64_t now_of(const struct cli *cli) {
  return cli->host->now_ms(cli->host->context);
}

static const char *file_of(const struct cli *cli) {
  return cli->arguments[cli->argument_count - 1];
}

static int end(struct cli *cli, enum status status) {
  cli_report(cli, &cli->diags);
  if (status != STATUS_OK && !cli->diags.count) fprintf(stderr, "ketlink: %s\n", status_name(status));
  return cli_exit_of(status);
}

/* In one step: who reads the file has the old set or the new one. */
static enum status replace(struct cli *cli, struct str text) {
  struct source source = source_make(str_of(file_of(cli)), (struct str){0});
  enum status status = cli->host->write_file(cli->host->context, file_of(cli), text, true);
  base_secret_wipe(text);
  if (status == STATUS_OK) return STATUS_OK;
  diag_error(&cli->diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source},
             "it cannot be written and is as it was (%s): is there room, and may you write in its folder?", status_name(status));
  return STATUS_IO;
}

static enum status create(struct cli *cli, const char *what, struct str text) {
  enum status status = base_secret_create(file_of(cli), what, text, &cli->diags);
  base_secret_wipe(text);
  return status;
}

/* False: told, and the exit status is CLI_USAGE. */
static bool read_algorithm(const struct cli *cli, enum delivery_smart_algorithm *out) {
  const char *word = cli_value(cli, "alg");
  if (!word || delivery_smart_algorithm_parse(str_of(word), out)) return true;
  (void)cli_usage(cli, "--alg is ES384 or RS384");
  return false;
}

static enum status open_keys(struct cli *cli, struct delivery_smart_keys **out) {
  return delivery_smart_keys_read(file_of(cli), &cli->diags, out);
}

static struct str time_text(const struct cli *cli, int64_t ms) {
  struct buf text;
  struct datetime when = datetime_from_ms(ms / 1000 * 1000, 0);
  buf_init(&text, 64);
  datetime_format(&when, &text);
  struct str out = buf_take_str(&text, cli->arena);
  buf_release(&text);
  return out.ptr ? out : STR("");
}

/* --- key sets --- */

static int run_create(struct cli *cli) {
  enum delivery_smart_algorithm algorithm = SMART_ES384;
  struct str text = {0};
  if (!read_algorithm(cli, &algorithm)) return CLI_USAGE;
  enum status status = delivery_smart_keys_add(NULL, algorithm, now_of(cli), now_of(cli), cli->arena, &text);
  if (status == STATUS_OK) status = create(cli, "the key set", text);
  if (status == STATUS_OK)
    cli_note(cli, "%s: a key for %s; give the EHR its public part: ketlink keys jwks %s", file_of(cli),
             delivery_smart_algorithm_name(algorithm), file_of(cli));
  return end(cli, status);
}

static void print_key(struct cli *cli, const struct delivery_smart_key_info *key) {
  struct str from = time_text(cli, key->signs_from);
  const char *name = delivery_smart_algorithm_name(key->algorithm);
  const char *state = key->signs ? "signs" : key->signs_from > now_of(cli) ? "waits" : "over";
  if (cli->json)
    cli_printf(cli, "{\"kid\":\"%.*s\",\"alg\":\"%s\",\"state\":\"%s\",\"signsFrom\":\"%.*s\"}\n",
               STR_ARG(key->kid), name, state, STR_ARG(from));
  else
    cli_printf(cli, "%-5s  %s  from %.*s  %.*s\n", state, name, STR_ARG(from), STR_ARG(key->kid));
}

static int run_list(struct cli *cli) {
  struct delivery_smart_keys *keys = NULL;
  struct delivery_smart_key_info infos[SMART_KEYS_MAX];
  enum status status = open_keys(cli, &keys);
  size_t count = status == STATUS_OK ? delivery_smart_keys_list(keys, now_of(cli), infos) : 0;
  for (size_t i = 0; i < count; i++)
    print_key(cli, &infos[i]);
  delivery_smart_keys_close(keys);
  return end(cli, status);
}

static int run_jwks(struct cli *cli) {
  struct delivery_smart_keys *keys = NULL;
  struct str text = {0};
  enum status status = open_keys(cli, &keys);
  if (status == STATUS_OK) status = delivery_smart_keys_public(keys, cli->arena, &text);
  if (status == STATUS_OK) cli_print(cli, text);
  delivery_smart_keys_close(keys);
  return end(cli, status);
}

static bool read_overlap(const struct cli *cli, int64_t *days) {
  const char *word = cli_value(cli, "overlap");
  *days = OVERLAP_DAYS;
  if (!word || (str_to_int64(str_of(word), days) && *days <= OVERLAP_MOST)) return true;
  (void)cli_usage(cli, "--overlap is a number of days from 0 to %d", OVERLAP_MOST);
  return false;
}

static enum delivery_smart_algorithm algorithm_now(const struct cli *cli,
                                                   const struct delivery_smart_keys *keys) {
  struct delivery_smart_key_info infos[SMART_KEYS_MAX];
  size_t count = delivery_smart_keys_list(keys, now_of(cli), infos);
  for (size_t i = 0; i < count; i++)
    if (infos[i].signs) return infos[i].algorithm;
  return SMART_ES384;
}

/* At the cap the oldest would have to go: only one that signs no more. */
static enum status check_room(struct cli *cli, const struct delivery_smart_keys *keys) {
  struct delivery_smart_key_info infos[SMART_KEYS_MAX];
  struct source source = source_make(str_of(file_of(cli)), (struct str){0});
  struct diag_at at = {.source = &source};
  if (delivery_smart_keys_list(keys, now_of(cli), infos) < SMART_KEYS_MAX) return STATUS_OK;
  diag_error(&cli->diags, DIAG_CONFIG_INVALID, &at,
             "the key set has %d keys, the most it may have: ketlink keys prune first", SMART_KEYS_MAX);
  return STATUS_CONFIG;
}

static int rotate_keys(struct cli *cli) {
  struct delivery_smart_keys *keys = NULL;
  struct str text = {0};
  int64_t days = 0, from = 0;
  enum delivery_smart_algorithm algorithm = SMART_ES384;
  if (!read_overlap(cli, &days) || !read_algorithm(cli, &algorithm)) return CLI_USAGE;
  enum status status = open_keys(cli, &keys);
  if (status == STATUS_OK) status = check_room(cli, keys);
  if (status == STATUS_OK && !cli_value(cli, "alg")) algorithm = algorithm_now(cli, keys);
  from = now_of(cli) + days * DAY_MS;
  if (status == STATUS_OK)
    status = delivery_smart_keys_add(keys, algorithm, now_of(cli), from, cli->arena, &text);
  if (status == STATUS_OK) status = replace(cli, text);
  if (status == STATUS_OK)
    cli_note(cli, "%s: the new key signs from %.*s; publish the set now: ketlink keys jwks %s", file_of(cli),
             STR_ARG(time_text(cli, from)), file_of(cli));
  delivery_smart_keys_close(keys);
  return end(cli, status);
}

static int prune_keys(struct cli *cli) {
  struct delivery_smart_keys *keys = NULL;
  struct str text = {0};
  size_t dropped = 0;
  enum status status = open_keys(cli, &keys);
  if (status == STATUS_OK)
    status = delivery_smart_keys_prune(keys, now_of(cli), now_of(cli) - HOUR_MS, cli->arena, &text, &dropped);
  if (status == STATUS_OK && dropped) status = replace(cli, text);
  base_secret_wipe(text);
  if (status == STATUS_OK)
    cli_note(cli, "%s: %zu key%s dropped%s", file_of(cli), dropped, dropped == 1 ? "" : "s",
             dropped ? "; publish the set again: ketlink keys jwks" : "");
  delivery_smart_keys_close(keys);
  return end(cli, status);
}

/* Of two that change a set at once one would be lost: a key that was told and published. */
static int alone(struct cli *cli, int (*change)(struct cli *cli)) {
  int lock = cli_lock_folder_of(file_of(cli)), result = change(cli);
  cli_unlock(lock);
  return result;
}

static int run_rotate(struct cli *cli) {
  return alone(cli, rotate_keys);
}

static int run_prune(struct cli *cli) {
  return alone(cli, prune_keys);
}

/* --- the store's key --- */

static enum status refuse_full(struct cli *cli) {
  struct source source = source_make(str_of(file_of(cli)), (struct str){0});
  diag_error(&cli->diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source},
             "the file has %d store keys and holds no more: restart the relay, so that the newest wraps the store, then remove the "
             "first lines, but what a backup that you keep was made with",
             OUTBOX_KEYS_MAX);
  return STATUS_CONFIG;
}

static int make_store_key(struct cli *cli) {
  struct outbox_keys keys = {0};
  struct str text = {0}, verb = str_of(cli->arguments[0]);
  bool rotate = str_is(verb, "rotate");
  if (!rotate && !str_is(verb, "create")) return cli_usage(cli, "create or rotate, and the file");
  enum status status = STATUS_OK;
  if (rotate) status = outbox_keys_read(file_of(cli), cli->arena, &cli->diags, &keys);
  if (status == STATUS_OK) status = outbox_keys_rotate(&keys, cli->host, cli->arena, &text);
  if (status == STATUS_LIMIT) status = refuse_full(cli);
  if (status == STATUS_OK) status = rotate ? replace(cli, text) : create(cli, "the store key", text);
  if (status == STATUS_OK)
    cli_note(cli, "%s: %s", file_of(cli),
             rotate ? "one key more; restart the relay, it wraps the store's keys anew"
                    : "a store key; keep a copy away from the store and its backups");
  outbox_keys_wipe(&keys);
  return end(cli, status);
}

static int run_store(struct cli *cli) {
  return alone(cli, make_store_key);
}

const struct cli_command cli_keys_create = {CLI_KEYS_CREATE_ROW, .run = run_create};
const struct cli_command cli_keys_list = {CLI_KEYS_LIST_ROW, .run = run_list};
const struct cli_command cli_keys_jwks = {CLI_KEYS_JWKS_ROW, .run = run_jwks};
const struct cli_command cli_keys_rotate = {CLI_KEYS_ROTATE_ROW, .run = run_rotate};
const struct cli_command cli_keys_prune = {CLI_KEYS_PRUNE_ROW, .run = run_prune};
const struct cli_command cli_keys_store = {CLI_KEYS_STORE_ROW, .run = run_store};
