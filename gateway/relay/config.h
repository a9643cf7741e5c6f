/*
 * config.h - the relay's configuration: an INI file, checked as a whole, with all errors at once.
 *
 *   [relay]
 *   state = /var/lib/ketlink                 the store's folder: mode 0700, on a local disk
 *   key = /etc/ketlink/store.key             of the store; credential:NAME is a file of $CREDENTIALS_DIRECTORY
 *   marker = /var/lib/ketlink-marker/generation
 *                                            remembers the store's generation, outside of the store; optional
 *   mappings = /etc/ketlink/mappings         optional, as for the other commands
 *   definitions = /usr/share/ketlink/definitions.pack
 *   log = text | json                        one line an event, on stderr; with the time unless the journal has it
 *   alert = /etc/ketlink/alert               program to call on edges: ALERT STATE WHAT [WHY]; optional
 *   alert-webhook = https://ops.example/x    and an address that the same is posted to; http only to
 *                                            127.0.0.1 or [::1]
 *   alert-ca-file = ops-ca.pem               the only authority that is trusted for it; optional
 *   alert-token-file = ops.token             sent as Authorization: Bearer; optional
 *
 *   [store]      max-records, reserve-mib, keep-days, dedupe-days
 *                backup = /var/backups/ketlink.db   a checked copy, once a day, sealed as the store is; optional
 *
 *   [http]       socket = /run/ketlink/ketlink.sock      or listen = 127.0.0.1:8650
 *                token-file = /etc/ketlink/intake.token   needed for listen, optional for a socket
 *                max-body-mib, max-connections
 *
 *   [folder NAME]       path = /srv/ketlink/drop   watched for files; done/ and rejected/ are made in it
 *                to = hospital, archive             destinations
 *                stable-seconds = 5                 a file that was not renamed into place is taken when it is this old, and
 *                                                   nobody has it open: of other users' files the kernel does not tell that
 *
 *   [mllp NAME]         HL7 v2 by MLLP: docs/hl7v2.md
 *                listen = 127.0.0.1:2575               a numeric address and port (0: any, told in the log), or a path:
 *                                                      a Unix socket of mode 0600
 *                certificate, key, client-ca, crl      TLS; all but crl must be there where others than this host connect
 *                client-names = lab.example, Ward 7    of the certificates of client-ca only those for one of these hosts: among the
 *                                                      alternative names, or, where none of them is of a host, the common name;
 *                                                      compared whole, no wildcards. May stand several times, adding up
 *                to = hospital                         destinations
 *                acknowledge = stored | delivered      when the application's acknowledgement goes: when the message
 *                                                      is durable, or when all its destinations have it
 *                delivered-seconds = 30                that are waited for it; then the answer is AE, come again
 *                charset = 8859/1                      of messages that name none and have bytes above 127; else UTF-8
 *                processing = P                        MSH-11 that is taken: P, T, D, or several with commas
 *                max-bytes = 1048576                   of a message, at most 64 MiB
 *                frame-seconds = 30                    for a whole message to arrive, and for its answer to be taken
 *                idle-seconds = 86400                  between two messages
 *                max-connections = 200, max-per-address = 20   a /64 of IPv6 is one address
 *
 *   [destination NAME]  file = hospital.json        a destination file; default NAME.json in the mappings' folder
 *                in-flight = 4                      transfers at a time, never two of a lane; destinations
 *                                                   of one base never write one resource at once
 *                parked = block | skip              whether a parked record holds its patient's lane back
 *                attempts = 0                       passing faults after which a record is parked; 0: never. A destination
 *                                                   that is at fault costs none, also when it is well again; who retries
 *                                                   a record gives it as many anew
 *                retry-seconds = 5, retry-max-seconds = 900
 *                memory-mib = 128                   that one record may need on its way, 1 to 1024
 *
 *   [post]       to = hospital                             destinations of what is posted
 *
 * Relative paths are relative to the file. Everything lives in the arena given.
 */
#ifndef KETLINK_RELAY_CONFIG_H
#define KETLINK_RELAY_CONFIG_H

#include "base/base.h"

enum { RELAY_FOLDERS_MAX = 16, RELAY_MLLP_MAX = 16, RELAY_DESTINATIONS_MAX = 64, RELAY_CLIENTS_MAX = 256, RELAY_NAME_MAX = 32 };

struct relay_names {
  struct str *names;
  size_t count;
};

struct relay_folder_config {
  struct str name, path;
  struct relay_names to;
  int64_t stable_seconds;
  size_t at; /* of its section, in the text */
};

struct relay_mllp_config {
  struct str name, listen, certificate, key, client_ca, crl, charset, processing;
  struct relay_names to, client_names; /* client_names: empty: whoever has a certificate of client_ca */
  bool delivered; /* acknowledged only then */
  bool is_path;
  int64_t delivered_seconds, max_bytes, frame_seconds, idle_seconds, max_connections, max_per_address;
  size_t at;
};

struct relay_destination_config {
  struct str name, file;
  int64_t in_flight, attempts, retry_seconds, retry_max_seconds, memory_mib;
  bool blocks;
  size_t at;
};

struct relay_config {
  struct source source;
  struct str state, key, marker, mappings, definitions, backup;
  struct str alert, webhook, webhook_ca, webhook_token;
  bool json_log;
  int64_t max_records, reserve_mib, keep_days, dedupe_days;
  struct str socket, listen, token_file;
  int64_t max_body_mib, max_connections;
  struct relay_names post_to;
  struct relay_folder_config folders[RELAY_FOLDERS_MAX];
  size_t folder_count;
  struct relay_mllp_config mllps[RELAY_MLLP_MAX];
  size_t mllp_count;
  struct relay_destination_config destinations[RELAY_DESTINATIONS_MAX];
  size_t destination_count;
};

/* STATUS_CONFIG with a diagnostic for each fault, by line: unknown sections and keys (with the nearest one),
   values out of range, what is missing, names that do not exist. Files are not looked at. */
enum status relay_config_read(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct relay_config *out) MUST_USE;
/* The same for who only wants to know where the relay and its files are: what is a credential of its service stays as it stands
   there, since nobody else has it. */
enum status relay_config_look(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct relay_config *out) MUST_USE;
/* The destination of that name, or NULL. */
const struct relay_destination_config *relay_config_destination(const struct relay_config *config,
                                                                struct str name);

#endif
