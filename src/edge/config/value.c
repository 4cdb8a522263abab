/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: one setting's text to its field and back to bytes for the hash; a row of functions for each
 * type of key. A value is checked wholly before its field is written.
 */
#include "edge/config/internal.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/utc.h"

#include "core/change/bucket.h"

/* What a setter says is wrong: "must be a whole number"; NULL when it wrote the field. */
typedef const char *setter(const struct setting *s, void *field);
typedef void printer(const void *field, struct buf *out);

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

static bool has_control(str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_control(text.ptr[i]))
            return true;
    return false;
}

static str kept(const struct setting *s, str text)
{
    return arena_str(&s->build->snapshot->config.arena, text);
}

/* NULL when the value is in the key's range; compared in the unit that the file uses. */
static const char *range_check(const struct setting *s, double value)
{
    struct key_range range;

    if (!s->key->range)
        return NULL;
    bool is_range = key_range_parse(s->key->range, &range);
    assert(is_range);
    bool is_in = (range.is_low_open ? value > range.low : value >= range.low) &&
                 (range.is_high_open ? value < range.high : value <= range.high);
    if (is_in)
        return NULL;
    str message = arena_printf(&s->build->scratch, "must be in %s", s->key->range);
    return message.len > 0 ? message.ptr : "is out of range";
}

static const char *text_set(const struct setting *s, void *field)
{
    if (s->text.len == 0)
        return "must not be empty";
    if (has_control(s->text))
        return "must not hold control characters";
    *(str *)field = kept(s, s->text);
    return NULL;
}

static const char *bool_set(const struct setting *s, void *field)
{
    static const struct {
        str word;
        bool value;
    } words[] = { { { "true", 4 }, true },   { { "True", 4 }, true },   { { "TRUE", 4 }, true },
                  { { "false", 5 }, false }, { { "False", 5 }, false }, { { "FALSE", 5 }, false } };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(words[i].word, s->text)) {
            *(bool *)field = words[i].value;
            return NULL;
        }
    }
    return "must be true or false";
}

static const char *integer_set(const struct setting *s, void *field)
{
    int64_t value;

    if (!str_to_i64(s->text, &value))
        return "must be a whole number";
    const char *why = range_check(s, (double)value);
    if (!why)
        *(int64_t *)field = value;
    return why;
}

static const char *number_set(const struct setting *s, void *field)
{
    double value;

    if (!str_to_double(s->text, &value))
        return "must be a number";
    const char *why = range_check(s, value);
    if (!why)
        *(double *)field = value;
    return why;
}

/* Seconds and dollars both are decimals with nine places, kept as integers. */
static const char *nano_set(const struct setting *s, void *field)
{
    int64_t value;
    double rough;
    bool is_number = str_to_double(s->text, &rough);

    if (!cost_parse(s->text, &value)) {
        const char *why = is_number ? range_check(s, rough) : NULL;
        return why ? why : "must be a decimal number with at most nine places";
    }
    const char *why = range_check(s, (double)value / 1e9);
    if (!why)
        *(int64_t *)field = value;
    return why;
}

/* A number of seconds, minutes, hours or days by the letter behind it. */
static bool duration_parse(str text, nsec *out)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    int64_t nano;

    for (size_t i = 0; i < ARRAY_LEN(units) && text.len > 0; i++) {
        if (text.ptr[text.len - 1] != units[i].letter)
            continue;
        return cost_parse(str_slice(text, 0, text.len - 1), &nano) &&
               i64_mul(nano, units[i].seconds, out);
    }
    return false;
}

static const char *duration_set(const struct setting *s, void *field)
{
    nsec value;

    if (!duration_parse(s->text, &value))
        return "must be a time such as 30s, 5m, 4h or 3d";
    const char *why = range_check(s, (double)value / 1e9);
    if (!why)
        *(nsec *)field = value;
    return why;
}

