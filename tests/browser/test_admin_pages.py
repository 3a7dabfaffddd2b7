"""The admin site in a real browser: nothing from elsewhere, no script error, charts drawn, a secret seen once."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Seen, Site

pytestmark = pytest.mark.browser
LISTS = (
    *("keys/key", "providers/providersetting", "providers/modelprice", "providers/loadedpricelist", "routes/route"),
    "providers/customprovider",
    *("reporting/usageevent", "reporting/keyspend", "reporting/hourlyusage", "reporting/dailyusage"),
    *("reporting/spoolcursor", "reporting/rejectedrecord", "auth/user", "auth/group", "admin/logentry"),
    *("gateway_project/configversion", "gateway_project/keychange", "gateway_project/secretcheck"),
)
FORMS = (
    "keys/key/add",
    "providers/providersetting/add",
    "providers/customprovider/add",
    "providers/modelprice/add",
    "routes/route/add",
    "auth/user/add",
)
WITH_ROWS = ("keys/key", "providers/providersetting", "providers/modelprice", "routes/route", "reporting/usageevent")
CURL = "curl http://localhost:8002/api/providers/openai/v1/chat/completions"


def test_no_page_loads_anything_from_elsewhere_or_fails(admin: Page, seen: Seen) -> None:
    pages = ["/admin/?range=30d", *(f"/admin/{path}/" for path in (*LISTS, *FORMS))]
    for path in pages:  # grows on the way: the first row of some lists is opened as well
        answer = admin.goto(path, wait_until="load")
        assert answer is not None
        assert answer.status == 200, path
        assert "canary" not in admin.content(), path
        if path[len("/admin/") : -1] in WITH_ROWS:
            pages.append(str(admin.locator("#result_list tbody th a").first.get_attribute("href")))
    assert len(pages) == 1 + len(LISTS) + len(FORMS) + len(WITH_ROWS)
    assert seen.foreign == []
    assert seen.troubles == []


def test_the_dashboard_draws_its_charts(admin: Page, seen: Seen, screenshots: Path) -> None:
    admin.goto("/admin/?range=24h")
    expect(admin.locator("canvas.chart")).to_have_count(5)
    drawn = admin.evaluate("Object.values(Chart.instances).map((chart) => chart.scales.y.ticks.at(-1).label)")
    assert len(drawn) == 5
    assert re.fullmatch(r"\d+", drawn[0])
    assert drawn[1].startswith("$")
    assert drawn[4].endswith(" s")
    for text in ("Requests", "Cost", "Error rate", "Support assistant", "gpt-4o-mini"):
        expect(admin.locator("#dashboard").get_by_text(text, exact=True).first).to_be_visible()
    admin.screenshot(path=screenshots / "dashboard.png", full_page=False)
    admin.emulate_media(color_scheme="dark")
    admin.goto("/admin/?range=7d")
    expect(admin.locator("html")).to_have_class(re.compile("dark"))
    admin.screenshot(path=screenshots / "dashboard-dark.png")
    assert (seen.foreign, seen.troubles) == ([], [])


def test_the_key_list_says_who_may_do_what(admin: Page, screenshots: Path) -> None:
    admin.goto("/admin/keys/key/")
    for text in ("Trial of a partner", "2 requests / minute", "$0.25 in total", "revoked"):
        expect(admin.get_by_text(text, exact=True).first).to_be_visible()
    admin.screenshot(path=screenshots / "keys.png")
    admin.get_by_text("Filters filter_list").click()
    admin.get_by_label("Revoked").check()
    admin.get_by_role("button", name="Apply Filters").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(1)
    admin.get_by_role("link", name="Old prototype").click()
    expect(admin.get_by_text("Replaced by the support assistant.")).to_be_visible()
    expect(admin.get_by_role("button", name="Restore")).to_be_visible()


def test_a_secret_is_shown_once_and_can_be_copied(admin: Page, seen: Seen, screenshots: Path) -> None:
    admin.goto("/admin/keys/key/add/")
    admin.get_by_label("Name").fill("Mobile app")
    admin.get_by_label("Tags").fill("mobile, production")
    admin.locator(".select2-selection").click()
    admin.get_by_role("option", name="Main account (openai)").click()
    admin.get_by_label("Requests", exact=True).fill("120")
    admin.locator("#id_request_window_unit").select_option("m")
    admin.get_by_label("Spend in total (USD)").fill("25")
    admin.keyboard.press("Tab")
    admin.screenshot(path=screenshots / "key-form.png")
    admin.get_by_role("button", name="Save").click()
    secret = admin.locator("#key-secret").inner_text()
    assert secret.startswith("gh-")
    admin.get_by_role("button", name="Copy").first.click()
    expect(admin.get_by_role("button", name="Copied")).to_be_visible()
    assert admin.evaluate("navigator.clipboard.readText()") == secret
    assert CURL in admin.locator("#key-curl").inner_text()
    admin.get_by_role("link", name="Open the key").click()
    expect(admin.get_by_label("Name")).to_have_value("Mobile app")
    assert secret not in admin.content()
    admin.get_by_role("link", name="Revoke").click()
    admin.get_by_label("Reason").fill("made for a test")
    admin.get_by_role("button", name="Revoke").click()
    expect(admin.get_by_text("made for a test")).to_be_visible()
    assert (seen.foreign, seen.troubles) == ([], [])


def test_a_setting_asks_for_what_its_provider_needs(admin: Page, site: Site, seen: Seen) -> None:
    admin.goto("/admin/providers/providersetting/add/")
    region = admin.get_by_label("AWS region")
    expect(region).to_be_hidden()
    admin.locator("#id_provider").select_option("bedrock")
    expect(region).to_be_visible()
    expect(admin.get_by_label("API key")).to_be_hidden()
    admin.locator("#id_provider").select_option("openai")
    admin.get_by_label("API key").fill("canary typed into a form")
    admin.get_by_label("Base URL").fill("ftp://nowhere")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("setting.url", exact=False).first).to_be_visible()
    assert "canary" not in admin.content()
    assert (seen.foreign, seen.troubles) == ([], [])


def test_a_route_is_made_of_steps_in_an_order(admin: Page, seen: Seen) -> None:
    admin.goto("/admin/routes/route/add/")
    admin.locator("#id_name").fill("Drafts")
    admin.locator("#id_path").fill("/drafts/chat/completions")
    admin.locator(".select2-selection").click()
    admin.keyboard.type("supp")
    admin.get_by_role("option", name="Support assistant").click()
    admin.get_by_label("Keep answers").check()
    fill_step(admin, 0, provider="azure", model="gpt-4o")
    admin.locator("#id_steps-0-param_deploymentId").fill("gpt-4o-eu")
    admin.get_by_role("link", name=re.compile("Add another")).click()
    fill_step(admin, 1, provider="openai", model="gpt-4.1-mini")
    admin.get_by_role("button", name="Save and continue editing").click()
    expect(admin.get_by_text("Must not be empty: azure needs it", exact=False)).to_be_visible()
    expect(admin.get_by_text("Support assistant", exact=False).first).to_be_visible()
    admin.locator("#id_steps-0-param_apiVersion").fill("2024-10-21")
    admin.get_by_role("button", name="Save and continue editing").click()
    expect(admin.locator("#route-address")).to_contain_text(":8002/api/routes/drafts/chat/completions")
    expect(admin.locator("#id_steps-1-model")).to_have_value("gpt-4.1-mini")
    admin.locator("#id_steps-0-position").fill("2")
    admin.get_by_role("button", name="Save and continue editing").click()
    expect(admin.locator("#id_steps-0-model")).to_have_value("gpt-4.1-mini")
    expect(admin.locator("#id_steps-1-param_deploymentId")).to_have_value("gpt-4o-eu")
    admin.get_by_role("button", name="Purge cache").click()
    expect(admin.get_by_text("was purged", exact=False)).to_be_visible()
    admin.goto("/admin/routes/route/")
    expect(admin.get_by_text("azure gpt-4o", exact=True)).to_be_visible()
    assert (seen.foreign, seen.troubles) == ([], [])


def fill_step(admin: Page, number: int, *, provider: str, model: str) -> None:
    admin.locator(f"#id_steps-{number}-provider").select_option(provider)
    admin.locator(f"#id_steps-{number}-model").fill(model)
