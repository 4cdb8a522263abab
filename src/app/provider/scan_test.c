/* SPDX-License-Identifier: Apache-2.0 */
/* scan: fields of requests, whole and broken ones. */
#include "app/provider/provider_internal.h"
#include "test/check.h"

static void finds_fields(void)
{
    static const struct {
        const char *body;
        const char *model;
        const char *user;
        bool stream;
        bool include_usage;
    } cases[] = {
        { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "m", "hi",
          false, false },
        { " { \"messages\" : [ { \"content\" : \"a\" , \"role\" : \"user\" } , { \"role\" : "
          "\"assistant\" , \"content\" : \"b\" } ] , \"stream\" : true } ",
          "", "a", true, false },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":"
          "\"b\"}],"
          "\"stream_options\":{\"x\":[1],\"include_usage\":true},\"stream\":false}",
          "", "b", false, true },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{"
          "\"type\":"
          "\"image_url\",\"image_url\":{\"url\":\"text\"}},{\"text\":\"b\"},7]}]}",
          "", "b", false, false },
        { "{\"x\":{\"model\":\"inner\",\"messages\":3},\"model\":\"outer\",\"messages\":[]}",
          "outer", "", false, false },
        { "{\"model\":null,\"messages\":[{\"role\":\"user\",\"content\":null}],\"stream\":null}",
          "", "", false, false },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"say \\\"hi\\\" \\\\\"}]}", "",
          "say \\\"hi\\\" \\\\", false, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scan found;
        REQUIRE(scan_request(str_from(cases[i].body), &found));
        CHECK_STR(found.model, str_from(cases[i].model));
        CHECK_STR(found.user, str_from(cases[i].user));
        CHECK_INT(found.stream, cases[i].stream);
        CHECK_INT(found.include_usage, cases[i].include_usage);
    }
}

static void refuses_what_is_no_request(void)
{
    static const char *const bodies[] = {
        "",
        " ",
        "[]",
        "null",
        "{}",
        "{\"model\":\"m\"}",
        "{\"messages\":{}}",
        "{\"messages\":[1]}",
        "{\"messages\":[]",
        "{\"messages\":[]} x",
        "{\"messages\":[],}",
        "{\"messages\":[] \"a\":1}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"hi}]}",
        "{\"messages\":[],\"a\":}",
        "{\"messages\":[],\"a\":[1}",
        "{\"messages\":[],\"a\" 1}",
        "{\"messages\":[{\"role\"}]}",
        "{\"messages\":[],\"a\":\"\\\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct scan found = { .model = STR("untouched") };
        if (scan_request(str_from(bodies[i]), &found))
            fprintf(stderr, "    took %s\n", bodies[i]);
        CHECK(!scan_request(str_from(bodies[i]), &found));
        CHECK_STR(found.model, STR("untouched"));
    }
}

/* No beginning of a request is a request. */
static void refuses_every_prefix(void)
{
    str whole = STR(
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\\\"b\"}]}],"
        "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    struct scan found;

    CHECK(scan_request(whole, &found));
    for (size_t len = 0; len < whole.len; len++)
        CHECK(!scan_request(str_slice(whole, 0, len), &found));
}

/* Parts of a text are whole characters and join up to the text. */
static void parts_join_up(void)
{
    static const char *const texts[] = { "", "a", "hello, world",
                                         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x" };

    for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
        str text = str_from(texts[t]);
        for (size_t n = 1; n < 20; n++) {
            struct buf joined = { 0 };
            for (size_t i = 0; i < n; i++) {
                str part = text_part(text, i, n);
                CHECK(str_is_utf8(part));
                buf_add(&joined, part);
            }
            CHECK_STR(buf_str(&joined), text);
            buf_fini(&joined);
        }
    }
}

TESTS(TEST(finds_fields), TEST(refuses_what_is_no_request), TEST(refuses_every_prefix),
      TEST(parts_join_up))
