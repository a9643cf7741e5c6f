/*
 * xml.c - fuzz target: XML text to tree, definitions laid over the tree, and FHIR back to XML.
 *
 * What must hold: a refusal has a diagnostic; the tree is whole and within its caps; what was read without a
 * complaint as FHIR is written to XML that gives the same tree; the tree is written as JSON that can be read.
 */
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

static enum status read_text(struct job *job, const struct tree_limits *limits, struct tree_node **root) {
  diag_list_init(&job->diags, job->arena);
  enum status status = tree_read_xml(&job->source, limits, job->arena, &job->diags, root);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  FUZZ_REQUIRE((status == STATUS_OK) == (*root != NULL));
  FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(&job->diags) > 0);
  return status;
}

static void check_places(struct job *job, const struct tree_node *node, size_t depth) {
  FUZZ_REQUIRE(depth <= LIMIT_DEPTH + 1);
  FUZZ_REQUIRE(tree_offset(node) < job->source.text.len);
  FUZZ_REQUIRE(utf8_invalid_at(node->name) == SIZE_MAX && utf8_invalid_at(node->text) == SIZE_MAX);
  const struct tree_node *last = NULL;
  for (const struct tree_node *child = node->child; child; child = child->next) {
    FUZZ_REQUIRE(child->parent == node);
    for (const struct tree_node *later = tree_next_same(child); later && child->next != later; later = NULL)
      fuzz_finding(__FILE__, __LINE__, "siblings of one name stand together");
    check_places(job, child, depth + 1);
    last = child;
  }
  FUZZ_REQUIRE(node->last == last);
}

static struct tree_node *read_again(struct job *job, const struct buf *text, bool xml) {
  struct source *source = ARENA_NEW(job->arena, struct source);
  struct tree_node *root = NULL;
  struct tree_limits limits = tree_limits_default();
  if (!source) return NULL;
  *source = source_make(STR("written"), arena_str(job->arena, buf_str(text)));
  limits.bytes = MEMORY; /* escapes may make it longer */
  if (!source->text.ptr) return NULL;
  enum status status = xml ? tree_read_xml(source, &limits, job->arena, &job->diags, &root)
                           : tree_read_json(source, &limits, job->arena, &job->diags, &root);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM);
  return root;
}

/* The writer leaves empty elements out. */
static bool has_empty(const struct tree_node *node) {
  if (!node->child) return node->kind == TREE_OBJECT;
  for (const struct tree_node *child = node->child; child; child = child->next)
    if (has_empty(child)) return true;
  return false;
}

static void check_written(struct job *job, const struct tree_node *root, bool pretty) {
  struct buf text;
  buf_init(&text, MEMORY);
  tree_write_xml(root, &(struct tree_write_xml){.pretty = pretty}, &text);
  if (text.error == STATUS_OK) {
    const struct tree_node *same = read_again(job, &text, true);
    FUZZ_REQUIRE(!same || tree_equal(root, same));
  }
  buf_release(&text);
}

static void check_bound(struct job *job, struct tree_node *root) {
  bool clean = diag_errors(&job->diags) == 0; /* a resourceType of the text's own would stand twice */
  size_t before = diag_errors(&job->diags);
  struct buf text;
  enum status status = definitions_bind(definitions, NULL, root, &job->source, job->arena, &job->diags);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM || diag_errors(&job->diags) > before);
  if (status != STATUS_OK) return;
  buf_init(&text, MEMORY);
  tree_write_json(root, &(struct tree_write){.pretty = true}, &text);
  if (text.error == STATUS_OK && clean) (void)read_again(job, &text, false);
  buf_release(&text);
}

void fuzz_one(struct str input) {
  static const struct tree_limits tiny = {.bytes = 300, .depth = 4, .children = 4, .number_chars = 5};
  struct job job = {.arena = fuzz_arena(MEMORY), .source = source_make(STR("input"), input)};
  struct tree_node *root = NULL;
  (void)read_text(&job, &tiny, &root);
  if (read_text(&job, NULL, &root) == STATUS_OK) {
    bool clean = !diag_errors(&job.diags) && tree_find(root, "resourceType") && !has_empty(root);
    check_places(&job, root, 0);
    if (clean) {
      check_written(&job, root, false);
      check_written(&job, root, true);
    }
    check_bound(&job, root);
  }
  (void)tree_is_xml(input);
  arena_free(job.arena);
}
