/* cmd_send.c - ketlink send: export, validate, deliver now; what the server stored, resource by resource. */
#include "cli/newest.h"
#include "cli/records.h"
#include "cli/send_message.h"
#include "cli/send_print.h"
#include "cli/send_row.h"

/* What lasts for all records of one call. */
struct send {
  struct cli *cli;
  struct pipeline *pipeline;
  struct bundle_shape shape;
  struct pipeline_policy policy;
  struct delivery_destination destination;
  struct delivery_client *client;
  struct send_messages messages; /* of protocol mllp */
  struct cli_newest newest;
  size_t records, resources, unchanged, parked;
  size_t kept[EXCHANGE_UNREADABLE + 1]; /* by what reading back told */
  enum status worst;
  bool mixed; /* some records went well, others did not */
};

/* What is of its protocol: which messages, or which Bundles. */
static enum status open_shape(struct send *send, const char *path) {
  struct cli *cli = send->cli;
  if (send->destination.protocol == DELIVERY_MLLP)
    return pipeline_message_policy_read(path, cli->host, cli->arena, &cli->diags, &send->messages.policy);
  enum status status = bundle_shape_read(path, cli->host, cli->arena, &cli->diags, &send->shape);
  return status == STATUS_OK ? bundle_shape_check(path, cli->host, pipeline_definitions(send->pipeline), &cli->diags)
                             : status;
}

static int open_destination(struct send *send) {
  struct cli *cli = send->cli;
  struct str path;
  int result = cli_pipeline_for(cli, cli_value(cli, "to"), !cli_flag(cli, "no-validate"), &send->pipeline,
                                &path, &send->policy);
  if (result != CLI_DONE) return result;
  enum status status =
      delivery_destination_read(path.ptr, cli->host, cli->arena, &cli->diags, &send->destination);
  if (status == STATUS_OK) status = open_shape(send, path.ptr);
  if (status == STATUS_OK)
    status = delivery_client_new(&send->destination, cli->host, &cli->diags, &send->client);
  cli_report(cli, &cli->diags);
  return status == STATUS_OK ? CLI_DONE : CLI_CONFIG;
}

/* One line (or JSON object): what is set aside, by its place, and why. */
static void print_parked(struct send *send, const struct intake_record *record,
                         const struct diag_list *diags) {
  struct str name = record->source.name;
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  if (send->cli->json) {
    buf_add_text(&text, "{\"input\":");
    buf_add_json(&text, name);
    buf_printf(&text, ",\"line\":%u,\"parked\":true,\"findings\":", record->source.first_line);
    diag_render_json(diags, &text);
    buf_add_char(&text, '}');
  } else {
    buf_printf(&text, "%.*s:%u: parked, nothing of it was sent: %zu errors", STR_ARG(name),
               record->source.first_line, diag_errors(diags));
  }
  buf_add_char(&text, '\n');
  cli_print(send->cli, buf_str(&text));
  buf_release(&text);
}

/* --- the channel: each request is waited for --- */

static enum status send_request(void *context, const struct delivery_request *request, struct arena *arena,
                                struct delivery_answer *answer) {
  const struct send *send = context;
  return delivery_send(send->client, request, arena, answer);
}

static void wait_between(void *context, int64_t ms) {
  const struct host *host = ((const struct send *)context)->cli->host;
  if (host->sleep_ms) host->sleep_ms(host->context, ms);
}

static void show_progress(void *context, size_t done, size_t total) {
  cli_progress(((const struct send *)context)->cli, "sending", done, total);
}

static enum status deliver_messages(struct send *send, const struct intake_record *record, struct arena *arena,
                                    struct diag_list *diags) {
  size_t before = send->messages.delivered;
  send->messages.cli = send->cli;
  send->messages.pipeline = send->pipeline;
  send->messages.client = send->client;
  send->messages.destination = &send->destination;
  enum status status = send_messages(&send->messages, record, arena, diags);
  send->mixed |= status != STATUS_OK && send->messages.delivered > before;
  return status;
}

static enum status deliver(struct send *send, const struct intake_record *record, struct arena *arena,
                           struct diag_list *diags) {
  bool parked = false;
  struct bundle_report report = {0};
  if (send->destination.protocol == DELIVERY_MLLP) return deliver_messages(send, record, arena, diags);
  struct pipeline_run run = {.arena = arena,
                             .diags = diags,
                             .report = &report,
                             .shape = &send->shape,
                             .policy = &send->policy,
                             .parked = &parked,
                             .validate = !cli_flag(send->cli, "no-validate")};
  struct tree_node *bundle = NULL;
  enum status status = pipeline_export(send->pipeline, record, &run, &bundle);
  if (parked) {
    print_parked(send, record, diags);
    send->parked++;
    return STATUS_OK;
  }
  if (status != STATUS_OK) return status;
  struct bundle_params params = {.definitions = pipeline_definitions(send->pipeline),
                                 .shape = &send->shape,
                                 .clinic_id = pipeline_identity(send->pipeline, record, INTAKE_CLINIC, arena),
                                 .arena = arena,
                                 .diags = diags,
                                 .source = &record->source};
  struct exchange_channel channel = {
      .context = send, .send = send_request, .wait = wait_between, .progress = show_progress};
  struct exchange_job job = {.channel = &channel,
                             .bundle = &params,
                             .destination = &send->destination,
                             .report = &report,
                             .diags = diags,
                             .arena = arena};
  status = exchange_run(&job, bundle);
  send_print(send->cli, &job);
  send->resources += exchange_stored(&job);
  send->unchanged += exchange_unchanged(&job);
  for (int kept = EXCHANGE_KEPT; kept <= EXCHANGE_UNREADABLE; kept++)
    send->kept[kept] += exchange_kept(&job, (enum exchange_kept)kept);
  send->mixed |= status != STATUS_OK && exchange_stored(&job) > 0;
  return status;
}

