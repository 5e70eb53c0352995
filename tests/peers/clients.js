/*
 * The providers' own clients against furrow-server: they sign its requests, their classes must be able to write the
 * documents that it answers with, and what `furrow call` asks of a REST API must be what they would ask.
 *
 * node clients.js PORT TOKEN TWILIO_HOOK PLIVO_HOOK REST_LOG
 * REST_LOG: lines of what was asked for calls CAhangup, CAmoved, uuid-hangup and uuid-moved (tests/system/voice_waits.py
 * rest).
 */
"use strict";
const crypto = require("crypto"), fs = require("fs"), http = require("http"), path = require("path");

// Plivo's client sends with axios: what it would send is kept instead.
const sent = [];
require("axios").defaults.adapter = async (config) => {
  sent.push(config);
  return { status: 204, statusText: "", data: {}, headers: {}, config };
};
const twilio = require("twilio"), plivo = require("plivo"), xml2js = require("xml2js");

const [PORT, TOKEN, TWILIO_HOOK, PLIVO_HOOK, REST_LOG] = process.argv.slice(2);
const BASE = "https://voice.example.test";

function must(what, found) {
  if (!found) {
    console.error(what);
    process.exit(1);
  }
  return found;
}

// ---- signatures, by their code ----

function signTwilio(url, params) {
  return { "X-Twilio-Signature": twilio.getExpectedTwilioSignature(TOKEN, url, params) };
}

// It only compares; the signature that it compares with is heard on its way.
let nonce = 4200;
function signPlivo(url, params) {
  const n = String(++nonce), make = crypto.createHmac;
  let signature = "";
  crypto.createHmac = (...args) => {
    const h = make.apply(crypto, args), digest = h.digest;
    h.digest = (how) => (signature = digest.call(h, how));
    return h;
  };
  plivo.validateV3Signature("POST", url, n, TOKEN, "none", params);
  crypto.createHmac = make;
  must("plivo's signature was not heard", signature);
  must("plivo does not take its own signature", plivo.validateV3Signature("POST", url, n, TOKEN, signature, params));
  return { "X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": n };
}

function post(where, params, headers) {
  const body = new URLSearchParams(params).toString();
  return new Promise((resolve, reject) => {
    const r = http.request({ host: "127.0.0.1", port: PORT, path: where, method: "POST",
      headers: { ...headers, "Content-Type": "application/x-www-form-urlencoded", "Content-Length": Buffer.byteLength(body) } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (d) => (text += d));
        answer.on("end", () => resolve({ status: answer.statusCode, text }));
      });
    r.on("error", reject);
    r.end(body);
  });
}

// ---- documents, by their classes ----

function tree(text) {
  let out;
  xml2js.parseString(text, { explicitChildren: true, preserveChildrenOrder: true, async: false, explicitRoot: false },
    (err, root) => { must(`not XML: ${err}\n${text}`, !err); out = root; });
  return out;
}

const plain = (e) => [e["#name"], e.$ || {}, (e._ || "").trim(), (e.$$ || []).map(plain)];

// Which attributes there are, as Twilio's own declarations say.
const declared = {};
{
  const file = path.join(path.dirname(require.resolve("twilio/package.json")), "lib/twiml/VoiceResponse.d.ts");
  for (const [, name, members] of fs.readFileSync(file, "utf8").matchAll(/interface (\w+)Attributes \{([^}]*)\}/g))
    declared[name] = new Set([...members.matchAll(/^\s*"?([\w-]+)"?\?:/gm)].map((m) => m[1]));
}

function writeTwilio(parent, e) {
  const name = e["#name"], method = name[0].toLowerCase() + name.slice(1), text = (e._ || "").trim(), attrs = e.$ || {};
  must(`twilio: no <${name}> here`, typeof parent[method] === "function");
  for (const a of Object.keys(attrs))
    must(`twilio: <${name}> has no ${a}`, declared[name] && declared[name].has(a));
  const child = text ? parent[method](attrs, text) : parent[method](attrs);
  for (const c of e.$$ || []) writeTwilio(child, c);
}

// In Plivo's documentation of the element, but not in its client.
const undeclared = { GetInput: ["retries"] };

function writePlivo(parent, e) {
  const name = e["#name"], text = (e._ || "").trim();
  const withText = ["Speak", "Play", "Number", "User", "Redirect"].includes(name);
  must(`plivo: no <${name}>`, typeof parent["add" + name] === "function");
  for (const a of undeclared[name] || []) delete (e.$ || {})[a];
  const child = withText ? parent["add" + name](text, e.$ || {}) : parent["add" + name](e.$ || {});
  for (const c of e.$$ || []) writePlivo(child, c);
}

