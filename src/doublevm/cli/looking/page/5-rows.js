// What a row of the list and a step of the sequence look like.

/** Give a row cells once; a row that is used again keeps them. */
function cells(row, names) {
  if (!row.parts) {
    row.parts = Object.fromEntries(names.map((name) => [name, el("span", { class: name })]));
    row.append(...Object.values(row.parts));
  }
  return row.parts;
}

function fillRow(row, operation, before) {
  const parts = cells(row, ["verdict", "time", "name", "arguments", "outcome", "number"]);
  const { label, mark } = VERDICTS[operation.state];
  row.dataset.state = operation.state;
  row.dataset.outcome = operation.outcome;
  row.classList.toggle("begins", before !== undefined && before.runKey !== operation.runKey);
  parts.verdict.replaceChildren(sign(mark), el("span", { class: "unseen", text: label }));
  parts.time.textContent = clockOf(operation.time);
  parts.name.textContent = nameOf(operation);
  parts.arguments.textContent = operation.line;
  parts.outcome.textContent = outcomeOf(operation);
  parts.outcome.title = outcomeOf(operation);
  parts.number.textContent = millisecondsOf(operation.duration);
}

/** How far a request came: who denied it, or that it reached the host. */
function reach({ verdict, rule, outcome }) {
  if (outcome === "scored") return verdict === "deny" ? "parent-denied" : "parent";
  if (verdict !== "deny") return "host";
  // The host's own denial, after the parent VM had let it through.
  return rule.startsWith("audit/") ? "host-denied" : "parent-denied";
}

function fillStep(row, operation) {
  const parts = cells(row, ["ask", "pass", "node", "answer", "reply"]);
  const how = reach(operation);
  row.dataset.state = operation.state;
  row.dataset.reach = how;
  row.dataset.outcome = operation.outcome;
  parts.ask.textContent = nameOf(operation);
  parts.pass.textContent = how === "parent-denied" ? operation.rule : operation.line;
  parts.node.replaceChildren(sign(VERDICTS[operation.state].mark));
  parts.answer.textContent = how.endsWith("denied") ? "" : answerOf(operation);
  parts.reply.textContent = how === "host-denied" ? operation.rule : "";
  row.setAttribute("aria-label", spoken(operation, how));
}

function answerOf({ outcome, duration }) {
  if (outcome === "unknown") return "no outcome";
  return duration ? `${outcome}, ${millisecondsOf(duration)} ms` : outcome;
}

function spoken(operation, how) {
  const verdict = VERDICTS[operation.verdict].label.toLowerCase();
  const where = how === "host-denied" ? " by the host" : "";
  return `${nameOf(operation)}: ${verdict}${where}, ${outcomeOf(operation)}`;
}
