// A form with data-once is sent once: its button is put to rest with the first
// submission. A second click sends nothing. The server refuses a second one anyway;
// this keeps the person from wondering.
//
// The page that answers may not come: Esc stops the browser, not the server. Then the
// page says so and leads to where the result shows. It follows the state that the form
// was made for (data-state) at data-follow, by GET alone, and goes there when the state
// is another one. Nothing is ever sent again from here.

const FIRST = 2000; // ms to the first question
const GROWTH = 1.25;
const MOST = 10000; // ms, the longest pause
const LONG = 15000; // ms without a page after which the link is offered anyway
const PATIENCE = 20000; // ms until a question counts as unanswered

const WORDS = {
  zh: {
    stopped: "还没有等到应答，但提交可能已经送到。有了结果会自动打开，不要重复提交。",
    still: "改价台还没有收到这次提交的记录。打开结果页看看，再决定要不要重新提交。",
    plain: "还没有等到应答，提交可能已经送到。先看结果，不要重复提交。",
    link: "看看结果",
  },
  en: {
    stopped: "No answer yet, but the submission may have arrived. The result opens by itself. Do not submit again.",
    still: "The console has no record of this submission yet. Check the result before you decide whether to submit again.",
    plain: "No answer yet, but the submission may have arrived. Check the result first. Do not submit again.",
    link: "See what happened",
  },
};

const sent = new Map(); // form → its buttons, with the label to put back

const rest = (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("form[data-once]")) return;
  if (sent.has(form)) {
    event.preventDefault();
    return;
  }
  if (event.defaultPrevented) return;
  const buttons = [...form.elements].filter((e) => e instanceof HTMLButtonElement && e.type === "submit" && !e.hidden);
  sent.set(form, buttons.map((button) => [button, [...button.childNodes]]));
  for (const button of buttons) {
    // Not the property: a disabled button drops out of the form and loses the focus.
    button.setAttribute("aria-disabled", "true");
    const label = button.dataset.busy ?? (button === event.submitter ? form.dataset.busy : undefined);
    if (label) button.replaceChildren(label);
  }
  form.setAttribute("data-sent", "");
  timer = setTimeout(follow, LONG, form);
};

const words = () => (document.documentElement.lang.startsWith("zh") ? WORDS.zh : WORDS.en);

let box = null; // the message
let timer = 0;
let followed = null; // the form whose result is followed
let asked = null;

const tell = (form, text) => {
  if (!box) {
    box = document.createElement("p");
    box.className = "notice notice--warn";
    box.setAttribute("role", "status");
    box.setAttribute("data-stopped", "");
    form.append(box);
  }
  const link = document.createElement("a");
  link.href = form.dataset.follow ?? location.pathname;
  link.textContent = words().link;
  const said = document.createElement("span");
  said.append(text, " ", link);
  box.replaceChildren(said);
};

const ask = (form, pause, times) => {
  const xhr = new XMLHttpRequest();
  const again = () => {
    asked = null;
    if (followed === form) timer = setTimeout(ask, Math.min(pause, MOST), form, pause * GROWTH, times + 1);
  };
  xhr.open("GET", form.dataset.follow);
  xhr.responseType = "document";
  xhr.timeout = PATIENCE;
  xhr.setRequestHeader("Accept", "text/html");
  xhr.setRequestHeader("X-Idle", "1");
  xhr.addEventListener("load", () => {
    const state = xhr.status < 300 ? xhr.responseXML?.querySelector("[data-state]")?.dataset.state : undefined;
    if (state && state !== form.dataset.state) {
      location.replace(form.dataset.follow);
      return;
    }
    if (state && times > 1) tell(form, words().still);
    again();
  });
  for (const kind of ["error", "timeout", "abort"]) xhr.addEventListener(kind, again);
  asked = xhr;
  xhr.send();
};

// follow tells that the page stopped waiting, and looks for the result.
const follow = (form) => {
  if (followed || !sent.has(form)) return;
  followed = form;
  clearTimeout(timer);
  if (!form.dataset.follow) {
    tell(form, words().plain);
    return;
  }
  tell(form, words().stopped);
  timer = setTimeout(ask, FIRST / 4, form, FIRST, 0);
};

const stopped = () => {
  const form = [...sent.keys()].find((f) => f.isConnected);
  if (form) follow(form);
};

const wake = () => {
  clearTimeout(timer);
  followed = null;
  asked?.abort();
  box?.remove();
  box = null;
  for (const buttons of sent.values()) {
    for (const [button, label] of buttons) {
      button.removeAttribute("aria-disabled");
      button.replaceChildren(...label);
    }
  }
  for (const form of sent.keys()) form.removeAttribute("data-sent");
  sent.clear();
};

document.addEventListener("submit", rest);
// Coming back to the page, the browser may show it as it was left.
window.addEventListener("pageshow", wake);
// Esc, or the browser's own button.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") setTimeout(stopped);
});
window.navigation?.addEventListener("navigateerror", stopped);
