// A link that comes to nothing before some seconds are over (data-wait): until then it
// rests and tells how many are left. Without this script the server says so again.

for (const link of document.querySelectorAll("a[data-wait]")) {
  const until = performance.now() + Number(link.dataset.wait) * 1000;
  const label = [...link.childNodes];
  const { href } = link;
  let timer = 0;
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left > 0) {
      link.textContent = link.dataset.words.replace("%s", left);
      return;
    }
    clearInterval(timer);
    link.href = href;
    link.removeAttribute("role");
    link.removeAttribute("aria-disabled");
    link.replaceChildren(...label);
  };
  link.removeAttribute("href");
  link.setAttribute("role", "link");
  link.setAttribute("aria-disabled", "true");
  timer = setInterval(tick, 500);
  tick();
}
