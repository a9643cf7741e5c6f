/* config.c - the INI file, read by inih line by line, each key by one row of a table. */
#include "relay/config.h"

#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/config.h"
#include "base/socket.h"
#include "delivery/delivery.h"
#include "mllp/mllp.h"

enum { CONFIG_MAX = 1 << 20, NAMES_MAX = 64 };

enum kind { PATH, TEXT, NUMBER, WORD, NAMES, CLIENTS /* names in certificates; may stand several times */ };

struct key {
  const char *name;
  enum kind kind;
  size_t at;            /* in its section's struct */
  int64_t min, max;     /* NUMBER */
  const char *no, *yes; /* WORD: bool false, true */
  const char *why;      /* no other word; may be NULL */
};

#define AT(type, member) offsetof(struct type, member)
static const struct key relay_keys[] = {
    {"state", PATH, AT(relay_config, state)},
    {"key", PATH, AT(relay_config, key)},
    {"marker", PATH, AT(relay_config, marker)},
    {"mappings", PATH, AT(relay_config, mappings)},
    {"definitions", PATH, AT(relay_config, definitions)},
    {"alert", PATH, AT(relay_config, alert)},
    {"alert-webhook", TEXT, AT(relay_config, webhook)},
    {"alert-ca-file", PATH, AT(relay_config, webhook_ca)},
    {"alert-token-file", PATH, AT(relay_config, webhook_token)},
    {"log", WORD, AT(relay_config, json_log), .no = "text", .yes = "json"},
};
static const struct key store_keys[] = {
    {"max-records", NUMBER, AT(relay_config, max_records), 1, 100000000},
    {"reserve-mib", NUMBER, AT(relay_config, reserve_mib), 1, 1 << 20},
    {"keep-days", NUMBER, AT(relay_config, keep_days), 0, 36500},
    {"dedupe-days", NUMBER, AT(relay_config, dedupe_days), 30, 36500},
    {"backup", PATH, AT(relay_config, backup)},
};
static const struct key http_keys[] = {
    {"socket", PATH, AT(relay_config, socket)},
    {"listen", TEXT, AT(relay_config, listen)},
    {"token-file", PATH, AT(relay_config, token_file)},
    {"max-body-mib", NUMBER, AT(relay_config, max_body_mib), 1, 64},
    {"max-connections", NUMBER, AT(relay_config, max_connections), 1, 10000},
};
static const struct key post_keys[] = {{"to", NAMES, AT(relay_config, post_to)}};
static const struct key folder_keys[] = {
    {"path", PATH, AT(relay_folder_config, path)},
    {"to", NAMES, AT(relay_folder_config, to)},
    {"stable-seconds", NUMBER, AT(relay_folder_config, stable_seconds), 1, 3600},
};
static const struct key mllp_keys[] = {
    {"listen", TEXT, AT(relay_mllp_config, listen)},
    {"certificate", PATH, AT(relay_mllp_config, certificate)},
    {"key", PATH, AT(relay_mllp_config, key)},
    {"client-ca", PATH, AT(relay_mllp_config, client_ca)},
    {"client-names", CLIENTS, AT(relay_mllp_config, client_names)},
    {"crl", PATH, AT(relay_mllp_config, crl)},
    {"to", NAMES, AT(relay_mllp_config, to)},
    {"acknowledge", WORD, AT(relay_mllp_config, delivered), .no = "stored", .yes = "delivered",
     .why = "nothing is acknowledged before it is on the disk"},
    {"delivered-seconds", NUMBER, AT(relay_mllp_config, delivered_seconds), 1, 3600},
    {"charset", TEXT, AT(relay_mllp_config, charset)},
    {"processing", TEXT, AT(relay_mllp_config, processing)},
    {"max-bytes", NUMBER, AT(relay_mllp_config, max_bytes), 1024, MLLP_LARGEST_BYTES},
    {"frame-seconds", NUMBER, AT(relay_mllp_config, frame_seconds), 1, 3600},
    {"idle-seconds", NUMBER, AT(relay_mllp_config, idle_seconds), 1, 31536000},
    {"max-connections", NUMBER, AT(relay_mllp_config, max_connections), 1, 20000},
    {"max-per-address", NUMBER, AT(relay_mllp_config, max_per_address), 1, 20000},
};
static const struct key destination_keys[] = {
    {"file", PATH, AT(relay_destination_config, file)},
    {"in-flight", NUMBER, AT(relay_destination_config, in_flight), 1, 64},
    {"attempts", NUMBER, AT(relay_destination_config, attempts), 0, 100000},
    {"retry-seconds", NUMBER, AT(relay_destination_config, retry_seconds), 1, 3600},
    {"retry-max-seconds", NUMBER, AT(relay_destination_config, retry_max_seconds), 1, 3600},
    {"memory-mib", NUMBER, AT(relay_destination_config, memory_mib), 1, 1024},
    {"parked", WORD, AT(relay_destination_config, blocks), .no = "skip", .yes = "block"},
};

