/*
 * sms_translit - look-alikes of the GSM-7 alphabet: a curly quote or an accent makes a
 * whole message UCS-2, where 70 letters are a segment instead of 160. Pure; any thread.
 */
#ifndef WORKERS_SMS_TRANSLIT_H
#define WORKERS_SMS_TRANSLIT_H

/* text (UTF-8) with quotes, dashes, blanks and accents as GSM-7 has them; the caller's to
 * free(). NULL: it is GSM-7 as it is, or would not be all the same (one letter of another
 * script is enough), or would cost more: then it is sent as it is written. */
char *sms_transliterate(const char *text);

#endif
