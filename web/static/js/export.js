// Links below data-export start an export, which the browser saves by itself. This shows
// how far it is: the link gets a token that the server knows the export by, and the
// server is asked about it until it is done. Without this script the export is the same.

const menu = document.querySelector("[data-export]");
const line = document.querySelector("[data-export-progress]");
const every = 500; // ms
const patience = 15; // answers that know nothing of the export, before it is given up

const say = (text) => {
  if (line.textContent !== text) line.textContent = text;
};

const follow = async (token) => {
  for (let unknown = 0; unknown < patience; ) {
    await new Promise((done) => setTimeout(done, every));
    let answer;
    try {
      answer = await fetch(`${menu.dataset.export}/${token}`, { headers: { Accept: "application/json" } });
    } catch {
      unknown++;
      continue;
    }
    if (!answer.ok || answer.redirected) {
      unknown++;
      continue;
    }
    unknown = 0;
    const { state, text } = await answer.json();
    say(text);
    if (state !== "running") return;
  }
  say("");
};

if (menu && line) {
  menu.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[download]") : null;
    if (!link || event.button !== 0) return;
    const token = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
    const plain = link.getAttribute("href");
    link.setAttribute("href", plain + (plain.includes("?") ? "&" : "?") + "token=" + token);
    setTimeout(() => link.setAttribute("href", plain)); // the next click is another export
    menu.closest("details")?.removeAttribute("open");
    void follow(token);
  });
}