static const struct section {
  const char *name;
  bool named; /* [folder NAME] */
  const struct key *keys;
  size_t count;
} sections[] = {
#define SECTION(word, named, keys)                                                                           \
  { word, named, keys, sizeof keys / sizeof keys[0] }
    SECTION("relay", false, relay_keys),  SECTION("store", false, store_keys),
    SECTION("http", false, http_keys),    SECTION("post", false, post_keys),
    SECTION("folder", true, folder_keys), SECTION("destination", true, destination_keys),
    SECTION("mllp", true, mllp_keys),
};
enum { SECTIONS = sizeof sections / sizeof sections[0], RELAY = 0, HTTP = 2, POST = 3, FOLDER = 4, DESTINATION = 5, MLLP = 6 };

struct reading {
  struct relay_config *config;
  const char *path;
  struct arena *arena;
  struct diag_list *diags;
  struct str text;
  size_t at;      /* after the line that inih has */
  size_t line_at; /* of that line */
  uint32_t line;
  const struct section *kind;                      /* that is open */
  void *target;                                    /* its struct */
  uint64_t seen[SECTIONS][RELAY_DESTINATIONS_MAX]; /* bits of keys, by section and item */
  size_t item;
  size_t sections[SECTIONS]; /* where each is in the text, the first of its kind */
  bool looking; /* credentials are not asked for */
  bool no_memory; /* something was not kept, so that it only seems not to be there */
  bool no_credential; /* the same of the path of one, which was told */
};

static void __attribute__((format(printf, 2, 3))) complain(struct reading *reading, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  struct diag_at at = {.source = &reading->config->source, .offset = reading->line_at};
  diag_error(reading->diags, DIAG_CONFIG_INVALID, &at, "%s", message);
}

static struct str kept(struct reading *reading, struct str text) {
  if (!text.ptr) reading->no_memory = true;
  return text;
}

static struct str keep(struct reading *reading, struct str text) {
  return kept(reading, arena_str(reading->arena, text));
}

/* --- sections --- */

static bool is_made_of(struct str name, const char *marks) {
  for (size_t i = 0; i < name.len; i++) {
    char c = name.ptr[i];
    bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(marks, c));
    if (!fine) return false;
  }
  return name.len > 0 && name.len <= RELAY_NAME_MAX;
}

static bool is_name(struct str name) {
  return is_made_of(name, "-_");
}

/* A file in one folder: no path, and neither . nor .. */
static bool is_credential(struct str name) {
  return is_made_of(name, "-_.") && name.ptr[0] != '.';
}

static void *open_folder(struct reading *reading, struct str name) {
  struct relay_config *config = reading->config;
  for (size_t i = 0; i < config->folder_count; i++)
    if (str_eq(config->folders[i].name, name)) return reading->item = i, &config->folders[i];
  if (config->folder_count == RELAY_FOLDERS_MAX)
    return complain(reading, "there may be %d folders", RELAY_FOLDERS_MAX), NULL;
  reading->item = config->folder_count;
  struct relay_folder_config *folder = &config->folders[config->folder_count++];
  *folder = (struct relay_folder_config){
      .name = keep(reading, name), .stable_seconds = 5, .at = reading->line_at};
  return folder;
}

