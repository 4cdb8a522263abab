// SPDX-License-Identifier: Apache-2.0
// The SDKs' part of notify_sdks.py: reads {recorder, slack: […], events: […], changes: […], webhooks: […]} on stdin, sends the bodies with
// @slack/webhook and @pagerduty/pdjs, verifies the signatures with standardwebhooks, and prints what that said. It runs where they
// are installed.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';

const require = createRequire(process.cwd() + '/');
const { IncomingWebhook } = require('@slack/webhook');
const pagerduty = require('@pagerduty/pdjs');
const { Webhook } = require('standardwebhooks');

const given = JSON.parse(fs.readFileSync(0, 'utf8'));
const { hostname, port, host } = new URL(given.recorder);

// pdjs speaks https and nothing else; here its bytes go to the recorder as they are.
https.request = (options, done) => http.request({ ...options, protocol: 'http:', agent: undefined, hostname, port }, done);

const answers = { slack: [], pagerduty: [], webhooks: [] };
for (const message of given.slack)
  answers.slack.push((await new IncomingWebhook(given.recorder + '/200/ok').send(message)).text);
for (const { event_action, ...data } of given.events)
  answers.pagerduty.push((await pagerduty[event_action]({ data, server: host })).data.status);
for (const data of given.changes)
  answers.pagerduty.push((await pagerduty.change({ data, server: host })).data.status);
for (const { headers, body, secret } of given.webhooks) {
  try {
    new Webhook(secret).verify(body, headers);
    answers.webhooks.push('verified');
  } catch (error) {
    answers.webhooks.push(error.message);
  }
}
console.log(JSON.stringify(answers));
