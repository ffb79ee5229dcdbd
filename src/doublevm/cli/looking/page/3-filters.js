// Which operations are shown: everything that fits all that was chosen.

const MOST_CHOICES = 300;

const filters = {
  words: [],
  states: new Set(),
  operation: "",
  rule: "",
  outcome: "",
  run: "",
  since: -Infinity,
  until: Infinity,
};

const chooses = (key, value) => filters[key] === "" || filters[key] === value;

function fits(operation) {
  return (
    (filters.states.size === 0 || filters.states.has(operation.state)) &&
    chooses("operation", operation.name) &&
    chooses("rule", operation.rule) &&
    chooses("outcome", operation.outcome) &&
    chooses("run", operation.runKey) &&
    operation.time >= filters.since &&
    operation.time <= filters.until &&
    filters.words.every((word) => operation.haystack.includes(word))
  );
}

const isFiltered = () =>
  filters.words.length > 0 ||
  filters.states.size > 0 ||
  filters.since !== -Infinity ||
  filters.until !== Infinity ||
  ["operation", "rule", "outcome", "run"].some((key) => filters[key] !== "");

/** Fill a choice with values, the most frequent first. What a guest made up may be endless. */
function offer(id, all, values, label = (value) => value) {
  const counts = new Map();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  const ranked = [...counts].sort((one, other) => other[1] - one[1]).slice(0, MOST_CHOICES);
  const options = ranked.map(([value, count]) =>
    // A value of its own for each, as an empty name is a name too.
    el("option", { value: `=${value}`, text: `${label(value)} (${count.toLocaleString("en")})` }),
  );
  byId(id).append(el("option", { value: "", text: all }), ...options);
}

function chosenIn(id) {
  return byId(id).value.slice(1);
}

function runLabel(key) {
  const [first] = runs.get(key);
  return `${first.enclave.slice(0, 8)}, run ${first.run}`;
}

function offerAll() {
  offer("by-operation", "Operations", operations.map(({ name }) => name).filter(Boolean));
  offer("by-rule", "Rules", operations.map(({ rule }) => rule));
  offer("by-outcome", "Outcomes", operations.map(({ outcome }) => outcome));
  offer("by-run", "Runs", operations.map(({ runKey }) => runKey), runLabel);
}

/** Make sure that a run can be chosen, however many there are. */
function chooseRun(key) {
  const select = byId("by-run");
  select.value = `=${key}`;
  if (select.selectedIndex < 0) {
    select.append(el("option", { value: `=${key}`, text: runLabel(key) }));
    select.value = `=${key}`;
  }
}

function readFilters() {
  filters.words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  filters.operation = chosenIn("by-operation");
  filters.rule = chosenIn("by-rule");
  filters.outcome = chosenIn("by-outcome");
  filters.run = chosenIn("by-run");
}

function clearFilters() {
  byId("search").value = "";
  for (const id of ["by-operation", "by-rule", "by-outcome", "by-run"]) byId(id).value = "";
  filters.states.clear();
  filters.since = -Infinity;
  filters.until = Infinity;
}
