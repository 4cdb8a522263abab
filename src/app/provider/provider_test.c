/* SPDX-License-Identifier: Apache-2.0 */
/* provider: every mode over loopback, as a client sees it. The provider's loop runs in a thread of its own. */
#include "app/provider/provider_rig.h"

/* ---- options ---- */

static void parses_modes(void)
{
    static const struct {
        const char *text;
        enum err result;
        enum provider_mode mode;
        const char *path;
    } cases[] = {
        { "echo", OK, PROVIDER_MODE_ECHO, "" },
        { "sim", OK, PROVIDER_MODE_SIM, "" },
        { "recorded:a/b", OK, PROVIDER_MODE_RECORDED, "a/b" },
        { "script:x:y", OK, PROVIDER_MODE_SCRIPT, "x:y" },
        { "", CALLER_BAD_REQUEST, 0, "" },
        { "ech", CALLER_BAD_REQUEST, 0, "" },
        { "echo:", CALLER_BAD_REQUEST, 0, "" },
        { "echo:x", CALLER_BAD_REQUEST, 0, "" },
        { "script", CALLER_BAD_REQUEST, 0, "" },
        { "script:", CALLER_BAD_REQUEST, 0, "" },
        { ":", CALLER_BAD_REQUEST, 0, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct provider_options options = { .mode = PROVIDER_MODE_RECORDED, .path = STR("was") };
        char why[160] = "";
        CHECK_ERR(provider_mode_parse(str_from(cases[i].text), &options, why), cases[i].result);
        CHECK_INT(options.mode, cases[i].result == OK ? cases[i].mode : PROVIDER_MODE_RECORDED);
        CHECK_STR(options.path, cases[i].result == OK ? str_from(cases[i].path) : STR("was"));
        CHECK((why[0] != '\0') == (cases[i].result != OK));
    }
}

static void check_refused(struct provider_options options, enum err want, const char *holds)
{
    struct provider *provider = NULL;
    struct world *world;
    char why[256] = "";

    REQUIRE(world_open(&world) == OK);
    CHECK_ERR(provider_open(&provider, world, &options, why), want);
    CHECK(provider == NULL);
    if (!strstr(why, holds))
        fprintf(stderr, "    why: %s\n", why);
    CHECK(strstr(why, holds) != NULL);
    provider_close(provider);
    world_close(world);
}

static void refuses_options_out_of_range(void)
{
    struct provider_options o = provider_options_default();

    o.deltas = 0;
    check_refused(o, CALLER_BAD_REQUEST, "deltas");
    o = provider_options_default();
    o.delay_ms = -1;
    check_refused(o, CALLER_BAD_REQUEST, "delay-ms");
    o = provider_options_default();
    o.delta_interval_ms = PROVIDER_DELAY_MS_MAX + 1;
    check_refused(o, CALLER_BAD_REQUEST, "delta-interval-ms");
    o = provider_options_default();
    o.fault_rate = 1.5;
    check_refused(o, CALLER_BAD_REQUEST, "fault-rate");
    o = provider_options_default();
    o.time_scale = -0.5;
    check_refused(o, CALLER_BAD_REQUEST, "time-scale");
    check_refused(options_of("script:/nowhere/at/all"), WEIR_IO, "/nowhere/at/all");
    check_refused(options_of("recorded:/nowhere"), WEIR_IO, "/nowhere/questions.jsonl");
}

/* ---- echo ---- */

static void echo_answers_whole(void)
{
    struct provider_options options = options_of("echo");
    struct arena arena;
    struct rig rig;

    REQUIRE(rig_open(&rig, &options));
    arena_init(&arena, 1 << 20);
    struct got first = chat(&rig, HELLO), second = chat(&rig, HELLO);
    CHECK_INT(first.status, 200);
    CHECK(first.is_whole);
    CHECK_STR(header_of(&first, "content-type"), STR("application/json"));
    CHECK(str_starts(header_of(&first, "x-request-id"), STR("req_")));
    CHECK(!str_eq(header_of(&first, "x-request-id"), header_of(&second, "x-request-id")));
    CHECK_INT(header_of(&first, "x-weir-simulated").len, 0);
    str body = buf_str(&first.body);
    CHECK_STR(value_at(&arena, body, "choices.0.message.content"), STR("hello"));
    CHECK_STR(value_at(&arena, body, "choices.0.finish_reason"), STR("stop"));
    CHECK_STR(value_at(&arena, body, "model"), STR("gpt-4o-mini"));
    CHECK_STR(value_at(&arena, body, "object"), STR("chat.completion"));
    CHECK_STR(value_at(&arena, body, "usage.prompt_tokens"), STR("2"));
    CHECK_STR(value_at(&arena, body, "usage.completion_tokens"), STR("2"));
    CHECK_STR(value_at(&arena, body, "usage.total_tokens"), STR("4"));
    CHECK(!str_eq(value_at(&arena, body, "id"), value_at(&arena, buf_str(&second.body), "id")));
    got_fini(&first);
    got_fini(&second);
    arena_fini(&arena);
    rig_close(&rig);
}

/* What is echoed is bounded and stays valid JSON whatever stood in the prompt; a long one makes 412 bytes or so. */
static void echo_bounds_what_it_echoes(void)
{
    static const struct {
        const char *content;
        const char *echo;
    } cases[] = {
        { "say \\\"hi\\\"\\n\\u00e9.", "say  hi   ." },
        { "01234567890123456789012345678901234567890123456789",
          "0123456789012345678901234567890123456789" },
        { "012345678901234567890123456789012345678\xc3\xa9",
          "012345678901234567890123456789012345678" },
        { "", "" },
        { "\\u", "" },
    };
    struct provider_options options = options_of("echo");
    struct arena arena;
    struct rig rig;

    REQUIRE(rig_open(&rig, &options));
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf request = { 0 };
        buf_printf(
            &request,
            "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
            cases[i].content);
        struct got got = chat(&rig, buf_cstr(&request));
        str echo = value_at(&arena, buf_str(&got.body), "choices.0.message.content");
        CHECK_STR(str_trim(echo), str_from(cases[i].echo));
        if (echo.len == 40)
            CHECK_NEAR((double)got.body.len, 412.0, 12.0);
        got_fini(&got);
        buf_fini(&request);
    }
    arena_fini(&arena);
    rig_close(&rig);
}

