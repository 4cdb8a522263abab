/* SPDX-License-Identifier: Apache-2.0 */
/* script: every kind of fault as a client sees it, the order of answers, and scripts that are refused. */
#include "app/provider/provider_rig.h"

/* A script in a file of its own; the path must be removed with script_remove(). */
static bool script_write(char path[64], const char *text)
{
    snprintf(path, 64, "/tmp/weir-script-XXXXXX");
    int fd = mkstemp(path);
    size_t len = strlen(text);

    if (fd < 0)
        return false;
    bool is_written = write(fd, text, len) == (ssize_t)len;
    close(fd);
    return is_written;
}

static bool script_rig_open(struct rig *rig, const char *text)
{
    struct provider_options options = provider_options_default();
    char path[64];

    if (!script_write(path, text))
        return false;
    options.mode = PROVIDER_MODE_SCRIPT;
    options.path = str_from(path);
    bool is_open = rig_open(rig, &options);
    unlink(path);
    return is_open;
}

/* What one line makes a client see. Times are lower bounds: a slow machine may only be slower. */
struct scene {
    const char *line;
    int status;
    const char *body;
    bool is_whole;
    int took_ms_min;
};

static const struct scene scenes[] = {
    { "{}", 200, "", true, 0 },
    { "{\"body\":{\"a\": [1]}}", 200, "{\"a\": [1]}", true, 0 },
    { "{\"body\":\"{\\\"id\\\":\"}", 200, "{\"id\":", true, 0 },
    { "{\"status\":500,\"body\":{\"error\":{}}}", 500, "{\"error\":{}}", true, 0 },
    { "{\"status\":401,\"body\":\"no\"}", 401, "no", true, 0 },
    { "{\"delay_ms\":60,\"body\":\"late\"}", 200, "late", true, 60 },
    { "{\"stall_ms\":60,\"body\":\"late\"}", 200, "late", true, 60 },
    { "{\"stall_ms\":60,\"stall_after_bytes\":2,\"body\":\"late\"}", 200, "late", true, 60 },
    { "{\"stall_ms\":60,\"stall_after_bytes\":99,\"body\":\"late\"}", 200, "late", true, 60 },
    { "{\"cut_after_bytes\":2,\"body\":\"late\"}", 200, "la", false, 0 },
    { "{\"cut_after_bytes\":0,\"body\":\"late\"}", 200, "", false, 0 },
    { "{\"cut_after_bytes\":99,\"body\":\"late\"}", 200, "late", false, 0 },
    { "{\"cut_after_bytes\":-1,\"body\":\"late\"}", 0, "", false, 0 },
    { "{\"drip_bytes\":1,\"drip_ms\":20,\"body\":\"late\"}", 200, "late", true, 60 },
    { "{\"drip_bytes\":3,\"drip_ms\":10,\"stall_ms\":50,\"stall_after_bytes\":4,\"body\":"
      "\"dripping\"}",
      200, "dripping", true, 70 },
    { "{\"events\":[{\"a\":1},\"not json\",\"[DONE]\"]}", 200,
      "data: {\"a\":1}\n\ndata: not json\n\ndata: [DONE]\n\n", true, 0 },
    { "{\"events\":[]}", 200, "", true, 0 },
    { "{\"cut_after_events\":1,\"events\":[\"a\",\"b\"]}", 200, "data: a\n\n", false, 0 },
    { "{\"cut_after_events\":0,\"events\":[\"a\",\"b\"]}", 200, "", false, 0 },
    { "{\"events\":[\"a\",\"b\"],\"stall_after_events\":1,\"stall_ms\":60}", 200,
      "data: a\n\ndata: b\n\n", true, 60 },
    { "{\"stall_ms\":60,\"events\":[\"a\"]}", 200, "data: a\n\n", true, 60 },
};

static void plays_every_scene(void)
{
    struct buf script = { 0 };
    struct rig rig;

    for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
        buf_printf(&script, "%s\n\n", scenes[i].line);
    REQUIRE(script_rig_open(&rig, buf_cstr(&script)));
    for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
        int before = check_failures;
        struct got got = chat(&rig, HELLO);
        CHECK_INT(got.status, scenes[i].status);
        CHECK_STR(buf_str(&got.body), str_from(scenes[i].body));
        CHECK_INT(got.is_whole, scenes[i].is_whole);
        CHECK(got.took >= scenes[i].took_ms_min * NSEC_PER_MS);
        if (check_failures > before)
            fprintf(stderr, "    in %s\n", scenes[i].line);
        got_fini(&got);
    }
    rig_close(&rig);
    buf_fini(&script);
}

