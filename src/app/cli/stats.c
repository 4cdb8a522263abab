/* SPDX-License-Identifier: Apache-2.0 */
/* weir stats: the statistics of core/stats as a calculator. Each calculation fills a sheet, which is printed for people or as JSON. */
#include <math.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/sheet_internal.h"
#include "core/stats/stats.h"

#define ALPHA_DEFAULT 0.05
#define ALPHA_GUARD_DEFAULT 0.001
#define T_OPT_DEFAULT 100
/* Up to here a count is exact as a double. */
#define COUNT_MAX (INT64_C(1) << 53)

/* ---- options ---- */

/* A number of the open range (min, max); false (having said so) when it is none. Untouched when not given. */
static bool option_number(const struct cli_args *args, const char *option, double min, double max,
                          double *out)
{
    str text = cli_value(args, option);
    double value;

    if (!text.ptr)
        return true;
    if (!str_to_double(text, &value) || !(value > min && value < max)) {
        cli_usage_error("stats", "--%s must be a number above %g and below %g, not '%.*s'", option,
                        min, max, STR_ARG(text));
        return false;
    }
    *out = value;
    return true;
}

static bool option_count(const struct cli_args *args, const char *option, int64_t *out)
{
    return cli_integer(args, "stats", option, 0, COUNT_MAX, out);
}

/* "940" of "1000". */
static bool option_share(const struct cli_args *args, const char *part, int64_t *out_k,
                         int64_t *out_n)
{
    if (!option_count(args, part, out_k) || !option_count(args, "trials", out_n))
        return false;
    if (*out_k <= *out_n)
        return true;
    cli_usage_error("stats", "--%s cannot exceed --trials", part);
    return false;
}

/* Numbers with commas between; returns how many, 0 (having said so) when it is something else. */
static size_t option_list(const struct cli_args *args, const char *option, const char *form,
                          double *out, size_t max)
{
    str rest = cli_value(args, option), field;
    size_t n = 0;

    while (str_next(&rest, ',', &field)) {
        if (n == max || !str_to_double(str_trim(field), &out[n])) {
            cli_usage_error("stats", "--%s must be %s, not '%.*s'", option, form,
                            STR_ARG(cli_value(args, option)));
            return 0;
        }
        n++;
    }
    return n;
}

static bool is_count(double value)
{
    return value >= 0 && value <= (double)COUNT_MAX && value == floor(value);
}

/* ---- interval ---- */

static int run_interval(const struct cli_args *args, struct sheet *s)
{
    int64_t k = 0, n = 0;
    double alpha = ALPHA_DEFAULT, t_opt = T_OPT_DEFAULT;

    if (!option_share(args, "successes", &k, &n) || !option_number(args, "alpha", 0, 1, &alpha) ||
        !option_number(args, "t-opt", 0, 1e15, &t_opt))
        return EXIT_USAGE;
    struct interval v = stats_rate_sequence(k, n, t_opt, alpha);
    struct interval wilson = stats_rate_wilson(k, n, alpha), exact = stats_rate_exact(k, n, alpha);
    sheet_count(s, "n", "trials", n);
    sheet_estimate(s, "rate", v);
    sheet_interval(s, "wilson", "Wilson, one look", wilson);
    sheet_interval(s, "exact", "Clopper-Pearson, one look", exact);
    sheet_number(s, "exact_lower_one_sided", "Clopper-Pearson, lower bound only",
                 stats_rate_lower(k, n, alpha));
    sheet_number(s, "alpha", "alpha", alpha);
    buf_printf(
        &s->sentence,
        "The rate lies from %.4g %% to %.4g %% with %.6g %% confidence, however often you look "
        "while trials come in.\nThe other intervals are narrower and hold for one look, at a "
        "number of trials fixed beforehand.",
        100 * v.lower, 100 * v.upper, 100 * (1 - alpha));
    return EXIT_DONE;
}

/* ---- compare ---- */

