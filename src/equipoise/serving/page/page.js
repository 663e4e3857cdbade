"use strict";
// All texts and names are set as text, never as markup.
const by = (id) => document.getElementById(id);
const SHOWN = 100;
let rows = null; // rows of a chosen file: a list of cells each, the header first
let most = 256;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function headers() {
  const found = { "Content-Type": "application/json" };
  if (by("key").value) found["X-API-Key"] = by("key").value;
  return found;
}

async function readInfo() {
  const answer = await fetch("/info", { headers: headers() });
  if (answer.status === 401) by("options").open = true;
  if (!answer.ok) return;
  const info = await answer.json();
  most = info.limits.items;
  by("title").textContent = info.model;
  document.title = `${info.model} – Equipoise`;
  by("pair-row").hidden = !Object.values(info.tasks).some((task) => task.reads_pair);
}

// RFC 4180: quotes may hold the delimiter, line ends, and doubled quotes.
function parseTable(content) {
  const head = content.split("\n", 1)[0];
  const delimiter = ["\t", ";", ","].reduce((best, one) => (head.split(one).length > head.split(best).length ? one : best), ",");
  const delimits = head.includes(delimiter); // else there is one column, and a comma is a comma
  const table = [[""]];
  let quoted = false;
  for (let at = 0; at < content.length; at++) {
    const line = table[table.length - 1];
    const sign = content[at];
    if (quoted) {
      if (sign !== '"') line[line.length - 1] += sign;
      else if (content[at + 1] === '"') { line[line.length - 1] += sign; at++; } else quoted = false;
    } else if (sign === '"' && line[line.length - 1] === "") quoted = true;
    else if (delimits && sign === delimiter) line.push("");
    else if (sign === "\n") table.push([""]);
    else if (sign !== "\r") line[line.length - 1] += sign;
  }
  return table.filter((line) => line.length > 1 || line[0] !== "");
}

function forgetFile(why = "") {
  rows = null;
  by("file").value = "";
  by("column").replaceChildren();
  by("column-row").hidden = true;
  by("status").textContent = why;
}

async function readText(file) {
  const content = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  if (content.includes("\0")) throw new TypeError("a text has no NUL");
  return content;
}

async function takeFile(file) {
  let content;
  try {
    content = await readText(file);
  } catch {
    forgetFile(`${file.name} is not a text in UTF-8. Save the table as CSV, with the encoding UTF-8, and choose it again.`);
    return;
  }
  const isTable = !file.name.toLowerCase().endsWith(".txt");
  const found = isTable ? parseTable(content) : [["text"], ...content.split(/\r?\n/).filter(Boolean).map((line) => [line])];
  if (found.length < 2) {
    forgetFile(found.length ? `${file.name} has a header, but no rows.` : `${file.name} is empty.`);
    return;
  }
  rows = found;
  const column = by("column");
  column.replaceChildren(...rows[0].map((name, number) => new Option(name || `column ${number + 1}`, String(number))));
  const guess = rows[0].findIndex((name) => /^(text|review|comment|tweet|sentence|body)$/i.test(name.trim()));
  column.value = String(Math.max(0, guess));
  by("column-row").hidden = rows[0].length < 2;
  by("status").textContent = `${(rows.length - 1).toLocaleString()} rows of ${file.name}`;
}

// The texts, each with what is wrong with its row, if anything is: such a row is not sent.
function gatherTexts() {
  if (!rows) return by("texts").value.split("\n").filter((line) => line.trim()).map((text) => ({ text }));
  const width = rows[0].length;
  return rows.slice(1).map((cells, number) => ({
    text: cells[Number(by("column").value)] ?? "",
    fault: cells.length === width ? undefined
      : `row ${number + 1}: found ${cells.length} cells, expected ${width} as in the header. Put a cell that holds the delimiter or a line break in double quotes.`,
  }));
}

function askForKey() {
  by("options").open = true;
  by("key").focus();
  return by("key").value ? "The service does not take this key: correct it under Options." : "This service needs a key: give it under Options.";
}

async function ask(texts) {
  const pair = by("pair-row").hidden ? "" : by("pair").value.trim();
  const body = { texts: pair ? texts.map((text) => ({ text, pair })) : texts };
  for (const name of ["level", "abstain"]) if (by(name).value) body[name] = Number(by(name).value);
  if (by("explain").checked) body.explain = true;
  for (;;) {
    const answer = await fetch("/predict", { method: "POST", headers: headers(), body: JSON.stringify(body) });
    const found = await answer.json();
    if (answer.status === 429) {
      const wait = Number(answer.headers.get("Retry-After")) || 1;
      await new Promise((done) => setTimeout(done, 1000 * wait));
    } else if (answer.status === 401) throw new Error(askForKey());
    else if (!answer.ok) throw new Error(found.error);
    else return found.answers;
  }
}

function showBars(probabilities) {
  const list = make("dl", "bars");
  const sorted = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  for (const [name, value] of sorted.slice(0, 12)) {
    const bar = make("div", "bar");
    const fill = make("i");
    fill.style.width = `${100 * value}%`;
    bar.append(fill);
    bar.setAttribute("aria-hidden", "true");
    list.append(make("dt", "", name), bar, make("dd", "", value.toFixed(2)));
  }
  return list;
}

