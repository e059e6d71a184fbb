// The correction form without page loads: the summary follows what is typed, and the
// row buttons act in place. Everything here is a shortcut to what the same form does
// without script; the server checks and decides all of it again.
//
// Rules: what was typed is never lost; the form goes on to the next page only as it stands
// after everything that was pressed before; an older answer never replaces a newer one;
// figures that no longer belong to what is typed are marked data-stale until the
// server has answered. Trusted Types forbid parsing text as HTML, so answers are
// read as documents and their nodes are taken over.

import { sameParts, takeOver } from "./parts.js";

const PAUSE = 250; // ms without typing before the server is asked
const PATIENCE = 20000; // ms until a request counts as unanswered

const AWAY = 10000; // ms in which a form that went on does not go on again

const PROBLEMS = "#problems, [data-error-summary]";

const WORDS = {
  zh: {
    lost: "暂时连不上服务器，刚才的操作没有完成。填写的内容都还在，请再试一次。",
    stayed: "暂时连不上服务器，刚才的操作没有完成，所以也没有进入下一步。填写的内容都还在，请核对后再试一次。",
    waits: "正在等刚才的操作完成，之后会自动继续……",
  },
  en: {
    lost: "The server cannot be reached, so nothing happened. What you typed is still here. Please try again.",
    stayed: "The server cannot be reached: your last change was not made, so the form did not go on. What you typed is still here. Check it and try again.",
    waits: "Waiting for your last change. The form goes on by itself…",
  },
};

let timer = 0;
let live = null; // the preview that is under way
let asks = ""; // what it asks about
let act = null; // the row button that is under way
let waiting = []; // values of the buttons pressed meanwhile
let leaving = null; // how the form goes on when all of that is done: the value of its button, "" for the main one

const editorOf = (element) => {
  const form = element?.form ?? element;
  return form instanceof HTMLFormElement && form.matches("form[data-editor]") ? form : null;
};

// fieldsOf is the form as the browser posts it, without its buttons.
const fieldsOf = (form) => {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (name !== "do" && typeof value === "string") fields.append(name, value.replace(/\r\n?|\n/g, "\r\n"));
  }
  return fields;
};

// post sends fields and calls done once: with the answer's request, or with null when
// there was none; stopped tells that the browser stopped loading.
const post = (url, fields, done) => {
  const xhr = new XMLHttpRequest();
  xhr.open("POST", url);
  xhr.responseType = "document";
  xhr.timeout = PATIENCE;
  xhr.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
  xhr.setRequestHeader("Accept", "text/html");
  xhr.addEventListener("load", () => done(xhr));
  xhr.addEventListener("error", () => done(null));
  xhr.addEventListener("timeout", () => done(null));
  xhr.addEventListener("abort", () => done(null, true));
  xhr.send(fields.toString());
  return xhr;
};

// takeParts replaces the page's parts by the answer's. The part that somebody is in
// stays as it is.
const takeParts = (answer) => {
  for (const old of document.querySelectorAll("[data-part]")) {
    const fresh = sameParts(answer, old)[0];
    if (!fresh || old.contains(document.activeElement)) continue;
    takeOver(old, fresh);
  }
};

const markStale = () => {
  for (const part of document.querySelectorAll("[data-part]")) part.setAttribute("data-stale", "");
};

const stopPreview = () => {
  clearTimeout(timer);
  const asked = live;
  live = null;
  asked?.abort();
};

const preview = (form) => {
  stopPreview();
  if (act || leaving !== null || !form.isConnected) return;
  const fields = fieldsOf(form);
  asks = fields.toString();
  const asked = post(form.dataset.live, fields, (answer, stopped) => {
    if (asked !== live) return;
    live = null;
    if (leaving !== null) {
      if (stopped) stay(form); // they changed their mind
      else leave(form);
      return;
    }
    if (answer && (answer.status === 200 || answer.status === 422) && answer.responseXML) takeParts(answer.responseXML);
  });
  live = asked;
};

const changed = (event) => {
  const form = editorOf(event.target);
  if (!form?.dataset.live || event.isComposing) return;
  if (leaving !== null) {
    markStale();
    return;
  }
  if (live && asks === fieldsOf(form).toString()) return; // leaving a field says nothing new
  stopPreview();
  markStale();
  timer = setTimeout(preview, PAUSE, form);
};

