/* cmd_simulate.c - ketlink simulate: the other side of an HL7 v2 interface, to try one before go-live. */
#include "base/socket.h"
#include "cli/simulate_row.h"
#include "delivery/message.h"
#include "hl7v2/hl7v2.h"
#include "simulate/simulate.h"

enum { NUMBER_MAX = 1000000000, SECONDS_MAX = 3600, ARENA_BYTES = 64 << 20, PREFIX_BYTES = 5, CLEAR_ANSWER_BYTES = 1 << 20 };

/* A number of an option, or its default; false: said. */
static bool number(struct cli *cli, const char *name, int64_t least, int64_t most, int64_t usual, int64_t *out) {
  const char *text = cli_value(cli, name);
  *out = usual;
  if (!text || (str_to_int64(str_of(text), out) && *out >= least && *out <= most)) return true;
  cli_usage(cli, "--%s is a number from %lld to %lld", name, (long long)least, (long long)most);
  return false;
}

static const char *or_none(const char *code) {
  return *code ? code : "none";
}

/* --- listening --- */

static void ready(void *context, uint16_t port) {
  struct cli *cli = context;
  const char *address = cli->arguments[0];
  const char *colon = strrchr(address, ':');
  fprintf(stderr, "listening on %.*s:%u\n", (int)(colon - address), address, port);
  fflush(stderr);
}

static void print_json(struct cli *cli, const struct simulate_message *message) {
  struct buf line;
  buf_init(&line, LIMIT_TEXT_BYTES);
  buf_printf(&line, "{\"number\":%llu,\"control\":", (unsigned long long)message->number);
  buf_add_json(&line, message->control);
  buf_add_text(&line, ",\"event\":");
  buf_add_json(&line, message->kind);
  buf_printf(&line, ",\"answer\":\"%s\",\"fault\":\"%s\"}\n", or_none(message->code), simulate_fault_name(message->fault));
  cli_print(cli, buf_str(&line));
  buf_release(&line);
}

/* What a sender says of itself is cleaned before a terminal sees it. */
static void print_got(struct cli *cli, const struct simulate_message *message) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct str control = {0}, kind = {0};
  if (arena) control = diag_clean(arena, message->control);
  if (arena) kind = diag_clean(arena, message->kind);
  cli_printf(cli, "%llu %.*s %.*s %s%s%s\n", (unsigned long long)message->number, STR_ARG(control), STR_ARG(kind),
             or_none(message->code), message->fault == SIMULATE_FINE ? "" : " ",
             message->fault == SIMULATE_FINE ? "" : simulate_fault_name(message->fault));
  arena_free(arena);
}

static void got(void *context, const struct simulate_message *message) {
  struct cli *cli = context;
  if (cli->json)
    print_json(cli, message);
  else if (!message->kind.len)
    cli_printf(cli, "%llu no message of HL7 v2, not answered\n", (unsigned long long)message->number);
  else
    print_got(cli, message);
  fflush(cli->out); /* whoever watches sees it now */
}

static bool read_faults(struct cli *cli, struct simulate_faults *faults) {
  const char *text;
  while ((text = cli_value_at(cli, "fault", faults->count)) != NULL) {
    if (faults->count == SIMULATE_RULES_MAX) {
      cli_usage(cli, "--fault: at most %d", SIMULATE_RULES_MAX);
      return false;
    }
    if (!simulate_rule_parse(str_of(text), &faults->rules[faults->count])) {
      cli_usage(cli, "--fault '%s': a fault, FAULT:N or FAULT:P%%", text);
      return false;
    }
    faults->count++;
  }
  return true;
}

/* Drawn small, so that it can be typed again. */
static bool read_seed(struct cli *cli, struct simulate_faults *faults) {
  int64_t seed;
  uint32_t drawn = 0;
  if (cli->host->random(cli->host->context, &drawn, sizeof drawn) != STATUS_OK ||
      !number(cli, "seed", 0, NUMBER_MAX, drawn % NUMBER_MAX, &seed))
    return false;
  faults->random = (uint64_t)seed;
  if (faults->count) cli_note(cli, "seed %lld", (long long)seed);
  return true;
}

