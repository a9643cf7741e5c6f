/*
 * mllp.h - the Minimal Lower Layer Protocol: which bytes of a stream are a message. VT message FS CR.
 *
 * Purpose. A pure machine over bytes: what comes of a stream does not depend on how it was split on its way.
 * No sockets, no clock; the owner of a connection feeds it and keeps its deadlines.
 *
 * Never two messages in one. A frame ends with FS CR and nowhere else, but for one thing that senders without
 * the CR do: FS and then the VT of the next frame, or the end of the stream, end it too. A VT within a frame
 * means that the one before was cut off: it is given up, and the new one begins. FS before anything else does
 * not end a frame and is not part of a message either: it is given up. Whatever stands between frames is
 * passed over and counted; CR and LF there are not even counted. NUL, 0xFF and all other bytes are content.
 *
 * Ownership. The reader's buffer is its own; the frame that is handed out is in it, and valid until the
 * reader is called again, unless it is kept (mllp_keep). Memory is taken when a frame begins and wiped when it is given back, so that 10,000
 * idle connections hold none. One thread at a time. Errors: NOMEM, the frame is lost.
 *
 * Source. HL7 Version 3 Standard: Transport Specification - MLLP, Release 1 and 2; HL7 v2.x Implementation
 * Guide, appendix C.
 */
#ifndef KETLINK_MLLP_MLLP_H
#define KETLINK_MLLP_MLLP_H

#include "base/base.h"

enum {
  MLLP_VT = 0x0B,
  MLLP_FS = 0x1C,
  MLLP_CR = 0x0D,
  MLLP_OVERHEAD = 3,            /* bytes of a frame that are not its message */
  MLLP_USUAL_BYTES = 1 << 20,   /* cap on a message where nothing else is said */
  MLLP_LARGEST_BYTES = 64 << 20 /* and the highest that may be said */
};

enum mllp_event {
  MLLP_MORE,     /* all bytes are taken; no frame has ended */
  MLLP_FRAME,    /* a whole message, which may be empty */
  MLLP_CUT,      /* given up: the next frame began, or the stream ended, before its end */
  MLLP_UNENDED,  /* given up: FS within it, without CR */
  MLLP_TOO_LARGE /* given up: larger than the cap; what is handed out is its beginning */
};

enum mllp_state { MLLP_BETWEEN, MLLP_WITHIN, MLLP_AFTER_FS };

/* The members are mllp.c's. */
struct mllp_reader {
  enum mllp_state state;
  bool handed_out;
  struct buf frame;
  uint64_t skipped;
};

/* `max`: bytes of a message, at most MLLP_LARGEST_BYTES. */
void mllp_reader_init(struct mllp_reader *reader, size_t max);
/* Wipes; the reader may be used again. */
void mllp_reader_reset(struct mllp_reader *reader);

/* Takes bytes until a frame has ended or was given up, or all are taken: `*used` says how many. Call again with the
   rest until it is MLLP_MORE. `*frame`: the message, or what there is of one that was given up. */
enum status mllp_feed(struct mllp_reader *reader, struct str bytes, size_t *used, enum mllp_event *event,
                      struct str *frame) MUST_USE;
/* The frame that was handed out last becomes the caller's, to be released with buf_release; the reader takes other memory. */
struct buf mllp_keep(struct mllp_reader *reader);
/* The stream is at its end, or nothing more is waited for: MLLP_FRAME when only the last CR was missing, MLLP_CUT when
   a frame was under way, else MLLP_MORE. */
enum mllp_event mllp_end(struct mllp_reader *reader, struct str *frame);

/* A frame has begun and not ended. */
bool mllp_within(const struct mllp_reader *reader);
/* Bytes of it that have come. */
size_t mllp_held(const struct mllp_reader *reader);
/* Bytes between frames since the beginning, CR and LF left out. */
uint64_t mllp_skipped(const struct mllp_reader *reader);

/* Whether a message arrives as it is: it has no VT and no FS. What has, must not be sent. */
bool mllp_can_carry(struct str message);
/* Appends a frame. */
void mllp_write(struct str message, struct buf *out);

#endif
