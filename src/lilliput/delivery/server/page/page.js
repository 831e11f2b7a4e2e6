"use strict";

// Everything the server or a file says is put into the page as text, never as markup.

const AT_ONCE = 2, TRIES = 5, TOP = 5, PIXELS = 432;
const VEIL = 0.78, LEAST_DROP = 0.005;
const byId = (id) => document.getElementById(id);
let facts = { classifiers: [], limits: { body_bytes: 10 * 2 ** 20 } };
let cards = 0;

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function say(text) { byId("status").textContent = text; }

// For what has no card to stand in.
function tell(text) {
  say(text);
  byId("message").textContent = text;
  byId("message").hidden = !text;
  if (text) byId("message").scrollIntoView({ block: "nearest" });  // pictures are dropped beside cards far below, too
}

function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

// ---- asking the server -------------------------------------------------------------------------------------------

class Trouble extends Error {
  constructor(message, hint = "", again = false) {
    super(message);
    this.hint = hint;
    this.again = again;
  }
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function ask(path, body) {
  for (let attempt = 1; ; attempt++) {
    let response, said;
    try {
      const headers = body ? { "Content-Type": body.type || "application/octet-stream" } : {};
      response = await fetch(path, body ? { method: "POST", body, headers } : {});
      said = await response.json();
    } catch {
      throw new Trouble("The server does not answer.", "Is it still running? Then try again.", true);
    }
    if (response.ok) return said;
    if (response.status === 503 && attempt < TRIES) {
      await pause(Number(response.headers.get("Retry-After")) || 1);
      continue;
    }
    const error = (said && said.error) || { message: `The server answers ${response.status}.`, hint: "" };
    throw new Trouble(sentence(error.message), sentence(error.hint || ""), response.status === 503 || response.status === 408);
  }
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return whole && !/[.!?]$/.test(whole) ? `${whole}.` : whole;
}

// A few requests at a time: the others wait here, not in the server.
const waiting = [];
let running = 0;

function inTurn(work) {
  return new Promise((done, fail) => {
    waiting.push(() => work().then(done, fail));
    turn();
  });
}

function turn() {
  while (running < AT_ONCE && waiting.length) {
    running++;
    waiting.shift()().finally(() => { running--; turn(); });
  }
}

// ---- a picture and its card --------------------------------------------------------------------------------------

function addFiles(files) {
  const chosen = [...files];
  if (!chosen.length) return tell("There was no picture in that.");
  tell("");
  byId("answers").hidden = false;
  for (const file of chosen) addCard(file, file.name || "pasted picture");
  say(chosen.length === 1 ? "One picture is being looked at." : `${chosen.length} pictures are being looked at.`);
}

function addCard(file, name) {
  const card = make("article", "card picture");
  const title = make("h3", "", name);
  title.id = `card-${++cards}`;
  card.setAttribute("aria-labelledby", title.id);
  const canvas = make("canvas");
  canvas.width = canvas.height = PIXELS;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  const left = make("div"), right = make("div"), head = make("div", "title"), body = make("div");
  const remove = make("button", "quiet", "Remove");
  remove.type = "button";
  remove.setAttribute("aria-label", `Remove ${name}`);
  remove.addEventListener("click", () => removeCard(card));
  head.append(title, remove);
  left.append(canvas);
  right.append(head, body);
  card.append(left, right);
  byId("cards").prepend(card);
  const picture = { file, name, canvas, body, plain: null };
  showPicture(picture);
  look(picture);
}

function removeCard(card) {
  const next = card.nextElementSibling || card.previousElementSibling;
  card.remove();
  if (next) next.querySelector("button").focus();
  else clearCards();
}

function clearCards() {
  byId("cards").replaceChildren();
  byId("answers").hidden = true;
  tell("");
  byId("choose").focus();
}

async function showPicture(picture) {
  try {
    const bitmap = await createImageBitmap(picture.file);
    // Only the square that is looked at is kept: photographs are large.
    const side = Math.min(bitmap.width, bitmap.height);
    const context = picture.canvas.getContext("2d");
    context.imageSmoothingEnabled = side > 128;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, PIXELS, PIXELS);
    bitmap.close();
  } catch {
    const context = picture.canvas.getContext("2d");
    context.fillStyle = getComputedStyle(document.body).getPropertyValue("--muted");
    context.textAlign = "center";
    context.font = "24px system-ui, sans-serif";
    context.fillText("no preview", PIXELS / 2, PIXELS / 2);
  }
  picture.plain = picture.canvas.cloneNode();
  picture.plain.getContext("2d").drawImage(picture.canvas, 0, 0);
}