function rewritten(kind, text) {
  const root = tree(text), anew = kind === "twilio" ? new twilio.twiml.VoiceResponse() : new plivo.Response();
  must(`the root is ${root["#name"]}`, root["#name"] === "Response");
  for (const e of root.$$ || []) {
    try {
      (kind === "twilio" ? writeTwilio : writePlivo)(anew, e);
    } catch (err) {
      must(`${kind}'s client cannot write it: ${err.message}\n${text}`, false);
    }
  }
  const theirs = kind === "twilio" ? anew.toString() : anew.toXML();
  must(`${kind}'s client writes another document:\n${theirs}\n${text}`,
    JSON.stringify(plain(tree(theirs))) === JSON.stringify(plain(root)));
  return root;
}

// ---- a call ----

const KINDS = {
  twilio: { hook: TWILIO_HOOK, sign: signTwilio, id: { CallSid: "CA" + "7".repeat(32) }, gather: "Gather",
    recorded: { RecordingUrl: "https://api.twilio.com/R/RE1", RecordingSid: "RE1", RecordingDuration: "4", Digits: "#" },
    dialled: { DialCallStatus: "no-answer" }, status: "CallStatus" },
  plivo: { hook: PLIVO_HOOK, sign: signPlivo, id: { CallUUID: "77777777-7777-4777-8777-777777777777" }, gather: "GetInput",
    recorded: { RecordUrl: "https://media.plivo.com/r.wav", RecordingID: "r1", RecordingDuration: "4", Digits: "#" },
    dialled: { DialStatus: "no-answer" }, status: "CallStatus" },
};

async function call(kind) {
  const k = KINDS[kind], seen = new Set();
  let where = k.hook + "/voice", more = { CallStatus: "ringing" };
  for (let turn = 0; turn < 30; turn++) {
    // Letters that a signature could stumble over.
    const params = { ...k.id, From: "+251911000001", To: "+15550100", CallerName: "ሰላም +&=~*'()", ...more };
    const answer = await post(where, params, k.sign(BASE + where, params));
    must(`${kind}: ${answer.status} for ${where}: ${answer.text}`, answer.status === 200);
    if (turn === 0) {
      const altered = await post(where, { ...params, From: "+251911000002" }, k.sign(BASE + where, params));
      must(`${kind}: an altered request got ${altered.status}`, altered.status === 403);
    }
    const root = rewritten(kind, answer.text);
    let next = null;
    for (const e of root.$$ || []) {
      const name = e["#name"], attrs = e.$ || {};
      seen.add(name);
      for (const c of e.$$ || []) seen.add(c["#name"]);
      if (next) continue;
      if (name === k.gather) next = [attrs.action, { Digits: attrs.action.includes("/hold-") ? "9" : "1" }];
      // What is recorded of a talk goes on with the next element.
      if (name === "Record" && attrs.startOnDialAnswer !== "true") next = [attrs.action, k.recorded];
      if (name === "Dial") next = [attrs.action, k.dialled];
      if (name === "Redirect") next = [e._.trim(), {}];
      if (name === "Hangup" || name === "Reject") return seen;
    }
    must(`${kind}: where does it go on? ${answer.text}`, next);
    where = next[0].slice(BASE.length);
    more = { CallStatus: "in-progress", ...next[1] };
  }
  must(`${kind}: it never ends`, false);
}

// ---- REST ----

async function rest() {
  const log = fs.readFileSync(REST_LOG, "utf8"), asked = (line) => must(`furrow does not ask: ${line}\n${log}`, log.includes(line + "\n"));
  const basic = (user) => "Basic " + Buffer.from(`${user}:${TOKEN}`).toString("base64");
  const calls = [];
  const client = twilio("AC01", TOKEN, { httpClient: { request: async (o) => (calls.push(o), { statusCode: 200, body: "{}" }) } });
  await client.calls("CAhangup").update({ status: "completed" });
  await client.calls("CAmoved").update({ url: "https://elsewhere.example/a?b=c&d", method: "POST" });
  for (const o of calls)
    asked(`${o.method.toUpperCase()} ${new URL(o.uri).pathname} ${new URLSearchParams(o.data)} ${basic("AC01")}`);
  const p = new plivo.Client("MA01", TOKEN);
  await p.calls.hangup("uuid-hangup").catch(() => {});
  await p.calls.transfer("uuid-moved", { legs: "aleg", alegUrl: "https://elsewhere.example/a?b=c&d", alegMethod: "POST" }).catch(() => {});
  must(`plivo's client sent ${sent.length} requests`, sent.length === 2);
  for (const o of sent) {
    const body = o.data && o.method === "post" ? JSON.parse(o.data) : {};
    const text = Object.keys(body).length ? JSON.stringify(Object.fromEntries(Object.entries(body).sort())) : "";
    asked(`${o.method.toUpperCase()} ${new URL(o.url).pathname} ${text} ${o.headers.Authorization}`);
  }
}

(async () => {
  for (const kind of Object.keys(KINDS)) {
    const seen = await call(kind);
    console.log(kind, [...seen].sort().join(" "));
  }
  await rest();
  console.log("ok");
})();
