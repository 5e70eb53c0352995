/*
 * campaign_forecast - `furrow campaign forecast`: the forecast as text, JSON, and a page
 * of its own.
 */
#ifndef CLI_CAMPAIGN_FORECAST_H
#define CLI_CAMPAIGN_FORECAST_H

#include <stdio.h>

#include <jansson.h>

#include "campaigns/forecast_store.h"

struct cli;
struct tz_zone;

/* What is shown of a forecast. */
struct forecast_view {
    const char *campaign;
    const struct forecast_source *source;
    const struct forecast *forecast;
    const struct tz_zone *zone; /* whose wall clock is shown; never NULL */
};

extern const char forecast_about[]; /* of the verb */
int cmd_campaign_forecast(struct cli *cli, int argc, char **argv);

/* "2026-11-24 08:00" on the view's wall clock; "-" for 0. */
enum { FORECAST_TIME_MAX = 24 };
const char *forecast_time(const struct forecast_view *v, int64_t at_ms,
                          char out[FORECAST_TIME_MAX]);
/* "ET Africa/Addis_Ababa", with "+2" for two more zones. */
enum { FORECAST_ZONE_MAX = 96 };
const char *forecast_zone_name(const struct forecast_zone *z,
                               char out[FORECAST_ZONE_MAX]);
/* How it ends, in one sentence. */
enum { FORECAST_SENTENCE_MAX = 200 };
const char *forecast_sentence(const struct forecast_view *v,
                              char out[FORECAST_SENTENCE_MAX]);
/* What of the campaign the forecast does not know; "" nothing. */
const char *forecast_left_out(const struct forecast_view *v,
                              char out[FORECAST_SENTENCE_MAX]);
/* Indexes of the zones, most contacts first; free(). */
size_t *forecast_zone_order(const struct forecast_view *v);

void forecast_print(const struct forecast_view *v, FILE *to);
json_t *forecast_to_json(const struct forecast_view *v); /* the caller's */
void forecast_print_html(const struct forecast_view *v, FILE *to);

#endif
