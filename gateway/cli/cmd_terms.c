/* cmd_terms.c - ketlink terms: words of records that no ConceptMap knows, and drafts to fill in. */
#include <unistd.h>
#include "cli/crew.h"
#include "cli/terms.h"

static const struct cli_option options[] = {
    {"draft", 'd', NULL, "also write ConceptMaps with a row to fill in for each word; -o names their folder"},
    {"jobs", 'j', "N", "work with N threads (default 1; 0: one a processor); the output is the same"},
};

struct looking {
  struct cli *cli;
  struct pipeline *pipeline;
  size_t jobs;
  /* while slots are printed */
  struct cli_terms terms;
  size_t records, bad;
  enum status worst;
};

/* --- one record, by any thread --- */

/* Parts of a term in the texts of a slot, one after the other. */
struct part {
  size_t concept_map, system, element, word, file; /* lengths */
  uint32_t line;
};

struct slot {
  struct buf texts, messages;
  struct buf parts; /* of struct part */
  enum status status;
  bool record, bad;
};

struct seen {
  struct seen *next;
  const struct tree_node *node;
  struct str concept_map;
};

/* A record while it is mapped. */
struct reading {
  struct slot *slot;
  struct arena *arena;
  const struct intake_record *record;
  struct seen *seen;
};

/* Values of these cannot be free text: their type is a code, or a rule of the model says what they look like. */
static bool is_coded(const struct tree_node *node) {
  struct str type = node->type ? def_type_name(node->type) : STR("");
  if (str_is(type, "code") || str_is(type, "uri") || str_is(type, "url")) return true;
  size_t rules = node->element ? def_element_constraint_count(node->element) : 0;
  for (size_t i = 0; i < rules; i++)
    if (str_find(def_element_constraint(node->element, i).expression, STR("matches("), 0) != SIZE_MAX) return true;
  return false;
}

/* A value that two rules translate by one ConceptMap counts once. */
static bool is_seen(struct reading *reading, const struct mapping_unknown *unknown) {
  for (const struct seen *seen = reading->seen; seen; seen = seen->next)
    if (seen->node == unknown->node && str_eq(seen->concept_map, unknown->concept_map)) return true;
  struct seen *seen = ARENA_NEW(reading->arena, struct seen);
  if (!seen) return false;
  *seen = (struct seen){reading->seen, unknown->node, unknown->concept_map};
  reading->seen = seen;
  return false;
}

static struct str element_of(const struct tree_node *node, struct arena *arena) {
  const struct tree_node *root = node;
  while (root->parent)
    root = root->parent;
  return tree_path_plain(node, root->type ? def_type_name(root->type) : STR(""), arena);
}

/* The file and line of a word; of what a map made, the record's. A set of tables has several files. */
static struct source_place place_of(const struct source *source, const struct tree_node *node) {
  struct source_place place = {.file = source->name, .position = {.line = source->first_line}};
  if (node && source->map) return source->map->find(source->map, tree_offset(node));
  if (node) place.position = source_locate(source, tree_offset(node));
  return place;
}

static void note_unknown(void *context, const struct mapping_unknown *unknown) {
  struct reading *reading = context;
  const struct tree_node *node = unknown->node;
  struct buf *texts = &reading->slot->texts;
  if (node && is_seen(reading, unknown)) return;
  struct str element = node ? element_of(node, reading->arena) : STR("");
  struct str word = node && is_coded(node) ? unknown->word : STR("");
  struct source_place place = place_of(&reading->record->source, node);
  struct part part = {unknown->concept_map.len, unknown->system.len, element.len,
                      word.len,                 place.file.len,      place.position.line};
  buf_add_str(texts, unknown->concept_map);
  buf_add_str(texts, unknown->system);
  buf_add_str(texts, element);
  buf_add_str(texts, word);
  buf_add_str(texts, place.file);
  buf_add(&reading->slot->parts, (const char *)&part, sizeof part);
}

static enum status look_through(const struct looking *looking, struct cli_item *item, struct arena *arena,
                                struct diag_list *diags, struct slot *slot) {
  const struct pipeline *pipeline = looking->pipeline;
  struct intake_record record = {0};
  struct tree_node *bundle = NULL;
  struct reading reading = {.slot = slot, .arena = arena, .record = &record};
  struct pipeline_run run = {
      .arena = arena, .diags = diags, .unknown = note_unknown, .unknown_context = &reading};
  enum status status = intake_next(&item->input, pipeline_definitions(pipeline), pipeline_routes(pipeline),
                                   arena, diags, &record);
  if (status == STATUS_OK) status = pipeline_export(pipeline, &record, &run, &bundle);
  if (status == STATUS_NOMEM)
    return cli_no_memory(item->records->path, record.source.first_line, arena, (struct arena_mark){0}, diags);
  if (status == STATUS_OK) status = slot->texts.error;
  return status == STATUS_OK ? slot->parts.error : status;
}

/* What a good record is told otherwise is not asked for here. */
static void look_at_item(void *context, struct cli_item *item, struct arena *arena, void *into) {
  const struct looking *looking = context;
  struct slot *slot = into;
  struct diag_list diags;
  slot->status = item->status;
  if (!item->records) return;
  slot->record = item->status == STATUS_OK;
  diag_list_init(&diags, arena);
  if (slot->record) slot->status = look_through(looking, item, arena, &diags, slot);
  slot->bad = slot->record && (slot->status == STATUS_INVALID || slot->status == STATUS_LIMIT);
  if (slot->bad) slot->status = STATUS_OK;
  if (!slot->record) cli_render(looking->cli, &item->records->diags, &slot->messages);
  if (slot->bad || slot->status == STATUS_NOMEM) cli_render(looking->cli, &diags, &slot->messages);
}

