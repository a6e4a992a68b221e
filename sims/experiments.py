"""The papers' experiments as grids of runs, and how their rows become tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sims.arms import ARMS
from sims.measure import mean
from sims.plots import Bars, Curve, draw_bars, draw_curves
from sims.published import LIFEGUARD_TABLE, ArmFigures, published
from sims.sweep import Grid

__all__ = ["EXPERIMENTS", "Experiment", "Rows", "markdown"]

Row = Mapping[str, str]
Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment of a paper, as a grid of runs and two ways to show them.

    Attributes:
        name: of the report, and of its files.
        title: one line.
        grid: what is played.
        table: Markdown made of all rows.
        draw: writes the picture.
    """

    name: str
    title: str
    grid: Grid
    table: Callable[[Rows], str]
    draw: Callable[[Rows, Path], None]

    @property
    def command(self) -> str:
        """The command line that plays the grid."""
        axes = " ".join(f"{name}={','.join(values)}" for name, values in self.grid.axes.items())
        first, last = self.grid.seeds[0], self.grid.seeds[-1]
        seeds = str(first) if first == last else f"{first}-{last}"
        return f"swim sim sweep {self.grid.what} {axes} --seeds {seeds} --out {self.name}.csv"


# -- how rows become tables and pictures


def _values(rows: Rows, measure: str, **where: str) -> list[float]:
    return [
        float(row[measure])
        for row in rows
        if row.get(measure) and all(row[name] == value for name, value in where.items())
    ]


def _mean(rows: Rows, measure: str, **where: str) -> float | None:
    values = _values(rows, measure, **where)
    return mean(values) if values else None


def _in_order(rows: Rows, option: str) -> list[str]:
    values = list(dict.fromkeys(row[option] for row in rows))
    return [arm for arm in ARMS if arm in values] if option == "arm" else values


def _curve(rows: Rows, option: str, measure: str, label: str, **where: str) -> Curve:
    points = [
        (float(x), y)
        for x in _in_order(rows, option)
        if (y := _mean(rows, measure, **{option: x}, **where)) is not None
    ]
    return Curve(label, tuple(points))


def _theirs(measure: str) -> list[Curve]:
    return [Curve(series.label, series.points, is_published=True) for series in published(measure)]


def _label(arm: str) -> str:
    return "ours, defaults" if arm == "ours" else f"{arm}, replayed"


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
    return str(value)


def _by_size(*measures: tuple[str, str]) -> Callable[[Rows], str]:
    def table(rows: Rows) -> str:
        sizes = _in_order(rows, "nodes")
        body = [(n, *(_mean(rows, measure, nodes=n) for measure, _ in measures)) for n in sizes]
        return markdown(("members", *(title for _, title in measures)), body)

    return table


def _curves_by_size(title: str, unit: str, *measures: tuple[str, str]) -> Callable[[Rows, Path], None]:
    def draw(rows: Rows, path: Path) -> None:
        ours = [_curve(rows, "nodes", measure, f"{label}, ours") for measure, label in measures]
        theirs = [curve for measure, _ in measures for curve in _theirs(measure)]
        draw_curves(path, ours + theirs, title=title, x="members", y=unit)

    return draw


def _accuracy_table(rows: Rows) -> str:
    sizes = _in_order(rows, "nodes")
    body: list[Sequence[object]] = []
    for loss in _in_order(rows, "loss"):
        accused = [_mean(rows, "accused_per_period", loss=loss, nodes=n) for n in sizes]
        failed = [_mean(rows, "failed_per_period", loss=loss, nodes=n) for n in sizes]
        body.append((loss, _mean(rows, "expected_per_period", loss=loss), *accused, *failed))
    titles = [f"{word}, {n}" for word in ("accused", "failed") for n in sizes]
    return markdown(("loss", "accused, SWIM 3.1", *titles), body)


def _accuracy_curves(rows: Rows, path: Path) -> None:
    theory = _curve(rows, "loss", "expected_per_period", "accused, SWIM section 3.1")
    curves = [Curve(theory.label, theory.points, is_published=True)]
    for n in _in_order(rows, "nodes"):
        for measure, word in (("accused_per_period", "accused"), ("failed_per_period", "failed")):
            curves.append(_curve(rows, "loss", measure, f"{word}, ours, {n} members", nodes=n))
    title = "Healthy members accused, and declared failed"
    draw_curves(path, curves, title=title, x="share of packets lost", y="per member and period", log=True)


def _loss_table(rows: Rows) -> str:
    [series] = published("group_size")
    return markdown(
        ("dissemination", "published", "ours, mean", "least", "most"),
        [
            (name, y, _mean(rows, "group_size", variant=name), min(values), max(values))
            for name, (_, y) in zip(_in_order(rows, "variant"), series.points, strict=True)
            if (values := _values(rows, "group_size", variant=name))
        ],
    )


