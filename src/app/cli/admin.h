/* SPDX-License-Identifier: Apache-2.0 */
/* admin: talking to the admin API of a running gateway, for the commands that do. */
#ifndef WEIR_APP_CLI_ADMIN_H
#define WEIR_APP_CLI_ADMIN_H

#include "app/cli/cli.h"
#include "base/arena.h"
#include "core/json/json.h"

/* The options that every command of this kind has, to stand in its table. */
#define ADMIN_OPTIONS                                                                              \
    { "target", "URL", "the gateway's admin address (http:// and server.admin)" },                 \
        { "config", "FILE", "configuration whose server.admin counts" },                           \
        { "actor", "NAME", "who does it ($USER)" }, { "reason", "TEXT", "why, for the record" },   \
    {                                                                                              \
        "json", NULL, "one JSON value on stdout"                                                   \
    }

struct admin_client {
    const struct cli_args *args;
    const char *command;
    struct arena arena; /* of answers and their texts */
    str base; /* "http://127.0.0.1:8081" */
    bool is_quiet; /* failures are said in `said` only */
    char said[256]; /* the last failure */
    str key; /* server.admin_key, else $WEIR_ADMIN_KEY; empty: none is sent */
};
/* EXIT_DONE, or what to exit with, having said why. */
int admin_client_open(struct admin_client *c, const char *command, const struct cli_args *args);
void admin_client_close(struct admin_client *c);
/* Frees all answers: for a command that asks again and again. */
void admin_client_forget(struct admin_client *c);

/* A command's first word: "start" in `weir rollout start`. */
struct admin_word {
    const char *word;
    int (*run)(struct admin_client *c);
};
/* Runs what the first word names, with a client that is open; when it names none of the words, usage says which there are. */
int admin_run(const char *command, const struct cli_args *args, const struct admin_word *words,
              size_t word_count, const char *usage);

struct admin_call {
    const char *method;
    str path;
    str members; /* of the body, beside actor and reason: "\"seconds\":60"; may be empty */
    int64_t generation; /* for If-Match; negative: none is sent */
};
/* EXIT_DONE with the answer's JSON; else what to exit with, having said why (and, with --json, having printed the refusal). */
int admin_call(struct admin_client *c, const struct admin_call *call, struct json *out);
/* Of the list at path: the one that the command's second word names, or the first (the newest). As admin_call. */
int admin_find(struct admin_client *c, str path, struct json *out);
/* Starts the command's own kind of thing from the file that its second word names, with members of the body beside it. As
 * admin_call. */
int admin_start(struct admin_client *c, str members, struct json *out);
/* With --json: prints the value, and says so. */
bool admin_prints_json(const struct admin_client *c, struct json value);
/* Readers for people's tables; what is missing is empty, 0 or NAN. */
str admin_text(struct admin_client *c, struct json v, const char *name);
int64_t admin_integer(struct json v, const char *name);
double admin_number(struct json v, const char *name);
bool admin_flag(struct json v, const char *name);
/* As an absolute path, in the arena; EXIT_USAGE when there is no such file. */
int admin_file(struct admin_client *c, str path, str *out);

/* ---- alert_live.c: the words of `weir alert` that need a running gateway ---- */
int alert_list(struct admin_client *c);
int alert_history(struct admin_client *c);
int alert_silence(struct admin_client *c);

#endif
