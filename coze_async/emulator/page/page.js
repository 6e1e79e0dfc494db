// The page of the emulator: it reads one stream of news, draws it, and sets switches. Text is only ever set as text.
"use strict";

const $ = (id) => document.getElementById(id);
const MOST_ROWS = 400;
const KINDS = ["chat", "recall", "tool", "reasoning", "delta", "answer", "follow-up", "audio", "action", "error", "done"];
const NAMES = { delta: "piece", answer: "answer", chat: "status", recall: "knowledge", action: "asks back", bytes: "bytes", look: "looked up" };
const requests = new Map();
let ahead = 0; // seconds by which the server's clock is ahead of ours

function make(tag, settings = {}, ...inner) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...inner.filter((item) => item !== null && item !== undefined));
  return node;
}

const clock = (at) => new Date(at * 1000).toTimeString().slice(0, 8);
const took = (seconds) => seconds === null ? "" : seconds < 0.001 ? "< 1 ms" : seconds < 0.0995 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
const share = (value) => `${+(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;

// What a request came to: a word for it, and how it is coloured.
function verdict(seen) {
  const endings = { lost: "lost", left: "client left", failed: "script failed", unreachable: "no connection" };
  if (seen.ending in endings && !(seen.ending === "left" && isOver(seen))) return [endings[seen.ending], seen.ending === "left" ? "warn" : "bad"];
  if (seen.status === null) return ["waits", "busy"];
  if (seen.status >= 400) return [seen.code ? `${seen.status} · ${seen.code}` : `${seen.status}`, "bad"];
  if (seen.code) return [`${seen.status} · ${seen.code}`, "bad"];
  if (seen.marks.some((mark) => mark[1] === "error")) return [`${seen.status} · failed`, "bad"];
  if (seen.seconds === null) return ["streams", "busy"];
  if (seen.stream && !isOver(seen)) return [`${seen.status} · cut`, "bad"];
  return [`${seen.status}`, seen.fault ? "warn" : "good"];
}
// Clients may leave as soon as they have read the last event.
const isOver = (seen) => seen.marks.some((mark) => mark[1] === "done" || mark[1] === "action" || (mark[1] === "error"));
const isBad = (seen) => ["bad", "warn"].includes(verdict(seen)[1]);

// Requests

const rows = $("rows");
const chosen = new Set();

function fits(seen) {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [seen.method, seen.path, seen.user, seen.subject, seen.question, seen.fault, seen.logid, seen.code, seen.status, seen.ending, seen.lane].join(" ").toLowerCase();
  return words.every((word) => text.includes(word)) && (!$("only-bad").checked || isBad(seen));
}

function row(seen) {
  const [word, colour] = verdict(seen);
  const node = make("tr", { class: chosen.has(seen.n) ? "row open" : "row", onclick: () => toggle(seen) },
    make("td", { class: "time" }, clock(seen.at)),
    make("td", { class: "path" }, make("b", {}, seen.method), " ", seen.path),
    make("td", {}, make("span", { class: `pill ${colour}` }, word)),
    make("td", { class: "took" }, took(seen.seconds)),
    make("td", { class: "who", title: seen.user }, seen.user),
    make("td", { class: "asked", title: seen.question || seen.msg }, seen.question || (seen.user ? seen.msg : [seen.subject, seen.msg].filter(Boolean).join(" · "))),
    make("td", {}, seen.fault ? make("span", { class: "pill warn" }, seen.fault) : null),
    make("td", { class: "log", title: seen.logid }, make("bdi", {}, seen.logid)));
  node.hidden = !fits(seen);
  return node;
}

function details(seen) {
  const facts = make("dl", { class: "facts" });
  const add = (name, value, kind = "") => { if (value) facts.append(make("dt", {}, name), make("dd", { class: kind }, value)); };
  add("bot or workflow", seen.subject);
  add("question", seen.question);
  add("sent", seen.body, "mono");
  add("answered", seen.answer, "mono");
  add("message", seen.msg);
  add("streamed", seen.stream ? `${seen.chunks} events, ${seen.ending || "goes on"}` : "");
  add("said", seen.marks.filter((mark) => mark[1] === "delta").map((mark) => mark[3]).join(""));
  add("failed", seen.marks.filter((mark) => mark[1] === "error").map((mark) => mark[3]).join(" "), "");
  add("chat or run", seen.lane, "mono");
  add("log id", seen.logid, "mono");
  return make("tr", { class: "more" }, make("td", { colSpan: 8 }, facts));
}

function toggle(seen) {
  if (!chosen.delete(seen.n)) chosen.add(seen.n);
  show(seen);
}

function show(seen) {
  const fresh = row(seen);
  if (seen.row) { seen.row.replaceWith(fresh); seen.more?.remove(); } else rows.prepend(fresh);
  seen.row = fresh;
  seen.more = chosen.has(seen.n) && !fresh.hidden ? details(seen) : null;
  if (seen.more) fresh.after(seen.more);
}

function refilter() {
  for (const seen of requests.values()) show(seen);
  note();
}

function note() {
  const shown = [...requests.values()].some((seen) => !seen.row.hidden);
  $("no-rows").hidden = shown;
  $("no-rows").textContent = requests.size ? "No request is like that." : "No requests yet.";
}

function take(news) {
  const known = requests.get(news.n);
  const seen = known ?? { marks: [] };
  const marks = seen.marks.slice(0, news.told).concat(news.marks);
  Object.assign(seen, news, { marks });
  requests.set(seen.n, seen);
  show(seen);
  if (requests.size > MOST_ROWS) {
    const [oldest, gone] = requests.entries().next().value;
    gone.row.remove(); gone.more?.remove(); requests.delete(oldest); chosen.delete(oldest);
  }
  quietSince = Math.max(quietSince, seen.at + (seen.marks.at(-1)?.[0] ?? 0) / 1000, seen.seconds === null ? now() : 0);
}

$("filter").addEventListener("input", refilter);
$("only-bad").addEventListener("change", refilter);

// The time line

const canvas = $("canvas"), pen = canvas.getContext("2d");
const LANE = 26, TOP = 22, RIGHT = 14, MOST_LANES = 60, STEPS = [1, 2, 5, 10, 20, 30, 60, 120];
// Where the lanes begin: names stand before them, as far as there is room. And the room of a time of day.
let LEFT = 210;
const CLOCK = 62;
let span = 10, paused = null, quietSince = 0, spots = [], colours = {}, lastDrawn = "";

const now = () => Date.now() / 1000 + ahead;
// It stands still a moment after the last event, so that what was can be looked at.
const edge = () => paused ?? Math.min(now(), (quietSince || now()) + span * 0.08);

function lanes() {
  const found = new Map();
  for (const seen of requests.values()) {
    const isTurn = seen.stream || seen.path === "/v3/chat" || seen.path.startsWith("/v1/workflow");
    if (!isTurn && !seen.lane) continue;
    const key = seen.lane || `#${seen.n}`;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(seen);
  }
  return [...found.values()].reverse();
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of [...KINDS, "verbose", "bytes", "ink", "soft", "faint", "line", "paper", "bar", "good", "bad", "warn", "accent", "hover"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
}

