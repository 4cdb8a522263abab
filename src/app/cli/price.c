/* SPDX-License-Identifier: Apache-2.0 */
/* weir price: what tokens cost. */
#include "app/cli/cli.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

static int print(const struct cli_args *args, const struct config *config,
                 const struct usage *usage)
{
    str model = cli_value(args, "model");
    const struct price *price = price_find(&config->prices, model, world_wall());
    nano_usd cost = price_cost(price, usage);
    char text[32];

    if (cli_has(args, "json")) {
        struct buf out = { 0 };
        buf_add_char(&out, '{');
        json_member_str(&out, "model", model);
        if (cost == COST_UNPRICED)
            buf_add(&out, STR(",\"cost_nano_usd\":null,\"unpriced\":true"));
        else
            json_member_i64(&out, "cost_nano_usd", cost);
        buf_add(&out, STR("}\n"));
        fwrite(out.ptr, 1, out.len, stdout);
        buf_fini(&out);
    } else {
        str shown = cost_format(cost, text);
        printf("%.*s\n", STR_ARG(shown));
    }
    if (cost == COST_UNPRICED)
        fprintf(stderr, "weir price: no price is known for '%.*s'; add it to the prices file\n",
                STR_ARG(model));
    return EXIT_DONE;
}

static int run(const struct cli_args *args)
{
    struct usage usage = { .is_known = true };
    struct config *config = NULL;

    if (!cli_has(args, "model"))
        return cli_usage_error("price", "--model is needed; see 'weir price --help'");
    if (!cli_integer(args, "price", "input", 0, INT64_MAX / 2, &usage.input) ||
        !cli_integer(args, "price", "output", 0, INT64_MAX / 2, &usage.output) ||
        !cli_integer(args, "price", "cached", 0, INT64_MAX / 2, &usage.cached))
        return EXIT_USAGE;
    if (usage.cached > usage.input)
        return cli_usage_error("price",
                               "--cached tokens are a part of --input and cannot exceed it");
    int status = cli_config_load(args, false, &config);
    if (status != EXIT_DONE)
        return status;
    status = print(args, config, &usage);
    config_close(config);
    return status;
}

static const struct cli_option options[] = {
    { "model", "M", "the model's name" },
    { "input", "N", "input tokens (cached ones included)" },
    { "output", "N", "output tokens" },
    { "cached", "N", "input tokens that the provider read from its cache" },
    { "config", "FILE", "configuration whose price table counts" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_price = {
    "price",
    "",
    "what a call's tokens cost",
    "weir price --model gpt-4o-mini --input 1200 --output 300",
    options,
    run
};
