/*
 * csv.h - private to intake: sets of CSV files.
 *
 * Three things: a *description* (mappings/csv/NAME.json, checked against the logical model when loaded), an
 * open *set* (a folder, its files mapped, headings matched, order known), both immutable and shared by
 * threads; and the *way* through a set, which is part of struct intake_input and copied by value.
 */
#ifndef KETLINK_INTAKE_CSV_H
#define KETLINK_INTAKE_CSV_H

#include "intake/internal.h"

enum { CSV_NONE = UINT16_MAX, CSV_KEY_COLUMNS = 4, CSV_CHOICES = 8, CSV_STEPS = 4 };

/* --- description --- */

enum csv_type { CSV_TEXT, CSV_INTEGER, CSV_DECIMAL, CSV_BOOLEAN, CSV_DATE, CSV_TIME };

/* The elements from the item of a row down to the value: address, line. */
struct csv_path {
  const struct def_element *steps[CSV_STEPS];
  size_t count; /* 0: the item is the value itself */
  bool present; /* false: the choice of the row has no such element */
  enum csv_type type;
};

struct csv_word {
  struct str cell, word;
};

struct csv_unit {
  struct str from, to; /* UCUM; `from` empty: none */
  struct decimal multiply, divide, add_before, add_after;
  int32_t decimals;
  struct str field;                   /* name of the element that is converted */
  const struct def_element *converted; /* list of the item that tells of it */
};

struct csv_column {
  struct str name;
  bool optional;
  bool has_value; /* not in the file: each row has `value` */
  bool is_key;    /* of `key` or `of` */
  struct str value;
  struct csv_path paths[CSV_CHOICES]; /* by choice; [0] where there is none */
  bool has_element;
  uint16_t refers; /* file whose row comes along, or CSV_NONE */
  bool must_find;  /* it has no element: the row has to be there */
  struct str format;
  char decimal;
  const struct csv_word *words;
  size_t word_count;
  struct csv_unit unit;
};

struct csv_choice {
  struct str word;
  const struct def_element *steps[CSV_STEPS]; /* from the parent's item, or the record, down to the item */
  size_t count;
};

/* A file of a set. Parents stand before their children. */
struct csv_part {
  struct str name; /* doses.csv */
  size_t at;       /* in the text of the description */
  struct csv_choice choices[CSV_CHOICES];
  size_t choice_count; /* 0: the rows are no items, they only refer */
  uint16_t choose;     /* column that has the choice's word, or CSV_NONE */
  uint16_t key[CSV_KEY_COLUMNS];
  size_t key_count;
  uint16_t parent; /* file, or CSV_NONE */
  uint16_t by[CSV_KEY_COLUMNS]; /* columns that hold the parent's key */
  size_t by_count;
  bool per_record; /* a part of a record; else a table that records refer to */
  struct csv_column *columns;
  size_t column_count;
};

struct csv_description {
  struct source source; /* of the description */
  struct str name;      /* session-record.json */
  const struct intake_route *route;
  char delimiter;
  struct str charset;
  const char (*bytes)[4]; /* of a charset of single bytes: UTF-8 of each, NUL-terminated if shorter; NULL: UTF-8 */
  const struct datetime_zone *zone; /* NULL: zone_path, or none */
  struct str zone_path[CSV_STEPS];
  size_t zone_steps;
  struct csv_part *parts; /* the first is that of the records */
  size_t part_count;
};

struct intake_sets {
  struct csv_description *descriptions;
  size_t count;
};

/* The table of a charset of single bytes. NOT_FOUND: it is none, or unknown. */
enum status intake_csv_charset(struct str name, struct arena *arena, const char (**out)[4]) MUST_USE;
/* False: the units do not fit, or cannot be converted exactly. */
bool intake_csv_unit(const struct definitions *definitions, struct csv_unit *unit);
/* What is wrong with a format of dates or times; NULL: nothing. */
const char *intake_csv_format_fault(struct str format, enum csv_type type);

/* --- rows --- */

enum csv_fault {
  CSV_GOOD,
  CSV_FAULT_QUOTE,    /* text beside quotation marks, or a mark inside a cell */
  CSV_FAULT_RETURN,   /* a carriage return alone */
  CSV_FAULT_NUL,
  CSV_FAULT_COLUMNS,  /* more than a file may have */
  CSV_FAULT_UNCLOSED, /* from here on: the file cannot be read any further */
  CSV_FAULT_LONG,     /* the same */
  CSV_FAULT_MEMORY
};