function clipped(text, width) {
  if (pen.measureText(text).width <= width) return text;
  let low = 0, high = text.length;
  while (low < high) { const middle = (low + high + 1) >> 1; if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle; else high = middle - 1; }
  return `${text.slice(0, low)}…`;
}

function draw() {
  const right = edge(), left = right - span;
  const found = lanes().filter((lane) => lane.some((seen) => seen.at <= right && (seen.at + (seen.seconds ?? Infinity)) >= left));
  const all = found.slice(0, MOST_LANES);
  $("more-lanes").textContent = found.length > all.length ? `the last ${all.length} of ${found.length}` : "";
  $("no-lanes").hidden = all.length > 0;
  canvas.hidden = all.length === 0;
  const width = $("lanes").clientWidth - 28, height = TOP + Math.max(all.length, 1) * LANE + 4;
  const state = `${right.toFixed(2)} ${span} ${width} ${all.length} ${version}`;
  if (state === lastDrawn) return;
  lastDrawn = state;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); canvas.style.height = `${height}px`;
  }
  LEFT = Math.min(210, Math.max(92, Math.round(width * 0.3)));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const x = (at) => LEFT + (at - left) / span * (width - LEFT - RIGHT);
  const font = getComputedStyle(document.body).fontFamily;
  pen.textBaseline = "middle";
  pen.font = `11px ${font}`;
  const step = STEPS.find((seconds) => seconds / span * (width - LEFT - RIGHT) >= CLOCK) ?? span;
  for (let at = Math.ceil(left / step) * step; at <= right; at += step) {
    pen.fillStyle = colours.line;
    pen.fillRect(Math.round(x(at)), TOP - 4, 1, height - TOP);
    pen.fillStyle = colours.faint;
    pen.textAlign = "center";
    if (x(at) < width - 26) pen.fillText(clock(at), x(at), 8);
  }
  pen.textAlign = "left";
  spots = [];
  all.forEach((lane, number) => drawLane(lane, TOP + number * LANE, { x, right, left, width, font }));
  canvas.setAttribute("aria-label", `${all.length} chats and runs, ${spots.length} events`);
}

