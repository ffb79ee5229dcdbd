// The timeline: how many operations there were when, and the runs they belong to.
//
// A canvas, as ten thousand elements would not move fluently. Allowed ones go up and all others
// down, so that no colour is needed to see which is which. Everything it shows is in the list too.

/** Seconds between two lines of the axis. */
const STEPS = [
  0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
];

class Timeline {
  constructor(canvas, tip, zoom) {
    Object.assign(this, { canvas, tip, zoom });
    this.pen = canvas.getContext("2d");
    this.shown = operations;
    this.selected = null;
    const pad = Math.max((span[1] - span[0]) * 0.01, 0.5);
    this.whole = [span[0] - pad, span[1] + pad];
    this.range = this.whole;
    this.drag = null;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.end());
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("pointerleave", () => (tip.hidden = true));
    canvas.addEventListener("dblclick", () => this.to(this.whole));
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Show a range of time; what is the whole trail is no filter. */
  to([since, until]) {
    const least = 0.05;
    if (until - since < least) {
      const middle = (since + until) / 2;
      [since, until] = [middle - least / 2, middle + least / 2];
    }
    since = Math.max(since, this.whole[0]);
    until = Math.min(until, this.whole[1]);
    this.range = since < until ? [since, until] : this.whole;
    this.zoom(this.isWhole ? [-Infinity, Infinity] : this.range);
  }

  get isWhole() {
    return this.range[0] <= this.whole[0] && this.range[1] >= this.whole[1];
  }

  by(factor, shift = 0) {
    const [since, until] = this.range;
    const middle = (since + until) / 2 + shift * (until - since);
    const half = ((until - since) / 2) * factor;
    this.to([middle - half, middle + half]);
  }

