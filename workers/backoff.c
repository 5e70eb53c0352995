#include "workers/backoff.h"

int64_t backoff_ms(int attempt, int64_t base_ms, int64_t max_ms, uint32_t random)
{
    int64_t step = base_ms < 1 ? 1 : base_ms;

    for (int i = 1; i < attempt && step < max_ms; i++)
        step *= 2;
    if (step > max_ms)
        step = max_ms;
    if (step < 1)
        step = 1;
    int64_t half = step / 2;
    int64_t wait =
        half + (int64_t)((double)random / (double)UINT32_MAX * (double)(step - half));
    return wait < 1 ? 1 : wait;
}
