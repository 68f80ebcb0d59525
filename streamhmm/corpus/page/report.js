const STEP = 200, BINS = 30;
const byId = (id) => document.getElementById(id);
const isText = data.columns.map((_, c) => data.rows.some((row) => typeof row[c] === "string" && row[c] !== ""));
let order = data.rows.map((_, index) => index), shown = STEP, sorted = { column: -1, up: true }, bar = null;

function matches(index) {
  const wanted = byId("search").value.toLowerCase(), row = data.rows[index];
  if (bar && !(row[bar.column] !== null && row[bar.column] >= bar.low && row[bar.column] <= bar.high)) return false;
  return !wanted || row.some((value) => typeof value === "string" && value.toLowerCase().includes(wanted));
}

function cell(row, index, column) {
  const element = document.createElement("td"), value = row[column];
  if (column === 0 && data.links[index]) {
    const play = element.appendChild(document.createElement("button"));
    play.textContent = "▶";
    play.title = "listen";
    play.onclick = () => { byId("player").src = data.links[index]; byId("player").play(); };
  }
  if (isText[column]) element.className = ["warnings", "text"].includes(data.columns[column]) ? "text long" : "text";
  element.append(value === null ? "" : typeof value === "number" ? String(+value.toFixed(3)) : value);
  return element;
}

function draw() {
  const found = order.filter(matches), body = document.createElement("tbody");
  for (const index of found.slice(0, shown)) {
    const line = body.insertRow(), row = data.rows[index];
    line.className = row[1];
    row.forEach((_, column) => line.append(cell(row, index, column)));
  }
  byId("table").tBodies[0].replaceWith(body);
  byId("more").hidden = found.length <= shown;
  byId("count").textContent = `${Math.min(shown, found.length)} of ${found.length}`;
}

function sort(column) {
  const up = sorted.column === column ? !sorted.up : isText[column];
  sorted = { column, up };
  const key = (index) => data.rows[index][column];
  const empty = (value) => value === null || value === "";
  order.sort((a, b) => {
    const x = key(a), y = key(b);
    if (empty(x) || empty(y)) return empty(x) - empty(y);  // what is not there comes last either way
    return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
  });
  [...byId("table").tHead.rows[0].cells].forEach((head, c) =>
    head.setAttribute("aria-sort", c !== column ? "none" : up ? "ascending" : "descending"));
  draw();
}

function histogram(name) {
  const column = data.columns.indexOf(name), values = data.rows.map((row) => row[column]).filter((v) => v !== null);
  if (!values.length) return;
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const width = (high - low) / BINS || 1, counts = new Array(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor((value - low) / width))] += 1;
  const most = Math.max(...counts), svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${BINS} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  counts.forEach((count, bin) => {
    if (!count) return;
    const rect = svg.appendChild(document.createElementNS(svg.namespaceURI, "rect"));
    const height = Math.max(1, 40 * count / most), from = low + bin * width, to = from + width;
    Object.entries({ x: bin + .05, y: 40 - height, width: .9, height }).forEach(([k, v]) => rect.setAttribute(k, v));
    rect.appendChild(document.createElementNS(svg.namespaceURI, "title")).textContent =
      `${count} from ${from.toFixed(3)} to ${to.toFixed(3)}`;
    rect.onclick = () => {
      const same = rect.classList.contains("chosen");
      document.querySelectorAll("rect.chosen").forEach((other) => other.classList.remove("chosen"));
      rect.classList.toggle("chosen", !same);
      bar = same ? null : { column, low: from, high: bin === BINS - 1 ? high : to };
      draw();
    };
  });
  const figure = byId("histograms").appendChild(document.createElement("figure"));
  figure.append(svg);
  figure.appendChild(document.createElement("figcaption")).textContent =
    `${name}: ${+low.toFixed(3)} to ${+high.toFixed(3)}`;
}

const head = byId("table").tHead.insertRow();
data.columns.forEach((name, column) => {
  const element = head.appendChild(document.createElement("th"));
  element.textContent = name.replaceAll("_", " ");
  if (isText[column]) element.className = "text";
  element.onclick = () => sort(column);
});
byId("search").oninput = () => { shown = STEP; draw(); };
byId("more").onclick = () => { shown += STEP; draw(); };
data.histograms.forEach(histogram);
draw();
