"""Dialogs of the page in a browser: they close with their page, ask before they remove, and stay with an error."""

from collections.abc import Iterator

import pytest
from console_browser import chromium, go, opened
from console_page import PASSWORD, RunningPage
from playwright.sync_api import Locator, Page, expect

from connectors.console.store.accounts import Accounts, Role

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


SLOW = """() => {
    window.before = fetch;
    window.waiting = [];
    window.fetch = async (...asked) => {
        await new Promise((go) => waiting.push(go));
        return before(...asked);
    };
}"""
"""The server answers no request before those of ``waiting`` are called."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    with RunningPage(tmp_path_factory.mktemp("run")) as running:
        running.accounts.put("olga", PASSWORD, Role.ADMINISTRATOR, None)
        yield running


@pytest.fixture(scope="module")
def accounts(running: RunningPage) -> Accounts:
    return running.accounts


@pytest.fixture(scope="module")
def page(running: RunningPage) -> Iterator[Page]:
    with chromium() as browser, opened(browser, running.url) as opened_page:
        opened_page.get_by_label("Name").fill("olga")
        opened_page.get_by_label("Password").fill(PASSWORD)
        opened_page.get_by_role("button", name="Log in").click()
        opened_page.wait_for_selector(".page-live[data-ready]")
        yield opened_page


def row(page: Page, name: str) -> Locator:
    return page.locator("tr", has=page.get_by_role("cell", name=name, exact=True))


def test_a_dialog_closes_with_its_page(page: Page) -> None:
    go(page, "alerts")
    go(page, "person/1")
    page.locator('[data-key="erase"]').click()
    expect(page.locator("dialog")).to_be_visible()
    page.go_back()
    page.wait_for_selector(".page-alerts[data-ready]")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_merge_that_cannot_be_is_said_in_the_dialog_which_stays(page: Page) -> None:
    go(page, "person/1")
    page.locator('[data-key="merge"]').click()
    for wrong, said in (("-1", "Expected the number"), ("1.5", "Expected the number"), ("1", "This is person 1")):
        page.get_by_label("Person number").fill(wrong)
        page.get_by_role("button", name="Merge", exact=True).click()
        expect(page.locator("dialog .error")).to_contain_text(said)
    page.get_by_role("button", name="Cancel").click()


def test_an_address_that_names_no_page_says_so(page: Page) -> None:
    page.evaluate("location.hash = '#/nonsense'")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert page.locator("#nav [aria-current]").count() == 0


def test_a_page_that_waits_for_its_data_says_so(page: Page) -> None:
    page.evaluate(SLOW)
    page.evaluate("location.hash = '#/health'")
    expect(page.locator(".loading")).to_be_visible()
    page.evaluate("() => { window.fetch = window.before; for (const go of waiting) go(); }")
    page.wait_for_selector(".page-health[data-ready]")
    expect(page.locator(".loading")).to_have_count(0)


def test_a_taken_name_is_said_in_the_dialog_which_stays(page: Page, accounts: Accounts) -> None:
    accounts.put("paul", PASSWORD, Role.VIEWER, None)
    go(page, "accounts")
    page.get_by_role("button", name="New user").click()
    page.locator('[data-key="user name"]').fill("paul")
    page.locator('[data-key="user password"]').fill("another password")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dialog .error")).to_contain_text("this name is taken")
    page.locator('[data-key="user name"]').fill("a/b")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dialog .error")).to_contain_text("expected at most 64 letters")
    page.get_by_role("button", name="Cancel").click()
    assert accounts.log_in("paul", PASSWORD) is not None


def test_a_user_is_changed_in_the_table_and_removed_after_a_question(page: Page, accounts: Accounts) -> None:
    accounts.put("rita", PASSWORD, Role.VIEWER, None)
    go(page, "people")
    go(page, "accounts")
    row(page, "rita").get_by_role("button", name="Change…").click()
    page.locator('[data-key="user role"]').select_option("operator")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "rita")).to_contain_text("operator")
    found = accounts.log_in("rita", PASSWORD)
    assert found is not None
    assert found.role is Role.OPERATOR
    row(page, "rita").get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Cancel").click()
    assert accounts.user("rita") is not None
    row(page, "rita").get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(row(page, "rita")).to_have_count(0)
    assert accounts.user("rita") is None


def test_who_changes_their_password_stays_on_the_page(page: Page, accounts: Accounts) -> None:
    go(page, "people")
    go(page, "accounts")
    page.evaluate("window.before = true")
    page.get_by_role("button", name="My password").click()
    page.locator('[data-key="current-password"]').fill(PASSWORD)
    page.locator('[data-key="new-password"]').fill("a new password")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Your password is changed.")
    page.wait_for_timeout(1500)  # the server has closed the connections of the session before
    assert page.evaluate("window.before")
    assert accounts.log_in("olga", "a new password") is not None