static int run_listen(struct cli *cli) {
  int64_t late, slow, count;
  struct simulate_listening listening = {.host = cli->host,
                                         .address = str_of(cli->arguments[0]),
                                         .certificate = str_of(cli_value(cli, "certificate")),
                                         .key = str_of(cli_value(cli, "key")),
                                         .client_ca = str_of(cli_value(cli, "client-ca")),
                                         .keep = str_of(cli_value(cli, "keep")),
                                         .ready = ready,
                                         .got = got,
                                         .context = cli};
  if (!number(cli, "late", 0, SECONDS_MAX, 40, &late) || !number(cli, "slow", 1, SECONDS_MAX * 1000, 100, &slow) ||
      !number(cli, "count", 1, NUMBER_MAX, 0, &count) || !read_faults(cli, &listening.faults) ||
      !read_seed(cli, &listening.faults))
    return CLI_USAGE;
  listening.late_ms = late * 1000;
  listening.slow_ms = slow;
  listening.count = (uint64_t)count;
  enum status status = simulate_listen(&listening, &cli->diags);
  cli_report(cli, &cli->diags);
  if (status == STATUS_OK) cli_note(cli, "%llu messages", (unsigned long long)listening.faults.messages);
  return status == STATUS_CONFLICT ? CLI_TRY_LATER : cli_exit_of(status);
}

/* --- sending --- */

struct sending {
  struct cli *cli;
  struct delivery_client *client;
  int64_t count, rate, began;
  size_t sent, accepted, refused, unanswered, bad;
  char prefix[2 * PREFIX_BYTES + 3]; /* of fresh control ids */
  bool fresh;
};

/* This machine, in clear: nothing else goes without TLS. */
static int make_plain(struct cli *cli, const char *address, int64_t seconds, struct delivery_destination *out) {
  struct base_address parsed;
  const char *colon = strrchr(address, ':');
  struct str host = str_make(address, (size_t)(colon - address)), usual = arena_printf(cli->arena, "127.0.0.1%s", colon);
  struct str numeric = str_is(host, "localhost") ? usual : str_of(address);
  if (!base_address_parse(numeric, &parsed))
    return cli_usage(cli, "'%s' is no numeric address and port; where TLS is spoken, name a destination", address);
  if (!base_address_is_loopback(&parsed))
    return cli_usage(cli, "'%s' is another machine: messages go there by TLS only, so name a destination", address);
  *out = (struct delivery_destination){.protocol = DELIVERY_MLLP,
                                       .name = str_of(address),
                                       .base = numeric,
                                       .plain = true,
                                       .connect_ms = 10000,
                                       .total_ms = 10000,
                                       .ack_ms = seconds * 1000,
                                       .ack_attempts = 1,
                                       .max_response = CLEAR_ANSWER_BYTES};
  return CLI_DONE;
}

static int open_client(struct sending *sending) {
  struct cli *cli = sending->cli;
  struct delivery_destination destination;
  struct str path;
  int64_t seconds;
  const char *name = cli->arguments[0];
  if (!number(cli, "timeout", 1, SECONDS_MAX, 30, &seconds)) return CLI_USAGE;
  enum status status = STATUS_OK;
  if (strchr(name, ':')) {
    int result = make_plain(cli, name, seconds, &destination);
    if (result != CLI_DONE) return result;
  } else {
    status = cli_find_destination(cli, name, &path, &cli->diags);
    if (status == STATUS_OK)
      status = delivery_destination_read(path.ptr, cli->host, cli->arena, &cli->diags, &destination);
    if (status == STATUS_OK && destination.protocol != DELIVERY_MLLP)
      return cli_usage(cli, "%s is no destination with \"protocol\": \"mllp\"", name);
  }
  if (status == STATUS_OK) status = delivery_client_new(&destination, cli->host, &cli->diags, &sending->client);
  cli_report(cli, &cli->diags);
  return status == STATUS_OK ? CLI_DONE : CLI_CONFIG;
}

