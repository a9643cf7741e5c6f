/* read.h - reading and writing in a line, for the tests of this stage. */
#ifndef KETLINK_TESTS_READ_H
#define KETLINK_TESTS_READ_H

#include "../base/table.h"
#include "tree/tree.h"

/* The tree, or NULL; the diagnostics stand in `diags`. The text must outlive the tree. */
static inline struct tree_node *read_text(struct str text, const struct tree_limits *limits,
                                          struct arena *arena, struct diag_list *diags) {
  struct tree_node *root = NULL;
  struct source *source = ARENA_NEW(arena, struct source);
  assert_non_null(source);
  *source = source_make(STR("test.json"), text);
  diag_list_init(diags, arena);
  enum status status = tree_read_json(source, limits, arena, diags, &root);
  assert_int_equal(status == STATUS_OK, root != NULL);
  assert_true(status == STATUS_OK || status == STATUS_NOMEM || diag_failed(diags));
  return root;
}

static inline struct str write_text(const struct tree_node *root, const struct tree_write *options,
                                    struct arena *arena) {
  struct buf out;
  buf_init(&out, 256 << 20);
  tree_write_json(root, options, &out);
  assert_int_equal(out.error, STATUS_OK);
  struct str text = buf_take_str(&out, arena);
  assert_non_null(text.ptr);
  buf_release(&out);
  return text;
}

#endif
