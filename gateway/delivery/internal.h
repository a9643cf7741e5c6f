/* internal.h - private to delivery. */
#ifndef KETLINK_DELIVERY_INTERNAL_H
#define KETLINK_DELIVERY_INTERNAL_H

#include "delivery/delivery.h"

/* What a verdict means for a caller that stops here (exit statuses). */
enum status delivery_status_of(enum delivery_phase phase, long status, enum delivery_verdict verdict);
/* The shape of an answer's body, by content type and a look at its JSON, which *root gets: NULL when it is none, or has
   no room in the arena. */
enum delivery_body delivery_body_shape(struct str content_type, struct str body, struct arena *arena,
                                       struct tree_node **root);
/* NULL: it is no JSON, or there is no room; the arena is as it was then. */
struct tree_node *delivery_body_read(struct str body, struct arena *arena);

#endif