static void count_it(struct sending *sending, const struct delivery_answer *answer) {
  sending->sent++;
  sending->accepted += answer->verdict == DELIVERY_DONE;
  sending->unanswered += answer->ack == DELIVERY_ACK_NONE;
  sending->refused += answer->verdict != DELIVERY_DONE && answer->ack != DELIVERY_ACK_NONE;
}

static void print_sent(struct sending *sending, const struct source *source, const struct simulate_sent *sent) {
  const struct delivery_answer *answer = sent->answer;
  struct buf line;
  buf_init(&line, LIMIT_TEXT_BYTES);
  if (sending->cli->json) {
    buf_add_text(&line, "{\"input\":");
    buf_add_json(&line, source->name);
    buf_printf(&line, ",\"line\":%u,\"control\":", source->first_line);
    buf_add_json(&line, sent->control);
    buf_add_text(&line, ",\"event\":");
    buf_add_json(&line, sent->kind);
    buf_printf(&line, ",\"answer\":\"%s\",\"accepted\":%s,\"others\":%u,\"ms\":%.1f,\"reason\":", delivery_ack_name(answer->ack),
               answer->verdict == DELIVERY_DONE ? "true" : "false", answer->skipped, sent->ms);
    buf_add_json(&line, answer->reason);
    buf_add_char(&line, '}');
  } else {
    buf_printf(&line, "%.*s:%u %.*s %.*s %s %s %.1f ms", STR_ARG(source->name), source->first_line, STR_ARG(sent->control),
               STR_ARG(sent->kind), delivery_ack_name(answer->ack), delivery_verdict_name(answer->verdict), sent->ms);
    if (answer->verdict != DELIVERY_DONE && answer->reason.len) buf_printf(&line, ": %.*s", STR_ARG(answer->reason));
    if (answer->skipped) buf_printf(&line, " (answers to other messages: %u)", answer->skipped);
  }
  buf_add_char(&line, '\n');
  cli_print(sending->cli, buf_str(&line));
  fflush(sending->cli->out);
  buf_release(&line);
}

static void wait_turn(const struct sending *sending) {
  const struct host *host = sending->cli->host;
  if (!sending->rate) return;
  int64_t due = sending->began + (int64_t)sending->sent * 1000000000 / sending->rate, now;
  while ((now = host->monotonic_ns(host->context)) < due)
    host->sleep_ms(host->context, (due - now) / 1000000 + 1);
}

static bool wants_more(const struct sending *sending) {
  return !sending->count || (int64_t)sending->sent < sending->count;
}

static enum status send_one(struct sending *sending, const struct source *source, struct arena *arena) {
  struct diag_list diags;
  struct simulate_sent sent;
  struct str fresh = {0};
  diag_list_init(&diags, arena);
  wait_turn(sending);
  if (sending->fresh) fresh = arena_printf(arena, "%s%07zu", sending->prefix, sending->sent + 1);
  enum status status = simulate_send(sending->client, sending->cli->host, source, fresh, arena, &diags, &sent);
  cli_report(sending->cli, &diags);
  if (status == STATUS_INVALID) sending->bad++;
  if (status != STATUS_OK) return status;
  count_it(sending, sent.answer);
  print_sent(sending, source, &sent);
  return STATUS_OK;
}

/* Each message of a file; memory of one at a time. */
static enum status send_text(struct sending *sending, struct str name, struct str text) {
  struct hl7v2_batch batch = hl7v2_batch_open(text);
  struct arena *arena = arena_new(ARENA_BYTES);
  enum status status = arena ? STATUS_OK : STATUS_NOMEM;
  while ((status == STATUS_OK || status == STATUS_INVALID) && wants_more(sending)) {
    struct source source = source_make(name, (struct str){0});
    struct diag_list diags;
    arena_reset(arena);
    diag_list_init(&diags, arena);
    status = hl7v2_batch_next(&batch, name, &diags, &source.text, &source.first_line);
    cli_report(sending->cli, &diags);
    if (status == STATUS_INVALID) sending->bad++;
    if (status == STATUS_OK) status = send_one(sending, &source, arena);
  }
  arena_free(arena);
  return status == STATUS_NOT_FOUND || status == STATUS_INVALID ? STATUS_OK : status;
}

