/*
 * terms.h - private to cli: words of records that no ConceptMap knows, counted; lists and drafts of them.
 *
 * A word is shown only where it cannot be a patient's: of an element whose values are codes. Of a text it is
 * said how often and where the first stands.
 */
#ifndef KETLINK_CLI_TERMS_H
#define KETLINK_CLI_TERMS_H

#include "base/map.h"
#include "cli/cli.h"

enum { CLI_TERMS_MAX = 100000 }; /* different words of one call */

struct cli_term {
  struct str concept_map; /* URL, or the id of one that a map contains */
  struct str system;      /* of a Coding; empty: a word alone */
  struct str element;     /* SessionRecord.products.form; empty: the map made the word */
  struct str word;        /* empty: not shown */
  struct str file;        /* where the first stands */
  uint32_t line;
  size_t count;
};

struct cli_terms {
  struct arena *arena;
  struct map index; /* to struct cli_term */
  size_t dropped;   /* words beyond CLI_TERMS_MAX */
};

void cli_terms_begin(struct cli_terms *terms, struct arena *arena);
/* Views are copied. The count of `seen` is not looked at: one more. */
enum status cli_terms_add(struct cli_terms *terms, const struct cli_term *seen) MUST_USE;
/* By ConceptMap, the most frequent first. NULL when there is no memory. */
const struct cli_term **cli_terms_sorted(const struct cli_terms *terms);

/* A word of the ConceptMap that is much like it, for a reader; of numbers and codes nothing is. */
struct str cli_terms_known(const struct mapping_set *maps, const struct cli_term *term);

void cli_terms_write_text(const struct cli_terms *terms, const struct mapping_set *maps, struct buf *out);
void cli_terms_write_json(const struct cli_terms *terms, const struct mapping_set *maps, struct buf *out);

/* For each ConceptMap a supplement of it with a row to fill in for each word, in a new folder. `mappings` is
 * the folder whose files they must not shadow. Says what was made. */
enum status cli_terms_draft(struct cli *cli, const struct cli_terms *terms, const struct mapping_set *maps,
                            struct str mappings, const char *folder) MUST_USE;

#endif
