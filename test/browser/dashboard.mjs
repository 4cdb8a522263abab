// SPDX-License-Identifier: Apache-2.0
// What run.py has started, seen through a browser. One argument: a JSON object of addresses.
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";

const world = JSON.parse(process.argv[2]);
const require = createRequire(`${world.modules}/`);
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;

const PAGES = [
    "overview",
    "cost",
    "performance",
    "domains",
    "rollout",
    "experiments",
    "alerts",
    "queries",
    "configuration",
];
const WIDTHS = [360, 1280];
const THEMES = ["light", "dark"];
const BYTES_MAX = 150 * 1024;
const PATIENCE_MS = 15000; // until what should happen counts as not happening

let passed = 0,
    failed = 0;
function check(name, condition, detail = "") {
    if (condition) passed++;
    else {
        failed++;
        console.error(`FAILED ${name}${detail === "" ? "" : `: ${detail}`}`);
    }
}
const equal = (name, got, want) =>
    check(name, got === want, `got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);

// ---- a window that notices what goes wrong ----

async function open(browser, origin, options) {
    const context = await browser.newContext({
        viewport: { width: options.width ?? 1280, height: options.height ?? 860 },
        colorScheme: options.theme ?? "light",
        reducedMotion: "reduce",
    });
    const page = await context.newPage(),
        faults = [];
    page.setDefaultTimeout(PATIENCE_MS);
    page.on(
        "console",
        (message) =>
            ["error", "warning"].includes(message.type()) &&
            !options.allows?.test(message.text()) &&
            faults.push(message.text()),
    );
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("dialog", (dialog) => {
        faults.push(`a dialog: ${dialog.message()}`);
        dialog.dismiss();
    });
    page.on(
        "request",
        (request) =>
            !request.url().startsWith(`${origin}/`) &&
            !request.url().startsWith("data:") &&
            faults.push(`elsewhere: ${request.url()}`),
    );
    return { context, page, faults };
}

async function settled(page) {
    await page.waitForSelector("main h1");
    await page.waitForFunction(() => !document.querySelector("main [aria-busy]"));
    // Charts draw when their width is known.
    await page.waitForTimeout(150);
}

async function go(page, origin, name) {
    await page.goto(`${origin}/#/${name}`);
    await settled(page);
}

async function accessible(page, name) {
    const found = await page.evaluate(async () => {
        const result = await window.axe.run(document, { resultTypes: ["violations"] });
        return result.violations.map(
            (v) =>
                `${v.id} (${v.impact}): ${v.nodes
                    .slice(0, 3)
                    .map((n) => n.target.join(" "))
                    .join("; ")}`,
        );
    });
    equal(`${name}: axe`, found.join("\n"), "");
}

// axe is put there by the test's own hand, which the content policy does not bind.
const withAxe = (context) => context.addInitScript({ content: axe });

// ---- every page ----

async function looks(browser) {
    for (const theme of THEMES) {
        for (const width of WIDTHS) {
            const { context, page, faults } = await open(browser, world.busy, { width, theme });
            await withAxe(context);
            for (const name of PAGES) {
                const what = `${name} ${width} ${theme}`;
                await go(page, world.busy, name);
                const size = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
                check(`${what}: fits`, size[0] <= size[1], size.join(" in "));
                equal(
                    `${what}: the current page is marked`,
                    await page.locator("#nav [aria-current=page]").getAttribute("data-page"),
                    name,
                );
                check(`${what}: has something to say`, (await page.locator("main").innerText()).length > 100);
                await accessible(page, what);
                await page.screenshot({ path: `${world.pictures}/${name}-${width}-${theme}.png`, fullPage: true });
            }
            equal(`${width} ${theme}: nothing went wrong`, faults.join("\n"), "");
            await context.close();
        }
    }
}

// No tile is left alone in a row of its own.
async function rows(browser) {
    for (const width of [700, 900, 1180, 1239, 1240]) {
        const { context, page } = await open(browser, world.busy, { width });
        await go(page, world.busy, "overview");
        const tops = await page.locator(".tile").evaluateAll((tiles) => tiles.map((tile) => tile.offsetTop));
        const lengths = [...new Set(tops)].map((top) => tops.filter((other) => other === top).length);
        check(`${width}: rows of tiles are as long as each other`, new Set(lengths).size === 1, lengths.join(" "));
        await context.close();
    }
}

async function weight(browser) {
    const { context, page } = await open(browser, world.busy, {});
    const sizes = [];
    page.on(
        "requestfinished",
        (request) =>
            !request.url().includes("/admin/") && sizes.push(request.sizes().then((s) => s.responseBodySize)),
    );
    await go(page, world.busy, "overview");
    const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    check("all files together are small", total > 10000 && total <= BYTES_MAX, `${total} bytes`);
    console.error(`${total} bytes of files, compressed`);
    await context.close();
}