function drawLane(lane, y, { x, right, left, width, font }) {
  const middle = y + LANE / 2, first = lane[0], last = lane.at(-1);
  const colour = colours[{ good: "good", bad: "bad", warn: "warn", busy: "accent" }[lane.map((seen) => verdict(seen)[1]).reduce((worse, one) => ["good", "warn", "busy", "bad"].indexOf(one) > ["good", "warn", "busy", "bad"].indexOf(worse) ? one : worse)]];
  pen.fillStyle = colour;
  pen.beginPath(); pen.arc(6, middle, 3.5, 0, 7); pen.fill();
  pen.font = `600 12px ${font}`; pen.fillStyle = colours.ink;
  const who = first.user ? clipped(first.user, 70) : clipped(first.subject || first.path, LEFT - 32);
  pen.fillText(who, 16, middle);
  const after = 16 + pen.measureText(who).width + 7;
  pen.font = `12px ${font}`; pen.fillStyle = colours.soft;
  if (LEFT - after > 40) pen.fillText(clipped(first.question || (first.user ? first.subject : ""), LEFT - after - 16), after, middle);
  pen.save();
  pen.beginPath(); pen.rect(LEFT - 6, y, width - LEFT + 6, LANE); pen.clip();
  const end = (seen) => seen.seconds === null ? Math.min(now(), right) : seen.at + seen.seconds;
  pen.fillStyle = colours.line;
  pen.fillRect(x(first.at), middle - 0.5, Math.max(0, x(end(last)) - x(first.at)), 1);
  for (const seen of lane) {
    if (seen.stream) {
      pen.fillStyle = colours.bar;
      pen.beginPath(); pen.roundRect(x(seen.at) - 3, middle - 7, Math.max(6, x(end(seen)) - x(seen.at) + 6), 14, 5); pen.fill();
      for (const mark of seen.marks) drawMark(seen, mark, x(seen.at + mark[0] / 1000), middle);
      if (seen.seconds !== null && !isOver(seen)) cross(x(end(seen)) + 1, middle, seen.ending === "left" ? colours.warn : colours.bad, seen);
    } else {
      const [word, kind] = verdict(seen);
      const at = x(seen.at);
      if (kind === "bad") cross(at, middle, colours.bad, seen);
      else { pen.strokeStyle = colours.chat; pen.lineWidth = 1.5; pen.beginPath(); pen.arc(at, middle, 3.5, 0, 7); pen.stroke(); }
      spots.push({ at, y: middle, seen, kind: "look", name: `${seen.method} ${seen.path}`, text: [word, seen.msg || seen.answer].filter(Boolean).join("  "), seconds: 0 });
    }
  }
  pen.restore();
}

function cross(at, y, colour, seen) {
  pen.strokeStyle = colour; pen.lineWidth = 2; pen.beginPath();
  pen.moveTo(at - 4, y - 4); pen.lineTo(at + 4, y + 4); pen.moveTo(at + 4, y - 4); pen.lineTo(at - 4, y + 4); pen.stroke();
  if (seen.stream) spots.push({ at, y, seen, name: verdict(seen)[0], text: seen.fault ? `fault: ${seen.fault}` : "", seconds: seen.seconds });
}

