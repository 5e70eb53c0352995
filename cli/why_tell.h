/* why_tell - what furrow why gathered, told in words on standard output. */
#ifndef CLI_WHY_TELL_H
#define CLI_WHY_TELL_H

#include <jansson.h>

void why_tell_number(const json_t *all);
void why_tell_brief(const json_t *all);
void why_tell_call(const json_t *all); /* of why_load_call, with rules */

#endif
