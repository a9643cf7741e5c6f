/*
 * deliver.c - what it takes to bring a Bundle to a server: the relay's way of it, without its store.
 *
 *   bench_deliver requests|records BASE CA PACK BUNDLE COUNT PARALLEL
 *
 * BUNDLE is a transaction as it stands in the store. "requests" posts its bytes; "records" reads, plans, makes and
 * settles it anew each time, as the relay does, and digests each resource. Prints how many a second, and the
 * processor time of each; bench_producer's "curl" is libcurl alone with the same sink.
 */
#include <event2/event.h>
#include <sys/resource.h>
#include "bench.h"
#include "delivery/loop.h"
#include "exchange/exchange.h"
#include "relay/fiber.h"

enum { ARENA_BYTES = 64 << 20 };

struct bench {
  struct event_base *base;
  struct delivery_loop *loop;
  struct delivery_client *client;
  struct delivery_destination destination;
  struct definitions *definitions;
  struct bundle_shape shape;
  struct relay_fiber_pool *pool;
  struct str text;
  long begun, done, count;
  bool whole;
};

struct lane {
  struct bench *bench;
  struct arena *arena;
  struct diag_list diags;
  struct relay_fiber *fiber;
  struct delivery_answer *answer;
};

static void give_up(const char *what) {
  fprintf(stderr, "bench_deliver: %s failed\n", what);
  exit(1);
}

static void on_answer(void *context, const struct delivery_answer *answer) {
  struct lane *lane = context;
  *lane->answer = *answer;
  relay_fiber_resume(lane->fiber);
}

static enum status send_request(void *context, const struct delivery_request *request, struct arena *arena,
                                struct delivery_answer *answer) {
  struct lane *lane = context;
  lane->answer = answer;
  enum status status = delivery_loop_send(lane->bench->loop, lane->bench->client, request, arena, on_answer, lane);
  if (status == STATUS_OK) relay_fiber_suspend(lane->fiber);
  return status;
}

static void post(struct lane *lane) {
  struct delivery_request request = {.method = "POST", .body = lane->bench->text, .repeatable = true};
  struct delivery_answer answer;
  if (send_request(lane, &request, lane->arena, &answer) != STATUS_OK || answer.verdict != DELIVERY_DONE)
    give_up("request");
}

static void converse(struct lane *lane) {
  struct bench *bench = lane->bench;
  struct source source = source_make(STR("store"), bench->text);
  struct exchange_channel channel = {.context = lane, .send = send_request};
  struct bundle_params params = {.definitions = bench->definitions,
                                 .shape = &bench->shape,
                                 .clinic_id = STR("riverside"),
                                 .arena = lane->arena,
                                 .diags = &lane->diags,
                                 .text = bench->text};
  struct exchange_job job = {.channel = &channel,
                             .bundle = &params,
                             .destination = &bench->destination,
                             .diags = &lane->diags,
                             .arena = lane->arena};
  struct tree_node *root = NULL;
  struct str digest;
  diag_list_init(&lane->diags, lane->arena);
  if (tree_read_json(&source, NULL, lane->arena, &lane->diags, &root) != STATUS_OK ||
      definitions_bind(bench->definitions, NULL, root, &source, lane->arena, &lane->diags) != STATUS_OK)
    give_up("reading the Bundle");
  if (exchange_run(&job, root) != STATUS_OK || exchange_stored(&job) != job.plan.entry_count) give_up("exchange");
  for (size_t i = 0; i < job.plan.entry_count; i++)
    if (exchange_digest(&job, i, &digest) != STATUS_OK) give_up("digest");
}

static void run_lane(struct relay_fiber *fiber, void *context) {
  struct lane *lane = context;
  struct bench *bench = lane->bench;
  lane->fiber = fiber;
  while (bench->begun < bench->count) {
    bench->begun++;
    if (bench->whole)
      converse(lane);
    else
      post(lane);
    arena_reset(lane->arena);
    bench->done++;
  }
}

static double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void run_all(struct bench *bench, long parallel) {
  struct lane *lanes = calloc((size_t)parallel, sizeof *lanes);
  double cpu = cpu_us();
  int64_t began = bench_now();
  for (long i = 0; lanes && i < parallel; i++) {
    lanes[i] = (struct lane){.bench = bench, .arena = arena_new(ARENA_BYTES)};
    if (!lanes[i].arena || relay_fiber_start(bench->pool, run_lane, &lanes[i]) != STATUS_OK) give_up("memory");
  }
  while (bench->done < bench->count)
    if (event_base_loop(bench->base, EVLOOP_ONCE) != 0) give_up("event loop");
  double took = (double)(bench_now() - began) / 1e9;
  printf("bench deliver-%s %.0f/s cpu=%.1fus\n", bench->whole ? "records" : "requests", (double)bench->count / took,
         (cpu_us() - cpu) / (double)bench->count);
  for (long i = 0; lanes && i < parallel; i++)
    arena_free(lanes[i].arena);
  free(lanes);
}

int main(int count, char **arguments) {
  if (count != 8) return 2;
  struct arena *arena = arena_new(ARENA_BYTES);
  struct diag_list diags;
  struct bench bench = {.whole = strcmp(arguments[1], "records") == 0,
                        .count = atol(arguments[6]),
                        .shape = {.submit = BUNDLE_TRANSACTION, .psychotherapy_notes = true},
                        .base = event_base_new(),
                        .destination = {.name = STR("riverside"),
                                        .base = str_of(arguments[2]),
                                        .ca_file = str_of(arguments[3]),
                                        .auth = DELIVERY_AUTH_NONE,
                                        .connect_ms = 10000,
                                        .total_ms = 60000,
                                        .max_response = 1 << 20}};
  const struct host *host = host_system();
  long parallel = atol(arguments[7]);
  diag_list_init(&diags, arena);
  if (host->read_file(host->context, arguments[5], 1 << 20, arena, &bench.text) != STATUS_OK ||
      definitions_open(arguments[4], &diags, &bench.definitions) != STATUS_OK ||
      delivery_loop_new(bench.base, 64, &bench.loop) != STATUS_OK ||
      delivery_client_new(&bench.destination, host, &diags, &bench.client) != STATUS_OK ||
      relay_fiber_pool_new(64, &bench.pool) != STATUS_OK)
    give_up("start");
  run_all(&bench, parallel);
  delivery_loop_free(bench.loop);
  delivery_client_free(bench.client);
  relay_fiber_pool_free(bench.pool);
  definitions_close(bench.definitions);
  event_base_free(bench.base);
  arena_free(arena);
  return 0;
}
