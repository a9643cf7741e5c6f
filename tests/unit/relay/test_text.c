/*
 * test_text.c - what is delivered from a text is what is delivered from its tree: each fixture, as several destinations want it and in the
 * ways that they may take it, goes twice to a server that has nothing, or has some of it, or loses its first answer and has some of it
 * otherwise. What is asked and sent, what becomes of each entry, its digest and the findings are compared as texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../pipeline/passage.h"
#include "exchange/exchange.h"

enum server { HAS_NOTHING, HAS_SOME, LOSES_AN_ANSWER, SERVERS };

static const struct pipeline *pipeline;
static size_t runs, planned_texts, without_tree;

struct talk {
  struct exchange_job *job;
  enum server server;
  struct arena *arena;
  bool from_tree;
  struct buf said;
  size_t sent, made;
};

/* --- the server --- */

static struct tree_node *tree_of(struct str text, struct arena *arena) {
  struct source *source = ARENA_NEW(arena, struct source);
  struct diag_list diags;
  struct tree_node *root = NULL;
  diag_list_init(&diags, arena);
  *source = source_make(STR("test"), text);
  assert_int_equal(tree_read_json(source, NULL, arena, &diags, &root), STATUS_OK);
  return root;
}

static struct str stored(struct talk *talk, struct str body) {
  const struct tree_node *first = tree_find(tree_of(body, talk->arena), "entry");
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  buf_printf(&out, "{\"resourceType\":\"Bundle\",\"type\":\"%s-response\",\"entry\":[",
             talk->job->bundle->shape->submit == BUNDLE_BATCH ? "batch" : "transaction");
  for (const struct tree_node *entry = first; entry; entry = tree_next_same(entry))
    buf_printf(&out, "%s{\"response\":{\"status\":\"201 Created\",\"location\":\"%.*s/made-%zu/_history/1\"}}", entry == first ? "" : ",",
               STR_ARG(tree_text(tree_find(entry, "resource"), "resourceType")), ++talk->made);
  buf_add_text(&out, "]}");
  struct str copy = buf_take_str(&out, talk->arena);
  buf_release(&out);
  return copy;
}

static bool asks_for(const struct talk *talk, const struct bundle_entry *entry, struct str asked) {
  for (size_t i = 0; i < entry->search_count; i++)
    if (str_eq(bundle_search_url(entry, &entry->searches[i], talk->arena), asked)) return true;
  return false;
}

/* Of three resources it has one as it is and one otherwise. */
static struct str found(const struct talk *talk, struct str asked) {
  const struct bundle_plan *plan = &talk->job->plan;
  for (size_t i = 0; i < plan->entry_count && talk->server == LOSES_AN_ANSWER; i++) {
    struct str resource = plan->entries[i].resource;
    if (i % 3 == 0 || !asks_for(talk, &plan->entries[i], asked)) continue;
    return arena_printf(talk->arena,
                        "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[{\"resource\":{%s\"id\":\"has-%zu\",%.*s}]}",
                        i % 3 == 1 ? "\"language\":\"de\"," : "", i, (int)resource.len - 1, resource.ptr + 1);
  }
  return STR("{\"resourceType\":\"Bundle\",\"type\":\"searchset\"}");
}

static struct str answer_to(struct talk *talk, const struct delivery_request *request, struct delivery_answer *answer) {
  if (strcmp(request->method, "GET") == 0) return found(talk, str_slice(request->path, 1, request->path.len));
  if (!request->path.len) return stored(talk, request->body);
  struct str type = str_slice(request->path, 1, request->path.len);
  size_t end = 0;
  while (end < type.len && type.ptr[end] != '?' && type.ptr[end] != '/')
    end++;
  answer->status = 201;
  answer->location = arena_printf(talk->arena, "%.*s/%.*s/made-%zu/_history/1", STR_ARG(talk->job->destination->base), (int)end, type.ptr, ++talk->made);
  return request->body;
}

