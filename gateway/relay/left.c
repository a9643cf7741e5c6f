/* left.c - destinations that the store knows and the configuration does not: what is there for them waits until
   somebody gives them back, or decides. */
#include "relay/internal.h"

enum status relay_left(struct relay *relay, struct arena *arena, struct str **names, size_t *count) {
  struct str *all = NULL;
  size_t known = 0;
  enum status status = outbox_destinations(relay_store(relay), arena, &all, &known);
  *names = all;
  *count = 0;
  for (size_t i = 0; status == STATUS_OK && i < known; i++)
    if (!relay_config_destination(relay->config, all[i])) all[(*count)++] = all[i];
  return status;
}

static void tell(struct relay *relay, struct str name, size_t records) {
  RELAY_LOG(relay, RELAY_WARNING, "left-in-the-store", RELAY_TEXT("destination", name), RELAY_NUMBER("records", (int64_t)records));
  relay_alert(relay, "destination-missing", name);
}

/* All is known before any of it is told: what is asked for again is not told twice. */
static enum status find_and_tell(struct relay *relay, struct arena *arena) {
  struct str *names = NULL;
  size_t count = 0;
  enum status status = relay_left(relay, arena, &names, &count);
  size_t *records = ARENA_ARRAY(arena, size_t, count + 1);
  if (status == STATUS_OK && !records) status = STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    struct outbox_stats stats = {0};
    status = outbox_stats(relay_store(relay), names[i], &stats);
    records[i] = outbox_open_records(&stats);
  }
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    if (records[i]) tell(relay, names[i], records[i]);
  return status;
}

enum status relay_tell_left(struct relay *relay) {
  struct arena *arena = arena_new(1 << 20);
  enum status status = arena ? find_and_tell(relay, arena) : STATUS_NOMEM;
  arena_free(arena);
  return status;
}
