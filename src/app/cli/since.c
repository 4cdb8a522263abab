/* SPDX-License-Identifier: Apache-2.0 */
/* since: the option --since of commands that read the ledger. */
#include <string.h>
#include <time.h>

#include "app/cli/cli.h"

/* "7d", "12h", "30m" ago, or a date, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, UTC. */
static bool since_parse(str text, usec_utc *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 } };
    char copy[32];
    struct tm parts = { 0 };
    int64_t count;

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (text.ptr[text.len - 1] != units[i].unit ||
            !str_to_i64(str_slice(text, 0, text.len - 1), &count) || count < 0 || count > 1000000)
            continue;
        *out = ((usec_utc)time(NULL) - count * units[i].seconds) * 1000000;
        return true;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!end) {
        parts = (struct tm){ 0 };
        end = strptime(copy, "%Y-%m-%d", &parts);
    }
    if (!end || (*end != '\0' && strcmp(end, "Z") != 0))
        return false;
    *out = (usec_utc)timegm(&parts) * 1000000;
    return true;
}

bool cli_since(const struct cli_args *args, const char *command, usec_utc *out)
{
    str text = cli_value(args, "since");

    if (!text.ptr || since_parse(text, out))
        return true;
    cli_usage_error(command,
                    "--since must be a date, YYYY-MM-DD, or as long ago as 7d, 12h or 30m, not "
                    "'%.*s'",
                    STR_ARG(text));
    return false;
}
