"""Each way of signing in, in a browser over a small ledger."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyotp
import pytest
from console_browser import chromium, opened
from console_page import PASSWORD, RunningPage
from oidc_provider import SECRET, OidcProvider
from playwright.sync_api import Browser, Page, expect
from signing_proxy import SigningProxy

from connectors.console.api.live import CHECK_EVERY_S
from connectors.console.sign_in.oidc_settings import OidcSettings
from connectors.console.sign_in.proxy import ProxySettings
from connectors.console.sign_in.ways import Ways
from connectors.console.store.accounts import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def secret_on(page: Page) -> str:
    """Photograph the QR code on the page and read the secret in it, as a phone does."""
    picture = cv2.imdecode(np.frombuffer(page.locator(".qr").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    address = cv2.QRCodeDetector().detectAndDecode(picture)[0]
    return pyotp.parse_uri(address).secret


def test_a_required_second_factor_is_set_up_with_a_phone_and_asked_for_at_the_next_login(
    browser: Browser, tmp_path: Path
) -> None:
    with RunningPage(tmp_path) as running:
        running.accounts.put("ann", PASSWORD, Role.OPERATOR, None)
        running.accounts.require_second_factor(Role.VIEWER)
        with opened(browser, running.url) as page:
            log_in(page, "ann")
            expect(page.get_by_role("heading", name="A second factor is required")).to_be_visible()
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Set it up").click()
            page.wait_for_selector(".qr")
            phone = pyotp.TOTP(secret_on(page))
            page.get_by_label("Code that the app shows").fill(phone.now())
            page.get_by_role("button", name="Turn it on").click()
            page.wait_for_selector(".codes")
            codes = page.locator(".codes").inner_text().split()
            page.get_by_role("button", name="I have stored them").click()
            page.wait_for_selector(".page-live[data-ready]")
            page.get_by_role("button", name="Log out").click()
            log_in(page, "ann")
            page.get_by_label("Code of your app").fill(codes[0])
            page.get_by_role("button", name="Log in").click()
            page.wait_for_selector(".page-live[data-ready]")
            page.get_by_role("button", name="Second factor").click()
            expect(page.get_by_text("Recovery codes left: 9")).to_be_visible()


def test_the_recovery_codes_stay_until_they_are_stored(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path) as running:
        running.accounts.put("ann", PASSWORD, Role.OPERATOR, None)
        with opened(browser, running.url) as page, opened(browser, running.url) as other:
            for each in (page, other):
                log_in(each, "ann")
                each.wait_for_selector(".page-live[data-ready]")
            page.get_by_role("button", name="Second factor").click()
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Set it up").click()
            page.wait_for_selector(".qr")
            page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret_on(page)).now())
            page.get_by_role("button", name="Turn it on").click()
            page.wait_for_selector(".codes")
            expect(other.get_by_role("button", name="Log in")).to_be_visible()  # within a second
            page.wait_for_timeout(2 * 1000 * CHECK_EVERY_S)
            page.keyboard.press("Escape")
            page.keyboard.press("Escape")
            page.evaluate("location.hash = '#/alerts'")
            page.wait_for_selector(".page-alerts[data-ready]")
            assert len(page.locator(".codes").inner_text().split()) == 10
            page.get_by_role("button", name="I have stored them").click()
            expect(page.locator("dialog")).to_have_count(0)
            page.get_by_role("button", name="Acknowledge", exact=True).first.click()  # in the new session
            expect(page.locator(".toast")).to_contain_text("Acknowledged")


def test_an_administrator_requires_a_second_factor_in_the_page_and_resets_one(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path) as running:
        running.accounts.put("ann", PASSWORD, Role.ADMINISTRATOR, None)
        running.accounts.put("ben", PASSWORD, Role.VIEWER, None)
        secret = pyotp.parse_uri(running.accounts.second_factors.prepare("ben")).secret
        assert running.accounts.second_factors.turn_on("ben", pyotp.TOTP(secret).now())
        with opened(browser, f"{running.url}/#/accounts") as page:
            log_in(page, "ann")
            page.get_by_role("button", name="Reset").click()
            page.locator("dialog").get_by_role("button", name="Reset").click()
            expect(page.get_by_role("button", name="Reset")).to_have_count(0)
            page.get_by_label("A second factor is required of").select_option("everybody")
            expect(page.get_by_role("heading", name="A second factor is required")).to_be_visible()
        assert running.accounts.second_factor_from is Role.VIEWER
        assert not running.accounts.second_factors.is_on("ben")


def test_a_user_signs_in_at_a_provider_comes_back_to_the_same_page_and_is_shown_out_when_it_ends_there(
    browser: Browser, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with OidcProvider(port) as provider:
        provider.put("1", preferred_username="ann", groups=["desk"])
        values = {
            "issuer": provider.url,
            "client_id": "passerby",
            "client_secret": SECRET,
            "recheck_s": 1,
            "roles": {"desk": "operator"},
        }
        ways = Ways(local_accounts=False, oidc=OidcSettings.of({**values, "label": "the city"}))
        with (
            RunningPage(tmp_path, ways=ways) as running,
            opened(browser, f"{running.url}/#/people?camera=west") as page,
        ):
            page.route(re.compile("https:"), lambda route: route.fulfill(body=""))  # a style sheet
            button = page.get_by_role("button", name="Sign in at the city")
            button.click()
            page.locator("input[name=sub]").fill("1")
            page.get_by_role("button", name="Authorize").click()
            page.wait_for_selector(".page-people[data-ready]")
            assert page.url.endswith("#/people?camera=west")
            expect(page.locator("#nav .foot")).to_contain_text("operator")
            provider.revoke("1")
            expect(button).to_be_visible()
            assert page.locator("[data-person]").count() == 0


def test_a_proxy_signs_a_user_in_without_a_login_form_and_shows_them_out(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.console.api.live.CONNECTION_S", 2.0)
    headers = {"name_header": "X-User", "groups_header": "X-Groups"}
    settings = ProxySettings.of({"addresses": ["127.0.0.1"], **headers, "roles": {"desk": "operator"}})
    with (
        RunningPage(tmp_path, ways=Ways(local_accounts=False, proxy=settings)) as running,
        SigningProxy(running.port, {"X-User": "ann", "X-Groups": "desk"}) as proxy,
        opened(browser, f"{proxy.url}/#/people") as page,
    ):
        page.wait_for_selector(".page-people[data-ready]")
        expect(page.locator("#nav .foot")).to_contain_text("ann")
        expect(page.get_by_role("button", name="Log out")).to_have_count(0)
        page.wait_for_timeout(5000)  # connections end and begin again, and the page says nothing of it
        expect(page.locator("#lost")).to_have_count(0)
        proxy.headers = {}
        expect(page.get_by_text("Come through the proxy that signs you in.")).to_be_visible()
        assert page.locator("[data-person]").count() == 0
