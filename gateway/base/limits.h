/*
 * limits.h - the default caps on hostile input, in one place. A stage takes them as parameters so that tests
 * can set them tiny; each is tested at N-1, N and N+1.
 */
#ifndef KETLINK_BASE_LIMITS_H
#define KETLINK_BASE_LIMITS_H

enum {
  LIMIT_TEXT_BYTES = 64 << 20,     /* one JSON document */
  LIMIT_RECORD_BYTES = 8 << 20,    /* one clinic record */
  LIMIT_DEPTH = 64,                /* nesting of objects and arrays */
  LIMIT_CHILDREN = 100000,         /* members of one object, or items of one array */
  LIMIT_NUMBER_CHARS = 128,        /* characters of one JSON number */
  LIMIT_ARENA_BYTES = 256 << 20,   /* everything made while one record passes */
  LIMIT_PACKAGE_BYTES = 256 << 20, /* a FHIR package, unpacked */
  LIMIT_PACKAGE_RATIO = 100,       /* unpacked / packed */
  LIMIT_PACKAGE_ENTRIES = 20000,
  LIMIT_PACKAGE_NAME = 214,        /* bytes of its name, as npm has it, and of its version */
  LIMIT_PACK_IMAGES = 48,          /* packages added to a pack one by one, itself among them */
  LIMIT_PACKAGE_ARENA = 512 << 20, /* the tree of one file of a package */
  LIMIT_EXPRESSION_BYTES = 65536,  /* text of one FHIRPath expression */
  LIMIT_EXPRESSION_DEPTH = 100,    /* nesting of one expression */
  LIMIT_EVAL_STEPS = 10000000,     /* node visits of one evaluation */
  LIMIT_EVAL_ITEMS = 1000000,      /* items of one collection */
  LIMIT_MAP_BYTES = 1 << 20,       /* text of one map */
  LIMIT_MAP_DEPTH = 100,           /* nesting of group calls while a map runs */
  LIMIT_MAP_STEPS = 10000000,      /* rules tried in one run */
  LIMIT_BUNDLE_ENTRIES = 10000,
  LIMIT_NOTE_BYTES = 8 << 20,       /* the page of a session in its note */
  LIMIT_FOLDER_DEPTH = 16,          /* folders in folders that are searched for inputs */
  LIMIT_FOLDER_FILES = 200000,      /* inputs of one call that come from folders */
  LIMIT_EXPORT_LINES = 20000000,    /* resources of one export to a folder; it remembers the place of each */
  LIMIT_DESTINATION_PROFILES = 256, /* profiles that a destination asks for */
  LIMIT_DESTINATION_PACKAGES = 32,  /* packages that it names */
  LIMIT_SET_FILES = 64,             /* files that a CSV set is made of */
  LIMIT_SET_COLUMNS = 256,          /* columns of one of them */
  LIMIT_SET_ROW_BYTES = 1 << 20,    /* one row; a quotation mark that is never closed ends here */
  LIMIT_SET_ROWS = 20000,           /* rows of one file that belong to one record */
  LIMIT_SET_INDEX = 8 << 20,        /* rows that are looked up and not read in order, 16 bytes each */
  LIMIT_HL7V2_BYTES = 1 << 20,      /* one HL7 v2 message, where nothing else is said */
  LIMIT_HL7V2_LARGEST = 64 << 20,   /* and the most that may be said */
  LIMIT_HL7V2_SEGMENTS = 100000,    /* segments of one message */
  LIMIT_HL7V2_FIELDS = 1000000,     /* its fields, all segments together */
  LIMIT_RESPONSE_BYTES = 16 << 20,  /* an HTTP answer, decoded */
  LIMIT_RESPONSE_HEADS = 256 << 10, /* its heads, and the fields behind its body */
  LIMIT_CAPABILITY_TYPES = 1000,    /* resource types of a CapabilityStatement */
  LIMIT_CAPABILITY_PARAMETERS = 1000, /* search parameters of one of them */
  LIMIT_OUTBOX_PAYLOAD = 64 << 20,    /* one record of the store */
  LIMIT_OUTBOX_LABEL = 1024,          /* its label, lane, place on a server */
  LIMIT_OUTBOX_RECORDS = 2000000,     /* open records in the store */
  LIMIT_OUTBOX_RESERVE = 256 << 20,   /* of the file system stay free */
  LIMIT_OUTBOX_SCRATCH = 256 << 20,
  LIMIT_OUTBOX_WAIT_MS = 3600000 /* between two attempts at most */
};
#define LIMIT_OUTBOX_DEDUPE_MS (INT64_C(30) * 24 * 3600 * 1000) /* a control id is known at least */

#endif
