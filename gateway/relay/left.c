/* left.c - destinations that the store knows and the configuration does not: what is there for them waits until
   somebody gives them back, or decides. */
#include "relay/internal.h"

enum status relay_left(struct relay *relay, struct str **names, size_t *count) {
  struct str *all = NULL;
  size_t known = 0;
  enum status status = outbox_destinations(relay_store(relay), relay->arena, &all, &known);
  *names = all;
  *count = 0;
  for (size_t i = 0; status == STATUS_OK && i < known; i++)
    if (!relay_config_destination(relay->config, all[i])) all[(*count)++] = all[i];
  return status;
}

void relay_tell_left(struct relay *relay) {
  struct str *names = NULL;
  size_t count = 0;
  if (relay_left(relay, &names, &count) != STATUS_OK) return;
  for (size_t i = 0; i < count; i++) {
    struct outbox_stats stats = {0};
    if (outbox_stats(relay_store(relay), names[i], &stats) != STATUS_OK || !outbox_open_records(&stats)) continue;
    RELAY_LOG(relay, RELAY_WARNING, "left-in-the-store", RELAY_TEXT("destination", names[i]),
              RELAY_NUMBER("records", (int64_t)outbox_open_records(&stats)));
    relay_alert(relay, "destination-missing", names[i]);
  }
}