/* An older revision behind a newer one would undo the correction that was just delivered. */
static enum status deliver_newest(struct send *send, const struct intake_record *record, struct arena *arena,
                                  struct diag_list *diags) {
  bool older = false;
  int64_t revision = 0;
  struct str subject = cli_newest_subject(send->pipeline, record, arena, &revision);
  enum status status = cli_newest_ask(&send->newest, subject, revision, &older);
  if (older)
    fprintf(stderr, "%.*s:%u: warning older-revision: a higher revision of this record came before: nothing of it was sent\n",
            STR_ARG(record->source.name), record->source.first_line);
  return status == STATUS_OK && !older ? deliver(send, record, arena, diags) : status;
}

/* One record in its own arena. NOT_FOUND: there are no more. */
static enum status next_record(struct send *send, const char *path, struct intake_input *input) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct diag_list diags;
  struct intake_record record = {0};
  if (!arena) return STATUS_NOMEM;
  diag_list_init(&diags, arena);
  enum status status = intake_next(input, pipeline_definitions(send->pipeline),
                                   pipeline_routes(send->pipeline), arena, &diags, &record);
  if (status == STATUS_OK) status = deliver_newest(send, &record, arena, &diags);
  if (status == STATUS_NOMEM)
    status = cli_no_memory(path, record.source.first_line, arena, (struct arena_mark){0}, &diags);
  if (status != STATUS_NOT_FOUND) send->records++;
  cli_report(send->cli, &diags);
  arena_free(arena);
  return status;
}

static bool is_about_destination(enum status status) {
  return status == STATUS_UNAVAILABLE || status == STATUS_DENIED || status == STATUS_CONFIG;
}

/* The next one may do better. */
static bool is_about_record(enum status status) {
  return status == STATUS_OK || status == STATUS_INVALID || status == STATUS_CONFLICT;
}

static enum status send_input(struct send *send, const char *path) {
  struct cli_records records;
  enum status opened = cli_records_open(send->cli, path, &records), status = opened;
  if (records.arena) cli_report(send->cli, &records.diags);
  while (opened == STATUS_OK && is_about_record(status)) {
    status = next_record(send, path, &records.input);
    cli_records_forget(&records);
    if (status == STATUS_OK) continue;
    if (status != STATUS_NOT_FOUND && send->worst == STATUS_OK) send->worst = status;
  }
  cli_records_close(&records);
  return opened == STATUS_OK && status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void summary(const struct send *send) {
  if (send->destination.protocol == DELIVERY_MLLP) {
    cli_note(send->cli, "%zu message%s delivered to %.*s", send->messages.delivered,
             send->messages.delivered == 1 ? "" : "s", STR_ARG(send->destination.base));
    return;
  }
  cli_note(send->cli, "%zu resource%s stored at %.*s", send->resources, send->resources == 1 ? "" : "s",
           STR_ARG(send->destination.base));
  if (send->unchanged) cli_note(send->cli, "%zu of them unchanged, not sent again", send->unchanged);
  if (send->destination.read_back)
    cli_note(send->cli, "read back: %zu kept, %zu changed, %zu discarded%s", send->kept[EXCHANGE_KEPT],
             send->kept[EXCHANGE_CHANGED], send->kept[EXCHANGE_DISCARDED],
             send->kept[EXCHANGE_UNREADABLE] ? "; some could not be read" : "");
  if (send->parked)
    cli_note(send->cli, "%zu of %zu record%s parked", send->parked, send->records,
             send->records == 1 ? "" : "s");
}

static int run(struct cli *cli) {
  struct send send = {.cli = cli};
  if (!cli_value(cli, "to")) return cli_usage(cli, "--to DESTINATION is missing");
  int result = open_destination(&send);
  if (result == CLI_DONE) result = cli_exit_of(cli_newest_open(&send.newest));
  for (size_t i = 0; result == CLI_DONE && i < cli->argument_count; i++) {
    enum status status = send_input(&send, cli->arguments[i]);
    if (status != STATUS_OK && send.worst == STATUS_OK) send.worst = status;
    if (is_about_destination(status)) break; /* the next record would meet the same */
  }
  if (result == CLI_DONE) {
    summary(&send);
    result = send.worst != STATUS_OK && !send.resources && !send.messages.delivered ? cli_exit_of(send.worst)
             : send.worst != STATUS_OK || send.parked   ? CLI_FINDINGS
                                                        : CLI_DONE;
  }
  cli_newest_close(&send.newest);
  delivery_client_free(send.client);
  pipeline_close(send.pipeline);
  return result;
}

const struct cli_command cli_send = {CLI_SEND_ROW, .run = run};
