/*
 * bulk.h - private to cli: resources of many records as a folder of NDJSON files, one a resource type, named as
 * readers of FHIR Bulk Data exports expect: Patient.ndjson, Observation.ndjson.
 *
 * The folder holds what a server would hold after all records were sent in their order: each resource once, and
 * of a resource that came in several versions the last. It appears complete or not at all (folder.h).
 *
 * Memory: 24 bytes a resource (its id and where its line stands), no more than twice that with the room to
 * grow; what a resource looked like before is read back from the file.
 */
#ifndef KETLINK_CLI_BULK_H
#define KETLINK_CLI_BULK_H

#include "cli/folder.h"

enum { CLI_BULK_TYPE_MAX = 63 }; /* characters of a resource type */

struct cli_bulk;

struct cli_bulk_totals {
  size_t files, resources;
  size_t repeated; /* came again as they were */
  size_t replaced; /* came again in another version */
};

/* `max_lines` is the cap on resources in all their versions; 0: LIMIT_EXPORT_LINES. Says what is wrong. */
enum status cli_bulk_open(struct cli *cli, const char *path, size_t max_lines, struct cli_bulk **out) MUST_USE;
/* One resource; the line ends with a line end and has no other. LIMIT when the cap is reached. */
enum status cli_bulk_add(struct cli_bulk *bulk, struct str type, const unsigned char id[16],
                         struct str line) MUST_USE;
/* The folder gets its name. Without a resource none is made. */
enum status cli_bulk_land(struct cli_bulk *bulk, struct cli_bulk_totals *totals) MUST_USE;
/* The files, as JSON: [{"type":"Patient","url":"Patient.ndjson","count":2}]. */
void cli_bulk_list(const struct cli_bulk *bulk, struct buf *out);
/* NULL is allowed. Removes what did not land. */
void cli_bulk_free(struct cli_bulk *bulk);

#endif