static void *open_mllp(struct reading *reading, struct str name) {
  struct relay_config *config = reading->config;
  for (size_t i = 0; i < config->mllp_count; i++)
    if (str_eq(config->mllps[i].name, name)) return reading->item = i, &config->mllps[i];
  if (config->mllp_count == RELAY_MLLP_MAX)
    return complain(reading, "there may be %d [mllp NAME]", RELAY_MLLP_MAX), NULL;
  reading->item = config->mllp_count;
  struct relay_mllp_config *mllp = &config->mllps[config->mllp_count++];
  *mllp = (struct relay_mllp_config){.name = keep(reading, name),
                                     .processing = STR("P"),
                                     .delivered_seconds = 30,
                                     .max_bytes = MLLP_USUAL_BYTES,
                                     .frame_seconds = 30,
                                     .idle_seconds = 86400,
                                     .max_connections = 200,
                                     .max_per_address = 20,
                                     .at = reading->line_at};
  return mllp;
}

static void *open_destination(struct reading *reading, struct str name) {
  struct relay_config *config = reading->config;
  for (size_t i = 0; i < config->destination_count; i++)
    if (str_eq(config->destinations[i].name, name)) return reading->item = i, &config->destinations[i];
  if (config->destination_count == RELAY_DESTINATIONS_MAX)
    return complain(reading, "there may be %d destinations", RELAY_DESTINATIONS_MAX), NULL;
  reading->item = config->destination_count;
  struct relay_destination_config *destination = &config->destinations[config->destination_count++];
  *destination = (struct relay_destination_config){.name = keep(reading, name),
                                                   .in_flight = 4,
                                                   .retry_seconds = 5,
                                                   .retry_max_seconds = 900,
                                                   .memory_mib = 128,
                                                   .blocks = true,
                                                   .at = reading->line_at};
  return destination;
}

static const struct section *find_section(struct reading *reading, struct str word) {
  static const struct section none;
  const struct section *near = NULL;
  unsigned least = 3;
  for (size_t i = 0; i < SECTIONS; i++) {
    unsigned distance = str_distance(str_of(sections[i].name), word, least);
    if (distance == 0) return &sections[i];
    if (distance < least) least = distance, near = &sections[i];
  }
  complain(reading, near ? "there is no section %.*s; did you mean %s?" : "there is no section %.*s%s",
           STR_ARG(diag_quote(reading->arena, word)), near ? near->name : "");
  return &none;
}

static void open_section(struct reading *reading, struct str whole) {
  size_t gap = str_find_char(whole, ' ', 0);
  struct str word = str_slice(whole, 0, gap),
             name = gap == SIZE_MAX ? (struct str){0} : str_trim(str_slice(whole, gap, whole.len));
  reading->target = NULL;
  reading->item = 0;
  reading->kind = find_section(reading, word);
  if (!reading->kind->name) return;
  if (reading->kind->named && !is_name(name)) {
    complain(reading, "[%s NAME]: the name has letters, digits, - and _, at most %d", reading->kind->name,
             RELAY_NAME_MAX);
  } else if (!reading->kind->named && name.len) {
    complain(reading, "[%s] has no name", reading->kind->name);
  } else {
    size_t which = (size_t)(reading->kind - sections);
    if (!reading->sections[which]) reading->sections[which] = reading->line_at;
    reading->target = which == FOLDER        ? open_folder(reading, name)
                      : which == DESTINATION ? open_destination(reading, name)
                      : which == MLLP        ? open_mllp(reading, name)
                                             : (void *)reading->config;
  }
}

/* --- lines --- */

/* inih cuts long lines in pieces without a word, and passes over sections without keys: both are seen to
 * here. */
static char *next_line(char *out, int room, void *context) {
  struct reading *reading = context;
  if (reading->at >= reading->text.len) return NULL;
  size_t end = str_find_char(reading->text, '\n', reading->at);
  if (end == SIZE_MAX) end = reading->text.len;
  struct str line = str_slice(reading->text, reading->at, end);
  reading->line_at = reading->at;
  reading->at = end + 1;
  reading->line++;
  bool fits = line.len + 2 <= (size_t)room && memchr(line.ptr, '\0', line.len) == NULL;
  if (!fits)
    complain(reading, "the line is too long, or has a NUL in it; it may have %d characters", room - 2);
  struct str word = str_trim(line);
  if (fits && word.len > 1 && word.ptr[0] == '[' && word.ptr[word.len - 1] == ']')
    open_section(reading, str_slice(word, 1, word.len - 1));
  snprintf(out, (size_t)room, "%.*s\n", fits ? (int)line.len : 0, line.ptr);
  return out;
}

