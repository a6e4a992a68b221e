"""Makes tables and pictures from the rows of an experiment, with the published figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sims.experiments.plots import Bars, Curve, draw_bars, draw_curves
from sims.experiments.published import LIFEGUARD_TABLE, ArmFigures, published
from sims.measure import mean
from sims.scenarios.arms import ARMS

__all__ = [
    "CELLS",
    "Rows",
    "accuracy_curves",
    "accuracy_table",
    "arm_bars",
    "arm_curves",
    "arm_table",
    "arms_by",
    "bootstrap_curves",
    "bootstrap_table",
    "by_size",
    "curves_by_size",
    "fault_bars",
    "fault_table",
    "latency_bars",
    "latency_table",
    "loss_bars",
    "loss_table",
    "markdown",
]

Rows = Sequence[Mapping[str, str]]
"""Rows of a sweep's file: options and measures by name."""


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


def by_size(*measures: tuple[str, str]) -> Callable[[Rows], str]:
    """Columns of measures by the number of members; ``measures`` are pairs of measure and heading."""

    def table(rows: Rows) -> str:
        sizes = _in_order(rows, "nodes")
        body = [(n, *(_mean(rows, measure, nodes=n) for measure, _ in measures)) for n in sizes]
        return markdown(("members", *(title for _, title in measures)), body)

    return table


def curves_by_size(title: str, unit: str, *measures: tuple[str, str]) -> Callable[[Rows, Path], None]:
    """Measures by the number of members, and the published curves of the same measures."""

    def draw(rows: Rows, path: Path) -> None:
        ours = [_curve(rows, "nodes", measure, f"{label}, ours") for measure, label in measures]
        theirs = [curve for measure, _ in measures for curve in _theirs(measure)]
        draw_curves(path, ours + theirs, title=title, x="members", y=unit)

    return draw


def accuracy_table(rows: Rows) -> str:
    """Accusations and false positives by loss and size, with the paper's formula."""
    sizes = _in_order(rows, "nodes")
    body: list[Sequence[object]] = []
    for loss in _in_order(rows, "loss"):
        accused = [_mean(rows, "accused_per_period", loss=loss, nodes=n) for n in sizes]
        failed = [_mean(rows, "failed_per_period", loss=loss, nodes=n) for n in sizes]
        body.append((loss, _mean(rows, "expected_per_period", loss=loss), *accused, *failed))
    titles = [f"{word}, {n}" for word in ("accused", "failed") for n in sizes]
    return markdown(("loss", "accused, SWIM 3.1", *titles), body)


def accuracy_curves(rows: Rows, path: Path) -> None:
    """The same as curves."""
    theory = _curve(rows, "loss", "expected_per_period", "accused, SWIM section 3.1")
    curves = [Curve(theory.label, theory.points, is_published=True)]
    for n in _in_order(rows, "nodes"):
        for measure, word in (("accused_per_period", "accused"), ("failed_per_period", "failed")):
            curves.append(_curve(rows, "loss", measure, f"{word}, ours, {n} members", nodes=n))
    title = "Healthy members accused, and declared failed"
    draw_curves(path, curves, title=title, x="share of packets lost", y="per member and period", log=True)


def _published_sizes() -> dict[str, float]:
    """The SWIM paper's group sizes by our names of the ways of dissemination."""
    [series] = published("group_size")
    names = ("multicast", "infection", "suspicion")
    return {name: size for name, (_, size) in zip(names, series.points, strict=True)}


def loss_table(rows: Rows) -> str:
    """Group sizes at the end, by the way of dissemination."""
    theirs = _published_sizes()
    return markdown(
        ("dissemination", "published", "ours, mean", "least", "most"),
        [
            (name, theirs.get(name), _mean(rows, "group_size", variant=name), min(values), max(values))
            for name in _in_order(rows, "variant")
            if (values := _values(rows, "group_size", variant=name))
        ],
    )


def loss_bars(rows: Rows, path: Path) -> None:
    """The same as bars."""
    theirs, names = _published_sizes(), _in_order(rows, "variant")
    groups = [
        Bars("published", tuple(theirs.get(name) for name in names), is_published=True),
        Bars("ours, mean", tuple(_mean(rows, "group_size", variant=name) for name in names)),
    ]
    title = "Seventeen members, 10 % of packets lost: group size after 175 s"
    draw_bars(path, names, groups, title=title, y="members")


def arm_table(rows: Rows) -> str:
    """False positives and traffic by arm, as shares of plain SWIM's, beside Lifeguard's tables."""
    theirs = {row.arm: row for row in LIFEGUARD_TABLE}
    plain = theirs["swim"]
    names = ("false_failed", "false_failed_at_healthy", "packets", "sent_bytes")
    sums = {arm: [sum(_values(rows, name, arm=arm)) for name in names] for arm in _in_order(rows, "arm")}
    base = sums["swim"]
    body = []
    for arm, values in sums.items():
        row = theirs.get(arm)
        counts = (row.false_failed, row.false_failed_at_healthy) if row else (None, None)
        shares = [None if t is None else 100 * t / b for t, b in zip(counts, _counts_of(plain), strict=True)]
        ours = [100 * v / b if b else None for v, b in zip(values, base, strict=True)]
        body.append((arm, shares[0], ours[0], values[0], shares[1], ours[1], values[1], *ours[2:]))
    header = (
        "arm",
        "FP, published %, whole grid",
        "ours %",
        "ours",
        "at healthy, published %, whole grid",
        "ours %",
        "ours",
    )
    return markdown((*header, "packets %", "bytes %"), body)


def _counts_of(row: ArmFigures) -> tuple[int, int]:
    return row.false_failed, row.false_failed_at_healthy


