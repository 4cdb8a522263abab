/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal: what the files of edge/config share; nobody outside includes it but its tests.
 *
 *     text --yaml.c--> tree --load.c: overlay, records--> settings --value.c--> snapshot
 *                                 keys.c: the one table that says what may stand where
 *
 * Trees live in a scratch arena that ends with the load; what the snapshot keeps is copied.
 */
#ifndef WEIR_EDGE_CONFIG_INTERNAL_H
#define WEIR_EDGE_CONFIG_INTERNAL_H

#include "edge/config/config.h"

/* ---- limits ---- */
#define CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)
#define CONFIG_SECRET_BYTES_MAX ((size_t)8 << 10)
#define CONFIG_ARENA_BYTES_MAX ((size_t)64 << 20)
#define CONFIG_SCRATCH_BYTES_MAX ((size_t)256 << 20)
#define CONFIG_ISSUES_MAX ((size_t)64)
#define CONFIG_KEYS_MAX 512 /* rows of the key table */
#define CONFIG_OTLP_HEADERS_MAX 6 /* beside those that every post has */
#define CONFIG_EXTENDS_MAX 8 /* files in a chain */
#define CONFIG_MODELS_HIDDEN_MAX 3 /* of a fallback: its model, peer_model and strong_model */
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 65536
#define YAML_ENTRIES_MAX 4096 /* of one mapping or list */
#define YAML_KEY_BYTES_MAX 200

/* ---- files and their trees ---- */
struct config_file {
    str name; /* as messages call it */
    uint64_t device, inode; /* tell whether two names are one file */
};

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    bool is_null; /* a scalar that says nothing: empty, ~ or null, not quoted */
    const struct config_file *file;
    int line, column; /* 1-based */
    str key; /* when it is a mapping's entry */
    int key_line, key_column;
    str text; /* of a scalar */
    struct yaml_node *first, *last; /* children */
    struct yaml_node *next; /* sibling */
    size_t count;
};

/* The tree of a text, in the arena; an empty text is an empty mapping. CALLER_BAD_REQUEST after an issue was added. */
NODISCARD enum err yaml_parse(struct arena *arena, const struct config_file *file, str text,
                              struct config_issues *issues, struct yaml_node **out);
/* The entry of a mapping; NULL when there is none, or node is NULL or no mapping. */
struct yaml_node *yaml_get(const struct yaml_node *node, str key);