static enum status send_it(void *context, const struct delivery_request *request, struct arena *arena, struct delivery_answer *answer) {
  struct talk *talk = context;
  bool asks = strcmp(request->method, "GET") == 0;
  buf_printf(&talk->said, "%s %.*s [%.*s] [%.*s] %d\n%.*s\n", request->method, STR_ARG(request->path), STR_ARG(request->if_match),
             STR_ARG(request->if_none_exist), request->repeatable, STR_ARG(request->body));
  *answer = (struct delivery_answer){.phase = DELIVERY_ANSWER, .complete = true, .status = 200, .retry_after_ms = -1, .as_status = STATUS_OK};
  if (!asks && talk->server == LOSES_AN_ANSWER && !talk->sent++) {
    *answer = (struct delivery_answer){.phase = DELIVERY_SENDING, .verdict = DELIVERY_SETTLE, .retry_after_ms = -1, .as_status = STATUS_RETRY};
    return STATUS_OK;
  }
  answer->verdict = DELIVERY_DONE;
  answer->body = answer_to(talk, request, answer);
  answer->root = tree_of(answer->body, arena);
  return STATUS_OK;
}

static void no_wait(void *context, int64_t ms) {
  (void)context, (void)ms;
}

static enum status planned(void *context, struct exchange_job *job) {
  struct talk *talk = context;
  planned_texts += job->plan.entry_count && !talk->from_tree;
  without_tree += job->plan.entry_count && !job->plan.entries[0].entry;
  for (size_t i = job->plan.lookup_count; i < job->plan.entry_count && talk->server == HAS_SOME; i++) {
    if (i % 2) continue;
    job->items[i].state = EXCHANGE_SAME;
    job->known[i].location = arena_printf(talk->arena, "%.*s/has-%zu", STR_ARG(job->plan.entries[i].type), i);
  }
  return STATUS_OK;
}

/* --- one conversation --- */

static void say_end(struct talk *talk, enum status status) {
  const struct exchange_job *job = talk->job;
  buf_printf(&talk->said, "%s\n", status_name(status));
  for (size_t i = 0; i < job->plan.entry_count; i++) {
    const struct bundle_entry *entry = &job->plan.entries[i];
    struct str digest = {0};
    assert_int_equal(exchange_digest(job, i, &digest), STATUS_OK);
    buf_printf(&talk->said, "%.*s %.*s %.*s: %d %.*s %.*s %zu %d%d %.*s\n", STR_ARG(entry->type), STR_ARG(entry->key), STR_ARG(entry->full_url),
               (int)job->items[i].state, STR_ARG(job->known[i].location), STR_ARG(job->known[i].version), job->items[i].name_count, entry->died,
               entry->silent, STR_ARG(digest));
  }
  for (const struct diag *d = job->diags->first; d; d = d->next)
    buf_printf(&talk->said, "%s %s [%.*s] %.*s\n", diag_severity_name(d->severity), diag_code_name(d->code), STR_ARG(d->path), STR_ARG(d->message));
}

static struct str talk_of(const struct bundle_params *given, enum server server, bool from_tree) {
  struct diag_list diags;
  struct bundle_params params = *given;
  struct delivery_destination destination = {.name = STR("ehr"), .base = STR("https://ehr.example/fhir"), .retries = 2};
  struct talk talk = {.server = server, .arena = given->arena, .from_tree = from_tree};
  struct exchange_channel channel = {.context = &talk, .send = send_it, .wait = no_wait, .planned = planned};
  struct exchange_job job = {.channel = &channel, .bundle = &params, .destination = &destination, .diags = &diags, .arena = given->arena};
  struct tree_node *bundle = NULL;
  params.diags = &diags;
  diag_list_init(&diags, given->arena);
  buf_init(&talk.said, LIMIT_TEXT_BYTES);
  talk.job = &job;
  if (from_tree) assert_int_equal(bundle_read(&params, &bundle), STATUS_OK);
  say_end(&talk, exchange_run(&job, bundle));
  assert_int_equal(talk.said.error, STATUS_OK);
  struct str copy = buf_take_str(&talk.said, given->arena);
  buf_release(&talk.said);
  return copy;
}