/* SUM,SSQ,N that some sample can have: the squares are at least SUM²/N. */
static bool option_moments(const struct cli_args *args, const char *option, struct moments *out)
{
    static const char form[] = "SUM,SUM_OF_SQUARES,N as in 1396.87,52377.98,3000";
    double x[3];
    size_t n = option_list(args, option, form, x, ARRAY_LEN(x));

    if (n == 0)
        return false;
    if (n < ARRAY_LEN(x) || !is_count(x[2]) || x[2] < 1) {
        cli_usage_error("stats", "--%s must be %s, N an integer from 1 on", option, form);
        return false;
    }
    if (!(x[1] * x[2] >= x[0] * x[0] * (1 - 1e-9))) {
        cli_usage_error(
            "stats",
            "--%s: no %g numbers with the sum %g have squares that sum to %g only; give "
            "SUM,SUM_OF_SQUARES,N in that order",
            option, x[2], x[0], x[1]);
        return false;
    }
    *out = (struct moments){ (int64_t)x[2], x[0], x[1] };
    return true;
}

static const char *compare_verdict(const struct comparison *c)
{
    if (c->is_valid && c->diff.lower > 0)
        return "higher";
    if (c->is_valid && c->diff.upper < 0)
        return "lower";
    return "inconclusive";
}

static void compare_explain(struct buf *out, const struct comparison *c,
                            const struct compare_options *o, const char *verdict)
{
    double unit = o->is_relative ? 100 : 1;
    const char *sign = o->is_relative ? " %" : "";

    if (!c->is_valid) {
        buf_add(out,
                STR("Nothing may be decided yet: each arm needs 100 values that differ, and of "
                    "outcomes of 0 and 1 both arms\ntogether need 10 of the rarer one."));
        return;
    }
    if (strcmp(verdict, "inconclusive") == 0)
        buf_add(out, STR("It is not known whether B's mean differs from A's"));
    else
        buf_printf(out, "B's mean is %s than A's", verdict);
    buf_printf(out,
               ": the difference lies from %.4g%s to %.4g%s with %.6g %% confidence%s,\nhowever "
               "often you look.",
               unit * c->diff.lower, sign, unit * c->diff.upper, sign, 100 * (1 - o->alpha),
               o->is_one_sided ? " for each end by itself" : "");
}

static int run_compare(const struct cli_args *args, struct sheet *s)
{
    struct compare_options o = { .alpha = ALPHA_DEFAULT,
                                 .n_star = 5000,
                                 .is_relative = cli_has(args, "relative"),
                                 .is_one_sided = cli_has(args, "one-sided") };
    struct moments a, b;

    if (!option_moments(args, "a", &a) || !option_moments(args, "b", &b) ||
        !option_number(args, "alpha", 0, 1, &o.alpha) ||
        !option_number(args, "n-star", 0, 1e15, &o.n_star))
        return EXIT_USAGE;
    struct comparison c = stats_compare(&a, &b, &o);
    const char *verdict = compare_verdict(&c);
    sheet_count(s, "n", "values in both arms", a.n + b.n);
    sheet_number(s, "mean_a", "mean of A", moments_mean(&a));
    sheet_number(s, "mean_b", "mean of B", moments_mean(&b));
    sheet_estimate(s, o.is_relative ? "(B - A)/|A|" : "B - A", c.diff);
    sheet_number(s, "se", "standard error", c.se);
    sheet_number(s, "alpha", "alpha", o.alpha);
    sheet_number(s, "p", "p, two-sided, at any look", c.p);
    sheet_flag(s, "valid", "enough data to decide", c.is_valid);
    sheet_word(s, "verdict", "B against A", verdict);
    compare_explain(&s->sentence, &c, &o, verdict);
    return EXIT_DONE;
}

/* ---- guard ---- */

static void guard_explain(struct buf *out, double limit, double alpha, double above, double below)
{
    double threshold = -log(alpha);

    if (above >= threshold)
        buf_printf(out, "The guard trips: the rate is above %.4g %%.", 100 * limit);
    else if (below >= threshold)
        buf_printf(out, "The guard holds, and the rate is shown to be below %.4g %%.", 100 * limit);
    else
        buf_printf(out,
                   "The guard holds: it is not shown that the rate is above %.4g %%, nor that it "
                   "is below.",
                   100 * limit);
    buf_printf(
        out,
        "\nA guard on a rate that is at the limit or better trips with a chance of at most %.4g "
        "%% ever, however often you look.",
        100 * alpha);
}

