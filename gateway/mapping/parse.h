/* parse.h - the parser's state, shared by parse.c (maps, groups) and parse_rule.c (rules). */
#ifndef KETLINK_MAPPING_PARSE_H
#define KETLINK_MAPPING_PARSE_H

#include "mapping/internal.h"

struct fml_parser {
  struct mapping_set *set;
  struct mapping_map *map;
  struct arena *arena;
  struct diag_list *diags;
  struct fml_lexer lexer;
  struct fml_token token; /* at hand */
  uint32_t last_end;      /* end of the token before it */
  unsigned depth;         /* nesting of rules */
  bool panic;             /* a fault was reported; skip to a place to go on */
  bool nomem;
};

void fml_advance(struct fml_parser *p);
/* Reports once until the panic is over. */
void fml_syntax(struct fml_parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool fml_at_symbol(const struct fml_parser *p, unsigned symbol);
bool fml_at_word(const struct fml_parser *p, const char *word);
bool fml_take_symbol(struct fml_parser *p, unsigned symbol);
bool fml_take_word(struct fml_parser *p, const char *word);
void fml_want_symbol(struct fml_parser *p, unsigned symbol, const char *where);
/* A name, plain or in backticks. */
struct ast_name fml_want_name(struct fml_parser *p, const char *what);
/* A text in single or double quotes, escapes decoded. */
struct ast_name fml_want_text(struct fml_parser *p, const char *what);
/* Escapes decoded. */
struct str fml_plain(struct fml_parser *p, struct str raw);
void *fml_node(struct fml_parser *p, size_t size);
#define FML_NODE(p, type) ((type *)fml_node((p), sizeof(type)))

/* `{ rules }` */
struct ast_rule *fml_parse_rules(struct fml_parser *p);
/* Skips one FHIRPath expression and tells its extent. */
struct ast_range fml_parse_expression(struct fml_parser *p, const char *what);

#endif
