// Puts the parts together.

let shown = operations;
let selected = null;

const list = new Rows(byId("list"), 34, fillRow, (chosen) => select(chosen, "list"));
const sequence = new Rows(byId("sequence"), 54, fillStep, (chosen) => select(chosen, "sequence"));
const timeline = new Timeline(byId("timeline"), byId("timeline-tip"), ([since, until]) => {
  filters.since = since;
  filters.until = until;
  apply();
});

function select(operation, from = "") {
  selected = operation;
  byId("detail").parentElement.classList.toggle("empty", !operation);
  timeline.selected = operation;
  timeline.draw();
  if (!operation) return;
  showDetail(byId("detail"), operation);
  const run = runs.get(operation.runKey);
  byId("run-title").textContent =
    `Run ${operation.run}: ${counted(run.length, "operation", "operations")}`;
  if (sequence.items !== run) sequence.set(run);
  if (from !== "sequence") sequence.activate(run.indexOf(operation), true);
  if (from !== "list") list.activate(shown.indexOf(operation), true);
}

/** Show what fits the filters; keep the selection if it does. */
function apply() {
  readFilters();
  shown = isFiltered() ? operations.filter(fits) : operations;
  const kept = selected === null ? -1 : shown.indexOf(selected);
  byId("list").scrollTop = 0;
  list.set(shown, kept);
  if (kept < 0) {
    select(shown[0] ?? null);
  }
  timeline.shown = shown;
  timeline.draw();
  say();
}

function say() {
  const all = counted(operations.length, "operation", "operations");
  byId("count").textContent = isFiltered() ? `${shown.length.toLocaleString("en")} of ${all}` : all;
  byId("clear").hidden = !isFiltered();
  byId("nothing").hidden = shown.length > 0;
  for (const tile of byId("tiles").children) {
    const { state } = tile.dataset;
    const on = state ? filters.states.has(state) : filters.states.size === 0;
    tile.setAttribute("aria-pressed", on);
  }
  const [since, until] = timeline.isWhole ? span : timeline.range;
  const days = [dayOf(since), dayOf(until)];
  const to = days[0] === days[1] ? "" : `${days[1]} `;
  byId("timeline-range").textContent =
    `${days[0]} ${clockOf(since, 0)} to ${to}${clockOf(until, 0)} UTC`;
  const denied = shown.filter(({ state }) => state === "deny").length;
  byId("timeline").setAttribute(
    "aria-label",
    `Timeline of ${counted(shown.length, "operation", "operations")}, ${denied} denied. ` +
      "Plus and minus zoom, the arrows move.",
  );
}

function makeTiles() {
  const counts = { allow: 0, deny: 0, would_deny: 0, unknown: 0 };
  for (const { state } of operations) counts[state] += 1;
  const made = [["", "Operations", null, operations.length]];
  for (const [state, { label, mark }] of Object.entries(VERDICTS)) {
    // Of what a trail has none of, only a denial is worth a zero.
    if (counts[state] || state === "allow" || state === "deny") {
      made.push([state, label, mark, counts[state]]);
    }
  }
  for (const [state, label, mark, count] of made) {
    const name = el("span", { class: "tile-name" });
    if (mark) name.append(sign(mark));
    name.append(label);
    const number = el("span", { class: "tile-count", text: count.toLocaleString("en") });
    const tile = el("button", { class: "tile", "data-state": state }, number, name);
    tile.addEventListener("click", () => toggle(state));
    byId("tiles").append(tile);
  }
}

function toggle(state) {
  if (!state) filters.states.clear();
  else if (!filters.states.delete(state)) filters.states.add(state);
  apply();
}

function clear() {
  clearFilters();
  timeline.range = timeline.whole;
  apply();
}

/** Go to the next one that was not just allowed; -1: the one before. */
function leap(way) {
  let place = list.active + way;
  while (place >= 0 && place < shown.length && shown[place].state === "allow") place += way;
  list.activate(place);
}

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Theme: ${theme}`;
  timeline.draw();
}

function nextTheme() {
  const now = THEMES.indexOf(document.documentElement.dataset.theme);
  setTheme(THEMES[(now + 1) % THEMES.length]);
}

function onKey(event) {
  const typing = event.target.matches("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const does = {
    "/": () => byId("search").focus(),
    "?": () => byId("keys").showModal(),
    n: () => leap(1),
    p: () => leap(-1),
    t: nextTheme,
  }[event.key];
  if (event.key === "Escape" && isFiltered()) clear();
  else if (does && !typing) {
    event.preventDefault();
    does();
  }
}

function listen() {
  document.addEventListener("keydown", onKey);
  byId("search").addEventListener("input", apply);
  byId("list").addEventListener("keydown", (event) => {
    if (event.key === "Enter") byId("detail").focus();
  });
  for (const id of ["by-operation", "by-rule", "by-outcome", "by-run"]) {
    byId(id).addEventListener("change", apply);
  }
  byId("clear").addEventListener("click", clear);
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("theme").addEventListener("click", nextTheme);
  byId("zoom-in").addEventListener("click", () => timeline.by(0.5));
  byId("zoom-out").addEventListener("click", () => timeline.by(2));
  byId("whole").addEventListener("click", () => timeline.to(timeline.whole));
  byId("only-run").addEventListener("click", () => {
    chooseRun(selected.runKey);
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => timeline.draw());
}

byId("about").textContent = source.about;
byId("notice").textContent = source.notice;
byId("notice").hidden = !source.notice;
offerAll();
makeTiles();
listen();
setTheme("auto");
apply();
document.documentElement.dataset.ready = "yes";
