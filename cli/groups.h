/* groups - every command group of `furrow`, each defined in cli/cmd_<name>.c. */
#ifndef CLI_GROUPS_H
#define CLI_GROUPS_H

#include "cli/cli.h"

extern const struct cli_group cmd_agent;
extern const struct cli_group cmd_audit;
extern const struct cli_group cmd_batch;
extern const struct cli_group cmd_caller;
extern const struct cli_group cmd_caller_id;
extern const struct cli_group cmd_call;
extern const struct cli_group cmd_calling;
extern const struct cli_group cmd_campaign;
extern const struct cli_group cmd_compliance;
extern const struct cli_group cmd_consent;
extern const struct cli_group cmd_contacts;
extern const struct cli_group cmd_dnc;
extern const struct cli_group cmd_doctor;
extern const struct cli_group cmd_emergency;
extern const struct cli_group cmd_extension;
extern const struct cli_group cmd_facts;
extern const struct cli_group cmd_flow;
extern const struct cli_group cmd_jobs;
extern const struct cli_group cmd_key;
extern const struct cli_group cmd_limit;
extern const struct cli_group cmd_migrate;
extern const struct cli_group cmd_node;
extern const struct cli_group cmd_packs;
extern const struct cli_group cmd_prompts;
extern const struct cli_group cmd_provider;
extern const struct cli_group cmd_recordings;
extern const struct cli_group cmd_registration;
extern const struct cli_group cmd_run;
extern const struct cli_group cmd_sample;
extern const struct cli_group cmd_simulate;
extern const struct cli_group cmd_sms;
extern const struct cli_group cmd_table;
extern const struct cli_group cmd_tenant;
extern const struct cli_group cmd_trunk;
extern const struct cli_group cmd_up;
extern const struct cli_group cmd_why;

#endif
