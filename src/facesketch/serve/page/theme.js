// Sets the colours that were chosen earlier before anything is painted, so that nothing flashes.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("facesketch-theme");
  } catch {
    // Storage may be forbidden; then the system's colours hold.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