// again asks once more when the last question went unanswered.
const again = (event) => {
  const form = editorOf(event.target);
  if (!form?.dataset.live || live || act || !document.querySelector("[data-part][data-stale]")) return;
  clearTimeout(timer);
  timer = setTimeout(preview, PAUSE, form);
};

const say = (form, text, mark = "data-unreachable") => {
  document.querySelector("[data-unreachable], [data-waits]")?.remove();
  if (!text) return;
  const box = document.createElement("p");
  const bad = mark === "data-unreachable";
  box.className = bad ? "notice notice--bad" : "notice";
  box.setAttribute("role", bad ? "alert" : "status");
  box.setAttribute(mark, "");
  box.textContent = text;
  form.before(box); // not inside: the form lays its children out in columns
  box.scrollIntoView({ block: "nearest" });
};

const words = () => (document.documentElement.lang.startsWith("zh") ? WORDS.zh : WORDS.en);

// native posts the form as a page load, so that the server can answer with a page of
// its own: the session has ended, the order has moved.
const native = (form, value) => {
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "do";
  field.value = value;
  field.setAttribute("data-native", "");
  form.append(field);
  HTMLFormElement.prototype.submit.call(form);
};

const typed = (element) =>
  element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement;

const stateOf = (element) => (element.type === "checkbox" || element.type === "radio" ? element.checked : element.value);

const nameOf = (element) =>
  element.type === "radio" || element.type === "checkbox" ? `${element.name}=${element.value}` : element.name;

const namedFields = (form) =>
  [...form.elements].filter((e) => typed(e) && e.name && e.type !== "hidden").map((e) => [nameOf(e), e]);

// keepTyping carries what was typed while the answer was on its way into the new form.
const keepTyping = (before, form, next) => {
  const fields = new Map(namedFields(next));
  let some = false;
  for (const [name, element] of namedFields(form)) {
    const target = fields.get(name);
    if (!before.has(name) || before.get(name) === stateOf(element) || !target) continue;
    if (typeof stateOf(element) === "boolean") target.checked = element.checked;
    else target.value = element.value;
    some = true;
  }
  return some;
};

const buttonsOf = (form) => [...form.elements].filter((e) => e.type === "submit" && e.name === "do");

// nearest finds the button that stands where the pressed one stood: the same one, the
// one of the same row, or the next of its kind.
const nearest = (form, next, value) => {
  const buttons = buttonsOf(next).filter((b) => !b.hidden && !b.disabled);
  const same = buttons.find((b) => b.value === value);
  if (same) return same;
  const row = value.replace(/^[a-z]+-/, "");
  const inRow = buttons.find((b) => b.value.replace(/^[a-z]+-/, "") === row);
  if (inRow) return inRow;
  const kind = value.replace(/\d+$/, "");
  const alike = (list) => list.filter((b) => b.value.replace(/\d+$/, "") === kind);
  const at = alike(buttonsOf(form)).findIndex((b) => b.value === value);
  const rest = alike(buttons);
  return rest[Math.min(at, rest.length - 1)] ?? buttons[0] ?? null;
};

const counterpart = (next, element) =>
  (element.id && [...next.querySelectorAll("[id]")].find((e) => e.id === element.id)) ||
  namedFields(next).find(([name]) => name === nameOf(element))?.[1];

const focusOn = (element, like) => {
  if (!element) return;
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
  try {
    if (like && typeof like.selectionStart === "number") element.setSelectionRange(like.selectionStart, like.selectionEnd);
  } catch {
    // This kind of field has no text cursor.
  }
};

const takeProblems = (answer, form) => {
  const old = document.querySelector(PROBLEMS);
  const fresh = answer.querySelector(PROBLEMS);
  if (old && form.contains(old)) return; // replaced together with the form
  if (fresh && fresh.closest("form[data-editor]")) return;
  if (!fresh) old?.remove();
  else if (old) takeOver(old, fresh);
  else form.before(document.importNode(fresh, true));
};

