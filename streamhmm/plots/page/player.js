"use strict";
const LABEL = 0, START = 1, END = 2, SCORE = 3;
const PIXELS_A_SECOND = 230, STEP_S = 5, LEAD_S = 0.02;
const byId = (id) => document.getElementById(id);
const audio = byId("audio"), overview = byId("overview"), detail = byId("detail"), now = byId("now");

const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
// From a blob, not from a data address: Safari plays and seeks only what it can ask for in ranges.
audio.src = URL.createObjectURL(new Blob([bytesOf(data.audio)], { type: "audio/mpeg" }));
const peaks = bytesOf(data.peaks);

// The last of the rows, sorted by their starts, that has begun at a time; −1 before the first.
function lastBegun(rows, time) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle][START] <= time) low = middle + 1; else high = middle;
  }
  return low - 1;
}

function current(rows, time) {
  const index = lastBegun(rows, time);
  return index >= 0 && time < rows[index][END] ? index : -1;
}

function clock(seconds) {
  const whole = Math.floor(seconds / 60), rest = (seconds - 60 * whole).toFixed(2).padStart(5, "0");
  return whole >= 60 ? `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}:${rest}` : `${whole}:${rest}`;
}

// ---- the text

let marked = null;
function mark(element) {
  if (element === marked) return;
  if (marked) marked.classList.remove("now");
  marked = element;
  if (!element) return;
  element.classList.add("now");
  if (byId("follow").checked) keepInView(element);
}

function keepInView(element) {
  const box = element.getBoundingClientRect(), top = byId("panel").getBoundingClientRect().bottom;
  if (box.top >= top + 8 && box.bottom <= innerHeight - 40) return;
  scrollBy({ top: box.top - top - (innerHeight - top) / 3, behavior: "auto" });
}

function describe(word, time) {
  now.textContent = clock(time);
  if (word < 0) return;
  const [label, start, end, score] = data.words[word];
  const spoken = data.phones.slice(lastBegun(data.phones, start - 1e-4) + 1, lastBegun(data.phones, end - 1e-4) + 1);
  const phones = spoken.map((phone) => phone[LABEL]).join(" ");
  now.textContent += `  ${label}  ${phones ? "/" + phones + "/ " : ""}${score === null ? "" : score.toFixed(2)}`;
}

// ---- the pictures

const theme = {};
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "line", "ground", "mark", "accent", "bad"])
    theme[name] = style.getPropertyValue("--" + name).trim();
}

function contextOf(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const scoreColour = (score) => (score === null ? "transparent" : `rgba(213,94,0,${(0.75 * (1 - score)).toFixed(2)})`);

function drawWave(context, start, end, top, height) {
  const width = context.canvas.clientWidth, middle = top + height / 2;
  context.fillStyle = theme.soft;
  for (let x = 0; x < width; x++) {
    const first = Math.floor((start + (end - start) * x / width) * data.peaks_a_second);
    const last = Math.max(first + 1, Math.floor((start + (end - start) * (x + 1) / width) * data.peaks_a_second));
    let peak = 0;
    for (let i = Math.max(0, first); i < Math.min(last, peaks.length); i++) if (peaks[i] > peak) peak = peaks[i];
    if (first >= peaks.length || last <= 0) continue;
    const size = Math.max(1, peak / 255 * height);
    context.fillRect(x, middle - size / 2, 1, size);
  }
}

let still = null;  // the overview without its cursor
function drawOverview(time) {
  const context = contextOf(overview), width = overview.clientWidth, height = overview.clientHeight;
  const at = (seconds) => seconds / data.duration * width;
  if (!still || still.width !== overview.width || still.height !== overview.height) {
    drawWave(context, 0, data.duration, 0, height - 8);
    for (const [, start, end, score] of data.words) {
      context.fillStyle = theme.accent;
      context.fillRect(at(start), height - 7, Math.max(0.5, at(end) - at(start) - 0.5), 2);
      context.fillStyle = scoreColour(score);
      context.fillRect(at(start), height - 5, Math.max(1, at(end) - at(start)), 5);
    }
    context.fillStyle = theme.line;
    context.globalAlpha = 0.6;
    for (const [, start, end] of data.offscript) context.fillRect(at(start), 0, at(end) - at(start), height - 8);
    context.globalAlpha = 1;
    still = document.createElement("canvas");
    still.width = overview.width;
    still.height = overview.height;
    still.getContext("2d").drawImage(overview, 0, 0);
  } else {
    context.drawImage(still, 0, 0, width, height);
  }
  context.fillStyle = theme.bad;
  context.fillRect(at(time) - 1, 0, 2, height);
}

const windowLength = () => detail.clientWidth / PIXELS_A_SECOND;  // of the detail, seconds
const windowStart = (time) => Math.max(0, Math.min(time - windowLength() / 2, data.duration - windowLength()));

function drawRow(context, rows, start, top, height, active, font) {
  const at = (seconds) => (seconds - start) * PIXELS_A_SECOND;
  context.font = font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let i = Math.max(0, lastBegun(rows, start)); i < rows.length && rows[i][START] < start + windowLength(); i++) {
    const left = at(rows[i][START]), right = at(rows[i][END]);
    if (right < 0) continue;
    context.fillStyle = i === active ? theme.mark : scoreColour(rows[i][SCORE]);
    context.fillRect(left, top, right - left, height);
    context.strokeStyle = theme.soft;
    context.lineWidth = 0.5;
    context.strokeRect(left, top, right - left, height);
    if (context.measureText(rows[i][LABEL]).width > right - left - 1) continue;
    context.fillStyle = theme.ink;
    context.fillText(rows[i][LABEL], (left + right) / 2, top + height / 2 + 1);
  }
}

