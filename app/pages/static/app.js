// Keys, focus and the day: everything else works without script.
(() => {
  const list = () => document.querySelector("[data-list]");
  const rows = () => [...document.querySelectorAll("[data-list] tbody.visit")];
  const keysOn = () => document.body.dataset.keys === "on";
  const current = () => document.activeElement && document.activeElement.closest("tbody.visit");

  const move = step => {
    const all = rows(), at = all.indexOf(current());
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    if (next) next.focus();
  };

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape") {
      const row = current(), cancel = row && row.querySelector("[data-cancel]");
      if (cancel) { event.preventDefault(); cancel.click(); }
      return;
    }
    if (typing || !keysOn()) return;
    if (event.key === "/") {
      const find = document.getElementById("find");
      if (find) { event.preventDefault(); find.focus(); }
      return;
    }
    if (!list() || !list().contains(event.target)) return;
    if (event.key === "j" || event.key === "ArrowDown") { event.preventDefault(); move(1); return; }
    if (event.key === "k" || event.key === "ArrowUp") { event.preventDefault(); move(-1); return; }
    const row = current();
    const wanted = event.key === "o" ? row && row.querySelector("th a") : row && "bdcu".includes(event.key) && row.querySelector(`[data-key="${event.key}"]`);
    if (wanted) { event.preventDefault(); wanted.click(); }
  });

  // After an action the focus goes to the row, after an error or an opened form to the field: never to Undo.
  let touched = null;
  document.addEventListener("click", event => { const row = event.target.closest("tbody.visit"); if (row) touched = row.id; });
  document.addEventListener("submit", event => { const row = event.target.closest("tbody.visit"); if (row) touched = row.id; });
  document.addEventListener("htmx:after:swap", () => {
    const row = touched && document.getElementById(touched);
    if (!row) return;
    const field = row.querySelector("[aria-invalid], [data-form] input:not([type=hidden]), [data-form] select");
    (field || row).focus();
    touched = null;
  });

  // One tab stop a row: the first row can be reached, the others by keys.
  const first = rows()[0];
  if (first && keysOn()) first.tabIndex = 0;

  // A number that was opened is shown for a minute.
  const shown = document.querySelector("[data-shown-for]");
  if (shown) setTimeout(() => { shown.textContent = shown.dataset.masked; }, 1000 * Number(shown.dataset.shownFor));
  const refusal = document.querySelector("main [role=alert][tabindex]");
  if (refusal) refusal.focus();
  if (document.body.querySelector("[data-print]")) window.print();
})();
