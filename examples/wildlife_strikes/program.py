# Task: which airports should get extra wildlife patrols, in which months, and against what?
# Look at the busiest airports, pick the three where a strike costs most, and write a report.
import asyncio
from dataclasses import dataclass

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@dataclass
class Candidate:
    airport_id: int
    name: str
    strikes: int
    damaging: int
    cost: int
    night_share: float

    def cost_per_strike(self):
        return self.cost / self.strikes


def dollars(amount):
    return f"${round(amount):,}"


def top(counts, n):
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]


# 1. Only airports with enough reports to say something about.
airports = list_airports()
busy = [a for a in airports if a["strikes"] >= 240]
total = sum(a["strikes"] for a in airports)
print(f"{len(airports)} airports, {total} strikes; {len(busy)} busy ones")

# 2. Their profiles, all at once: each takes a while.
busy = busy[:10]
profiles = await asyncio.gather(*[airport_profile(a["id"]) for a in busy])

candidates = []
for airport, profile in zip(busy, profiles):
    if profile["cost"] == 0:
        print(f"  skipping {airport['name'].title()}: no costs reported")
        continue
    candidates.append(
        Candidate(
            airport_id=airport["id"],
            name=airport["name"].title(),
            strikes=profile["strikes"],
            damaging=profile["damaging"],
            cost=profile["cost"],
            night_share=profile["night_share"],
        )
    )
candidates.sort(key=lambda c: c.cost_per_strike(), reverse=True)
for c in candidates:
    print(f"  {c.name:<42} {c.strikes:>4} strikes {dollars(c.cost_per_strike()):>8} each")

# 3. The three worst, strike by strike: which months, which animals, which phase of flight?
sections = []
patrols = {}
for c in candidates[:3]:
    months, animals, phases = {}, {}, {}
    offset = 0
    while True:
        page = find_strikes(airport_id=c.airport_id, damaged_only=True, limit=40, offset=offset)
        for strike in page:
            month = strike["date"].month
            months[month] = months.get(month, 0) + 1
            phases[strike["phase"]] = phases.get(strike["phase"], 0) + 1
            if not strike["species"].startswith("Unknown"):
                animals[strike["species"]] = animals.get(strike["species"], 0) + 1
        if len(page) < 40:
            break
        offset += 40

    worst_months = [MONTHS[month - 1] for month, _ in top(months, 3)]
    patrols[c.name] = worst_months
    lines = [
        f"## {c.name}",
        "",
        f"{c.strikes} strikes, {c.damaging} of them with damage, {dollars(c.cost)} in all;"
        f" {c.night_share:.0%} between dusk and dawn.",
        "",
        f"- Patrol in: {', '.join(worst_months)}",
        f"- Known animals: {', '.join(f'{name} ({n})' for name, n in top(animals, 3)) or 'none'}",
        f"- Phases: {', '.join(f'{name} ({n})' for name, n in top(phases, 2))}",
    ]
    sections.append("\n".join(lines))
    print(f"  {c.name}: {sum(months.values())} damaging strikes, most in {worst_months[0]}")

# 4. How the year looks everywhere, as a bar chart in text.
by_month = sorted(count_strikes(group_by="month"), key=lambda row: row["group"])
peak = max(row["strikes"] for row in by_month)
chart = "\n".join(
    f"{MONTHS[int(row['group']) - 1]} {'#' * round(30 * row['strikes'] / peak)} {row['strikes']}"
    for row in by_month
)

# 5. The report.
table = ["| airport | strikes | cost per strike |", "|---|---:|---:|"]
table += [f"| {c.name} | {c.strikes} | {dollars(c.cost_per_strike())} |" for c in candidates]
body = "\n\n".join(["\n".join(table), *sections, "## All airports by month", f"```\n{chart}\n```"])
file = report.save(title="Where wildlife patrols pay", body=body)
print(f"saved {file}: {len(body)} characters")

{
    "report": file,
    "patrols": patrols,
    "cost_at_these_airports": sum(c.cost for c in candidates[:3]),
    "peak_month": MONTHS[int(max(by_month, key=lambda row: row["strikes"])["group"]) - 1],
}
