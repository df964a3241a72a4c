"""The Lab tab in a real browser: it follows the ledger by itself, searches while one types, and looks like Flower."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nodes.waiting import until
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

PATIENCE_S = 30.0
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1440,1700"),
    # Else a click comes while the page still glides to its aim.
    "--force-prefers-reduced-motion",
)


class Browser:
    """Chromium, and what tests look for on the Lab tab."""

    def __init__(self, driver: webdriver.Chrome, url: str):
        self.driver = driver
        self._url = url

    def open(self, path: str = "/lab") -> None:
        """Go there as somebody who types the address."""
        self.driver.get(self._url + path)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self._url)

    @property
    def names(self) -> list[str]:
        """The hosts that are listed."""
        script = "return Array.from(document.querySelectorAll('#lab-hosts .lab-name'), each => each.textContent)"
        return self.driver.execute_script(script)

    def row(self, hostname: str) -> str:
        """What the line of a host says."""
        script = "return Array.from(document.querySelectorAll('#lab-hosts tr'), each => each.innerText)"
        return next((text for text in self.driver.execute_script(script) if text.startswith(hostname)), "")

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until *condition* holds; the page may be changing while it looks."""

        def looked() -> object:
            try:
                return condition()
            except StaleElementReferenceException:
                return False

        until(looked, PATIENCE_S, lambda: f"{what}; {self.path} says {self.find('main').text}")

    def mark(self) -> None:
        """Leave a mark that a reload would take away."""
        self.driver.execute_script("window.marked = true")

    @property
    def was_reloaded(self) -> bool:
        return not self.driver.execute_script("return window.marked === true")


