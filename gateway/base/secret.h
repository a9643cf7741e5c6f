/*
 * secret.h - files that hold a secret: a token, a password, a private key.
 *
 * A secret that others can read is none: the file must be regular, closed to group and others, and belong to
 * this user or to root (as systemd makes credentials). It is opened once, never through a link at its end,
 * and judged by its descriptor, so that nothing can be swapped in between. What was read lives in the arena:
 * wipe it with base_secret_wipe as soon as it has been used. Errors: CONFIG with a finding that names the
 * file, what it is and what to do; never a byte of it.
 */
#ifndef KETLINK_BASE_SECRET_H
#define KETLINK_BASE_SECRET_H

#include "base/diag.h"

/* The whole file, NUL terminated. `what` it is, for people: "the token file". LIMIT never: too long is
 * CONFIG. */
enum status base_secret_read(const char *path, const char *what, size_t max, struct arena *arena,
                             struct diag_list *diags, struct str *out) MUST_USE;
/* The same of a token: its one line, without what stands around it. CONFIG also when there are two, or spaces in it. */
enum status base_secret_token(const char *path, const char *what, size_t max, struct arena *arena,
                              struct diag_list *diags, struct str *out) MUST_USE;
/* A new file of mode 0600, durable; one that is there already is left as it is (CONFIG with a finding). */
enum status base_secret_create(const char *path, const char *what, struct str content,
                               struct diag_list *diags) MUST_USE;
void base_secret_wipe(struct str secret);

#endif