static const char *share_set(const struct setting *s, void *field)
{
    if (!share_parse(s->text, (uint32_t *)field))
        return "must be a share of at most 100 %, as 7% or 0.07, exact to 0.0001 %";
    return NULL;
}

static const char *price_set(const struct setting *s, void *field)
{
    int64_t value;

    if (!price_parse(s->text, &value))
        return "must be dollars per million tokens with at most three decimals";
    *(nano_usd *)field = value;
    return NULL;
}

/* The place of the text among the key's choices; false when it is none of them. */
static bool choice_find(const struct setting *s, size_t *out)
{
    str rest = str_from(s->key->choices), choice;

    for (size_t i = 0; str_next(&rest, ' ', &choice); i++) {
        if (str_eq(choice, s->text)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const char *choice_refuse(const struct setting *s)
{
    str names[16], rest = str_from(s->key->choices), choice;
    struct arena *scratch = &s->build->scratch;
    str list = { 0 };
    size_t n = 0;

    while (n < ARRAY_LEN(names) && str_next(&rest, ' ', &choice)) {
        names[n++] = choice;
        list =
            arena_printf(scratch, "%.*s%s%.*s", STR_ARG(list), n > 1 ? ", " : "", STR_ARG(choice));
    }
    str nearest = name_nearest(names, n, s->text);
    str shown = issue_text(scratch, s->text);
    str message =
        nearest.len > 0
            ? arena_printf(scratch, "must be one of %.*s, got '%.*s'; did you mean '%.*s'?",
                           STR_ARG(list), STR_ARG(shown), STR_ARG(nearest))
            : arena_printf(scratch, "must be one of %.*s, got '%.*s'", STR_ARG(list),
                           STR_ARG(shown));
    return message.len > 0 ? message.ptr : "is not one of the choices";
}

static const char *choice_set(const struct setting *s, void *field)
{
    size_t at;

    if (!choice_find(s, &at))
        return choice_refuse(s);
    *(str *)field = kept(s, s->text);
    return NULL;
}

static const char *durability_set(const struct setting *s, void *field)
{
    static const enum config_durability values[] = { DURABILITY_ACKNOWLEDGED, DURABILITY_RELAXED };
    size_t at;

    if (!choice_find(s, &at))
        return choice_refuse(s);
    assert(at < ARRAY_LEN(values));
    *(enum config_durability *)field = values[at];
    return NULL;
}

static const char *sync_set(const struct setting *s, void *field)
{
    size_t at;

    if (!choice_find(s, &at))
        return choice_refuse(s);
    *(bool *)field = at == 1;
    return NULL;
}

static bool host_is_name(str host)
{
    bool is_numeric = true;

    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool is_digit = (c >= '0' && c <= '9') || c == '.';
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
        if (!is_digit && !is_letter)
            return false;
        is_numeric = is_numeric && is_digit;
    }
    if (host.len == 0 || host.len > 253)
        return false;
    char text[256];
    struct in_addr address;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return !is_numeric || inet_pton(AF_INET, text, &address) == 1;
}

static bool host_is_ipv6(str host)
{
    char text[64];
    struct in6_addr address;

    if (host.len < 3 || host.len >= sizeof(text) || !str_starts(host, STR("[")) ||
        !str_ends(host, STR("]")) || has_control(host))
        return false;
    memcpy(text, host.ptr + 1, host.len - 2);
    text[host.len - 2] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Where the port's colon stands; STR_NPOS when there is none. A colon inside brackets is no port's. */
static size_t port_colon(str text)
{
    for (size_t i = text.len; i > 0 && text.ptr[i - 1] != ']'; i--)
        if (text.ptr[i - 1] == ':')
            return i - 1;
    return STR_NPOS;
}

static bool host_is_valid(str host)
{
    return host_is_ipv6(host) || host_is_name(host);
}

static bool port_is_valid(str port)
{
    uint64_t value;

    return port.len <= 5 && str_to_u64(port, &value) && value <= 65535;
}

static const char *address_set(const struct setting *s, void *field)
{
    size_t colon = port_colon(s->text);

    if (colon == STR_NPOS || !host_is_valid(str_slice(s->text, 0, colon)) ||
        !port_is_valid(str_slice(s->text, colon + 1, s->text.len)))
        return "must be HOST:PORT, as 127.0.0.1:8080 or [::1]:8080";
    *(str *)field = kept(s, s->text);
    return NULL;
}

static const char *url_set(const struct setting *s, void *field)
{
    str text = s->text;
    size_t scheme = str_starts(text, STR("http://"))    ? 7
                    : str_starts(text, STR("https://")) ? 8
                                                        : 0;

    if (scheme == 0)
        return "must begin with http:// or https://";
    for (size_t i = 0; i < text.len; i++)
        if (is_control(text.ptr[i]) || text.ptr[i] == ' ' || (unsigned char)text.ptr[i] > 0x7E)
            return "must be an URL without spaces, in ASCII";
    if (str_find_char(text, '?') != STR_NPOS || str_find_char(text, '#') != STR_NPOS)
        return "must not have a query or a fragment";
    str authority = str_slice(text, scheme, text.len);
    authority = str_slice(authority, 0, str_find_char(authority, '/'));
    size_t colon = port_colon(authority);
    if (!host_is_valid(str_slice(authority, 0, colon)) ||
        (colon != STR_NPOS && !port_is_valid(str_slice(authority, colon + 1, authority.len))))
        return "must name a valid host, and port if any";
    while (str_ends(text, STR("/")))
        text.len--;
    *(str *)field = kept(s, text);
    return NULL;
}

/* Days since 1970-01-01. */
static bool day_parse(str text, int32_t *out)
{
    usec_utc midnight;

    if (text.len != STR("YYYY-MM-DD").len || !utc_parse(text, &midnight) || midnight < 0)
        return false;
    *out = (int32_t)(midnight / (86400 * INT64_C(1000000)));
    return true;
}

static const char *day_set(const struct setting *s, void *field)
{
    if (!day_parse(s->text, (int32_t *)field))
        return "must be a date, YYYY-MM-DD, from 1970 on";
    return NULL;
}

static const char *file_set(const struct setting *s, void *field)
{
    if (s->text.len == 0 || has_control(s->text))
        return "must be a path";
    *(str *)field = kept(s, s->text);
    return NULL;
}

static const char *const secret_form = "must be env:NAME or file:PATH, never the secret itself";

/* Says what is wrong with a secret's source; the value is never part of it. */
static const char *secret_why(const struct setting *s, enum secret_result result, str source)
{
    struct arena *scratch = &s->build->scratch;
    str name = issue_text(scratch, str_slice(source, str_find_char(source, ':') + 1, source.len));
    str message = { 0 };

    switch (result) {
    case SECRET_FOUND:
        return NULL;
    case SECRET_BAD_FORM:
        return secret_form;
    case SECRET_UNSET:
        message = arena_printf(scratch, "needs the environment variable %.*s, which is not set",
                               STR_ARG(name));
        break;
    case SECRET_BAD_FILE:
        message = arena_printf(scratch, "cannot be read from '%.*s'", STR_ARG(name));
        break;
    case SECRET_BAD_VALUE:
        message =
            arena_printf(scratch, "in '%.*s' must be one line of printable ASCII", STR_ARG(name));
        break;
    }
    return message.len > 0 ? message.ptr : "cannot be read";
}

static const char *secret_set(const struct setting *s, void *field)
{
    str value = { 0 };
    enum secret_result result = secret_read(s->build, s->node->file, s->text, &value);

    if (result == SECRET_UNSET) {
        struct config_place place = place_of(s->node);
        place.is_warning = true;
        str owner = issue_text(&s->build->scratch, s->owner);
        issue_add(s->build->issues, &place,
                  s->owner.len > 0 ? "%.*s is not set: calls to provider %.*s will be refused"
                                   : "%.*s is not set: %.*s has no value",
                  STR_ARG(str_slice(s->text, 4, s->text.len)),
                  STR_ARG(s->owner.len > 0 ? owner : s->shown));
    } else if (result != SECRET_FOUND) {
        return secret_why(s, result, s->text);
    }
    *(str *)field = kept(s, s->text);
    *(str *)(void *)((char *)s->base + s->key->offset_secret) = value;
    return NULL;
}

static const char *secrets_set(const struct setting *s, void *field)
{
    struct arena *arena = &s->build->snapshot->config.arena;
    str *sources, *values;
    size_t n = 0;

    sources = ARENA_ARRAY(arena, s->node->count + 1, str);
    values = ARENA_ARRAY(arena, s->node->count + 1, str);
    if (!sources || !values)
        return "needs more memory";
    for (const struct yaml_node *item = s->node->first; item; item = item->next, n++) {
        str source = item->kind == YAML_SCALAR ? item->text : (str){ 0 };
        const char *why =
            secret_why(s, secret_read(s->build, item->file, source, &values[n]), source);
        struct config_place place = place_of(item);
        if (why)
            issue_add(s->build->issues, &place, "%.*s[%zu] %s", STR_ARG(s->shown), n, why);
        sources[n] = kept(s, source);
    }
    *(struct config_secrets *)field = (struct config_secrets){ sources, values, n };
    return NULL;
}

static const char *texts_set(const struct setting *s, void *field)
{
    struct arena *arena = &s->build->snapshot->config.arena;
    str *items = ARENA_ARRAY(arena, s->node->count + 1, str);
    size_t n = 0;

    if (!items)
        return "needs more memory";
    for (const struct yaml_node *item = s->node->first; item; item = item->next) {
        if (item->kind != YAML_SCALAR || item->text.len == 0 || has_control(item->text))
            return "must be a list of texts";
        items[n++] = kept(s, item->text);
    }
    *(struct config_texts *)field = (struct config_texts){ items, n };
    return NULL;
}

static void str_print(const void *field, struct buf *out)
{
    const str *text = (const str *)field;

    /* The length in front keeps two lists of texts apart whatever they hold. */
    buf_printf(out, "%zu:", text->len);
    buf_add(out, *text);
}

static void bool_print(const void *field, struct buf *out)
{
    buf_add_char(out, *(const bool *)field ? '1' : '0');
}

static void i64_print(const void *field, struct buf *out)
{
    buf_add_i64(out, *(const int64_t *)field);
}

static void i32_print(const void *field, struct buf *out)
{
    buf_add_i64(out, *(const int32_t *)field);
}

static void u32_print(const void *field, struct buf *out)
{
    buf_add_i64(out, *(const uint32_t *)field);
}

static void double_print(const void *field, struct buf *out)
{
    buf_printf(out, "%.17g", *(const double *)field);
}

static void durability_print(const void *field, struct buf *out)
{
    buf_add_i64(out, (int64_t) * (const enum config_durability *)field);
}

static void secrets_print(const void *field, struct buf *out)
{
    const struct config_secrets *secrets = (const struct config_secrets *)field;

    for (size_t i = 0; i < secrets->count; i++)
        str_print(&secrets->sources[i], out);
}

static void texts_print(const void *field, struct buf *out)
{
    const struct config_texts *texts = (const struct config_texts *)field;

    for (size_t i = 0; i < texts->count; i++)
        str_print(&texts->items[i], out);
}

/* A path is no value: what the file holds is hashed instead. */
static void nothing_print(const void *field, struct buf *out)
{
    (void)field;
    (void)out;
}

static const struct {
    setter *set;
    printer *print;
    bool is_list;
    bool is_quiet; /* its value never appears in a message */
    bool says_all; /* its message needs no "got" */
} types[KEY_TYPE_COUNT] = {
    [KEY_TEXT] = { .set = text_set, .print = str_print },
    [KEY_BOOL] = { .set = bool_set, .print = bool_print },
    [KEY_INTEGER] = { .set = integer_set, .print = i64_print },
    [KEY_NUMBER] = { .set = number_set, .print = double_print },
    [KEY_SECONDS] = { .set = nano_set, .print = i64_print },
    [KEY_BYTES] = { .set = integer_set, .print = i64_print },
    [KEY_DOLLARS] = { .set = nano_set, .print = i64_print },
    [KEY_CHOICE] = { .set = choice_set, .print = str_print, .says_all = true },
    [KEY_DURABILITY] = { .set = durability_set, .print = durability_print, .says_all = true },
    [KEY_SYNC] = { .set = sync_set, .print = bool_print, .says_all = true },
    [KEY_ADDRESS] = { .set = address_set, .print = str_print },
    /* An URL may carry a password where none belongs. */
    [KEY_URL] = { .set = url_set, .print = str_print, .is_quiet = true },
    [KEY_SECRET] = { .set = secret_set, .print = str_print, .is_quiet = true },
    [KEY_SECRETS] = { .set = secrets_set,
                      .print = secrets_print,
                      .is_list = true,
                      .is_quiet = true },
    [KEY_TEXTS] = { .set = texts_set, .print = texts_print, .is_list = true, .says_all = true },
    [KEY_DURATION] = { .set = duration_set, .print = i64_print },
    [KEY_FILE] = { .set = file_set, .print = nothing_print },
    [KEY_DAY] = { .set = day_set, .print = i32_print },
    [KEY_PRICE] = { .set = price_set, .print = i64_print },
    [KEY_SHARE] = { .set = share_set, .print = u32_print },
};

static void effect_warn(const struct setting *s)
{
    const struct config_key *key = s->key;
    struct config_place place = place_of_key(s->node);
    bool is_unfelt = key->effect == NONE_YET;

    if (key->effect == NONE_YET_WHEN_TRUE)
        is_unfelt = *(const bool *)(const void *)((const char *)s->base + key->offset);
    place.is_warning = true;
    if (is_unfelt)
        issue_add(s->build->issues, &place, "%.*s has no effect yet", STR_ARG(s->shown));
}

/* NULL when the node has the shape that the key's type wants. */
static const char *shape_check(const struct setting *s)
{
    if (types[s->key->type].is_list)
        return s->node->kind == YAML_SEQUENCE ? NULL : "must be a list";
    if (s->node->kind != YAML_SCALAR)
        return "must be a single value";
    return s->node->is_null ? "has no value" : NULL;
}

void setting_apply(const struct setting *s)
{
    void *field = (char *)s->base + s->key->offset;
    const char *shape = s->node ? shape_check(s) : NULL;
    size_t errors = s->build->issues->errors;
    const char *why = shape ? shape : types[s->key->type].set(s, field);
    struct config_place place = place_of(s->node);

    /* A default that its own key refuses is a defect of the table. */
    assert(s->node || !why);
    if (why && (shape || types[s->key->type].is_quiet || types[s->key->type].says_all)) {
        issue_add(s->build->issues, &place, "%.*s %s", STR_ARG(s->shown), why);
    } else if (why) {
        double number;
        const char *quote = str_to_double(s->text, &number) ? "" : "'";
        str text = issue_text(&s->build->scratch, s->text);
        issue_add(s->build->issues, &place, "%.*s %s, got %s%.*s%s", STR_ARG(s->shown), why, quote,
                  STR_ARG(text), quote);
    } else if (s->node && s->build->issues->errors == errors) {
        effect_warn(s);
    }
}

void setting_print(const struct config_key *key, const void *base, struct buf *out)
{
    buf_printf(out, "%s=", key->path);
    types[key->type].print((const char *)base + key->offset, out);
    buf_add_char(out, '\n');
}
