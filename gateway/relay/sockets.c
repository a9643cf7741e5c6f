/* sockets.c - sockets that are files: somebody may clear the folder they lie in, and nobody would reach the relay any more. */
#include "console/console.h"
#include "relay/internal.h"

static bool all_are_there(struct relay *relay, struct diag_list *diags) {
  bool there = console_look(relay->console, diags) == STATUS_OK;
  for (size_t i = 0; i < relay->config->mllp_count; i++)
    if (relay_listener_renew(relay->listeners[i], diags) != STATUS_OK) there = false;
  return there;
}

void relay_sockets_look(struct relay *relay) {
  struct diag_list diags;
  struct arena *arena = relay->stopping ? NULL : arena_new(1 << 16);
  if (!arena) return;
  diag_list_init(&diags, arena);
  relay_alert_edge(relay, &relay->unreachable, !all_are_there(relay, &diags), "socket-gone", "socket-back", STR("relay"));
  arena_free(arena);
}
