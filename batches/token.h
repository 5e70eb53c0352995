/*
 * token - the secret in the address under which a batch is verified: VRF-, eight of
 * A-Z and 2-9 without I, O, 0 and 1, a dash, eight hex digits; 72 bits. Pure; any thread.
 */
#ifndef BATCHES_TOKEN_H
#define BATCHES_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOKEN_MAX = 22, TOKEN_RANDOM_BYTES = 9 };

void token_make(const uint8_t random[TOKEN_RANDOM_BYTES], char out[TOKEN_MAX]);
bool token_is_sound(const char *text); /* of that form */
/* Where it is verified: below own, the address of the contract voice-ledger, or, where
 * that is "", below public_url (of each the first of several with spaces between), where
 * the contract is by default. */
void verification_url(const char *public_url, const char *own, const char *token,
                      char *out, size_t size);
/* Puts dots in place of every token in a text that goes into a log. */
void token_mask(char *text);

#endif