static int run_guard(const struct cli_args *args, struct sheet *s)
{
    int64_t k = 0, n = 0;
    double alpha = ALPHA_GUARD_DEFAULT, limit = 0;
    struct guard above = { 0 }, below = { 0 };

    if (!option_share(args, "failures", &k, &n) || !option_number(args, "alpha", 0, 1, &alpha) ||
        !option_number(args, "limit", 0, 1, &limit))
        return EXIT_USAGE;
    guard_add_counts(&above, k, n, limit);
    guard_add_below_counts(&below, k, n, limit);
    double log_e = guard_log_e(&above), log_e_below = guard_log_e(&below);
    sheet_count(s, "n", "trials", n);
    sheet_estimate(s, "failure rate", stats_rate_sequence(k, n, T_OPT_DEFAULT, alpha));
    sheet_number(s, "alpha", "alpha", alpha);
    sheet_number(s, "limit", "limit", limit);
    sheet_number(s, "log_e", "evidence for above it, ln E", log_e);
    sheet_number(s, "log_e_below", "evidence for below it, ln E", log_e_below);
    sheet_number(s, "threshold", "trips from ln E =", -log(alpha));
    sheet_number(s, "p", "p, at any look", exp(fmin(-log_e, 0)));
    sheet_word(s, "verdict", "verdict", guard_trips(&above, alpha) ? "trip" : "hold");
    guard_explain(&s->sentence, limit, alpha, log_e, log_e_below);
    return EXIT_DONE;
}

/* ---- srm ---- */

struct split {
    double weights[STATS_ARMS_MAX];
    double counts[STATS_ARMS_MAX];
    size_t arms;
};

static bool option_split(const struct cli_args *args, struct split *out)
{
    size_t weights = option_list(args, "weights", "at most 16 numbers such as 50,50", out->weights,
                                 STATS_ARMS_MAX);
    size_t counts = weights == 0
                        ? 0
                        : option_list(args, "counts", "at most 16 integers such as 5021,4979",
                                      out->counts, STATS_ARMS_MAX);

    if (weights == 0 || counts == 0)
        return false;
    if (weights != counts || weights < 2) {
        cli_usage_error("stats",
                        "give --weights and --counts for the same arms, two at least (not %zu "
                        "and %zu)",
                        weights, counts);
        return false;
    }
    for (size_t i = 0; i < weights; i++) {
        if (!(out->weights[i] > 0 && out->weights[i] < 1e15) || !is_count(out->counts[i])) {
            cli_usage_error("stats", "--weights must be above 0 and --counts integers from 0 on");
            return false;
        }
    }
    out->arms = weights;
    return true;
}

static int run_srm(const struct cli_args *args, struct sheet *s)
{
    struct split split;
    int64_t counts[STATS_ARMS_MAX];
    double weight = 0, total = 0, expected[STATS_ARMS_MAX];

    if (!option_split(args, &split))
        return EXIT_USAGE;
    for (size_t i = 0; i < split.arms; i++) {
        counts[i] = (int64_t)split.counts[i];
        weight += split.weights[i];
        total += split.counts[i];
    }
    for (size_t i = 0; i < split.arms; i++)
        expected[i] = total * (split.weights[i] / weight);
    double log_e = stats_srm_log_bayes(split.weights, counts, split.arms);
    bool is_off = log_e >= STATS_SRM_ALARM;
    sheet_count(s, "n", "exposures", (int64_t)total);
    sheet_list(s, "counts", "counted", split.counts, split.arms);
    sheet_list(s, "expected", "expected", expected, split.arms);
    sheet_number(s, "log_e", "evidence for a mismatch, ln E", log_e);
    sheet_number(s, "threshold", "alarm from ln E =", STATS_SRM_ALARM);
    sheet_number(s, "p", "p, at any look", exp(fmin(-log_e, 0)));
    sheet_word(s, "verdict", "verdict", is_off ? "mismatch" : "match");
    buf_add(&s->sentence,
            is_off
                ? STR("The exposures are not split as the weights say: find out why before you "
                      "believe any comparison of these arms.")
                : STR("Nothing says that the exposures are split otherwise than by the weights; a "
                      "false alarm has a chance of at most\n1 in 1,000, however often you look."));
    return EXIT_DONE;
}

/* ---- paired ---- */