function drawMark(seen, [ms, kind, name, text], at, y) {
  pen.fillStyle = colours[kind] ?? colours.bytes;
  if (kind === "delta" || kind === "reasoning" || kind === "audio" || kind === "bytes") pen.fillRect(at - 0.75, y - 4.5, 1.5, 9);
  else if (kind === "chat") { pen.beginPath(); pen.moveTo(at, y - 4.5); pen.lineTo(at + 4.5, y); pen.lineTo(at, y + 4.5); pen.lineTo(at - 4.5, y); pen.fill(); }
  else if (kind === "done") pen.fillRect(at - 1.5, y - 8, 3, 16);
  else if (kind === "error") { cross(at, y, colours.error, { stream: false }); }
  else { pen.beginPath(); pen.arc(at, y, 4, 0, 7); pen.fill(); }
  spots.push({ at, y, seen, kind, name, text, seconds: ms / 1000 });
}

canvas.addEventListener("mousemove", (event) => {
  const box = canvas.getBoundingClientRect(), atX = event.clientX - box.left, atY = event.clientY - box.top;
  let best = null, near = 9;
  for (const spot of spots) {
    const far = Math.abs(spot.at - atX);
    if (Math.abs(spot.y - atY) <= LANE / 2 && far <= near) { best = spot; near = far; }
  }
  canvas.style.cursor = best ? "pointer" : "";
  tip(best, event);
});
canvas.addEventListener("mouseleave", () => tip(null));
canvas.addEventListener("click", (event) => {
  const box = canvas.getBoundingClientRect(), atY = event.clientY - box.top;
  const spot = spots.find((one) => Math.abs(one.y - atY) <= LANE / 2);
  if (!spot) return;
  $("filter").value = spot.seen.lane || spot.seen.logid;
  refilter();
});

function tip(spot, event) {
  const box = $("tip");
  box.hidden = !spot;
  if (!spot) return;
  box.replaceChildren(make("b", {}, spot.name), make("span", {}, `+${took(spot.seconds)}`), spot.text ? make("p", {}, spot.text) : "");
  const wide = box.offsetWidth, high = box.offsetHeight;
  box.style.left = `${Math.min(event.clientX + 12, innerWidth - wide - 8)}px`;
  box.style.top = `${event.clientY + 16 + high > innerHeight ? event.clientY - high - 10 : event.clientY + 16}px`;
}

for (const kind of KINDS) {
  const swatch = make("i"); swatch.style.background = `var(--${kind})`;
  $("legend").append(make("li", {}, swatch, NAMES[kind] ?? kind));
}
$("span").addEventListener("click", (event) => {
  if (!event.target.dataset.seconds) return;
  span = +event.target.dataset.seconds;
  for (const button of $("span").children) button.setAttribute("aria-pressed", button === event.target);
});
$("pause").addEventListener("click", () => {
  paused = paused === null ? edge() : null;
  $("pause").setAttribute("aria-pressed", paused !== null);
  $("pause").textContent = paused === null ? "Pause" : "Go on";
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); lastDrawn = ""; });

// Faults

const FAMILIES = { refusal: "Refused", connection: "The connection", answer: "The answer" };
const sliders = new Map();
// Small shares are the usual ones: the left half of a slider is 0 to 10 %.
const toShare = (place) => place <= 50 ? Math.round(place * 2) / 1000 : Math.round(10 + (place - 50) * 1.8) / 100;
const toPlace = (value) => value <= 0.1 ? value * 500 : 50 + (value * 100 - 10) / 1.8;

async function send(path, body) {
  const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (response.ok) showFaults(await response.json());
}

function makeKinds(kinds) {
  $("kinds").replaceChildren();
  let family = "";
  for (const [kind, group, about] of kinds) {
    if (group !== family) $("kinds").append(make("h3", {}, FAMILIES[family = group] ?? group));
    const slider = make("input", { type: "range", min: 0, max: 100, step: 1, value: 0, id: `kind-${kind}` });
    const told = make("output", {}, "–");
    const line = make("div", { class: "kind", title: `${kind}: ${about}` }, make("label", { htmlFor: slider.id }, kind), slider, told);
    slider.addEventListener("input", () => paint(line, slider, told, toShare(+slider.value)));
    slider.addEventListener("change", () => send("faults", { kind, probability: toShare(+slider.value) }));
    sliders.set(kind, { line, slider, told });
    $("kinds").append(line);
  }
}

function paint(line, slider, told, value) {
  line.classList.toggle("on", value > 0);
  told.textContent = value ? share(value) : "–";
  slider.setAttribute("aria-valuetext", share(value));
  slider.style.setProperty("--share", `${toPlace(value)}%`);
}

