/* SPDX-License-Identifier: Apache-2.0 */
/* weir bucket explain|hash: which arm of an experiment a unit is in, and why; a unit's bucket under a salt. */
#include <errno.h>
#include <string.h>

#include "app/cli/cli.h"
#include "core/change/experiment.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/config/rollout.h"

#define EXPERIMENT_BYTES_MAX ((size_t)1 << 20)
#define ARENA_BYTES_MAX ((size_t)16 << 20)

/* "bucket": weir's is the integer that the range compares; GrowthBook's is its share of [0, 1). */
static void bucket_write(struct buf *out, enum bucket_scheme scheme, struct bucket bucket)
{
    json_key(out, "bucket");
    if (scheme == BUCKET_WEIR)
        buf_printf(out, "%" PRIu64, bucket.hash);
    else
        json_write_double(out, (double)bucket.position / SHARE_WHOLE);
    json_member_i64(out, "position_ppm", bucket.position);
}

static int hash(const struct cli_args *args)
{
    str salt = cli_value(args, "salt"), unit = cli_value(args, "unit");
    enum bucket_scheme scheme = BUCKET_WEIR;
    char share[16];

    if (args->word_count != 1 || !salt.ptr || !unit.ptr)
        return cli_usage_error("bucket", "say 'weir bucket hash --salt S --unit U'");
    if (cli_has(args, "scheme") && !bucket_scheme_find(cli_value(args, "scheme"), &scheme))
        return cli_usage_error("bucket", "--scheme is 'weir' or 'growthbook_v2', not '%.*s'",
                               STR_ARG(cli_value(args, "scheme")));
    struct bucket bucket = bucket_of(scheme, salt, unit);
    if (!cli_has(args, "json")) {
        printf("%s\n", share_format(bucket.position, share).ptr);
        return EXIT_DONE;
    }
    struct buf out = { 0 };
    buf_add_char(&out, '{');
    json_member_str(&out, "scheme", str_from(bucket_scheme_name(scheme)));
    json_member_str(&out, "salt", salt);
    json_member_str(&out, "unit", unit);
    bucket_write(&out, scheme, bucket);
    buf_add(&out, STR("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    return EXIT_DONE;
}

/* The whole file; false having said why not. */
static bool file_read(str path, struct buf *out)
{
    struct buf name = { 0 };
    FILE *file;
    size_t got = 0;

    buf_add(&name, path);
    file = fopen(buf_cstr(&name), "rbe");
    buf_fini(&name);
    if (!file) {
        cli_usage_error("bucket",
                        "%.*s: %s (an experiment is given by its file; looking one up by its id "
                        "needs a running weir and is not supported yet)",
                        STR_ARG(path), strerror(errno));
        return false;
    }
    out->max = EXPERIMENT_BYTES_MAX;
    do {
        char *room = buf_reserve(out, 4096);
        got = room ? fread(room, 1, 4096, file) : 0;
        out->len += got;
    } while (got > 0);
    bool is_whole = !ferror(file) && !out->failed;
    IGNORE(fclose(file));
    if (!is_whole)
        cli_usage_error("bucket", "%.*s: it cannot be read, or is larger than %zu bytes",
                        STR_ARG(path), EXPERIMENT_BYTES_MAX);
    return is_whole;
}

/* "FILE:LINE:COL: steps.1.share: what" for each. */
static void issues_print(str path, str text, const struct change_issues *issues)
{
    for (size_t i = 0; i < change_issues_kept(issues); i++) {
        const struct change_issue *issue = &issues->items[i];
        int line = 1, column = 1;
        for (size_t at = 0; at < issue->offset && at < text.len; at++) {
            column = text.ptr[at] == '\n' ? 1 : column + 1;
            line += text.ptr[at] == '\n';
        }
        fprintf(stderr, "%.*s:%d:%d: %.*s%s%.*s\n", STR_ARG(path), line, column,
                STR_ARG(issue->where), issue->where.len > 0 ? ": " : "", STR_ARG(issue->what));
    }
}

static void assignment_print(const struct experiment *e, str unit, bool as_json)
{
    struct experiment_assignment a = experiment_assign(e, unit);
    struct buf why = { 0 }, out = { 0 };

    experiment_explain(e, unit, &why);
    if (as_json) {
        buf_add_char(&out, '{');
        json_member_str(&out, "experiment", e->id);
        json_member_str(&out, "unit", unit);
        bucket_write(&out, e->scheme, a.variant);
        json_key(&out, "arm");
        if (a.arm == EXPERIMENT_ARM_NONE)
            buf_add(&out, STR("null"));
        else
            json_write_str(&out, e->arms[a.arm].name);
        json_member_str(&out, "why", buf_str(&why));
        json_key(&out, "inclusion");
        buf_add_char(&out, '{');
        bucket_write(&out, BUCKET_WEIR, a.inclusion);
        buf_add(&out, STR("}}"));
    } else {
        buf_add(&out, buf_str(&why));
    }
    buf_add_char(&out, '\n');
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    buf_fini(&why);
}

/* A file such as `weir experiment start` takes; what its arms run is not needed to say who is in them. */
static int explain_yaml(const struct cli_args *args, str path, str text)
{
    struct config_issues issues;
    struct experiment_file *file = NULL;
    enum err e = experiment_file_load_text(path, text, false, &file, &issues);

    for (size_t i = 0; i < issues.count; i++)
        cli_issue_print(stderr, &issues.items[i]);
    if (e == OK)
        assignment_print(&file->experiment, args->words[1], cli_has(args, "json"));
    experiment_file_close(file);
    config_issues_fini(&issues);
    return e == OK ? EXIT_DONE : EXIT_USAGE;
}

static bool is_json(str text)
{
    return str_starts(str_trim(text), STR("{"));
}

static int explain(const struct cli_args *args)
{
    str path = cli_value(args, "experiment");
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    struct experiment experiment;
    struct buf text = { 0 };
    int status = EXIT_USAGE;

    if (args->word_count != 2 || args->words[1].len == 0 || !path.ptr)
        return cli_usage_error("bucket", "say 'weir bucket explain UNIT --experiment FILE'");
    arena_init(&arena, ARENA_BYTES_MAX);
    bool is_read = file_read(path, &text);
    if (is_read && !is_json(buf_str(&text))) {
        status = explain_yaml(args, path, buf_str(&text));
    } else if (is_read) {
        if (experiment_read(&experiment, buf_str(&text), &issues) == OK) {
            assignment_print(&experiment, args->words[1], cli_has(args, "json"));
            status = EXIT_DONE;
        }
        issues_print(path, buf_str(&text), &issues);
    }
    arena_fini(&arena);
    buf_fini(&text);
    return status;
}

static int run(const struct cli_args *args)
{
    str verb = args->word_count > 0 ? args->words[0] : STR("");

    if (str_eq(verb, STR("explain")))
        return explain(args);
    if (str_eq(verb, STR("hash")))
        return hash(args);
    return cli_usage_error("bucket", "say 'weir bucket explain UNIT --experiment FILE' or "
                                     "'weir bucket hash --salt S --unit U'");
}

static const struct cli_option options[] = {
    { "experiment", "FILE",
      "explain: the experiment, as 'weir experiment start' takes it, or as JSON" },
    { "scheme", "NAME", "hash: weir (default) or growthbook_v2" },
    { "salt", "S", "hash: the salt (GrowthBook's seed)" },
    { "unit", "U", "hash: the conversation, user, tenant or request" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_bucket = {
    "bucket",
    "explain UNIT|hash",
    "which arm of an experiment a unit is in, and why",
    "weir bucket explain conversation-17 --experiment config/experiments/mcts.yaml",
    options,
    run
};
