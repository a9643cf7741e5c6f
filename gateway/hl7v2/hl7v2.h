/*
 * hl7v2.h - HL7 v2 messages in the text protocol ER7: index, values by place, typed tree, writing, envelopes,
 * charsets, acknowledgements.
 *
 * Purpose. Versions 2.1 to 2.9, any delimiters. Pure: no sockets, no clock, no files. The way of a message:
 *
 *   bytes --hl7v2_batch_next--> bytes of one message --hl7v2_decode--> UTF-8 --hl7v2_scan--> index
 *         index --hl7v2_value--> one value (fast)        index --hl7v2_tree--> bound tree --> FHIRPath, maps
 *         tree --hl7v2_write--> UTF-8 --hl7v2_encode--> bytes
 *
 * hl7v2_write(hl7v2_tree(x)) is x byte for byte, and a tree that was made here comes back the same when it has
 * been written and read.
 *
 * Ownership. All that is made lives in the caller's arena; the texts of values are views of the source where
 * nothing was escaped, so the source must live as long. Messages, trees and definitions are not changed by
 * reading them: any number of threads may read, one may make.
 *
 * Positions. Offsets are bytes of the decoded text (UTF-8), which for ASCII and UTF-8 are those of the message.
 *
 * Errors. INVALID with a diagnostic that names line and column; LIMIT never (what is over a cap is INVALID and
 * says which); NOMEM. A diagnostic quotes names of segments and charsets, never a value.
 *
 * Source. HL7 Version 2.5.1 and 2.8.2, chapter 2 (Control): 2.5 delimiters, 2.6 message construction, 2.7
 * escapes, 2.9 acknowledgements, 2.10 batches, 2.14.9 MSH; names of v2.xml (HL7 Version 2: XML Encoding).
 */
#ifndef KETLINK_HL7V2_HL7V2_H
#define KETLINK_HL7V2_HL7V2_H

#include "base/base.h"
#include "definitions/definitions.h"
#include "tree/tree.h"

/* --- the index
 * ------------------------------------------------------------------------------------------------------ */

/* Of MSH-1 and MSH-2; 0: the message has none. */
struct hl7v2_delims {
  char field, component, repetition, escape, subcomponent, truncation;
};

struct hl7v2_segment {
  char name[4];         /* three characters and a NUL */
  uint32_t at, end;     /* of its text, line end not included */
  uint32_t first_field; /* in `fields` */
  uint32_t field_count; /* of MSH, its delimiters are fields 1 and 2 */
};

struct hl7v2_message {
  const struct source *source;
  struct hl7v2_delims delims;
  struct hl7v2_segment *segments;
  uint32_t segment_count;
  /* Where each field starts; behind the last of a segment where a further one would: its end + 1. */
  uint32_t *fields;
};

/* Caps; a member that is 0 is the default of base/limits.h. */
struct hl7v2_limits {
  size_t bytes;    /* of one message; at most LIMIT_HL7V2_LARGEST */
  size_t segments; /* of one message */
  size_t fields;   /* of one message, all segments together */
};

/* Whether a text begins as HL7 v2 does: MSH, FHS or BHS, perhaps after a byte order mark, blank lines or both; in
   UTF-8, UTF-16 or UTF-32. */
bool hl7v2_is(struct str bytes);
/* The lines of a text by the segments that they begin, whatever its charset, before it is decoded or scanned. */
struct hl7v2_look {
  size_t messages;         /* MSH */
  size_t envelopes;        /* FHS, BHS, BTS, FTS */
  size_t acknowledgements; /* MSA */
};
struct hl7v2_look hl7v2_look(struct str bytes);

/* One pass over a message. Segments end with CR, LF or CR LF; blank lines are passed over. Refused: another beginning than
   MSH; a line that does not begin with the name of a segment (a capital letter, then two capital letters or digits) and the
   field separator; a second MSH, an envelope inside; DSC with a pointer, and ADD (continuation: fragments are
   not put together; MSH-14 alone says nothing, many senders fill it); delimiters that are letters, digits, blanks, control characters, or twice the same; NUL. `limits` NULL: the
   defaults. */
enum status hl7v2_scan(const struct source *source, const struct hl7v2_limits *limits, struct arena *arena,
                       struct diag_list *diags, struct hl7v2_message *out) MUST_USE;

