// Making elements. There is no way here to make one from text: text is textContent.

const byId = (id) => document.getElementById(id);

/** Make an element: el("p", { class: "muted", text: "…" }, child, …). */
function el(tag, { class: names, text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (names) made.className = names;
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const PATHS = {
  check: "M3.5 8.5 6.5 11.5 12.5 4.5",
  cross: "M4 4 12 12 M12 4 4 12",
  warn: "M8 3.5V9 M8 12.2v.3",
  question: "M5.5 6a2.5 2.5 0 1 1 3.4 2.3c-.6.3-.9.7-.9 1.4 M8 12.4v.3",
};

/** A sign, so that colour is never all that tells verdicts apart. */
function sign(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "sign");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A list of any length, of which only the rows in sight are elements. */
class Rows {
  constructor(box, height, fill, choose) {
    Object.assign(this, { box, height, fill, choose });
    this.items = [];
    this.active = -1;
    this.shown = new Map();
    this.spare = [];
    this.inner = el("div", { class: "rows", role: "presentation" });
    box.append(this.inner);
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    box.addEventListener("keydown", (event) => this.key(event));
    this.inner.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.activate(Number(row.dataset.place));
    });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  set(items, active = -1) {
    this.items = items;
    this.active = active;
    this.inner.style.height = `${items.length * this.height}px`;
    for (const place of [...this.shown.keys()]) this.drop(place);
    this.draw();
    this.reveal();
  }

  draw() {
    const { box, height, items } = this;
    const first = Math.max(0, Math.floor(box.scrollTop / height) - 4);
    const last = Math.min(items.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + 4);
    for (const place of [...this.shown.keys()]) {
      if ((place < first || place >= last) && place !== this.active) this.drop(place);
    }
    for (let place = first; place < last; place += 1) this.show(place);
    if (this.active >= 0) {
      this.show(this.active); // what has the focus has to be there
      box.setAttribute("aria-activedescendant", `${box.id}-${this.active}`);
    } else box.removeAttribute("aria-activedescendant");
  }

  show(place) {
    let row = this.shown.get(place);
    if (!row) {
      row = this.spare.pop() ?? el("div", { class: "row", role: "option" });
      row.id = `${this.box.id}-${place}`;
      row.dataset.place = place;
      row.setAttribute("aria-posinset", place + 1);
      row.setAttribute("aria-setsize", this.items.length);
      row.style.transform = `translateY(${place * this.height}px)`;
      this.fill(row, this.items[place], this.items[place - 1]);
      this.shown.set(place, row);
      this.inner.append(row);
    }
    row.setAttribute("aria-selected", place === this.active);
  }

  drop(place) {
    const row = this.shown.get(place);
    row.remove();
    this.shown.delete(place);
    if (this.spare.length < 60) this.spare.push(row);
  }

  activate(place, silent = false) {
    if (place < 0 || place >= this.items.length) return;
    this.active = place;
    this.draw();
    this.reveal();
    if (!silent) this.choose(this.items[place]);
  }

  reveal() {
    if (this.active < 0) return;
    const top = this.active * this.height;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) {
      this.box.scrollTop = top + this.height - clientHeight;
    }
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const last = this.items.length - 1;
    const to = {
      ArrowDown: this.active + 1,
      ArrowUp: Math.max(0, this.active - 1),
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.activate(Math.min(Math.max(to, 0), last));
  }
}
