/* SPDX-License-Identifier: Apache-2.0 */
/* weir tokens: how many tokens a text is. It is read as a stream, so its length does not matter. */
#include "app/cli/cli.h"

#include <errno.h>
#include <string.h>

#include "core/json/json.h"
#include "edge/ranks/ranks.h"

#define READ_BYTES ((size_t)64 << 10)
/* Only pieces without a place to cut need memory; this is room for one of tens of megabytes. */
#define MEMORY_MAX ((size_t)2 << 30)

struct counted {
    int64_t bytes;
    int64_t tokens;
};

static enum err count(FILE *file, struct token_stream *stream, struct counted *out)
{
    char part[READ_BYTES];
    size_t len;
    struct counted sum = { 0 };

    while ((len = fread(part, 1, sizeof(part), file)) > 0) {
        sum.bytes += (int64_t)len;
        enum err e = token_stream_feed(stream, (str){ part, len });
        if (e != OK)
            return e;
    }
    if (ferror(file))
        return WEIR_IO;
    enum err e = token_stream_count(stream, &sum.tokens);
    if (e == OK)
        *out = sum;
    return e;
}

static void print(bool as_json, enum token_encoding encoding, const struct counted *counted)
{
    struct buf out = { 0 };

    if (!as_json) {
        printf("%" PRId64 "\n", counted->tokens);
        return;
    }
    buf_add_char(&out, '{');
    json_member_str(&out, "encoding", str_from(token_encoding_name(encoding)));
    json_member_i64(&out, "tokens", counted->tokens);
    json_member_i64(&out, "bytes", counted->bytes);
    buf_add(&out, STR("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

static int ranks_missing(enum err e, str directory, const char *encoding)
{
    if (e == WEIR_NO_MEMORY) {
        fprintf(stderr, "weir tokens: out of memory\n");
        return EXIT_DEFECT;
    }
    if (e == WEIR_CONFIG)
        return cli_usage_error(
            "tokens",
            "%s.bin is damaged or of another version of weir; make it again with "
            "'tools/setup-tokens'",
            encoding);
    fprintf(stderr,
            "weir tokens: there is no %s.bin in %.*s; run 'tools/setup-tokens' in weir's source "
            "tree, which "
            "fetches it, or name its directory with --ranks\n",
            encoding, STR_ARG(directory.ptr ? directory : STR("the usual places")));
    return EXIT_UNREACHABLE;
}

static int count_file(const struct cli_args *args, const struct ranks *ranks,
                      enum token_encoding encoding, FILE *file)
{
    struct arena arena;
    struct token_stream stream;
    struct counted counted;

    arena_init(&arena, MEMORY_MAX);
    token_stream_init(&stream, ranks_table(ranks), &arena);
    enum err e = count(file, &stream, &counted);
    arena_fini(&arena);
    if (e == WEIR_IO) {
        fprintf(stderr, "weir tokens: cannot read: %s\n", strerror(errno));
        return EXIT_UNREACHABLE;
    }
    if (e != OK)
        return cli_usage_error("tokens",
                               "a stretch of the text without a place to cut is too long: %s",
                               err_info(e)->text);
    print(cli_has(args, "json"), encoding, &counted);
    return EXIT_DONE;
}

static int run(const struct cli_args *args)
{
    enum token_encoding encoding = TOKEN_O200K_BASE;
    str name = cli_value(args, "encoding"), directory = cli_value(args, "ranks");
    struct ranks *ranks = NULL;

    if (args->word_count > 1)
        return cli_usage_error("tokens", "takes one FILE, or '-' for standard input");
    if (name.ptr && !token_encoding_parse(name, &encoding))
        return cli_usage_error("tokens", "--encoding must be o200k_base or cl100k_base, not '%.*s'",
                               STR_ARG(name));
    str path = args->word_count == 1 ? args->words[0] : STR("-");
    FILE *file = str_eq(path, STR("-")) ? stdin : fopen(path.ptr, "rb");
    if (!file)
        return cli_usage_error("tokens", "cannot read '%.*s': %s", STR_ARG(path), strerror(errno));
    enum err e = ranks_open(&ranks, directory, encoding);
    int status = e == OK ? count_file(args, ranks, encoding, file)
                         : ranks_missing(e, directory, token_encoding_name(encoding));
    ranks_close(ranks);
    if (file != stdin)
        fclose(file);
    return status;
}

static const struct cli_option options[] = {
    { "encoding", "o200k_base|cl100k_base", "which; o200k_base when it is not given" },
    { "ranks", "DIR", "where the encodings' files are" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_tokens = { "tokens",
                                            "FILE",
                                            "how many tokens a text is, as OpenAI's models count",
                                            "weir tokens --encoding o200k_base question.txt",
                                            options,
                                            run };