/* What was sent before a stall is on its way during the stall. */
static void stalls_where_told(void)
{
    struct rig rig;
    char seen[512] = "";
    size_t len = 0;

    REQUIRE(script_rig_open(
        &rig, "{\"events\":[\"first\",\"second\"],\"stall_after_events\":1,\"stall_ms\":60000}"));
    int fd = dial(&rig);
    send_request(fd, "POST", CHAT, STR(HELLO));
    while (!strstr(seen, "first\n\n") && len < sizeof seen - 1) {
        ssize_t n = recv(fd, seen + len, sizeof seen - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    CHECK(strstr(seen, "data: first\n\n") != NULL);
    CHECK(strstr(seen, "second") == NULL);
    close(fd);
    CHECK_INT(wait_for_count(&rig, "gone"), 1);
    rig_close(&rig);
}

static void sends_headers(void)
{
    struct rig rig;
    struct tm parts = { 0 };

    REQUIRE(script_rig_open(
        &rig,
        "{\"status\":429,\"headers\":{\"Retry-After\":\"7\",\"Content-Type\":\"text/html\"}}\n"
        "{\"status\":429,\"headers\":{\"Retry-After\":\"@date+30\"}}\n"
        "{\"headers\":{\"x-odd\":\"@date+x\"},\"events\":[]}\n"));
    struct got seconds = chat(&rig, HELLO), date = chat(&rig, HELLO), odd = chat(&rig, HELLO);
    CHECK_STR(header_of(&seconds, "retry-after"), STR("7"));
    CHECK_STR(header_of(&seconds, "content-type"), STR("text/html"));
    CHECK(header_of(&seconds, "x-request-id").len > 0);
    str text = header_of(&date, "retry-after");
    CHECK(text.len > 0 && strptime(text.ptr, "%a, %d %b %Y %H:%M:%S GMT", &parts) != NULL);
    CHECK_NEAR((double)(timegm(&parts) - (time_t)(world_wall() / 1000000)), 30.0, 3.0);
    CHECK_STR(header_of(&odd, "x-odd"), STR("@date+x"));
    CHECK_STR(header_of(&odd, "content-type"), STR("text/event-stream"));
    CHECK_STR(header_of(&odd, "transfer-encoding"), STR("chunked"));
    got_fini(&seconds);
    got_fini(&date);
    got_fini(&odd);
    rig_close(&rig);
}

static void keeps_the_order(void)
{
    static const struct {
        const char *script;
        const char *statuses; /* first digits of what seven requests get */
    } cases[] = {
        { "{\"status\":200}\n{\"status\":300}\n", "2323232" },
        { "{\"status\":500,\"repeat\":2}\n{\"status\":200}\n", "5525525" },
        { "{\"status\":500}\n{\"status\":200,\"repeat\":0}\n{\"status\":300}", "5222222" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char statuses[8] = "";
        struct rig rig;
        REQUIRE(script_rig_open(&rig, cases[i].script));
        for (size_t n = 0; n < 7; n++) {
            struct got got = chat(&rig, HELLO);
            statuses[n] = (char)('0' + got.status / 100);
            got_fini(&got);
        }
        CHECK_STR(str_from(statuses), str_from(cases[i].statuses));
        rig_close(&rig);
    }
}

static void refuses_bad_scripts(void)
{
    static const struct {
        const char *script;
        const char *why;
    } cases[] = {
        { "", "no answers" },
        { "\n\n", "no answers" },
        { "{}\n{", "line 2" },
        { "[]", "no JSON object" },
        { "{\"stauts\":200}", "unknown member" },
        { "{\"status\":199}", "range" },
        { "{\"status\":600}", "range" },
        { "{\"status\":\"200\"}", "range" },
        { "{\"delay_ms\":-1}", "range" },
        { "{\"cut_after_bytes\":-2}", "range" },
        { "{\"drip_bytes\":0}", "range" },
        { "{\"headers\":[]}", "headers" },
        { "{\"headers\":{\"a\":1}}", "header" },
        { "{\"headers\":{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\",\"e\":\"\",\"f\":\"\",\"g\":"
          "\"\","
          "\"h\":\"\",\"i\":\"\",\"j\":\"\",\"k\":\"\",\"l\":\"\",\"m\":\"\"}}",
          "12 headers" },
        { "{\"events\":{}}", "array" },
        { "{\"events\":[],\"body\":\"\"}", "both" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct provider_options options = provider_options_default();
        struct provider *provider = NULL;
        struct world *world;
        char path[64], why[256] = "";
        REQUIRE(script_write(path, cases[i].script));
        options.mode = PROVIDER_MODE_SCRIPT;
        options.path = str_from(path);
        REQUIRE(world_open(&world) == OK);
        CHECK_ERR(provider_open(&provider, world, &options, why), WEIR_CONFIG);
        if (!strstr(why, cases[i].why))
            fprintf(stderr, "    %s gave: %s\n", cases[i].script, why);
        CHECK(strstr(why, cases[i].why) != NULL);
        world_close(world);
        unlink(path);
    }
}

TESTS(TEST(plays_every_scene), TEST(stalls_where_told), TEST(sends_headers), TEST(keeps_the_order),
      TEST(refuses_bad_scripts))
