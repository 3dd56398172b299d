"""Fixtures from the page: edit, undo, redo, save, and run what was saved."""

from __future__ import annotations

import subprocess
import sys

from playwright.sync_api import expect

CONFIG = "trocar.link.ask({type: 'op', op: 'get_config', args: {}}).then(answer => answer.result)"
"""What the controller itself has."""
SOFTNESS = "(c, n) => [c.fixture.find(f => f.name === n).softness].map(s => s.priority ? 'soft' : s)[0]"


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "teleop", *words], capture_output=True, text=True, timeout=180, check=False
    )


def test_an_edit_is_undone_redone_saved_checked_and_run(desk, house, tmp_path) -> None:
    name = desk.add("Forbidden sphere")
    page = desk.page
    near = house.witness.until(lambda pair: name in pair["clearance_m"])["clearance_m"][name]

    def radius_is(millimetres: float) -> None:
        """The clearance grows by what the radius of 10 mm loses; asked of the controller, not of the page."""
        away = near + 1e-3 * (10.0 - millimetres)
        house.witness.until(lambda pair: abs(pair["clearance_m"].get(name, 1.0) - away) < 5e-4)

    desk.number("radius", 4.0)
    radius_is(4.0)
    desk.number("radius", 2.0)
    radius_is(2.0)
    page.locator("#tab-fixtures").focus()
    page.keyboard.press("Control+z")
    radius_is(4.0)
    page.locator("#redo").click()
    radius_is(2.0)
    with page.expect_download() as waiting:
        page.locator("#save").click()
    saved = tmp_path / "saved.toml"
    waiting.value.save_as(saved)
    assert "radius_m = 0.002" in saved.read_text()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".fixture")).to_have_count(0)

    checked = command("check", str(saved))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    runtime = f'runtime_dir="{tmp_path}"'
    summary = tmp_path / "summary.json"
    ran = command("run", str(saved), "--seconds", "0.5", "--json", str(summary), "--set", runtime)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f'"{name}"' in summary.read_text()


def test_every_kind_of_the_menu_can_be_added_and_removed(desk, house) -> None:
    page = desk.page
    page.locator("#tab-fixtures").click()
    labels = page.locator("#add option").all_inner_texts()[1:-1]
    assert len(labels) > 15
    for label in labels:
        if label == "Keep two tools apart":
            continue  # this session has one arm
        name = desk.add(label)
        page.get_by_role("button", name="Remove").click()
        desk.until(f"!document.querySelector('.fixture[data-name={name}]')")
    page.locator("#add").select_option(label="Keep two tools apart")
    expect(page.locator(".toast.error").last).to_contain_text("arms")


def test_how_strictly_it_holds_and_whether_at_all(desk, house) -> None:
    name = desk.add("Forbidden sphere")
    row = desk.page.locator(f".fixture[data-name={name}]")
    strict = row.get_by_label(f"{name}: how strictly")
    for word in ("advisory", "soft", "hard"):
        strict.select_option(word)
        desk.until(f"{CONFIG}.then(c => ({SOFTNESS})(c, '{name}') === '{word}')")
    row.get_by_label(f"{name} enabled").uncheck()
    house.witness.until(lambda pair: name not in pair["clearance_m"])
    expect(row.locator(".gap")).to_have_text("off")
    row.get_by_label(f"{name} enabled").check()
    house.witness.until(lambda pair: name in pair["clearance_m"])
