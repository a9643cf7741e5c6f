/* keys_row.h - private to cli: what the commands of `ketlink keys` look like, for the program that starts them and
 * the one that carries them out. */
#ifndef KETLINK_CLI_KEYS_ROW_H
#define KETLINK_CLI_KEYS_ROW_H

#include "cli/cli.h"

static const struct cli_option keys_make_options[] = {
    {"alg", 'a', "NAME", "ES384 (default) or RS384"},
};
static const struct cli_option keys_rotate_options[] = {
    {"overlap", 0, "DAYS", "the new key is published now and signs after so many days, 0 to 365 (default: 2)"},
    {"alg", 'a', "NAME", "ES384 or RS384 (default: as the key that signs now)"},
};

#define CLI_KEYS_CREATE_ROW                                                                                  \
  .name = "keys", .verb = "create", .arguments = "FILE",                                                     \
  .summary = "a new key set for SMART Backend Services",                                                     \
  .examples =                                                                                                \
      "  ketlink keys create /etc/ketlink/hospital.keys              keysFile of a destination\n"            \
      "  ketlink keys create --alg RS384 /etc/ketlink/clinic.keys    for servers without ES384\n"            \
      "\nThe file is readable by its owner only, and never takes the place of another.\n",                   \
  .options = keys_make_options, .option_count = 1, .min_arguments = 1, .max_arguments = 1

#define CLI_KEYS_LIST_ROW                                                                                    \
  .name = "keys", .verb = "list", .arguments = "FILE", .summary = "the keys of a key set: which signs, since when", \
  .examples = "  ketlink keys list /etc/ketlink/hospital.keys\n"                                             \
              "  ketlink keys list --json /etc/ketlink/hospital.keys\n",                                     \
  .min_arguments = 1, .max_arguments = 1, .public_output = true

#define CLI_KEYS_JWKS_ROW                                                                                    \
  .name = "keys", .verb = "jwks", .arguments = "FILE",                                                       \
  .summary = "the public part of a key set (JWK Set), for the EHR",                                          \
  .examples = "  ketlink keys jwks /etc/ketlink/hospital.keys\n"                                             \
              "  ketlink keys jwks -o /var/www/jwks.json /etc/ketlink/hospital.keys    where the EHR fetches it\n", \
  .min_arguments = 1, .max_arguments = 1, .public_output = true, .one_output = true

#define CLI_KEYS_ROTATE_ROW                                                                                  \
  .name = "keys", .verb = "rotate", .arguments = "FILE", .summary = "one key more, which signs after an overlap", \
  .examples = "  ketlink keys rotate /etc/ketlink/hospital.keys                 signs in two days\n"         \
              "  ketlink keys rotate --overlap 30 /etc/ketlink/hospital.keys    where people register keys\n" \
              "\nThen publish the set again (ketlink keys jwks); after the overlap: ketlink keys prune.\n"   \
              "Nothing need be restarted: the set is read for each token.\n",                                \
  .options = keys_rotate_options, .option_count = 2, .min_arguments = 1, .max_arguments = 1

#define CLI_KEYS_PRUNE_ROW                                                                                   \
  .name = "keys", .verb = "prune", .arguments = "FILE", .summary = "drop the keys that sign no more",        \
  .examples = "  ketlink keys prune /etc/ketlink/hospital.keys    then publish the set again\n"              \
              "\nA key goes an hour after the next one began to sign: what it signed has ended by then.\n",  \
  .min_arguments = 1, .max_arguments = 1

#define CLI_KEYS_STORE_ROW                                                                                   \
  .name = "keys", .verb = "store", .arguments = "create|rotate FILE",                                        \
  .summary = "the key of the relay's store: a new one, or one more",                                         \
  .examples = "  ketlink keys store create /etc/ketlink/store.key    before the relay starts first\n"        \
              "  ketlink keys store rotate /etc/ketlink/store.key    then restart the relay\n"               \
              "\nWithout this file the store cannot be read by anybody: keep a copy away from its backups.\n", \
  .min_arguments = 2, .max_arguments = 2

#endif
