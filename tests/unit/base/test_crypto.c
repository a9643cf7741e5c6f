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

/* A key; the same behind a password, of which nobody is asked; and what is none: told, unless it was for want of memory. */
static void test_read_key(void **state) {
  struct arena *arena = arena_new(1 << 16);
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
  struct diag_list diags;
  (void)state;
  diag_list_init(&diags, arena);
  for (int closed = 0; closed <= 1; closed++) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, closed ? EVP_aes_128_cbc() : NULL, "secret", closed ? 6 : 0, NULL, NULL), 1);
    struct str pem = str_make(text, (size_t)BIO_get_mem_data(bio, &text));
    pem.ptr = text;
    EVP_PKEY *read = base_crypto_read_key(pem);
    assert_int_equal(read != NULL, !closed);
    EVP_PKEY_free(read);
    BIO_free(bio);
  }
  EVP_PKEY_free(key);
  assert_null(base_crypto_read_key(STR("no key")));
  assert_int_equal(STATUS_CONFIG, base_crypto_refuse(&diags, STR("a.key"), "it is none"));
  assert_int_equal(1, diag_errors(&diags));
  assert_int_equal(STATUS_NOMEM, base_crypto_refuse(&diags, STR("a.key"), "it is none")); /* the queue says nothing */
  assert_int_equal(1, diag_errors(&diags));
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_begin), cmocka_unit_test(test_fault), cmocka_unit_test(test_read_key)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
