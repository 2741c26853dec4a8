// Keys, focus and the day: everything else works without script.
(() => {
  const one = what => document.querySelector(what), on = (what, act) => document.addEventListener(what, act);
  const list = () => one("[data-list]");
  const rows = () => [...document.querySelectorAll("[data-list] tbody.visit")];
  const keysOn = document.body.dataset.keys === "on";
  let here = null;
  on("focusin", event => { here = event.target.closest("tbody.visit")?.id || here; });
  const current = () => document.activeElement?.closest("tbody.visit");

  const move = step => {
    const all = rows().filter(row => !row.hidden), at = all.indexOf(current() || document.getElementById(here));
    all[Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
  };

  on("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      current()?.querySelector("[data-cancel]")?.click();
      return;
    }
    if (!keysOn || event.target.matches("input, select, textarea")) return;
    if (event.key === "/") { event.preventDefault(); one("#find")?.focus(); return; }
    // With the focus nowhere j goes into the list, to the row after the last; other keys wait.
    const enters = event.key === "j" && event.target === document.body;
    if (!list() || !(enters || list().contains(event.target))) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); move(step); return; }
    const row = current();
    const wanted = event.key === "o" ? row?.querySelector("th a") : "bdcmu".includes(event.key) && row?.querySelector(`[data-key="${event.key}"]`);
    if (wanted) { event.preventDefault(); wanted.click(); }
  });

  // After an action the focus goes to the row, after an error or an opened form to the field: never to Undo.
  const field = where => where.querySelector("[data-form] :is([aria-invalid], input:not([type=hidden]), select)");
  on("htmx:after:swap", event => {
    const row = document.getElementById(event.detail.ctx.target?.id);
    if (row?.matches("tbody.visit")) (field(row) || row).focus();
  });

  // A name beside the list hides the other rows, and is sent nowhere.
  const name = one("[data-find]"), small = text => text.toLowerCase();
  name?.addEventListener("input", () => rows().forEach(row => { row.hidden = !small(row.querySelector("th").textContent).includes(small(name.value)); }));

  // The first row is a tab stop, the others are reached by keys.
  if (keysOn) rows()[0]?.setAttribute("tabindex", 0);

  // What was opened for a reason is shown for a minute.
  for (const shown of document.querySelectorAll("[data-shown-for]")) setTimeout(() => { shown.textContent = shown.dataset.masked; }, 1000 * shown.dataset.shownFor);
  (one("main [role=alert][tabindex]") || field(document))?.focus();
  if (one("[data-print]")) window.print();
})();