def arm_bars(title: str) -> Callable[[Rows, Path], None]:
    """The same as bars."""

    def draw(rows: Rows, path: Path) -> None:
        arms = _in_order(rows, "arm")
        theirs = {row.arm: row for row in LIFEGUARD_TABLE}
        groups = []
        for name, word in (("false_failed", "all observers"), ("false_failed_at_healthy", "healthy ones")):
            plain = getattr(theirs["swim"], name)
            heights = [100 * getattr(theirs[a], name) / plain if a in theirs else None for a in arms]
            groups.append(Bars(f"{word}, published (its whole grid)", tuple(heights), is_published=True))
            base = sum(_values(rows, name, arm="swim"))
            ours = [100 * sum(_values(rows, name, arm=arm)) / base if base else None for arm in arms]
            groups.append(Bars(f"{word}, ours", tuple(ours)))
        draw_bars(path, arms, groups, title=title, y="false positives, % of SWIM's", log=True)

    return draw


CELLS = 480
"""Runs behind each point of the Lifeguard paper's figure 2: six lengths, eight intervals, ten repeats."""


def _their_counts(theirs: str, runs: int) -> dict[str, Curve]:
    """The paper's false positives per run, SWIM's and Lifeguard's, by the name of the arm."""
    return {
        arm: Curve(series.label, tuple((x, y / runs) for x, y in series.points), is_published=True)
        for arm in ("swim", "lifeguard")
        for series in published(f"{theirs}.{arm}")
    }


def arms_by(option: str, title: str, theirs: str, runs: int = 1) -> Callable[[Rows], str]:
    """False positives by an option and by arm; ``theirs`` names the published counts over ``runs`` runs."""

    def table(rows: Rows) -> str:
        published = [dict(curve.points) for curve in _their_counts(theirs, runs).values()]
        arms = _in_order(rows, "arm")
        body = [
            (
                x,
                *(points.get(float(x)) for points in published),
                *(_mean(rows, "false_failed", arm=arm, **{option: x}) for arm in arms),
                *(_mean(rows, "false_failed_at_healthy", arm=arm, **{option: x}) for arm in arms),
            )
            for x in _in_order(rows, option)
        ]
        healthy = (f"{arm}, at healthy" for arm in arms)
        return markdown((title, "SWIM, published", "Lifeguard, published", *arms, *healthy), body)

    return table


def arm_curves(option: str, title: str, x: str, theirs: str, runs: int = 1) -> Callable[[Rows, Path], None]:
    """The same as curves."""

    def draw(rows: Rows, path: Path) -> None:
        arms = _in_order(rows, "arm")
        ours = [_curve(rows, option, "false_failed", _label(arm), arm=arm) for arm in arms]
        curves = [*ours, *_their_counts(theirs, runs).values()]
        draw_curves(path, curves, title=title, x=x, y="false positives per run", log=True)

    return draw


_LATENCIES = (
    ("first_p50_seconds", "first failed, median"),
    ("first_p99_seconds", "first, 99 %"),
    ("all_p50_seconds", "last healthy member's, median"),
    ("all_p99_seconds", "last, 99 %"),
)


def latency_table(rows: Rows) -> str:
    """Seconds from a crash until the first and the last member declare it failed, by arm."""
    [theirs] = published("first_p50_seconds")
    by_arm = {"swim": theirs.points[0][1], "lifeguard": theirs.points[0][1]}
    body = [
        (arm, by_arm.get(arm), *(_mean(rows, measure, arm=arm) for measure, _ in _LATENCIES))
        for arm in _in_order(rows, "arm")
    ]
    return markdown(("arm", "first, published", *(title for _, title in _LATENCIES)), body)


def latency_bars(rows: Rows, path: Path) -> None:
    """The medians as bars."""
    arms = _in_order(rows, "arm")
    [theirs] = published("first_p50_seconds")
    label = f"{theirs.label} ({theirs.reading})"
    known = tuple(theirs.points[0][1] if arm in ("swim", "lifeguard") else None for arm in arms)
    groups = [Bars(label, known, is_published=True)]
    for measure, title in _LATENCIES[::2]:
        groups.append(Bars(f"{title}, ours", tuple(_mean(rows, measure, arm=arm) for arm in arms)))
    draw_bars(path, arms, groups, title="From a crash to its detection, by component", y="seconds")


def bootstrap_table(rows: Rows) -> str:
    """Seconds until all see all, and sizes seen meanwhile."""
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


def bootstrap_curves(rows: Rows, path: Path) -> None:
    """The same seconds as curves."""
    arms = _in_order(rows, "arm")
    curves = [_curve(rows, "nodes", "all_seconds", _label(arm), arm=arm) for arm in arms]
    title = "Bootstrap: all nodes join one seed within a second"
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


def fault_table(rows: Rows) -> str:
    """The healthy members' views of each other and of the faulty ones, a line per run."""
    body = [
        (row["arm"], row["nodes"], row["faulty"], *(float(row[name]) for name, _ in _FAULT_MEASURES))
        for row in rows
    ]
    return markdown(("arm", "members", "faulty", *(title for _, title in _FAULT_MEASURES)), body)


def fault_bars(title: str, memberlist: float) -> Callable[[Rows, Path], None]:
    """How many of ten faulty members were gone at once, at most; the published numbers are from memory."""

    def draw(rows: Rows, path: Path) -> None:
        names = ["memberlist, published (from memory)", "Rapid, published (from memory)"]
        names += [f"{_label(row['arm'])}, one run" for row in rows]
        heights = (memberlist, 10.0, *(10 * float(r["faulty_gone_max"]) / float(r["faulty"]) for r in rows))
        draw_bars(
            path, names, [Bars("at most", heights)], title=title, y="of ten faulty members, gone at once"
        )

    return draw