async function live(browser) {
    const { context, page } = await open(browser, world.busy, {});
    await go(page, world.busy, "overview");
    await page.waitForSelector("#live[data-state=live]");
    const before = await page.evaluate(() => performance.getEntriesByType("resource").length);
    const first = await page.locator(".tile-value").first().innerText();
    await page.waitForFunction(
        (text) => document.querySelector(".tile-detail").textContent !== text,
        await page.locator(".tile-detail").first().innerText(),
    );
    check("numbers move without being asked for", first.length > 0 && before > 0);
    await context.close();
}

// ---- what hostile names do: nothing ----

async function hostile(browser) {
    const { context, page, faults } = await open(browser, world.busy, {});
    await go(page, world.busy, "queries");
    await page.fill("#filter-domain", "onerror");
    await page.click("button[type=submit]");
    await page.waitForFunction(
        (name) => [...document.querySelectorAll("td")].some((cell) => cell.textContent === name),
        world.hostile,
    );
    equal("a hostile name is a text", await page.locator("main img").count(), 0);
    await page.locator("tbody a").first().click();
    await page.waitForSelector("text=Calls in time");
    await settled(page);
    check("one query has its calls", (await page.locator("svg[aria-label*='calls within']").count()) === 1);
    await page.screenshot({ path: `${world.pictures}/query-1280-light.png`, fullPage: true });
    await page.goto(`${world.busy}/#/queries/${encodeURIComponent("<b>q</b>")}`);
    await page.waitForSelector("text=There is no such query");
    equal("nothing went wrong but a 404", faults.filter((text) => !text.includes("404")).join("\n"), "");
    await context.close();
}

// ---- levers ----

async function lever(page, operation, reason) {
    await page.click(`[data-operation=${operation}]`);
    await page.fill("#ask-reason", reason);
    await page.fill("#ask-actor", "grace");
    await page.click("dialog button[type=submit]");
}

async function rolloutState(page, state) {
    await page.waitForFunction(
        (want) => document.querySelector(".rollout-facts .pill")?.textContent === want,
        state,
    );
}

async function levers(browser) {
    const { context, page, faults } = await open(browser, world.busy, { allows: /409/ });
    await go(page, world.busy, "rollout");
    await rolloutState(page, "running");
    equal(
        "every guard says when it trips",
        await page.locator(".guard-trips", { hasText: "Trips if" }).count(),
        await page.locator(".guard").count(),
    );
    await page.click("[data-operation=pause]");
    await page.click("dialog button[type=submit]");
    equal("without a reason nothing is sent", await page.locator("dialog[open]").count(), 1);
    await page.keyboard.press("Escape");
    equal(
        "focus goes back to the lever",
        await page.evaluate(() => document.activeElement.dataset.operation),
        "pause",
    );

    // Somebody else is faster: the change carries the generation that was seen.
    await page.click("[data-operation=pause]");
    await page.fill("#ask-reason", "too late");
    await page.fill("#ask-actor", "grace");
    await fetch(`${world.busy}/admin/v1/rollouts/cheaper/pause`, {
        method: "POST",
        headers: { "content-type": "application/json", "if-match": '"1"' },
        body: JSON.stringify({ actor: "ada", reason: "first" }),
    });
    await page.click("dialog button[type=submit]");
    await page.waitForFunction(() =>
        /moved since you looked/.test(document.querySelector("dialog .form-error")?.textContent ?? ""),
    );
    check("a stale change is refused, and says so", true);
    await page.keyboard.press("Escape");

    await rolloutState(page, "paused");
    await lever(page, "resume", "looked at it");
    await rolloutState(page, "running");
    await lever(page, "promote", "enough seen");
    await page.waitForFunction(() => document.querySelector(".steps .at")?.textContent.startsWith("2"));
    await lever(page, "abort", "not today");
    await rolloutState(page, "aborted");
    await lever(page, "retry", "again");
    await rolloutState(page, "running");
    await lever(page, "rollback", "enough");
    await rolloutState(page, "aborted");
    const audit = await page.locator("main table").last().innerText();
    check(
        "the audit has who and why",
        ["grace", "enough seen", "not today", "ada"].every((word) => audit.includes(word)),
        audit,
    );
    equal("the levers: nothing went wrong", faults.join("\n"), "");
    await context.close();
}