static void echo_streams(void)
{
    struct provider_options options = options_of("echo");
    struct rig rig;

    options.deltas = 5;
    options.delta_interval_ms = 20;
    REQUIRE(rig_open(&rig, &options));
    struct got got = chat(&rig, HELLO_STREAM);
    struct heard heard = hear(buf_str(&got.body));
    CHECK_INT(got.status, 200);
    CHECK(got.is_whole);
    CHECK_STR(header_of(&got, "content-type"), STR("text/event-stream"));
    CHECK(got.took >= 80 * NSEC_PER_MS);
    CHECK_STR(buf_str(&heard.text), STR("hello to you all"));
    CHECK_INT(heard.deltas, 5);
    CHECK_INT(heard.finishes, 1);
    CHECK_INT(heard.usages, 1);
    CHECK_INT(heard.dones, 1);
    CHECK(heard.is_in_order);
    buf_fini(&heard.text);
    got_fini(&got);
    got = chat(&rig, "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\","
                     "\"content\":\"hi\"}]}");
    heard = hear(buf_str(&got.body));
    CHECK_STR(buf_str(&heard.text), STR("..h.i"));
    CHECK_INT(heard.deltas, 5);
    CHECK_INT(heard.usages, 0);
    CHECK_INT(heard.dones, 1);
    buf_fini(&heard.text);
    got_fini(&got);
    rig_close(&rig);
}

static void echo_waits_when_told(void)
{
    struct provider_options options = options_of("echo");
    struct rig rig;

    options.delay_ms = 60;
    REQUIRE(rig_open(&rig, &options));
    struct got got = chat(&rig, HELLO);
    CHECK_INT(got.status, 200);
    CHECK(got.took >= 60 * NSEC_PER_MS);
    got_fini(&got);
    rig_close(&rig);
}