function showFaults({ on, planned }) {
  for (const [kind, { line, slider, told }] of sliders) {
    const value = on[kind] ?? 0;
    if (document.activeElement !== slider || !slider.matches(":active")) slider.value = toPlace(value);
    paint(line, slider, told, value);
  }
  const count = Object.keys(on).length;
  $("faults-on").textContent = [count ? `${count} on` : "", planned.length ? `${planned.length} planned` : ""].filter(Boolean).join(", ") || "none";
  $("heal").disabled = !count && !planned.length;
  $("planned").replaceChildren(...(planned.length ? [make("h3", {}, "Planned in code")] : []), ...planned.map((one) => make("p", {}, one.fault, one.on === "*" ? "" : ` on ${one.on}`, one.left === null ? "" : `, ${one.left} times`, one.probability < 1 ? `, ${share(one.probability)}` : "")));
}

$("heal").addEventListener("click", () => send("heal", {}));

// Rates

let limits = {};

function showRates({ buckets, users, refused }) {
  const shown = Object.entries(buckets);
  $("buckets").replaceChildren(...shown.map(([name, seconds]) => {
    const most = Math.max(4, limits[name] ?? 0, ...seconds);
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("viewBox", "0 0 180 20");
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `${name}: at most ${Math.max(...seconds)} a second`);
    const ground = document.createElementNS(picture.namespaceURI, "line");
    for (const [key, value] of Object.entries({ x1: 0, x2: 180, y1: 19.5, y2: 19.5 })) ground.setAttribute(key, value);
    picture.append(ground);
    if (limits[name] && limits[name] <= most) {
      const edge = ground.cloneNode();
      for (const end of ["y1", "y2"]) edge.setAttribute(end, 19.5 - limits[name] / most * 19);
      edge.setAttribute("class", "limit");
      picture.append(edge);
    }
    seconds.forEach((count, at) => {
      if (!count) return;
      const bar = document.createElementNS(picture.namespaceURI, "rect"), high = Math.max(1.5, count / most * 19);
      for (const [key, value] of Object.entries({ x: at * 3, y: 19.5 - high, width: 2.2, height: high, rx: .6 })) bar.setAttribute(key, value);
      picture.append(bar);
    });
    const minute = seconds.reduce((sum, count) => sum + count, 0);
    return make("div", { class: "bucket" }, make("label", {}, name), picture, make("span", { title: limits[name] ? `in the last whole second; ${limits[name]} are taken` : "in the last whole second" }, limits[name] ? `${seconds.at(-2)} of ${limits[name]} /s` : `${seconds.at(-2)} /s`), make("span", { class: "minute" }, `${minute} /min`));
  }));
  $("now").textContent = shown.reduce((sum, [, seconds]) => sum + seconds.at(-2), 0);
  $("refused").hidden = !refused;
  $("refused").textContent = `${refused} refused for their rate`;
  $("users-title").hidden = !users.length;
  const most = users[0]?.[1] ?? 1;
  $("users").replaceChildren(...users.map(([user, count]) => {
    const bar = make("i"); bar.style.width = `${count / most * 100}%`;
    return make("div", { class: "person", title: `${user}: ${count} requests` }, make("span", {}, user), bar, make("span", {}, `${count}`));
  }));
}

// Talking to a bot: an ordinary client of the API, in every dialect.

let conversation = "", dialect = "cloud";

function say(kind, text) {
  const line = make("p", { class: kind }, text);
  $("said").append(line);
  $("said").scrollTop = 1e9;
  return line;
}