/* The first segment of that name at or after `from`; segment_count if there is none. */
uint32_t hl7v2_find(const struct hl7v2_message *message, const char name[3], uint32_t from);
/* A field as it stands, all repetitions; numbers from 1. Empty if absent. */
struct str hl7v2_field(const struct hl7v2_message *message, const struct hl7v2_segment *segment, uint32_t number);

/* --- the header
 * -----------------------------------------------------------------------------------------------------
 *
 * What must be so before a message is mapped; to look at one it need not. Refused: an empty MSH-9 or MSH-10; a version (MSH-12)
 * other than 2.1 to 2.9; a processing id (MSH-11) that is none of P, T, D, or is none of those that are taken; a message that
 * continues another (MSH-14). A warning: an empty MSH-11, which is P; an empty MSH-12, which is 2.5.1. `processing`: the letters
 * that are taken, other characters between them; empty: all, T and D with a warning. */
enum status hl7v2_check(const struct hl7v2_message *message, struct str processing, struct diag_list *diags) MUST_USE;

/* --- values by place
 * ------------------------------------------------------------------------------------------------ */

/* All numbers from 1. Occurrence and repetition 0 stand for 1; component and subcomponent 0: not gone into. */
struct hl7v2_place {
  char segment[4];
  uint16_t occurrence, field, repetition, component, subcomponent;
};
/* "PID-5", "PID-5.1", "PID-5[2].1.1", "OBX[2]-5[1].1": false if it is none of these. */
bool hl7v2_place_parse(struct str text, struct hl7v2_place *out) MUST_USE;
/* The place of a position: line and column count from 1, as in a diagnostic; lines end with CR, LF or CR LF. False: the line is no
   segment. Parts behind the field are told where they are more than the first. */
bool hl7v2_place_at(struct str text, const struct hl7v2_delims *delims, struct source_position position,
                    struct hl7v2_place *out) MUST_USE;
/* As hl7v2_place_parse reads it; without a field: the segment. */
void hl7v2_place_write(const struct hl7v2_place *place, struct buf *out);
/* As it stands, escapes too. Empty if absent. The first part of what has no parts is the whole. */
struct str hl7v2_raw(const struct hl7v2_message *message, const struct hl7v2_place *place);
/* With escapes resolved; HL7's null (two quotation marks) comes as it stands. ptr NULL: the arena is full. */
struct str hl7v2_value(const struct hl7v2_message *message, const struct hl7v2_place *place, struct arena *arena);

/* --- escapes
 * --------------------------------------------------------------------------------------------------------
 *
 *   \F\ \S\ \T\ \R\ \E\ \P\   the delimiters; the letter of a delimiter that the message has not is kept as written
 *   \.br\ \.sp\ \.ce\ \.in\ \.ti\   LF, with or without a number; but for \.br\ none where a line has just begun
 *   \.sk\                      a blank
 *   \H\ \N\ \.fi\ \.nf\        nothing: highlighting, wrapping
 *   \X..\                     the bytes, if they are valid UTF-8 without NUL, or letters of the ISO 8859 that MSH-18 of the message names;
 *                             else kept as written
 *   \Cxxyy\ \Mxxyyzz\         what follows, to the next switch or the end, by the charset that they switch to (ISO 2022: ASCII,
 *                             JIS X 0201, 0208, 0212, GB 2312, KS C 5601); kept as written if it is none of it
 *   all else                  kept as written: \Z..\ (local), an escape character that has no partner; a text that is nothing
 *                             but what stands for nothing. The tree tells it with a warning
 *
 * What is kept as written is text like any other: written from a tree, its escape characters are escaped. */
/* Without a message, so without an MSH-18. */
struct str hl7v2_unescape(struct str run, const struct hl7v2_delims *delims, struct arena *arena);
/* Text -> what stands for it: delimiters, CR (\X0D\) and LF (\.br\); two quotation marks alone, which delete, are \X2222\. False:
   it needs an escape and there is no escape character. */
bool hl7v2_escape(struct str text, const struct hl7v2_delims *delims, struct buf *out);

