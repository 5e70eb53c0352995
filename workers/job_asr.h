/* job_asr - the pure part of asr jobs, for their tests. */
#ifndef WORKERS_JOB_ASR_H
#define WORKERS_JOB_ASR_H

#include <stdbool.h>

#include "base/attrs.h"

/* May a recording in this language go to a model with these languages ("en,am",
 * "*", "om=omit", "om=orm")? out is what to send, "" to say nothing. "am-ET"
 * counts as "am"; a recording without a language always may. */
NODISCARD bool asr_language(const char *languages, const char *language, char out[8]);

#endif