  key(event) {
    const does = {
      "+": () => this.by(0.5),
      "=": () => this.by(0.5),
      "-": () => this.by(2),
      ArrowLeft: () => this.by(1, -0.25),
      ArrowRight: () => this.by(1, 0.25),
      Home: () => this.to(this.whole),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does();
  }

  timeAt(x) {
    const [since, until] = this.range;
    return since + (x / this.canvas.clientWidth) * (until - since);
  }

  xOf(time) {
    const [since, until] = this.range;
    return ((time - since) / (until - since)) * this.canvas.clientWidth;
  }

  begin(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = [event.offsetX, event.offsetX];
  }

  move(event) {
    if (this.drag) {
      this.drag[1] = Math.min(Math.max(event.offsetX, 0), this.canvas.clientWidth);
      this.draw();
    }
    this.hint(event.offsetX);
  }

  end() {
    const [from, to] = (this.drag ?? [0, 0]).toSorted((one, other) => one - other);
    this.drag = null;
    if (to - from > 4) this.to([this.timeAt(from), this.timeAt(to)]);
    else this.draw();
  }

  cancel() {
    this.drag = null;
    this.draw();
  }

  hint(x) {
    const bin = this.bins?.[Math.floor(x / this.step)];
    this.tip.hidden = !bin;
    if (!bin) return;
    const parts = Object.keys(VERDICTS).filter((state) => bin[state]);
    const said = parts.map((state) => `${bin[state]} ${VERDICTS[state].label.toLowerCase()}`);
    this.tip.textContent = `${clockOf(this.timeAt(x), 0)}  ${said.join(" · ") || "nothing"}`;
    const room = this.canvas.clientWidth - this.tip.offsetWidth;
    this.tip.style.transform = `translateX(${Math.max(0, Math.min(x + 12, room))}px)`;
  }

  count() {
    this.step = 4;
    const size = Math.ceil(this.canvas.clientWidth / this.step);
    const none = { allow: 0, deny: 0, would_deny: 0, unknown: 0 };
    const bins = Array.from({ length: size }, () => ({ ...none }));
    for (const { time, state } of this.shown) {
      const bin = bins[Math.floor(this.xOf(time) / this.step)];
      if (bin) bin[state] += 1;
    }
    this.bins = bins;
  }

  draw() {
    const { canvas, pen } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const ratio = window.devicePixelRatio || 1;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    pen.scale(ratio, ratio);
    const colours = this.colours();
    const axis = height - 18;
    const lanes = axis - 40;
    this.count();
    this.drawRuns(colours, lanes + 6, axis);
    this.drawBars(colours, lanes);
    this.drawAxis(colours, axis, height);
    if (this.drag) {
      pen.fillStyle = colours.accent;
      pen.globalAlpha = 0.18;
      pen.fillRect(this.drag[0], 0, this.drag[1] - this.drag[0], axis);
      pen.globalAlpha = 1;
    }
  }

  drawBars(colours, height) {
    const { pen, bins, step } = this;
    const base = Math.round(height * 0.64);
    const others = ({ deny, would_deny, unknown }) => deny + would_deny + unknown;
    const [up, down] = [base - 4, height - base - 6];
    const most = Math.max(1, ...bins.map((bin) => bin.allow));
    const mostOthers = Math.max(1, ...bins.map(others));
    const scaled = (count, all, room) => (count ? Math.max(2, (count / all) * room) : 0);
    bins.forEach((bin, place) => {
      const x = place * step;
      pen.fillStyle = colours.allow;
      const size = scaled(bin.allow, most, up);
      pen.fillRect(x, base - size, step - 1, size);
      let y = base + 2;
      for (const state of ["deny", "would_deny", "unknown"]) {
        const part = scaled(bin[state], mostOthers, down);
        pen.fillStyle = colours[state];
        pen.fillRect(x, y, step - 1, Math.min(part, height - y));
        y += part;
      }
    });
    pen.fillStyle = colours.line;
    pen.fillRect(0, base, this.canvas.clientWidth, 1);
  }

  drawRuns(colours, top, bottom) {
    const { pen } = this;
    const lanes = 4;
    const height = (bottom - top) / lanes;
    const ends = new Array(lanes).fill(-Infinity);
    const wide = this.canvas.clientWidth;
    for (const each of runs.values()) {
      const final = each[each.length - 1];
      const [from, to] = [this.xOf(each[0].time), this.xOf(final.time + final.duration)];
      if (to < 0 || from > wide) continue;
      let lane = ends.findIndex((end) => end <= from);
      if (lane < 0) lane = ends.indexOf(Math.min(...ends));
      ends[lane] = Math.max(ends[lane], to + 3);
      const chosen = this.selected?.runKey === each[0].runKey;
      pen.fillStyle = chosen ? colours.accent : colours.run;
      const y = top + lane * height;
      pen.fillRect(from, y, Math.max(to - from, 2), height - 3);
      this.drawMarks(colours, each, to - from, y, height - 3);
    }
  }

  /** What was not just allowed stands out in its run; all do, where there is room. */
  drawMarks(colours, each, width, y, height) {
    const roomy = width / each.length > 6;
    const part = roomy ? height : Math.ceil(height / 2);
    for (const { state, time } of each) {
      if (state === "allow" && !roomy) continue;
      this.pen.fillStyle = colours[state];
      this.pen.fillRect(this.xOf(time), y + height - part, 2, part);
    }
  }

  drawAxis(colours, axis, bottom) {
    const { pen } = this;
    const [since, until] = this.range;
    const width = this.canvas.clientWidth;
    const least = ((until - since) / width) * 110;
    const step = STEPS.find((each) => each >= least) ?? Math.ceil(least / 86400) * 86400;
    pen.font = `11px ${colours.font}`;
    pen.textBaseline = "bottom";
    for (let time = Math.ceil(since / step) * step; time < until; time += step) {
      const x = this.xOf(time);
      const text = step >= 86400 ? dayOf(time) : clockOf(time, step < 1 ? 3 : 0);
      pen.fillStyle = colours.line;
      pen.fillRect(x, 0, 1, axis + 4);
      pen.fillStyle = colours.muted;
      if (x + 4 + pen.measureText(text).width < width) pen.fillText(text, x + 4, bottom - 1);
    }
  }

  /** Colours as the theme has them now: the style sheet alone knows them. */
  colours() {
    const style = getComputedStyle(this.canvas);
    const names = ["allow", "deny", "would_deny", "unknown", "line", "run", "muted", "accent"];
    const found = names.map((name) => [name, style.getPropertyValue(`--${name}`)]);
    return { ...Object.fromEntries(found), font: style.fontFamily };
  }
}
