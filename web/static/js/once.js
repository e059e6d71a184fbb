// A form with data-once is sent once: its button is put to rest with the first
// submission. A second click sends nothing. The server refuses a second one anyway;
// this keeps the person from wondering.

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
};

const wake = () => {
  for (const buttons of sent.values()) {
    for (const [button, label] of buttons) {
      button.removeAttribute("aria-disabled");
      button.replaceChildren(...label);
    }
  }
  sent.clear();
};

document.addEventListener("submit", rest);
// Coming back to the page, the browser may show it as it was left.
window.addEventListener("pageshow", wake);
