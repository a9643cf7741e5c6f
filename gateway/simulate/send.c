/* send.c - one message by the client of the relay, and what its acknowledgement means. */
#include "delivery/message.h"
#include "exchange/exchange.h"
#include "simulate/internal.h"

/* The same bytes with another MSH-10. */
static struct str with_control(const struct hl7v2_message *message, struct str fresh, struct arena *arena) {
  struct str text = message->source->text, old = simulate_header(message, 10);
  size_t at = (size_t)(old.ptr - text.ptr);
  struct str parts[] = {str_slice(text, 0, at), fresh, str_slice(text, at + old.len, text.len)};
  return arena_printf(arena, "%.*s%.*s%.*s", STR_ARG(parts[0]), STR_ARG(parts[1]), STR_ARG(parts[2]));
}

/* MLLP's messages end their segments with CR; files may do otherwise. */
static struct str with_returns(struct str text, struct arena *arena) {
  char *copy = arena_alloc(arena, text.len + 1);
  size_t len = 0;
  if (!copy) return (struct str){0};
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == '\n' && i && text.ptr[i - 1] == '\r') continue;
    copy[len++] = text.ptr[i] == '\n' ? '\r' : text.ptr[i];
  }
  copy[len] = '\0';
  return str_make(copy, len);
}

enum status simulate_send(struct delivery_client *client, const struct host *host, const struct source *source, struct str fresh,
                          struct arena *arena, struct diag_list *diags, struct simulate_sent *out) {
  struct hl7v2_message message;
  enum status status = hl7v2_scan(source, NULL, arena, diags, &message);
  if (status != STATUS_OK) return status;
  struct str control = simulate_header(&message, 10);
  struct delivery_answer *answer = ARENA_NEW(arena, struct delivery_answer);
  struct diag_at at = {.source = source};
  if (!control.len) {
    diag_error(diags, DIAG_HL7V2_SYNTAX, &at, "MSH-10 is empty: no acknowledgement could name this message");
    return STATUS_INVALID;
  }
  struct str bytes = fresh.len ? with_control(&message, fresh, arena) : source->text;
  bytes = with_returns(bytes, arena);
  if (!answer || !bytes.ptr) return STATUS_NOMEM;
  struct delivery_message sending = {.bytes = bytes, .control = fresh.len ? fresh : control, .read = exchange_read_acknowledgement};
  int64_t from = host->monotonic_ns(host->context);
  status = delivery_message_send(client, &sending, arena, answer);
  *out = (struct simulate_sent){.control = sending.control,
                                .kind = simulate_kind(&message, arena),
                                .answer = answer,
                                .ms = (double)(host->monotonic_ns(host->context) - from) / 1e6};
  return status;
}