/* --- the tree
 * -------------------------------------------------------------------------------------------------------
 *
 * Types are the logical models V2_<name> (mappings/models/hl7v2.json), so a tree comes bound. Root: the message
 * structure; below it segments (`PID`) in their groups (`PATIENT_RESULT`, names of v2.xml without the structure's).
 *
 *   field        `PID_5`, one node a repetition. Of one that may not repeat, a path finds the first value alone; the others are
 *                there, as what nobody reads
 *   component    `XPN_1`, subcomponent `FN_1`: by the type of what they are in. A complex type is gone into down to its
 *                primitives even where only the first is given
 *   beyond       of a primitive that has components, its own text is the first, and the others are its children `PID_7_2`;
 *                so too where there is no model: `ZPI_3`, `ZPI_3_2`, subcomponent `ZPI_3_2_2`; the second subcomponent of a
 *                first component is `PID_7_1_2`. More components than a type has: `XPN_23`
 *   OBX_5        takes the type that OBX-2 names; what is unknown or empty is text
 *   values       TREE_STRING, escapes resolved, whatever they hold: a number or a date is converted by who reads it
 *   absent       no node. `""`, which asks to delete what the receiver has: TREE_NULL|TREE_META with the text `""`, which
 *                no map takes for a value. Empty repetitions and the last, empty position: TREE_NULL|TREE_META
 *
 * A segment goes where the structure has a place for it from where the last one stood. What has none is put where it
 * belongs in the groups that are open, or to the innermost of them, with an information; Z segments to the innermost.
 * Nothing is ever dropped. Siblings of one name stand together, as in every tree, and offsets tell the order. */

/* The structure that types a message, static: by MSH-9.1 and 9.2 (ADT^A08 is ADT_A01), whatever MSH-9.3 says, since what happened is
   the event; "GENERIC" if the event is none of hl7v2_event_at. */
struct str hl7v2_structure(const struct hl7v2_message *message);
/* The events that have a structure, in the order of bytes; NULL behind the last. */
struct hl7v2_event {
  const char *event; /* MSH-9.1_9.2: "ADT_A08" */
  const char *structure;
};
const struct hl7v2_event *hl7v2_event_at(size_t index);
/* NOT_FOUND: the definitions have no models of HL7 v2. The message must live as long as the tree. */
enum status hl7v2_tree(const struct hl7v2_message *message, const struct definitions *definitions,
                       struct arena *arena, struct diag_list *diags, struct tree_node **root) MUST_USE;
/* A tree as text. `of`: the message it was read from; what it says is then written as it stood there, line ends too. NULL:
   segments go in the order of the tree and end with CR. Delimiters are those of its MSH_1 and MSH_2, or |^~\& . Errors stand in out->error; INVALID: a text
   needs an escape character that MSH_2 has not, or a component stands twice. */
void hl7v2_write(const struct tree_node *root, const struct hl7v2_message *of, struct buf *out);

/* --- envelopes and charsets
 * -----------------------------------------------------------------------------------------
 *
 * FHS, BHS, messages, BTS, FTS; or messages one after the other without an envelope. A message begins with a line MSH and ends
 * before the next line that begins with MSH or with a part of an envelope. A text in UTF-16 is one
 * message: with an envelope, or a second MSH, it is refused. */
struct hl7v2_batch {
  struct str text;
  size_t at;
  uint32_t line;                       /* of `at`, from 1 */
  bool in_file, in_batch, any;         /* FHS or BHS was there and has not been closed; the batch has something */
  uint32_t messages, batches;          /* of the batch; of the file */
};
struct hl7v2_batch hl7v2_batch_open(struct str text);
/* The bytes of the next message and the line it begins in. NOT_FOUND: the end. INVALID with a diagnostic, and it goes on
   behind it: a segment outside of a message, a batch in a batch, and at the end of a batch or file whose count (BTS-1, FTS-1) is
   another: then something was lost on the way. What is missing of an envelope is a warning. `name`: of the file. */
enum status hl7v2_batch_next(struct hl7v2_batch *batch, struct str name, struct diag_list *diags, struct str *message,
                             uint32_t *line) MUST_USE;

/* What a message says of its charset (MSH-18, HL7 table 0211):

     empty, ASCII, ISO IR6      ASCII; an empty MSH-18 with bytes above 127 is what `fallback` says
     8859/1 … 8859/9, 8859/15   ISO 8859
     UNICODE UTF-8              UTF-8 (also written UTF-8, UTF8)
     UNICODE, UNICODE UTF-16    UTF-16 of either byte order, with or without its mark; UNICODE UTF-32 likewise
     ISO IR14, IR87, IR159      JIS X 0201, 0208, 0212: alone or in repetitions, as ISO 2022 has it
     GB 18030-2000, KS X 1001, BIG-5

   Declared and actual must agree; nothing is replaced or left out. Refused with the position of the byte: an unknown charset;
   bytes above 127 where ASCII is declared; what is not valid in the charset; UTF-8 where ISO 8859 is declared (each byte would
   be a character: the text says Ã¼ where ü was meant), and Windows' letters there (0x80 … 0x9F); a byte order mark that says
   something else; UTF-16 that is not declared. Charset escapes within a text: see above. */
