// Takes a picture of a trace in Perfetto's UI: how the APs came up last, and the arrows of their SIPIs.
//
//     node picture.mjs FOLDER TRACE PICTURE
//
// A build of Perfetto's UI is somewhere below FOLDER. TRACE is a file of `cargo xtask run --trace`, and
// PICTURE becomes a PNG. It takes Chromium and its driver, which answers in the calls of
// <https://www.w3.org/TR/webdriver2/>.
//
// The UI and the trace are served on this host, and to it alone. Where to look is in the UI's address, and
// what to select is asked of the UI itself. Nothing is waited for by time: the UI says when it is idle.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';

const [folder, trace, picture] = process.argv.slice(2);
if (!picture) throw new Error('usage: node picture.mjs FOLDER TRACE PICTURE');

// The page, of which the picture is the tracks and what stands above them. Eight CPUs fit.
const WIDTH = 1500, HEIGHT = 830;
const TRACKS = '.pf-split-panel__main';

// The trace's times are microseconds, and the UI's nanoseconds.
const nanos = (micros) => Math.round(micros * 1000);

// The last bring-up: when it began and ended, and what was sent to start the CPUs, by whom and when.
function bringUp(events) {
  const named = (name) => events.filter((event) => event.name === name);
  const kicks = named('kick');
  const sent = new Map(kicks.filter(({ ph }) => ph === 's').map((kick) => [kick.id, kick]));
  const last = new Map(kicks.filter(({ ph }) => ph === 'f').map(({ tid, id }) => [tid, sent.get(id)]));
  const starts = [...last.values()].sort((one, other) => one.ts - other.ts);
  if (starts.length === 0) throw new Error(`${trace}: nothing in it starts a CPU`);
  const [{ ts: began, tid, cat }] = starts;
  const ended = named('online').at(-1)?.ts;
  if (!(ended > began)) throw new Error(`${trace}: no CPU comes online`);
  const by = named('thread_name').find((thread) => thread.tid === tid).args.name;
  return { began, ended, kicked: starts.at(-1).ts, kicks: starts.length, cat, track: `${by} ${tid}` };
}

const TYPES = {
  '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json',
  '.png': 'image/png', '.wasm': 'application/wasm', '.woff2': 'font/woff2',
};

// Serves the UI, and the trace as if it were a part of it.
async function serve(ui) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const files = { '/': join(ui, 'index.html'), '/trace.json': trace };
    const path = files[pathname] ?? join(ui, pathname);
    try {
      const bytes = readFileSync(path);
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

// The driver takes a free port, and tells which.
async function startDriver() {
  const driver = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(driver, 'spawn');
  for await (const line of createInterface(driver.stdout)) {
    const port = /started successfully on port (\d+)/.exec(line)?.[1];
    if (port) return { driver, at: `http://127.0.0.1:${port}` };
  }
  throw new Error('chromedriver ended');
}

async function call(method, url, body) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (value?.error) throw new Error(`${value.error}: ${value.message}`);
  return value;
}

// Runs in the page, where the UI leaves its state for those who look into it: selects what was sent to start
// the CPUs, as one does with the mouse over a part of a track, and lets arrows be shown.
async function select({ begin, end, track, cat, kicks }) {
  const frame = () => new Promise(requestAnimationFrame);
  while (!window.app?.trace || app.isLoadingTrace) await frame();
  const { flows, selection, workspace } = app.trace;
  // A process and a thread have nodes too, and no slices.
  const node = workspace.flatTracks.find(({ name, children }) => name === track && children.length === 0);
  if (!node) throw new Error(`no track is called ${track}`);
  flows.setCategoryVisible(cat, true);
  selection.selectArea(
    { start: BigInt(begin), end: BigInt(end), trackUris: [node.uri] },
    { switchToCurrentSelectionTab: false },
  );
  while (flows.selectedFlows.length < kicks) await frame();
  await waitForPerfettoIdle();
}

async function take(session, origin, { began, ended, kicked, ...what }) {
  await call('POST', `${session}/timeouts`, { script: 120_000, pageLoad: 120_000 });
  // A window's own size would be that of its frame.
  await call('POST', `${session}/goog/cdp/execute`, {
    cmd: 'Emulation.setDeviceMetricsOverride',
    params: { width: WIDTH, height: HEIGHT, deviceScaleFactor: 1, mobile: false },
  });
  const margin = (ended - began) / 20;
  const shown = new URLSearchParams({
    url: `${origin}/trace.json`,
    mode: 'embedded',
    visStart: nanos(began - margin),
    visEnd: nanos(ended + margin),
  });
  await call('POST', `${session}/url`, { url: `${origin}/#!/?${shown}` });
  const error = await call('POST', `${session}/execute/async`, {
    script: `const [what, done] = arguments; (${select})(what).then(() => done(null), (it) => done(String(it)));`,
    args: [{ begin: nanos(began), end: nanos(kicked), ...what }],
  });
  if (error) throw new Error(`Perfetto: ${error}`);
  const tracks = await call('POST', `${session}/element`, { using: 'css selector', value: TRACKS });
  const [element] = Object.values(tracks);
  return Buffer.from(await call('GET', `${session}/element/${element}/screenshot`), 'base64');
}

const built = readdirSync(folder, { recursive: true }).find((path) => path.endsWith('frontend_bundle.js'));
if (!built) throw new Error(`${folder}: no build of Perfetto's UI is below it`);
const seen = bringUp(JSON.parse(readFileSync(trace)).traceEvents);
// The page is above the folder of its version.
const server = await serve(dirname(dirname(join(folder, built))));
const { driver, at } = await startDriver();
try {
  // Chromium has no sandbox for root.
  const args = ['--headless=new', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])];
  const capabilities = { alwaysMatch: { 'goog:chromeOptions': { args } } };
  const { sessionId } = await call('POST', `${at}/session`, { capabilities });
  const session = `${at}/session/${sessionId}`;
  try {
    const png = await take(session, `http://127.0.0.1:${server.address().port}`, seen);
    writeFileSync(picture, png);
  } finally {
    await call('DELETE', session);
  }
} finally {
  driver.kill();
  server.closeAllConnections();
  server.close();
}
