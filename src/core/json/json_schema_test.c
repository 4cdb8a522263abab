/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of json: JSON Schema. */
#include "test/check.h"

#include "base/arena.h"
#include "core/json/json.h"

#define ARENA_BYTES ((size_t)16 << 20)

static enum err checked(struct arena *arena, const char *schema, const char *value, bool *valid,
                        str *where)
{
    struct json s = { 0 }, v = { 0 };

    CHECK_ERR(json_parse(arena, str_from(schema), &s, NULL), OK);
    CHECK_ERR(json_parse(arena, str_from(value), &v, NULL), OK);
    return json_schema_check(arena, s, v, valid, where);
}

static const struct {
    const char *schema;
    const char *value;
    bool valid;
    const char *where;
} judgements[] = {
    { "true", "1", true, "" },
    { "false", "1", false, "" },
    { "{}", "null", true, "" },
    { "{\"type\":\"null\"}", "null", true, "" },
    { "{\"type\":\"null\"}", "0", false, "" },
    { "{\"type\":\"boolean\"}", "false", true, "" },
    { "{\"type\":\"integer\"}", "1.0", true, "" },
    { "{\"type\":\"integer\"}", "1e400", true, "" },
    { "{\"type\":\"integer\"}", "1.5", false, "" },
    { "{\"type\":\"integer\"}", "\"1\"", false, "" },
    { "{\"type\":\"number\"}", "1.5", true, "" },
    { "{\"type\":[\"string\",\"null\"]}", "null", true, "" },
    { "{\"type\":[\"string\",\"null\"]}", "[]", false, "" },
    { "{\"type\":\"array\"}", "[]", true, "" },
    { "{\"type\":\"object\"}", "[]", false, "" },
    { "{\"enum\":[1,\"a\",{\"x\":[1.0]}]}", "{\"x\":[1]}", true, "" },
    { "{\"enum\":[1,\"a\"]}", "\"b\"", false, "" },
    { "{\"enum\":[]}", "\"b\"", false, "" },
    { "{\"const\":10}", "1e1", true, "" },
    { "{\"const\":10}", "11", false, "" },
    { "{\"const\":\"\\u0061\"}", "\"a\"", true, "" },
    { "{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":\"x\",\"b\":1}", true, "" },
    { "{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"b\":1,\"a\":1}", false, "a" },
    { "{\"properties\":{\"\\u0061\":{\"type\":\"string\"}}}", "{\"a\":1}", false, "a" },
    { "{\"properties\":{\"a\":false}}", "5", true, "" },
    { "{\"required\":[\"a\",\"b\"]}", "{\"a\":1,\"b\":2}", true, "" },
    { "{\"required\":[\"a\",\"\\u0062\"]}", "{\"a\":1}", false, "b" },
    { "{\"required\":[\"a\"]}", "[]", true, "" },
    { "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1}", true, "" },
    { "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"b\":1}", false,
      "b" },
    { "{\"additionalProperties\":{\"type\":\"number\"}}", "{\"a\":1,\"b\":\"x\"}", false, "b" },
    { "{\"items\":{\"type\":\"number\"}}", "[1,2,\"x\"]", false, "2" },
    { "{\"items\":{\"type\":\"number\"}}", "{\"a\":\"x\"}", true, "" },
    { "{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"number\"}}", "[\"a\",1,2]",
      true, "" },
    { "{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]", false, "1" },
    { "{\"prefixItems\":[{\"type\":\"string\"}]}", "[]", true, "" },
    { "{\"prefixItems\":[{\"type\":\"string\"}]}", "[1]", false, "0" },
    { "{\"minItems\":2}", "[1]", false, "" },
    { "{\"minItems\":2}", "[1,2]", true, "" },
    { "{\"maxItems\":2}", "[1,2]", true, "" },
    { "{\"maxItems\":2.0}", "[1,2,3]", false, "" },
    { "{\"minItems\":1}", "{}", true, "" },
    { "{\"uniqueItems\":true}", "[1,2,\"1\",[1],{\"a\":1}]", true, "" },
    { "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},3,{\"b\":2.0,\"a\":1}]", false, "" },
    { "{\"uniqueItems\":false}", "[1,1]", true, "" },
    { "{\"minLength\":2}", "\"\xC3\xA9\"", false, "" },
    { "{\"minLength\":2}", "\"\xC3\xA9x\"", true, "" },
    { "{\"maxLength\":1}", "\"\\ud83d\\ude00\"", true, "" },
    { "{\"maxLength\":1}", "\"ab\"", false, "" },
    { "{\"maxLength\":1}", "123", true, "" },
    { "{\"pattern\":\"^[a-z]+$\"}", "\"abc\"", true, "" },
    { "{\"pattern\":\"^[a-z]+$\"}", "\"abC\"", false, "" },
    { "{\"pattern\":\"b\"}", "\"abc\"", true, "" },
    { "{\"pattern\":\"^\\\\d{4}-(?:0|1)\\\\d$\"}", "\"2026-11\"", true, "" },
    { "{\"pattern\":\"^\\\\d{4}-(?:0|1)\\\\d$\"}", "\"2026-21\"", false, "" },
    { "{\"pattern\":\"a\\\\.b\"}", "\"axb\"", false, "" },
    { "{\"pattern\":\"^a.b$\"}", "\"a\\u0000b\"", true, "" },
    { "{\"pattern\":\"^a$\"}", "\"a\\u0000b\"", false, "" },
    { "{\"pattern\":\"^a.b$\"}", "\"a\\nb\"", false, "" },
    { "{\"pattern\":\"x\"}", "5", true, "" },
    { "{\"minimum\":1}", "1", true, "" },
    { "{\"minimum\":1}", "0.999", false, "" },
    { "{\"maximum\":9007199254740992}", "9007199254740993", false, "" },
    { "{\"maximum\":1}", "1.0", true, "" },
    { "{\"maximum\":1}", "1e999", false, "" },
    { "{\"minimum\":1}", "-1e999", false, "" },
    { "{\"exclusiveMinimum\":1}", "1", false, "" },
    { "{\"exclusiveMinimum\":1}", "1.5", true, "" },
    { "{\"exclusiveMaximum\":1}", "1", false, "" },
    { "{\"exclusiveMaximum\":1}", "0.5", true, "" },
    { "{\"minimum\":1}", "\"0\"", true, "" },
    { "{\"multipleOf\":0.1}", "0.3", true, "" },
    { "{\"multipleOf\":0.01}", "19.99", true, "" },
    { "{\"multipleOf\":0.1}", "0.35", false, "" },
    { "{\"multipleOf\":3}", "-9", true, "" },
    { "{\"multipleOf\":3}", "1e300", false, "" },
    { "{\"multipleOf\":3}", "3e300", true, "" },
    { "{\"multipleOf\":3}", "0", true, "" },
    { "{\"multipleOf\":1e-9}", "12345678901234567890.123456789", true, "" },
    { "{\"multipleOf\":1e3}", "1500", false, "" },
    { "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "7", true, "" },
    { "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "3", false, "" },
    { "{\"items\":{\"anyOf\":[{\"items\":false},{\"const\":5}]}}", "[[],5,[1]]", false, "2" },
    { "{\"oneOf\":[{\"type\":\"number\"},{\"minimum\":5}]}", "3", true, "" },
    { "{\"oneOf\":[{\"type\":\"number\"},{\"minimum\":5}]}", "7", false, "" },
    { "{\"allOf\":[{\"type\":\"number\"},{\"minimum\":5}]}", "7", true, "" },
    { "{\"allOf\":[{\"type\":\"number\"},{\"minimum\":5}]}", "3", false, "" },
    { "{\"not\":{\"type\":\"null\"}}", "1", true, "" },
    { "{\"not\":{\"type\":\"null\"}}", "null", false, "" },
    { "{\"$defs\":{\"n\":{\"type\":\"number\"}},\"properties\":{\"a\":{\"items\":{\"$ref\":\"#/"
      "$defs/n\"}}}}",
      "{\"a\":[1,{\"b\":2}]}", false, "a.1" },
    { "{\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}},"
      "\"required\":[\"next\"]}",
      "{\"next\":{\"next\":{\"next\":null}}}", true, "" },
    { "{\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}},"
      "\"required\":[\"next\"]}",
      "{\"next\":{\"next\":{}}}", false, "next" },
    { "{\"title\":\"t\",\"description\":\"d\",\"format\":\"email\",\"default\":1,\"examples\":["
      "1]}",
      "1", true, "" },
};

static void values_are_judged(void)
{
    for (size_t i = 0; i < ARRAY_LEN(judgements); i++) {
        struct arena arena;
        bool valid = !judgements[i].valid;
        str where = { 0 };
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(checked(&arena, judgements[i].schema, judgements[i].value, &valid, &where), OK);
        CHECK(valid == judgements[i].valid);
        CHECK_STR(where, str_from(judgements[i].where));
        if (check_failures > 0)
            fprintf(stderr, "    %s on %s\n", judgements[i].schema, judgements[i].value);
        CHECK_ERR(checked(&arena, judgements[i].schema, judgements[i].value, &valid, NULL), OK);
        arena_fini(&arena);
    }
}

/* Whatever the value, and wherever in the schema it stands, what is not known is refused and named. */
static void unknown_schemas_are_refused(void)
{
    static const struct {
        const char *schema;
        const char *what;
    } rows[] = {
        { "1", "a schema must be an object or a boolean, not 1" },
        { "{\"patternProperties\":{}}", "unsupported keyword patternProperties" },
        { "{\"properties\":{\"never\":{\"if\":true}}}", "unsupported keyword if" },
        { "{\"$defs\":{\"never\":{\"contains\":true}}}", "unsupported keyword contains" },
        { "{\"not\":{\"anyOf\":[{\"dependentRequired\":{}}]}}",
          "unsupported keyword dependentRequired" },
        { "{\"type\":\"float\"}", "unsupported value of type" },
        { "{\"type\":[\"string\",1]}", "unsupported value of type" },
        { "{\"enum\":1}", "unsupported value of enum" },
        { "{\"required\":[1]}", "unsupported value of required" },
        { "{\"required\":\"a\"}", "unsupported value of required" },
        { "{\"properties\":[]}", "unsupported value of properties" },
        { "{\"items\":[]}", "a schema must be an object or a boolean, not []" },
        { "{\"prefixItems\":{}}", "unsupported value of prefixItems" },
        { "{\"minItems\":-1}", "unsupported value of minItems" },
        { "{\"maxLength\":1.5}", "unsupported value of maxLength" },
        { "{\"uniqueItems\":1}", "unsupported value of uniqueItems" },
        { "{\"minimum\":\"1\"}", "unsupported value of minimum" },
        { "{\"multipleOf\":0}", "unsupported value of multipleOf" },
        { "{\"multipleOf\":-2}", "unsupported value of multipleOf" },
        { "{\"anyOf\":[]}", "unsupported value of anyOf" },
        { "{\"oneOf\":{}}", "unsupported value of oneOf" },
        { "{\"$ref\":\"#/$defs/none\"}", "unsupported value of $ref" },
        { "{\"$ref\":\"http://x/y\"}", "unsupported value of $ref" },
        { "{\"$ref\":1}", "unsupported value of $ref" },
        { "{\"pattern\":1}", "unsupported value of pattern" },
        { "{\"pattern\":\"(\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"(a)\\\\1\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"(?=a)\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"\\\\bx\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"[\\\\d]\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"[]\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"[[:alpha:]]\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"[a\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"((a{99}){99}){99}\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"a{1\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"a{3,2}\"}", "unsupported value of pattern" },
        { "{\"pattern\":\"a\\\\\"}", "unsupported value of pattern" },
        { "{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}},\"$ref\":\"#/$defs/a\"}",
          "the schema refers to itself without end" },
        { "{\"not\":{\"$ref\":\"#\"}}", "the schema refers to itself without end" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        bool valid = true;
        str what = { 0 };
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(checked(&arena, rows[i].schema, "\"value\"", &valid, &what), CALLER_BAD_REQUEST);
        CHECK(valid);
        CHECK_STR(what, str_from(rows[i].what));
        if (check_failures > 0)
            fprintf(stderr, "    %s\n", rows[i].schema);
        arena_fini(&arena);
    }
}

/* Two branches of a reference at each of 60 levels: 2^60 evaluations, were there no budget. */
static void hostile_schemas_are_stopped(void)
{
    struct arena arena;
    struct buf value = { 0 };
    bool valid = true;
    str what = { 0 };

    for (int i = 0; i < 60; i++)
        buf_add_char(&value, '[');
    buf_add(&value, STR("0"));
    for (int i = 0; i < 60; i++)
        buf_add_char(&value, ']');
    arena_init(&arena, ARENA_BYTES);
    enum err e =
        checked(&arena,
                "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}},"
                "{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}]}",
                buf_cstr(&value), &valid, &what);
    CHECK_ERR(e, CALLER_BAD_REQUEST);
    CHECK_STR(what, STR("the schema takes too much work"));
    arena_fini(&arena);
    buf_fini(&value);
}

static void missing_things_are_refused(void)
{
    struct arena arena;
    struct json v = { 0 }, none = { 0 };
    bool valid = true;

    arena_init(&arena, ARENA_BYTES);
    CHECK_ERR(json_parse(&arena, STR("{}"), &v, NULL), OK);
    CHECK_ERR(json_schema_check(&arena, none, v, &valid, NULL), CALLER_BAD_REQUEST);
    CHECK_ERR(json_schema_check(&arena, v, none, &valid, NULL), CALLER_BAD_REQUEST);
    arena_fini(&arena);
}

TESTS(TEST(values_are_judged), TEST(unknown_schemas_are_refused), TEST(hostile_schemas_are_stopped),
      TEST(missing_things_are_refused))