static void paired_explain(struct buf *out, const struct paired *r, double margin, double alpha)
{
    static const char *const texts[] = {
        [STATS_SUPERIOR] = "B is better than A",
        [STATS_NON_INFERIOR] = "B is not worse than A by the margin",
        [STATS_INCONCLUSIVE] = "It is not decided whether B is worse than A by the margin",
        [STATS_INFERIOR] = "B is worse than A, and may be worse by the margin",
    };
    bool is_worse = r->verdict == STATS_NON_INFERIOR && r->diff.upper < 0;

    buf_printf(out,
               "%s%s. Its success less A's lies from %.4g to %.4g points with %.6g %% confidence.\n"
               "The margin was %.4g points; %" PRId64
               " pairs of which this many differ can resolve %.4g points.",
               texts[r->verdict], is_worse ? ", although somewhat worse" : "", 100 * r->diff.lower,
               100 * r->diff.upper, 100 * (1 - alpha), 100 * margin, r->n, 100 * r->resolvable);
}

static int run_paired(const struct cli_args *args, struct sheet *s)
{
    struct pairs pairs = { 0 };
    double margin = 0, alpha = ALPHA_DEFAULT;

    if (!option_count(args, "both", &pairs.both) || !option_count(args, "only-a", &pairs.only_a) ||
        !option_count(args, "only-b", &pairs.only_b) ||
        !option_count(args, "neither", &pairs.neither) ||
        !option_number(args, "margin", 0, 1, &margin) ||
        !option_number(args, "alpha", 0, 1, &alpha))
        return EXIT_USAGE;
    struct paired r = stats_paired(&pairs, margin, alpha);
    double n = r.n > 0 ? (double)r.n : 1;
    sheet_count(s, "n", "pairs", r.n);
    sheet_number(s, "success_a", "success of A", (double)(pairs.both + pairs.only_a) / n);
    sheet_number(s, "success_b", "success of B", (double)(pairs.both + pairs.only_b) / n);
    sheet_estimate(s, "success of B less A", r.diff);
    sheet_number(s, "lower_one_sided", "lower bound only", r.lower_one_sided);
    sheet_number(s, "upper_one_sided", "upper bound only", r.upper_one_sided);
    sheet_number(s, "p", "p, exact McNemar, two-sided", r.mcnemar_p);
    sheet_number(s, "alpha", "alpha", alpha);
    sheet_number(s, "margin", "margin", margin);
    sheet_number(s, "resolvable", "margin that could be resolved", r.resolvable);
    sheet_flag(s, "equivalent", "equivalent within the margin", r.is_equivalent);
    sheet_word(s, "verdict", "B against A", stats_verdict_name(r.verdict));
    paired_explain(&s->sentence, &r, margin, alpha);
    return EXIT_DONE;
}

/* ---- plan ---- */

static int run_plan(const struct cli_args *args, struct sheet *s)
{
    double margin = 0, discordance = 0;
    int64_t pairs = 0;

    if (cli_has(args, "margin") == cli_has(args, "pairs"))
        return cli_usage_error("stats",
                               "plan takes --margin to learn the pairs it needs, or --pairs to "
                               "learn the margin they resolve");
    if (!option_number(args, "margin", 0, 1, &margin) ||
        !option_number(args, "discordance", 0, 1, &discordance) ||
        !option_count(args, "pairs", &pairs))
        return EXIT_USAGE;
    if (cli_has(args, "margin"))
        pairs = stats_plan_pairs(margin, discordance);
    else
        margin = stats_plan_margin(pairs, discordance);
    sheet_count(s, "pairs", "pairs", pairs);
    sheet_number(s, "margin", "margin", margin);
    sheet_number(s, "discordance", "share of pairs that differ", discordance);
    sheet_number(s, "alpha", "alpha, one-sided", .05);
    sheet_number(s, "power", "power", .8);
    buf_printf(&s->sentence,
               "If A and B are equally good and differ on %.4g %% of the questions, %" PRId64
               " questions show with a chance of 80 %%\nthat B is not worse by %.4g points.",
               100 * discordance, pairs, 100 * margin);
    return EXIT_DONE;
}

/* ---- the command ---- */

struct calculation {
    const char *name;
    const char *needs; /* options, with spaces between */
    const char *takes;
    int (*run)(const struct cli_args *args, struct sheet *s);
};

static const struct calculation calculations[] = {
    { "interval", "successes trials", "t-opt alpha", run_interval },
    { "compare", "a b", "relative one-sided n-star alpha", run_compare },
    { "guard", "limit failures trials", "alpha", run_guard },
    { "srm", "weights counts", "", run_srm },
    { "paired", "only-a only-b both neither margin", "alpha", run_paired },
    { "plan", "discordance", "margin pairs", run_plan },
};

