"""The contract with Flower: every name of its own that our page touches. Flower promises none of them.

A failure here says what a new Flower changed; the pin in setup.cfg moves only together with what it breaks.
"""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from flower import urls
from flower.options import options
from flower.utils.search import TaskSearchEngine

from autotest.flower import overlay

OURS = Path(overlay.__file__).parent
FLOWERS = Path(urls.settings["template_path"])
STYLES = "".join(path.read_text() for path in (FLOWERS.parent / "static" / "css").glob("*.css"))

#: module, name, parameters that we give by name, and who needs it.
FUNCTIONS = [
    ("flower.app", "Flower.__init__", {"options", "capp"}, "app.LabFlower"),
    ("flower.app", "Flower.start_http_server", set(), "app.run"),
    ("flower.app", "Flower.start", set(), "app.run"),
    ("flower.app", "Flower.stop", set(), "app.run"),
    ("flower.app", "rewrite_handler", {"handler", "url_prefix"}, "app.LabFlower, for --url_prefix"),
    ("flower.command", "apply_env_options", set(), "app.run"),
    ("flower.command", "apply_options", {"prog_name", "argv"}, "app.run"),
    ("flower.command", "extract_settings", set(), "app.run"),
    ("flower.command", "setup_logging", set(), "app.run"),
    ("flower.command", "sigterm_handler", set(), "app.run"),
    ("flower.utils.tasks", "iter_tasks", {"events", "limit", "state"}, "steps_seen.running"),
    ("flower.views", "BaseHandler.get_argument", {"name", "default", "escape"}, "lab_tab, for quotes in a search"),
    ("flower.views", "BaseHandler.get_current_user", set(), "the login of every page of ours"),
    ("flower.views", "BaseHandler.render", set(), "lab_tab and results_page"),
]
OPTIONS = (
    "address",
    "port",
    "max_tasks",
    "purge_offline_workers",
    "tasks_columns",
    "logging",
    "basic_auth",
    "url_prefix",
)
BLOCKS = ("title", "navbar", "container", "extra_scripts")
CLASSES = (
    *("page-section", "page-header", "page-eyebrow", "page-description", "broker-page", "broker-url"),
    *("metric-grid", "metric-card", "metric-card-success", "metric-card-active", "metric-card-danger"),
    *("metric-label", "metric-value", "workers-table", "workers-table-card", "empty-table-message", "value-missing"),
    *("refresh-status", "status-dot", "status-dot-live", "status-dot-error"),
    *("alert-warning", "btn-outline-secondary", "form-control", "form-select", "table-responsive", "table-hover"),
)


def test_it_is_the_flower_that_we_know():
    assert version("flower").startswith("2.2."), "the Lab tab was made for Flower 2.2; see what else fails here"


@pytest.mark.parametrize(
    ("module", "name", "parameters", "needed_by"),
    FUNCTIONS,
    ids=lambda each: "-".join(sorted(each)) if isinstance(each, set) else str(each),
)
def test_flower_has_the_function(module, name, parameters, needed_by):
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
        assert found is not None, f"Flower has no {module}.{name}, which {needed_by} calls"
    missing = parameters - set(inspect.signature(found).parameters)
    assert not missing, f"{module}.{name} takes no {missing}, which {needed_by} gives"


@pytest.mark.parametrize("name", OPTIONS)
def test_flower_has_the_option(name):
    assert name in options, f"Flower has no option {name}, which app.run sets"


@pytest.mark.parametrize("name", ["template_path", "static_path"])
def test_flower_says_where_its_files_are(name):
    assert Path(urls.settings[name]).is_dir(), f"flower.urls.settings has no folder {name}, which ours lies over"


@pytest.mark.parametrize("name", ["main", "task"])
def test_flower_names_the_page_that_we_link_to(name):
    assert name in {getattr(each, "name", None) for each in urls.handlers}, f"no page of Flower is called {name}"


def test_flower_catches_all_that_nobody_before_it_took():
    assert urls.handlers[-1][0] == ".*", "Flower's last handler catches all; ours are asked first"


def test_flower_finds_started_tasks_by_state():
    assert "state" in TaskSearchEngine().exact_postings, "Flower has no index by state: steps_seen would be slow"


@pytest.mark.parametrize("block", BLOCKS)
def test_flowers_base_page_has_the_block(block):
    base = (FLOWERS / "base.html").read_text()
    assert re.search(rf"{{% block {block} %}}", base), f"Flower's base.html has no block {block}, which ours fill"


def test_flowers_tabs_end_where_the_lab_link_goes():
    navbar = (FLOWERS / "navbar.html").read_text()
    shown = overlay.with_lab_link(navbar)
    tabs = shown[: shown.index("</ul>")]
    assert re.findall(r"reverse_url\('(\w+)'\)", tabs) == ["main", "workers", "tasks", "broker", "lab"]
    assert shown.replace(overlay._LINK, "").split() == navbar.split(), "nothing else of the navbar is changed"


@pytest.mark.parametrize("name", CLASSES)
def test_flower_has_a_style_for_the_class(name):
    assert re.search(rf"\.{name}\b", STYLES), f"Flower's styles know no .{name}; the Lab tab would look foreign"


def test_flower_defines_each_colour_that_our_styles_use():
    wanted = set(re.findall(r"var\((--[\w-]+)\)", (OURS / "static" / "lab.css").read_text()))
    missing = {name for name in wanted if not re.search(rf"{name}:", STYLES)}
    assert not missing, f"Flower's styles define no {missing}"


def test_no_template_of_ours_hides_one_of_flowers():
    assert not {path.name for path in (OURS / "templates").iterdir()} & {path.name for path in FLOWERS.iterdir()}


def test_nothing_is_fetched_from_elsewhere():
    for path in [*(OURS / "templates").iterdir(), *(OURS / "static").iterdir()]:
        assert not re.search(r"(https?:)?//[\w.]+\.\w", path.read_text()), f"{path.name} points outside"