/* --- values --- */

static void take_path(struct reading *reading, struct str *out, struct str value) {
  static const char credential[] = "credential:";
  const char *folder = getenv("CREDENTIALS_DIRECTORY");
  if (!str_starts(value, STR("credential:"))) {
    *out = value.ptr[0] == '/' ? keep(reading, value)
                               : kept(reading, config_beside(reading->path, value, reading->arena));
    return;
  }
  struct str name = str_slice(value, sizeof credential - 1, value.len);
  if (reading->looking) {
    *out = keep(reading, value);
  } else if (folder && is_credential(name)) {
    *out = kept(reading, arena_printf(reading->arena, "%s/%.*s", folder, STR_ARG(name)));
  } else {
    reading->no_credential = true;
    complain(reading, folder ? "a credential's name has letters, digits, -, _ and (not in front) ., at most %d"
                             : "a credential is a file of $CREDENTIALS_DIRECTORY, which is not set: systemd sets it for the unit; by hand use systemd-run "
                               "with LoadCredential",
             RELAY_NAME_MAX);
  }
}

static void take_number(struct reading *reading, const struct key *key, int64_t *out, struct str value) {
  int64_t number = 0;
  if (!str_to_int64(value, &number) || number < key->min || number > key->max)
    complain(reading, "%s is a number from %lld to %lld", key->name, (long long)key->min,
             (long long)key->max);
  else
    *out = number;
}

static void take_word(struct reading *reading, const struct key *key, bool *out, struct str value) {
  *out = str_is(value, key->yes);
  if (*out || str_is(value, key->no)) return;
  complain(reading, "%s is %s or %s%s%s", key->name, key->no, key->yes, key->why ? ": " : "", key->why ? key->why : "");
}

/* One that does not fit in: the list may be written by hand, with a comma too many. */
static bool add_names(struct reading *reading, struct relay_names *out, size_t most, bool (*fits)(struct str name), struct str value) {
  if (!out->names) out->names = ARENA_ARRAY(reading->arena, struct str, most);
  if (!out->names) reading->no_memory = true;
  for (size_t at = 0; out->names && at <= value.len;) {
    size_t end = str_find_char(value, ',', at);
    if (end == SIZE_MAX) end = value.len;
    struct str name = str_trim(str_slice(value, at, end));
    at = end + 1;
    if (!fits(name) || out->count == most) return false;
    out->names[out->count++] = keep(reading, name);
  }
  return true;
}

static void take_names(struct reading *reading, const struct key *key, struct relay_names *out,
                       struct str value) {
  *out = (struct relay_names){0};
  if (!add_names(reading, out, NAMES_MAX, is_name, value))
    complain(reading, "%s is a list of names, with commas between them, at most %d", key->name, NAMES_MAX);
}

/* A dot before it would be all hosts below it. */
static bool is_client_name(struct str name) {
  enum { LONGEST = 253 /* of a host */ };
  for (size_t i = 0; i < name.len; i++)
    if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f || name.ptr[i] == '*') return false;
  return name.len && name.len <= LONGEST && name.ptr[0] != '.';
}

static void take_clients(struct reading *reading, const struct key *key, struct relay_names *out, struct str value) {
  if (!add_names(reading, out, RELAY_CLIENTS_MAX, is_client_name, value))
    complain(reading, "%s is a list of whole names as certificates have them, without *, with commas between them, at most %d",
             key->name, RELAY_CLIENTS_MAX);
}