@pytest.fixture
def browser(flower, tmp_path) -> Iterator[Browser]:
    """Debian's Chromium with a profile of its own; what it complains about fails the test."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("needs Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    # With both paths given, selenium looks for nothing and fetches nothing.
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        yield Browser(driver, flower.url)
        assert [line["message"] for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []
    finally:
        driver.quit()


@pytest.fixture
def reports(request) -> Path:
    """Where screenshots are kept."""
    folder = request.config.rootpath / "build" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_the_tab_follows_the_ledger_by_itself(browser, rows):
    first, second = rows.hosts(2)
    browser.open("/tasks")
    browser.find(".app-nav a[href='/lab']").click()
    browser.wait(lambda: browser.names == [first.hostname, second.hostname], "both hosts are listed")
    assert browser.find(".app-nav a[aria-current='page']").text == "Lab"
    browser.mark()
    lease = rows.run(second, "perftest")
    browser.wait(lambda: f"lease {lease.id}" in browser.row(second.hostname), "the second host shows its lease")
    assert "Running" in browser.row(second.hostname)
    assert "perftest" in browser.row(second.hostname)
    rows.lock(first, "new camera")
    browser.wait(lambda: "Locked" in browser.row(first.hostname), "the first host shows its lock")
    rows.end(lease, "Failed")
    browser.wait(lambda: "Failed perftest" in browser.row(second.hostname), "the second host shows its result")
    assert browser.find("#lab-count-free").text == "1"
    rows.queue(["board:toaster"], entries=3)
    browser.wait(lambda: "no host carries board:toaster" in browser.find("#lab-queues").text, "the queue is shown")
    assert "1 served by nobody" in browser.find("#lab-queue-note").text
    assert not browser.was_reloaded


def test_a_line_that_did_not_change_is_left_alone(browser, rows):
    first, second = rows.hosts(2)
    browser.open()
    kept, changed = browser.find(f"#host-{first.id}"), browser.find(f"#host-{second.id}")
    rows.hosts(1)
    rows.lock(second, "new camera")
    browser.wait(lambda: "Locked" in browser.row(second.hostname), "the second host shows its lock")
    assert len(browser.names) == 3
    assert kept.text.startswith(first.hostname)
    with pytest.raises(StaleElementReferenceException):
        changed.click()


def test_typing_searches_and_the_address_keeps_it(browser, rows):
    rows.hosts(60)
    rows.hosts(3, board="pi5", status="Repair Failed")
    browser.open()
    browser.mark()
    browser.find("#lab-filters [name=q]").send_keys("board:pi5")
    browser.wait(lambda: browser.names == ["pi5-host61", "pi5-host62", "pi5-host63"], "three hosts are found")
    assert browser.path == "/lab?q=board%3Api5"
    assert not browser.was_reloaded
    browser.open(browser.path)
    assert browser.find("#lab-filters [name=q]").get_attribute("value") == "board:pi5"
    assert len(browser.names) == 3
    browser.find("#lab-filters [name=q]").send_keys(Keys.BACKSPACE * len("board:pi5"))
    browser.wait(lambda: len(browser.names) == 50 and "q=" not in browser.path, "every host is found again")
    Select(browser.find("#lab-filters [name=state]")).select_by_visible_text("Takes no work")
    browser.wait(lambda: len(browser.names) == 3 and "q=" not in browser.path, "the state alone finds three")
    assert browser.path == "/lab?state=blocked"
    browser.find("#lab-filters [name=q]").send_keys("nothing like that")
    browser.wait(lambda: "No DUT is like that" in browser.find("#lab-hosts").text, "nothing is found")


def test_pages_are_turned_without_a_reload_and_back_goes_back(browser, rows):
    rows.hosts(120)
    browser.open()
    browser.mark()
    assert len(browser.names) == 50
    browser.find("#lab-host-pager a[rel=next]").click()
    browser.wait(lambda: browser.names[:1] == ["pi4-host51"], "the second page is shown")
    assert browser.path == "/lab?page=2"
    browser.find("#lab-host-pager a[rel=next]").click()
    browser.wait(lambda: len(browser.names) == 20, "the last page is shown")
    browser.driver.back()
    browser.wait(lambda: browser.names[:1] == ["pi4-host51"], "back leads to the second page")
    browser.find("a.lab-count[href*='state=busy']").click()
    browser.wait(lambda: "No DUT is like that" in browser.find("#lab-hosts").text, "the number leads to its list")
    assert not browser.was_reloaded


def test_a_host_leads_to_its_task_and_to_its_results(browser, rows, tell_started):
    (host,) = rows.hosts(1)
    lease = rows.run(host)
    text = f"sleeptest on {host.hostname}, job {lease.entry.job_id}"
    browser.open()
    tell_started("11111111-2222-3333-4444-555555555555", "autotest.run_test", text)
    browser.wait(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "a.lab-task"), "the step becomes a link")
    browser.find("a.lab-task").click()
    browser.wait(lambda: browser.path.startswith("/task/1111"), "Flower shows the task")
    assert text in browser.find("main").text
    browser.driver.back()
    browser.wait(lambda: browser.names, "the Lab tab is back")
    browser.find(f"#host-{host.id} a[href^='/lab/results/']").click()
    browser.find("#lab-files a[href$='status.log']").click()
    browser.wait(lambda: browser.path.endswith("/status.log"), "the log is shown")
    assert "<script>alert(1)</script>" in browser.find("body").text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_thousand_hosts_in_the_colours_of_flower(browser, rows, reports, theme):
    hosts = rows.hosts(960) + rows.hosts(30, board="pi5") + rows.hosts(10, board="x86", status="Repair Failed")
    for host in hosts[:12:3]:
        rows.run(host)
    rows.end(rows.run(hosts[4]))
    rows.end(rows.run(hosts[5]), "Failed")
    rows.lock(hosts[7], "new camera")
    rows.queue(["board:pi4"], entries=40)
    rows.queue(["board:toaster"], entries=3, priority=70)
    browser.open("/tasks")
    browser.driver.execute_script("localStorage.setItem('flower-theme', arguments[0])", theme)
    browser.open()
    browser.wait(lambda: browser.find("#lab-refresh-status").text.startswith("Updated"), "the page is live")
    assert browser.find("#lab-count-all").text == "1,000"
    assert "1 to 50 of 1000 DUTs" in browser.find("#lab-host-pager").text
    lightness = browser.driver.execute_script(
        "return Array.from(document.querySelectorAll('.lab-card, body'), each => getComputedStyle(each).backgroundColor"
        ".match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))"
    )
    assert all((each > 384) == (theme == "light") for each in lightness)
    wide = browser.driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} pixels too wide"
    assert browser.driver.save_screenshot(str(reports / f"lab-tab-{theme}.png"))
