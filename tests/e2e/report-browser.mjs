// Pages in a headless Chromium, by its debugging pipe: what a person would see at each width, in the dark and on paper.
// usage: report-browser.mjs CHROMIUM FOLDER-OF-PAGES [FOLDER-FOR-SCREENSHOTS]; a line for each fault, exit status 1 if any.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

const [program, folder, screenshots] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'ketlink-chromium.'));
const browser = spawn(program, ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-pipe',
  '--disable-dev-shm-usage', '--no-first-run', `--user-data-dir=${profile}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
const faults = [];
const fault = (page, view, text) => faults.push(`${page} ${view}: ${text}`);

// --- the protocol: messages end with NUL ---
const waiting = new Map();
const listeners = [];
let last = 0;
let rest = Buffer.alloc(0);
browser.stdio[4].on('data', (data) => {
  rest = Buffer.concat([rest, data]);
  for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) {
    const message = JSON.parse(rest.subarray(0, end).toString());
    if (message.id) {
      waiting.get(message.id)(message);
      waiting.delete(message.id);
    } else {
      listeners.forEach((listener) => listener(message));
    }
  }
});

function call(method, params = {}, sessionId = undefined) {
  return new Promise((done, failed) => {
    waiting.set(++last, (answer) => (answer.error ? failed(new Error(`${method}: ${answer.error.message}`)) : done(answer.result)));
    browser.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  });
}

// --- what is looked at, inside the page ---
function inspect(paper) {
  const found = [];
  const say = (text) => found.length < 20 && found.push(text);
  const shown = (element) => element.getClientRects().length > 0;
  const cut = (text) => JSON.stringify(text.trim().slice(0, 40));

  if (document.documentElement.scrollWidth > innerWidth) say(`wider than the window: ${document.documentElement.scrollWidth} > ${innerWidth}`);
  if (document.scripts.length) say('has a script');
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => say(`id ${id} stands twice`));

  let level = 0;
  for (const heading of document.querySelectorAll('h1,h2,h3,h4')) {
    if (+heading.tagName[1] > level + 1) say(`heading ${cut(heading.textContent)} leaves out a level`);
    level = +heading.tagName[1];
  }
  if (document.querySelectorAll('h1').length !== 1) say('not one h1');
  for (const table of document.querySelectorAll('table')) {
    if (!table.caption?.textContent.trim()) say('a table without caption');
    if ([...table.querySelectorAll('th')].some((th) => !th.scope)) say(`${cut(table.caption.textContent)}: th without scope`);
  }
  for (const region of document.querySelectorAll('[role=region],svg')) {
    const names = (region.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent.trim());
    if (!names.length || names.some((name) => !name)) say(`${region.tagName} without a name`);
    if (region.tagName === 'svg' && region.getAttribute('role') !== 'img') say('an svg that is no img');
  }

  // contrast of all texts with what is painted behind them
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const colour = (text) => text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
  const opaque = (c) => c.length === 3 || c[3] === 1;
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const root = getComputedStyle(document.documentElement);
  const sample = document.body.appendChild(document.createElement('i'));
  sample.style.color = root.getPropertyValue('--wash');
  const wash = colour(getComputedStyle(sample).color);
  sample.remove();
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const c = colour(getComputedStyle(at).backgroundColor);
      if (opaque(c)) return c;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const bad = new Set();
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !shown(element) || element.closest('title,desc')) continue;
    const picture = element.closest('svg');
    const own = colour(picture ? getComputedStyle(element).fill : getComputedStyle(element).color);
    const grounds = picture ? [behind(picture), wash] : [behind(element)];
    for (const ground of grounds) {
      const ratio = contrast(own, ground);
      const key = `${own} on ${ground}`;
      if (ratio < 4.5 && !bad.has(key)) say(`contrast ${ratio.toFixed(2)} of ${cut(walk.currentNode.data)}: ${key}`);
      if (ratio < 4.5) bad.add(key);
    }
    const size = parseFloat(getComputedStyle(element).fontSize) * (picture ? picture.getScreenCTM().a : 1);
    if (size < (paper ? 8 : 9.5)) say(`${cut(walk.currentNode.data)} is ${size.toFixed(1)} px high`);
  }

  // texts of the picture: inside it, and none over another
  for (const svg of document.querySelectorAll('svg')) {
    if (!shown(svg)) continue;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
    if (!texts.length) say('a picture without a text');
    texts.sort((a, b) => a.box.left - b.box.left);
    texts.forEach(({ text, box }, i) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        say(`${cut(text)} leaves the picture`);
      for (let j = i + 1; j < texts.length && texts[j].box.left < box.right - 0.5; j++) {
        const other = texts[j].box;
        if (other.top < box.bottom - 1.5 && box.top < other.bottom - 1.5) say(`${cut(text)} and ${cut(texts[j].text)} overlap`);
      }
    });
  }
  if (![...document.querySelectorAll('svg')].some(shown) && document.querySelector('svg')) say('no picture is shown');

  for (const cell of document.querySelectorAll('dl > div,td,th,p,h1'))
    if (shown(cell) && cell.scrollWidth > cell.clientWidth + 1) say(`${cut(cell.textContent)} leaves its place`);

  // on paper nothing can be scrolled into view
  for (const cell of paper ? document.querySelectorAll('td,th,dd') : [])
    if (cell.getBoundingClientRect().right > innerWidth + 1) say(`${cut(cell.textContent)} leaves the paper`);
  return found;
}

const views = [
  { name: 'wide', width: 1280, height: 900 },
  { name: 'dark', width: 1280, height: 900, dark: true },
  { name: 'narrow', width: 400, height: 800 },
  { name: 'print', width: 703, height: 1030, paper: true }, // A4 and Letter less their margins
];

async function look(session, file, page) {
  const own = `file://${file}`;
  const hear = (message) => {
    if (message.sessionId !== session) return;
    const { method, params } = message;
    if (method === 'Network.requestWillBeSent' && params.request.url !== own) fault(page, 'network', params.request.url);
    if (method === 'Runtime.exceptionThrown') fault(page, 'console', params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled') fault(page, 'console', params.type);
    if (method === 'Log.entryAdded') fault(page, 'log', params.entry.text);
  };
  listeners.push(hear);
  for (const view of views) {
    await call('Emulation.setDeviceMetricsOverride', { width: view.width, height: view.height, deviceScaleFactor: 1, mobile: false }, session);
    await call('Emulation.setEmulatedMedia', { media: view.paper ? 'print' : 'screen',
      features: [{ name: 'prefers-color-scheme', value: view.dark ? 'dark' : 'light' }] }, session);
    const loaded = new Promise((done) => listeners.push(function once(message) {
      if (message.sessionId !== session || message.method !== 'Page.loadEventFired') return;
      listeners.splice(listeners.indexOf(once), 1);
      done();
    }));
    await call('Page.navigate', { url: own }, session);
    await loaded;
    const { result, exceptionDetails } = await call('Runtime.evaluate',
      { expression: `(${inspect})(${Boolean(view.paper)})`, returnByValue: true }, session);
    if (exceptionDetails) fault(page, view.name, exceptionDetails.exception?.description ?? exceptionDetails.text);
    else result.value.forEach((text) => fault(page, view.name, text));
    if (screenshots) {
      const shot = await call('Page.captureScreenshot', { captureBeyondViewport: true, format: 'png' }, session);
      writeFileSync(join(screenshots, `${page}-${view.name}.png`), Buffer.from(shot.data, 'base64'));
    }
  }
  const pdf = Buffer.from((await call('Page.printToPDF', { preferCSSPageSize: false, paperWidth: 8.27, paperHeight: 11.69 }, session)).data, 'base64');
  if (!pdf.subarray(0, 5).equals(Buffer.from('%PDF-'))) fault(page, 'print', 'no PDF');
  if (screenshots) writeFileSync(join(screenshots, `${page}.pdf`), pdf);
  listeners.splice(listeners.indexOf(hear), 1);
}

let pages = 0;
try {
  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await call(`${domain}.enable`, {}, sessionId);
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.html')).sort()) {
    await look(sessionId, resolve(folder, name), basename(name, '.html'));
    pages++;
  }
} finally {
  const ended = new Promise((done) => browser.once('exit', done));
  browser.kill();
  await ended;
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }); // its other processes end a moment later
}
console.log(`${pages} pages, ${views.length} views each, ${faults.length} faults`);
faults.forEach((text) => console.log(text));
process.exitCode = faults.length || !pages ? 1 : 0;