async function look(picture) {
  picture.body.replaceChildren(make("p", "waiting", "Looking …"));
  try {
    const most = facts.limits.body_bytes;
    if (picture.file.size > most) {
      throw new Trouble(`This file is larger than ${Math.round(most / 2 ** 20)} MB.`, "A smaller copy of it will do: only few pixels are looked at.");
    }
    if (!picture.file.size) throw new Trouble("This file is empty.");
    const said = await inTurn(() => ask(`/predict?top=${TOP}`, picture.file));
    showAnswers(picture, said.pictures[0].answers);
  } catch (trouble) {
    showTrouble(picture.body, trouble, () => look(picture));
    say(`${picture.name}: ${trouble.message}`);
  }
}

function showTrouble(place, trouble, again) {
  const box = make("div", "trouble");
  box.append(make("strong", "", trouble.message));
  if (trouble.hint) box.append(make("span", "note", trouble.hint));
  if (trouble.again) {
    const button = make("button", "", "Try again");
    button.type = "button";
    button.addEventListener("click", again);
    box.append(button);
  }
  place.replaceChildren(box);
}

function showAnswers(picture, answers) {
  const said = make("div", answers.length > 1 ? "said two" : "said");
  for (const one of answers) said.append(answerOf(picture, one, answers.length > 1));
  picture.body.replaceChildren(said);
  const best = answers.map((one) => one.top[0]);
  if (best.length > 1) {
    const same = best[0].name === best[1].name;
    picture.body.append(make("p", "verdict", same ? "Both say the same." : "They do not agree."));
  }
  picture.canvas.setAttribute("aria-label", `${picture.name}, taken for ${best[0].name}`);
  say(`${picture.name}: ${answers.map((one) => `${one.top[0].name}, ${percent(one.top[0].probability)}`).join("; ")}`);
}

function answerOf(picture, answer, isNamed) {
  const part = make("div", "who");
  if (isNamed) part.append(make("h4", "", answer.classifier));
  const list = make("ol", "classes");
  const fills = answer.top.map((guess) => {
    const line = make("li"), track = make("div", "track"), fill = make("span", "fill");
    const name = make("span", "name", guess.name || guess.id);
    name.title = guess.name;
    track.setAttribute("aria-hidden", "true");
    track.append(fill);
    line.append(name, make("span", "share", percent(guess.probability)), track);
    list.append(line);
    return [fill, guess.probability];
  });
  part.append(list, ...explainer(picture, answer.classifier));
  requestAnimationFrame(() => requestAnimationFrame(() => {
    for (const [fill, share] of fills) fill.style.width = `${100 * share}%`;
  }));
  return part;
}

// ---- what it looked at -------------------------------------------------------------------------------------------

function explainer(picture, classifier) {
  const button = make("button", "look", "What did it look at?");
  const finding = make("p", "finding");
  button.type = "button";
  let found = null;
  button.addEventListener("click", async () => {
    const isShown = button.classList.contains("shown");
    showAll(picture);
    if (isShown) return;
    picture.asked = button;
    button.disabled = true;
    finding.textContent = "Covering one place after the other …";
    try {
      found = found || await inTurn(() => ask(`/explain?classifier=${encodeURIComponent(classifier)}`, picture.file));
      if (picture.asked !== button) return;  // another has been asked meanwhile
      finding.textContent = wordsFor(found);
      say(finding.textContent);
      if (strongest(found) < LEAST_DROP) return;
      drawVeil(picture, found.drops);
      button.classList.add("shown");
      button.textContent = "Show all of it";
    } catch (trouble) {
      finding.textContent = `${trouble.message} ${trouble.hint || ""}`;
      say(finding.textContent);
    } finally {
      button.disabled = false;
    }
  });
  return [button, finding];
}

