/*
 * settings - settings of accounts and trunks, a JSON object each, changed by name: what
 * is not named stays, null takes away, objects are changed inside (RFC 7396).
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include <stddef.h>

/* settings, of size bytes, is an object's text and becomes the changed one's. An exit
 * code; what is wrong is said. Whether the kind knows those settings is not looked at. */
int settings_merge(char *settings, size_t size, const char *change);
/* A line for each setting that differs. */
void settings_tell(const char *before, const char *after);

#endif
