/* csv_join.h - private to the sets of CSV files: one record put together from its rows. */
#ifndef KETLINK_INTAKE_CSV_JOIN_H
#define KETLINK_INTAKE_CSV_JOIN_H

#include "intake/csv.h"

/* Where a node comes from: its offset is 1 + the number of its place. */
struct csv_place {
  size_t at; /* of the row, in the file */
  uint32_t len, line;
  uint16_t file, cell;
};

struct csv_places {
  struct source_map map; /* first: what the source points to */
  const struct intake_set *set;
  struct csv_place *items;
  size_t count, room;
};

/* A row with its cells decoded, and the item that came of it. */
struct csv_item {
  struct csv_item *next; /* of the same file */
  struct csv_place place;
  struct str *cells; /* by column of the part; empty where there is none */
  size_t choice;
  struct tree_node *node; /* NULL: none */
};

/* A row of a table that goes with the record. */
struct csv_guest {
  uint16_t file;
  struct csv_entry entry;
  bool placed;
};

struct csv_join {
  const struct intake_set *set;
  struct intake_input *input;
  struct arena *arena;
  struct diag_list *diags;
  struct intake_record *out;
  struct csv_reader *reader;
  struct csv_places *places;
  struct {
    struct csv_item *first, *last, *parent; /* parent: the item below which the last one stands */
    size_t count;
  } files[LIMIT_SET_FILES];
  struct csv_guest *guests;
  size_t guest_count, guest_room;
  const struct datetime_zone *zone;
  size_t bytes;
  bool failed;
};

enum csv_unit_kind { UNIT_END, UNIT_RECORD, UNIT_ORPHANS, UNIT_NO_KEY, UNIT_LOOSE };
struct csv_unit_found {
  enum csv_unit_kind kind;
  size_t file;
  struct buf key;
};

/* csv_next.c */
bool intake_csv_read_along(const struct intake_set *set, size_t file);
void intake_csv_find_unit(const struct intake_input *input, struct csv_reader *reader, struct csv_unit_found *unit);
/* Past the row that the reader has read. */
void intake_csv_advance(struct intake_input *input, size_t file, const struct csv_reader *reader);
/* Whether the row that stands next in the file has the key; the reader has read it then. */
bool intake_csv_at_key(const struct intake_input *input, struct csv_reader *reader, size_t file, struct str key);

/* csv_join.c */
enum status intake_csv_join_begin(struct csv_join *join) MUST_USE;
enum status intake_csv_join_record(struct csv_join *join, struct str key) MUST_USE;
/* About the row that the reader has read; `cell` is a position in the file. */
void intake_csv_complain_row(struct csv_join *join, size_t file, size_t cell, enum diag_code code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* csv_item.c: the cells of a row into its item; `above` is the node below which it stands. */
enum status intake_csv_make_item(struct csv_join *join, struct csv_item *item, struct tree_node *above, size_t skip) MUST_USE;
void intake_csv_complain_item(struct csv_join *join, const struct csv_item *item, size_t cell, enum diag_code code,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));
/* False, having said why: the reader's row cannot be used. */
bool intake_csv_usable(struct csv_join *join, size_t file);
/* The reader's row, its cells decoded; *out is NULL when it cannot be used. */
enum status intake_csv_take_row(struct csv_join *join, size_t file, struct csv_item **out) MUST_USE;

#endif
