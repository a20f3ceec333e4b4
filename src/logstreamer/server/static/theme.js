// Before the first paint, so that nothing flashes: a classic script, while the modules are still on their way.
try {
  document.documentElement.dataset.theme = localStorage.getItem("logstreamer.theme") || "auto";
} catch {
  document.documentElement.dataset.theme = "auto";
}
