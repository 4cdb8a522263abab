/* SPDX-License-Identifier: Apache-2.0 */
/* weir upstream: a fake provider for drills, tests and benchmarks. */
#include "app/cli/cli.h"

#include <signal.h>

#include "app/provider/provider.h"
#include "edge/world/world.h"

static void on_stop(void *ctx, int signum)
{
    (void)signum;
    world_stop(ctx);
}

static int serve(const struct provider_options *options)
{
    struct world *world = NULL;
    struct provider *provider = NULL;
    char why[256] = "";

    enum err e = world_open(&world);
    if (e == OK)
        e = world_on_signal(world, SIGTERM, on_stop, world);
    if (e == OK)
        e = world_on_signal(world, SIGINT, on_stop, world);
    if (e == OK)
        e = provider_open(&provider, world, options, why);
    if (e == OK) {
        fprintf(stderr, "weir upstream: listening on port %u\n", provider_port(provider));
        world_run(world);
    } else {
        fprintf(stderr, "weir upstream: %s%s%s\n", err_info(e)->text, why[0] ? ": " : "", why);
    }
    provider_close(provider);
    world_close(world);
    return e == OK ? EXIT_DONE : EXIT_UNREACHABLE;
}

static bool number(const struct cli_args *args, const char *option, double max, double *out)
{
    str text = cli_value(args, option);
    double value;

    if (!text.ptr)
        return true;
    if (!str_to_double(text, &value) || value < 0 || value > max) {
        cli_usage_error("upstream", "--%s must be a number from 0 to %g, not '%.*s'", option, max,
                        STR_ARG(text));
        return false;
    }
    *out = value;
    return true;
}

static bool options_read(const struct cli_args *args, struct provider_options *out)
{
    char why[160] = "";
    int64_t seed = (int64_t)out->seed;
    str mode = cli_value(args, "mode");

    if (!mode.ptr) {
        cli_usage_error("upstream", "--mode is needed: echo, sim, recorded:DIR or script:FILE");
        return false;
    }
    if (provider_mode_parse(mode, out, why) != OK) {
        cli_usage_error("upstream", "%s", why);
        return false;
    }
    if (cli_has(args, "listen"))
        out->listen = cli_value(args, "listen");
    if (!cli_integer(args, "upstream", "delay-ms", 0, PROVIDER_DELAY_MS_MAX, &out->delay_ms) ||
        !cli_integer(args, "upstream", "deltas", 1, PROVIDER_DELTAS_MAX, &out->deltas) ||
        !cli_integer(args, "upstream", "delta-interval-ms", 0, PROVIDER_DELAY_MS_MAX,
                     &out->delta_interval_ms) ||
        !cli_integer(args, "upstream", "seed", 0, INT64_MAX, &seed) ||
        !number(args, "time-scale", 1000, &out->time_scale) ||
        !number(args, "fault-rate", 1, &out->fault_rate))
        return false;
    out->seed = (uint64_t)seed;
    return true;
}

static int run(const struct cli_args *args)
{
    struct provider_options options = provider_options_default();

    options.listen = STR("127.0.0.1:9090");
    if (!options_read(args, &options))
        return EXIT_USAGE;
    return serve(&options);
}

static const struct cli_option options[] = {
    { "mode", "echo|sim|recorded:DIR|script:FILE", "where its answers come from" },
    { "listen", "ADDRESS:PORT", "where to listen (127.0.0.1:9090)" },
    { "delay-ms", "N", "echo, recorded: before each answer" },
    { "deltas", "N", "echo, recorded: pieces of a streamed answer (8)" },
    { "delta-interval-ms", "N", "echo, recorded: between two of them" },
    { "time-scale", "X", "sim: factor on every delay; 0 for none" },
    { "fault-rate", "P", "sim: share of calls that fail, 0 to 1" },
    { "seed", "N", "sim" },
    { NULL, NULL, NULL },
};

const struct cli_command command_upstream = { "upstream",
                                              "",
                                              "a fake provider for drills, tests and benchmarks",
                                              "weir upstream --mode sim --listen 127.0.0.1:9090",
                                              options,
                                              run };
