/*
 * crypto.h - OpenSSL where memory is short.
 *
 * OpenSSL makes the algorithms of a kind when one of them is first asked for, and never again those that could not be made
 * then: one allocation that fails at that moment, and every handshake of the process fails. So a process that runs for long
 * has them made when it starts. And it says "no certificate" of a file that could not be read for want of memory: what it
 * means stands in its queue of errors. Threads: base_crypto_begin before others are there; the queue is the thread's own.
 */
#ifndef KETLINK_BASE_CRYPTO_H
#define KETLINK_BASE_CRYPTO_H

#include "base/diag.h"
#include "base/status.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* NOMEM: something could not be made and never will be in this process; it must end. What this machine's OpenSSL does not
   have at all is no fault here. */
enum status base_crypto_begin(void) MUST_USE;
/* Why a call has failed: NOMEM when the queue says so, or nothing, or there is no memory now; else `otherwise`. Empties the
   queue, which does not always tell; but what is wrong with a file is so a second time. */
enum status base_crypto_fault(enum status otherwise) MUST_USE;
/* The same of a file of the configuration that OpenSSL could not use, twice: CONFIG with a finding. */
enum status base_crypto_refuse(struct diag_list *diags, struct str file, const char *why) MUST_USE;
/* A private key in PEM; NULL when it is none. One that wants a password is none: nobody is asked for it. */
struct evp_pkey_st *base_crypto_read_key(struct str pem);

#endif