/* Reads rows; its memory is used again for the next one, and wiped when it is closed. */
struct csv_reader {
  struct str text;
  char delimiter;
  struct buf bytes; /* of the row's cells */
  struct {
    size_t from, to;
  } cells[LIMIT_SET_COLUMNS];
  /* of the row that was read */
  size_t at, end; /* in the text */
  uint32_t line, next_line;
  size_t count;
  enum csv_fault fault;
  size_t fault_at;
  bool starved; /* of any row: there was no memory for it, and what was made without it is not whole */
  void *parser; /* libcsv's */
};

void intake_csv_reader_open(struct csv_reader *reader, struct str text, char delimiter);
void intake_csv_reader_close(struct csv_reader *reader);
/* The row that begins at `at`, blank lines before it passed over; false at the end. */
bool intake_csv_row(struct csv_reader *reader, size_t at, uint32_t line);
/* A cell as it stands in the file, without its quotation marks; empty where there is none. */
struct str intake_csv_cell(const struct csv_reader *reader, size_t index);
/* Only the cell `index`, where the row ends and the next line: quick where the row has no quotation marks. */
bool intake_csv_key(struct csv_reader *reader, size_t at, uint32_t line, size_t index, struct str *out);
/* Where the cell begins, counted from the row's first byte. */
size_t intake_csv_cell_at(struct str row, char delimiter, size_t index);

/* --- an open set --- */

struct csv_entry {
  uint64_t hash;
  uint32_t at, line;
};

struct csv_file {
  const struct csv_part *part;
  struct str path;
  struct str text; /* mapped; empty: there is no such file */
  bool present;
  size_t begin; /* of the first row */
  uint32_t begin_line;
  size_t heading_count;
  uint16_t *headings;      /* position in the file -> column of the part */
  uint16_t *places;        /* column of the part -> position, or CSV_NONE */
  bool in_order;           /* ascending by the record's key: read along, not looked up */
  struct csv_entry *index; /* by hash, then place; NULL: in_order */
  size_t rows;
};

/* A row that belongs to no record, or that stands there twice. */
enum csv_loose { CSV_ORPHAN, CSV_DUPLICATE, CSV_NO_KEY };
struct csv_loose_row {
  enum csv_loose why;
  uint16_t file;
  struct csv_entry entry;
};

struct intake_set {
  const struct csv_description *description;
  const struct host *host;
  const struct definitions *definitions;
  struct arena *arena;
  struct csv_file *files; /* one for each part of the description */
  uint64_t seed;
  struct csv_loose_row *loose;
  size_t loose_count, loose_room;
  size_t bytes; /* of all files */
};

uint64_t intake_csv_hash(const struct intake_set *set, struct str key);
/* The first entry with that hash, and how many there are. */
const struct csv_entry *intake_csv_find(const struct csv_file *file, uint64_t hash, size_t *count);
/* Position in the file of the column that has the key (0) or the parent's key. */
size_t intake_csv_key_place(const struct csv_file *file, bool of_parent);
/* What stands in a file of the set; `what` is "row" … */
void intake_csv_complain(const struct intake_set *set, const struct csv_file *file, struct str row, uint32_t line,
                         size_t cell, enum diag_code code, struct diag_list *diags, const char *format, ...)
    __attribute__((format(printf, 8, 9)));

/* --- values --- */

struct csv_cell {
  const struct csv_column *column;
  enum csv_type type;
  struct str text;
  const struct datetime_zone *zone; /* NULL: none known */
};
struct csv_value {
  uint8_t kind; /* enum tree_kind */
  struct str text;
  const char *why;    /* not NULL: it cannot be read, and what would help */
  enum diag_code code;
  struct str original; /* of what was converted */
};
enum status intake_csv_value(const struct csv_cell *cell, struct arena *arena, struct csv_value *out) MUST_USE;

/* --- the way through a set --- */

enum status intake_csv_skip(struct intake_input *input) MUST_USE;
enum status intake_csv_next(struct intake_input *input, struct arena *arena,
                            struct diag_list *diags, struct intake_record *out) MUST_USE;

#endif