static enum status send_file(struct sending *sending, const char *path) {
  struct cli *cli = sending->cli;
  struct arena *arena = arena_new(2 * LIMIT_TEXT_BYTES);
  struct str text;
  if (!arena) return STATUS_NOMEM;
  enum status status = cli_read(cli, path, arena, &cli->diags, &text);
  if (status == STATUS_OK)
    status = send_text(sending, str_of(path), text);
  else
    cli_report(cli, &cli->diags);
  arena_free(arena);
  return status;
}

static enum status send_folder(struct sending *sending, const char *path) {
  struct cli *cli = sending->cli;
  struct str *names;
  size_t count = 0;
  enum status status = cli->host->list_files(cli->host->context, path, STR(".hl7"), cli->arena, &names, &count);
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    status = send_file(sending, arena_printf(cli->arena, "%s/%.*s", path, STR_ARG(names[i])).ptr);
  if (status != STATUS_OK || count) return status;
  fprintf(stderr, "%s: no file .hl7 in it\n", path);
  return STATUS_NOT_FOUND;
}

static enum status send_all(struct sending *sending, int64_t repeat) {
  const struct cli *cli = sending->cli;
  enum status status = STATUS_OK;
  for (int64_t turn = 0; turn < repeat && status == STATUS_OK && wants_more(sending); turn++)
    for (size_t i = 1; i < cli->argument_count && status == STATUS_OK; i++) {
      const char *path = cli->arguments[i];
      status = cli_is_folder(path) ? send_folder(sending, path) : send_file(sending, path);
    }
  return status;
}

static bool make_prefix(struct sending *sending) {
  unsigned char bytes[PREFIX_BYTES];
  const struct host *host = sending->cli->host;
  if (host->random(host->context, bytes, sizeof bytes) != STATUS_OK) return false;
  memcpy(sending->prefix, "K", 1);
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(sending->prefix + 1 + 2 * i, 3, "%02X", bytes[i]);
  return true;
}

static int verdict(const struct sending *sending, enum status status) {
  if (status != STATUS_OK) return cli_exit_of(status);
  if (!sending->sent && sending->bad) return CLI_DATA;
  if (sending->sent && sending->unanswered == sending->sent) return CLI_UNAVAILABLE;
  return sending->accepted == sending->sent && !sending->bad ? CLI_DONE : CLI_FINDINGS;
}

static int run_send(struct cli *cli) {
  struct sending sending = {.cli = cli, .fresh = !cli_flag(cli, "same-ids")};
  int64_t repeat;
  if (!number(cli, "rate", 1, 100000, 0, &sending.rate) || !number(cli, "repeat", 1, NUMBER_MAX, 1, &repeat) ||
      !number(cli, "count", 1, NUMBER_MAX, 0, &sending.count))
    return CLI_USAGE;
  int result = make_prefix(&sending) ? open_client(&sending) : CLI_IO;
  if (result != CLI_DONE) return result;
  sending.began = cli->host->monotonic_ns(cli->host->context);
  enum status status = send_all(&sending, repeat);
  double seconds = (double)(cli->host->monotonic_ns(cli->host->context) - sending.began) / 1e9;
  cli_note(cli, "%zu sent in %.1f s: %zu accepted, %zu refused, %zu without an answer%s", sending.sent, seconds, sending.accepted,
           sending.refused, sending.unanswered, sending.bad ? "; some are no messages" : "");
  delivery_client_free(sending.client);
  return verdict(&sending, status);
}

const struct cli_command cli_simulate_send = {CLI_SIMULATE_SEND_ROW, .run = run_send};
const struct cli_command cli_simulate_listen = {CLI_SIMULATE_LISTEN_ROW, .run = run_listen};