static bool is_listed(const char *list, str name)
{
    str rest = str_from(list), field;

    while (str_next(&rest, ' ', &field)) {
        if (str_eq(field, name))
            return true;
    }
    return false;
}

/* Every option that was given belongs to the calculation, and every one it needs was given. */
static bool has_right_options(const struct cli_args *args, const struct calculation *c)
{
    str rest = str_from(c->needs), field;

    for (const struct cli_option *o = args->options; o->name; o++) {
        str name = str_from(o->name);
        if (!cli_has(args, o->name) || str_eq(name, STR("json")) || is_listed(c->needs, name) ||
            is_listed(c->takes, name))
            continue;
        cli_usage_error("stats", "--%s does not belong to '%s', which needs: %s; and takes: %s",
                        o->name, c->name, c->needs, c->takes[0] ? c->takes : "nothing more");
        return false;
    }
    while (str_next(&rest, ' ', &field)) {
        for (const struct cli_option *o = args->options; o->name; o++) {
            if (!str_eq(str_from(o->name), field) || cli_has(args, o->name))
                continue;
            cli_usage_error("stats", "%s needs --%s; see 'weir stats --help'", c->name, o->name);
            return false;
        }
    }
    return true;
}

static int run(const struct cli_args *args)
{
    for (size_t i = 0; i < ARRAY_LEN(calculations) && args->word_count == 1; i++) {
        const struct calculation *c = &calculations[i];
        struct sheet sheet = { .count = 0 };
        if (!str_eq(args->words[0], str_from(c->name)))
            continue;
        if (!has_right_options(args, c))
            return EXIT_USAGE;
        int status = c->run(args, &sheet);
        if (status == EXIT_DONE)
            sheet_print(&sheet, cli_has(args, "json"));
        return status;
    }
    return cli_usage_error("stats",
                           "give one calculation: interval, compare, guard, srm, paired or plan; "
                           "see 'weir stats --help'");
}

static const struct cli_option options[] = {
    { "successes", "K", "interval: how many trials succeeded" },
    { "failures", "K", "guard: how many trials failed" },
    { "trials", "N", "interval, guard: how many there were" },
    { "t-opt", "N", "interval: trials at which it is to be tightest (100)" },
    { "alpha", "A", "chance to be wrong (.05; guard .001)" },
    { "limit", "M", "guard: the failure rate that must not be exceeded" },
    { "a", "SUM,SSQ,N", "compare: the control's sum, sum of squares, and number of values" },
    { "b", "SUM,SSQ,N", "compare: the candidate's" },
    { "relative", NULL, "compare: (B - A)/|A|" },
    { "one-sided", NULL, "compare: each end by itself has the chance alpha" },
    { "n-star", "N", "compare: values at which it is to be tightest (5000)" },
    { "weights", "W,W,...", "srm: how the arms should share" },
    { "counts", "C,C,...", "srm: exposures counted" },
    { "both", "N", "paired: questions that both answered right" },
    { "only-a", "N", "paired: only A" },
    { "only-b", "N", "paired: only B" },
    { "neither", "N", "paired: neither" },
    { "margin", "D", "paired, plan: how much worse B may be (.02 is two points)" },
    { "discordance", "Q", "plan: share of questions that just one of the two answers right" },
    { "pairs", "N", "plan: the margin that N questions resolve" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_stats = {
    "stats",
    "interval|compare|guard|srm|paired|plan",
    "the statistics as a calculator",
    "weir stats interval --successes 700 --trials 1000\n"
    "      a rate: an interval that holds at every look, and Wilson's and Clopper and Pearson's "
    "for one look\n"
    "  weir stats compare --a 1396.87,52377.98,3000 --b 2422.7,134698.29,3461 --relative\n"
    "      the difference of two means: an interval and a p that hold at every look\n"
    "  weir stats guard --limit .05 --failures 19 --trials 150\n"
    "      does a failure rate exceed its limit? Evidence that may be watched while it grows\n"
    "  weir stats srm --weights 50,50 --counts 5300,4700\n"
    "      sample ratio mismatch: were the arms shown as often as they should have been?\n"
    "  weir stats paired --both 800 --only-a 30 --only-b 50 --neither 120 --margin .02\n"
    "      two candidates on the same questions: is B better than A, or not worse by the margin?\n"
    "  weir stats plan --margin .02 --discordance .126\n"
    "      how many questions such a comparison needs; with --pairs N, which margin N resolve",
    options,
    run
};
