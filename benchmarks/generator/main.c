/*
 * generator WORK name=value ...
 */

#include "bench.h"

#include <string.h>

static const struct {
    const char *name;
    int (*work)(void);
} works[] = {
    {"idle", work_idle}, {"hold", work_hold}, {"wake", work_wake},
    {"cycle", work_cycle}, {"crowd", work_crowd}, {"floor", work_floor},
};

int main(int count, char **words)
{
    if (count < 2)
        fail("which work?");
    settings_read(count - 2, words + 2);
    net_open();
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (!strcmp(words[1], works[i].name))
            return works[i].work();
    fail("%s is no work", words[1]);
}