static void take_value(struct reading *reading, const struct key *key, struct str value) {
  char *at = (char *)reading->target + key->at;
  if (value.len == 0) {
    complain(reading, "%s has no value", key->name);
    return;
  }
  switch (key->kind) {
  case PATH:
    take_path(reading, (void *)at, value);
    break;
  case TEXT:
    *(struct str *)(void *)at = keep(reading, value);
    break;
  case NUMBER:
    take_number(reading, key, (void *)at, value);
    break;
  case WORD:
    take_word(reading, key, (void *)at, value);
    break;
  case NAMES:
    take_names(reading, key, (void *)at, value);
    break;
  case CLIENTS:
    take_clients(reading, key, (void *)at, value);
    break;
  }
}

/* The first section that has such a key, or NULL. */
static const char *section_of(struct str name) {
  for (size_t i = 0; i < SECTIONS; i++)
    for (size_t k = 0; k < sections[i].count; k++)
      if (str_is(name, sections[i].keys[k].name)) return sections[i].name;
  return NULL;
}

static const struct key *find_key(struct reading *reading, struct str name) {
  const struct section *section = reading->kind;
  const char *near = NULL;
  unsigned least = 4;
  for (size_t i = 0; i < section->count; i++) {
    unsigned distance = str_distance(str_of(section->keys[i].name), name, least);
    if (distance == 0) return &section->keys[i];
    if (distance < least) least = distance, near = section->keys[i].name;
  }
  const char *elsewhere = near ? NULL : section_of(name);
  complain(reading, near ? "[%s] has no key %.*s; did you mean %s?" : elsewhere ? "[%s] has no key %.*s; it belongs into [%s]" : "[%s] has no key %.*s%s",
           section->name, STR_ARG(diag_quote(reading->arena, name)), near ? near : elsewhere ? elsewhere : "");
  return NULL;
}

static int take_line(void *context, const char *section, const char *name, const char *value) {
  struct reading *reading = context;
  (void)section;
  if (!reading->kind) complain(reading, "%s stands before any section", name);
  if (!reading->target) return 1;
  const struct key *key = find_key(reading, str_of(name));
  if (!key) return 1;
  uint64_t bit = (uint64_t)1 << (key - reading->kind->keys);
  uint64_t *seen = &reading->seen[reading->kind - sections][reading->item];
  if (*seen & bit && key->kind != CLIENTS) complain(reading, "%s stands twice in its section", key->name);
  *seen |= bit;
  take_value(reading, key, str_of(value));
  return 1;
}

/* --- the whole --- */

const struct relay_destination_config *relay_config_destination(const struct relay_config *config,
                                                                struct str name) {
  for (size_t i = 0; i < config->destination_count; i++)
    if (str_eq(config->destinations[i].name, name)) return &config->destinations[i];
  return NULL;
}

static void check_names(struct reading *reading, const char *where, const struct relay_names *names) {
  if (names->count == 0) complain(reading, "%s: to names no destination", where);
  for (size_t i = 0; i < names->count; i++)
    for (size_t k = 0; k < i; k++)
      if (str_eq(names->names[i], names->names[k]))
        complain(reading, "%s: to names %.*s twice: it would get each record twice", where, STR_ARG(names->names[i]));
  for (size_t i = 0; i < names->count; i++)
    if (!relay_config_destination(reading->config, names->names[i]))
      complain(reading, "%s: there is no [destination %.*s]", where, STR_ARG(names->names[i]));
}

/* Only this host: patients' data is not taken in clear from elsewhere. */
static bool is_loopback(struct str listen) {
  struct base_address address;
  return base_address_parse(listen, &address) && base_address_is_loopback(&address) && base_address_port(&address);
}

static void check_http(struct reading *reading) {
  const struct relay_config *config = reading->config;
  reading->line_at = reading->sections[HTTP];
  bool http = config->socket.len || config->listen.len;
  if (config->socket.len && config->listen.len) complain(reading, "[http] has a socket or listens, not both");
  if (config->listen.len && !is_loopback(config->listen))
    complain(reading,
             "[http] listen is 127.0.0.1:PORT or [::1]:PORT: nothing is taken in clear from other hosts");
  if (config->listen.len && !config->token_file.len)
    complain(reading, "[http] listen needs a token-file: every user of this host may connect");
  if (http && config->post_to.count == 0) complain(reading, "[post] to is missing: where posted records go");
  if (reading->sections[POST]) reading->line_at = reading->sections[POST];
  if (config->post_to.count) check_names(reading, "[post]", &config->post_to);
}

