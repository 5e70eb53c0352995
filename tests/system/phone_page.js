// The page with the telephone in a real browser: phone_page.js URL PROFILE_DIR. Calls, presses a
// key, types what is said, and looks at what stands on the page. Exit 1 with what is wrong.
const { spawn } = require("child_process");
const fs = require("fs");
const [url, dir] = process.argv.slice(2);
const BOUND_MS = 30000, LOOK_MS = 50;

async function until(what, look) {
  const last = Date.now() + BOUND_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > last) throw new Error("never: " + what);
    await new Promise((r) => setTimeout(r, LOOK_MS));
  }
}

async function main(browser) {
  const file = dir + "/DevToolsActivePort";
  const port = await until("the browser is up", () => fs.existsSync(file) && fs.readFileSync(file, "utf8").split("\n")[0]);
  const pages = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
  const socket = new WebSocket(pages.find((p) => p.type === "page").webSocketDebuggerUrl);
  await new Promise((r) => { socket.onopen = r; });
  const waiting = {};
  let n = 0, fault = "";
  socket.onmessage = (m) => {
    const d = JSON.parse(m.data);
    if (d.method === "Runtime.exceptionThrown") fault = JSON.stringify(d.params.exceptionDetails);
    if (waiting[d.id]) waiting[d.id](d.result);
  };
  const send = (method, params = {}) => new Promise((r) => {
    waiting[++n] = r;
    socket.send(JSON.stringify({ id: n, method, params }));
  });
  const page = async (expression) => {
    const r = await send("Runtime.evaluate", { expression, returnByValue: true });
    if (fault) throw new Error(fault);
    return r.result && r.result.value;
  };
  const state = (wanted) => until(`the page says '${wanted}'`, async () => (await page("document.getElementById('state')?.textContent")) === wanted);
  await send("Runtime.enable");
  await send("Page.navigate", { url });
  await state("no call");
  await page("document.getElementById('aloud').checked = false; document.getElementById('start').click()");
  await state("main");
  await page("[...document.querySelectorAll('.key')].find((b) => b.textContent === '1').click()");
  await state("flight_status_pnr");
  await page("document.getElementById('words').value = 'a i 1 2 3 4'; document.getElementById('type').requestSubmit()");
  await state("call ended");
  const talk = await page("[...document.querySelectorAll('.bubble')].map((b) => b.className + '|' + b.textContent).join('\\n')");
  for (const part of ["bubble them|Welcome to Air India", "bubble me|1", "bubble them|You selected Flight Status.", "bubble me|a i 1 2 3 4", "Passenger: R. Kumar"])
    if (!talk.includes(part)) throw new Error(`'${part}' is not in:\n${talk}`);
  if (!/from \+12025550199, 00:0/.test(await page("document.getElementById('history').textContent"))) throw new Error("the call is not in the list");
  if (await page("document.getElementById('start').disabled")) throw new Error("no second call can be made");
  console.log(talk);
}

const browser = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--user-data-dir=" + dir, "about:blank"], { stdio: "ignore" });
main(browser).then(() => 0, (e) => { console.error(e.message); return 1; }).then((code) => {
  browser.once("exit", () => process.exit(code));
  browser.kill();
});