def _loss_bars(rows: Rows, path: Path) -> None:
    [series] = published("group_size")
    names = _in_order(rows, "variant")
    groups = [
        Bars("published", tuple(y for _, y in series.points[: len(names)]), is_published=True),
        Bars("ours, mean", tuple(_mean(rows, "group_size", variant=name) for name in names)),
    ]
    title = "Seventeen members, 10 % of packets lost: group size after 175 s"
    draw_bars(path, names, groups, title=title, y="members")


def _arm_table(rows: Rows) -> str:
    theirs = {row.arm: row for row in LIFEGUARD_TABLE}
    plain = theirs["swim"]
    names = ("false_failed", "false_failed_at_healthy", "packets", "sent_bytes")
    sums = {arm: [sum(_values(rows, name, arm=arm)) for name in names] for arm in _in_order(rows, "arm")}
    base = sums["swim"]
    body = []
    for arm, values in sums.items():
        row = theirs.get(arm)
        told = (row.false_failed, row.false_failed_at_healthy) if row else (None, None)
        shares = [None if t is None else 100 * t / b for t, b in zip(told, _told(plain), strict=True)]
        ours = [100 * v / b if b else None for v, b in zip(values, base, strict=True)]
        body.append((arm, shares[0], ours[0], values[0], shares[1], ours[1], values[1], *ours[2:]))
    header = ("arm", "FP, published %", "ours %", "ours", "at healthy, published %", "ours %", "ours")
    return markdown((*header, "packets %", "bytes %"), body)


def _told(row: ArmFigures) -> tuple[int, int]:
    return row.false_failed, row.false_failed_at_healthy


def _arm_bars(title: str) -> Callable[[Rows, Path], None]:
    def draw(rows: Rows, path: Path) -> None:
        arms = _in_order(rows, "arm")
        theirs = {row.arm: row for row in LIFEGUARD_TABLE}
        groups = []
        for name, word in (("false_failed", "all observers"), ("false_failed_at_healthy", "healthy ones")):
            plain = getattr(theirs["swim"], name)
            heights = [100 * getattr(theirs[a], name) / plain if a in theirs else None for a in arms]
            groups.append(Bars(f"{word}, published", tuple(heights), is_published=True))
            base = sum(_values(rows, name, arm="swim"))
            ours = [100 * sum(_values(rows, name, arm=arm)) / base if base else None for arm in arms]
            groups.append(Bars(f"{word}, ours", tuple(ours)))
        draw_bars(path, arms, groups, title=title, y="false positives, % of SWIM's", log=True)

    return draw


_CELLS = 480
"""Runs behind each point of the Lifeguard paper's figure 2: six lengths, eight intervals, ten repeats."""


def _blocked_table(rows: Rows) -> str:
    arms = _in_order(rows, "arm")
    body: list[Sequence[object]] = []
    for c in _in_order(rows, "c"):
        told = [
            next((y / _CELLS for x, y in series.points if x == float(c)), None)
            for arm in ("swim", "lifeguard")
            for series in published(f"false_failed.{arm}")
        ]
        body.append((c, *told, *(_mean(rows, "false_failed", c=c, arm=arm) for arm in arms)))
    return markdown(("C", "SWIM, published", "Lifeguard, published", *arms), body)


def _blocked_curves(rows: Rows, path: Path) -> None:
    curves = [_curve(rows, "c", "false_failed", _label(arm), arm=arm) for arm in _in_order(rows, "arm")]
    for arm in ("swim", "lifeguard"):
        for series in published(f"false_failed.{arm}"):
            points = tuple((x, y / _CELLS) for x, y in series.points)
            curves.append(Curve(series.label, points, is_published=True))
    title = "False positives by how many of 128 members block"
    draw_curves(path, curves, title=title, x="members that block", y="per run of 120 s", log=True)


def _bootstrap_table(rows: Rows) -> str:
    body: list[Sequence[object]] = [
        (series.label, int(x), y, dict(sizes.points).get(x))
        for series, sizes in zip(published("all_seconds"), published("unique_sizes"), strict=True)
        for x, y in series.points
    ]
    for arm in _in_order(rows, "arm"):
        for n in _in_order(rows, "nodes"):
            seconds = _mean(rows, "all_seconds", arm=arm, nodes=n)
            if seconds is not None:
                body.append((_label(arm), n, seconds, _mean(rows, "unique_sizes", arm=arm, nodes=n)))
    return markdown(("", "members", "seconds to all = N", "unique sizes seen"), body)


def _bootstrap_curves(rows: Rows, path: Path) -> None:
    arms = _in_order(rows, "arm")
    curves = [_curve(rows, "nodes", "all_seconds", _label(arm), arm=arm) for arm in arms]
    title = "Bootstrap: everybody joins one seed within a second"
    draw_curves(
        path, curves + _theirs("all_seconds"), title=title, x="members", y="seconds until all see all"
    )


_FAULT_MEASURES = (
    ("false_failed_at_healthy", "healthy removed by healthy"),
    ("faulty_gone_mean", "faulty gone, mean"),
    ("faulty_gone_max", "faulty gone, at most"),
    ("agreed_without_all", "ever all gone in all views"),
    ("unique_sizes", "unique sizes"),
    ("removals_per_view", "removals per view"),
    ("returns_per_view", "returns per view"),
)