static void refuses_in_the_usual_shape(void)
{
    static const struct {
        const char *mode;
        const char *method;
        const char *path;
        const char *body;
        int status;
    } cases[] = {
        { "echo", "GET", "/v1/nothing", "", 404 },
        { "echo", "GET", CHAT, "", 405 },
        { "echo", "POST", "/v1/models", "{}", 405 },
        { "echo", "POST", "/v1chat/completions", HELLO, 404 },
        { "echo", "POST", CHAT, "{\"model\":", 400 },
        { "sim", "POST", CHAT, "{\"model\":", 400 },
        { "sim", "POST", CHAT, "{\"model\":\"m\",\"messages\":[]}", 400 },
        { "sim", "POST", CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", 400 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct provider_options options = options_of(cases[i].mode);
        struct arena arena;
        struct rig rig;
        REQUIRE(rig_open(&rig, &options));
        arena_init(&arena, 1 << 20);
        struct got got = fetch(&rig, cases[i].method, cases[i].path, str_from(cases[i].body));
        CHECK_INT(got.status, cases[i].status);
        CHECK(value_at(&arena, buf_str(&got.body), "error.message").len > 0);
        CHECK(header_of(&got, "x-request-id").len > 0);
        got_fini(&got);
        arena_fini(&arena);
        rig_close(&rig);
    }
}

static void lists_models_and_counts(void)
{
    struct provider_options options = options_of("sim");
    struct arena arena;
    struct rig rig;

    REQUIRE(rig_open(&rig, &options));
    arena_init(&arena, 1 << 20);
    struct got models = fetch(&rig, "GET", "/v1/models", STR(""));
    struct got unprefixed = fetch(&rig, "GET", "/models", STR(""));
    struct got counts = fetch(&rig, "GET", "/weir/provider", STR(""));
    CHECK_STR(value_at(&arena, buf_str(&models.body), "object"), STR("list"));
    CHECK_STR(value_at(&arena, buf_str(&models.body), "data.1.id"), STR("gpt-4o"));
    CHECK_STR(value_at(&arena, buf_str(&models.body), "data.2.object"), STR("model"));
    CHECK_STR(buf_str(&unprefixed.body), buf_str(&models.body));
    CHECK_STR(buf_str(&counts.body),
              STR("{\"requests\":0,\"answered\":2,\"gone\":0,\"cut\":0,\"open\":0}"));
    got_fini(&models);
    got_fini(&unprefixed);
    got_fini(&counts);
    arena_fini(&arena);
    rig_close(&rig);
}

/* ---- clients that leave ---- */

static void notices_clients_that_leave(void)
{
    static const char *const bodies[] = { HELLO, HELLO_STREAM };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct provider_options options = options_of("echo");
        struct rig rig;
        options.delay_ms = i == 0 ? 60000 : 0;
        options.delta_interval_ms = 30;
        options.deltas = 2000;
        REQUIRE(rig_open(&rig, &options));
        int fd = dial(&rig);
        send_request(fd, "POST", CHAT, str_from(bodies[i]));
        usleep(60000);
        close(fd);
        CHECK_INT(wait_for_count(&rig, "gone"), 1);
        rig_close(&rig);
    }
}

/* Closing with answers under way neither leaks nor calls anything afterwards. */
static void closes_in_the_middle(void)
{
    struct provider_options options = options_of("echo");
    struct rig rig;

    options.delta_interval_ms = 1000;
    REQUIRE(rig_open(&rig, &options));
    int fd = dial(&rig);
    send_request(fd, "POST", CHAT, STR(HELLO_STREAM));
    char first[64];
    CHECK(recv(fd, first, sizeof first, 0) > 0);
    rig_close(&rig);
    close(fd);
}

/* ---- sim ---- */

static void sim_says_that_it_is_simulated(void)
{
    struct provider_options options = options_of("sim");
    struct arena arena;
    struct rig rig;

    options.time_scale = 0.0;
    REQUIRE(rig_open(&rig, &options));
    arena_init(&arena, 1 << 20);
    struct got got = chat(&rig, HELLO);
    CHECK_INT(got.status, 200);
    CHECK(got.took < 300 * NSEC_PER_MS);
    CHECK_STR(header_of(&got, "x-weir-simulated"), STR("true"));
    CHECK_STR(value_at(&arena, buf_str(&got.body), "system_fingerprint"), STR("weir-simulated"));
    CHECK(str_starts(value_at(&arena, buf_str(&got.body), "choices.0.message.content"),
                     STR("simulated")));
    got_fini(&got);
    got = chat(&rig, HELLO_STREAM);
    struct heard heard = hear(buf_str(&got.body));
    CHECK_STR(header_of(&got, "x-weir-simulated"), STR("true"));
    CHECK(str_find(buf_str(&got.body), STR("\"system_fingerprint\":\"weir-simulated\"")) !=
          STR_NPOS);
    CHECK(str_starts(buf_str(&heard.text), STR("simulated")));
    CHECK(heard.deltas > 5);
    CHECK_INT(heard.usages, 1);
    CHECK_INT(heard.dones, 1);
    buf_fini(&heard.text);
    got_fini(&got);
    got = fetch(&rig, "GET", "/v1/nothing", STR(""));
    CHECK_STR(header_of(&got, "x-weir-simulated"), STR("true"));
    got_fini(&got);
    arena_fini(&arena);
    rig_close(&rig);
}

