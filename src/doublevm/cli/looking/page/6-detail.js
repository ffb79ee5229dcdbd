// Everything about the operation that is selected.

function fact(name, value) {
  return value ? [el("dt", { text: name }), el("dd", { text: value })] : [];
}

function badge({ state }) {
  const { label, mark } = VERDICTS[state];
  const made = el("span", { class: "badge", "data-state": state });
  made.append(sign(mark), el("span", { text: label }));
  return made;
}

function showDetail(box, operation) {
  const head = el("div", { class: "detail-head" });
  head.append(el("h2", { id: "detail-title", text: nameOf(operation) }), badge(operation));
  const facts = el("dl", { class: "facts" });
  facts.append(
    ...fact("Time", `${dayOf(operation.time)} ${clockOf(operation.time)} UTC`),
    ...fact("Outcome", operation.outcome === "unknown" ? whyUnknown : operation.outcome),
    ...fact("Duration", operation.duration ? `${millisecondsOf(operation.duration)} ms` : ""),
    ...fact("Program", lineOf(operation)),
    ...fact("Conversation", `${operation.enclave}, run ${operation.run}`),
    ...fact("Entry", `${operation.seq}; operation ${operation.number} of the conversation`),
  );
  const parts = [head];
  if (operation.rule !== null) {
    const why = el("div", { class: "why", "data-state": operation.state });
    why.append(el("code", { text: operation.rule }), el("p", { text: operation.reason }));
    parts.push(why);
  }
  const text = operation.line ? operation.text : "none";
  parts.push(facts, el("h3", { text: "Arguments" }), el("pre", { text, tabindex: "0" }));
  box.replaceChildren(...parts);
}

const whyUnknown = "not on record: the host died, or could not write any more";

/** The line that made the call, as the inner VM said. */
function lineOf({ at, source }) {
  if (at === null) return "";
  return source === null ? `line ${at}` : `line ${at}: ${source}`;
}
