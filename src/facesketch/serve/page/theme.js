// Sets the colours that the user chose earlier before the page is painted, so that it does not flash.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("facesketch-theme");
  } catch {
    // Storage may be forbidden; then the page keeps the system's colours.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