struct hl7v2_text {
  struct str text;    /* UTF-8, without a byte order mark */
  struct str charset; /* name in table 0211, static: "ASCII", "UNICODE UTF-8" */
  bool bom;           /* a mark was there */
  bool little_endian; /* of UTF-16 and UTF-32 */
};
/* `bytes`: its text are the bytes of one message. `fallback`: name of a charset, or empty: refuse. The text is a view of the bytes
   where that can be. INVALID with a diagnostic. */
enum status hl7v2_decode(const struct source *bytes, struct str fallback, struct arena *arena, struct diag_list *diags,
                         struct hl7v2_text *out) MUST_USE;
/* Text to bytes in `text->charset`. NOT_FOUND: there is no such charset; INVALID: a character that it has not. */
enum status hl7v2_encode(const struct hl7v2_text *text, struct arena *arena, struct str *bytes) MUST_USE;

/* --- acknowledgements
 * --------------------------------------------------------------------------------------------------
 *
 * Original mode (MSH-15 and MSH-16 both empty): one answer, AA, AE or AR. Enhanced mode: an accept acknowledgement CA, CE, CR by
 * MSH-15 and an application acknowledgement AA, AE, AR by MSH-16: AL always, NE never, ER on trouble only, SU on success only;
 * empty is NE there. HL7's null and a word that is none of table 0155 are as good as empty.
 *
 *   fate         what it is                                        application  accept
 *   ACCEPTED     done as far as the listener promises              AA           CA
 *   BAD          the message is wrong and will be                  AR           CR
 *   UNSUPPORTED  nothing here takes such messages                  AR           CR
 *   PASSING      full, busy, no memory: send it again              AE           CE
 *   CONFLICT     same control id, other content                    AE           CE
 *
 * So AR and CR, after which a sender gives up, come for what is permanent only. What is an acknowledgement itself (MSH-9.1 ACK, or
 * an MSA) is never answered. */
enum hl7v2_ack { HL7V2_NO_ACK, HL7V2_AA, HL7V2_AE, HL7V2_AR, HL7V2_CA, HL7V2_CE, HL7V2_CR };
enum hl7v2_fate { HL7V2_ACCEPTED, HL7V2_BAD, HL7V2_UNSUPPORTED, HL7V2_PASSING, HL7V2_CONFLICT, HL7V2_FATES };
struct hl7v2_ack_pair {
  enum hl7v2_ack accept, application;
};
struct hl7v2_ack_pair hl7v2_ack_for(const struct hl7v2_message *message, enum hl7v2_fate fate);
const char *hl7v2_ack_name(enum hl7v2_ack ack); /* "AA"; "" for none */
bool hl7v2_is_answer(const struct hl7v2_message *message);
/* What a finding is in HL7 table 0357: 101, required field missing; 207 if it is nothing of it. */
unsigned hl7v2_condition(enum diag_code code);

/* Of a message that cannot be read: its first line alone, with MSH, for an answer; without a mark of UTF-8, at most
   HL7V2_HEAD_BYTES. out->source has that line as it stands. INVALID without a diagnostic: not even that. */
enum { HL7V2_HEAD_BYTES = 4096 };
enum status hl7v2_scan_head(const struct source *source, struct arena *arena, struct hl7v2_message *out) MUST_USE;

struct hl7v2_ack_text {
  struct str control; /* MSH-10 of the answer */
  struct str time;    /* MSH-7: 20240131120000+0000 */
  enum hl7v2_fate fate;
  unsigned condition; /* ERR-3, of HL7 table 0357; 0: what the fate is there */
  struct hl7v2_place place; /* ERR-2; without a segment: not known */
  struct str text;    /* for a person: MSA-3, and ERR-8; no value of the message; may be empty */
};
/* MSH with sender and receiver changed over, in the delimiters, version, processing id and charset of `of`; MSA with MSH-10 exactly
   as it stood; on trouble ERR (from version 2.5, else the text in MSA-3 says it all). `of` NULL: usual delimiters, empty MSA-2. */
void hl7v2_ack_write(const struct hl7v2_message *of, enum hl7v2_ack ack, const struct hl7v2_ack_text *text,
                     struct buf *out);

#endif