/* --- all of them --- */

/* Its Bundle as the destination wants it; false: none is made. */
static bool make_text(const char *name, struct str text, const struct bundle_shape *shape, struct bundle_params *params) {
  struct intake_input input = intake_open(str_of(name), text);
  struct intake_record record = {0};
  struct tree_node *bundle = NULL;
  struct pipeline_run run = {.arena = params->arena, .diags = params->diags, .shape = shape, .policy = NULL, .quiet = true};
  if (intake_next(&input, params->definitions, pipeline_routes(pipeline), params->arena, params->diags, &record) != STATUS_OK) return false;
  if (!record.route || pipeline_export(pipeline, &record, &run, &bundle) != STATUS_OK || !bundle) return false;
  params->clinic_id = pipeline_identity(pipeline, &record, INTAKE_CLINIC, params->arena);
  return tree_write_text(bundle, params->arena, &params->text) == STATUS_OK;
}

static void try_shape(const char *name, struct str text, const struct bundle_shape *shape, enum server server) {
  struct diag_list diags;
  struct bundle_params params = {.definitions = pipeline_definitions(pipeline), .shape = shape, .arena = arena_new(LIMIT_ARENA_BYTES), .diags = &diags};
  assert_non_null(params.arena);
  diag_list_init(&diags, params.arena);
  if (make_text(name, text, shape, &params)) {
    struct str tree = talk_of(&params, server, true), plain = talk_of(&params, server, false);
    if (!str_eq(tree, plain))
      fail_msg("%s, submit %d, idempotency %d, server %d:\n%.*s\n--- and without a tree\n%.*s", name, (int)shape->submit, (int)shape->idempotency,
               (int)server, STR_ARG(tree), STR_ARG(plain));
    runs++;
  }
  arena_free(params.arena);
}

static void try_fixture(const char *name, struct str text) {
  static const char *const destinations[] = {"hapi", "us-core-write", "epic", "oracle"};
  static const enum bundle_submit submits[] = {BUNDLE_TRANSACTION, BUNDLE_BATCH, BUNDLE_SINGLE};
  static size_t turn;
  for (size_t d = 0; d < sizeof destinations / sizeof *destinations; d++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list diags;
    struct bundle_shape shape;
    struct str path = arena_printf(arena, SOURCE_DIR "/mappings/destinations/%s.json", destinations[d]);
    diag_list_init(&diags, arena);
    assert_int_equal(bundle_shape_read(path.ptr, host_system(), arena, &diags, &shape), STATUS_OK);
    for (size_t i = 0; i < sizeof submits / sizeof *submits; i++) {
      shape.submit = submits[i];
      shape.idempotency = (enum bundle_idempotency)(turn / SERVERS % 3);
      try_shape(name, text, &shape, (enum server)(turn % SERVERS));
    }
    turn++; /* each way meets each server, at each destination */
    arena_free(arena);
  }
}

static void records_go_the_same(void **state) {
  (void)state;
  runs = planned_texts = without_tree = 0;
  assert_true(passage_each(SOURCE_DIR "/fixtures/clinic", "record.json", try_fixture));
  assert_true(runs > 200 && planned_texts > runs / 2 && without_tree == planned_texts);
}

static void messages_go_the_same(void **state) {
  (void)state;
  runs = planned_texts = without_tree = 0;
  assert_true(passage_each(SOURCE_DIR "/fixtures/hl7v2", "message.hl7", try_fixture));
  assert_true(runs > 200 && planned_texts > runs / 2 && without_tree == planned_texts);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(records_go_the_same), cmocka_unit_test(messages_go_the_same)};
  struct arena *arena = arena_new(64 << 20);
  struct pipeline *opened = passage_open(arena);
  if (!opened) return 1;
  pipeline = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  pipeline_close(opened);
  arena_free(arena);
  return result;
}