const strongest = (found) => Math.max(...found.drops.flat());

function wordsFor(found) {
  const most = strongest(found), { name, probability } = found.best;
  if (most < LEAST_DROP) return "No single place decides: covering any of them changes little.";
  const left = Math.max(0, probability - most);
  return `With the brightest place covered, “${name}” falls from ${percent(probability)} to ${percent(left)}.`;
}

function showAll(picture) {
  const context = picture.canvas.getContext("2d");
  if (picture.plain) {
    context.clearRect(0, 0, PIXELS, PIXELS);
    context.drawImage(picture.plain, 0, 0);
  }
  for (const button of picture.body.querySelectorAll("button.look")) {
    button.classList.remove("shown");
    button.textContent = "What did it look at?";
    button.nextElementSibling.textContent = "";
  }
}

// A dark veil, thin where covering the picture costs the class most.
function drawVeil(picture, drops) {
  const most = Math.max(...drops.flat());
  const small = make("canvas");
  small.width = drops[0].length;
  small.height = drops.length;
  const pixels = new ImageData(small.width, small.height);
  drops.flat().forEach((drop, place) => {
    const light = Math.max(0, drop) / most;
    pixels.data[4 * place + 3] = Math.round(255 * VEIL * (1 - light));
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  const context = picture.canvas.getContext("2d");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, PIXELS, PIXELS);
}

// ---- what is served, and examples ----------------------------------------------------------------------------------

async function introduce() {
  let drawn = [];
  try {
    facts = await ask("/model");
    drawn = await ask("/examples");
  } catch (trouble) {
    byId("lead").textContent = `${trouble.message} ${trouble.hint}`;
    return;
  }
  const names = facts.classifiers.map((one) => `${one.name} knows ${one.classes.length.toLocaleString("en")} classes`);
  byId("lead").textContent = `${names.join("; ")}. ${names.length > 1 ? "Their answers stand side by side." : "Ask it."}`;
  byId("about").replaceChildren(...facts.classifiers.map(describe));
  byId("examples").replaceChildren(...drawn.map(exampleButton));
  byId("trials").hidden = false;
}

function describe(one) {
  const box = make("details"), list = make("dl"), names = make("ol", "names");
  box.append(make("summary", "", `About ${one.name}`), list, names);
  const plain = (key) => (one.metadata[key] || "").replaceAll('"', "");
  const rows = {
    "exported from": one.source, "looks at": `${one.size} × ${one.size} pixels`, views: one.views.join(", "),
    precision: plain("precision"), "made by Lilliput": plain("lilliput"), classes: String(one.classes.length),
  };
  for (const [term, text] of Object.entries(rows)) list.append(make("dt", "", term), make("dd", "", text || "not known"));
  for (const known of one.classes) names.append(make("li", "", known.name || known.id));
  return box;
}

function exampleButton(one) {
  const button = make("button"), image = make("img");
  button.type = "button";
  button.setAttribute("aria-label", `Try the ${one.name}`);
  image.src = one.url;
  image.alt = "";
  image.width = image.height = 66;
  button.append(image);
  button.addEventListener("click", async () => {
    try {
      const response = await fetch(one.url);
      if (!response.ok) return tell("The server does not hand it out just now. Try again in a moment.");
      const drawn = await response.blob();
      addFiles([new File([drawn], `${one.name}, drawn`, { type: drawn.type })]);
    } catch {
      tell("The server does not answer. Is it still running?");
    }
  });
  return button;
}

// ---- ways in -------------------------------------------------------------------------------------------------------

for (const id of ["choose", "photograph"]) {
  byId(id).addEventListener("change", (event) => {
    addFiles(event.target.files);
    event.target.value = "";  // so that the same picture can be chosen again
  });
}
byId("clear").addEventListener("click", clearCards);
document.addEventListener("paste", (event) => {
  if (event.clipboardData) addFiles(event.clipboardData.files);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  byId("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) byId("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  byId("drop").classList.remove("over");
  addFiles(event.dataTransfer.files);
});
introduce();
