/*
 * token - the secret in the address under which a batch is verified: VRF-, eight of
 * A-Z and 2-9 without I, O, 0 and 1, a dash, eight hex digits; 72 bits. Pure; any thread.
 */
#ifndef BATCHES_TOKEN_H
#define BATCHES_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

enum { TOKEN_MAX = 22, TOKEN_RANDOM_BYTES = 9 };

void token_make(const uint8_t random[TOKEN_RANDOM_BYTES], char out[TOKEN_MAX]);
bool token_is_sound(const char *text); /* of that form */

#endif
