/* SPDX-License-Identifier: Apache-2.0 */
/* names: hostile bytes in every format, by themselves and through a whole report. */
#include "app/report/report_rig_test.h"
#include "core/json/json.h"

static void names_do_no_harm(void)
{
    static const struct {
        str name;
        const char *text, *csv;
    } rows[] = {
        { STR("stem"), "stem", "\"stem\"" },
        { STR(""), "(none)", "\"\"" },
        { STR("a\x1b[31m\r\nb\0c\x7f"), "a\\x1b[31m\\x0d\\x0ab\\x00c\\x7f",
          "\"a\\x1b[31m\\x0d\\x0ab\\x00c\\x7f\"" },
        { STR("=HYPERLINK(\"http://x\")"), "=HYPERLINK(\"http://x\")",
          "\"'=HYPERLINK(\"\"http://x\"\")\"" },
        { STR("  +1"), "  +1", "\"'  +1\"" },
        { STR("-1"), "-1", "\"'-1\"" },
        { STR("@SUM(A1)"), "@SUM(A1)", "\"'@SUM(A1)\"" },
        { STR("\t=1"), "\\x09=1", "\"'\\x09=1\"" },
        { STR("a,b=c"), "a,b=c", "\"a,b=c\"" },
        { STR("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
        { STR("\xff\xfe"), "\\xff\\xfe", "\"\\xff\\xfe\"" },
        { STR("\xc2\x9b"
              "31m"),
          "\\xc2\\x9b31m", "\"\\xc2\\x9b31m\"" }, /* C1's CSI */
        { STR("\xe2\x80\xae"
              "evil"),
          "\\xe2\\x80\\xaeevil", "\"\\xe2\\x80\\xaeevil\"" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        name_write_text(&out, rows[i].name);
        CHECK_STR(buf_str(&out), str_from(rows[i].text));
        buf_reset(&out);
        name_write_csv(&out, rows[i].name);
        CHECK_STR(buf_str(&out), str_from(rows[i].csv));
        buf_fini(&out);
    }
    struct buf out = { 0 };
    name_write_html(&out, STR("<a href='x' title=\"&\">\x1b"));
    CHECK_STR(buf_str(&out), STR("&lt;a href=&#39;x&#39; title=&quot;&amp;&quot;&gt;\\x1b"));
    buf_fini(&out);
}

/* Whatever a ledger holds: no control byte but line ends, and JSON that is JSON. */
static void every_format_survives_hostile_names(void)
{
    const str hostile = STR("\"=cmd|'/C'!A0\x1b]0;x\x07\n</td><script>");
    struct world w;
    struct json parsed;

    REQUIRE(world_open(&w));
    sample_add(&w, &(struct sample){ SMALL_1000, .domain = hostile, .arm = hostile,
                                     .tenant = hostile, .strategy = hostile });
    sample_add(&w, &(struct sample){ .model = hostile, .is_unpriced = true, .hrm = -1, .trm = -1 });
    world_seal(&w);
    world_report(&w, false, "<script>\x1b");
    for (size_t f = 0; f < DAILY_FORMAT_COUNT; f++) {
        str out = world_write(&w, (enum daily_format)f);
        CHECK(out.len > 0 && str_is_utf8(out));
        for (size_t i = 0; i < out.len; i++) {
            unsigned char c = (unsigned char)out.ptr[i];
            CHECK((c >= 0x20 && c != 0x7f) || c == '\n' || (f == DAILY_CSV && c == '\r'));
        }
    }
    CHECK_ERR(json_parse(&w.arena, str_trim(world_write(&w, DAILY_JSON)), &parsed, NULL), OK);
    CHECK(str_find(world_write(&w, DAILY_CSV), STR(",\"=")) == STR_NPOS);
    CHECK(str_find(world_write(&w, DAILY_HTML), STR("<script")) == STR_NPOS);
    CHECK(str_find(buf_str(&w.out), STR("&lt;script&gt;")) != STR_NPOS);
    world_fini(&w);
}

TESTS(TEST(names_do_no_harm), TEST(every_format_survives_hostile_names))