// Offsets count characters as Python does: code points, not UTF-16 units.
function paint(text, marks) {
  const signs = Array.from(text);
  const line = make("p", "words");
  let done = 0;
  for (const mark of [...marks].sort((one, other) => one.start - other.start)) {
    if (mark.start < done) continue;
    line.append(signs.slice(done, mark.start).join(""));
    const element = make("mark", mark.kind, signs.slice(mark.start, mark.end).join(""));
    if (mark.weight !== undefined) element.style.setProperty("--weight", String(mark.weight));
    element.title = mark.title;
    line.append(element);
    done = mark.end;
  }
  line.append(signs.slice(done).join(""));
  return line;
}

function showWords(text, words) {
  const inText = words.filter((word) => word.in !== "pair" && word.start !== undefined);
  const largest = Math.max(1e-9, ...inText.map((word) => Math.abs(word.weight)));
  return paint(text, inText.filter((word) => Math.abs(word.weight) > 0.1 * largest).map((word) => ({
    start: word.start, end: word.end, weight: Math.abs(word.weight) / largest,
    kind: word.weight > 0 ? "for" : "against",
    title: `${word.weight > 0 ? "for" : "against"} the answer: ${word.weight.toFixed(3)}`,
  })));
}

function describeItem(item) {
  const names = ["category", "term", "opinion", "polarity", "label"];
  const said = names.filter((name) => name in item).map((name) => item[name] ?? "(not said)");
  return said.join(" – ") + (item.score === undefined ? "" : ` (${item.score.toFixed(2)})`);
}

function showItems(text, items) {
  const box = make("div");
  const placed = items.filter((item) => Number.isInteger(item.start));
  if (!items.length) box.append(make("p", "verdict", "none"));
  if (placed.length) {
    box.append(paint(text, placed.map((item) => ({ start: item.start, end: item.end, kind: "aspect", title: describeItem(item) }))));
  }
  const list = make("ul", "items");
  for (const item of items) {
    const entry = make("li", "", item.unparsed ? `could not be read: ${item.unparsed}` : describeItem(item));
    if (item.words) entry.append(showWords(text, item.words));
    list.append(entry);
  }
  box.append(list);
  return box;
}

// A list of classes; or, of a task with several labels, whether each applies.
function describeSet(set) {
  if (Array.isArray(set)) return set.join(", ") || "none";
  return Object.entries(set).map(([label, applies]) => `${label}: ${applies}`).join(", ");
}

function showTask(name, answer, text) {
  const box = make("div");
  box.append(make("h3", "", name));
  if (Array.isArray(answer)) {
    box.append(showItems(text, answer));
    return box;
  }
  const verdict = answer.unsure === true ? `unsure, perhaps ${answer.best}` : answer.label ?? answer.labels?.join(", ") ?? answer.text
    ?? (answer.score === undefined ? "" : answer.score.toFixed(3));
  box.append(make("p", "verdict", verdict || "none"));
  if (answer.interval) box.append(make("p", "note", `between ${answer.interval[0].toFixed(3)} and ${answer.interval[1].toFixed(3)}`));
  if (answer.set) box.append(make("p", "note", `possible: ${describeSet(answer.set)}`));
  if (answer.probabilities) box.append(showBars(answer.probabilities));
  if (Array.isArray(answer.words)) box.append(showWords(text, answer.words));
  else for (const [label, words] of Object.entries(answer.words ?? {})) box.append(make("p", "note", label), showWords(text, words));
  return box;
}

function isError(answer) {
  return typeof answer.error === "string";
}

function show(text, answer) {
  const card = make("article", "answer");
  card.append(make("h2", "", text));
  if (isError(answer)) card.append(make("p", "error", answer.error));
  else {
    const tasks = make("div", "tasks");
    for (const [name, of] of Object.entries(answer)) tasks.append(showTask(name, of, text));
    card.append(tasks);
  }
  return card;
}

async function answerAll(event) {
  event.preventDefault();
  const texts = gatherTexts();
  const status = by("status");
  if (!texts.length) { status.textContent = "Give a text first."; by("texts").focus(); return; }
  by("go").disabled = true;
  const results = by("results");
  results.replaceChildren();
  let errors = 0;
  try {
    for (let start = 0; start < texts.length; start += Math.min(64, most)) {
      status.textContent = `${start} of ${texts.length} read …`;
      const part = texts.slice(start, start + Math.min(64, most));
      const sent = part.filter((one) => !one.fault).map((one) => one.text);
      const answers = sent.length ? await ask(sent) : [];
      for (const [number, { text, fault }] of part.entries()) {
        const answer = fault ? { error: fault } : answers.shift();
        if (isError(answer)) errors++;
        if (start + number < SHOWN) results.append(show(text, answer));
      }
    }
    const failed = errors ? `, ${errors} with an error` : "";
    status.textContent = `${texts.length - errors} answered${failed}${texts.length > SHOWN ? `, the first ${SHOWN} shown` : ""}.`;
    results.focus();
  } catch (error) {
    status.textContent = `Not answered: ${error.message}`;
  } finally {
    by("go").disabled = false;
  }
}

by("form").addEventListener("submit", answerAll);
by("file").addEventListener("change", () => (by("file").files[0] ? takeFile(by("file").files[0]) : forgetFile()));
by("texts").addEventListener("input", () => forgetFile());
// Not on "change", which comes as the button is pressed: what appears then would move it away from under the pointer.
let asking = 0;
by("key").addEventListener("input", () => {
  clearTimeout(asking);
  asking = setTimeout(readInfo, 300);
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  by("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    by("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) takeFile(event.dataTransfer.files[0]);
  });
}
readInfo();