/* --- in order --- */

static struct str take(struct str *rest, size_t length) {
  struct str part = str_slice(*rest, 0, length);
  *rest = str_slice(*rest, length, rest->len);
  return part;
}

static enum status add_terms(struct looking *looking, const struct slot *slot) {
  const struct part *parts = (const struct part *)(const void *)slot->parts.ptr;
  struct str rest = buf_str(&slot->texts);
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < slot->parts.len / sizeof *parts; i++) {
    struct cli_term term = {.line = parts[i].line};
    term.concept_map = take(&rest, parts[i].concept_map);
    term.system = take(&rest, parts[i].system);
    term.element = take(&rest, parts[i].element);
    term.word = take(&rest, parts[i].word);
    term.file = take(&rest, parts[i].file);
    status = cli_terms_add(&looking->terms, &term);
  }
  return status;
}

static enum status keep_slot(void *context, void *from) {
  struct looking *looking = context;
  struct slot *slot = from;
  if (slot->messages.len) {
    cli_progress(looking->cli, "", 1, 1);
    fwrite(slot->messages.ptr, 1, slot->messages.len, stderr);
  }
  looking->records += slot->record;
  looking->bad += slot->bad;
  if (looking->worst == STATUS_OK) looking->worst = slot->status;
  enum status status = add_terms(looking, slot);
  return status;
}

/* --- the whole --- */

static enum status look_at_all(struct looking *looking) {
  struct cli *cli = looking->cli;
  struct cli_crew crew = {.cli = cli,
                          .paths = cli->arguments,
                          .path_count = cli->argument_count,
                          .jobs = looking->jobs,
                          .progress = "looking",
                          .context = looking,
                          .slot_bytes = sizeof(struct slot),
                          .slot_bufs = 3,
                          .work = look_at_item,
                          .print = keep_slot};
  return cli_crew_run(&crew);
}

static enum status print_terms(struct looking *looking) {
  const struct mapping_set *maps = pipeline_maps(looking->pipeline);
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  if (looking->cli->json)
    cli_terms_write_json(&looking->terms, maps, &text);
  else
    cli_terms_write_text(&looking->terms, maps, &text);
  enum status status = text.error;
  if (status == STATUS_OK) cli_print(looking->cli, buf_str(&text));
  buf_release(&text);
  cli_note(looking->cli, "%zu record%s: %zu unknown word%s", looking->records, looking->records == 1 ? "" : "s",
           looking->terms.index.count, looking->terms.index.count == 1 ? "" : "s");
  if (looking->terms.dropped)
    cli_note(looking->cli, "more than %d different words: those of %zu more places are not listed", CLI_TERMS_MAX,
             looking->terms.dropped);
  if (looking->bad)
    cli_note(looking->cli, "%zu of the records are bad: words may be missing", looking->bad);
  if (status == STATUS_LIMIT) fprintf(stderr, "ketlink: the list of words is longer than %d MiB: look through fewer records\n", LIMIT_TEXT_BYTES >> 20);
  return status;
}

static int finish(struct looking *looking) {
  struct cli *cli = looking->cli;
  enum status status = look_at_all(looking);
  if (status != STATUS_OK) return cli_exit_of(status);
  status = print_terms(looking);
  if (status == STATUS_OK && cli_flag(cli, "draft"))
    status = cli_terms_draft(cli, &looking->terms, pipeline_maps(looking->pipeline),
                             pipeline_mappings_folder(looking->pipeline), cli_value(cli, "output"));
  if (status == STATUS_OK) status = looking->worst;
  if (status != STATUS_OK) return cli_exit_of(status);
  if (looking->bad) return CLI_DATA;
  return looking->terms.index.count ? CLI_FINDINGS : CLI_DONE;
}

static bool goes_to_folder(const struct cli *cli) {
  return cli_flag(cli, "draft");
}

static int run(struct cli *cli) {
  struct looking looking = {.cli = cli};
  const char *folder = cli_value(cli, "output");
  if (cli_flag(cli, "draft") && (!folder || strcmp(folder, "-") == 0))
    return cli_usage(cli, "--draft writes into a folder: -o FOLDER");
  int result = cli_crew_jobs(cli, &looking.jobs);
  if (result == CLI_DONE) result = cli_pipeline(cli, PIPELINE_MAPS_ALL, &looking.pipeline);
  if (result != CLI_DONE) return result;
  cli_terms_begin(&looking.terms, cli->arena);
  result = finish(&looking);
  pipeline_close(looking.pipeline);
  return result;
}

const struct cli_command cli_terms = {
    .name = "terms",
    .arguments = "INPUT…",
    .summary = "list words of records that no ConceptMap knows; draft ConceptMaps for them",
    .examples = "  ketlink terms day.ndjson                  words, how often, where the first stands\n"
                "  ketlink terms --draft -o drafts *.json    a ConceptMap to fill in for each that lacks words;\n"
                "                                            filled in, it belongs into mappings/terminology\n"
                "  ketlink terms --json day.ndjson -o words.json\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .into_folder = goes_to_folder,
    .run = run,
};
