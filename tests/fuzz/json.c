/*
 * json.c - fuzz target: JSON text to tree and back, and definitions laid over the tree.
 *
 * What must hold: a refusal has a diagnostic with a position inside the text; what was read is written to a
 * text that gives the same tree; what is accepted is JSON for a second reader too; a bound tree is written as
 * JSON.
 */
#include <jansson.h>
#include "fuzz.h"

enum { MEMORY = 16 << 20 };

static const struct definitions *definitions;

void fuzz_begin(void) {
  definitions = fuzz_small_pack(NULL);
}

struct job {
  struct arena *arena;
  struct diag_list diags;
  struct source source;
};

static struct tree_node *read_again(struct job *job, struct str text) {
  struct source source = source_make(STR("written"), text);
  struct tree_node *root = NULL;
  struct tree_limits limits = tree_limits_default();
  limits.bytes = MEMORY; /* escapes may make it longer */
  enum status status = tree_read_json(&source, &limits, job->arena, &job->diags, &root);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM);
  return root;
}

static void check_written(struct job *job, const struct tree_node *root, bool pretty) {
  struct buf text;
  struct tree_write options = {.pretty = pretty, .keep_empty = true};
  buf_init(&text, MEMORY);
  tree_write_json(root, &options, &text);
  if (!text.error) {
    const struct tree_node *same = read_again(job, buf_str(&text));
    FUZZ_REQUIRE(!same || tree_equal(root, same));
  }
  buf_release(&text);
}

/* Numbers beyond a double or an int64 are that reader's own limit; it does not pass over a byte order mark. */
static void check_second_reader(struct str text) {
  json_error_t error;
  if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_slice(text, 3, text.len);
  json_t *value = json_loadb(text.ptr, text.len,
                             JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
  FUZZ_REQUIRE(value || json_error_code(&error) == json_error_numeric_overflow);
  json_decref(value);
}

static void check_places(struct job *job, const struct tree_node *node, size_t depth) {
  FUZZ_REQUIRE(depth <= LIMIT_DEPTH + 1);
  FUZZ_REQUIRE(tree_offset(node) < job->source.text.len);
  for (const struct tree_node *child = node->child; child; child = child->next) {
    FUZZ_REQUIRE(child->parent == node && (child->next || node->last == child));
    check_places(job, child, depth + 1);
  }
}

static void check_bound(struct job *job, struct tree_node *root) {
  size_t before = diag_errors(&job->diags);
  struct buf text;
  enum status status = definitions_bind(definitions, NULL, root, &job->source, job->arena, &job->diags);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM || diag_errors(&job->diags) > before);
  if (status == STATUS_NOMEM) return;
  for (const struct tree_node *node = tree_first(root); node; node = tree_next(node))
    (void)definitions_path(node, job->arena);
  buf_init(&text, MEMORY);
  tree_write_json(root, &(struct tree_write){0}, &text);
  if (!text.error) (void)read_again(job, buf_str(&text));
  buf_release(&text);
}

static enum status read_text(struct job *job, const struct tree_limits *limits, struct tree_node **root) {
  diag_list_init(&job->diags, job->arena);
  enum status status = tree_read_json(&job->source, limits, job->arena, &job->diags, root);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  FUZZ_REQUIRE((status == STATUS_OK) == (*root != NULL));
  FUZZ_REQUIRE((status == STATUS_INVALID) == (diag_errors(&job->diags) > 0));
  FUZZ_REQUIRE(status != STATUS_INVALID || job->diags.dropped || job->diags.first->line > 0);
  return status;
}

void fuzz_one(struct str input) {
  static const struct tree_limits tiny = {.bytes = 200, .depth = 3, .children = 4, .number_chars = 5};
  struct job job = {.arena = fuzz_arena(MEMORY), .source = source_make(STR("input"), input)};
  struct tree_node *root = NULL;
  (void)read_text(&job, &tiny, &root);
  root = NULL;
  if (read_text(&job, NULL, &root) == STATUS_OK) {
    check_second_reader(job.source.text);
    check_places(&job, root, 0);
    check_written(&job, root, false);
    check_written(&job, root, true);
    check_bound(&job, root);
  }
  arena_free(job.arena);
}