function drawDetail(time, word) {
  const context = contextOf(detail), height = detail.clientHeight;
  const start = windowStart(time), end = start + windowLength(), at = (seconds) => (seconds - start) * PIXELS_A_SECOND;
  context.fillStyle = theme.line;
  for (const [, from, to] of data.offscript) context.fillRect(at(from), 0, at(to) - at(from), height);
  drawWave(context, start, end, 0, height - 62);
  drawRow(context, data.phones, start, height - 60, 20, current(data.phones, time), "10px system-ui, sans-serif");
  drawRow(context, data.words, start, height - 40, 24, word, "13px system-ui, sans-serif");
  context.fillStyle = theme.soft;
  context.font = "10px system-ui, sans-serif";
  for (let second = Math.ceil(start); second < end; second++) {
    context.fillRect(at(second), height - 15, 1, 4);
    if (at(second) > 15) context.fillText(clock(second).replace(/\.00$/, ""), at(second), height - 5);
  }
  context.fillStyle = theme.bad;
  context.fillRect(at(time) - 1, 0, 2, height - 14);
}

// ---- time

function show() {
  const time = audio.currentTime;
  const word = current(data.words, time + LEAD_S), other = current(data.offscript, time);
  mark(word >= 0 ? byId("w" + word) : other >= 0 ? byId("o" + other) : null);
  describe(word, time);
  drawOverview(time);
  drawDetail(time, word);
}

let ticking = false;
function tick() {
  show();
  if (!audio.paused && !audio.ended) requestAnimationFrame(tick); else ticking = false;
}
function begin() {
  if (ticking) return;
  ticking = true;
  requestAnimationFrame(tick);
}
audio.addEventListener("play", begin);
for (const name of ["seeked", "pause", "ended", "loadedmetadata"]) audio.addEventListener(name, show);

function seek(time) {
  audio.currentTime = Math.max(0, Math.min(time, data.duration));
  show();
}

let until = null;  // where a repeated word ends
audio.addEventListener("timeupdate", () => {
  if (until !== null && audio.currentTime >= until) { until = null; audio.pause(); }
});

function play() { audio.play().catch(() => {}); }

function step(direction) {
  const begun = lastBegun(data.words, audio.currentTime + LEAD_S);
  const target = Math.max(0, Math.min(begun + direction, data.words.length - 1));
  if (data.words.length) seek(data.words[target][START]);
}

function repeat() {
  const word = lastBegun(data.words, audio.currentTime + LEAD_S);
  if (word < 0) return;
  seek(data.words[word][START]);
  until = data.words[word][END];
  play();
}

const KEYS = {
  " ": () => (audio.paused ? play() : audio.pause()),
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  ArrowUp: () => seek(audio.currentTime - STEP_S),
  ArrowDown: () => seek(audio.currentTime + STEP_S),
  r: repeat,
};
document.addEventListener("keydown", (event) => {
  const isTyping = ["INPUT", "SELECT", "BUTTON", "SUMMARY"].includes(event.target.tagName);
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  until = null;
  KEYS[event.key]();
}, true);

function hear(time) {
  until = null;
  seek(time);
  play();
}
byId("text").addEventListener("click", (event) => {
  const element = event.target.closest(".w, .off");
  if (!element) return;
  const rows = element.id[0] === "w" ? data.words : data.offscript;
  hear(rows[Number(element.id.slice(1))][START]);
});
byId("text").addEventListener("pointerover", (event) => {
  const element = event.target.closest(".w");
  if (!element || element.title) return;
  const [, start, end, score] = data.words[Number(element.id.slice(1))];
  element.title = `${start.toFixed(3)} – ${end.toFixed(3)} s` + (score === null ? "" : `, score ${score}`);
});
for (const button of document.querySelectorAll(".jump"))
  button.addEventListener("click", () => hear(data.words[Number(button.dataset.word)][START]));

function dragging(canvas, timeAt) {
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); seek(timeAt(event.offsetX)); });
  canvas.addEventListener("pointermove", (event) => { if (canvas === overview && event.buttons) seek(timeAt(event.offsetX)); });
}
dragging(overview, (x) => x / overview.clientWidth * data.duration);
dragging(detail, (x) => windowStart(audio.currentTime) + x / PIXELS_A_SECOND);

byId("speed").addEventListener("change", (event) => { audio.playbackRate = Number(event.target.value); });
function restyle() { readTheme(); still = null; show(); }
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
addEventListener("resize", restyle);
restyle();
