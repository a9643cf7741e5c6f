/* utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef KETLINK_BASE_UTF8_H
#define KETLINK_BASE_UTF8_H

#include "base/buf.h"
#include "base/str.h"

/* Index of the first byte that is not valid UTF-8, or SIZE_MAX when all is well. Fast on ASCII. */
size_t utf8_invalid_at(struct str s);
/* Length of the valid sequence that starts at ptr (1 … 4), 0 when there is none; left > 0. */
size_t utf8_sequence(const char *ptr, size_t left);
/* Decodes one code point at *at (which must be < len) and moves on; 0xFFFD and one byte on for invalid input.
 */
uint32_t utf8_next(struct str s, size_t *at);
void utf8_add(struct buf *out, uint32_t code_point);
/* Bytes written to out (1 … 4). */
size_t utf8_encode(uint32_t code_point, char out[4]);
/* Number of code points. */
size_t utf8_count(struct str s);

#endif