// takeForm puts the answer's form in the place of the page's.
const takeForm = (form, answer, before, pressed) => {
  const { scrollX, scrollY } = window;
  const here = form.contains(document.activeElement) ? document.activeElement : null;
  const moved = here && typed(here) && here !== pressed.from;
  const next = document.importNode(answer.querySelector("form[data-editor]"), true);
  const some = keepTyping(before, form, next);
  const target =
    (moved ? counterpart(next, here) : next.querySelector("[data-focus]")) ||
    (here && typed(here) && counterpart(next, here)) ||
    nearest(form, next, pressed.value);
  takeProblems(answer, form);
  form.replaceWith(next);
  takeParts(answer);
  document.title = answer.title || document.title;
  window.scrollTo(scrollX, scrollY);
  focusOn(target, here && typed(here) && nameOf(target ?? here) === nameOf(here) ? here : null);
  if (some && next.dataset.live) {
    markStale();
    preview(next);
  }
  return next;
};

const carryOut = (form, value) => {
  stopPreview();
  if (leaving === null) say(form, "");
  const fields = fieldsOf(form);
  fields.set("do", value);
  const before = new Map(namedFields(form).map(([name, element]) => [name, stateOf(element)]));
  const pressed = { value, from: document.activeElement };
  form.setAttribute("aria-busy", "true");
  act = post(form.getAttribute("action") || location.href, fields, (answer) => {
    act = null;
    form.removeAttribute("aria-busy");
    const queue = waiting;
    waiting = [];
    if (!answer) {
      const stayed = leaving !== null;
      stay(form);
      say(form, stayed ? words().stayed : words().lost);
      return;
    }
    const page = answer.status === 200 || answer.status === 422 ? answer.responseXML : null;
    if (!page?.querySelector("form[data-editor]")) {
      native(form, value);
      return;
    }
    const next = takeForm(form, page, before, pressed);
    if (leaving !== null) rest(next);
    // A button that is no longer there was pressed twice: what it is for is done.
    while (queue.length > 0) {
      const value = queue.shift();
      if (!buttonsOf(next).some((b) => b.value === value)) continue;
      waiting = queue;
      carryOut(next, value);
      return;
    }
    if (leaving !== null) leave(next);
  });
};

const onward = (form) => [...form.elements].filter((e) => e.type === "submit" && (e.name !== "do" || e.value === "discard"));

// rest shows that the form goes on as soon as it can.
const rest = (form) => {
  for (const button of onward(form)) button.setAttribute("aria-disabled", "true");
  form.setAttribute("aria-busy", "true");
};

// stay takes back that the form goes on.
const stay = (form) => {
  leaving = null;
  for (const button of onward(form)) button.removeAttribute("aria-disabled");
  form.removeAttribute("aria-busy");
  say(form, "");
};

// leave goes on with the form as it stands now.
const leave = (form) => {
  const value = leaving;
  stay(form);
  const button = onward(form).find((b) => (b.name === "do" ? b.value : "") === value && !b.disabled && !b.hidden);
  if (button) form.requestSubmit(button);
};

let gone = -AWAY; // when the form went on

const back = () => {
  gone = -AWAY;
};

const submitted = (event) => {
  const form = editorOf(event.target);
  const button = event.submitter;
  if (!form || event.defaultPrevented) return;
  if (button?.name !== "do" || button.value === "discard") {
    clearTimeout(timer);
    if (performance.now() - gone < AWAY) {
      event.preventDefault(); // a second click
      return;
    }
    if (!act && !live) {
      gone = performance.now();
      return;
    }
    // What is under way may take a line out, or keep a draft of before: the form goes on
    // when that has an answer.
    event.preventDefault();
    if (leaving !== null) return;
    leaving = button?.name === "do" ? button.value : "";
    rest(form);
    say(form, words().waits, "data-waits");
    return;
  }
  event.preventDefault();
  if (leaving !== null) return; // pressed too late
  if (act) waiting.push(button.value);
  else carryOut(form, button.value);
};

document.addEventListener("input", changed);
document.addEventListener("change", changed);
document.addEventListener("compositionend", changed);
document.addEventListener("focusout", again);
document.addEventListener("submit", submitted);

// A page that comes back from the browser's memory must not post a second "do".
window.navigation?.addEventListener("navigateerror", back);
document.addEventListener("keydown", (event) => event.key === "Escape" && back());
window.addEventListener("pageshow", () => {
  back();
  for (const field of document.querySelectorAll("[data-native]")) field.remove();
  const form = document.querySelector("form[data-editor]");
  if (form && leaving !== null) stay(form);
});
