/*
 * worker - configuration of furrow-worker and the table of its job kinds.
 * A new kind is a file job_<kind>.c, a line here and one in worker_config.c.
 */
#ifndef WORKERS_WORKER_H
#define WORKERS_WORKER_H

#include "base/config.h"
#include "workers/job.h"

struct worker_config {
    struct config_common common;
    int64_t keep_done_days;
    int64_t threads, volatile_threads, connections, grace_s, lease_s, retry_base_ms,
        retry_max_s;
    int64_t quota_fetch, quota_asr, quota_nlu, quota_batch, quota_sms;
    char ari_user[64], ari_secret[128];
    char asr_url[256], asr_key[256], asr_model[64], asr_languages[256];
    int64_t asr_timeout_s;
    char nlu_url[256], nlu_key[256], nlu_model[64];
    int64_t nlu_timeout_s;
    char sms_provider[16], sms_url[256], sms_account[128], sms_token[128], sms_from[64];
    char sms_service[32];
    int64_t sms_report_wait_s;
    bool sms_sign, sms_complete;
};

extern const struct config_table worker_config_table;

extern const struct job_kind job_kind_fetch;
extern const struct job_kind job_kind_asr;
extern const struct job_kind job_kind_nlu;
extern const struct job_kind job_kind_batch;
extern const struct job_kind job_kind_sms;
extern const struct job_kind job_kind_news;
extern const struct job_kind job_kind_expire;

enum { WORKER_KINDS = 7 };
extern const struct job_kind *const worker_kinds[WORKER_KINDS];

extern const struct job_kind job_kind_notice;

enum { WORKER_VOLATILE_KINDS = 1 };
extern const struct job_kind *const worker_volatile_kinds[WORKER_VOLATILE_KINDS];

struct pool_options;
struct volatile_pool_options;
/* What the pool wants, from the configuration; the queue's holder is left out. */
void worker_pool_options(const struct worker_config *c, struct pool_options *out);
void worker_volatile_options(const struct worker_config *c,
                             struct volatile_pool_options *out);

#endif