/* ---- issues ---- */
struct config_place {
    const struct config_file *file;
    int line, column;
    bool is_warning;
};
void issues_init(struct config_issues *issues);
void issue_add(struct config_issues *issues, const struct config_place *place, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Adds all of another list, which ends. */
void issues_take(struct config_issues *issues, struct config_issues *from);
void issues_sort(struct config_issues *issues); /* by file, line and column; stable */
struct config_place place_of(const struct yaml_node *node);
struct config_place place_of_key(const struct yaml_node *node);
/* A foreign text made fit for a message: cut, control characters replaced. */
str issue_text(struct arena *arena, str text);

/* ---- the key table ---- */
enum key_type {
    KEY_TEXT,
    KEY_BOOL,
    KEY_INTEGER,
    KEY_NUMBER,
    KEY_SECONDS,
    KEY_BYTES,
    KEY_DOLLARS,
    KEY_CHOICE, /* the field is a str */
    KEY_DURABILITY, /* the field is an enum config_durability */
    KEY_SYNC, /* the field is a bool: the second choice */
    KEY_ADDRESS,
    KEY_URL,
    KEY_SECRET, /* the field is the source's str; the secret's is `offset_secret` */
    KEY_SECRETS, /* the field is a struct config_secrets */
    KEY_TEXTS, /* the field is a struct config_texts */
    KEY_DURATION, /* 30s, 5m, 4h, 3d; the field is a nsec, the range in seconds */
    KEY_FILE, /* a path beside the file that names it */
    KEY_DAY,
    KEY_PRICE,
    KEY_SHARE, /* 7 % or 0.07, exactly; the field is a uint32_t of parts per million */
    KEY_TYPE_COUNT
};

/* Where a key's field lies, and how its path begins. */
enum key_record {
    RECORD_ROOT,
    RECORD_PROVIDER,
    RECORD_MODEL,
    RECORD_PRICE,
    RECORD_TENANT,
    RECORD_CHANNEL,
    RECORD_RULE,
    RECORD_ROLLOUT, /* files of their own: rollout.h */
    RECORD_STEP,
    RECORD_GUARD,
    RECORD_EXPERIMENT,
    RECORD_ARM,
    RECORD_SCENARIO, /* scenario.h */
    RECORD_SCENARIO_MODEL,
    RECORD_SCENARIO_EVENT,
    RECORD_COUNT
};

enum key_effect { EFFECT, NONE_YET, NONE_YET_WHEN_TRUE };
enum key_reload { RELOAD, RESTART };

struct config_key {
    const char *path; /* "hrm.h_module_layers", "providers.*.base_url", "prices[].input" */
    enum key_record record;
    enum key_type type;
    const char *unit; /* "seconds" */
    const char *range; /* "(0, 1]"; NULL: none */
    const char *fallback; /* the default, in the file's own words; NULL: none */
    const char *choices; /* "a b c", for choices */
    enum key_reload reload;
    enum key_effect effect;
    size_t offset;
    size_t offset_secret;
    bool is_required;
    const char *text;
};

const struct config_key *config_keys(size_t *out_count);
/* How paths of a record begin in the table: "", "providers.*", … */
str record_pattern(enum key_record record);
const struct config_key *key_find(str pattern);
bool key_is_section(str pattern);
/* "unknown key 'a.b'; did you mean 'a.c'?" pattern: the table's path of the mapping around it, shown: the file's. */
str key_unknown(struct arena *arena, str pattern, str shown, str name);
/* The nearest of n names when it is near enough, else the empty text. */
str name_nearest(const str *names, size_t n, str name);

struct key_range {
    double low, high;
    bool is_low_open, is_high_open;
};
bool key_range_parse(const char *range, struct key_range *out);

/* ---- building a snapshot ---- */
/* alerts.channels.* and alerts.rules.* as they are written; alerts.c makes channels and rules of them. */
struct config_channel {
    str kind, url, severity_min, from, user, password_source, password;
    struct config_secrets secrets;
    struct config_texts to;
    bool sends_resolved;
};
struct config_rule {
    bool is_enabled;
    str metric, severity, runbook;
    double threshold, clear, objective, factor;
    nsec window, pending, keep_firing, short_window;
    int64_t n_min, bad_min;
    struct config_texts by;
};

/* A rollout's file and an experiment's as they are written; rollout.c and experiment.c make specifications of them. */
struct plan_rollout {
    str name, seed, canary, thin_data, common_cause;
    uint32_t holdback;
    nsec stale_after, tick_gap_max, judge;
    double alpha_trip, alpha_warn, alpha_show, detector_run;
};
struct plan_step {
    uint32_t share;
    nsec time_min, time_max;
    int64_t n_min;
    bool needs_approval;
};
struct plan_guard {
    bool is_enabled, is_dry_run, is_compared;
    double warn, trip, advance, margin;
};
struct plan_experiment {
    str name, seed, layer;
    uint32_t from, to;
    str allocation, metric; /* empty: not written; and so are negative numbers */
    double epsilon, delta, floor;
    nsec every;
};
struct plan_arm {
    uint32_t start, share;
    str profile;
};

/* A scenario's file as it is written; scenario.c makes a scenario of it. Negative, empty: not written. */
struct plan_scenario {
    str name, about, mode;
    int64_t window;
    nsec tick, alerts_every, approve_after;
    double per_second, start_hour, conversation;
    int64_t open, queries_max;
    nsec duration;
    struct config_texts hours;
    double generic, tactical, cybersecurity, stem;
    str outcome, guard, alert;
    double share_min, false_rollback_max, detected_within;
};
struct plan_model {
    double success, errors, cost_usd, cost_sd, latency_ms, latency_sigma, timeout_ms;
    double hrm_confidence, hrm_sd, trm_confidence, trm_sd;
    str confidence, recorded_from, recorded_cell;
};
struct plan_event {
    str what, arm, domain;
    nsec start, length, ramp;
    double size;
};

/* What config_load() allocates; the config is its public part. */
struct config_snapshot {
    struct config config;
    struct config_secrets keys;
    struct config_secrets otlp_headers;
    struct config_texts otlp_resource;
    bool mutes_warnings;
    str extends, prices_file, prompts_directory, fallback_file, route_model_file;
    struct config *fallback; /* of route.fallback; NULL: none */
    uint64_t route_model_hash; /* of the text of route.model */
    uint64_t channels_hash, rules_hash, tenants_hash; /* of these maps as written */
    struct config_model *models; /* the config's, with room for CONFIG_MODELS_HIDDEN_MAX more */
};

struct config_build {
    struct config_snapshot *snapshot;
    struct config_issues *issues;
    struct arena scratch; /* trees, paths */
    const struct config_file *file; /* the one that was named */
    struct yaml_node *root;
    bool may_read_files;
    bool is_profile; /* named by route.fallback: its own `route` is ignored */
};

/* One value on its way into its field. */
struct setting {
    struct config_build *build;
    const struct config_key *key;
    void *base; /* of the record */
    const struct yaml_node *node; /* NULL: a default */
    str text; /* of a scalar or of a default */
    str shown; /* the path for messages */
    str owner; /* a provider's name, for messages */
};
/* Writes the field, or adds an issue and writes nothing. */
void setting_apply(const struct setting *s);
/* Appends what the field holds, unambiguously, secrets left out: the hash is made of this. */
void setting_print(const struct config_key *key, const void *base, struct buf *out);

/* Whether setting_print() says the same of both. */
bool setting_is_same(const struct config_key *key, const void *base, const void *other);
/* The path of a map of names that belongs to the process ("alerts.rules"), and whether two configurations have the same there. */
struct config_map {
    const char *path;
    size_t hash; /* its place in struct config_snapshot */
};
const struct config_map *config_maps(size_t *out_count);
bool config_map_is_same(const struct config_map *map, const struct config_snapshot *a,
                        const struct config_snapshot *b);

/* "env:NAME" or "file:PATH" to its value. An environment variable that is not set is an empty value. */
enum secret_result {
    SECRET_FOUND,
    SECRET_UNSET,
    SECRET_BAD_FORM,
    SECRET_BAD_FILE,
    SECRET_BAD_VALUE
};
enum secret_result secret_read(struct config_build *build, const struct config_file *beside,
                               str source, str *out);

/* Defaults, then the mapping's entries, then what is required. node may be NULL: only defaults. */
struct record {
    enum key_record kind;
    void *base;
    str shown; /* "providers.openai" */
    str owner;
};
void record_load(struct config_build *build, const struct record *record,
                 const struct yaml_node *node);
/* The one tree of a text and of all that it extends, in build->root. */
NODISCARD enum err tree_load(struct config_build *build, str text);
/* Providers, models, prices and prompts; the root's own record must have been read. */
void parts_load(struct config_build *build);
/* What `alerts` names: channels, rules, who receives what. */
void alerts_load(struct config_build *build);
/* Keys of services that are switched on and name none; what headers and attributes must look like. */
void telemetry_load(struct config_build *build);
/* What `route` names: the trained model, the fallback's snapshot, and its models among ours; models must have been read. */
void profile_load(struct config_build *build);
/* models.*.fallback: names that are not there, and circles. */
void fallbacks_check(struct config_build *build);
/* What must hold between `route`, `cascade`, `strategy` and the models. */
void profile_check(struct config_build *build);
/* What an arm may not set to something else than own, the process's configuration; own NULL: than the file that it extends. */
void arm_check(struct config_build *build, const struct config *own);
/* Where a setting stands, for messages about it: the whole file when it is a default. */
struct config_place place_in(const struct config_build *build, const struct yaml_node *node);

/* The name of a map's entry, kept; an issue when it holds spaces or control characters. */
str name_take(struct config_build *build, const struct yaml_node *node, const char *what);
str path_join(struct arena *arena, str path, str name);

/* A path as seen from the file that names it. */
str path_beside(struct arena *arena, const struct config_file *file, str path);
/* The whole of a regular file of at most max bytes; NULL, or why it could not be read. */
const char *file_read(str path, size_t max, struct buf *out, struct config_file *out_identity);

struct config_text {
    str name; /* for messages; its directory is where other files are looked for */
    str text;
    bool may_read_files; /* false: extends, prices, prompts and file: are errors */
    bool is_profile; /* see config_build */
    bool is_arm; /* see config_arm_load() */
    const struct config *own;
};
/* config_load() of a text in memory, under the same contract. */
/* The same, with issues added to those that are there. */
NODISCARD enum err config_load_file(const struct config_file *file, const struct config_text *text,
                                    struct config **out, struct config_issues *issues);
NODISCARD enum err config_load_text(const struct config_text *text, struct config **out,
                                    struct config_issues *issues);

/* config_load() of an arm's configuration: what belongs to the process is an error in it, see arm_check(). */
NODISCARD enum err config_arm_load(str path, const struct config *own, struct config **out,
                                   struct config_issues *issues);
/* Appends every field of a record, as the hash is made of. */
void record_print(enum key_record record, const void *base, struct buf *out);
/* Appends an entry of a map, to tell whether two maps say the same. */
void entry_print(const struct record *record, str name, struct buf *out);

/* config/prices.yaml, compiled in; one text. */
extern const str config_prices_builtin[];

#endif