static void sim_answers_in_the_form_asked_for(void)
{
    static const struct {
        const char *rest; /* of the body, behind the model */
        const char *starts;
        const char *finish;
    } cases[] = {
        { "\"messages\":[{\"role\":\"user\",\"content\":\"What is 2+2?\"}],\"response_format\":"
          "{\"type\":\"json_object\"}",
          "{\"answer\": \"", "stop" },
        { "\"messages\":[{\"role\":\"user\",\"content\":\"2+2\"}],\"response_format\":{\"type\":"
          "\"json_schema\",\"json_schema\":{\"name\":\"p\",\"schema\":{\"properties\":{"
          "\"expression\":"
          "{\"type\":\"string\"}}}}}",
          "{\"expression\": \"2+2", "stop" },
        { "\"messages\":[{\"role\":\"system\",\"content\":\"Reply in JSON: {\\\"confidence\\\": "
          "0}, "
          "not 1+1+1\"},{\"role\":\"user\",\"content\":\"2+2\"}]",
          "{\"confidence\": 0.", "stop" },
        { "\"messages\":[{\"role\":\"user\",\"content\":\"a story\"}],\"max_tokens\":2", "simulate",
          "length" },
    };
    struct provider_options options = options_of("sim");
    struct arena arena;
    struct rig rig;

    options.time_scale = 0.0;
    REQUIRE(rig_open(&rig, &options));
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf request = { 0 };
        buf_printf(&request, "{\"model\":\"gpt-4o\",\"temperature\":0,%s}", cases[i].rest);
        struct got got = chat(&rig, buf_cstr(&request)), again = chat(&rig, buf_cstr(&request));
        str text = value_at(&arena, buf_str(&got.body), "choices.0.message.content");
        if (!str_starts(text, str_from(cases[i].starts)))
            fprintf(stderr, "    got %.*s\n", STR_ARG(text));
        CHECK(str_starts(text, str_from(cases[i].starts)));
        CHECK_STR(value_at(&arena, buf_str(&got.body), "choices.0.finish_reason"),
                  str_from(cases[i].finish));
        CHECK_STR(value_at(&arena, buf_str(&again.body), "choices.0.message.content"), text);
        got_fini(&got);
        got_fini(&again);
        buf_fini(&request);
    }
    arena_fini(&arena);
    rig_close(&rig);
}

/* With faults certain, no answer is whole and right, and each kind looks as it should. A head that never
 * comes is given up after a moment. */
static void sim_fails_when_told(void)
{
    struct provider_options options = options_of("sim");
    struct rig rig;
    int refusals = 0, cuts = 0, cut_streams = 0, garbage = 0;

    options.time_scale = 0.0;
    options.fault_rate = 1.0;
    options.seed = 2;
    REQUIRE(rig_open(&rig, &options));
    for (int i = 0; i < 24; i++) {
        struct arena arena;
        struct timeval patience = { .tv_usec = 200000 };
        struct got got = { 0 };
        int fd = dial(&rig);
        IGNORE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
        send_request(fd, "POST", CHAT, i % 2 ? STR(HELLO_STREAM) : STR(HELLO));
        for (ssize_t n = 1; n > 0; got.raw.len += n > 0 ? (size_t)n : 0)
            n = recv(fd, buf_reserve(&got.raw, 65536), 65536, 0);
        close(fd);
        read_answer(&got);
        arena_init(&arena, 1 << 20);
        if (got.status >= 400) {
            refusals++;
            CHECK(value_at(&arena, buf_str(&got.body), "error.message").len > 0);
            CHECK((got.status == 429) == (header_of(&got, "retry-after").len > 0));
        } else if (got.status == 200) {
            cuts += !got.is_whole;
            cut_streams += !got.is_whole && i % 2;
            garbage += got.is_whole;
            CHECK(str_find(buf_str(&got.body), STR("[DONE]")) == STR_NPOS);
            CHECK(str_find(buf_str(&got.body), STR("finish_reason\":\"stop")) == STR_NPOS);
        }
        arena_fini(&arena);
        got_fini(&got);
    }
    CHECK(refusals > 8);
    CHECK(cuts > cut_streams);
    CHECK(cut_streams > 0);
    CHECK(garbage > 0);
    rig_close(&rig);
}

static void sim_takes_its_time(void)
{
    struct provider_options options = options_of("sim");
    struct rig rig;

    options.time_scale = 0.2;
    REQUIRE(rig_open(&rig, &options));
    struct got got = chat(&rig, HELLO);
    CHECK_INT(got.status, 200);
    CHECK(got.took >= 20 * NSEC_PER_MS);
    got_fini(&got);
    rig_close(&rig);
}

TESTS(TEST(parses_modes), TEST(refuses_options_out_of_range), TEST(echo_answers_whole),
      TEST(echo_bounds_what_it_echoes), TEST(echo_streams), TEST(echo_waits_when_told),
      TEST(refuses_in_the_usual_shape), TEST(lists_models_and_counts),
      TEST(notices_clients_that_leave), TEST(closes_in_the_middle),
      TEST(sim_says_that_it_is_simulated), TEST(sim_answers_in_the_form_asked_for),
      TEST(sim_fails_when_told), TEST(sim_takes_its_time))
