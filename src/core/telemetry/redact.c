/* SPDX-License-Identifier: Apache-2.0 */
/* redact: see redact.h. */
#include "core/telemetry/redact.h"

#include <string.h>

#define MARK STR("[redacted]")

/* What keys begin with, and how many characters of a key follow at least. */
static const struct {
    const char *prefix;
    size_t length_min;
} shapes[] = {
    { "sk-", 16 }, /* OpenAI, Anthropic, Langfuse */
    { "pk-lf-", 16 },  { "lsv2_", 16 }, /* LangSmith */
    { "whsec_", 16 }, /* webhooks */
    { "AKIA", 16 }, /* AWS */
    { "ASIA", 16 },    { "AIza", 30 }, /* Google */
    { "ghp_", 20 }, /* GitHub */
    { "gho_", 20 },    { "ghs_", 20 },    { "github_pat_", 20 }, { "glpat-", 16 }, /* GitLab */
    { "xoxb-", 10 }, /* Slack */
    { "xoxp-", 10 },   { "hf_", 20 }, /* Hugging Face */
    { "gsk_", 20 }, /* Groq */
    { "eyJ", 40 }, /* a JSON Web Token */
    { "Bearer ", 12 }, { "bearer ", 12 }, { "Basic ", 12 },
};

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '+' || c == '/' || c == '=' || c == '~';
}

/* The length of what looks like a secret at the start of a text; 0: nothing does. */
static size_t shape_at(str text)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        str prefix = str_from(shapes[i].prefix);
        size_t end = prefix.len;
        if (text.ptr[0] != prefix.ptr[0] || !str_starts(text, prefix))
            continue;
        while (end < text.len && is_key_char(text.ptr[end]))
            end++;
        if (end - prefix.len >= shapes[i].length_min)
            return end;
    }
    return 0;
}

static size_t known_at(str text, const struct redact_known *known)
{
    for (size_t i = 0; i < known->count; i++) {
        str secret = known->secrets[i];
        if (secret.len >= REDACT_KNOWN_MIN && text.ptr[0] == secret.ptr[0] &&
            str_starts(text, secret))
            return secret.len;
    }
    return 0;
}

/* At most max bytes, without half a character at the end. */
static str cut(str text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
        max--;
    return str_slice(text, 0, max);
}

/* The whole text is looked at before it is cut: half a secret is still one. */
void redact_add(struct buf *out, str text, size_t max, const struct redact_known *known)
{
    size_t from = 0, begin = out->len;
    bool in_word = false; /* a shape begins where a word does; a known secret anywhere */

    for (size_t i = 0; i < text.len && out->len - begin <= max;) {
        str rest = str_slice(text, i, text.len);
        size_t n = known_at(rest, known);
        if (n == 0 && !in_word)
            n = shape_at(rest);
        in_word = is_key_char(text.ptr[i]) && text.ptr[i] != '=' && text.ptr[i] != '/';
        if (n == 0) {
            i++;
            continue;
        }
        buf_add(out, str_slice(text, from, i));
        buf_add(out, MARK);
        from = i += n;
        in_word = false;
    }
    buf_add(out, str_slice(text, from, text.len));
    if (!out->failed)
        out->len = begin + cut(str_slice(buf_str(out), begin, out->len), max).len;
}
