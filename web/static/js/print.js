// A button with data-print prints the page. It is hidden in the markup, because
// without script it could do nothing.

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
