// A page that keeps itself up to date. Its root has data-live: "often" while a result
// is awaited, "seldom" while people are at it, "at" when only a known moment changes it,
// "done" when nothing more happens by itself. The page asks for its address, data-url,
// and takes over the parts that changed.
//
// Rules: what somebody is typing stays, and so does the focus; nothing is asked while
// nobody looks, and less and less often otherwise; a page that may be out of date says
// so. A question with X-Idle, which nobody's hand has come before, does not keep the
// session alive.

import { sameParts, takeOver } from "./parts.js";

const FIRST = 2000; // ms to the first question
const GROWTH = 1.25; // of the pause, with each answer that is no news
const MOST = { often: 10000, seldom: 15000 }; // ms, the longest pause
const FRESH = 30000; // ms for which the page's own query is asked for again: it tells what the last act came to
const LOST = 30000; // the longest pause while nobody answers
const PATIENCE = 20000; // ms until a request counts as unanswered

const root = () => document.querySelector("[data-live]");
const mode = () => root()?.dataset.live ?? "done";

let timer = 0;
let asked = null; // the request that is under way
let pause = FIRST;
let touched = true; // a person was there since the last question
let clock = 0; // the server's time less performance.now()

const now = () => performance.now() + clock;
const setClock = (page) => {
  clock = Number(page.dataset.now) - performance.now();
};

// pristine is each part as the server sent it: scripts change what is on the page.
const pristine = new Map();
const remember = (part) => pristine.set(part.dataset.part, part.cloneNode(true));

const say = (text) => {
  const region = document.querySelector("[data-live-say]");
  if (region && text) region.textContent = text;
};

// tell shows one of the page's own messages, or none: "away" or "out".
const tell = (name) => {
  for (const box of document.querySelectorAll("[data-live-lost]")) {
    const on = box.dataset.liveLost === name;
    if (on && box.hidden) say(box.textContent.trim());
    box.hidden = !on;
  }
};

// typedIn also sees what the server has given back after an answer that was not taken.
const typedIn = (e) => (e.type === "radio" || e.type === "checkbox" ? e.checked : e.value.trim() !== "");

// sentOff reports a field whose form is on its way (once.js): nobody types there any more.
const sentOff = (e) => e.closest("form[data-sent]") !== null;

// beingTyped reports whether somebody is filling in a form of the part.
const beingTyped = (part) => {
  const at = document.activeElement;
  return (
    (part.contains(at) && at.matches("input, textarea, select") && !sentOff(at)) ||
    [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((e) => !sentOff(e) && typedIn(e))
  );
};

const likeness = (e) => [e.tagName, e.id, e.getAttribute("href"), e.getAttribute("name"), e.closest("form")?.getAttribute("action")].join(" ");

const takePart = (old, fresh) => {
  const before = pristine.get(old.dataset.part);
  if (before?.isEqualNode(fresh)) return;
  if (beingTyped(old)) return; // the next answer is compared again
  const at = old.contains(document.activeElement) ? document.activeElement : null;
  const open = [...old.querySelectorAll("details")].map((d) => d.open);
  takeOver(old, fresh);
  remember(old);
  old.querySelectorAll("details").forEach((d, i) => (d.open = open[i] ?? d.open));
  if (!at || at.isConnected) return;
  const like = [...old.querySelectorAll("a, button, input, summary, [tabindex]")].find((e) => likeness(e) === likeness(at));
  const next = like ?? old.querySelector("h1, h2") ?? old;
  if (!like) next.tabIndex = -1;
  next.focus({ preventScroll: true });
};

const take = (page, fresh) => {
  const here = root();
  const news = here.dataset.say !== fresh.dataset.say;
  setClock(fresh);
  for (const { name, value } of fresh.attributes) here.setAttribute(name, value);
  for (const old of here.querySelectorAll("[data-part]")) {
    const next = sameParts(fresh, old)[0];
    if (next) takePart(old, next);
  }
  document.title = page.title || document.title;
  if (news) say(fresh.dataset.say);
  return news;
};

// moments are the times to come at which the page is known to change.
const moments = () => (root()?.dataset.at ?? "").split(" ").filter(Boolean).map(Number);

const plan = () => {
  clearTimeout(timer);
  if (mode() === "done" || asked || document.visibilityState === "hidden") return;
  const waits = moments().map((m) => Math.max(m - now(), 0) + 300);
  if (MOST[mode()]) waits.push(Math.min(pause, MOST[mode()]));
  if (waits.length) timer = setTimeout(ask, Math.min(...waits, 2 ** 30));
};

const answered = (xhr) => {
  asked = null;
  const fresh = xhr?.responseXML?.querySelector("[data-live]");
  if (fresh && xhr.status < 300) {
    tell("");
    pause = take(xhr.responseXML, fresh) ? FIRST : pause * GROWTH;
    tick();
    plan();
  } else if (xhr && xhr.status < 500) {
    root().dataset.live = "done"; // signed out, or not to be seen any more
    tell("out");
  } else {
    tell("away");
    pause = Math.min(pause * 2, LOST);
    timer = setTimeout(ask, pause);
  }
};

const ask = () => {
  clearTimeout(timer);
  if (asked || mode() === "done" || document.visibilityState === "hidden") return;
  const xhr = new XMLHttpRequest();
  const { url } = root().dataset; // after a POST the address bar has another one
  xhr.open("GET", performance.now() < FRESH && location.pathname === url ? url + location.search : url);
  xhr.responseType = "document";
  xhr.timeout = PATIENCE;
  xhr.setRequestHeader("Accept", "text/html");
  if (!touched) xhr.setRequestHeader("X-Idle", "1");
  touched = false;
  xhr.addEventListener("load", () => answered(xhr));
  xhr.addEventListener("error", () => answered(null));
  xhr.addEventListener("timeout", () => answered(null));
  xhr.addEventListener("abort", () => {
    asked = null; // Esc stops it as well
    plan();
  });
  asked = xhr;
  xhr.send();
};

// tick writes what is left until the times that have data-until beside them.
const tick = () => {
  for (const box of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((Number(box.dataset.until) - now()) / 1000);
    const text = left > 0 && left < 24 * 3600 ? box.dataset.words.replace("%s", span(left)) : "";
    if (box.textContent !== text) box.textContent = text;
  }
};

const two = (n) => String(n).padStart(2, "0");
const span = (s) => (s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}` : Math.floor(s / 60)) + `:${two(s % 60)}`;

const again = () => {
  pause = FIRST;
  ask();
};

const touch = () => {
  touched = true;
};

if (root()) {
  setClock(root());
  document.documentElement.dataset.lives = "";
  for (const part of root().querySelectorAll("[data-part]")) remember(part);
  for (const kind of ["pointermove", "pointerdown", "keydown", "scroll"]) document.addEventListener(kind, touch, { passive: true, capture: true });
  document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? again() : clearTimeout(timer)));
  window.addEventListener("online", again);
  window.addEventListener("pageshow", (event) => event.persisted && again());
  window.addEventListener("pagehide", () => asked?.abort());
  tick();
  setInterval(tick, 1000);
  plan();
}