/* Whoever reaches it from elsewhere shows a certificate, and nothing of patients goes in clear. */
static const char *mllp_fault(const struct relay_mllp_config *mllp, const struct base_address *address) {
  bool tls = mllp->certificate.len || mllp->key.len, peer = mllp->client_ca.len || mllp->crl.len;
  if (tls && !(mllp->certificate.len && mllp->key.len)) return "certificate and key belong together";
  if (mllp->client_names.count && !mllp->client_ca.len) return "client-names needs client-ca: a name that nobody vouches for is none";
  if (peer && !(tls && mllp->client_ca.len)) return "client-ca needs certificate and key, crl needs client-ca";
  if (mllp->is_path) return tls ? "a Unix socket has no TLS" : NULL;
  if (!base_address_is_loopback(address) && !peer)
    return "from other hosts nothing is taken in clear or from anybody: certificate, key and client-ca are needed";
  return NULL;
}

/* Letters of table 0103, with commas or blanks between them. */
static bool is_processing(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if (!strchr("PTD, ", text.ptr[i])) return false;
  return text.len && text.len <= 8;
}

static void check_mllp(struct reading *reading, size_t at) {
  struct relay_mllp_config *mllp = &reading->config->mllps[at];
  struct base_address address = {0};
  char where[RELAY_NAME_MAX + 16];
  snprintf(where, sizeof where, "[mllp %.*s]", STR_ARG(mllp->name));
  reading->line_at = mllp->at;
  mllp->is_path = str_find_char(mllp->listen, '/', 0) != SIZE_MAX;
  if (mllp->is_path && mllp->listen.ptr[0] != '/')
    mllp->listen = kept(reading, config_beside(reading->path, mllp->listen, reading->arena));
  bool fine = mllp->is_path || base_address_parse(mllp->listen, &address);
  const char *fault = fine ? reading->no_credential ? NULL : mllp_fault(mllp, &address)
                           : "listen is an address and a port (127.0.0.1:2575, [::1]:2575), or a path with a /";
  if (fault) complain(reading, "%s: %s", where, fault);
  for (size_t i = 0; i < at; i++)
    if (str_eq(mllp->listen, reading->config->mllps[i].listen) && !str_ends(mllp->listen, STR(":0")))
      complain(reading, "%s: [mllp %.*s] listens there already", where, STR_ARG(reading->config->mllps[i].name));
  if (!is_processing(mllp->processing))
    complain(reading, "%s: processing is one of P (production), T (training), D (debugging), or several with commas between them", where);
  check_names(reading, where, &mllp->to);
}

static void check_webhook(struct reading *reading) {
  const struct relay_config *config = reading->config;
  struct delivery_destination hook;
  reading->line_at = reading->sections[RELAY];
  bool more = config->webhook_ca.len || config->webhook_token.len;
  const char *why = config->webhook.len
                        ? delivery_hook_make(config->webhook, config->webhook_ca, config->webhook_token, &hook)
                        : NULL;
  if (why) complain(reading, "[relay] alert-webhook: %s", why);
  if (more && !config->webhook.len)
    complain(reading, "[relay] alert-ca-file and alert-token-file are of an alert-webhook, and there is none");
}

static void check_folder(struct reading *reading, size_t at) {
  const struct relay_config *config = reading->config;
  const struct relay_folder_config *folder = &config->folders[at];
  char where[RELAY_NAME_MAX + 16];
  snprintf(where, sizeof where, "[folder %.*s]", STR_ARG(folder->name));
  reading->line_at = folder->at;
  if (!folder->path.len) complain(reading, "%s: path is missing", where);
  for (size_t i = 0; i < at; i++)
    if (folder->path.len && str_eq(folder->path, config->folders[i].path))
      complain(reading, "%s: [folder %.*s] has the same path: each file would be taken twice", where,
               STR_ARG(config->folders[i].name));
  check_names(reading, where, &folder->to);
}

