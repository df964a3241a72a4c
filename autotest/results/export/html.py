"""An HTML page of its own: no script, nothing from elsewhere, every text escaped."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TextIO

from autotest import plurals
from autotest.results.export.base import Record, clean, moment
from autotest.states import Outcome

# The counts are known at the end and stand at the top: the page is never held in memory.
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark; --ink: light-dark(#222, #ddd); --page: light-dark(#fff, #181818) }}
:root {{ --faint: light-dark(#666, #999); --line: light-dark(#ddd, #444); --good: light-dark(#176b2c, #6fcf87) }}
:root {{ --warn: light-dark(#8a5a00, #e0b050); --bad: light-dark(#b3001b, #ff8080) }}
body {{ display: flex; flex-direction: column; font: 14px/1.4 sans-serif; margin: 1.5em }}
body {{ color: var(--ink); background: var(--page) }}
header {{ order: -2; overflow-wrap: anywhere }} .counts {{ order: -1; font-size: 16px }}
table {{ border-collapse: collapse }} th, td {{ text-align: left; vertical-align: top; padding: 3px 10px 3px 0 }}
tr {{ border-bottom: 1px solid var(--line) }} th {{ position: sticky; top: 0; background: var(--page) }}
td {{ overflow-wrap: anywhere; white-space: pre-wrap; min-width: 4em }} td.short {{ min-width: 0; white-space: nowrap }}
td.name, td.long {{ min-width: 14em }} td.build {{ min-width: 10em }}
.good {{ color: var(--good) }} .warn {{ color: var(--warn) }} .none {{ color: var(--faint) }}
.bad {{ color: var(--bad); font-weight: bold }}
dl {{ margin: 4px 0; display: grid; grid-template-columns: auto 1fr; column-gap: 10px }} dd {{ margin: 0 }}
summary {{ cursor: pointer; color: var(--faint) }}
body:has(#unsound:checked) tr:has(> .good, > .none) {{ display: none }}
@media print {{ label, td:last-child, th:last-child {{ display: none }} }}
</style></head><body>
<header><h1>{title}</h1><label><input type="checkbox" id="unsound"> only what did not pass</label></header>
<table><thead><tr><th>test</th><th>status</th><th>reason</th><th>host</th><th>suite</th><th>board</th><th>build</th>
<th>job</th><th>started (UTC)</th><th>seconds</th><th>more</th></tr></thead><tbody>
"""
_CLASSES = {
    Outcome.GOOD.value: "good",
    Outcome.WARN.value: "warn",
    Outcome.ALERT.value: "warn",
    Outcome.TEST_NA.value: "none",
    Outcome.RUNNING.value: "none",
    Outcome.NOSTATUS.value: "none",
}


def write(records: Iterable[Record], title: str, out: TextIO) -> None:
    """See :class:`autotest.results.export.base.Exporter`."""
    out.write(_HEAD.format(title=_text(title)))
    counts: Counter[str] = Counter()
    for record in records:
        counts[record.status] += 1
        out.write(_row(record))
    out.write("</tbody></table>\n")
    told = [f'<span class="{_class(word)}">{count} {_text(word)}</span>' for word, count in counts.most_common()]
    total = plurals.counted(counts.total(), "result")
    out.write(f'<p class="counts">{total}: {", ".join(told) or "none"}</p>\n</body></html>\n')


def _row(record: Record) -> str:
    seconds = "" if record.seconds is None else f"{record.seconds:.0f}"
    cells = [
        f'<td class="name">{_text(record.test)}</td>',
        f'<td class="short {_class(record.status)}">{_text(record.status)}</td>',
        f'<td class="long">{_text(record.reason)}</td>',
        *(f"<td>{_text(text)}</td>" for text in (record.host, record.suite, record.board)),
        f'<td class="build">{_text(record.build)}</td>',
        *(f'<td class="short">{_text(text)}</td>' for text in (record.job_id, moment(record.started), seconds)),
        f"<td>{_more(record)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>\n"


def _more(record: Record) -> str:
    pairs = {"folder": record.folder, "job": record.job or ""}
    pairs |= {name: ", ".join(str(value) for value in values) for name, values in record.attributes.items()}
    pairs |= {name: _numbers(values) for name, values in record.perf.items()}
    return f"<details><summary>facts</summary>{_list(pairs)}</details>"


def _list(pairs: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{_text(name)}</dt><dd>{_text(value)}</dd>' for name, value in pairs.items())}</dl>"


def _numbers(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return f"{known[0]:.6g}" if known else "no number"
    return f"{statistics.median(known):.6g} (median of {len(known)}: {min(known):.6g} to {max(known):.6g})"


def _class(status: str) -> str:
    return _CLASSES.get(status, "bad")


def _text(value: object) -> str:
    return escape(clean(value), quote=True)
