// The operations that the page shows, and what is said of them.
//
// Whatever a guest chose (names, arguments, reasons) is text here and stays text: it reaches the
// page by textContent alone. Python has written characters that nobody could see as escapes.

const source = JSON.parse(document.getElementById("data").textContent);

const VERDICTS = {
  allow: { label: "Allowed", mark: "check" },
  deny: { label: "Denied", mark: "cross" },
  would_deny: { label: "Would deny", mark: "warn" },
  unknown: { label: "No outcome", mark: "question" },
};

const operations = source.operations.map((row, place) => {
  const [seq, enclave, run, number, time, name, text, verdict, rule, reason, outcome, duration] =
    row;
  return {
    place, seq, run, number, time, name, text, verdict, rule, reason, outcome, duration,
    enclave: source.enclaves[enclave],
    at: row[12], // the program's line, where the trail has it
    source: row[13],
    // What it looks like: an allowed operation of which nobody knows what became stands out.
    state: outcome === "unknown" && verdict === "allow" ? "unknown" : verdict,
    runKey: `${enclave}/${run}`,
    line: text.slice(1, -1).replace(/\n\s*/g, " ").trim(),
    haystack: `${name}\n${text}\n${rule ?? ""}\n${reason ?? ""}\n${source.enclaves[enclave]}`
      .toLowerCase(),
  };
});

/** Operations of each run, in order. */
const runs = new Map();
for (const operation of operations) {
  const found = runs.get(operation.runKey);
  if (found) found.push(operation);
  else runs.set(operation.runKey, [operation]);
}

const span = operations.length === 0 ? [0, 0] : operations.reduce(
  ([first, last], { time, duration }) => [Math.min(first, time), Math.max(last, time + duration)],
  [Infinity, -Infinity],
);

/** Milliseconds, cut as the command line cuts them; a double is not exact to their last digit. */
const instant = (seconds) => new Date(Math.floor(seconds * 1000 + 0.01));

const two = (number) => String(number).padStart(2, "0");

/** 2026-03-01, in UTC. */
function dayOf(seconds) {
  const date = instant(seconds);
  if (Number.isNaN(date.getTime())) return "";
  return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

/** 12:00:00.000, in UTC. */
function clockOf(seconds, digits = 3) {
  const date = instant(seconds);
  if (Number.isNaN(date.getTime())) return `${seconds} s`;
  const parts = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  const clock = parts.map(two).join(":");
  return digits ? `${clock}.${String(date.getUTCMilliseconds()).padStart(3, "0")}` : clock;
}

function millisecondsOf(seconds) {
  if (!seconds) return "";
  const value = seconds * 1000;
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
}

/** What a row says became of an operation. */
function outcomeOf({ outcome, verdict, rule }) {
  if (outcome === "denied") return rule;
  if (outcome === "unknown") return "no outcome";
  return verdict === "allow" ? outcome : `${outcome}, ${rule}`;
}

const nameOf = ({ name, outcome }) => name || (outcome === "scored" ? "(program)" : "(empty name)");

const counted = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