async function silences(browser) {
    const { context, page, faults } = await open(browser, world.busy, {});
    await go(page, world.busy, "alerts");
    await page.click("#new-silence");
    await page.fill("#silence-alertname", "latency_p95_high");
    await page.fill("#ask-reason", "a load test");
    await page.fill("#ask-actor", "grace");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("text=alertname = latency_p95_high");
    await page.click("button[aria-label^='End silence']");
    await page.fill("#ask-reason", "over");
    await page.click("dialog button[type=submit]");
    await page.waitForFunction(() => !document.querySelector("button[aria-label^='End silence']"));
    check("a silence is made and ended", true);
    equal("silences: nothing went wrong", faults.join("\n"), "");
    await context.close();
}

// ---- without a mouse ----

async function keyboard(browser) {
    const { context, page } = await open(browser, world.busy, {});
    await go(page, world.busy, "overview");
    await page.keyboard.press("Tab");
    equal(
        "the first stop skips to the content",
        await page.evaluate(() => document.activeElement.className),
        "skip",
    );
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    check("focus can be seen", outline !== "none", outline);
    const seen = new Set();
    for (let i = 0; i < 16; i++) {
        await page.keyboard.press("Tab");
        seen.add(await page.evaluate(() => document.activeElement.dataset.page ?? document.activeElement.id));
    }
    check(
        "every page and the theme are reached",
        [...PAGES, "theme"].every((name) => seen.has(name)),
        [...seen].join(" "),
    );
    await page.focus("#nav [data-page=cost]");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector("main h1")?.textContent === "Cost");
    equal("a new page takes the focus", await page.evaluate(() => document.activeElement.id), "main");
    await page.click("#theme");
    await page.click("#theme");
    equal("the theme is chosen", await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await page.reload();
    equal("and remembered", await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await context.close();
}

// ---- built without uPlot ----

async function withoutCharts(browser) {
    const { context, page, faults } = await open(browser, world.busy, {});
    await page.route("**/vendor/uplot.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
    await go(page, world.busy, "cost");
    check(
        "tables stand for charts, and say why",
        (await page.locator("figure table").count()) > 0 &&
            (await page.locator("text=built without uPlot").count()) > 0,
    );
    await page.click("details.card > summary");
    await page.waitForSelector("text=Recommendation:");
    await page.screenshot({ path: `${world.pictures}/cost-1280-tables.png`, fullPage: true });
    equal("without charts nothing went wrong", faults.join("\n"), "");
    await context.close();
}

// ---- signing in, and a ledger without a query ----

async function signingIn(browser) {
    const { context, page, faults } = await open(browser, world.locked, { allows: /401/ });
    await withAxe(context);
    await page.goto(`${world.locked}/#/overview`);
    await page.waitForSelector("#key");
    await accessible(page, "sign in");
    await page.screenshot({ path: `${world.pictures}/sign-in-1280-light.png` });
    await page.fill("#key", "wrong");
    await page.click("button[type=submit]");
    await page.waitForFunction(() => /missing or wrong/.test(document.querySelector(".form-error").textContent));
    await page.fill("#key", world.key);
    await page.click("button[type=submit]");
    await page.waitForSelector("text=No query has ended here");
    const cookie = (await context.cookies()).find((c) => c.name.startsWith("weir_session"));
    check(
        "the session's cookie is for this origin's requests alone",
        cookie?.httpOnly && cookie.sameSite === "Strict",
        JSON.stringify(cookie),
    );
    await page.reload();
    await page.waitForSelector("text=No query has ended here");
    for (const name of PAGES) {
        await go(page, world.locked, name);
        await accessible(page, `${name}, empty`);
        await page.screenshot({ path: `${world.pictures}/${name}-1280-empty.png`, fullPage: true });
    }
    const status = await page.evaluate(
        async () =>
            (
                await fetch("/admin/v1/silences", {
                    method: "POST",
                    headers: { "content-type": "application/json" },
                    body: "{}",
                })
            ).status,
    );
    equal("a page of this origin may change things", status, 400);
    await page.click("#sign-out");
    await page.waitForSelector("#key");
    equal("signed out", await page.evaluate(async () => (await fetch("/admin/v1/overview")).status), 401);
    equal("signing in: nothing went wrong", faults.filter((text) => !text.includes("400")).join("\n"), "");
    await context.close();
}

mkdirSync(world.pictures, { recursive: true });
const browser = await chromium.launch({ executablePath: world.chromium, args: ["--no-sandbox", "--disable-gpu"] });
for (const part of [weight, live, rows, looks, hostile, keyboard, silences, withoutCharts, levers, signingIn]) {
    const started = Date.now();
    try {
        await part(browser);
    } catch (error) {
        check(part.name, false, error.stack);
        await Promise.all(
            browser
                .contexts()
                .flatMap((c) => c.pages())
                .map((p, i) => p.screenshot({ path: `${world.pictures}/failed-${part.name}-${i}.png` })),
        );
        await Promise.all(browser.contexts().map((c) => c.close()));
    }
    console.error(`${part.name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