async function ask(question) {
  say("asked", question);
  $("send").disabled = true;
  const body = { bot_id: $("bot").value.trim() || "demo", user_id: $("user").value.trim() || "page", stream: true, additional_messages: [{ role: "user", content: question, content_type: "text" }] };
  const query = conversation ? `?conversation_id=${encodeURIComponent(conversation)}` : "";
  try {
    const response = await fetch(`/v3/chat${query}`, { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${$("token").value.trim()}` }, body: JSON.stringify(body) });
    if (!(response.headers.get("content-type") ?? "").includes("event-stream")) {
      say("wrong", refusal(response.status, await response.text()));
      return;
    }
    await listen(response.body.getReader());
  } catch (error) {
    say("wrong", `The connection failed: ${error.message}`);
  } finally {
    $("send").disabled = false;
    $("fresh").hidden = !$("said").children.length;
  }
}

function refusal(status, text) {
  try {
    const { code, msg } = JSON.parse(text);
    return `HTTP ${status}, code ${code}: ${msg}`;
  } catch { return `HTTP ${status}: ${text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim().slice(0, 300) || "an empty answer"}`; }
}

async function listen(reader) {
  const decoder = new TextDecoder(), open = new Map();
  let rest = "", ended = false;
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? "" : decoder.decode(value, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.match(/^(\w+): ?(.*)$/)).filter(Boolean).map((found) => [found[1], found[2]]));
      if (fields.event) ended = heard(fields.event, fields.data, open) || ended;
    }
    if (done) break;
  }
  if (rest.trim().startsWith("{")) say("wrong", refusal(200, rest));
  else if (!ended) say("wrong", "The answer broke off: no last event came.");
}

function heard(event, text, open) {
  let data = {};
  try { data = text ? JSON.parse(text) : {}; } catch { say("wrong", `The data of ${event} cannot be read: ${text.slice(0, 120)}`); }
  data = data.message_item ?? data.run_record_item ?? data.error ?? data;
  conversation = data.conversation_id || conversation;
  if (event.endsWith("message.delta")) {
    for (const [field, kind] of [["reasoning_content", "thought"], ["content", "told"]]) {
      if (!data[field]) continue;
      const key = `${data.id} ${field}`;
      if (!open.has(key)) open.set(key, say(kind, ""));
      open.get(key).append(data[field]);
    }
    $("said").scrollTop = 1e9;
  } else if (event.endsWith("message.completed")) {
    if (data.type === "follow_up") {
      if (!open.has("next")) { open.set("next", make("div", { class: "next" })); $("said").append(open.get("next")); }
      open.get("next").append(make("button", { type: "button", onclick: () => ask(data.content) }, data.content));
      $("said").scrollTop = 1e9;
    } else if (data.type === "function_call" || data.type?.startsWith("tool_")) say("note", `${data.type}: ${data.content}`);
    else if (data.content_type === "card") say("note", `card: ${data.content}`);
    else if (data.content?.includes("knowledge_recall")) say("note", "looked into its knowledge");
  } else if (event.endsWith("requires_action")) say("note", "waits for the outputs of its tools, which only a program can submit");
  else if (event.endsWith("chat.failed")) say("wrong", `code ${data.last_error?.code ?? data.code}: ${data.last_error?.msg ?? data.msg}`);
  else if (event === "error" || event === "conversation.error") { say("wrong", `code ${data.code}: ${data.msg}`); return true; }
  return event.endsWith("done");
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || $("send").disabled) return;
  $("question").value = "";
  ask(question);
});
$("fresh").addEventListener("click", () => { conversation = ""; $("said").replaceChildren(); $("fresh").hidden = true; });

// News

let version = 0;

function hear(news) {
  version += 1;
  if (news.dialect) { dialect = news.dialect; $("dialect").textContent = dialect; makeKinds(news.kinds); requests.clear(); chosen.clear(); rows.replaceChildren(); }
  if ("total" in news) $("total").textContent = news.total.toLocaleString("en");
  if ("open" in news) $("open").textContent = news.open;
  if (news.faults) showFaults(news.faults);
  if (news.limits) limits = news.limits;
  if (news.rates) showRates(news.rates);
  for (const seen of news.requests ?? []) take(seen);
  note();
}

let source;

// A tab that nobody sees costs nothing; the first news of a new stream are all there is.
document.addEventListener("visibilitychange", () => {
  source?.close();
  if (!document.hidden) listenToNews();
});

function listenToNews() {
  const link = $("link");
  source = new EventSource("events");
  source.onopen = () => { link.textContent = "live"; link.className = "link live"; };
  source.onerror = () => { link.textContent = "not running"; link.className = "link lost"; };
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (news.now) ahead = news.now - Date.now() / 1000;
    hear(news);
  };
}

$("url").textContent = location.origin;
$("url").addEventListener("click", async () => {
  await navigator.clipboard?.writeText(location.origin);
  $("url").textContent = "copied";
  setTimeout(() => { $("url").textContent = location.origin; }, 900);
});
readColours();
(function frame() { draw(); requestAnimationFrame(frame); })();
listenToNews();
