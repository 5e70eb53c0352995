#include "campaigns/lifecycle.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[CAMPAIGN_STATES] = {
    [CAMPAIGN_DRAFT] = "draft",       [CAMPAIGN_RUNNING] = "running",
    [CAMPAIGN_PAUSED] = "paused",     [CAMPAIGN_STOPPED] = "stopped",
    [CAMPAIGN_DONE] = "done",         [CAMPAIGN_FAULTED] = "faulted",
    [CAMPAIGN_ARCHIVED] = "archived",
};

static const struct {
    const char *name, *done; /* "can be paused" */
    bool by_people;
} commands[CAMPAIGN_COMMANDS] = {
    [CAMPAIGN_START] = {"start", "started", true},
    [CAMPAIGN_PAUSE] = {"pause", "paused", true},
    [CAMPAIGN_RESUME] = {"resume", "resumed", true},
    [CAMPAIGN_STOP] = {"stop", "stopped", true},
    [CAMPAIGN_COMPLETE] = {"complete", "completed", false},
    [CAMPAIGN_FAULT] = {"fault", "faulted", false},
    [CAMPAIGN_ARCHIVE] = {"archive", "archived", true},
    [CAMPAIGN_RESTORE] = {"restore", "restored", true},
};

/* Every legal move; what is not here is illegal. */
static const struct {
    enum campaign_state from;
    enum campaign_command command;
    enum campaign_state to;
} moves[] = {
    {CAMPAIGN_DRAFT, CAMPAIGN_START, CAMPAIGN_RUNNING},
    {CAMPAIGN_DRAFT, CAMPAIGN_STOP, CAMPAIGN_STOPPED},
    {CAMPAIGN_RUNNING, CAMPAIGN_PAUSE, CAMPAIGN_PAUSED},
    {CAMPAIGN_RUNNING, CAMPAIGN_STOP, CAMPAIGN_STOPPED},
    {CAMPAIGN_RUNNING, CAMPAIGN_COMPLETE, CAMPAIGN_DONE},
    {CAMPAIGN_RUNNING, CAMPAIGN_FAULT, CAMPAIGN_FAULTED},
    {CAMPAIGN_PAUSED, CAMPAIGN_RESUME, CAMPAIGN_RUNNING},
    {CAMPAIGN_PAUSED, CAMPAIGN_STOP, CAMPAIGN_STOPPED},
    {CAMPAIGN_PAUSED, CAMPAIGN_COMPLETE, CAMPAIGN_DONE}, /* its end has come */
    {CAMPAIGN_FAULTED, CAMPAIGN_RESUME, CAMPAIGN_RUNNING},
    {CAMPAIGN_FAULTED, CAMPAIGN_STOP, CAMPAIGN_STOPPED},
    {CAMPAIGN_STOPPED, CAMPAIGN_START, CAMPAIGN_RUNNING},
    {CAMPAIGN_DONE, CAMPAIGN_START, CAMPAIGN_RUNNING},
    {CAMPAIGN_DRAFT, CAMPAIGN_ARCHIVE, CAMPAIGN_ARCHIVED},
    {CAMPAIGN_STOPPED, CAMPAIGN_ARCHIVE, CAMPAIGN_ARCHIVED},
    {CAMPAIGN_DONE, CAMPAIGN_ARCHIVE, CAMPAIGN_ARCHIVED},
    {CAMPAIGN_ARCHIVED, CAMPAIGN_RESTORE, CAMPAIGN_STOPPED},
};

const char *campaign_state_name(enum campaign_state s)
{
    return state_names[s];
}

bool campaign_state_parse(const char *name, enum campaign_state *out)
{
    for (int i = 0; i < CAMPAIGN_STATES; i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *out = (enum campaign_state)i;
            return true;
        }
    }
    return false;
}

const char *campaign_command_name(enum campaign_command c)
{
    return commands[c].name;
}

bool lifecycle_move(enum campaign_state from, enum campaign_command command,
                    enum campaign_state *to)
{
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        if (moves[i].from == from && moves[i].command == command) {
            *to = moves[i].to;
            return true;
        }
    }
    return false;
}

const char *lifecycle_explain(enum campaign_state from, enum campaign_command command,
                              char out[LIFECYCLE_TEXT_MAX])
{
    char possible[64] = "";
    size_t len = 0;
    enum campaign_state to = from;

    for (int i = 0; i < CAMPAIGN_COMMANDS; i++)
        if (commands[i].by_people && lifecycle_move(from, (enum campaign_command)i, &to))
            len += (size_t)snprintf(possible + len, sizeof(possible) - len, "%s%s",
                                    len ? " or " : "", commands[i].done);
    snprintf(out, LIFECYCLE_TEXT_MAX, "%s %s campaign can be %s, not %s",
             from == CAMPAIGN_ARCHIVED ? "an" : "a", state_names[from], possible,
             commands[command].done);
    return out;
}
