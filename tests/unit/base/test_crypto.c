/* test_crypto.c - whether OpenSSL's queue tells of memory. That algorithms are made at the start, and what becomes of a failure
 * then, is tried by tests/fault/starved.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "base/crypto.h"

static void test_begin(void **state) {
  (void)state;
  assert_int_equal(STATUS_OK, base_crypto_begin());
  assert_int_equal(STATUS_OK, base_crypto_begin());
  assert_int_equal(0, ERR_peek_error());
}

static void test_fault(void **state) {
  (void)state;
  assert_int_equal(STATUS_NOMEM, base_crypto_fault(STATUS_CONFIG)); /* it says nothing */
  ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
  assert_int_equal(STATUS_CONFIG, base_crypto_fault(STATUS_CONFIG));
  assert_int_equal(0, ERR_peek_error());
  ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
  ERR_raise(ERR_LIB_ASN1, ERR_R_MALLOC_FAILURE);
  ERR_raise(ERR_LIB_PEM, ERR_R_ASN1_LIB);
  assert_int_equal(STATUS_NOMEM, base_crypto_fault(STATUS_CONFIG));
  ERR_raise(ERR_LIB_SYS, ENOENT);
  assert_int_equal(STATUS_INVALID, base_crypto_fault(STATUS_INVALID));
  ERR_raise(ERR_LIB_SYS, ENOMEM);
  assert_int_equal(STATUS_NOMEM, base_crypto_fault(STATUS_INVALID));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_begin), cmocka_unit_test(test_fault)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