static void check_destination(struct reading *reading, size_t at) {
  const struct relay_destination_config *destination = &reading->config->destinations[at];
  reading->line_at = destination->at;
  if (destination->retry_max_seconds < destination->retry_seconds)
    complain(reading, "[destination %.*s]: retry-max-seconds is less than retry-seconds", STR_ARG(destination->name));
}

static void check_whole(struct reading *reading) {
  const struct relay_config *config = reading->config;
  reading->line_at = reading->sections[RELAY];
  if (!config->state.len) complain(reading, "[relay] state is missing: the folder of the store");
  if (!config->key.len && !reading->no_credential) complain(reading, "[relay] key is missing: the file of the store key");
  reading->line_at = 0;
  if (!config->destination_count) complain(reading, "there is no [destination NAME]");
  if (!config->folder_count && !config->mllp_count && !config->socket.len && !config->listen.len)
    complain(reading, "nothing comes in: there is no [folder NAME], no [mllp NAME] and no [http]");
  for (size_t i = 0; i < config->folder_count; i++)
    check_folder(reading, i);
  for (size_t i = 0; i < config->destination_count; i++)
    check_destination(reading, i);
  for (size_t i = 0; i < config->mllp_count; i++)
    check_mllp(reading, i);
  check_http(reading);
  check_webhook(reading);
}

static void set_defaults(struct relay_config *config) {
  config->max_records = 1000000;
  config->reserve_mib = 256;
  config->keep_days = 30;
  config->dedupe_days = 30;
  config->max_body_mib = 8;
  config->max_connections = 200;
}

/* What may be done about a file that cannot be read. */
static const char *remedy(struct reading *reading, const struct host *host, enum status status) {
  struct str *names = NULL;
  size_t count = 0;
  if (status == STATUS_NOT_FOUND) return "; docs/operating.md has one to begin with, --config FILE names another";
  bool folder = host->list_files(host->context, reading->path, STR(".ini"), reading->arena, &names, &count) == STATUS_OK;
  if (!folder) return "";
  struct str first = count ? names[0] : STR("relay.ini");
  struct str text = arena_printf(reading->arena, ": it is a folder; --config names the file in it, such as %s/%.*s", reading->path, STR_ARG(first));
  return text.ptr ? text.ptr : "";
}

/* The first line that is nothing; reading went on after it. */
static void complain_of_line(struct reading *reading, int number) {
  size_t at = 0;
  for (int i = 1; i < number && at < reading->text.len; i++)
    at = str_find_char(reading->text, '\n', at) + 1;
  reading->line_at = at;
  complain(reading, "this line is no section and no key = value");
}

static enum status read_whole(const char *path, const struct host *host, struct arena *arena, struct diag_list *diags,
                              bool looking, struct relay_config *out) {
  struct str text;
  size_t before = diag_errors(diags);
  *out = (struct relay_config){.source = source_make(arena_str(arena, str_of(path)), (struct str){0})};
  struct reading *reading = ARENA_NEW(arena, struct reading);
  if (!reading) return STATUS_NOMEM;
  *reading = (struct reading){.config = out, .path = path, .arena = arena, .diags = diags, .looking = looking};
  enum status status = host->read_file(host->context, path, CONFIG_MAX, arena, &text);
  if (status != STATUS_OK) {
    const char *help = remedy(reading, host, status);
    complain(reading, "the configuration cannot be read%s%s%s", help[0] == ':' ? "" : ": ", help[0] == ':' ? "" : status_reason(status), help);
    return status == STATUS_NOMEM ? status : STATUS_CONFIG;
  }
  if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_slice(text, 3, text.len); /* as editors of Windows write */
  out->source = source_make(out->source.name, text);
  reading->text = text;
  set_defaults(out);
  int wrong = ini_parse_stream(next_line, reading, take_line, reading);
  if (wrong > 0) complain_of_line(reading, wrong);
  check_whole(reading);
  if (reading->no_memory) return STATUS_NOMEM; /* what was not kept may be what keeps somebody out */
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}

enum status relay_config_read(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct relay_config *out) {
  return read_whole(path, host, arena, diags, false, out);
}

enum status relay_config_look(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct relay_config *out) {
  return read_whole(path, host, arena, diags, true, out);
}
