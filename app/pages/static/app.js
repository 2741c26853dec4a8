// Keys, focus and the day: everything else works without script.
(() => {
  const list = () => document.querySelector("[data-list]");
  const rows = () => [...document.querySelectorAll("[data-list] tbody.visit")];
  const keysOn = document.body.dataset.keys === "on";
  let here = null;
  document.addEventListener("focusin", event => { here = event.target.closest("tbody.visit")?.id || here; });
  const current = () => document.activeElement?.closest("tbody.visit");

  const move = step => {
    const all = rows(), at = all.indexOf(current() || document.getElementById(here));
    all[Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
  };

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape") {
      const cancel = current()?.querySelector("[data-cancel]");
      if (cancel) { event.preventDefault(); cancel.click(); }
      return;
    }
    if (typing || !keysOn) return;
    if (event.key === "/") {
      event.preventDefault();
      document.getElementById("find")?.focus();
      return;
    }
    // With the focus nowhere, j goes into the list, from the row that had it last; other keys wait until it is there.
    const enters = event.key === "j" && event.target === document.body;
    if (!list() || !(enters || list().contains(event.target))) return;
    if (event.key === "j" || event.key === "ArrowDown") { event.preventDefault(); move(1); return; }
    if (event.key === "k" || event.key === "ArrowUp") { event.preventDefault(); move(-1); return; }
    const row = current();
    const wanted = event.key === "o" ? row?.querySelector("th a") : "bdcmu".includes(event.key) && row?.querySelector(`[data-key="${event.key}"]`);
    if (wanted) { event.preventDefault(); wanted.click(); }
  });

  // After an action the focus goes to the row, after an error or an opened form to the field: never to Undo.
  const field = where => where.querySelector("[data-form] :is([aria-invalid], input:not([type=hidden]), select)");
  let touched = null;
  for (const act of ["click", "submit"]) document.addEventListener(act, event => { touched = event.target.closest("tbody.visit")?.id || touched; });
  document.addEventListener("htmx:after:swap", () => {
    const row = touched && document.getElementById(touched);
    if (!row) return;
    (field(row) || row).focus();
    touched = null;
  });

  // One tab stop a row: the first row can be reached, the others by keys.
  if (keysOn) rows()[0]?.setAttribute("tabindex", 0);

  // A number that was opened is shown for a minute.
  const shown = document.querySelector("[data-shown-for]");
  if (shown) setTimeout(() => { shown.textContent = shown.dataset.masked; }, 1000 * Number(shown.dataset.shownFor));
  (document.querySelector("main [role=alert][tabindex]") || field(document))?.focus();
  if (document.body.querySelector("[data-print]")) window.print();
})();
