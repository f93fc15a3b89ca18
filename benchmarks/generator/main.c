/*
 * The command line: generator BENCHMARK name=value ...
 */

#include "bench.h"

#include <string.h>

static const struct {
    const char *name;
    int (*run)(void);
} benchmarks[] = {
    {"idle", run_idle}, {"hold", run_hold}, {"wake", run_wake},
    {"cycle", run_cycle}, {"reconnect", run_reconnect}, {"trivial-server", run_trivial_server},
};

int main(int count, char **words)
{
    if (count < 2)
        fail("the name of a benchmark is missing");
    settings_read(count - 2, words + 2);
    net_open();
    for (size_t i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++)
        if (!strcmp(words[1], benchmarks[i].name))
            return benchmarks[i].run();
    fail("unknown benchmark: %s", words[1]);
}
