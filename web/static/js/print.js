// A button with data-print prints the page. The style sheet hides it until this script
// says that it runs, because without script it could do nothing.

document.documentElement.dataset.prints = "";
document.addEventListener("click", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-print]")) window.print();
});