def _fault_table(rows: Rows) -> str:
    body = [
        (row["arm"], row["nodes"], row["faulty"], *(float(row[name]) for name, _ in _FAULT_MEASURES))
        for row in rows
    ]
    return markdown(("arm", "members", "faulty", *(title for _, title in _FAULT_MEASURES)), body)


def _fault_bars(title: str, memberlist: float) -> Callable[[Rows, Path], None]:
    def draw(rows: Rows, path: Path) -> None:
        names = ["memberlist, published", "Rapid, published", *(_label(row["arm"]) for row in rows)]
        heights = (memberlist, 10.0, *(10 * float(r["faulty_gone_max"]) / float(r["faulty"]) for r in rows))
        draw_bars(
            path, names, [Bars("at most", heights)], title=title, y="of ten faulty members, gone at once"
        )

    return draw


def _grid(what: str, axes: str, seeds: Iterable[int]) -> Grid:
    pairs = (axis.partition("=") for axis in axes.split())
    return Grid(what, {name: tuple(values.split(",")) for name, _, values in pairs}, tuple(seeds))


def _of_swim() -> Iterable[Experiment]:
    yield Experiment(
        "swim-load",
        "SWIM: packets per member and protocol period",
        _grid("swim-load", "nodes=8,16,28,40,56", (1, 2)),
        _by_size(
            ("sent_per_period", "sent"),
            ("received_per_period", "received"),
            ("sent_under_5_share", "share under 5"),
        ),
        _curves_by_size(
            "Packets sent per member and period", "packets per period", ("sent_per_period", "sent")
        ),
    )
    yield Experiment(
        "swim-detect",
        "SWIM: from a crash to its detection, and how the news spreads",
        _grid("swim-detect", "nodes=8,13,20,28,35,43,56", range(1, 5)),
        _by_size(
            ("detection_periods", "first detection"),
            ("infection_periods", "median infection"),
            ("spread_periods", "last infection"),
            ("removal_periods", "removed everywhere"),
        ),
        _curves_by_size(
            "From a crash to its detection, and from that to the median member",
            "protocol periods",
            ("detection_periods", "detection"),
            ("infection_periods", "median infection"),
        ),
    )
    yield Experiment(
        "swim-accuracy",
        "SWIM: false accusations by loss and size",
        _grid("swim-accuracy", "nodes=8,28,56 loss=0.01,0.02,0.05,0.1,0.15,0.2,0.3", (1, 2, 3)),
        _accuracy_table,
        _accuracy_curves,
    )
    yield Experiment(
        "swim-loss",
        "SWIM: group size under 10 % loss",
        _grid("swim-loss", "variant=multicast,infection,suspicion", range(1, 11)),
        _loss_table,
        _loss_bars,
    )


def _of_lifeguard() -> Iterable[Experiment]:
    arms = ",".join(ARMS)
    yield Experiment(
        "lg-arms",
        "Lifeguard: each component on and off, 8 of 32 members block",
        _grid("lg-interval", f"nodes=32 c=8 d=8192 i=64 retransmit=3 arm={arms}", range(1, 13)),
        _arm_table,
        _arm_bars("False positives by component, 8 of 32 members block"),
    )
    yield Experiment(
        "lg-blocked",
        "Lifeguard: false positives by how many of 128 members block",
        _grid("lg-interval", f"nodes=128 d=32768 i=64 c=1,8,16,32 arm={arms}", (1,)),
        _blocked_table,
        _blocked_curves,
    )
    yield Experiment(
        "lg-timers",
        "Lifeguard: blocked members that go on accusing, 4 of 64 members block",
        _grid("lg-interval", f"nodes=64 c=4 d=32768 i=64 anomaly=timers arm={arms}", (1,)),
        _arm_table,
        _arm_bars("False positives by component, blocked members go on accusing"),
    )


def _of_rapid() -> Iterable[Experiment]:
    yield Experiment(
        "rp-bootstrap",
        "Rapid: bootstrap",
        _grid("rp-bootstrap", "nodes=100,300,1000,2000 arm=lifeguard,ours", (1,)),
        _bootstrap_table,
        _bootstrap_curves,
    )
    yield Experiment(
        "rp-loss80",
        "Rapid: 80 % of what ten of 1000 members send is lost",
        _grid("rp-loss80", "nodes=1000 faulty=10 direction=egress arm=ours", (1,)),
        _fault_table,
        _fault_bars("80 % egress loss at ten of 1000 members, for 810 s", 7.0),
    )
    yield Experiment(
        "rp-flipflop",
        "Rapid: what reaches ten of 1000 members is dropped every other 20 s",
        _grid("rp-flipflop", "nodes=1000 faulty=10 arm=ours", (1,)),
        _fault_table,
        _fault_bars("Ingress of ten of 1000 members dropped every other 20 s", 9.0),
    )


EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.name: experiment for experiment in (*_of_swim(), *_of_lifeguard(), *_of_rapid())
}
"""Every experiment by name, in the order of the papers."""
