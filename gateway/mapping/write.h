/* write.h - what the two writers of maps share: write_resource.c (StructureMap) and write_text.c (map text).
 */
#ifndef KETLINK_MAPPING_WRITE_H
#define KETLINK_MAPPING_WRITE_H

#include "mapping/internal.h"

struct fml_writer {
  const struct mapping_map *map;
  struct arena *arena;
  struct diag_list *diags;
  bool r5, nomem;
};

/* Text of an expression, without brackets around the whole of it. */
struct str fml_write_expression(const struct fml_writer *w, struct ast_range range);
/* The value when the expression is nothing but a text literal. */
bool fml_write_is_text(const struct fml_writer *w, struct ast_range range, struct str *value);
bool fml_write_is_number(struct str text);
void fml_write_warn(const struct fml_writer *w, uint32_t at, const char *what);

struct tree_node *fml_write_resource(struct fml_writer *w);
void fml_write_text(struct fml_writer *w, struct buf *out);

#endif
