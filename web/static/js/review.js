// The button of the review page says how many corrections are chosen. data-picks on the
// form holds the words, with %s for the number.

const form = document.querySelector("form[data-picks]");
const button = form?.querySelector("[data-pick-count]");

if (button) {
  const none = form.querySelectorAll('input[name="id"]:checked').length === 0 ? button.textContent : "";
  const tell = () => {
    const boxes = [...form.querySelectorAll('input[name="id"]')];
    const n = boxes.filter((box) => box.checked).length;
    button.textContent = n === 0 && none ? none : form.dataset.picks.replace("%s", String(n));
    for (const box of boxes) box.closest("tr")?.classList.toggle("table__row--on", box.checked);
  };
  form.addEventListener("change", tell);
  tell();
}
