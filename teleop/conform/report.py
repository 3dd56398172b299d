"""Results for people and for machines: lines, JSON, JUnit."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from teleop.conform.rule import Verdict
from teleop.conform.runner import Result

_MARKS = {Verdict.PASS: "pass", Verdict.FAIL: "FAIL", Verdict.SKIP: "skip"}


def line(result: Result) -> str:
    """One rule in one line; a failed one also says what was demanded and why."""
    rule, finding = result.rule, result.finding
    first = f"{_MARKS[finding.verdict]}  {rule.id:22} {finding.measured}"
    if finding.verdict is not Verdict.FAIL:
        return first
    return (
        f"{first}\n      rule      {rule.title}\n      demanded  {rule.demanded}\n      why       {rule.why}"
    )


def counts(results: Sequence[Result]) -> Counter[Verdict]:
    """How many passed, failed, were skipped."""
    return Counter(r.finding.verdict for r in results)


def closing(name: str, results: Sequence[Result]) -> str:
    """The last line."""
    n = counts(results)
    said = f"{n[Verdict.PASS]} passed, {n[Verdict.FAIL]} failed, {n[Verdict.SKIP]} skipped"
    if n[Verdict.FAIL]:
        return f"{name}: NOT safe to use: {said}"
    return f"{name}: {said}" + ("; what was skipped is not proven" if n[Verdict.SKIP] else "")


def as_json(endpoint: str, info: dict[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    """Everything as plain data."""
    n = counts(results)
    return {
        "endpoint": endpoint,
        "name": info.get("name"),
        "info": info,
        "passed": n[Verdict.PASS],
        "failed": n[Verdict.FAIL],
        "skipped": n[Verdict.SKIP],
        "rules": [
            {
                "id": r.rule.id,
                "title": r.rule.title,
                "verdict": r.finding.verdict.value,
                "measured": r.finding.measured,
                "demanded": r.rule.demanded,
                "why": r.rule.why,
                "seconds": round(r.seconds, 3),
                "tries": r.tries,
            }
            for r in results
        ],
        "version": version("trocar"),
    }


def as_junit(name: str, results: Sequence[Result]) -> str:
    """JUnit XML, one test case a rule."""
    n = counts(results)
    suite = ET.Element(
        "testsuite",
        name=f"trocar conform {name}",
        tests=str(len(results)),
        failures=str(n[Verdict.FAIL]),
        skipped=str(n[Verdict.SKIP]),
        time=f"{sum(r.seconds for r in results):.3f}",
    )
    for r in results:
        case = ET.SubElement(suite, "testcase", classname=name, name=r.rule.id, time=f"{r.seconds:.3f}")
        text = f"{_plain(r.finding.measured)} (demanded: {r.rule.demanded})"
        if r.finding.verdict is Verdict.FAIL:
            ET.SubElement(case, "failure", message=text)
        elif r.finding.verdict is Verdict.SKIP:
            ET.SubElement(case, "skipped", message=text)
        else:
            ET.SubElement(case, "system-out").text = text
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _plain(text: str) -> str:
    """Without the control characters that XML 1.0 forbids: a driver may send any text."""
    return "".join(c if c.isprintable() else "?" for c in text)
