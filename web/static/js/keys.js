// Keyboard shortcuts. They find, go, move and open. None sends, approves or signs:
// the only form that a shortcut submits is the editor, whose next page asks again.
// data-keys="off" on <html> turns all of them off. They rest inside fields.

const root = document.documentElement;
const PREFIX = 1500; // ms in which the second key of "g m" must follow

const visible = (element) => element.getClientRects().length > 0;
const find = () => [...document.querySelectorAll("[data-find]")].find(visible);
const link = (path) => document.querySelector(`a[href="${path}"]`);
const edit = () => document.querySelector('a[data-key="e"], a[data-correct]');
const editor = () => document.querySelector("form[data-editor]");

// rows are the links that j and k walk over: the first of each row of a list.
const rows = () =>
  [...document.querySelectorAll("main tbody tr, main [data-row]")]
    .map((row) => row.querySelector("a[href]"))
    .filter((a) => a && visible(a));

const rowOf = (element) => element?.closest?.("main tbody tr, main [data-row]") ?? null;

const here = () => {
  const row = rowOf(document.activeElement);
  return row ? rows().findIndex((a) => row.contains(a)) : -1;
};

const move = (step) => {
  const all = rows();
  if (all.length === 0) return false;
  const at = here();
  all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)].focus();
  return true;
};

const follow = (a) => {
  if (!a) return false;
  a.click();
  return true;
};

// focus goes to a control; it presses nothing.
const focus = (selector) => {
  const at = [...document.querySelectorAll(selector)].find(visible);
  if (!at) return false;
  at.focus();
  return true;
};

const toFind = () => {
  const box = find();
  if (!box) return false;
  box.focus();
  box.select?.();
  return true;
};

const keys = {
  "/": toFind,
  "／": toFind, // what a Chinese keyboard layout types there
  j: () => move(1),
  k: () => move(-1),
  o: () => follow(rows()[here()]),
  e: () => follow(edit()),
  a: () => focus("[data-approve]"),
  d: () => focus("[data-decline]"),
  "?": () => help(),
  "？": () => help(),
};

const places = { m: "/", a: "/approvals", l: "/corrections", r: "/review", i: "/insights" };

const lines = [
  { keys: ["/"], on: find, zh: "查找订单", en: "Find an order" },
  { keys: ["g", "m"], on: () => link("/"), zh: "我的", en: "Mine" },
  { keys: ["g", "a"], on: () => link("/approvals"), zh: "审批", en: "Approvals" },
  { keys: ["g", "l"], on: () => link("/corrections"), zh: "改价记录", en: "Change log" },
  { keys: ["j", "k"], on: () => rows().length > 0, zh: "下一行、上一行", en: "Next row, previous row" },
  { keys: ["o"], on: () => rows().length > 0, zh: "打开这一行（也可以按 Enter）", en: "Open the row (or Enter)" },
  { keys: ["g", "r"], on: () => link("/review"), zh: "复核", en: "Review" },
  { keys: ["g", "i"], on: () => link("/insights"), zh: "统计", en: "Insights" },
  { keys: ["a"], on: () => document.querySelector("[data-approve]"), zh: "到批准（不会提交）", en: "To approve (submits nothing)" },
  { keys: ["d"], on: () => document.querySelector("[data-decline]"), zh: "到不批准的理由（不会提交）", en: "To the reason of a refusal (submits nothing)" },
  { keys: ["e"], on: edit, zh: "改这一单的金额", en: "Correct this order" },
  { keys: ["Ctrl", "Enter"], on: editor, zh: "去核对页（不会发送）", en: "To the review page (sends nothing)" },
  { keys: ["?"], on: () => true, zh: "显示或收起这张表", en: "Show or hide this list" },
];

const make = (name, className, ...children) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
};

let dialog = null;

// help shows the shortcuts that do something on this page.
const help = () => {
  if (dialog?.open) {
    dialog.close();
    return true;
  }
  dialog?.remove();
  const zh = root.lang.startsWith("zh");
  const list = make("dl", "keys__list");
  for (const line of lines.filter((l) => l.on())) {
    const term = make("dt", "keys__key");
    line.keys.forEach((key, i) => term.append(...(i ? [" "] : []), make("kbd", "", key)));
    list.append(make("div", "keys__item", term, make("dd", "", zh ? line.zh : line.en)));
  }
  const title = make("h2", "keys__title", zh ? "键盘快捷键" : "Keyboard shortcuts");
  title.id = "keys-title";
  const close = make("button", "button", zh ? "关闭" : "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  dialog = make("dialog", "keys", title, list, close);
  dialog.setAttribute("aria-labelledby", title.id);
  document.body.append(dialog);
  dialog.showModal();
  return true;
};

const FIELD = "textarea, select, [contenteditable], input:not([type=button], [type=submit], [type=reset], [type=checkbox], [type=radio])";
const inField = (element) => element instanceof Element && element.closest(FIELD) !== null;

// review presses the editor's main button: the first visible one that is not an
// editing button.
const review = () => {
  const form = editor();
  const at = document.activeElement;
  if (!form || (at && at !== document.body && at.form !== form && !form.contains(at))) return false;
  const main = [...form.elements].find((e) => e.type === "submit" && e.name !== "do" && !e.hidden && !e.disabled && visible(e));
  if (!main) return false;
  form.requestSubmit(main);
  return true;
};

let prefixed = 0; // until when a second key is expected, on the event's clock

const pressed = (event) => {
  if (root.dataset.keys === "off" || event.defaultPrevented || event.isComposing) return;
  if (event.repeat && event.key !== "j" && event.key !== "k") return;
  const modal = dialog?.open;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    if (!modal && review()) event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target)) return;
  const second = event.timeStamp < prefixed;
  prefixed = 0;
  if (modal && event.key !== "?" && event.key !== "？") return;
  if (event.key === "g") {
    prefixed = event.timeStamp + PREFIX;
    return;
  }
  const place = second && Object.hasOwn(places, event.key) ? places[event.key] : "";
  const done = place ? follow(link(place)) : Object.hasOwn(keys, event.key) && keys[event.key]();
  if (done) event.preventDefault();
};

document.addEventListener("keydown", pressed);
